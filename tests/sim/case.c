/* One fold per service's words. */
#include "tests/sim/case.h"

#include <stdio.h>

#include "core/json_shape.h"
#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/payment.h"
#include "tests/sim/map.h"
#include "tests/sim/world.h"

enum { SCRATCH_BYTES = 256 * 1024 };

static struct map orders, stocks;
static struct order_case *orders_list, **orders_end;
static struct stock_case *stocks_list, **stocks_end;
static const struct order_case *retrying; /* an operator's, by the decision that is folded */
static _Alignas(16) char scratch[SCRATCH_BYTES];

void cases_begin(void)
{
    orders = stocks = (struct map){0};
    orders_list = NULL;
    orders_end = &orders_list;
    stocks_list = NULL;
    stocks_end = &stocks_list;
}

const struct order_case *case_first(void)
{
    return orders_list;
}

const struct stock_case *stock_first(void)
{
    return stocks_list;
}

static struct order_case *order_at(struct uuid id)
{
    void **at = map_at(&orders, key_of_uuid(id));
    if (!*at) {
        struct order_case *c = world_alloc(sizeof *c);
        c->id = id;
        *at = *orders_end = c;
        orders_end = &c->next;
    }
    return *at;
}

static struct stock_case *stock_at(struct text sku)
{
    void **at = map_at(&stocks, key_of("", sku, 0, 0));
    if (!*at) {
        struct stock_case *s = world_alloc(sizeof *s);
        s->sku = world_copy(sku);
        *at = *stocks_end = s;
        stocks_end = &s->next;
    }
    return *at;
}

static void short_id(struct uuid id, char out[UUID_TEXT_LEN + 1])
{
    uuid_format(id, out);
    out[8] = 0;
}

#define BAD(c, ...)                                 \
    do {                                            \
        char name_[UUID_TEXT_LEN + 1], said_[200];  \
        short_id((c)->id, name_);                   \
        snprintf(said_, sizeof said_, __VA_ARGS__); \
        violate("SAGA order %s: %s", name_, said_); \
    } while (0)

static void once(struct order_case *c, int *times, const char *what)
{
    if (++*times > 1)
        BAD(c, "%s happened twice", what);
}

/* ---- order.log ------------------------------------------------------------------------------ */

static void place(struct order_case *c, const struct order_placed_v1 *e)
{
    once(c, &c->placed, "placed");
    SOMETIMES(orders);
    c->total = e->total.amount;
    c->lines_count = (int)e->items.count;
    int64_t sum = 0;
    for (int i = 0; i < c->lines_count && i < CASE_LINES_MAX; i++) {
        c->lines[i].sku = world_copy(e->items.at[i].sku);
        c->lines[i].quantity = e->items.at[i].quantity;
        sum += e->items.at[i].quantity * e->items.at[i].unit_price.amount;
    }
    if (sum != c->total)
        BAD(c, "the total is not the sum of the lines");
}

static void fold_order(const struct order_event *e)
{
    struct order_case *c;
    switch (e->tag) {
    case ORDER_EVENT_PLACED_V1:
        c = order_at(e->as.placed_v1.order_id);
        place(c, &e->as.placed_v1);
        break;
    case ORDER_EVENT_CONFIRMED_V1:
        c = order_at(e->as.confirmed_v1.order_id);
        once(c, &c->confirmed, "confirmed");
        if (c->cancelling || c->cancelled)
            BAD(c, "confirmed after it was to be cancelled");
        break;
    case ORDER_EVENT_CANCELLATION_REQUESTED_V1:
        c = order_at(e->as.cancellation_requested_v1.order_id);
        once(c, &c->cancelling, "cancellation requested");
        if (c->confirmed)
            SOMETIMES(cancelled_after_confirmation);
        break;
    case ORDER_EVENT_CANCELLED_V1:
        c = order_at(e->as.cancelled_v1.order_id);
        once(c, &c->cancelled, "cancelled");
        c->reason = e->as.cancelled_v1.reason;
        break;
    case ORDER_EVENT_SHIPPED_V1:
        c = order_at(e->as.shipped_v1.order_id);
        once(c, &c->shipped, "shipped");
        if (!c->confirmed || c->cancelling || c->cancelled)
            BAD(c, "shipped though it is not confirmed");
        break;
    case ORDER_EVENT_DELIVERED_V1:
        c = order_at(e->as.delivered_v1.order_id);
        once(c, &c->delivered, "delivered");
        if (!c->shipped)
            BAD(c, "delivered before it was shipped");
        break;
    }
}

