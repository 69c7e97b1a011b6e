/* The contract between commands/, which implements it purely, and runtime/, which keeps the state,
 * calls decide, appends what it led to and folds it. */
#ifndef CORE_AGGREGATE_H
#define CORE_AGGREGATE_H

#include "core/draft.h"
#include "core/json_write.h"
#include "core/owned.h"

/* What decide may know beside the state and the command. */
struct context {
    int64_t at;      /* microseconds: the decision's time, and of its events */
    int64_t version; /* of the aggregate: number of its events so far; 0: it does not exist */
    struct uuid command_id;
    struct uuid saga;
    struct actor actor;
    struct text target; /* aggregate id */
};

struct aggregate {
    const char *service;               /* order */
    const struct vocabulary *commands; /* &order_commands */
    const struct vocabulary *events;   /* &order_events */
    size_t state_size;                 /* bytes; the runtime owns the state and zeroes it first */

    /* Given what happened so far, what does this command lead to? Events, nothing, or a refusal.
     * Looks at nothing but its arguments. */
    void (*decide)(const void *state, const struct context *context, const void *command,
                   struct draft *draft);

    /* Given this event, what is true now? Cannot fail: events are facts. Keeps no text of the
     * event. */
    void (*evolve)(void *state, const void *event);

    /* What evolve allocated, a table that ends with OWNED_END; NULL when there is nothing. All else
     * of a state lies in its own bytes. */
    const struct owned *owned;

    /* For people: the state's properties, into an object the caller has begun. */
    void (*show)(const void *state, struct json_write *out);
};

#endif
