/* Where snapshots lie: bytes under a name. A contract: files in production, memory in the
 * simulator. Nothing depends on what lies there: it may be gone, old or broken. */
#ifndef RUNTIME_SHELF_H
#define RUNTIME_SHELF_H

#include <stdio.h>

#include "core/err.h"
#include "core/limits.h"

enum { SHELF_NAME_MAX = TOPIC_LEN_MAX + 32 };

struct shelf; /* opaque; any thread */

/* Begins to write. What lies there stays until it is kept. ERR_CONFLICT: somebody else is writing
 * it; ERR_UNAVAILABLE: it cannot be written now. */
NODISCARD struct err shelf_write(struct shelf *shelf, const char *name, FILE **ret_stream);
/* Ends it. What was written takes the name if it is `whole` and all of it could be written: at
 * once, or not at all. */
NODISCARD struct err shelf_keep(struct shelf *shelf, const char *name, FILE *stream, bool whole);
/* To be closed with fclose. ERR_NOT_FOUND: nothing lies there; ERR_INVALID: it cannot be read. */
NODISCARD struct err shelf_read(struct shelf *shelf, const char *name, FILE **ret_stream);
/* Nothing lies there any more, if it can be taken away. */
void shelf_remove(struct shelf *shelf, const char *name);

#endif
