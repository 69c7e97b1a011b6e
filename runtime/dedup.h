/* Which commands a partition has already decided: a window of the latest final decisions of clients
 * and effects. Rebuilt by the same fold as the state, so that every owner judges alike. */
#ifndef RUNTIME_DEDUP_H
#define RUNTIME_DEDUP_H

#include "core/envelope.h"

enum { DEDUP_ENTRIES_MAX = 250000 };
#define DEDUP_WINDOW_US ((int64_t)24 * 3600 * 1000000)

struct dedup_entry {
    struct uuid command_id;
    uint64_t fingerprint;
    int64_t offset; /* of the first decision; -1 until it was read back */
    int64_t at;     /* microseconds, the decision's time */
};

struct dedup; /* opaque; single thread */

struct dedup *dedup_create(void);
void dedup_destroy(struct dedup *dedup);
/* Forgets what is older than the window at `at`, then finds; NULL when not there. Valid until the
 * next call. */
const struct dedup_entry *dedup_find(struct dedup *dedup, struct uuid command_id, int64_t at);
/* A command id that is already there keeps its first entry. */
void dedup_add(struct dedup *dedup, const struct dedup_entry *entry);
/* The decision has been read back as valid at `offset`. */
void dedup_settle(struct dedup *dedup, struct uuid command_id, int64_t offset);
size_t dedup_count(const struct dedup *dedup);
/* Into a window that is being filled from a snapshot, in its order: nothing is forgotten. False:
 * there is no room. */
bool dedup_restore(struct dedup *dedup, const struct dedup_entry *entry);
/* The i-th of them, the oldest first. */
const struct dedup_entry *dedup_entry(const struct dedup *dedup, size_t i);

#endif
