/* The sorted list of read models. */
#include "projections/projections.h"

const struct projection *const projections[] = {
    &fulfilments_projection,
    &timelines_projection,
    &inventory_commands_projection,
    &inventory_catalogue_projection,
    &stock_projection,
    &stock_movements_projection,
    &order_commands_projection,
    &order_addresses_projection,
    &order_catalogue_projection,
    &order_customers_projection,
    &order_lines_projection,
    &orders_projection,
    &payment_commands_projection,
    &payments_projection,
    &availability_projection,
    &product_commands_projection,
    &products_projection,
    &user_commands_projection,
    &users_projection,
};
const size_t projections_count = COUNT(projections);
