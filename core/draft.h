/* What deciding leads to, while it is being decided: events, or a refusal, or (for a saga)
 * commands. */
#ifndef CORE_DRAFT_H
#define CORE_DRAFT_H

#include "core/envelope.h"
#include "core/message.h"

struct draft {
    struct arena *arena;             /* the unit's */
    const struct vocabulary *events; /* of the service */
    enum problem problem;            /* PROBLEM_NONE: accepted */
    const char *detail;              /* static or in the arena */
    const char *pointer;             /* JSON pointer into the client's body, or NULL */
    size_t count;
    void *list; /* DECISION_EVENTS_MAX tagged unions */
    size_t commands_count;
    struct command *commands; /* DECISION_COMMANDS_MAX */
};

void draft_init(struct draft *draft, struct arena *arena, const struct vocabulary *events);
/* Room for one more event; more than DECISION_EVENTS_MAX is a bug of the decider. */
void *draft_add(struct draft *draft);
const void *draft_event(const struct draft *draft, size_t i);
/* Says no: drops the events. detail: a sentence for the client. */
void draft_refuse(struct draft *draft, enum problem problem, const char *detail);
/* Sends a message of `vocabulary` to an aggregate of another service. The runtime fills in cause,
 * actor and time. */
void draft_send(struct draft *draft, const char *service, struct text target,
                struct uuid command_id, const struct vocabulary *vocabulary, const void *message);

/* EMIT(draft, order_event, .tag = ORDER_EVENT_CONFIRMED_V1, .as.confirmed_v1 = {...}); */
#define EMIT(draft, event_type, ...) \
    (*(struct event_type *)draft_add(draft) = (struct event_type){__VA_ARGS__})

#endif
