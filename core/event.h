/* An event as sagas, projections and effects see it: decoded, with the decision it stands in. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/envelope.h"
#include "core/message.h"

struct event {
    const char *service;                 /* order: whose log */
    const struct vocabulary *vocabulary; /* &order_events */
    const void *message; /* const struct order_event *; NULL: the decision itself (no event) */
    struct uuid id;
    int64_t version; /* of the aggregate after this event */
    const struct decision *decision;
    int32_t partition;
    int32_t index; /* in the decision */
    int64_t offset;
};

/* event_as(e, order): the tagged union, or NULL when the event is of another service. */
#define event_as(e, service_name)                                                    \
    ((const struct service_name##_event *)((e)->vocabulary == &service_name##_events \
                                               ? (e)->message                        \
                                               : NULL))

#endif
