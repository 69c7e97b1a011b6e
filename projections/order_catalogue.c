/* order_catalogue: what the order service knows of products: enough to quote a line. */
#include "projections/projections.h"
#include "schemas/product.h"

struct catalogue_row {
    ROW_TEXT(64) sku;
    ROW_TEXT(3) currency;
    ROW_TEXT(16) status;
    struct uuid merchant_id;
    int64_t price; /* minor units */
    int64_t version;
};

static const struct column columns[] = {
    KEY_COLUMN(catalogue_row, TEXT, sku),     COLUMN(catalogue_row, BIGINT, price),
    COLUMN(catalogue_row, TEXT, currency),    COLUMN(catalogue_row, TEXT, status),
    COLUMN(catalogue_row, UUID, merchant_id), COLUMN(catalogue_row, BIGINT, version),
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
        row_text_set(&row->sku, e->as.price_changed_v1.sku);
        return 1;
    case PRODUCT_EVENT_STATUS_CHANGED_V1:
        row_text_set(&row->sku, e->as.status_changed_v1.sku);
        return 1;
    }
    return 0;
}

static void set_price(struct catalogue_row *row, struct common_money price)
{
    row->price = price.amount;
    row_text_set(&row->currency, common_currency_text(price.currency));
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct catalogue_row *row = state;
    const struct product_event *e = event_as(event, product);
    (void)nth;
    if (event->version != row->version + 1)
        return ROW_GAP;
    row->version = event->version;
    switch (e->tag) {
    case PRODUCT_EVENT_ADDED_V1:
        row->merchant_id = e->as.added_v1.merchant_id;
        set_price(row, e->as.added_v1.price);
        row_text_set(&row->status, product_status_text(PRODUCT_STATUS_ACTIVE));
        break;
    case PRODUCT_EVENT_PRICE_CHANGED_V1:
        set_price(row, e->as.price_changed_v1.price);
        break;
    case PRODUCT_EVENT_STATUS_CHANGED_V1:
        row_text_set(&row->status, product_status_text(e->as.status_changed_v1.status));
        break;
    }
    return ROW_KEEP;
}

static const char *const sources[] = {"product", NULL};

const struct projection order_catalogue_projection = {
    .name = "order_catalogue",
    .service = "order",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct catalogue_row),
    .keys = keys,
    .apply = apply,
};
