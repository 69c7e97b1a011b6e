/* inventory_catalogue: which skus there are, and whose. */
#include "projections/projections.h"
#include "schemas/product.h"

#include <assert.h>

struct catalogue_row {
    ROW_TEXT(64) sku;
    struct uuid merchant_id;
};

static const struct column columns[] = {
    KEY_COLUMN(catalogue_row, TEXT, sku),
    COLUMN(catalogue_row, UUID, merchant_id),
};

static size_t keys(const struct event *event, void *rows)
{
    struct catalogue_row *row = rows;
    const struct product_event *e = event_as(event, product);
    switch (e->tag) {
    case PRODUCT_EVENT_ADDED_V1:
        row_text_set(&row->sku, e->as.added_v1.sku);
        return 1;
    case PRODUCT_EVENT_PRICE_CHANGED_V1:
    case PRODUCT_EVENT_STATUS_CHANGED_V1:
        return 0;
    }
    return 0;
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct catalogue_row *row = state;
    const struct product_event *e = event_as(event, product);
    (void)nth;
    assert(e);
    row->merchant_id = e->as.added_v1.merchant_id;
    return ROW_KEEP;
}

static const char *const sources[] = {"product", NULL};

const struct projection inventory_catalogue_projection = {
    .name = "inventory_catalogue",
    .service = "inventory",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct catalogue_row),
    .keys = keys,
    .apply = apply,
};
