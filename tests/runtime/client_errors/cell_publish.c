/* Transactions: one without trouble, then one with it, repeated from its position until it is
 * through. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/clock.h"
#include "runtime/kafka_offsets.h"
#include "runtime/kafka_transaction.h"
#include "tests/runtime/client_errors/cells.h"

enum {
    RECORDS = 3,
    COPIES_MAX = 64,
    ARENA_BYTES = 1 << 20,
    STEP_MS = 20,
    LASTS_MS = 2000,
    CUT_MS = 300
};

struct story {
    struct mock mock;
    struct log_topic *source, *target;
    struct log_reader *reader;
    struct transactor *transactor;
    int broken_off;       /* transactions of this lot that were not committed */
    int64_t healed_at_ms; /* when what lasts is to end; 0: at once or over */
    const struct cell *cell;
};

static struct err put_lot(struct story *s, char lot)
{
    for (int i = 0; i < RECORDS; i++) {
        const char word[] = {lot, (char)('0' + i)};
        TRY(transaction_put(s->transactor, &(struct transaction_record){
                                               .key = TEXT("key"), .value = {word, sizeof word}}));
    }
    const struct position positions[] = {{1, 7}};
    return transaction_commit(s->transactor, positions);
}

static void heal_in_time(struct story *s)
{
    if (s->healed_at_ms && clock_monotonic_ms() >= s->healed_at_ms) {
        mock_heal(&s->mock, s->cell->api, s->cell->how);
        s->healed_at_ms = 0;
    }
}

/* Trouble of a start is waited out; after that of a transaction everything begins anew. */
static struct err attempt(struct story *s, char lot, bool *started)
{
    struct position positions[1] = {{-2, 0}};
    if (!transactor_active(s->transactor))
        return FAIL(ERR_UNAVAILABLE, "no seat");
    if (!*started)
        TRY(transactor_start(s->transactor, positions));
    if (!*started && positions[0].offset != 0)
        return FAIL(ERR_GAP, "a wrong position");
    *started = true;
    struct err e = put_lot(s, lot);
    if (e.code != ERR_OK) {
        *started = false;
        s->broken_off++;
    }
    return e;
}

/* As the publisher does. */
static bool publish(struct story *s, char lot, bool *started)
{
    s->broken_off = 0;
    for (int64_t until = clock_monotonic_ms() + CELL_MS; clock_monotonic_ms() < until;) {
        if (transactor_poll(s->transactor))
            *started = false;
        heal_in_time(s);
        struct err e = attempt(s, lot, started);
        if (e.code == ERR_OK || e.code == ERR_GAP)
            return e.code == ERR_OK;
        log_wait(s->reader, STEP_MS);
    }
    return false;
}

/* How many of a lot lie in the target, and whether each record is there equally often. */
static int copies_of(struct story *s, char lot)
{
    static _Thread_local _Alignas(16) char memory[ARENA_BYTES];
    struct log_record records[COPIES_MAX];
    int counts[RECORDS] = {0};
    int64_t first, end, next = 0;
    if (log_ends(s->target, 0, &first, &end).code != ERR_OK ||
        log_follow(s->reader, s->target, 0).code != ERR_OK)
        return -1;
    for (int64_t until = clock_monotonic_ms() + CELL_MS;
         next < end && clock_monotonic_ms() < until;) {
        struct arena arena = {memory, 0, sizeof memory};
        size_t n = 0;
        if (log_read(s->reader, s->target, 0, next, &arena, records, COPIES_MAX, &n).code != ERR_OK)
            continue;
        for (size_t i = 0; i < n; i++)
            if (records[i].value.at[0] == lot)
                counts[records[i].value.at[1] - '0']++;
        next += (int64_t)n;
    }
    int least = counts[0];
    for (int i = 1; i < RECORDS; i++)
        least = counts[i] < least ? counts[i] : least;
    return next == end ? least : -1;
}

/* Whoever waits for the answer is cut off meanwhile. */
static void *cut_off(void *context)
{
    struct story *s = context;
    clock_sleep_us(LASTS_MS * 1000);
    rd_kafka_mock_broker_set_down(s->mock.cluster, -1);
    clock_sleep_us(CUT_MS * 1000);
    mock_heal(&s->mock, s->cell->api, s->cell->how);
    return NULL;
}

static bool publish_cut_off(struct story *s, char lot, bool *started)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, cut_off, s) != 0)
        abort();
    bool through = publish(s, lot, started);
    pthread_join(thread, NULL);
    return through;
}

static bool is_of_the_start(enum api api)
{
    return api == API_INIT_PRODUCER_ID || api == API_FIND_COORDINATOR || api == API_OFFSET_FETCH ||
           api == API_METADATA;
}

static struct finding tell(struct story *s)
{
    bool started = false;
    const struct cell *cell = s->cell;
    if (!publish(s, 'a', &started))
        return broken("the first transaction");
    mock_trouble(&s->mock, cell->api, cell->error, cell->how);
    if (how_lasts(cell->how))
        s->healed_at_ms = clock_monotonic_ms() + LASTS_MS;
    if (is_of_the_start(cell->api))
        started = false;
    bool through = cell->how == HOW_ANSWER_LOST ? publish_cut_off(s, 'b', &started)
                                                : publish(s, 'b', &started);
    if (!through)
        return broken("never through");
    int broken_off = s->broken_off;
    if (!publish(s, 'c', &started))
        return broken("the next transaction");
    int copies = copies_of(s, 'b');
    if (copies_of(s, 'a') < 1 || copies_of(s, 'c') < 1 || copies < 1 || copies > broken_off + 1)
        return broken("copies: %d, %d, %d", copies_of(s, 'a'), copies, copies_of(s, 'c'));
    return found(broken_off ? V_RESTARTED : V_ONCE);
}

static bool open_all(struct story *s)
{
    static const int64_t zero[] = {0};
    mock_open(&s->mock, "publish");
    s->source = mock_topic(&s->mock, "things.log", 1);
    s->target = mock_topic(&s->mock, "things.events", 1);
    return log_reader_open(s->mock.log, &s->reader).code == ERR_OK &&
           offsets_write(s->mock.log, "publisher", s->source, zero).code == ERR_OK &&
           transactor_open(s->mock.log, "publisher", s->source, s->target, s->reader,
                           &s->transactor)
                   .code == ERR_OK;
}

struct finding cell_publish(const struct cell *cell)
{
    struct story s = {.cell = cell};
    struct finding f = open_all(&s) ? tell(&s) : broken("cannot open");
    transactor_close(s.transactor);
    log_reader_close(s.reader);
    mock_close(&s.mock);
    return f;
}
