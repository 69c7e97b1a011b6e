/* order_addresses: where an order goes, sealed for its customer. Apart from orders, so that their
 * rows stay small. */
#include "projections/projections.h"
#include "schemas/order.h"

struct address_row {
    struct uuid order_id;
    struct uuid customer_id; /* whose key opens it */
    ROW_TEXT(ROW_TEXT_MAX) address;
};

static const struct column columns[] = {
    KEY_COLUMN(address_row, UUID, order_id),
    COLUMN(address_row, UUID, customer_id),
    COLUMN(address_row, TEXT, address),
};

static size_t keys(const struct event *event, void *rows)
{
    const struct order_event *e = event_as(event, order);
    if (e->tag != ORDER_EVENT_PLACED_V1)
        return 0;
    ((struct address_row *)rows)->order_id = e->as.placed_v1.order_id;
    return 1;
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct address_row *row = state;
    const struct order_event *e = event_as(event, order);
    (void)nth;
    row->customer_id = e->as.placed_v1.customer_id;
    row_text_set(&row->address, e->as.placed_v1.shipping_address);
    return ROW_KEEP;
}

static const char *const sources[] = {"order", NULL};
static const char *const indexes[] = {"customer_id", NULL};

const struct projection order_addresses_projection = {
    .name = "order_addresses",
    .service = "order",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct address_row),
    .indexes = indexes,
    .keys = keys,
    .apply = apply,
};
