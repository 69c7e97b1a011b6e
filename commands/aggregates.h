/* Every aggregate of the shop. app/ lists them by name. */
#ifndef COMMANDS_AGGREGATES_H
#define COMMANDS_AGGREGATES_H

#include "core/aggregate.h"

extern const struct aggregate inventory_aggregate;
extern const struct aggregate order_aggregate;
extern const struct aggregate payment_aggregate;
extern const struct aggregate product_aggregate;
extern const struct aggregate user_aggregate;

#endif
