/* Asserted limits: what must not take longer once nothing goes wrong any more. A bug that only
 * makes things late fails here. */
#ifndef TESTS_SIM_LIMITS_H
#define TESTS_SIM_LIMITS_H

#include "tests/sim/history.h"

enum {
    HEAL_GRACE_MS = 45000,     /* until pauses, sessions and back-offs of before are over */
    HEAL_ANSWER_MS = 1500,     /* a request made after that */
    HEAL_DEADLINE_MS = 240000, /* until everything is terminal */
};

/* Virtual time when faults ended; INT64_MAX before. */
void limits_begin(void);
void limits_heal(void);
void limit_answer(const struct request *request);
/* Its read model has not reached it in time. */
void limit_read(const struct request *request);
/* Has healing had its time? */
bool limits_are_strict(void);

#endif
