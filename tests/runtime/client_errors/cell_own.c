/* A command owner as it runs in production: what it decides is judged by reading the log back. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/aggregates.h"
#include "runtime/clock.h"
#include "runtime/cursor.h"
#include "runtime/owner_worker.h"
#include "schemas/product.h"
#include "tests/runtime/client_errors/cells.h"

enum {
    FIRST_LOT = 5,
    COMMANDS = 20,
    FACTS_MAX = 256,
    ARENA_BYTES = 4 << 20,
    LASTS_MS = 2000,
    LED_MS = 30000, /* those without leader hold up no other: half of it is waiting for the seat */
    MEETS_MS = 12000
};

static const struct service service = {"product", &product_commands, &product_events,
                                       .aggregate = &product_aggregate};
static const struct service_list services = {&service, 1};
static const struct service *const served[] = {&service, NULL};

struct story {
    struct mock mock;
    struct log_topic *commands, *decisions;
    int partition; /* the one that is looked at */
    struct log_producer *producer;
    struct log_reader *reader;
    pthread_t thread;
    atomic_bool stop;
    struct owner_worker_status status;
    struct err result;
    int decided[COMMANDS];
    int others;
    char *memory;
    struct fact *facts;
};

/* A process of its own: each start knows nothing of the one before. */
static void *run(void *context)
{
    struct story *s = context;
    struct log *log;
    s->result =
        log_open(&(struct log_options){.brokers = rd_kafka_mock_cluster_bootstraps(s->mock.cluster),
                                       .instance = "owner"},
                 &log);
    if (s->result.code != ERR_OK)
        return NULL;
    s->result = owner_worker_run(&(struct owner_worker_options){.group = "owners",
                                                                .log = log,
                                                                .all = &services,
                                                                .services = served,
                                                                .stop = &s->stop,
                                                                .status = &s->status});
    log_close(log);
    return NULL;
}

static struct uuid id_of(int n)
{
    return (struct uuid){{9, (uint8_t)n, 1}};
}

static bool send_commands(struct story *s, int from, int to)
{
    for (int i = from; i < to; i++) {
        char sku[16], data[300];
        _Alignas(16) char memory[2048];
        struct arena arena = {memory, 0, sizeof memory};
        snprintf(sku, sizeof sku, "SKU-%d", i);
        snprintf(data, sizeof data,
                 "{\"sku\":\"%s\",\"name\":\"n\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},"
                 "\"merchant_id\":\"00000000-0000-4000-8000-000000000001\"}",
                 sku);
        const struct command c = {.id = id_of(i),
                                  .attempt = id_of(i),
                                  .actor = {id_of(1), ROLE_MERCHANT | ROLE_ADMIN},
                                  .fingerprint = 7,
                                  .expected_version = VERSION_ANY,
                                  .service = TEXT("product"),
                                  .target = text_of(sku),
                                  .type = TEXT("product.add.v1"),
                                  .data = text_of(data)};
        if (producer_append(s->producer, s->commands, s->partition, c.target,
                            command_encode(&c, &arena), 0)
                .code != ERR_OK)
            return false;
    }
    return producer_flush(s->producer, CELL_MS).code == ERR_OK;
}

static void note(struct story *s, const struct decision *d)
{
    if (d->outcome == OUTCOME_POSITION)
        return;
    int n = d->command_id.bytes[1];
    if (d->outcome == OUTCOME_ACCEPTED && n < COMMANDS && uuid_equal(d->command_id, id_of(n)))
        s->decided[n]++;
    else
        s->others++;
}

/* How many commands are decided, by the rule, as whoever reads the log from its start sees it. */
static int look(struct story *s)
{
    struct cursor cursor;
    int64_t first, end;
    int count = 0;
    memset(s->decided, 0, sizeof s->decided);
    s->others = 0;
    if (log_ends(s->decisions, s->partition, &first, &end).code != ERR_OK ||
        cursor_resume(&cursor, s->reader, s->decisions, s->partition, (struct position){0}).code !=
            ERR_OK)
        return -1;
    while (cursor.next < end) {
        struct arena arena = {s->memory, 0, ARENA_BYTES};
        size_t n;
        if (cursor_read(&cursor, s->reader, &arena, s->facts, FACTS_MAX, &n).code != ERR_OK)
            return -1;
        for (size_t i = 0; i < n; i++)
            note(s, &s->facts[i].decision);
    }
    for (int i = 0; i < COMMANDS; i++)
        count += s->decided[i];
    return count;
}

static bool await_decided(struct story *s, int wanted, int64_t ms)
{
    for (int64_t until = clock_monotonic_ms() + ms; clock_monotonic_ms() < until;) {
        if (look(s) >= wanted)
            return true;
        if (atomic_load(&s->status.halted) > 0)
            return false;
        log_wait(s->reader, 50);
    }
    return false;
}

/* ---- the owner's process -------------------------------------------------------------------- */

static bool start(struct story *s)
{
    atomic_store(&s->stop, false);
    atomic_store(&s->status.takeovers, 0);
    return pthread_create(&s->thread, NULL, run, s) == 0;
}

