/* Plays a scenario on the stage that is linked. */
#ifndef TESTS_SCENARIOS_PLAY_H
#define TESTS_SCENARIOS_PLAY_H

#include "tests/scenarios/scenario.h"

enum { OUTCOME_BYTES = 8192 };

/* What was found, in lines; false: it did not get to its end, and the text says why. suffix: of the
 * topics' names. */
bool play(const struct scenario *scenario, const char *suffix, char outcome[OUTCOME_BYTES]);

#endif
