/* Keeps the snapshots of all partitions that this process could own: one thread that decides
 * nothing and folds what owners, wherever they are, have written. So a snapshot holds nothing that
 * was not read back as valid, and owners never wait for one. */
#ifndef RUNTIME_SNAPSHOT_WORKER_H
#define RUNTIME_SNAPSHOT_WORKER_H

#include "runtime/shards.h"

enum {
    SNAPSHOT_LOOK_MS = 5000,       /* how often it looks what has grown */
    SNAPSHOT_PAUSE_MAX_MS = 600000 /* after a failure: from one look on, doubling */
};

/* Numbers for /metrics; written by the worker, read by anybody. */
struct snapshot_worker_status {
    _Atomic uint64_t written, failed;
};

struct snapshot_worker_options {
    struct log *log;
    const struct service_list *all;
    const struct service *const *services; /* NULL-terminated */
    struct shelf *shelf;
    int64_t records; /* by which a log must have grown since its snapshot */
    int look_ms;     /* 0: SNAPSHOT_LOOK_MS */
    const atomic_bool *stop;
    struct snapshot_worker_status *status;
};

/* Until *stop. Fails only while it begins: upon trouble outside it can be called again. Blocking: a
 * thread of its own. */
NODISCARD struct err snapshot_worker_run(const struct snapshot_worker_options *options);

#endif
