/* The contract of a process that reacts to decisions of several services with commands,
 * event-sourced in a log of its own. Pure: the runtime reads the sources, keeps the state, fires
 * the timers, appends. */
#ifndef CORE_SAGA_H
#define CORE_SAGA_H

#include "core/draft.h"
#include "core/event.h"
#include "core/json_write.h"
#include "core/owned.h"

enum saga_input_kind { SAGA_DECISION, SAGA_TIMER, SAGA_COMMAND };

/* Settings of the deployment, recorded in the events they lead to, so that replay never reads them.
 */
struct saga_limits {
    int64_t step;         /* microseconds until a step without answer is given up */
    int64_t compensation; /* microseconds until a compensation without answer needs an operator */
};

struct saga_input {
    enum saga_input_kind kind;
    int64_t at;     /* microseconds: the owner's clock now */
    struct uuid id; /* which instance: the order */
    struct saga_limits limits;
    const struct decision *decision; /* SAGA_DECISION: whose command_id tells which step it answers
                                      */
    const char *service;             /* SAGA_DECISION: whose log it stands in */
    size_t events_count;             /* SAGA_DECISION: may be 0 (refused, or nothing to do) */
    const struct event *events;
    const void *command; /* SAGA_COMMAND: tagged union of saga->commands */
};

struct saga {
    const char *service;               /* fulfilment */
    const char *const *sources;        /* services whose logs it reads; NULL-terminated */
    const struct vocabulary *commands; /* what an operator may ask */
    const struct vocabulary *events;
    size_t state_size; /* bytes; zeroed first */

    /* What does this input lead to? Events of the saga and commands to services; nothing when it is
     * not awaited. */
    void (*react)(const void *state, const struct saga_input *input, struct draft *draft);
    void (*evolve)(void *state, const void *event);
    const struct owned *owned; /* as an aggregate's */
    /* For people: the state's properties, into an object the caller has begun. */
    void (*show)(const void *state, struct json_write *out);

    /* Microseconds at which the timer fires; INT64_MAX: none is set. */
    int64_t (*due)(const void *state);
};

#endif
