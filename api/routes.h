/* Every route, sorted by path. To add one: a row in its file. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "core/route.h"

extern const struct route command_routes[];
extern const size_t command_routes_count;
extern const struct route inventory_routes[];
extern const size_t inventory_routes_count;
extern const struct route order_routes[];
extern const size_t order_routes_count;
extern const struct route payment_routes[];
extern const size_t payment_routes_count;
extern const struct route product_routes[];
extern const size_t product_routes_count;
extern const struct route session_routes[];
extern const size_t session_routes_count;
extern const struct route user_routes[];
extern const size_t user_routes_count;

enum { ROUTES_MAX = 128 };
/* All of the above in the caller's array. */
struct route_list routes_all(struct route room[ROUTES_MAX]);

/* Queries of orders, in a file of their own. */
extern const struct query_route order_item;
extern const struct query_route order_list;
extern const struct query_route order_timeline;

#endif
