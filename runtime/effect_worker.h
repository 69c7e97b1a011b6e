/* The worker of one effect: reads the valid decisions of its service's log, makes the calls its
 * events ask for, and sends the results to S.commands. Its position is its group's own: a rebuild
 * never moves it. */
#ifndef RUNTIME_EFFECT_WORKER_H
#define RUNTIME_EFFECT_WORKER_H

#include <stdatomic.h>

#include "core/effect.h"
#include "runtime/event_log.h"

enum {
    EFFECT_JOBS_MAX = 512,       /* read and not finished */
    EFFECT_CALLS_DEFAULT = 32,   /* under way at once */
    EFFECT_CALL_MS = 3000,       /* one call */
    EFFECT_DEADLINE_MS = 600000, /* all calls of a job, in one process; then the result is "unknown"
                                  */
    EFFECT_RETRY_MIN_MS = 200,
    EFFECT_RETRY_MAX_MS = 10000,
    EFFECT_BREAKER_FAILURES = 5,
    EFFECT_BREAKER_MIN_MS = 500,
    EFFECT_BREAKER_MAX_MS = 15000,
    EFFECT_COMMIT_MS = 500, /* between commits of the position */
    EFFECT_DRAIN_MS = 5000, /* for calls under way when told to stop */
    EFFECT_GROUP_MAX = TOPIC_LEN_MAX,
};

/* Settings; 0 means the default above. */
struct effect_limits {
    int calls_max;
    int call_ms;
    int deadline_ms;
    int retry_min_ms;
};

/* Read by any thread. */
struct effect_stats {
    atomic_bool begun;               /* it has found what it needs */
    atomic_uint_fast64_t calls;      /* made */
    atomic_uint_fast64_t unanswered; /* of those */
    atomic_uint_fast64_t results;    /* delivered to S.commands */
    atomic_uint_fast64_t unknown;    /* of those: given up */
    atomic_uint_fast64_t jobs;       /* unfinished now */
    atomic_uint_fast64_t halted;     /* partitions that cannot go on */
    atomic_bool breaker_open;
};

struct effect_options {
    struct log *log;
    const struct effect *effect;
    const char *url; /* http://host:port, without a slash at the end */
    struct effect_limits limits;
    const atomic_bool *stop;
    struct effect_stats *stats; /* may be NULL */
};

void effect_group(const struct effect *effect, char out[EFFECT_GROUP_MAX]);

/* Until *stop; then up to EFFECT_DRAIN_MS for what is under way. Fails only while it begins: upon
 * trouble outside it can be called again. Blocking: a thread of its own. */
NODISCARD struct err effect_worker_run(const struct effect_options *options);

/* For `topics apply`: a group without positions starts after the last valid decision of each
 * partition, which on a new log is 0. Old events are not acted upon. Reads the log. */
NODISCARD struct err effect_offsets_init(struct log *log, const struct effect *effect);

#endif