/* ---- inventory.log -------------------------------------------------------------------------- */

static struct case_line *line_at(struct uuid order, int64_t line)
{
    static struct case_line nowhere;
    struct order_case *c = order_at(order);
    nowhere = (struct case_line){0};
    if (line < 0 || line >= CASE_LINES_MAX) {
        BAD(c, "line %lld", (long long)line);
        return &nowhere;
    }
    return &c->lines[line];
}

static void line_check(struct uuid order, const struct case_line *l)
{
    if (l->reserved > 1 || l->released + l->committed > l->reserved || l->restocked > l->committed)
        BAD(order_at(order), "%.*s: reserved %d, released %d, committed %d, restocked %d times",
            (int)l->sku.len, l->sku.at, l->reserved, l->released, l->committed, l->restocked);
}

static void check_stock(const struct stock_case *s)
{
    if (s->on_hand < 0 || s->reserved < 0 || s->committed < 0 ||
        s->received + s->adjusted != s->on_hand + s->reserved + s->committed)
        violate("STOCK %.*s: received %lld, adjusted %lld, on hand %lld, reserved %lld, "
                "committed %lld",
                (int)s->sku.len, s->sku.at, (long long)s->received, (long long)s->adjusted,
                (long long)s->on_hand, (long long)s->reserved, (long long)s->committed);
}

static void move(int64_t *from, int64_t *to, int64_t quantity)
{
    *from -= quantity;
    *to += quantity;
}

static void reject(struct stock_case *s, const struct inventory_rejected_v1 *e)
{
    SOMETIMES(out_of_stock);
    line_at(e->order_id, e->line)->rejected++;
    if (e->quantity <= s->on_hand || e->on_hand != s->on_hand)
        violate("STOCK %.*s: rejected %lld of %lld on hand", (int)s->sku.len, s->sku.at,
                (long long)e->quantity, (long long)s->on_hand);
}

#define LINE(member, counter)                                               \
    do {                                                                    \
        struct case_line *l_ = line_at((member)->order_id, (member)->line); \
        l_->counter++;                                                      \
        line_check((member)->order_id, l_);                                 \
    } while (0)

static void fold_inventory(const struct inventory_event *e, struct text target)
{
    struct stock_case *s = stock_at(target);
    s->version++;
    switch (e->tag) {
    case INVENTORY_EVENT_RECEIVED_V1:
        move(&(int64_t){0}, &s->on_hand, e->as.received_v1.quantity);
        s->received += e->as.received_v1.quantity;
        break;
    case INVENTORY_EVENT_ADJUSTED_V1:
        s->on_hand += e->as.adjusted_v1.quantity_change;
        s->adjusted += e->as.adjusted_v1.quantity_change;
        break;
    case INVENTORY_EVENT_RESERVED_V1:
        move(&s->on_hand, &s->reserved, e->as.reserved_v1.quantity);
        LINE(&e->as.reserved_v1, reserved);
        break;
    case INVENTORY_EVENT_REJECTED_V1:
        reject(s, &e->as.rejected_v1);
        break;
    case INVENTORY_EVENT_RELEASED_V1:
        SOMETIMES(released);
        move(&s->reserved, &s->on_hand, e->as.released_v1.quantity);
        LINE(&e->as.released_v1, released);
        break;
    case INVENTORY_EVENT_COMMITTED_V1:
        move(&s->reserved, &s->committed, e->as.committed_v1.quantity);
        LINE(&e->as.committed_v1, committed);
        break;
    case INVENTORY_EVENT_RESTOCKED_V1:
        SOMETIMES(restocked);
        move(&s->committed, &s->on_hand, e->as.restocked_v1.quantity);
        LINE(&e->as.restocked_v1, restocked);
        break;
    }
    check_stock(s);
}

