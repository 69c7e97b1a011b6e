/* What the kafka_*.c files share; nobody else includes it. */
#ifndef RUNTIME_KAFKA_INTERNAL_H
#define RUNTIME_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "runtime/event_log.h"

enum { FETCH_COMMANDS, FETCH_LOGS, FETCHERS };
enum { TOPICS_MAX = 64, FOLLOWERS_MAX = 64, KAFKA_ERROR_LEN = 256 };

struct tail;

struct log_topic {
    struct log *log;
    char name[TOPIC_LEN_MAX];
    int partitions;
    int fetcher; /* which of the log's; commands do not wait behind a fetch of logs */
    _Atomic(struct tail *) tails[PARTITIONS_MAX]; /* NULL until followed; set once, under log->lock
                                                   */
};

struct log {
    char brokers[KAFKA_ERROR_LEN];
    char instance[KAFKA_ERROR_LEN];
    const char *const *settings;
    pthread_mutex_t lock; /* topics, tails */
    struct log_topic topics[TOPICS_MAX];
    int topics_count;
    rd_kafka_t *client;                 /* metadata and watermarks */
    _Atomic int64_t end_by_ms;          /* see log_end_by; INT64_MAX: not told to end */
    struct fetcher *fetchers[FETCHERS]; /* the threads that keep the rings; NULL until somebody
                                           follows */
};

/* A configuration with the brokers, the house defaults and the user's kafka.* settings. NULL: the
 * reason is printed. */
rd_kafka_conf_t *kafka_conf(const struct log *log);
NODISCARD struct err kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value);
/* Takes the conf over. */
NODISCARD struct err kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf,
                               rd_kafka_t **ret_client);
/* A consumer without group, for legacy per-partition reading. queued_kbytes bounds its buffer per
 * partition; wait_ms is how long the broker holds a fetch that finds nothing: a partition added
 * meanwhile waits as long. */
NODISCARD struct err kafka_reader_client(const struct log *log, const char *queued_kbytes,
                                         const char *wait_ms, rd_kafka_t **ret_client);
/* rd_kafka_flush, but heeds a log_end_by that comes meanwhile. */
NODISCARD rd_kafka_resp_err_t kafka_flush(const struct log *log, rd_kafka_t *client,
                                          int timeout_ms);
struct err kafka_fail(const char *what, rd_kafka_resp_err_t code);

/* The ends of several partitions, by one question. Blocks up to METADATA_TIMEOUT_MS. */
NODISCARD struct err kafka_ends(struct log *log, const struct log_partition *partitions,
                                size_t count, int64_t *ret_ends);

void tails_stop(struct log *log);

/* As it is committed: with its print. */
void kafka_position_set(rd_kafka_topic_partition_t *at, struct position position);
/* The group's consumer, for its metadata; NULL while it has no seat. */
rd_kafka_t *group_client(struct log_group *group);

/* Wakes a reader's log_wait. */
void log_reader_poke(struct log_reader *reader);

#endif
