/* The publisher of one service: reads the valid decisions of S.log and writes each event, once, as
 * a CloudEvent to S.events, partition p to p, in transactions together with its position. Of
 * several processes one is active. */
#ifndef RUNTIME_PUBLISHER_H
#define RUNTIME_PUBLISHER_H

#include <stdatomic.h>

#include "runtime/event_log.h"

enum {
    PUBLISHER_BATCH_MS = 100,      /* of events per transaction ... */
    PUBLISHER_BATCH_EVENTS = 5000, /* ... or so many */
    PUBLISHER_QUIET_MS = 10000,    /* decisions without events move the position this often */
    PUBLISHER_RETRY_MIN_MS = 50,
    PUBLISHER_RETRY_MAX_MS = 5000,
    PUBLISHER_INIT_MS = 10000, /* patience of publisher_offsets_init with a Kafka in motion */
};

/* Read by any thread. */
struct publisher_stats {
    atomic_bool begun; /* it has found what it needs */
    atomic_bool active;
    atomic_uint_fast64_t events; /* committed by this process */
    atomic_uint_fast64_t transactions;
    atomic_uint_fast64_t restarts;                /* of the producer, after trouble */
    atomic_uint_fast64_t halted;                  /* partitions that cannot go on */
    atomic_int_fast64_t position[PARTITIONS_MAX]; /* committed; -1: not known */
};

struct publisher_options {
    struct log *log;
    const char *service;
    const atomic_bool *stop;
    struct publisher_stats *stats; /* may be NULL */
};

/* The group, and transactional id, of a service's publisher. */
enum { PUBLISHER_GROUP_MAX = TOPIC_LEN_MAX };
void publisher_group(const char *service, char out[PUBLISHER_GROUP_MAX]);

/* Until *stop; then what has been put is committed. Fails only while it begins: upon trouble
 * outside it can be called again, not upon a missing topic or unequal partition counts. Blocking: a
 * thread of its own. */
NODISCARD struct err publisher_run(const struct publisher_options *options);

/* For `topics apply`: a group without positions gets 0 everywhere if nothing has ever been
 * published. ERR_LOST if events exist but not the position that belongs to them; never guesses.
 * Nothing to do: OK. */
NODISCARD struct err publisher_offsets_init(struct log *log, const char *service);

#endif
