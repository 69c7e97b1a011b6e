/* Tails, private fetches, the ends of partitions, topics. */
#include <stdio.h>
#include <string.h>

#include "runtime/clock.h"
#include "tests/runtime/client_errors/cells.h"

enum { FIRST_LOT = 5, RECORDS = 10, LASTS_MS = 1500, ARENA_BYTES = 1 << 16 };

struct story {
    struct mock mock;
    struct log_topic *topic;
    struct log_producer *producer;
    struct log_reader *reader;
    int64_t next;
    bool wrong;
    struct err halt; /* what a reader would halt upon */
};

static bool open_all(struct story *s)
{
    *s = (struct story){0};
    mock_open(&s->mock, "read");
    s->topic = mock_topic(&s->mock, "things.log", 1);
    return log_reader_open(s->mock.log, &s->reader).code == ERR_OK &&
           producer_open(s->mock.log, NULL, NULL, NULL, &s->producer).code == ERR_OK;
}

static struct finding close_all(struct story *s, struct finding f)
{
    producer_close(s->producer);
    log_reader_close(s->reader);
    mock_close(&s->mock);
    return f;
}

static bool append(struct story *s, int from, int to)
{
    for (int i = from; i < to; i++) {
        char word[8];
        int len = snprintf(word, sizeof word, "%d", i);
        if (producer_append(s->producer, s->topic, 0, TEXT("key"), (struct text){word, (size_t)len},
                            0)
                .code != ERR_OK)
            return false;
    }
    return producer_flush(s->producer, CELL_MS).code == ERR_OK;
}

static void take(struct story *s, const struct log_record *r)
{
    char word[8];
    int len = snprintf(word, sizeof word, "%d", (int)s->next);
    s->wrong = s->wrong || r->offset != s->next || r->value.len != (size_t)len ||
               memcmp(r->value.at, word, (size_t)len) != 0;
    s->next++;
}

/* Up to `end`, or until the time is over, or something that halts. */
static void read_to(struct story *s, int64_t end, int64_t ms)
{
    _Alignas(16) char memory[ARENA_BYTES];
    struct log_record records[RECORDS];
    int64_t until = clock_monotonic_ms() + ms;
    while (s->next < end && s->halt.code == ERR_OK && clock_monotonic_ms() < until) {
        struct arena arena = {memory, 0, sizeof memory};
        size_t n = 0;
        struct err e = log_read(s->reader, s->topic, 0, s->next, &arena, records, RECORDS, &n);
        if (e.code != ERR_OK && err_class(e) != ERR_CLASS_RETRY)
            s->halt = e;
        for (size_t i = 0; e.code == ERR_OK && i < n; i++)
            take(s, &records[i]);
        if (e.code != ERR_OK || n == 0)
            log_wait(s->reader, 20);
    }
}

static struct finding judge(const struct story *s)
{
    if (s->wrong)
        return broken("other records than were written");
    if (s->halt.code != ERR_OK)
        return found(V_HALTED);
    return s->next == RECORDS ? found(V_ONCE) : broken("stands at %d of %d", (int)s->next, RECORDS);
}

static void through_trouble(struct story *s, const struct cell *cell)
{
    if (how_lasts(cell->how)) {
        read_to(s, RECORDS, LASTS_MS);
        mock_heal(&s->mock, cell->api, cell->how);
    }
    read_to(s, RECORDS, CELL_MS);
}

struct finding cell_tail(const struct cell *cell)
{
    struct story s;
    if (!open_all(&s) || log_follow(s.reader, s.topic, 0).code != ERR_OK || !append(&s, 0, 5))
        return close_all(&s, broken("cannot begin"));
    read_to(&s, FIRST_LOT, CELL_MS);
    if (cell->how == HOW_BROKER_DOWN || cell->how == HOW_UNLED) {
        if (!append(&s, FIRST_LOT, RECORDS))
            return close_all(&s, broken("cannot append"));
        mock_trouble(&s.mock, cell->api, cell->error, cell->how);
    } else {
        mock_trouble(&s.mock, cell->api, cell->error, cell->how);
        if (!append(&s, FIRST_LOT, RECORDS))
            return close_all(&s, broken("cannot append"));
    }
    through_trouble(&s, cell);
    return close_all(&s, judge(&s));
}

struct finding cell_fetch(const struct cell *cell)
{
    struct story s;
    if (!open_all(&s) || !append(&s, 0, RECORDS) || log_follow(s.reader, s.topic, 0).code != ERR_OK)
        return close_all(&s, broken("cannot begin"));
    mock_trouble(&s.mock, cell->api, cell->error, cell->how);
    through_trouble(&s, cell);
    return close_all(&s, judge(&s));
}

static bool right_ends(struct story *s, struct err *ret_err)
{
    int64_t first = -1, end = -1;
    *ret_err = log_ends(s->topic, 0, &first, &end);
    return ret_err->code == ERR_OK ? first == 0 && end == RECORDS : first == -1 && end == -1;
}

struct finding cell_ends(const struct cell *cell)
{
    struct story s;
    struct err during, after;
    if (!open_all(&s) || !append(&s, 0, RECORDS))
        return close_all(&s, broken("cannot begin"));
    mock_trouble(&s.mock, cell->api, cell->error, cell->how);
    bool right = right_ends(&s, &during);
    mock_heal(&s.mock, cell->api, cell->how);
    if (!right || !right_ends(&s, &after))
        return close_all(&s, broken("wrong ends"));
    if (after.code != ERR_OK)
        return close_all(&s, broken("afterwards: %s", err_text(after)));
    if (during.code != ERR_OK && err_class(during) != ERR_CLASS_RETRY)
        return close_all(&s, found(V_HALTED));
    return close_all(&s, found(during.code == ERR_OK ? V_ONCE : V_UNTOLD));
}

struct finding cell_topic(const struct cell *cell)
{
    struct story s;
    struct log_topic *other = NULL;
    if (!open_all(&s))
        return close_all(&s, broken("cannot begin"));
    rd_kafka_mock_topic_create(s.mock.cluster, "other.log", 1, 1);
    s.mock.topic = "other.log";
    mock_trouble(&s.mock, cell->api, cell->error, cell->how);
    struct err during = log_topic(s.mock.log, "other.log", &other);
    for (int more = cell->how == HOW_FIVE_TIMES ? 4 : 0; more > 0; more--)
        if (log_topic(s.mock.log, "other.log", &other).code != during.code)
            return close_all(&s, broken("not so often"));
    if (how_lasts(cell->how))
        mock_heal(&s.mock, cell->api, cell->how);
    struct err after = log_topic(s.mock.log, "other.log", &other);
    if (after.code != ERR_OK)
        return close_all(&s, broken("afterwards: %s", err_text(after)));
    if (during.code == ERR_NOT_FOUND)
        return close_all(&s, found(V_NOT_FOUND));
    if (during.code == ERR_OK)
        return close_all(&s, found(V_ONCE));
    return close_all(&s, err_class(during) == ERR_CLASS_RETRY
                             ? found(V_UNTOLD)
                             : broken("%s: %s", err_text(during), during.what));
}
