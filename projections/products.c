/* products: one row per sku. */
#include "projections/projections.h"
#include "schemas/product.h"

enum { NAME_BYTES = 800 }; /* 200 characters of UTF-8 */

struct product_row {
    ROW_TEXT(64) sku;
    ROW_TEXT(NAME_BYTES) name;
    ROW_TEXT(3) currency;
    ROW_TEXT(16) status;
    struct uuid merchant_id;
    int64_t price; /* minor units */
    int64_t added_at;
    int64_t updated_at;
    int64_t version;
};

static const struct column columns[] = {
    KEY_COLUMN(product_row, TEXT, sku),   COLUMN(product_row, TEXT, name),
    COLUMN(product_row, BIGINT, price),   COLUMN(product_row, TEXT, currency),
    COLUMN(product_row, TEXT, status),    COLUMN(product_row, UUID, merchant_id),
    COLUMN(product_row, TIME, added_at),  COLUMN(product_row, TIME, updated_at),
    COLUMN(product_row, BIGINT, version),
};

static size_t keys(const struct event *event, void *rows)
{
    struct product_row *row = rows;
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

static void set_price(struct product_row *row, struct common_money price)
{
    row->price = price.amount;
    row_text_set(&row->currency, common_currency_text(price.currency));
}

static void set_status(struct product_row *row, enum product_status status)
{
    row_text_set(&row->status, product_status_text(status));
}

static void add(struct product_row *row, const struct product_added_v1 *added, int64_t at)
{
    row_text_set(&row->name, added->name);
    row->merchant_id = added->merchant_id;
    row->added_at = at;
    set_price(row, added->price);
    set_status(row, PRODUCT_STATUS_ACTIVE);
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct product_row *row = state;
    const struct product_event *e = event_as(event, product);
    (void)nth;
    if (event->version != row->version + 1)
        return ROW_GAP;
    row->version = event->version;
    row->updated_at = event->decision->at;
    switch (e->tag) {
    case PRODUCT_EVENT_ADDED_V1:
        add(row, &e->as.added_v1, event->decision->at);
        break;
    case PRODUCT_EVENT_PRICE_CHANGED_V1:
        set_price(row, e->as.price_changed_v1.price);
        break;
    case PRODUCT_EVENT_STATUS_CHANGED_V1:
        set_status(row, e->as.status_changed_v1.status);
        break;
    }
    return ROW_KEEP;
}

static const char *const sources[] = {"product", NULL};
static const char *const indexes[] = {"merchant_id, sku", "status, sku", NULL};

const struct projection products_projection = {
    .name = "products",
    .service = "product",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct product_row),
    .indexes = indexes,
    .keys = keys,
    .apply = apply,
};
