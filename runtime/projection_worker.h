/* Folds a service's read models: one worker per service holds the lease in the service's database,
 * all others stand by. Blocks until it is told to stop; run it on a thread of its own. */
#ifndef RUNTIME_PROJECTION_WORKER_H
#define RUNTIME_PROJECTION_WORKER_H

#include <stdatomic.h>

#include "runtime/feed.h"

enum {
    PROJECTION_LEASE_MS = 6000,
    PROJECTION_RENEW_MS = 1500,  /* without anything to fold; also when a swap is noticed at the
                                    latest */
    PROJECTION_STANDBY_MS = 500, /* between two looks at somebody else's lease */
    PROJECTION_PACE_MS = 5,      /* between two units: under load they become larger, not more */
    PROJECTION_WAIT_MS = 250,    /* the longest until a stop is noticed */
    PROJECTION_BACKOFF_FIRST_MS = 100,
    PROJECTION_BACKOFF_MAX_MS = 5000,
    PROJECTION_CACHE_BYTES = 1024 * 1024, /* of rows kept between batches, per read model */
    SERVICE_MODELS_MAX = 16,
};

/* Read from any thread. */
struct projection_worker_status {
    atomic_bool seated; /* has been told at least once whether it leads */
    atomic_bool leader;
    atomic_int running; /* read models that are being folded */
    atomic_int halted;
    atomic_llong decisions, batches, skipped;
    atomic_bool caught_up; /* has been at the end of all its logs since it leads */
};

struct projection_worker_options {
    const char *service;
    struct log *log;
    const char *conninfo;                        /* of the service's database */
    const char *instance;                        /* for people */
    const struct projection *const *projections; /* of all services: its own are taken */
    size_t projections_count;
    const struct vocabulary_list *vocabularies;
    const atomic_bool *stop;
    size_t cache_bytes;                      /* 0: PROJECTION_CACHE_BYTES */
    struct projection_worker_status *status; /* or NULL */
    /* Called after a commit that moved read models of the service past news in this partition; or
     * NULL. */
    void (*progress)(void *context, const char *service, const char *topic, int partition);
    /* Called when a batch has been sent and is not committed: where tests let it die; or NULL. */
    void (*before_commit)(void *context);
    void *context;
};

/* OK when stopped. Otherwise only what makes no sense to try again: wrong configuration, no memory.
 */
NODISCARD struct err projection_worker_run(const struct projection_worker_options *options);

#endif