static void stop(struct story *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
}

static void let_pass(struct story *s, int64_t ms)
{
    for (int64_t until = clock_monotonic_ms() + ms; clock_monotonic_ms() < until;)
        log_wait(s->reader, 20);
}

/* Until the new owner has met it: it has its seat, and has tried to take over or is kept from it.
 */
static void let_it_be_met(struct story *s, enum api api)
{
    bool of_the_group = api == API_FIND_COORDINATOR || api == API_JOIN_GROUP;
    for (int64_t until = clock_monotonic_ms() + (of_the_group ? LASTS_MS : MEETS_MS);
         atomic_load(&s->status.takeovers) == 0 && clock_monotonic_ms() < until;)
        log_wait(s->reader, 20);
}

/* Carried out, and cut off before the owner knows. */
static void lose_the_answer(struct story *s)
{
    for (int64_t until = clock_monotonic_ms() + CELL_MS;
         look(s) <= FIRST_LOT && clock_monotonic_ms() < until;)
        log_wait(s->reader, 5);
    rd_kafka_mock_broker_set_down(s->mock.cluster, -1);
}

static bool is_of_the_start(enum api api)
{
    return api != API_PRODUCE && api != API_HEARTBEAT;
}

static bool in_trouble(struct story *s, const struct cell *cell)
{
    bool down = cell->how == HOW_BROKER_DOWN, again = is_of_the_start(cell->api) && !down;
    if (again)
        stop(s);
    mock_trouble(&s->mock, cell->api, cell->error, cell->how);
    if (again && !start(s))
        return false;
    if (!down && !send_commands(s, FIRST_LOT, COMMANDS))
        return false;
    if (cell->how == HOW_ANSWER_LOST)
        lose_the_answer(s);
    else if (cell->how == HOW_LASTING && again)
        let_it_be_met(s, cell->api);
    else if (how_lasts(cell->how))
        let_pass(s, LASTS_MS);
    else
        return true;
    mock_heal(&s->mock, cell->api, cell->how);
    return !down || send_commands(s, FIRST_LOT, COMMANDS);
}

/* What it appended twice is void the second time: it meets that a little after the answers are
 * there. */
static void let_it_meet_the_copy(struct story *s)
{
    for (int64_t until = clock_monotonic_ms() + CELL_MS;
         atomic_load(&s->status.depositions) == 0 && clock_monotonic_ms() < until;)
        log_wait(s->reader, 20);
}

static struct finding judge(struct story *s, const struct cell *cell)
{
    if (cell->how == HOW_ANSWER_LOST)
        let_it_meet_the_copy(s);
    for (int i = 0; i < COMMANDS; i++)
        if (s->decided[i] != 1)
            return broken("command %d decided %d times", i, s->decided[i]);
    if (s->others)
        return broken("%d decisions of nothing", s->others);
    return found(atomic_load(&s->status.depositions) ? V_RETAKEN : V_ONCE);
}

static struct finding tell(struct story *s, const struct cell *cell)
{
    if (!send_commands(s, 0, FIRST_LOT) || !await_decided(s, FIRST_LOT, CELL_MS))
        return broken("the first commands");
    if (!in_trouble(s, cell))
        return broken("cannot send");
    if (await_decided(s, COMMANDS, cell->how == HOW_LEADERLESS ? LED_MS : CELL_MS))
        return judge(s, cell);
    if (atomic_load(&s->status.halted) > 0)
        return found(V_HALTED);
    return broken("%d of %d decided", look(s), COMMANDS);
}

static bool open_all(struct story *s, const struct cell *cell)
{
    s->partition = cell->how == HOW_LEADERLESS ? LEADERLESS : 0;
    int partitions = s->partition + 1;
    mock_open(&s->mock, "own");
    s->commands = mock_topic(&s->mock, "product.commands", partitions);
    s->decisions = mock_topic(&s->mock, "product.log", partitions);
    mock_topic(&s->mock, "product.deadletters", 1);
    rd_kafka_mock_partition_set_leader(s->mock.cluster, "product.commands", 0, 1);
    mock_lead(&s->mock, "product.log", 2);
    s->memory = aligned_alloc(16, ARENA_BYTES);
    s->facts = calloc(FACTS_MAX, sizeof *s->facts);
    return s->memory && s->facts && log_reader_open(s->mock.log, &s->reader).code == ERR_OK &&
           producer_open(s->mock.log, NULL, NULL, NULL, &s->producer).code == ERR_OK && start(s);
}

struct finding cell_own(const struct cell *cell)
{
    struct story *s = calloc(1, sizeof *s);
    struct finding f = broken("cannot open");
    if (!s)
        return f;
    if (open_all(s, cell)) {
        f = tell(s, cell);
        stop(s);
        if (f.ending != V_BROKEN && s->result.code != ERR_OK)
            f = broken("the worker ended: %s", err_text(s->result));
    }
    producer_close(s->producer);
    log_reader_close(s->reader);
    mock_close(&s->mock);
    free(s->memory);
    free(s->facts);
    free(s);
    return f;
}
