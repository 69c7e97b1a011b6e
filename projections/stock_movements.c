/* stock_movements: one row per thing that happened to a sku's stock, numbered by the version it led
 * to. */
#include "projections/projections.h"
#include "schemas/inventory.h"

#include <assert.h>

struct movement_row {
    ROW_TEXT(64) sku;
    int64_t version;
    ROW_TEXT(24) kind;    /* received */
    int64_t quantity;     /* as the event has it; of an adjustment with its sign */
    struct uuid order_id; /* nil: of no order */
    ROW_TEXT(800) reason;
    int64_t happened_at;
};

static const struct column columns[] = {
    KEY_COLUMN(movement_row, TEXT, sku),     KEY_COLUMN(movement_row, BIGINT, version),
    COLUMN(movement_row, TEXT, kind),        COLUMN(movement_row, BIGINT, quantity),
    COLUMN(movement_row, UUID, order_id),    COLUMN(movement_row, TEXT, reason),
    COLUMN(movement_row, TIME, happened_at),
};

/* What the events have in common. */
struct movement {
    const char *kind;
    struct text sku;
    int64_t quantity;
    struct uuid order_id;
    struct text reason;
};

static struct movement movement_of(const struct inventory_event *e)
{
    assert(e);
    switch (e->tag) {
    case INVENTORY_EVENT_RECEIVED_V1:
        return (struct movement){"received", e->as.received_v1.sku, e->as.received_v1.quantity,
                                 .reason = TEXT("")};
    case INVENTORY_EVENT_ADJUSTED_V1:
        return (struct movement){"adjusted", e->as.adjusted_v1.sku,
                                 e->as.adjusted_v1.quantity_change,
                                 .reason = e->as.adjusted_v1.reason};
    case INVENTORY_EVENT_RESERVED_V1:
        return (struct movement){"reserved", e->as.reserved_v1.sku, e->as.reserved_v1.quantity,
                                 e->as.reserved_v1.order_id, TEXT("")};
    case INVENTORY_EVENT_REJECTED_V1:
        return (struct movement){"rejected", e->as.rejected_v1.sku, e->as.rejected_v1.quantity,
                                 e->as.rejected_v1.order_id, TEXT("")};
    case INVENTORY_EVENT_RELEASED_V1:
        return (struct movement){"released", e->as.released_v1.sku, e->as.released_v1.quantity,
                                 e->as.released_v1.order_id, TEXT("")};
    case INVENTORY_EVENT_COMMITTED_V1:
        return (struct movement){"committed", e->as.committed_v1.sku, e->as.committed_v1.quantity,
                                 e->as.committed_v1.order_id, TEXT("")};
    case INVENTORY_EVENT_RESTOCKED_V1:
        return (struct movement){"restocked", e->as.restocked_v1.sku, e->as.restocked_v1.quantity,
                                 e->as.restocked_v1.order_id, TEXT("")};
    }
    return (struct movement){0};
}

static size_t keys(const struct event *event, void *rows)
{
    struct movement_row *row = rows;
    struct movement movement = movement_of(event_as(event, inventory));
    row_text_set(&row->sku, movement.sku);
    row->version = event->version;
    return 1;
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct movement_row *row = state;
    struct movement movement = movement_of(event_as(event, inventory));
    (void)nth;
    row_text_set(&row->kind, text_of(movement.kind));
    row_text_set(&row->reason, movement.reason);
    row->quantity = movement.quantity;
    row->order_id = movement.order_id;
    row->happened_at = event->decision->at;
    return ROW_KEEP;
}

static const char *const sources[] = {"inventory", NULL};

const struct projection stock_movements_projection = {
    .name = "stock_movements",
    .service = "inventory",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct movement_row),
    .keys = keys,
    .apply = apply,
};
