/* One thing of the house, folded twice: from the events as they were decided, and from the same
 * events written as JSON and read again. Whatever it is asked, both must say the same. */
#ifndef TESTS_SUPPORT_TWIN_H
#define TESTS_SUPPORT_TWIN_H

#include "core/aggregate.h"
#include "core/saga.h"

struct twin {
    const struct vocabulary *events;
    void (*evolve)(void *state, const void *event);
    const struct owned *owned;
    void *direct;
    void *reread;
    int64_t version;
};

/* What came of asking: the draft of the reread one, its events as JSON, and read again. */
struct told {
    struct draft draft;
    struct payload payloads[DECISION_EVENTS_MAX];
    const void *messages[DECISION_EVENTS_MAX];
};

void twin_init_aggregate(struct twin *twin, const struct aggregate *aggregate);
void twin_init_saga(struct twin *twin, const struct saga *saga);
void twin_finish(struct twin *twin);
/* Folds one event that happened before the story. */
void twin_fold(struct twin *twin, const void *event, struct arena *arena);
/* Asks and folds what it led to; told lives as long as the arena. */
void twin_decide(struct twin *twin, const struct aggregate *aggregate,
                 const struct context *context, const void *command, struct arena *arena,
                 struct told *ret_told);
void twin_react(struct twin *twin, const struct saga *saga, const struct saga_input *input,
                struct arena *arena, struct told *ret_told);

#endif
