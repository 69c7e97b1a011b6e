/* An owner of two partitions over logs in memory: one of them cannot go back to where it stood in a
 * log that both read; its log is cut back; it is deposed, and then given its seat anew; it has
 * slept for longer than commands are kept. */
#include <pthread.h>
#include <stdlib.h>

#include "commands/aggregates.h"
#include "core/partition.h"
#include "runtime/clock.h"
#include "runtime/cursor.h"
#include "runtime/owner_worker.h"
#include "saga/sagas.h"
#include "schemas/fulfilment.h"
#include "schemas/product.h"
#include "tests/runtime/run_suite.h"
#include "tests/support/memory_log.h"

enum { PARTITIONS = 2, PATIENCE_MS = 10000, ARENA_BYTES = 1 << 20, FACTS_MAX = 64, REPORTS = 256 };

static const struct service list[] = {
    {"fulfilment", &fulfilment_commands, &fulfilment_events, .saga = &fulfilment_saga},
    {"product", &product_commands, &product_events, .aggregate = &product_aggregate}};
static const struct service_list services = {list, COUNT(list)};
static const struct service *const served[] = {&list[1], NULL};

static struct log *kafka;
static struct log_topic *commands, *decisions, *saga_log;
static atomic_bool rewind_fails;
static atomic_int rewinds_failed;
static pthread_t worker;
static atomic_bool deaf;               /* the worker does not read back what it has written */
static atomic_bool starved;            /* nor any command */
static atomic_int_least64_t read_to;   /* by the worker, of partition 0 of its log */
static atomic_int_least64_t frozen_ms; /* 0: time goes on */
static atomic_int group_events;        /* to be told to the worker: REVOKED, ASSIGNED, in turns */
static atomic_bool stop;
static struct owner_worker_status status;

/* ---- the rest of event_log.h ---------------------------------------------------------------- */

struct err __real_log_read_again(struct log_reader *reader, struct log_topic *topic, int partition,
                                 int64_t offset, struct arena *arena, struct log_record *ret_record,
                                 size_t *ret_count);
struct err __wrap_log_read_again(struct log_reader *reader, struct log_topic *topic, int partition,
                                 int64_t offset, struct arena *arena, struct log_record *ret_record,
                                 size_t *ret_count);

/* By whoever goes back to a place. */
struct err __wrap_log_read_again(struct log_reader *reader, struct log_topic *topic, int partition,
                                 int64_t offset, struct arena *arena, struct log_record *ret_record,
                                 size_t *ret_count)
{
    if (topic == saga_log && atomic_load(&rewind_fails)) {
        atomic_fetch_add(&rewinds_failed, 1);
        return FAIL(ERR_UNAVAILABLE, "as told");
    }
    return __real_log_read_again(reader, topic, partition, offset, arena, ret_record, ret_count);
}

struct err __real_log_read(struct log_reader *reader, struct log_topic *topic, int partition,
                           int64_t from, struct arena *arena, struct log_record *records,
                           size_t max, size_t *ret_count);
struct err __wrap_log_read(struct log_reader *reader, struct log_topic *topic, int partition,
                           int64_t from, struct arena *arena, struct log_record *records,
                           size_t max, size_t *ret_count);

struct err __wrap_log_read(struct log_reader *reader, struct log_topic *topic, int partition,
                           int64_t from, struct arena *arena, struct log_record *records,
                           size_t max, size_t *ret_count)
{
    bool mine = partition == 0 && pthread_equal(pthread_self(), worker), own = topic == decisions;
    *ret_count = 0;
    if (mine && own)
        atomic_store(&read_to, from);
    return mine && ((own && atomic_load(&deaf)) || (topic == commands && atomic_load(&starved)))
               ? OK
               : __real_log_read(reader, topic, partition, from, arena, records, max, ret_count);
}

int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
    int64_t frozen = atomic_load(&frozen_ms);
    return frozen && pthread_equal(pthread_self(), worker) ? frozen : __real_clock_monotonic_ms();
}

const char *log_instance(const struct log *log)
{
    (void)log;
    return "test";
}

