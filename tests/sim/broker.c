/* Topics in memory. What was appended lies there for ever, in one order, and readers see it soon or
 * a little later. */
#include "tests/sim/broker.h"

#include <assert.h>
#include <stdio.h>

static struct log_topic *topics[SIM_TOPICS_MAX];
static int topics_count;
static struct log_reader *readers;
static int64_t landed_at;
static bool away; /* a script's doing */

void broker_begin(void)
{
    topics_count = 0;
    readers = NULL;
    landed_at = 0;
    away = false;
    producers_begin();
    groups_begin();
}

struct log_topic *broker_topic_add(const char *name, int partitions)
{
    assert(topics_count < SIM_TOPICS_MAX && partitions <= SIM_PARTITIONS_MAX);
    struct log_topic *topic = world_alloc(sizeof *topic);
    snprintf(topic->name, sizeof topic->name, "%s", name);
    topic->index = topics_count;
    topic->partitions = partitions;
    topics[topics_count++] = topic;
    return topic;
}

static struct log_topic *find(const char *name)
{
    for (int i = 0; i < topics_count; i++)
        if (strcmp(topics[i]->name, name) == 0)
            return topics[i];
    return NULL;
}

struct log_topic *broker_topic(const char *service, const char *suffix)
{
    char name[TOPIC_LEN_MAX];
    snprintf(name, sizeof name, "%s.%s", service, suffix);
    struct log_topic *topic = find(name);
    assert(topic);
    return topic;
}

struct log *broker_log(struct proc *proc, const char *instance)
{
    struct log *log = world_alloc(sizeof *log);
    log->proc = proc;
    log->incarnation = proc->incarnation;
    snprintf(log->instance, sizeof log->instance, "%s", instance);
    return log;
}

bool log_alive(const struct log *log)
{
    return log->proc->state != PROC_DEAD && log->proc->state != PROC_DONE &&
           log->proc->incarnation == log->incarnation;
}

/* ---- records -------------------------------------------------------------------------------- */

static uint64_t sum_of(struct text bytes)
{
    uint64_t sum = bytes.len, word = 0;
    for (size_t i = 0; i < bytes.len; i += sizeof word) {
        size_t n = bytes.len - i < sizeof word ? bytes.len - i : sizeof word;
        word = 0;
        memcpy(&word, bytes.at + i, n);
        sum = (sum ^ word) * 0x9fb21c651e98df25u;
        sum ^= sum >> 32;
    }
    return sum;
}

static void *grown(const void *list, int64_t count, int64_t room, size_t size)
{
    void *copy = world_alloc((size_t)room * size);
    if (count)
        memcpy(copy, list, (size_t)count * size);
    return copy;
}

static void grow(struct part *part)
{
    int64_t room = part->room ? 2 * part->room : 64;
    part->records = grown(part->records, part->end, room, sizeof *part->records);
    part->landed = grown(part->landed, part->end, room, sizeof *part->landed);
    part->by = grown(part->by, part->end, room, sizeof(const struct log_producer *));
    part->room = room;
}

int64_t broker_land(struct log_topic *topic, int partition, struct text key, struct text value)
{
    struct part *part = &topic->parts[partition];
    if (part->end == part->room)
        grow(part);
    part->records[part->end] = (struct log_record){part->end, key, value};
    part->by[part->end] = NULL;
    landed_at = part->landed[part->end] = world.now;
    trace((uint64_t)topic->index << 32 | (uint64_t)partition, sum_of(value));
    for (struct log_reader *r = readers; r; r = r->next)
        if (r->follows[topic->index] & 1u << partition)
            reader_poke(r);
    return part->end++;
}

const struct log_record *broker_record(const struct log_topic *topic, int partition, int64_t offset)
{
    const struct part *part = &topic->parts[partition];
    assert(offset >= 0 && offset < part->end);
    return &part->records[offset];
}

int64_t broker_quiet_us(void)
{
    return broker_flying() ? 0 : world.now - landed_at;
}

void broker_go(void)
{
    away = true;
}

void broker_come(void)
{
    away = false;
}

bool broker_away(void)
{
    return away;
}

void broker_cut(struct log_topic *topic, int partition, int64_t records)
{
    struct part *part = &topic->parts[partition];
    assert(records <= part->end - part->first);
    part->end -= records;
    producers_cut(topic, partition, part->end, part->end + records);
}

