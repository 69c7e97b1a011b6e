/* Shelves in memory, one for each machine: what was ever kept there may come back, broken or from
 * another machine, as from a backup. */
#ifndef TESTS_SIM_SHELF_H
#define TESTS_SIM_SHELF_H

#include "runtime/shelf.h"

enum { SHELVES = 4 };

void shelves_begin(void);
struct shelf *shelf_of(int machine);

#endif
