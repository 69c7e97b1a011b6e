/* payments: one row per payment. */
#include "projections/projections.h"
#include "schemas/payment.h"

#include <assert.h>

enum { REFERENCE_BYTES = 400, REASON_BYTES = 800 }; /* 100 and 200 characters of UTF-8 */

struct payment_row {
    struct uuid payment_id;
    struct uuid order_id;
    struct uuid customer_id;
    ROW_TEXT(24) status;
    ROW_TEXT(3) currency;
    ROW_TEXT(64) payment_method;
    ROW_TEXT(REFERENCE_BYTES) provider_reference;
    ROW_TEXT(REASON_BYTES) reason; /* of the last thing that went wrong */
    int64_t amount;                /* minor units, as the two below */
    int64_t captured_amount;
    int64_t refunded_amount;
    int64_t requested_at;
    int64_t updated_at;
    int64_t version;
};

static const struct column columns[] = {
    KEY_COLUMN(payment_row, UUID, payment_id),
    COLUMN(payment_row, UUID, order_id),
    COLUMN(payment_row, UUID, customer_id),
    COLUMN(payment_row, TEXT, status),
    COLUMN(payment_row, BIGINT, amount),
    COLUMN(payment_row, TEXT, currency),
    COLUMN(payment_row, TEXT, payment_method),
    COLUMN(payment_row, TEXT, provider_reference),
    COLUMN(payment_row, TEXT, reason),
    COLUMN(payment_row, BIGINT, captured_amount),
    COLUMN(payment_row, BIGINT, refunded_amount),
    COLUMN(payment_row, TIME, requested_at),
    COLUMN(payment_row, TIME, updated_at),
    COLUMN(payment_row, BIGINT, version),
};

static struct uuid payment_id(const struct payment_event *event)
{
    assert(event);
    switch (event->tag) {
    case PAYMENT_EVENT_REQUESTED_V1:
        return event->as.requested_v1.payment_id;
    case PAYMENT_EVENT_AUTHORIZED_V1:
        return event->as.authorized_v1.payment_id;
    case PAYMENT_EVENT_DECLINED_V1:
        return event->as.declined_v1.payment_id;
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
        return event->as.capture_requested_v1.payment_id;
    case PAYMENT_EVENT_CAPTURED_V1:
        return event->as.captured_v1.payment_id;
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
        return event->as.capture_failed_v1.payment_id;
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
        return event->as.release_requested_v1.payment_id;
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
        return event->as.void_requested_v1.payment_id;
    case PAYMENT_EVENT_VOIDED_V1:
        return event->as.voided_v1.payment_id;
    case PAYMENT_EVENT_REFUND_REQUESTED_V1:
        return event->as.refund_requested_v1.payment_id;
    case PAYMENT_EVENT_REFUNDED_V1:
        return event->as.refunded_v1.payment_id;
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
        return event->as.release_failed_v1.payment_id;
    case PAYMENT_EVENT_UNKNOWN_V1:
        return event->as.unknown_v1.payment_id;
    }
    return (struct uuid){{0}};
}

static size_t keys(const struct event *event, void *rows)
{
    ((struct payment_row *)rows)->payment_id = payment_id(event_as(event, payment));
    return 1;
}

static void request(struct payment_row *row, const struct payment_requested_v1 *requested,
                    int64_t at)
{
    row->order_id = requested->order_id;
    row->customer_id = requested->customer_id;
    row->amount = requested->amount.amount;
    row->requested_at = at;
    row_text_set(&row->currency, common_currency_text(requested->amount.currency));
    row_text_set(&row->payment_method, requested->payment_method);
    row_text_set(&row->status, TEXT("requested"));
}

static void fail(struct payment_row *row, struct text status, struct text reason)
{
    row_text_set(&row->status, status);
    row_text_set(&row->reason, reason);
}

/* What is given back had been taken, also when the capture's answer never came. */
static void refund(struct payment_row *row, int64_t amount)
{
    row->refunded_amount += amount;
    if (row->captured_amount < row->refunded_amount)
        row->captured_amount = row->refunded_amount;
    row_text_set(&row->status, row->refunded_amount < row->captured_amount
                                   ? TEXT("partially_refunded")
                                   : TEXT("refunded"));
}

static void change(struct payment_row *row, const struct payment_event *e, int64_t at)
{
    assert(e);
    switch (e->tag) {
    case PAYMENT_EVENT_REQUESTED_V1:
        request(row, &e->as.requested_v1, at);
        break;
    case PAYMENT_EVENT_AUTHORIZED_V1:
        row_text_set(&row->status, TEXT("authorized"));
        row_text_set(&row->provider_reference, e->as.authorized_v1.provider_reference);
        break;
    case PAYMENT_EVENT_DECLINED_V1:
        fail(row, TEXT("declined"), e->as.declined_v1.reason);
        break;
    case PAYMENT_EVENT_CAPTURED_V1:
        row_text_set(&row->status, TEXT("captured"));
        row->captured_amount += e->as.captured_v1.amount.amount;
        break;
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
        fail(row, TEXT("capture_failed"), e->as.capture_failed_v1.reason);
        break;
    case PAYMENT_EVENT_VOIDED_V1:
        row_text_set(&row->status, TEXT("voided"));
        break;
    case PAYMENT_EVENT_REFUNDED_V1:
        refund(row, e->as.refunded_v1.amount.amount);
        break;
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
        row_text_set(&row->reason, e->as.release_failed_v1.reason);
        break;
    case PAYMENT_EVENT_UNKNOWN_V1:
        fail(row, TEXT("unknown"), e->as.unknown_v1.reason);
        break;
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
    case PAYMENT_EVENT_REFUND_REQUESTED_V1:
        break; /* asked for, not done */
    }
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct payment_row *row = state;
    (void)nth;
    if (event->version != row->version + 1)
        return ROW_GAP;
    row->version = event->version;
    row->updated_at = event->decision->at;
    change(row, event_as(event, payment), event->decision->at);
    return ROW_KEEP;
}

static const char *const sources[] = {"payment", NULL};
static const char *const indexes[] = {"order_id", "customer_id, requested_at", NULL};

const struct projection payments_projection = {
    .name = "payments",
    .service = "payment",
    .version = 2,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct payment_row),
    .indexes = indexes,
    .keys = keys,
    .apply = apply,
};
