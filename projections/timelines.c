/* timelines: everything that was decided about an order, wherever it was decided; one row per
 * event, and one (with index -1) per command of a person and per refusal. */
#include "projections/projections.h"

#include <stdio.h>

#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/payment.h"

enum { TEXT_BYTES = 240 };

struct timeline_row {
    struct uuid order_id;
    ROW_TEXT(TOPIC_LEN_MAX) topic;
    int32_t partition;
    int32_t index; /* of the event in its decision */
    int64_t log_offset;
    ROW_TEXT(8) kind;
    ROW_TEXT(TYPE_LEN_MAX) type;
    ROW_TEXT(TEXT_BYTES) detail;
    int64_t at;
    struct uuid customer_id; /* of who may see it: on the order's placing; elsewhere nil */
};

static const struct column columns[] = {
    KEY_COLUMN(timeline_row, UUID, order_id),
    KEY_COLUMN(timeline_row, TEXT, topic),
    KEY_COLUMN(timeline_row, INTEGER, partition),
    KEY_COLUMN(timeline_row, BIGINT, log_offset),
    KEY_COLUMN(timeline_row, INTEGER, index),
    COLUMN(timeline_row, TEXT, kind),
    COLUMN(timeline_row, TEXT, type),
    COLUMN(timeline_row, TEXT, detail),
    COLUMN(timeline_row, TIME, at),
    COLUMN(timeline_row, UUID, customer_id),
};

/* Nil: it is about no order. */
static struct uuid about(const struct event *event)
{
    struct uuid id = event->decision->saga;
    if (uuid_is_nil(id) && strcmp(event->service, "fulfilment") == 0)
        (void)uuid_read(event->decision->target, &id);
    return id;
}

/* Of a saga's command its events tell; a repeated answer is no second command. */
static bool is_of_a_person(const struct decision *decision)
{
    return decision->outcome == OUTCOME_ACCEPTED && decision->fingerprint != 0 &&
           !decision->replayed;
}

static struct text kind(const struct event *event)
{
    if (event->message)
        return TEXT("event");
    if (event->decision->outcome == OUTCOME_REFUSED) /* strangers are told "not found", it only */
        return event->decision->problem == PROBLEM_NOT_FOUND ? TEXT("") : TEXT("refused");
    return is_of_a_person(event->decision) ? TEXT("command") : TEXT("");
}

static size_t keys(const struct event *event, void *rows)
{
    struct timeline_row *row = rows;
    char topic[TOPIC_LEN_MAX];
    if (kind(event).len == 0)
        return 0;
    row->order_id = about(event);
    if (uuid_is_nil(row->order_id))
        return 0;
    int len = snprintf(topic, sizeof topic, "%s.log", event->service);
    row_text_set(&row->topic, ((struct text){topic, (size_t)len}));
    row->partition = event->partition;
    row->log_offset = event->offset;
    row->index = event->message ? event->index : -1;
    return 1;
}

/* At most TEXT_BYTES, cut between characters. */
static struct text short_text(struct text text)
{
    size_t len = text.len < TEXT_BYTES ? text.len : TEXT_BYTES;
    while (len < text.len && len > 0 && ((unsigned char)text.at[len] & 0xC0) == 0x80)
        len--;
    return (struct text){text.at, len};
}

static struct text money_text(char out[TEXT_BYTES], struct common_money money)
{
    struct text currency = common_currency_text(money.currency);
    int len = snprintf(out, TEXT_BYTES, "%lld %.*s", (long long)money.amount, (int)currency.len,
                       currency.at);
    return (struct text){out, (size_t)len};
}

static struct text units_text(char out[TEXT_BYTES], int64_t quantity, struct text sku)
{
    int len = snprintf(out, TEXT_BYTES, "%lld x %.*s", (long long)quantity, (int)sku.len, sku.at);
    return (struct text){out, (size_t)len};
}

static struct text line_text(char out[TEXT_BYTES], int64_t line)
{
    int len = snprintf(out, TEXT_BYTES, "line %lld", (long long)line);
    return (struct text){out, (size_t)len};
}

static struct text order_detail(const struct order_event *e, char out[TEXT_BYTES])
{
    switch (e->tag) {
    case ORDER_EVENT_PLACED_V1:
        return money_text(out, e->as.placed_v1.total);
    case ORDER_EVENT_CANCELLED_V1:
        return order_cancel_reason_text(e->as.cancelled_v1.reason);
    case ORDER_EVENT_CONFIRMED_V1:
    case ORDER_EVENT_CANCELLATION_REQUESTED_V1:
    case ORDER_EVENT_SHIPPED_V1:
    case ORDER_EVENT_DELIVERED_V1:
        return TEXT("");
    }
    return TEXT("");
}

static struct text payment_detail(const struct payment_event *e, char out[TEXT_BYTES])
{
    switch (e->tag) {
    case PAYMENT_EVENT_REQUESTED_V1:
        return money_text(out, e->as.requested_v1.amount);
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
        return money_text(out, e->as.capture_requested_v1.amount);
    case PAYMENT_EVENT_CAPTURED_V1:
        return money_text(out, e->as.captured_v1.amount);
    case PAYMENT_EVENT_REFUND_REQUESTED_V1:
        return money_text(out, e->as.refund_requested_v1.amount);
    case PAYMENT_EVENT_REFUNDED_V1:
        return money_text(out, e->as.refunded_v1.amount);
    case PAYMENT_EVENT_AUTHORIZED_V1:
        return e->as.authorized_v1.provider_reference;
    case PAYMENT_EVENT_DECLINED_V1:
        return e->as.declined_v1.reason;
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
        return e->as.capture_failed_v1.reason;
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
        return e->as.release_failed_v1.reason;
    case PAYMENT_EVENT_UNKNOWN_V1:
        return e->as.unknown_v1.reason;
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
    case PAYMENT_EVENT_VOIDED_V1:
        return TEXT("");
    }
    return TEXT("");
}

