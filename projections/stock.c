/* stock: one row per sku. on_hand is free to sell: on_hand + reserved + committed = received +
 * adjusted. */
#include "projections/projections.h"
#include "schemas/inventory.h"

#include <assert.h>

struct stock_row {
    ROW_TEXT(64) sku;
    int64_t on_hand;
    int64_t reserved;
    int64_t committed;
    int64_t received;
    int64_t adjusted;
    int64_t version;
    int64_t updated_at;
};

static const struct column columns[] = {
    KEY_COLUMN(stock_row, TEXT, sku),    COLUMN(stock_row, BIGINT, on_hand),
    COLUMN(stock_row, BIGINT, reserved), COLUMN(stock_row, BIGINT, committed),
    COLUMN(stock_row, BIGINT, received), COLUMN(stock_row, BIGINT, adjusted),
    COLUMN(stock_row, BIGINT, version),  COLUMN(stock_row, TIME, updated_at),
};

static struct text sku(const struct inventory_event *event)
{
    assert(event);
    switch (event->tag) {
    case INVENTORY_EVENT_RECEIVED_V1:
        return event->as.received_v1.sku;
    case INVENTORY_EVENT_ADJUSTED_V1:
        return event->as.adjusted_v1.sku;
    case INVENTORY_EVENT_RESERVED_V1:
        return event->as.reserved_v1.sku;
    case INVENTORY_EVENT_REJECTED_V1:
        return event->as.rejected_v1.sku;
    case INVENTORY_EVENT_RELEASED_V1:
        return event->as.released_v1.sku;
    case INVENTORY_EVENT_COMMITTED_V1:
        return event->as.committed_v1.sku;
    case INVENTORY_EVENT_RESTOCKED_V1:
        return event->as.restocked_v1.sku;
    }
    return TEXT("");
}

static size_t keys(const struct event *event, void *rows)
{
    row_text_set(&((struct stock_row *)rows)->sku, sku(event_as(event, inventory)));
    return 1;
}

static void move(int64_t *from, int64_t *to, int64_t quantity)
{
    *from -= quantity;
    *to += quantity;
}

static void change(struct stock_row *row, const struct inventory_event *e)
{
    assert(e);
    switch (e->tag) {
    case INVENTORY_EVENT_RECEIVED_V1:
        row->received += e->as.received_v1.quantity;
        row->on_hand += e->as.received_v1.quantity;
        break;
    case INVENTORY_EVENT_ADJUSTED_V1:
        row->adjusted += e->as.adjusted_v1.quantity_change;
        row->on_hand += e->as.adjusted_v1.quantity_change;
        break;
    case INVENTORY_EVENT_RESERVED_V1:
        move(&row->on_hand, &row->reserved, e->as.reserved_v1.quantity);
        break;
    case INVENTORY_EVENT_REJECTED_V1:
        break;
    case INVENTORY_EVENT_RELEASED_V1:
        move(&row->reserved, &row->on_hand, e->as.released_v1.quantity);
        break;
    case INVENTORY_EVENT_COMMITTED_V1:
        move(&row->reserved, &row->committed, e->as.committed_v1.quantity);
        break;
    case INVENTORY_EVENT_RESTOCKED_V1:
        move(&row->committed, &row->on_hand, e->as.restocked_v1.quantity);
        break;
    }
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct stock_row *row = state;
    (void)nth;
    if (event->version != row->version + 1)
        return ROW_GAP;
    row->version = event->version;
    row->updated_at = event->decision->at;
    change(row, event_as(event, inventory));
    return ROW_KEEP;
}

static const char *const sources[] = {"inventory", NULL};
static const char *const indexes[] = {"on_hand, sku", NULL};

const struct projection stock_projection = {
    .name = "stock",
    .service = "inventory",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct stock_row),
    .indexes = indexes,
    .keys = keys,
    .apply = apply,
};
