/* The databases of the world, one per service. Behind runtime/store.h. */
#ifndef TESTS_SIM_DATABASE_H
#define TESTS_SIM_DATABASE_H

#include "core/projection.h"
#include "tests/sim/world.h"

void database_begin(void);
/* As `foldlog migrate` leaves it: empty live tables of these projections. */
void database_migrate(const struct projection *const *projections, size_t count);
/* The server of one service stops; its standby lacks what was committed last. */
void database_fail_over(void);

/* ---- what clients and the checker see, without a connection ---- */

bool database_has(const struct projection *projection);
/* The row that has the key of `key`, or NULL. */
const void *database_row(const struct projection *projection, const void *key);
size_t database_rows(const struct projection *projection);
void database_each(const struct projection *projection, void (*fn)(void *context, const void *row),
                   void *context);
int64_t database_commands_next(const struct projection *projection, const char *topic,
                               int partition);
int64_t database_next_offset(const struct projection *projection, const char *topic, int partition);
/* Does the catalogue tell of so many rows, with this digest? */
bool database_tally_is(const struct projection *projection, int64_t rows, uint64_t digest);
/* How often this service's database has lost commits. */
int database_losses(const char *service);

#endif
