/* A record before the trouble, one in it, one after it; then the log is read. */
#include <stdio.h>
#include <string.h>

#include "runtime/clock.h"
#include "tests/runtime/client_errors/cells.h"

enum { BEFORE, DURING, AFTER, RECORDS };
enum { COPIES_MAX = 64, ARENA_BYTES = 1 << 20, AGAIN_MS = 10000, ANSWERED_MS = 1000 };

struct story {
    struct mock mock;
    struct log_topic *topic;
    struct log_producer *producer;
    struct log_reader *reader;
    bool reported[RECORDS];
    int64_t offset[RECORDS];
    int copies[RECORDS];
    bool in_order;
};

static void on_report(void *context, uint64_t tag, int64_t offset, struct err err)
{
    struct story *s = context;
    s->reported[tag] = true;
    s->offset[tag] = err.code == ERR_OK ? offset : -1;
}

static bool append(struct story *s, uint64_t which)
{
    static const char *const words[] = {"before", "during", "after"};
    struct text word = {words[which], strlen(words[which])};
    return producer_append(s->producer, s->topic, 0, TEXT("key"), word, which).code == ERR_OK;
}

static bool await_report(struct story *s, uint64_t which)
{
    for (int64_t until = clock_monotonic_ms() + CELL_MS;
         !s->reported[which] && clock_monotonic_ms() < until;)
        producer_poll(s->producer, 50);
    return s->reported[which];
}

/* As an owner does that takes over again. */
static bool works_again(struct story *s)
{
    for (int64_t until = clock_monotonic_ms() + AGAIN_MS; clock_monotonic_ms() < until;) {
        s->reported[AFTER] = false;
        if (append(s, AFTER) && await_report(s, AFTER) && s->offset[AFTER] >= 0)
            return true;
        log_wait(s->reader, 200);
    }
    return false;
}

/* The broker has the record; its answer is still under way when the lines are cut. */
static void lose_the_answer(struct story *s)
{
    int64_t first, end = 0;
    for (int64_t until = clock_monotonic_ms() + CELL_MS; end < 2 && clock_monotonic_ms() < until;) {
        producer_poll(s->producer, 5);
        if (log_ends(s->topic, 0, &first, &end).code != ERR_OK)
            end = 0;
    }
    rd_kafka_mock_broker_set_down(s->mock.cluster, -1);
}

/* What was on its way when it was given up meets the trouble too, and not the broker that is well.
 */
static void let_it_be_answered(void)
{
    clock_sleep_us(ANSWERED_MS * 1000);
}

static bool passes_by_itself(enum how how)
{
    return how == HOW_ONCE || how == HOW_FIVE_TIMES || how == HOW_SLOW;
}

static void count(struct story *s, const struct log_record *r, int *last)
{
    int which = r->value.len == 6   ? (memcmp(r->value.at, "before", 6) == 0 ? BEFORE : DURING)
                : r->value.len == 5 ? AFTER
                                    : RECORDS;
    s->in_order = s->in_order && which < RECORDS && which >= *last;
    if (which < RECORDS)
        s->copies[which]++;
    *last = which;
}

static bool read_all(struct story *s)
{
    static _Thread_local _Alignas(16) char memory[ARENA_BYTES];
    struct log_record records[COPIES_MAX];
    int64_t first, end, next = 0;
    int last = BEFORE;
    s->in_order = true;
    if (log_ends(s->topic, 0, &first, &end).code != ERR_OK ||
        log_follow(s->reader, s->topic, 0).code != ERR_OK)
        return false;
    for (int64_t until = clock_monotonic_ms() + CELL_MS;
         next < end && clock_monotonic_ms() < until;) {
        struct arena arena = {memory, 0, sizeof memory};
        size_t n = 0;
        if (log_read(s->reader, s->topic, 0, next, &arena, records, COPIES_MAX, &n).code != ERR_OK)
            continue;
        for (size_t i = 0; i < n; i++)
            count(s, &records[i], &last);
        next += (int64_t)n;
    }
    return next == end;
}

static struct finding judge(const struct story *s, bool renewed)
{
    int copies = s->copies[DURING];
    bool done = s->offset[DURING] >= 0;
    if (s->copies[BEFORE] != 1 || s->copies[AFTER] != 1 || !s->in_order)
        return broken("before %d, after %d, %s", s->copies[BEFORE], s->copies[AFTER],
                      s->in_order ? "in order" : "out of order");
    if (done && copies == 0)
        return broken("reported as appended, and is not there");
    if (done && renewed)
        return broken("a new client, though nothing had failed");
    if (done)
        return found(copies == 1 ? V_ONCE : V_TWICE);
    if (copies > 0)
        return found(V_LANDED);
    return found(renewed ? V_RENEWED : V_FAILED);
}

static struct finding tell(struct story *s, const struct cell *cell)
{
    if (!append(s, BEFORE) || !await_report(s, BEFORE) || s->offset[BEFORE] != 0)
        return broken("the first append");
    int clients = mock_clients();
    mock_trouble(&s->mock, cell->api, cell->error, cell->how);
    if (!append(s, DURING))
        return broken("not even taken");
    if (cell->how == HOW_ANSWER_LOST)
        lose_the_answer(s);
    if (!passes_by_itself(cell->how) && !how_lasts(cell->how))
        mock_heal(&s->mock, cell->api, cell->how);
    if (!await_report(s, DURING))
        return broken("no report");
    if (how_lasts(cell->how)) {
        let_it_be_answered();
        mock_heal(&s->mock, cell->api, cell->how);
    }
    if (!works_again(s))
        return broken("appends go on failing");
    clients = mock_clients() - clients;
    if (clients > 1)
        return broken("%d new clients", clients);
    return read_all(s) ? judge(s, clients == 1) : broken("cannot read it back");
}

struct finding cell_append(const struct cell *cell)
{
    struct story s = {0};
    struct finding f = broken("cannot open");
    mock_open(&s.mock, "append");
    s.topic = mock_topic(&s.mock, "things.log", 1);
    if (log_reader_open(s.mock.log, &s.reader).code == ERR_OK &&
        producer_open(s.mock.log, on_report, &s, NULL, &s.producer).code == ERR_OK)
        f = tell(&s, cell);
    producer_close(s.producer);
    log_reader_close(s.reader);
    mock_close(&s.mock);
    return f;
}
