/* One seed: a safety phase with faults, healing, a liveness phase with a deadline, the checks. */
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include "tests/sim/world.h"

/* world.violation and world.hash say how it went. */
void run_seed(uint64_t seed, int commands);

#endif