void broker_gone(struct proc *proc)
{
    for (struct log_reader **at = &readers; *at;) {
        if ((*at)->log->proc == proc)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
    producers_gone(proc);
    groups_gone(proc);
}

void broker_paused(struct proc *proc)
{
    groups_paused(proc);
}

/* ---- the contract --------------------------------------------------------------------------- */

const char *log_instance(const struct log *log)
{
    return log->instance;
}

int log_patience(const struct log *log, int timeout_ms)
{
    (void)log;
    return timeout_ms;
}

static bool broker_is_away(void)
{
    if (away) {
        world_sleep(500 * MS);
        return true;
    }
    if (!world.current || !fault(world.swarm.broker_error))
        return false;
    SOMETIMES(broker_unavailable);
    world_sleep((int64_t)chance_under(2 * SECOND));
    return true;
}

struct err log_topic(struct log *log, const char *name, struct log_topic **ret_topic)
{
    (void)log;
    world_point();
    if (broker_is_away())
        return FAIL(ERR_UNAVAILABLE, "metadata");
    struct log_topic *topic = find(name);
    if (!topic)
        return FAIL(ERR_NOT_FOUND, "topic");
    *ret_topic = topic;
    return OK;
}

const char *log_topic_name(const struct log_topic *topic)
{
    return topic->name;
}

int log_topic_partitions(const struct log_topic *topic)
{
    return topic->partitions;
}

struct err log_ends(struct log_topic *topic, int partition, int64_t *ret_first, int64_t *ret_end)
{
    world_point();
    if (broker_is_away())
        return FAIL(ERR_UNAVAILABLE, "ends of a partition");
    if (ret_first)
        *ret_first = topic->parts[partition].first;
    *ret_end = topic->parts[partition].end;
    world_point();
    return OK;
}

struct err log_ends_within(struct log_topic *topic, int partition, int timeout_ms,
                           int64_t *ret_first, int64_t *ret_end)
{
    (void)timeout_ms;
    return log_ends(topic, partition, ret_first, ret_end);
}

struct err log_reader_open(struct log *log, struct log_reader **ret_reader)
{
    world_point();
    struct log_reader *reader = world_alloc(sizeof *reader);
    reader->log = log;
    reader->next = readers;
    readers = reader;
    *ret_reader = reader;
    return OK;
}

void log_reader_close(struct log_reader *reader)
{
    if (!reader)
        return;
    reader->closed = true;
    for (struct log_reader **at = &readers; *at; at = &(*at)->next)
        if (*at == reader) {
            *at = reader->next;
            return;
        }
}

struct err log_follow_all(struct log_reader *reader, const struct log_partition *partitions,
                          size_t count)
{
    bool asked = false;
    for (size_t i = 0; i < count; i++) {
        struct log_topic *topic = partitions[i].topic;
        int p = partitions[i].partition;
        int64_t *seen = &reader->seen_end[topic->index][p];
        if (!(reader->follows[topic->index] & 1u << p)) {
            if (broker_is_away())
                return FAIL(ERR_UNAVAILABLE, "ends of a partition");
            asked = true;
            *seen = topic->parts[p].end;
        }
    }
    if (asked)
        world_point();
    for (size_t i = 0; i < count; i++)
        reader->follows[partitions[i].topic->index] |= 1u << partitions[i].partition;
    return OK;
}

struct err log_follow(struct log_reader *reader, struct log_topic *topic, int partition)
{
    return log_follow_all(reader, &(struct log_partition){topic, partition}, 1);
}

/* As it was when the reader began to follow: too low, or too high where it was cut back since. */
int64_t log_seen_end(struct log_reader *reader, struct log_topic *topic, int partition)
{
    assert(reader->follows[topic->index] & 1u << partition);
    return reader->seen_end[topic->index][partition];
}

void log_unfollow(struct log_reader *reader, struct log_topic *topic, int partition)
{
    reader->follows[topic->index] &= ~(1u << partition);
}

struct err log_read_again(struct log_reader *reader, struct log_topic *topic, int partition,
                          int64_t offset, struct arena *arena, struct log_record *ret_record,
                          size_t *ret_count)
{
    return log_read(reader, topic, partition, offset, arena, ret_record, 1, ret_count);
}

void log_forget(struct log_topic *topic, int partition)
{
    (void)topic, (void)partition;
}

void log_prefetch(struct log_reader *reader, struct log_topic *topic, int partition, int64_t from,
                  bool again)
{
    (void)reader, (void)topic, (void)partition, (void)from, (void)again;
}

static bool held(const struct log_reader *reader)
{
    return away || reader->log->proc->held & WIRE_FETCH;
}

/* As many as there are, as are wanted and as fit into the arena. */
static size_t copy_records(const struct part *part, int64_t from, struct arena *arena,
                           struct log_record *records, size_t max)
{
    size_t n = 0;
    for (int64_t at = from; at < part->end && n < max; at++) {
        struct text key = arena_copy(arena, part->records[at].key);
        struct text value = arena_copy(arena, part->records[at].value);
        if (!value.at)
            break;
        records[n++] = (struct log_record){at, key, value};
    }
    return n;
}

struct err log_read(struct log_reader *reader, struct log_topic *topic, int partition, int64_t from,
                    struct arena *arena, struct log_record *records, size_t max, size_t *ret_count)
{
    struct part *part = &topic->parts[partition];
    *ret_count = 0;
    assert(reader->follows[topic->index] & 1u << partition);
    if (held(reader)) {
        if (from < part->end && world.current) /* who must catch up waits */
            world_sleep(MS);
        return OK;
    }
    if (from > part->end) /* whoever asks later, when it has grown again, is not told */
        return FAIL(ERR_LOST, "the partition was cut back");
    if (from < part->first)
        return FAIL(ERR_LOST, "records are no longer kept");
    if (from >= part->end)
        return OK;
    world_point();
    if (world.current && fault(world.swarm.read_lag)) {
        SOMETIMES(read_lagged);
        world_sleep((int64_t)chance_under(CATCH_UP_WAIT_MS * MS));
        reader->news = true;
        return OK;
    }
    if (world.current && max > 1 && chance_one_in(4))
        max = 1 + chance_under(max < 8 ? max : 8);
    *ret_count = copy_records(part, from, arena, records, max);
    return OK;
}

void reader_poke(struct log_reader *reader)
{
    if (!reader || reader->closed || !log_alive(reader->log))
        return;
    reader->news = true;
    if (reader->waiting)
        world_wake(reader->log->proc);
}

void log_wait(struct log_reader *reader, int timeout_ms)
{
    world_point();
    if (!world.current)
        return;
    int64_t until = world.now + (int64_t)timeout_ms * MS;
    reader->waiting = true;
    while (!reader->news && world.now < until)
        world_wait(until - world.now);
    reader->waiting = false;
    reader->news = false;
}

void log_wake(struct log_reader *reader)
{
    reader_poke(reader);
}
