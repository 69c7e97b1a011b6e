/* What Foldlog needs from Kafka, and nothing more: append, read, and who owns which partition. No
 * transactions here (the publisher has its own: kafka_transaction.h). Implemented by kafka_log.c,
 * kafka_tail.c, kafka_producer.c and kafka_group.c on librdkafka; the build chooses. No Kafka type
 * leaves those files.
 *
 * Reading: one shared tail per process and topic partition keeps the newest records in a bounded
 * ring; whoever is further behind reads through a private fetch and joins the tail by itself.
 * Offsets in the topics read here are contiguous: no transactions, no compaction. */
#ifndef RUNTIME_EVENT_LOG_H
#define RUNTIME_EVENT_LOG_H

#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/position.h"

enum {
    TAIL_RING_BYTES = 512 * 1024, /* per topic partition */
    TAIL_RING_RECORDS = 4096,     /* per topic partition */
    CATCH_UP_WAIT_MS = 200, /* log_read blocks so long behind the tail; where fetching is slow 1 s,
                               and 1 s more to find out whether the broker is there */
    METADATA_TIMEOUT_MS = 5000,
    APPEND_TIMEOUT_MS = 20000, /* until an append is reported as failed */
    SESSION_TIMEOUT_MS = 6000,
    HEARTBEAT_MS = 500,
};

struct log;       /* one per process; thread-safe */
struct log_topic; /* interned: lives as long as its log, may be compared by address */

struct log_options {
    const char *brokers;               /* host:port[,...] */
    const char *instance;              /* this process's name: static membership */
    const char *const *kafka_settings; /* pairs name, value passed through to librdkafka;
                                          NULL-terminated or NULL */
};

NODISCARD struct err log_open(const struct log_options *options, struct log **ret_log);
void log_close(struct log *log); /* NULL is fine; readers, producers and groups are closed before */
/* For a process that must end: nobody waits for a broker beyond `until_ms` (monotonic), whatever
 * his own limit; who is under way then fails as if that had been reached. Any thread; at most once.
 */
void log_end_by(struct log *log, int64_t until_ms);
/* How long to wait for a broker: so long, or what log_end_by leaves of it; 1 at least. */
int log_patience(const struct log *log, int timeout_ms);
const char *log_instance(const struct log *log);

/* ERR_NOT_FOUND when the topic does not exist; blocks up to METADATA_TIMEOUT_MS. */
NODISCARD struct err log_topic(struct log *log, const char *name, struct log_topic **ret_topic);
const char *log_topic_name(const struct log_topic *topic);
int log_topic_partitions(const struct log_topic *topic);
/* First offset kept (NULL: a question less) and the offset after the last record, as of now; asks
 * the broker. Blocks up to METADATA_TIMEOUT_MS. */
NODISCARD struct err log_ends(struct log_topic *topic, int partition, int64_t *ret_first,
                              int64_t *ret_end);
/* The same, but gives up after timeout_ms. */
NODISCARD struct err log_ends_within(struct log_topic *topic, int partition, int timeout_ms,
                                     int64_t *ret_first, int64_t *ret_end);

/* ---- reading: one reader per thread ---- */

struct log_reader;
struct log_partition {
    struct log_topic *topic;
    int partition;
};
struct log_record {
    int64_t offset;
    struct text key, value; /* in the arena given to log_read */
};

NODISCARD struct err log_reader_open(struct log *log, struct log_reader **ret_reader);
void log_reader_close(struct log_reader *reader);
/* From now on news in this partition wake log_wait; starts the shared tail of the partition when
 * nobody had it. Again: whoever was cut off begins anew. */
NODISCARD struct err log_follow(struct log_reader *reader, struct log_topic *topic, int partition);
/* The same for several of one log: the broker is asked once for all that nobody had. */
NODISCARD struct err log_follow_all(struct log_reader *reader,
                                    const struct log_partition *partitions, size_t count);
void log_unfollow(struct log_reader *reader, struct log_topic *topic, int partition);
/* How far a followed partition is known to reach. Asks nobody: its end may lie further on, or
 * before that when the partition was cut back and nobody has met it yet. */
