/* What the order and the inventory service know of products, and of users. */
#ifndef API_CATALOGUE_H
#define API_CATALOGUE_H

#include "core/route.h"

extern const struct catalogue order_catalogue;
extern const struct catalogue inventory_catalogue;
extern const struct catalogue order_customers;

#endif