struct log_producer {
    producer_report report;
    void *context;
    size_t count;
    struct {
        uint64_t tag;
        int64_t offset;
    } done[REPORTS];
};

struct err producer_open(struct log *log, producer_report reported, void *context,
                         struct log_reader *waker, struct log_producer **ret_producer)
{
    (void)log, (void)waker;
    *ret_producer = calloc(1, sizeof **ret_producer);
    ck_assert_ptr_nonnull(*ret_producer);
    (*ret_producer)->report = reported;
    (*ret_producer)->context = context;
    return OK;
}

void producer_close(struct log_producer *producer)
{
    free(producer);
}

struct err producer_append(struct log_producer *producer, struct log_topic *topic, int partition,
                           struct text key, struct text value, uint64_t tag)
{
    ck_assert_uint_lt(producer->count, REPORTS);
    producer->done[producer->count].tag = tag;
    producer->done[producer->count++].offset = memory_log_append(topic, partition, key, value);
    return OK;
}

int producer_poll(struct log_producer *producer, int timeout_ms)
{
    size_t n = producer->count;
    (void)timeout_ms;
    producer->count = 0;
    for (size_t i = 0; i < n; i++)
        producer->report(producer->context, producer->done[i].tag, producer->done[i].offset, OK);
    return (int)n;
}

struct err producer_flush(struct log_producer *producer, int timeout_ms)
{
    producer_poll(producer, timeout_ms);
    return OK;
}

struct log_group {
    struct log_partition owned[PARTITIONS];
    int told;
};

struct err group_open(struct log *log, const char *name, struct log_topic *const *topics,
                      size_t count, struct log_reader *waker, struct log_group **ret_group)
{
    (void)log, (void)name, (void)waker;
    ck_assert_uint_eq(count, 1);
    *ret_group = calloc(1, sizeof **ret_group);
    ck_assert_ptr_nonnull(*ret_group);
    for (int p = 0; p < PARTITIONS; p++)
        (*ret_group)->owned[p] = (struct log_partition){topics[0], p};
    return OK;
}

void group_close(struct log_group *group)
{
    free(group);
}

enum group_event group_poll(struct log_group *group, const struct log_partition **ret_owned,
                            size_t *ret_count)
{
    if (group->told == atomic_load(&group_events))
        return GROUP_NOTHING;
    bool assigned = ++group->told % 2 == 1;
    *ret_owned = group->owned;
    *ret_count = assigned ? PARTITIONS : 0;
    return assigned ? GROUP_ASSIGNED : GROUP_REVOKED;
}

/* ---- what the story needs ------------------------------------------------------------------- */

static void *run(void *context)
{
    (void)context;
    struct err e = owner_worker_run(&(struct owner_worker_options){.group = "owners",
                                                                   .log = kafka,
                                                                   .all = &services,
                                                                   .services = served,
                                                                   .stop = &stop,
                                                                   .status = &status});
    ck_assert_int_eq(e.code, ERR_OK);
    return NULL;
}

static int64_t announce(struct log_topic *topic, int partition)
{
    _Alignas(16) char memory[512];
    struct arena arena = {memory, 0, sizeof memory};
    struct takeover t = {.mark = {.kind = RECORD_TAKEOVER, .epoch = -1},
                         .nonce = random_uuid(),
                         .instance = TEXT("test")};
    return memory_log_append(topic, partition, TEXT(""), takeover_encode(&t, &arena));
}

static struct sent {
    uint64_t number, last; /* print of the last decision */
    int n;
} sent;

