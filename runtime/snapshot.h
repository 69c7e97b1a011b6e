/* What a shard remembers, written down: so that a takeover folds only what has been decided since.
 * docs/snapshots.md */
#ifndef RUNTIME_SNAPSHOT_H
#define RUNTIME_SNAPSHOT_H

#include "runtime/shard.h"
#include "runtime/shelf.h"

/* Under which name a shard's snapshot lies on its shelf. */
void snapshot_name(const struct shard *shard, char out[SHELF_NAME_MAX]);
/* Writes what the shard has folded; nothing may have been decided on top of it. ERR_CONFLICT:
 * somebody else is writing it; ERR_UNAVAILABLE: not written; ERR_CONFIG: the program does not know
 * itself; ERR_STOPPING. */
NODISCARD struct err snapshot_write(const struct shard *shard);
/* Fills a shard that has nothing yet: states, window of commands, position in the commands and in
 * the sources. Timers are not set. ERR_NOT_FOUND: there is none. ERR_INVALID: it is not of this
 * program, partition or sources, or broken; the shard's memory is then worth nothing.
 * ERR_STOPPING. */
NODISCARD struct err snapshot_read(struct shard *shard, struct position *ret_position);
/* Where it ends, a hint: only its head is read; -1: there is none that could fit. */
int64_t snapshot_begins_at(const struct shard *shard);
void snapshot_remove(const struct shard *shard);

#endif
