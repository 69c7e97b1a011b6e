/* The read models. Columns are what query routes may select; every name is the view's and the
 * column's.
 *
 *   products, order_catalogue, inventory_catalogue   sku -> ... as of product.log
 *   availability                                     sku -> free to sell, as of inventory.log; in
 *                                                    product's database
 *   users                                            one row per life of a user; sealed values
 *   order_customers                                  who may order, as of user.log
 *   order_addresses                                  where an order goes, sealed
 *   orders, order_lines                              order.log; phase from fulfilment.log
 *   payments, stock, fulfilments                     one row per aggregate
 *   stock_movements                                  one row per event of a sku
 *   commands                                         what became of each client's command, in its
 * service's database timelines                                        all that happened to an
 * order, in foldlog_fulfilment */
#ifndef PROJECTIONS_PROJECTIONS_H
#define PROJECTIONS_PROJECTIONS_H

#include "core/projection.h"

extern const struct projection availability_projection;
extern const struct projection fulfilments_projection;
extern const struct projection inventory_catalogue_projection;
extern const struct projection inventory_commands_projection;
extern const struct projection order_addresses_projection;
extern const struct projection order_catalogue_projection;
extern const struct projection order_commands_projection;
extern const struct projection order_customers_projection;
extern const struct projection order_lines_projection;
extern const struct projection orders_projection;
extern const struct projection payment_commands_projection;
extern const struct projection payments_projection;
extern const struct projection product_commands_projection;
extern const struct projection products_projection;
extern const struct projection stock_movements_projection;
extern const struct projection stock_projection;
extern const struct projection timelines_projection;
extern const struct projection user_commands_projection;
extern const struct projection users_projection;

/* All of them, by service, then name. */
extern const struct projection *const projections[];
extern const size_t projections_count;

#endif