/* ---- payment.log ---------------------------------------------------------------------------- */

static void fold_payment(const struct payment_event *e, struct uuid order)
{
    struct order_case *c = order_at(order);
    switch (e->tag) {
    case PAYMENT_EVENT_REQUESTED_V1:
        once(c, &c->requested, "payment requested");
        c->provider_asked = true;
        break;
    case PAYMENT_EVENT_AUTHORIZED_V1:
        once(c, &c->provider_yes, "payment authorized");
        c->provider_asked = false;
        break;
    case PAYMENT_EVENT_DECLINED_V1:
        SOMETIMES(declined);
        once(c, &c->provider_declined, "payment declined");
        c->provider_asked = false;
        break;
    case PAYMENT_EVENT_CAPTURED_V1:
        once(c, &c->captured_by_provider, "payment captured");
        c->provider_asked = false;
        break;
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
    case PAYMENT_EVENT_REFUND_REQUESTED_V1:
        if (c->voided || c->refunded)
            BAD(c, "the provider is asked though nothing is held any more");
        c->provider_asked = true;
        break;
    case PAYMENT_EVENT_VOIDED_V1:
        once(c, &c->voided, "payment voided");
        c->provider_asked = false;
        break;
    case PAYMENT_EVENT_REFUNDED_V1:
        once(c, &c->refunded, "payment refunded");
        c->provider_asked = false;
        break;
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
    case PAYMENT_EVENT_UNKNOWN_V1:
        c->provider_asked = false;
        break;
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
        break;
    }
    if (c->voided && c->refunded)
        BAD(c, "voided and refunded");
}

/* ---- fulfilment.log ------------------------------------------------------------------------- */

static void compensates(struct order_case *c, enum fulfilment_reason reason)
{
    once(c, &c->compensations, "compensation started");
    c->declined = reason == FULFILMENT_REASON_PAYMENT_DECLINED;
    counters.deadlines += reason == FULFILMENT_REASON_DEADLINE;
    counters.cancelled_midway += c->started && !c->completed;
}

static void compensation_failed(struct order_case *c)
{
    SOMETIMES(compensation_failed);
    c->due = 0;
    c->failed++;
}

static void timer_fired(struct order_case *c, int64_t at)
{
    SOMETIMES(timers_fired);
    if (c->due == 0 || at < c->due)
        BAD(c, "a timer fires %.3f s early", (double)(c->due - at) / SECOND);
    c->due = 0;
    c->timers++;
}

static void cancelled_by_saga(struct order_case *c)
{
    once(c, &c->cancelled_by_saga, "cancelled by the saga");
    if (!c->cancel_sent)
        BAD(c, "cancelled by the saga, and the order was not told");
}

static void retried(struct order_case *c)
{
    c->retries++;
    retrying = c;
}

