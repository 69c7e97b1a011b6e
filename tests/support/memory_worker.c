/* Producers report at once, groups have one member. */
#include "tests/support/memory_worker.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/clock.h"
#include "runtime/cursor.h"

enum { REPORTS = 256, OWNED_MAX = 64, ARENA_BYTES = 1 << 20, FACTS_MAX = 64, NAP_NS = 5000000 };

const char *log_instance(const struct log *log)
{
    (void)log;
    return "test";
}

/* ---- appending ------------------------------------------------------------------------------ */

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
    assert(*ret_producer);
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
    assert(producer->count < REPORTS);
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

/* ---- the group ------------------------------------------------------------------------------ */

struct log_group {
    struct log_partition owned[OWNED_MAX];
    size_t count;
    int told;
};

static atomic_int events; /* to be told to the member */
static struct {
    atomic_int_least64_t offset;
    atomic_uint_least64_t print;
} committed[PARTITIONS_MAX];

void memory_group_place(int partition, struct position position)
{
    atomic_store(&committed[partition].print, position.print);
    atomic_store(&committed[partition].offset, position.offset);
}

void memory_group_begin(void)
{
    atomic_store(&events, 1);
    for (int p = 0; p < PARTITIONS_MAX; p++)
        memory_group_place(p, (struct position){0, PRINT_NONE});
}

void memory_group_tell(int more)
{
    atomic_fetch_add(&events, more);
}

struct position memory_group_position(int partition)
{
    return (struct position){atomic_load(&committed[partition].offset),
                             atomic_load(&committed[partition].print)};
}

struct err group_open(struct log *log, const char *name, struct log_topic *const *topics,
                      size_t count, struct log_reader *waker, struct log_group **ret_group)
{
    (void)log, (void)name, (void)waker;
    struct log_group *g = calloc(1, sizeof *g);
    assert(g);
    for (size_t i = 0; i < count; i++)
        for (int p = 0; p < log_topic_partitions(topics[i]); p++) {
            assert(g->count < OWNED_MAX);
            g->owned[g->count++] = (struct log_partition){topics[i], p};
        }
    *ret_group = g;
    return OK;
}

void group_close(struct log_group *group)
{
    free(group);
}

enum group_event group_poll(struct log_group *group, const struct log_partition **ret_owned,
                            size_t *ret_count)
{
    if (group->told == atomic_load(&events))
        return GROUP_NOTHING;
    bool assigned = ++group->told % 2 == 1;
    *ret_owned = group->owned;
    *ret_count = assigned ? group->count : 0;
    return assigned ? GROUP_ASSIGNED : GROUP_REVOKED;
}

struct err group_committed(struct log_group *group, struct log_partition which,
                           struct position *ret_position)
{
    (void)group;
    *ret_position = memory_group_position(which.partition);
    return OK;
}

struct err group_commit(struct log_group *group, struct log_partition which,
                        struct position position)
{
    (void)group;
    memory_group_place(which.partition, position);
    return OK;
}

/* ---- as an owner would ---------------------------------------------------------------------- */

int64_t memory_announce(struct log_topic *log, int partition)
{
    _Alignas(16) char memory[512];
    struct arena arena = {memory, 0, sizeof memory};
    struct takeover t = {.mark = {.kind = RECORD_TAKEOVER, .epoch = -1},
                         .nonce = random_uuid(),
                         .instance = TEXT("test")};
    return memory_log_append(log, partition, TEXT(""), takeover_encode(&t, &arena));
}

static bool is_of(const struct fact *fact, const char *source)
{
    return source && text_is(fact->decision.input.topic, source);
}

/* Reads from the start as far as it can, and counts. The last one's bytes go to `last`, which may
 * be NULL. */
static size_t look(struct log *kafka, struct log_topic *log, int partition, const char *source,
                   struct cursor *ret_cursor, struct fact *last)
{
    static _Alignas(16) char memory[ARENA_BYTES];
    static struct fact facts[FACTS_MAX];
    struct log_reader *reader;
    size_t n = 0, count = 0;
    int64_t at = -1;
    struct err e = log_reader_open(kafka, &reader);
    assert(e.code == ERR_OK);
    e = cursor_resume(ret_cursor, reader, log, partition, (struct position){0});
    assert(e.code == ERR_OK);
    while (ret_cursor->next > at) {
        struct arena arena = {memory, 0, sizeof memory};
        at = ret_cursor->next;
        if (cursor_read(ret_cursor, reader, &arena, facts, FACTS_MAX, &n).code != ERR_OK)
            break;
        for (size_t i = 0; i < n; i++)
            if (is_of(&facts[i], source)) {
                count++;
                if (last)
                    *last = facts[i];
            }
    }
    log_reader_close(reader);
    return count;
}

struct text memory_next_decision(struct log *kafka, struct log_topic *log, int partition,
                                 struct decision *d, struct arena *arena)
{
    struct cursor cursor;
    look(kafka, log, partition, NULL, &cursor, NULL);
    d->mark = (struct mark){.kind = RECORD_DECISION,
                            .epoch = cursor.judge.epoch,
                            .number = cursor.judge.number + 1,
                            .commands_next = d->mark.commands_next > cursor.commands_next
                                                 ? d->mark.commands_next
                                                 : cursor.commands_next,
                            .follows = cursor.judge.last};
    struct text record = decision_encode(d, arena);
    assert(record.at);
    return record;
}

int64_t memory_decide(struct log *kafka, struct log_topic *log, int partition, struct decision *d)
{
    _Alignas(16) char memory[8192];
    struct arena arena = {memory, 0, sizeof memory};
    struct text record = memory_next_decision(kafka, log, partition, d, &arena);
    return memory_log_append(log, partition, d->target, record);
}

size_t memory_decided(struct log *kafka, struct log_topic *log, int partition, const char *source)
{
    struct cursor cursor;
    return look(kafka, log, partition, source, &cursor, NULL);
}

size_t memory_decided_last(struct log *kafka, struct log_topic *log, int partition,
                           const char *source, struct arena *arena, struct decision *ret_last)
{
    struct cursor cursor;
    struct fact last;
    struct log_record record;
    struct log_reader *reader;
    size_t n, count = look(kafka, log, partition, source, &cursor, &last);
    if (count == 0)
        return 0;
    struct err e = log_reader_open(kafka, &reader);
    assert(e.code == ERR_OK);
    e = log_read(reader, log, partition, last.offset, arena, &record, 1, &n);
    assert(e.code == ERR_OK && n == 1);
    e = decision_decode(record.value, arena, ret_last);
    assert(e.code == ERR_OK);
    log_reader_close(reader);
    return count;
}

void memory_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}
