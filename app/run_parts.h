/* What one process runs: its workers, each on a thread of its own, and the numbers they show. */
#ifndef APP_RUN_PARTS_H
#define APP_RUN_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/api.h"
#include "runtime/effect_worker.h"
#include "runtime/owner_worker.h"
#include "runtime/projection_worker.h"
#include "runtime/publisher.h"
#include "runtime/snapshot_worker.h"

enum { PARTS_MAX = 32 };

enum part_kind {
    PART_OWNERS,
    PART_PROJECTIONS,
    PART_EFFECTS,
    PART_PUBLISHER,
    PART_KEEPER,
    PART_SNAPSHOTS
};

/* One worker. The member of its kind is written by its thread and read by any. */
struct part {
    enum part_kind kind;
    const char *role;
    const char *service; /* NULL: of all */
    struct err (*run)(struct part *part);
    pthread_t thread;
    struct err result;
    atomic_bool ended;
    struct owner_worker_status owners;
    struct publisher_stats published;
    struct projection_worker_status projected;
    struct effect_stats effected;
    struct snapshot_worker_status snapshots;
    atomic_bool kept; /* the keeper follows its log */
};

struct part_list {
    struct part at[PARTS_MAX];
    size_t count;
    struct api *api; /* NULL: this process does not answer HTTP */
};

/* A takeover under way is not ready; a partition that is halted is, or the others would stop too.
 */
static inline bool owners_have_all(const struct owner_worker_status *s)
{
    return atomic_load(&s->seated) &&
           atomic_load(&s->active) + atomic_load(&s->halted) >= atomic_load(&s->owned);
}

/* The admin port over these parts, which must outlive it. */
struct http_admin;
NODISCARD struct err admin_start(const struct part_list *parts, struct http_admin **ret_admin);

#endif
