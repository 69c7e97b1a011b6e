/* The list of all routes. */
#include "api/routes.h"

#include <assert.h>

struct route_list routes_all(struct route room[ROUTES_MAX])
{
    const struct route_list parts[] = {
        {command_routes, command_routes_count}, {inventory_routes, inventory_routes_count},
        {order_routes, order_routes_count},     {payment_routes, payment_routes_count},
        {product_routes, product_routes_count}, {session_routes, session_routes_count},
        {user_routes, user_routes_count},
    };
    size_t count = 0;
    for (size_t i = 0; i < COUNT(parts); i++)
        for (size_t j = 0; j < parts[i].count; j++) {
            assert(count < ROUTES_MAX);
            room[count++] = parts[i].at[j];
        }
    return (struct route_list){room, count};
}
