/* The command owners and the saga owners: one thread per role and process over all its services. */
#ifndef RUNTIME_OWNER_WORKER_H
#define RUNTIME_OWNER_WORKER_H

#include "core/mutant.h"
#include "runtime/shards.h"

enum {
    OWNER_BATCH = 256,       /* records decided per partition and round */
    OWNER_IDLE_WAIT_MS = 50, /* the longest sleep: group, timers and retakes are looked at this
                                often */
    OWNER_FEW = 8,           /* inputs in a round that do not make the next one wait */
    OWNER_PACE_US = 125,     /* for each input otherwise: pace.h */
    OWNER_STALL_MS = 5000,   /* a pause longer than this makes timers wait for their inputs again */
    OWNER_POSITION_FACTS = 10000, /* foreign facts read without a decision until positions are
                                     written */
    OWNER_POSITION_MS = 60000,
    OWNER_STOP_MS = 4000, /* to finish what was appended when stopping */
};

/* Numbers for /metrics and /readyz; written by the worker, read by anybody. */
struct owner_worker_status {
    _Atomic uint64_t decisions, refused, replayed, voids, takeovers, depositions, undecodable;
    _Atomic int owned, active, halted; /* partitions */
    atomic_bool seated;                /* the group has answered at least once */
};

struct owner_worker_options {
    const char *group; /* foldlog.commands | foldlog.saga */
    struct log *log;
    const struct service_list *all;        /* every service known, to read foreign decisions */
    const struct service *const *services; /* whose partitions this worker may own; NULL-terminated
                                            */
    struct saga_limits limits;
    struct shelf *shelf;      /* of snapshots; NULL: logs are folded from the beginning */
    uint64_t renew_decisions; /* of an epoch; 0: OWNER_RENEW_DECISIONS */
    int64_t position_ms;      /* 0: OWNER_POSITION_MS */
    const atomic_bool *stop;
    struct owner_worker_status *status;
};

/* Runs until *stop; then finishes what it appended and gives up its seat to itself (KIP-345). Fails
 * only while it begins: upon trouble outside it can be called again. */
NODISCARD struct err owner_worker_run(const struct owner_worker_options *options);

#endif
