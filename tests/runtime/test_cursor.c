/* How a cursor reads a log that has been taken over many times. */
#include <stdlib.h>

#include "core/envelope.h"
#include "runtime/cursor.h"
#include "tests/runtime/run_suite.h"
#include "tests/support/memory_log.h"
#include "tests/support/wrapped_log.h"

enum { TAKEOVERS = 300, READS_MAX = 20, ARENA_BYTES = 1 << 20, FACTS_MAX = 64 };

static int reads;

struct err __wrap_log_read(struct log_reader *reader, struct log_topic *topic, int partition,
                           int64_t from, struct arena *arena, struct log_record *records,
                           size_t max, size_t *ret_count)
{
    reads++;
    return __real_log_read(reader, topic, partition, from, arena, records, max, ret_count);
}

static struct log *kafka;
static struct log_topic *topic;
static struct log_reader *reader;
static struct cursor cursor;
static struct arena arena;

static struct uuid nonce_of(int i)
{
    char name[24];
    snprintf(name, sizeof name, "nonce %d", i);
    return uuid_derive((struct uuid){{0}}, text_of(name));
}

static void set_up(void)
{
    struct err e;
    arena = (struct arena){malloc(ARENA_BYTES), 0, ARENA_BYTES};
    kafka = memory_log_create();
    topic = memory_log_topic(kafka, "order.log", 1);
    for (int i = 0; i < TAKEOVERS; i++) {
        struct takeover t = {.mark = {.kind = RECORD_TAKEOVER, .epoch = -1},
                             .nonce = nonce_of(i),
                             .instance = TEXT("a")};
        arena.used = 0;
        memory_log_append(topic, 0, TEXT(""), takeover_encode(&t, &arena));
    }
    e = log_reader_open(kafka, &reader);
    ck_assert_int_eq(e.code, ERR_OK);
    e = cursor_resume(&cursor, reader, topic, 0, (struct position){0});
    ck_assert_int_eq(e.code, ERR_OK);
    reads = 0;
}

static void tear_down(void)
{
    log_reader_close(reader);
    memory_log_destroy(kafka);
    free(arena.base);
}

static void read_batch(void)
{
    struct fact facts[FACTS_MAX];
    size_t n;
    arena.used = 0;
    struct err e = cursor_read(&cursor, reader, &arena, facts, FACTS_MAX, &n);
    ck_assert_int_eq(e.code, ERR_OK);
    ck_assert_uint_eq(n, 0);
}

/* On a broker, a read that goes on before where the last one ended is a request of its own: a
 * restart took longer with each restart before it. */
START_TEST(takeovers_do_not_end_a_batch)
{
    while (cursor.next < TAKEOVERS)
        read_batch();
    ck_assert_int_le(reads, READS_MAX);
    ck_assert(uuid_equal(cursor.nonce, nonce_of(TAKEOVERS - 1)));
    ck_assert_int_eq(cursor.judge.epoch, TAKEOVERS - 1);
}
END_TEST

/* Whoever waits for its own TAKEOVER must not read past it, into that of another. */
START_TEST(the_awaited_one_does)
{
    cursor.awaited = nonce_of(7);
    for (int64_t at = -1; at < cursor.next && !uuid_equal(cursor.nonce, cursor.awaited);) {
        at = cursor.next;
        read_batch();
    }
    ck_assert_int_eq(cursor.next, 8);
    ck_assert_int_eq(cursor.judge.epoch, 7);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {takeovers_do_not_end_a_batch, the_awaited_one_does};
    return run_suite_with("cursor", tests, COUNT(tests), set_up, tear_down);
}
