/* The logs that a service's read models fold, read together: valid decisions, each decoded once
 * into events. */
#ifndef RUNTIME_FEED_H
#define RUNTIME_FEED_H

#include "core/event.h"
#include "runtime/cursor.h"

enum {
    FEED_BATCH = 500,                   /* decisions per read */
    FEED_BYTES = 12 * 1024 * 1024,      /* their records */
    FEED_BYTES_LEAST = 2 * 1024 * 1024, /* left over, or no further partition is read */
    FEED_SOURCES_MAX = 16,
    FEED_CHUNKS_MAX = 128, /* UNIT_ARENA_BYTES each: what the records decode to */
};

/* Which words a service's log is written in. */
struct vocabulary_of {
    const char *service;
    const struct vocabulary *events;
};
struct vocabulary_list {
    const struct vocabulary_of *at;
    size_t count;
};

struct feed_source {
    const char *service;
    const struct vocabulary *events;
    struct log_topic *topic;
    int partitions;
    bool own; /* an unknown type is an error; in others' logs it is passed over */
    struct cursor cursors[PARTITIONS_MAX];
    bool stopped[PARTITIONS_MAX]; /* not read any more: an item said why, or feed_stop */
};

/* What was read: one valid decision; or, with err set, why this partition cannot be read on. */
struct feed_item {
    const struct feed_source *source;
    int32_t partition;
    int64_t offset;
    uint64_t print;
    int64_t commands_next;
    struct err err;
    size_t events_count;
    const struct event *events; /* [0] is the decision itself (message NULL), then its events */
};

struct feed; /* used by one thread */

/* Follows all partitions of the logs of `services` (NULL-terminated); `own` may be NULL.
 * ERR_NOT_FOUND: no such topic. Each partition must be given a position by feed_resume before the
 * first feed_read. */
NODISCARD struct err feed_open(struct log *log, const char *const *services, const char *own,
                               const struct vocabulary_list *vocabularies, struct feed **ret_feed);
void feed_close(struct feed *feed); /* NULL is fine */
size_t feed_sources_count(const struct feed *feed);
struct feed_source *feed_source(struct feed *feed, size_t i);
/* The source of this topic (order.log); NULL when it is not read. */
struct feed_source *feed_find(struct feed *feed, const char *topic);
NODISCARD struct err feed_resume(struct feed *feed, struct feed_source *source, int partition,
                                 struct position done);
/* This partition is not read any more, until the next feed_resume. */
void feed_stop(struct feed_source *source, int partition);
/* Up to FEED_BATCH decisions, from all partitions in turn; valid until the next feed_read.
 * *ret_moved: some cursor went on, if only over TAKEOVERs and void records. */
NODISCARD struct err feed_read(struct feed *feed, const struct feed_item **ret_items,
                               size_t *ret_count, bool *ret_moved);
void feed_wait(struct feed *feed, int timeout_ms);
void feed_wake(struct feed *feed); /* from any thread */
/* Events of unknown type in others' logs, passed over so far. */
uint64_t feed_skipped(const struct feed *feed);

#endif
