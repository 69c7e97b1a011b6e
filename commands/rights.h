/* Who may do what: the same few questions of every decider. What is somebody else's is "not found",
 * so that nobody learns of it. */
#ifndef COMMANDS_RIGHTS_H
#define COMMANDS_RIGHTS_H

#include "core/aggregate.h"

/* Administrators, and the parts of the house itself. */
static inline bool may_everything(const struct context *context)
{
    return (context->actor.roles & (ROLE_ADMIN | ROLE_SYSTEM)) != 0;
}

static inline bool may_as_customer(const struct context *context, struct uuid customer_id)
{
    return may_everything(context) || uuid_equal(context->actor.id, customer_id);
}

static inline bool may_as_merchant(const struct context *context, struct uuid merchant_id)
{
    return may_everything(context) ||
           ((context->actor.roles & ROLE_MERCHANT) && uuid_equal(context->actor.id, merchant_id));
}

/* Commands that only the saga and the effects send. */
static inline bool may_as_system(const struct context *context)
{
    return (context->actor.roles & ROLE_SYSTEM) != 0;
}

#endif
