/* The checker: what must be true of the log, the answers, the ledger and the read models. Its folds
 * are written apart from those of the product. */
#ifndef TESTS_SIM_CHECK_H
#define TESTS_SIM_CHECK_H

#include "tests/sim/world.h"

void check_begin(void);
/* Everything that was begun has ended, and everybody has read everything. */
bool check_is_settled(void);
/* Retention: deletes commands that have been decided. */
void check_retain(void);
/* Retention far too short: commands that nobody has decided are gone. */
void check_lose(void);
/* An owner says that it cannot go on. */
void check_told_of_halt(const char *topic, int partition);
/* An owner says that another has announced itself. */
void check_was_deposed(const char *topic, int partition);
/* An owner says that it has taken over (it says nothing about a renewal). */
void check_took_office(const char *topic, int partition, int64_t epoch);
/* Has it said so of this TAKEOVER? */
bool check_is_office(const char *topic, int partition, int64_t epoch);
/* At the end of a seed. */
void check_all(void);
/* At the end of a seed that has lost commands: what can still be true. */
void check_after_loss(void);

#endif
