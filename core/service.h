/* A service: its name, its words and who decides for it. */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include "core/aggregate.h"
#include "core/saga.h"

struct service {
    const char *name; /* order: topics order.commands, order.log, order.events */
    const struct vocabulary *commands;
    const struct vocabulary *events;
    const struct aggregate *aggregate; /* or */
    const struct saga *saga;           /* one of the two */
};

static inline size_t service_state_size(const struct service *s)
{
    return s->saga ? s->saga->state_size : s->aggregate->state_size;
}

static inline const struct owned *service_owned(const struct service *s)
{
    return s->saga ? s->saga->owned : s->aggregate->owned;
}

struct service_list {
    const struct service *at; /* sorted by name */
    size_t count;
};

/* NULL when there is none of that name. */
static inline const struct service *service_find(const struct service_list *list, struct text name)
{
    for (size_t i = 0; i < list->count; i++)
        if (text_is(name, list->at[i].name))
            return &list->at[i];
    return NULL;
}

#endif