/* The saga decides that a product of this partition is to be added. */
static void saga_sends(int64_t epoch, int partition)
{
    char sku[16];
    _Alignas(16) char memory[4096];
    struct arena arena = {memory, 0, sizeof memory};
    do
        snprintf(sku, sizeof sku, "SKU-%d", sent.n++);
    while (partition_of(text_of(sku), PARTITIONS) != partition);
    struct uuid order = random_uuid();
    struct command command = {.id = random_uuid(),
                              .attempt = random_uuid(),
                              .saga = order,
                              .actor = {.roles = ROLE_SYSTEM},
                              .expected_version = VERSION_ANY,
                              .service = TEXT("product"),
                              .target = text_of(sku),
                              .type = TEXT("product.add.v1"),
                              .data = TEXT("{}")};
    struct decision d = {.mark = {RECORD_DECISION, epoch, ++sent.number, 0, sent.last, 0},
                         .outcome = OUTCOME_ACCEPTED,
                         .first_offset = -1,
                         .command_id = random_uuid(),
                         .saga = order,
                         .target = TEXT("order"),
                         .type = TEXT("order.place.v1"),
                         .commands = &command,
                         .commands_count = 1};
    struct text record = decision_encode(&d, &arena);
    sent.last = print_of(record);
    memory_log_append(saga_log, 0, d.target, record);
}

/* How many commands of the saga this partition has decided, and the print of its last decision. */
static size_t decided_and_last(int partition, uint64_t *ret_last)
{
    static _Alignas(16) char memory[ARENA_BYTES];
    static struct fact facts[FACTS_MAX];
    struct log_reader *reader;
    struct cursor cursor;
    size_t n, count = 0;
    ck_assert_int_eq(log_reader_open(kafka, &reader).code, ERR_OK);
    ck_assert_int_eq(
        cursor_resume(&cursor, reader, decisions, partition, (struct position){0}).code, ERR_OK);
    do {
        struct arena arena = {memory, 0, sizeof memory};
        int64_t at = cursor.next;
        ck_assert_int_eq(cursor_read(&cursor, reader, &arena, facts, FACTS_MAX, &n).code, ERR_OK);
        for (size_t i = 0; i < n; i++)
            count += text_is(facts[i].decision.input.topic, "fulfilment.log");
        if (n > 0)
            *ret_last = facts[n - 1].decision.mark.print;
        if (cursor.next == at)
            break;
    } while (true);
    log_reader_close(reader);
    return count;
}

static size_t decided(int partition)
{
    uint64_t last;
    return decided_and_last(partition, &last);
}

/* Another owner has decided all commands so far, and they are deleted. */
static void decided_by_another(int64_t commands_next)
{
    _Alignas(16) char memory[4096];
    struct arena arena = {memory, 0, sizeof memory};
    uint64_t last = 0;
    decided_and_last(0, &last);
    int64_t epoch = announce(decisions, 0);
    struct decision d = {.mark = {RECORD_DECISION, epoch, 1, commands_next, last, 0},
                         .outcome = OUTCOME_ACCEPTED,
                         .first_offset = -1,
                         .command_id = random_uuid(),
                         .target = TEXT("SKU"),
                         .type = TEXT("product.add.v1")};
    memory_log_append(decisions, 0, d.target, decision_encode(&d, &arena));
    for (int64_t i = 0; i < commands_next; i++)
        memory_log_append(commands, 0, TEXT("SKU"), TEXT("a command"));
    memory_log_forget(commands, 0, commands_next);
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static void await_decided(int partition, size_t wanted)
{
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         decided(partition) < wanted && clock_monotonic_ms() < until;)
        nap();
    ck_assert_uint_eq(decided(partition), wanted);
}

/* Returns the epoch of the saga's log. */
static int64_t open_house(void)
{
    kafka = memory_log_create();
    commands = memory_log_topic(kafka, "product.commands", PARTITIONS);
    decisions = memory_log_topic(kafka, "product.log", PARTITIONS);
    memory_log_topic(kafka, "product.deadletters", PARTITIONS);
    saga_log = memory_log_topic(kafka, "fulfilment.log", 1);
    sent = (struct sent){0};
    atomic_store(&group_events, 1);
    atomic_store(&stop, false);
    int64_t epoch = announce(saga_log, 0);
    ck_assert_int_eq(pthread_create(&worker, NULL, run, NULL), 0);
    return epoch;
}

static void close_house(void)
{
    atomic_store(&stop, true);
    pthread_join(worker, NULL);
    memory_log_destroy(kafka);
}

