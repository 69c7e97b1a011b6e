/* Asserted limits: what must not take longer once nothing goes wrong any more. A bug that only
 * makes things late fails here. */
#ifndef TESTS_SIM_LIMITS_H
#define TESTS_SIM_LIMITS_H

#include "tests/sim/history.h"

enum {
    HEAL_GRACE_MS = 45000,     /* until pauses, sessions and back-offs of before are over */
    HEAL_ANSWER_MS = 1500,     /* a request made after that */
    HEAL_DEADLINE_MS = 240000, /* until everything is terminal */
    QUIET_ANSWER_MS = 300,     /* a request in a world where nothing goes wrong or has gone wrong */
    BEGIN_MS = 500,            /* there, until a new world answers */
    RESTART_MS = 500,          /* until all that a killed owner had answers: from its new start */
    TAKEOVER_MARGIN_MS = 500,  /* or, when it stays dead, from the end of its session */
};

/* Virtual time when faults ended; INT64_MAX before. */
void limits_begin(void);
void limits_heal(void);
/* What went wrong before is felt no more: no grace, and answers come sooner. */
void limits_quiet(void);
/* An owner is missing, and may be for so long: until then a request may be without an answer. */
void limits_miss(int64_t us);
void limit_answer(const struct request *request);
/* Its read model has not reached it in time. */
void limit_read(const struct request *request);

#endif