static void fold_saga(const struct fulfilment_event *e, struct uuid order, int64_t at)
{
    struct order_case *c = order_at(order);
    if (c->ended)
        BAD(c, "an event after the end");
    switch (e->tag) {
    case FULFILMENT_EVENT_STARTED_V1:
        once(c, &c->started, "started");
        break;
    case FULFILMENT_EVENT_AUTHORIZED_V1:
        once(c, &c->authorized, "authorized");
        break;
    case FULFILMENT_EVENT_CAPTURED_V1:
        once(c, &c->captured, "captured");
        break;
    case FULFILMENT_EVENT_LINE_REJECTED_V1:
        c->lines[e->as.line_rejected_v1.line].told_rejected = true;
        break;
    case FULFILMENT_EVENT_COMPENSATION_STARTED_V1:
        compensates(c, e->as.compensation_started_v1.reason);
        break;
    case FULFILMENT_EVENT_LINE_RELEASED_V1:
        c->lines[e->as.line_released_v1.line].given_back = true;
        break;
    case FULFILMENT_EVENT_LINE_RESTOCKED_V1:
        c->lines[e->as.line_restocked_v1.line].given_back = true;
        break;
    case FULFILMENT_EVENT_PAYMENT_RELEASED_V1:
        once(c, &c->payment_released, "payment released");
        break;
    case FULFILMENT_EVENT_COMPENSATION_FAILED_V1:
        compensation_failed(c);
        break;
    case FULFILMENT_EVENT_TIMER_FIRED_V1:
        timer_fired(c, at);
        break;
    case FULFILMENT_EVENT_COMPLETED_V1:
        once(c, &c->completed, "completed");
        c->due = 0;
        break;
    case FULFILMENT_EVENT_CANCELLED_V1:
        cancelled_by_saga(c);
        break;
    case FULFILMENT_EVENT_RETRIED_V1:
        retried(c);
        break;
    case FULFILMENT_EVENT_ENDED_V1:
        once(c, &c->ended, "ended");
        c->due = 0;
        break;
    case FULFILMENT_EVENT_LINE_RESERVED_V1:
    case FULFILMENT_EVENT_CAPTURING_V1:
    case FULFILMENT_EVENT_LINE_COMMITTED_V1:
    case FULFILMENT_EVENT_ORDER_CONFIRMED_V1:
    case FULFILMENT_EVENT_CANCELLATION_NOTED_V1:
    case FULFILMENT_EVENT_SHIPMENT_NOTED_V1:
        break;
    case FULFILMENT_EVENT_TIMER_SET_V1:
        c->due = e->as.timer_set_v1.due_at;
        break;
    }
}

/* Again only by an operator's retry, once each: whom it is sent to would not do it twice, and so
 * hide it. */
static void sent(struct order_case *c, int *times, const char *what)
{
    if (++*times > 1 && (retrying != c || *times > 1 + c->retries))
        BAD(c, "%s sent %d times, %d retries", what, *times, c->retries);
}

static void forward(struct order_case *c, int *times, const char *what)
{
    sent(c, times, what);
    if (c->compensations)
        BAD(c, "%s sent though all is to be given back", what);
}

/* What is undone must have been asked for, and not been refused. */
static void check_undo(struct order_case *c, struct case_line *l, int done, const char *what)
{
    if (!c->compensations)
        BAD(c, "%s before compensation", what);
    if (!done || l->told_rejected)
        BAD(c, "%s of what was not done", what);
    if (l->release_sent && l->restock_sent)
        BAD(c, "released and restocked");
    if (c->cancel_sent)
        BAD(c, "%s after the order was cancelled", what);
}

/* The order is the last to know: when everything has been given back. */
static void check_cancel(struct order_case *c)
{
    for (int i = 0; i < c->lines_count && i < CASE_LINES_MAX; i++)
        if (c->lines[i].reserve_sent && !c->lines[i].told_rejected && !c->lines[i].given_back)
            BAD(c, "cancelled before line %d was given back", i);
    if (!c->payment_released && !c->declined)
        BAD(c, "cancelled before the payment was given back");
}

static void send_inventory(struct order_case *c, const struct inventory_command *m)
{
    struct case_line *l;
    switch (m->tag) {
    case INVENTORY_COMMAND_RESERVE_V1:
        l = &c->lines[m->as.reserve_v1.line];
        once(c, &l->reserve_sent, "reserve sent");
        break;
    case INVENTORY_COMMAND_COMMIT_V1:
        l = &c->lines[m->as.commit_v1.line];
        forward(c, &l->commit_sent, "commit");
        if (!c->captured)
            BAD(c, "commit sent before the money was there");
        break;
    case INVENTORY_COMMAND_RELEASE_V1:
        l = &c->lines[m->as.release_v1.line];
        sent(c, &l->release_sent, "release");
        check_undo(c, l, l->reserve_sent, "release");
        break;
    case INVENTORY_COMMAND_RESTOCK_V1:
        l = &c->lines[m->as.restock_v1.line];
        sent(c, &l->restock_sent, "restock");
        check_undo(c, l, l->commit_sent, "restock");
        break;
    case INVENTORY_COMMAND_RECEIVE_V1:
    case INVENTORY_COMMAND_ADJUST_V1:
        BAD(c, "a saga moves stock by hand");
        break;
    }
}

