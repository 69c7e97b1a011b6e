/* order_lines: what was ordered, at the prices of the moment. */
#include "projections/projections.h"
#include "schemas/order.h"

#include <assert.h>

struct line_row {
    struct uuid order_id;
    int32_t line;
    int32_t quantity;
    ROW_TEXT(64) sku;
    ROW_TEXT(3) currency;
    int64_t unit_price; /* minor units */
    struct uuid merchant_id;
};

static const struct column columns[] = {
    KEY_COLUMN(line_row, UUID, order_id), KEY_COLUMN(line_row, INTEGER, line),
    COLUMN(line_row, TEXT, sku),          COLUMN(line_row, INTEGER, quantity),
    COLUMN(line_row, BIGINT, unit_price), COLUMN(line_row, TEXT, currency),
    COLUMN(line_row, UUID, merchant_id),
};

static size_t keys(const struct event *event, void *rows)
{
    struct line_row *row = rows;
    const struct order_event *e = event_as(event, order);
    switch (e->tag) {
    case ORDER_EVENT_PLACED_V1:
        for (uint32_t i = 0; i < e->as.placed_v1.items.count; i++) {
            row[i].order_id = e->as.placed_v1.order_id;
            row[i].line = (int32_t)i;
        }
        return e->as.placed_v1.items.count;
    case ORDER_EVENT_CONFIRMED_V1:
    case ORDER_EVENT_CANCELLATION_REQUESTED_V1:
    case ORDER_EVENT_CANCELLED_V1:
    case ORDER_EVENT_SHIPPED_V1:
    case ORDER_EVENT_DELIVERED_V1:
        return 0;
    }
    return 0;
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct line_row *row = state;
    const struct order_event *e = event_as(event, order);
    assert(e);
    const struct order_line *line = &e->as.placed_v1.items.at[nth];
    row_text_set(&row->sku, line->sku);
    row_text_set(&row->currency, common_currency_text(line->unit_price.currency));
    row->quantity = (int32_t)line->quantity;
    row->unit_price = line->unit_price.amount;
    row->merchant_id = line->merchant_id;
    return ROW_KEEP;
}

static const char *const sources[] = {"order", NULL};
static const char *const indexes[] = {"merchant_id", NULL};

const struct projection order_lines_projection = {
    .name = "order_lines",
    .service = "order",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct line_row),
    .indexes = indexes,
    .keys = keys,
    .apply = apply,
};
