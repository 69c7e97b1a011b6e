/* A seat in a group, and its positions. */
#include <stdio.h>

#include "runtime/clock.h"
#include "runtime/kafka_offsets.h"
#include "tests/runtime/client_errors/cells.h"

enum { PARTITIONS = 2, LASTS_MS = 2000, POSITION = 7, STEP_MS = 20, WATCH_MS = 9000, CUT_MS = 300 };

struct story {
    struct mock mock;
    struct log_topic *topic;
    struct log_reader *waker;
    struct log_group *group;
    int owned;
};

static void poll_once(struct story *s)
{
    const struct log_partition *owned;
    size_t count;
    enum group_event event = group_poll(s->group, &owned, &count);
    if (event == GROUP_ASSIGNED)
        s->owned = (int)count;
    else if (event == GROUP_REVOKED)
        s->owned = 0;
    log_wait(s->waker, STEP_MS);
}

static bool await_seat(struct story *s, int64_t ms)
{
    for (int64_t until = clock_monotonic_ms() + ms;
         s->owned < PARTITIONS && clock_monotonic_ms() < until;)
        poll_once(s);
    return s->owned == PARTITIONS;
}

static bool open_group(struct story *s)
{
    return log_reader_open(s->mock.log, &s->waker).code == ERR_OK &&
           group_open(s->mock.log, "seats", &s->topic, 1, s->waker, &s->group).code == ERR_OK;
}

/* Its position is written through the seat, so the coordinator knows the member. */
static bool commits(struct story *s)
{
    const struct log_partition first = {s->topic, 0};
    const struct position mine = {POSITION, 7};
    struct position found = {-1, PRINT_UNKNOWN};
    for (int64_t until = clock_monotonic_ms() + CELL_MS;
         found.offset != POSITION && clock_monotonic_ms() < until; poll_once(s)) {
        if (s->owned == 0 || group_commit(s->group, first, mine).code != ERR_OK ||
            group_committed(s->group, first, &found).code != ERR_OK)
            found.offset = -1;
    }
    return found.offset == mine.offset && found.print == mine.print;
}

static void let_pass(struct story *s, int64_t ms)
{
    for (int64_t until = clock_monotonic_ms() + ms; clock_monotonic_ms() < until;)
        poll_once(s);
}

/* The trouble comes to a member that has its seat. */
static bool trouble_its_seat(struct story *s, const struct cell *cell)
{
    if (!await_seat(s, CELL_MS))
        return false;
    mock_trouble(&s->mock, cell->api, cell->error, cell->how);
    let_pass(s, WATCH_MS);
    return true;
}

/* It is carried out and on its way back when all connections break. False: it came back. */
static bool lose_the_answer(struct story *s, const struct cell *cell)
{
    if (await_seat(s, LASTS_MS))
        return false;
    rd_kafka_mock_broker_set_down(s->mock.cluster, -1);
    let_pass(s, CUT_MS);
    mock_heal(&s->mock, cell->api, cell->how);
    return true;
}

static struct finding take_seat(struct story *s, const struct cell *cell)
{
    bool seated_before = cell->api == API_HEARTBEAT;
    if (!seated_before)
        mock_trouble(&s->mock, cell->api, cell->error, cell->how);
    if (!open_group(s))
        return broken("cannot open");
    int clients = mock_clients();
    if (seated_before && !trouble_its_seat(s, cell))
        return broken("no first seat");
    if (cell->how == HOW_ANSWER_LOST && !lose_the_answer(s, cell))
        return broken("the answer came");
    if (how_lasts(cell->how)) {
        if (!seated_before && await_seat(s, LASTS_MS))
            return broken("a seat nobody gave");
        mock_heal(&s->mock, cell->api, cell->how);
    }
    if (!await_seat(s, CELL_MS))
        return broken("no seat");
    if (!commits(s))
        return broken("the seat is not known to the coordinator");
    return found(mock_clients() > clients ? V_ANEW : V_ONCE);
}

struct finding cell_seat(const struct cell *cell)
{
    struct story s = {0};
    mock_open(&s.mock, "seat");
    s.topic = mock_topic(&s.mock, "things.commands", PARTITIONS);
    struct finding f = take_seat(&s, cell);
    group_close(s.group);
    log_reader_close(s.waker);
    mock_close(&s.mock);
    return f;
}

/* ---- positions from outside (kafka_offsets.h) ----------------------------------------------- */

static bool reads(struct story *s, int64_t wanted, struct err *ret_err)
{
    int64_t offsets[PARTITIONS] = {-5, -5};
    *ret_err = offsets_read(s->mock.log, "positions", s->topic, offsets);
    return ret_err->code != ERR_OK || (offsets[0] == wanted && offsets[1] == wanted);
}

static struct finding write_and_read(struct story *s, const struct cell *cell)
{
    static const int64_t first[] = {POSITION, POSITION}, second[] = {POSITION + 1, POSITION + 1};
    struct err e;
    if (!reads(s, -1, &e) || e.code != ERR_OK)
        return broken("a new group has positions");
    if (offsets_write(s->mock.log, "positions", s->topic, first).code != ERR_OK)
        return broken("cannot write");
    mock_trouble(&s->mock, cell->api, cell->error, cell->how);
    bool writes = cell->api == API_OFFSET_COMMIT;
    if (writes)
        e = offsets_write(s->mock.log, "positions", s->topic, second);
    else if (!reads(s, POSITION, &e))
        return broken("a wrong position");
    struct err during = e;
    mock_heal(&s->mock, cell->api, cell->how);
    int64_t now = POSITION + (writes && during.code == ERR_OK);
    if (!reads(s, now, &e) || e.code != ERR_OK)
        return broken("afterwards: another position, or %s", err_text(e));
    if (during.code == ERR_OK)
        return found(V_ONCE);
    return found(err_class(during) == ERR_CLASS_RETRY ? V_UNTOLD : V_FAILED);
}

struct finding cell_offsets(const struct cell *cell)
{
    struct story s = {0};
    mock_open(&s.mock, "offsets");
    s.topic = mock_topic(&s.mock, "things.log", PARTITIONS);
    struct finding f = write_and_read(&s, cell);
    mock_close(&s.mock);
    return f;
}
