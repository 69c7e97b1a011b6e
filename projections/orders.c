/* orders: one row per order. Two logs write it, each its own columns: order.log what the order is,
 * fulfilment.log how far it has come. So the row does not depend on which of them is read first;
 * until order.placed has been, the view does not show it. */
#include "projections/progress.h"
#include "projections/projections.h"
#include "schemas/order.h"

enum { NOTE_BYTES = 800, CARRIER_BYTES = 400 }; /* 200 and 100 characters of UTF-8 */

struct order_row {
    struct uuid id;
    struct uuid customer_id;
    ROW_TEXT(16) status;
    ROW_TEXT(24) reason;              /* code */
    ROW_TEXT(NOTE_BYTES) reason_note; /* the customer's words */
    ROW_TEXT(3) currency;
    ROW_TEXT(64) payment_method;
    ROW_TEXT(CARRIER_BYTES) carrier;
    ROW_TEXT(CARRIER_BYTES) tracking;
    ROW_TEXT(24) phase;
    int64_t total; /* minor units */
    int64_t placed_at;
    int64_t updated_at; /* by order.log */
    int64_t version;
    int64_t fulfilment_sequence; /* version of the fulfilment */
    struct progress progress;
};

static const struct column columns[] = {
    KEY_COLUMN(order_row, UUID, id),
    COLUMN(order_row, UUID, customer_id),
    COLUMN(order_row, TEXT, status),
    COLUMN(order_row, TEXT, phase),
    COLUMN(order_row, TEXT, reason),
    COLUMN(order_row, TEXT, reason_note),
    COLUMN(order_row, BIGINT, total),
    COLUMN(order_row, TEXT, currency),
    COLUMN(order_row, TEXT, payment_method),
    COLUMN(order_row, TEXT, carrier),
    COLUMN(order_row, TEXT, tracking),
    COLUMN(order_row, TIME, placed_at),
    COLUMN(order_row, TIME, updated_at),
    COLUMN(order_row, BIGINT, version),
    COLUMN(order_row, BIGINT, fulfilment_sequence),
    {.name = "stage",
     .kind = COLUMN_INTEGER,
     .offset = offsetof(struct order_row, progress.stage),
     .size = 4},
    {.name = "needs_attention",
     .kind = COLUMN_BOOLEAN,
     .offset = offsetof(struct order_row, progress.needs_attention),
     .size = 1},
};

static struct uuid order_id(const struct order_event *event)
{
    switch (event->tag) {
    case ORDER_EVENT_PLACED_V1:
        return event->as.placed_v1.order_id;
    case ORDER_EVENT_CONFIRMED_V1:
        return event->as.confirmed_v1.order_id;
    case ORDER_EVENT_CANCELLATION_REQUESTED_V1:
        return event->as.cancellation_requested_v1.order_id;
    case ORDER_EVENT_CANCELLED_V1:
        return event->as.cancelled_v1.order_id;
    case ORDER_EVENT_SHIPPED_V1:
        return event->as.shipped_v1.order_id;
    case ORDER_EVENT_DELIVERED_V1:
        return event->as.delivered_v1.order_id;
    }
    return (struct uuid){{0}};
}

static size_t keys(const struct event *event, void *rows)
{
    struct order_row *row = rows;
    const struct order_event *order = event_as(event, order);
    row->id = order ? order_id(order) : fulfilment_order_id(event_as(event, fulfilment));
    return 1;
}

static void place(struct order_row *row, const struct order_placed_v1 *placed, int64_t at)
{
    row->customer_id = placed->customer_id;
    row->total = placed->total.amount;
    row->placed_at = at;
    row_text_set(&row->currency, common_currency_text(placed->total.currency));
    row_text_set(&row->payment_method, placed->payment_method);
    row_text_set(&row->status, TEXT("pending"));
}

static void apply_order(struct order_row *row, const struct order_event *e, int64_t at)
{
    switch (e->tag) {
    case ORDER_EVENT_PLACED_V1:
        place(row, &e->as.placed_v1, at);
        break;
    case ORDER_EVENT_CONFIRMED_V1:
        row_text_set(&row->status, TEXT("confirmed"));
        break;
    case ORDER_EVENT_CANCELLATION_REQUESTED_V1:
        row_text_set(&row->status, TEXT("cancelling"));
        row_text_set(&row->reason, TEXT("customer_request"));
        if (e->as.cancellation_requested_v1.has_reason)
            row_text_set(&row->reason_note, e->as.cancellation_requested_v1.reason);
        break;
    case ORDER_EVENT_CANCELLED_V1:
        row_text_set(&row->status, TEXT("cancelled"));
        row_text_set(&row->reason, order_cancel_reason_text(e->as.cancelled_v1.reason));
        break;
    case ORDER_EVENT_SHIPPED_V1:
        row_text_set(&row->status, TEXT("shipped"));
        row_text_set(&row->carrier, e->as.shipped_v1.carrier);
        row_text_set(&row->tracking, e->as.shipped_v1.tracking);
        break;
    case ORDER_EVENT_DELIVERED_V1:
        row_text_set(&row->status, TEXT("delivered"));
        break;
    }
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct order_row *row = state;
    const struct order_event *order = event_as(event, order);
    int64_t *version = order ? &row->version : &row->fulfilment_sequence;
    (void)nth;
    if (event->version != *version + 1)
        return ROW_GAP;
    *version = event->version;
    if (order) {
        row->updated_at = event->decision->at;
        apply_order(row, order, event->decision->at);
    } else {
        row->progress = progress_after(row->progress, event_as(event, fulfilment));
        row_text_set(&row->phase, progress_phase(row->progress));
    }
    return ROW_KEEP;
}

static const char *const sources[] = {"fulfilment", "order", NULL};
static const char *const indexes[] = {"customer_id, placed_at, id", "status, placed_at, id",
                                      "placed_at, id", NULL};

const struct projection orders_projection = {
    .name = "orders",
    .service = "order",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct order_row),
    .indexes = indexes,
    .shown = "version > 0",
    .keys = keys,
    .apply = apply,
};
