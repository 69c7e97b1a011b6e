/* The last phase, in a world where nothing goes wrong any more: every partition is asked; then, if
 * it kills, an owner of each kind dies, and every partition is asked again. */
#ifndef TESTS_SIM_PROBE_H
#define TESTS_SIM_PROBE_H

#include "tests/sim/world.h"

void probe_begin(bool kills);
bool probe_done(void);

#endif
