/* A log in memory: no threads of its own, one lock. */
#include "tests/support/memory_log.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TOPICS_MAX = 16 };

struct record {
    struct text key, value;
};

struct part {
    struct record *records;
    int64_t first, end, room;
};

struct log_topic {
    struct log *log;
    char name[TOPIC_LEN_MAX + 1];
    int partitions;
    struct part parts[PARTITIONS_MAX];
};

struct log {
    pthread_mutex_t lock;
    pthread_cond_t news;
    uint64_t count; /* of appends and wakes */
    struct log_topic topics[TOPICS_MAX];
    size_t topics_count;
};

struct log_reader {
    struct log *log;
    uint64_t seen;
};

struct log *memory_log_create(void)
{
    struct log *log = calloc(1, sizeof *log);
    assert(log);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->news, NULL);
    return log;
}

static struct text copy(struct text text)
{
    char *at = malloc(text.len + 1);
    assert(at);
    memcpy(at, text.at, text.len);
    return (struct text){at, text.len};
}

static void forget(const struct record *record)
{
    free((char *)(uintptr_t)record->key.at);
    free((char *)(uintptr_t)record->value.at);
}

void memory_log_destroy(struct log *log)
{
    for (size_t t = 0; t < log->topics_count; t++)
        for (int p = 0; p < log->topics[t].partitions; p++) {
            struct part *part = &log->topics[t].parts[p];
            for (int64_t i = 0; i < part->end; i++)
                forget(&part->records[i]);
            free(part->records);
        }
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->news);
    free(log);
}

struct log_topic *memory_log_topic(struct log *log, const char *name, int partitions)
{
    assert(log->topics_count < TOPICS_MAX && partitions <= PARTITIONS_MAX);
    struct log_topic *topic = &log->topics[log->topics_count++];
    *topic = (struct log_topic){.log = log, .partitions = partitions};
    snprintf(topic->name, sizeof topic->name, "%s", name);
    return topic;
}

static void tell(struct log *log)
{
    log->count++;
    pthread_cond_broadcast(&log->news);
}

int64_t memory_log_append(struct log_topic *topic, int partition, struct text key,
                          struct text value)
{
    struct part *part = &topic->parts[partition];
    pthread_mutex_lock(&topic->log->lock);
    if (part->end == part->room) {
        part->room = part->room ? part->room * 2 : 64;
        part->records = realloc(part->records, (size_t)part->room * sizeof *part->records);
        assert(part->records);
    }
    int64_t offset = part->end++;
    part->records[offset] = (struct record){copy(key), copy(value)};
    tell(topic->log);
    pthread_mutex_unlock(&topic->log->lock);
    return offset;
}

void memory_log_forget(struct log_topic *topic, int partition, int64_t first)
{
    pthread_mutex_lock(&topic->log->lock);
    topic->parts[partition].first = first;
    tell(topic->log);
    pthread_mutex_unlock(&topic->log->lock);
}

void memory_log_cut(struct log_topic *topic, int partition, int64_t end)
{
    struct part *part = &topic->parts[partition];
    while (part->end > end)
        forget(&part->records[--part->end]);
}

/* ---- event_log.h ---- */

struct err log_topic(struct log *log, const char *name, struct log_topic **ret_topic)
{
    for (size_t i = 0; i < log->topics_count; i++)
        if (strcmp(log->topics[i].name, name) == 0) {
            *ret_topic = &log->topics[i];
            return OK;
        }
    return FAIL(ERR_NOT_FOUND, "topic");
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
    pthread_mutex_lock(&topic->log->lock);
    if (ret_first)
        *ret_first = topic->parts[partition].first;
    *ret_end = topic->parts[partition].end;
    pthread_mutex_unlock(&topic->log->lock);
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
    struct log_reader *reader = calloc(1, sizeof *reader);
    assert(reader);
    reader->log = log;
    *ret_reader = reader;
    return OK;
}

void log_reader_close(struct log_reader *reader)
{
    free(reader);
}

struct err log_follow_all(struct log_reader *reader, const struct log_partition *partitions,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert(reader->log == partitions[i].topic->log &&
               partitions[i].partition < partitions[i].topic->partitions);
    return OK;
}

struct err log_follow(struct log_reader *reader, struct log_topic *topic, int partition)
{
    return log_follow_all(reader, &(struct log_partition){topic, partition}, 1);
}

int64_t log_seen_end(struct log_reader *reader, struct log_topic *topic, int partition)
{
    assert(reader->log == topic->log);
    pthread_mutex_lock(&topic->log->lock);
    int64_t end = topic->parts[partition].end;
    pthread_mutex_unlock(&topic->log->lock);
    return end;
}

void log_unfollow(struct log_reader *reader, struct log_topic *topic, int partition)
{
    assert(reader->log == topic->log && partition < topic->partitions);
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

struct err log_read(struct log_reader *reader, struct log_topic *topic, int partition, int64_t from,
                    struct arena *arena, struct log_record *records, size_t max, size_t *ret_count)
{
    const struct part *part = &topic->parts[partition];
    size_t count = 0;
    pthread_mutex_lock(&reader->log->lock);
    bool lost = from < part->first;
    for (int64_t i = from; !lost && i < part->end && count < max; i++) {
        size_t used = arena->used;
        struct text key = arena_copy(arena, part->records[i].key),
                    value = arena_copy(arena, part->records[i].value);
        if (!key.at || !value.at) {
            arena->used = used;
            break;
        }
        records[count++] = (struct log_record){.offset = i, .key = key, .value = value};
    }
    pthread_mutex_unlock(&reader->log->lock);
    *ret_count = count;
    return lost ? FAIL(ERR_LOST, "no longer kept") : OK;
}

int log_patience(const struct log *log, int timeout_ms)
{
    (void)log;
    return timeout_ms;
}

void log_wait(struct log_reader *reader, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)timeout_ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&reader->log->lock);
    while (reader->seen == reader->log->count)
        if (pthread_cond_timedwait(&reader->log->news, &reader->log->lock, &until) != 0)
            break;
    reader->seen = reader->log->count;
    pthread_mutex_unlock(&reader->log->lock);
}

void log_wake(struct log_reader *reader)
{
    pthread_mutex_lock(&reader->log->lock);
    tell(reader->log);
    pthread_mutex_unlock(&reader->log->lock);
}