static void send(struct order_case *c, const struct command *command)
{
    struct arena arena = {scratch + SCRATCH_BYTES / 2, 0, SCRATCH_BYTES / 2};
    struct json_report report = {0};
    struct inventory_command inventory;
    if (text_is(command->service, "inventory")) {
        if (message_decode(&inventory_commands, command->type, command->data, &arena, &inventory,
                           &report))
            send_inventory(c, &inventory);
    } else if (text_is(command->type, "order.confirm.v1")) {
        forward(c, &c->confirm_sent, "confirm");
    } else if (text_is(command->type, "order.cancel.v1")) {
        check_cancel(c);
        sent(c, &c->cancel_sent, "cancel");
    } else if (text_is(command->type, "payment.capture.v1")) {
        forward(c, &c->capture_sent, "capture");
    } else if (text_is(command->type, "payment.request.v1")) {
        once(c, &c->request_sent, "payment request sent");
    } else if (text_is(command->type, "payment.release.v1")) {
        sent(c, &c->payment_release_sent, "payment release");
        if (!c->compensations)
            BAD(c, "payment released before compensation");
        if (c->cancel_sent)
            BAD(c, "payment released after the order was cancelled");
    }
}

/* ---- a decision ----------------------------------------------------------------------------- */

static void fold_event(const struct service *service, const struct decision *d, size_t i)
{
    struct arena arena = {scratch, 0, SCRATCH_BYTES / 2};
    struct json_report report = {0};
    void *message = arena_alloc(&arena, service->events->size);
    if (!message_decode(service->events, d->events[i].type, d->events[i].data, &arena, message,
                        &report)) {
        violate("LOG an event of %s cannot be read: %.*s", service->name,
                (int)d->events[i].type.len, d->events[i].type.at);
        return;
    }
    if (strcmp(service->name, "order") == 0)
        fold_order(message);
    else if (strcmp(service->name, "inventory") == 0)
        fold_inventory(message, d->target);
    else if (strcmp(service->name, "payment") == 0)
        fold_payment(message, d->saga);
    else if (strcmp(service->name, "fulfilment") == 0)
        fold_saga(message, d->saga, d->at);
}

void case_fold(const struct service *service, const struct decision *d)
{
    struct decision with_saga = *d;
    if (service->saga && uuid_is_nil(d->saga) && d->events_count + d->commands_count > 0 &&
        !uuid_read(d->target, &with_saga.saga))
        violate("LOG a saga's decision names no order");
    retrying = NULL;
    for (size_t i = 0; i < d->events_count; i++)
        fold_event(service, &with_saga, i);
    for (size_t i = 0; service->saga && i < d->commands_count; i++)
        send(order_at(with_saga.saga), &d->commands[i]);
}

bool case_is_over(const struct order_case *c)
{
    if (!c->placed)
        return !c->started;
    if (c->provider_asked)
        return false;
    if (c->cancelled || c->shipped)
        return c->ended;
    return c->confirmed && c->completed && !c->cancelling;
}

const char *case_state(const struct order_case *c)
{
    static char text[200];
    snprintf(
        text, sizeof text,
        "placed %d confirmed %d cancelling %d cancelled %d shipped %d started %d authorized %d "
        "captured %d completed %d compensating %d failed %d ended %d asked %d",
        c->placed, c->confirmed, c->cancelling, c->cancelled, c->shipped, c->started, c->authorized,
        c->captured, c->completed, c->compensations, c->failed, c->ended, c->provider_asked);
    return text;
}
