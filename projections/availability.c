/* availability: how much of a sku is free to sell, as the product service knows it from
 * inventory.log. */
#include "projections/projections.h"
#include "schemas/inventory.h"

#include <assert.h>

struct availability_row {
    ROW_TEXT(64) sku;
    int64_t on_hand;
    int64_t version; /* of the stock */
};

static const struct column columns[] = {
    KEY_COLUMN(availability_row, TEXT, sku),
    COLUMN(availability_row, BIGINT, on_hand),
    COLUMN(availability_row, BIGINT, version),
};

/* The key of the inventory aggregate is the sku. */
static size_t keys(const struct event *event, void *rows)
{
    row_text_set(&((struct availability_row *)rows)->sku, event->decision->target);
    return 1;
}

static int64_t change(const struct inventory_event *e)
{
    assert(e);
    switch (e->tag) {
    case INVENTORY_EVENT_RECEIVED_V1:
        return e->as.received_v1.quantity;
    case INVENTORY_EVENT_ADJUSTED_V1:
        return e->as.adjusted_v1.quantity_change;
    case INVENTORY_EVENT_RESERVED_V1:
        return -e->as.reserved_v1.quantity;
    case INVENTORY_EVENT_RELEASED_V1:
        return e->as.released_v1.quantity;
    case INVENTORY_EVENT_RESTOCKED_V1:
        return e->as.restocked_v1.quantity;
    case INVENTORY_EVENT_REJECTED_V1:
    case INVENTORY_EVENT_COMMITTED_V1:
        return 0;
    }
    return 0;
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct availability_row *row = state;
    (void)nth;
    if (event->version != row->version + 1)
        return ROW_GAP;
    row->version = event->version;
    row->on_hand += change(event_as(event, inventory));
    return ROW_KEEP;
}

static const char *const sources[] = {"inventory", NULL};

const struct projection availability_projection = {
    .name = "availability",
    .service = "product",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct availability_row),
    .keys = keys,
    .apply = apply,
};