int64_t log_seen_end(struct log_reader *reader, struct log_topic *topic, int partition);
/* Up to `max` records from offset `from` on, copied into the arena, as many as fit. *ret_count 0:
 * there is none yet (or none arrived within CATCH_UP_WAIT_MS). The partition must be followed.
 * ERR_LOST when `from` is no longer kept, or when the partition was cut back below it since it was
 * followed (records that had not reached a disk, an unclean leader). Blocks only while behind the
 * tail. */
NODISCARD struct err log_read(struct log_reader *reader, struct log_topic *topic, int partition,
                              int64_t from, struct arena *arena, struct log_record *records,
                              size_t max, size_t *ret_count);
/* The record at `offset` as the broker has it now: what shared tails keep may lie there no more.
 * Blocks; errors as log_read. */
NODISCARD struct err log_read_again(struct log_reader *reader, struct log_topic *topic,
                                    int partition, int64_t offset, struct arena *arena,
                                    struct log_record *ret_record, size_t *ret_count);
/* What the shared tail keeps of this partition is not to be believed: it is read again. */
void log_forget(struct log_topic *topic, int partition);
/* A hint that log_read will begin at `from`, far behind the tail: who begins in many partitions
 * says so of all of them first, and does not wait for each alone. The partition must be followed.
 * again: log_read_again will, at whatever offset. */
void log_prefetch(struct log_reader *reader, struct log_topic *topic, int partition, int64_t from,
                  bool again);
/* Blocks until there are news since the last log_wait returned, or timeout. */
void log_wait(struct log_reader *reader, int timeout_ms);
/* Wakes the reader's log_wait; from any thread. */
void log_wake(struct log_reader *reader);

/* ---- appending: one producer per worker, used by one thread ---- */

struct log_producer;
/* Called from producer_poll, on the caller's thread, once per append. offset -1 when it failed. */
typedef void (*producer_report)(void *context, uint64_t tag, int64_t offset, struct err err);

/* waker: this reader's log_wait is woken when reports are there to be polled; may be NULL. */
NODISCARD struct err producer_open(struct log *log, producer_report reported, void *context,
                                   struct log_reader *waker, struct log_producer **ret_producer);
void producer_close(struct log_producer *producer); /* drops what was not sent */
/* Copies key and value. Does not block: ERR_FULL when the bounded queue is full (poll, then again).
 */
NODISCARD struct err producer_append(struct log_producer *producer, struct log_topic *topic,
                                     int partition, struct text key, struct text value,
                                     uint64_t tag);
/* Runs reports; waits up to timeout_ms for the first. Returns how many ran. */
int producer_poll(struct log_producer *producer, int timeout_ms);
/* Until nothing is under way, or timeout: ERR_TIMEOUT. */
NODISCARD struct err producer_flush(struct log_producer *producer, int timeout_ms);

/* ---- who owns what: a consumer group, for liveness only; it never fetches ---- */

struct log_group;
enum group_event { GROUP_NOTHING, GROUP_ASSIGNED, GROUP_REVOKED };

/* Static membership under the process's instance name; eager range assignment. A topic's partitions
 * of equal number go to one member. waker as above: woken when the assignment changes. */
NODISCARD struct err group_open(struct log *log, const char *name, struct log_topic *const *topics,
                                size_t count, struct log_reader *waker,
                                struct log_group **ret_group);
/* Keeps the seat (KIP-345): the same instance name gets its partitions back within the session
 * timeout. */
void group_close(struct log_group *group);
/* Never blocks; call at least every few seconds. ASSIGNED: the complete new assignment, in group
 * memory until the next call. REVOKED: nothing is owned any more. */
enum group_event group_poll(struct log_group *group, const struct log_partition **ret_owned,
                            size_t *ret_count);
/* The committed position (stable); offset -1 when there is none. */
NODISCARD struct err group_committed(struct log_group *group, struct log_partition which,
                                     struct position *ret_position);
/* Commits without waiting. What the broker refuses shows as a lost assignment when the seat is
 * lost, and else not at all: it comes with the next position. */
NODISCARD struct err group_commit(struct log_group *group, struct log_partition which,
                                  struct position position);

#endif