static struct text inventory_detail(const struct inventory_event *e, char out[TEXT_BYTES])
{
    switch (e->tag) {
    case INVENTORY_EVENT_RESERVED_V1:
        return units_text(out, e->as.reserved_v1.quantity, e->as.reserved_v1.sku);
    case INVENTORY_EVENT_REJECTED_V1:
        return units_text(out, e->as.rejected_v1.quantity, e->as.rejected_v1.sku);
    case INVENTORY_EVENT_RELEASED_V1:
        return units_text(out, e->as.released_v1.quantity, e->as.released_v1.sku);
    case INVENTORY_EVENT_COMMITTED_V1:
        return units_text(out, e->as.committed_v1.quantity, e->as.committed_v1.sku);
    case INVENTORY_EVENT_RESTOCKED_V1:
        return units_text(out, e->as.restocked_v1.quantity, e->as.restocked_v1.sku);
    case INVENTORY_EVENT_RECEIVED_V1:
        return units_text(out, e->as.received_v1.quantity, e->as.received_v1.sku);
    case INVENTORY_EVENT_ADJUSTED_V1:
        return units_text(out, e->as.adjusted_v1.quantity_change, e->as.adjusted_v1.sku);
    }
    return TEXT("");
}

static struct text fulfilment_detail(const struct fulfilment_event *e, char out[TEXT_BYTES])
{
    switch (e->tag) {
    case FULFILMENT_EVENT_LINE_RESERVED_V1:
        return line_text(out, e->as.line_reserved_v1.line);
    case FULFILMENT_EVENT_LINE_REJECTED_V1:
        return line_text(out, e->as.line_rejected_v1.line);
    case FULFILMENT_EVENT_LINE_COMMITTED_V1:
        return line_text(out, e->as.line_committed_v1.line);
    case FULFILMENT_EVENT_LINE_RELEASED_V1:
        return line_text(out, e->as.line_released_v1.line);
    case FULFILMENT_EVENT_LINE_RESTOCKED_V1:
        return line_text(out, e->as.line_restocked_v1.line);
    case FULFILMENT_EVENT_CANCELLATION_NOTED_V1:
        return fulfilment_reason_text(e->as.cancellation_noted_v1.reason);
    case FULFILMENT_EVENT_COMPENSATION_STARTED_V1:
        return fulfilment_reason_text(e->as.compensation_started_v1.reason);
    case FULFILMENT_EVENT_COMPENSATION_FAILED_V1:
        return fulfilment_step_text(e->as.compensation_failed_v1.step);
    case FULFILMENT_EVENT_TIMER_SET_V1:
        return fulfilment_step_text(e->as.timer_set_v1.step);
    case FULFILMENT_EVENT_TIMER_FIRED_V1:
        return fulfilment_step_text(e->as.timer_fired_v1.step);
    case FULFILMENT_EVENT_STARTED_V1:
    case FULFILMENT_EVENT_AUTHORIZED_V1:
    case FULFILMENT_EVENT_CAPTURING_V1:
    case FULFILMENT_EVENT_CAPTURED_V1:
    case FULFILMENT_EVENT_ORDER_CONFIRMED_V1:
    case FULFILMENT_EVENT_COMPLETED_V1:
    case FULFILMENT_EVENT_PAYMENT_RELEASED_V1:
    case FULFILMENT_EVENT_CANCELLED_V1:
    case FULFILMENT_EVENT_SHIPMENT_NOTED_V1:
    case FULFILMENT_EVENT_ENDED_V1:
    case FULFILMENT_EVENT_RETRIED_V1:
        return TEXT("");
    }
    return TEXT("");
}

static struct text detail(const struct event *event, char out[TEXT_BYTES])
{
    const struct order_event *order = event_as(event, order);
    const struct payment_event *payment = event_as(event, payment);
    const struct inventory_event *inventory = event_as(event, inventory);
    const struct fulfilment_event *fulfilment = event_as(event, fulfilment);
    return order        ? order_detail(order, out)
           : payment    ? payment_detail(payment, out)
           : inventory  ? inventory_detail(inventory, out)
           : fulfilment ? fulfilment_detail(fulfilment, out)
           : event->decision->outcome == OUTCOME_REFUSED
               ? text_of(problem_rows[event->decision->problem].code)
               : TEXT("");
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct timeline_row *row = state;
    const struct decision *decision = event->decision;
    char out[TEXT_BYTES];
    (void)nth;
    row->at = decision->at;
    row_text_set(&row->kind, kind(event));
    row_text_set(&row->type, event->message ? decision->events[event->index].type : decision->type);
    row_text_set(&row->detail, short_text(detail(event, out)));
    const struct order_event *order = event_as(event, order);
    if (order && order->tag == ORDER_EVENT_PLACED_V1)
        row->customer_id = order->as.placed_v1.customer_id;
    return ROW_KEEP;
}

static const char *const sources[] = {"fulfilment", "inventory", "order", "payment", NULL};

const struct projection timelines_projection = {
    .name = "timelines",
    .service = "fulfilment",
    .version = 3,
    .sources = sources,
    .decisions = true,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct timeline_row),
    .keys = keys,
    .apply = apply,
};