START_TEST(one_that_cannot_go_back_stands_in_nobodys_way)
{
    int64_t epoch = open_house();
    saga_sends(epoch, 0);
    saga_sends(epoch, 1);
    await_decided(0, 1);
    await_decided(1, 1);

    atomic_store(&rewind_fails, true);
    announce(decisions, 0); /* somebody else's: the owner must take over again, and go back */
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         atomic_load(&rewinds_failed) == 0 && clock_monotonic_ms() < until;)
        nap();
    ck_assert_int_gt(atomic_load(&rewinds_failed), 0);
    saga_sends(epoch, 1);
    await_decided(1, 2);
    saga_sends(epoch, 0);

    atomic_store(&rewind_fails, false);
    await_decided(0, 2);
    await_decided(1, 2);
    close_house();
}
END_TEST

START_TEST(an_owner_whose_append_lands_below_what_it_has_read_begins_anew)
{
    int64_t epoch = open_house(), at = 0, landed;
    saga_sends(epoch, 0);
    await_decided(0, 1);
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         atomic_load(&read_to) < 2 && clock_monotonic_ms() < until;)
        nap();
    ck_assert_int_eq(atomic_load(&read_to), 2); /* TAKEOVER and decision */
    atomic_store(&deaf, true);
    memory_log_cut(decisions, 0, 1);
    saga_sends(epoch, 0); /* lies where the first decision was, and is void */
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS; at < 2 && clock_monotonic_ms() < until;
         nap())
        ck_assert_int_eq(log_ends(decisions, 0, &landed, &at).code, ERR_OK);
    atomic_store(&deaf, false);
    await_decided(0, 2);
    close_house();
}
END_TEST

START_TEST(one_who_is_given_its_seat_anew_does_not_keep_out_of_the_way)
{
    int64_t epoch = open_house();
    saga_sends(epoch, 0);
    await_decided(0, 1);
    uint64_t before = atomic_load(&status.depositions);
    atomic_store(&frozen_ms, clock_monotonic_ms());
    announce(decisions, 0); /* whoever had the seat meanwhile */
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         atomic_load(&status.depositions) == before && clock_monotonic_ms() < until;)
        nap();
    ck_assert_uint_gt(atomic_load(&status.depositions), before);
    atomic_fetch_add(&group_events, 2);
    saga_sends(epoch, 0);
    await_decided(0, 2);
    atomic_store(&frozen_ms, 0);
    close_house();
}
END_TEST

START_TEST(one_that_slept_longer_than_commands_are_kept_goes_on)
{
    int64_t epoch = open_house();
    saga_sends(epoch, 0);
    await_decided(0, 1);
    uint64_t before = atomic_load(&status.depositions);
    atomic_store(&deaf, true);
    atomic_store(&starved, true);
    decided_by_another(3);
    atomic_store(&starved, false);
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         atomic_load(&status.depositions) == before && clock_monotonic_ms() < until;)
        nap();
    atomic_store(&deaf, false);
    saga_sends(epoch, 0);
    await_decided(0, 2);
    ck_assert_int_eq(atomic_load(&status.halted), 0);
    close_house();
}
END_TEST

START_TEST(commands_that_nobody_has_decided_are_missed)
{
    open_house();
    atomic_store(&starved, true);
    for (int i = 0; i < 3; i++)
        memory_log_append(commands, 0, TEXT("SKU"), TEXT("a command"));
    memory_log_forget(commands, 0, 2);
    atomic_store(&starved, false);
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         atomic_load(&status.halted) == 0 && clock_monotonic_ms() < until;)
        nap();
    ck_assert_int_eq(atomic_load(&status.halted), 1);
    close_house();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {one_that_cannot_go_back_stands_in_nobodys_way,
                                  an_owner_whose_append_lands_below_what_it_has_read_begins_anew,
                                  one_who_is_given_its_seat_anew_does_not_keep_out_of_the_way,
                                  one_that_slept_longer_than_commands_are_kept_goes_on,
                                  commands_that_nobody_has_decided_are_missed};
    return run_suite("owner_pulls", tests, COUNT(tests));
}
