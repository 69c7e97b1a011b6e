/* The order: what a customer wants, and whether it may still be confirmed, cancelled or shipped.
 * Key: the order's id. pending -> confirmed -> shipped -> delivered; pending | confirmed ->
 * cancelling -> cancelled. */
#include <assert.h>
#include <stdlib.h>

#include "commands/aggregates.h"
#include "commands/rights.h"
#include "core/mutant.h"
#include "schemas/order.h"

enum { ITEM_POINTER_MAX = 32 };
static const int64_t total_max = 1000000000000; /* of money in common.json */

enum order_status {
    ORDER_NONE,
    ORDER_PENDING,
    ORDER_CONFIRMED,
    ORDER_CANCELLING,
    ORDER_CANCELLED,
    ORDER_SHIPPED,
    ORDER_DELIVERED,
};

/* Nearly every order is of one merchant: only the others of a mixed one cost memory, and only while
 * it may still be shipped and delivered. */
struct order {
    struct uuid customer_id;
    struct uuid merchant_id;
    struct uuid *more_merchants;
    uint8_t more_merchants_count;
    uint8_t status; /* enum order_status */
};

/* "/items/7" in arena memory. */
static const char *item_pointer(struct draft *draft, size_t item)
{
    static const char lead[] = "/items/";
    char *pointer = arena_alloc(draft->arena, ITEM_POINTER_MAX);
    assert(pointer && item < 100);
    memcpy(pointer, lead, sizeof lead - 1);
    char *at = pointer + sizeof lead - 1;
    if (item >= 10)
        *at++ = (char)('0' + item / 10);
    *at = (char)('0' + item % 10);
    return pointer;
}

static void refuse_item(struct draft *draft, size_t item, enum problem problem, const char *detail)
{
    draft_refuse(draft, problem, detail);
    draft->pointer = item_pointer(draft, item);
}

/* What the command's facts say about its lines; false: refused. */
static bool judge_items(const struct order_place_v1 *command, struct draft *draft,
                        struct common_money *ret_total)
{
    struct common_money total = {.currency = command->items.at[0].unit_price.currency};
    for (size_t i = 0; i < command->items.count; i++) {
        const struct order_quoted_line *item = &command->items.at[i];
        int64_t price;
        if (item->status == ORDER_CATALOGUE_STATUS_DISCONTINUED) {
            refuse_item(draft, i, PROBLEM_PRODUCT_DISCONTINUED, "This product is no longer sold.");
            return false;
        }
        if (item->unit_price.currency != total.currency) {
            refuse_item(draft, i, PROBLEM_CURRENCY_MISMATCH,
                        "All products of one order must be sold in the same currency.");
            return false;
        }
        if (__builtin_mul_overflow(item->unit_price.amount, item->quantity, &price) ||
            __builtin_add_overflow(total.amount, price, &total.amount) ||
            total.amount > total_max) {
            draft_refuse(draft, PROBLEM_LIMIT_EXCEEDED, "The order's total is too large.");
            return false;
        }
    }
    *ret_total = total;
    return true;
}

static void emit_placed(const struct order_place_v1 *command, struct common_money total,
                        struct draft *draft)
{
    size_t count = command->items.count;
    struct order_line *lines = arena_alloc(draft->arena, count * sizeof *lines);
    assert(lines);
    for (size_t i = 0; i < count; i++) {
        const struct order_quoted_line *item = &command->items.at[i];
        lines[i] = (struct order_line){
            .sku = item->sku,
            .quantity = item->quantity,
            .unit_price = item->unit_price,
            .merchant_id = item->merchant_id,
        };
    }
    EMIT(draft, order_event, .tag = ORDER_EVENT_PLACED_V1,
         .as.placed_v1 = {
             .order_id = command->order_id,
             .customer_id = command->customer_id,
             .items = {.at = lines, .count = command->items.count},
             .total = total,
             .payment_method = command->payment_method,
             .shipping_address = command->shipping_address,
         });
}

static void place(const struct order *order, const struct context *context,
                  const struct order_place_v1 *command, struct draft *draft)
{
    struct common_money total;
    if (!may_as_customer(context, command->customer_id)) {
        draft_refuse(draft, PROBLEM_FORBIDDEN, "Nobody orders in somebody else's name.");
        return;
    }
    if (order->status != ORDER_NONE) {
        draft_refuse(draft, PROBLEM_ALREADY_EXISTS, "This order has been placed already.");
        return;
    }
    if (command->has_customer_disabled && command->customer_disabled) {
        draft_refuse(draft, PROBLEM_FORBIDDEN, "This customer may not order at present.");
        return;
    }
    if (!judge_items(command, draft, &total))
        return;
    if (command->has_expected_total && (command->expected_total.amount != total.amount ||
                                        command->expected_total.currency != total.currency)) {
        draft_refuse(draft, PROBLEM_PRICE_CHANGED, "The total is not the expected one.");
        draft->pointer = "/expected_total";
        return;
    }
    emit_placed(command, total, draft);
}

static void refuse_unknown(struct draft *draft)
{
    draft_refuse(draft, PROBLEM_NOT_FOUND, "There is no such order of yours.");
}

static void request_cancellation(const struct order *order, const struct context *context,
                                 const struct order_request_cancellation_v1 *command,
                                 struct draft *draft)
{
    if (order->status == ORDER_NONE || !may_as_customer(context, order->customer_id)) {
        refuse_unknown(draft);
        return;
    }
    switch ((enum order_status)order->status) {
    case ORDER_NONE:
    case ORDER_CANCELLING:
    case ORDER_CANCELLED:
        return;
    case ORDER_PENDING:
    case ORDER_CONFIRMED:
        EMIT(draft, order_event, .tag = ORDER_EVENT_CANCELLATION_REQUESTED_V1,
             .as.cancellation_requested_v1 = {
                 .order_id = command->order_id,
                 .has_reason = command->has_reason,
                 .reason = command->reason,
             });
        return;
    case ORDER_SHIPPED:
    case ORDER_DELIVERED:
        draft_refuse(draft, PROBLEM_ALREADY_SHIPPED, "The order has left the house.");
        return;
    }
}

/* False: refused, because it is not the saga that asks or there is nothing to ask about. */
static bool asked_by_saga(const struct order *order, const struct context *context,
                          struct draft *draft)
{
    if (!may_as_system(context))
        draft_refuse(draft, PROBLEM_FORBIDDEN, "Only fulfilment does this.");
    else if (order->status == ORDER_NONE)
        refuse_unknown(draft);
    return draft->problem == PROBLEM_NONE;
}

static void confirm(const struct order *order, const struct context *context,
                    const struct order_confirm_v1 *command, struct draft *draft)
{
    if (!asked_by_saga(order, context, draft))
        return;
    enum order_status status = (enum order_status)order->status;
    if (MUTANT(confirms_the_cancelled) && status == ORDER_CANCELLING)
        status = ORDER_PENDING;
    switch (status) {
    case ORDER_PENDING:
        EMIT(draft, order_event, .tag = ORDER_EVENT_CONFIRMED_V1,
             .as.confirmed_v1 = {.order_id = command->order_id});
        return;
    case ORDER_NONE:
    case ORDER_CONFIRMED:
    case ORDER_CANCELLING: /* the saga meets the request in the order's log and gives all back */
    case ORDER_SHIPPED:
    case ORDER_DELIVERED:
        return;
    case ORDER_CANCELLED:
        draft_refuse(draft, PROBLEM_WRONG_STATE, "The order is cancelled.");
        return;
    }
}

static void cancel(const struct order *order, const struct context *context,
                   const struct order_cancel_v1 *command, struct draft *draft)
{
    if (!asked_by_saga(order, context, draft))
        return;
    switch ((enum order_status)order->status) {
    case ORDER_PENDING:
    case ORDER_CONFIRMED:
    case ORDER_CANCELLING:
        EMIT(draft, order_event, .tag = ORDER_EVENT_CANCELLED_V1,
             .as.cancelled_v1 = {.order_id = command->order_id, .reason = command->reason});
        return;
    case ORDER_NONE:
    case ORDER_CANCELLED:
        return;
    case ORDER_SHIPPED:
    case ORDER_DELIVERED:
        draft_refuse(draft, PROBLEM_WRONG_STATE, "The order has left the house.");
        return;
    }
}

static bool may_ship(const struct order *order, const struct context *context)
{
    if (may_as_merchant(context, order->merchant_id))
        return true;
    for (size_t i = 0; i < order->more_merchants_count; i++) {
        if (may_as_merchant(context, order->more_merchants[i]))
            return true;
    }
    return false;
}

/* False: refused. */
static bool asked_by_merchant(const struct order *order, const struct context *context,
                              enum order_status needed, const char *otherwise, struct draft *draft)
{
    if (order->status == ORDER_NONE || !may_ship(order, context))
        refuse_unknown(draft);
    else if (order->status != needed && !MUTANT(ships_the_unconfirmed))
        draft_refuse(draft, PROBLEM_WRONG_STATE, otherwise);
    return draft->problem == PROBLEM_NONE;
}

static void ship(const struct order *order, const struct context *context,
                 const struct order_ship_v1 *command, struct draft *draft)
{
    if (!asked_by_merchant(order, context, ORDER_CONFIRMED, "Only a confirmed order is shipped.",
                           draft))
        return;
    EMIT(draft, order_event, .tag = ORDER_EVENT_SHIPPED_V1,
         .as.shipped_v1 = {
             .order_id = command->order_id,
             .carrier = command->carrier,
             .tracking = command->tracking,
         });
}

static void deliver(const struct order *order, const struct context *context,
                    const struct order_deliver_v1 *command, struct draft *draft)
{
    if (!asked_by_merchant(order, context, ORDER_SHIPPED, "Only a shipped order is delivered.",
                           draft))
        return;
    EMIT(draft, order_event, .tag = ORDER_EVENT_DELIVERED_V1,
         .as.delivered_v1 = {.order_id = command->order_id});
}

static void order_decide(const void *state, const struct context *context, const void *command,
                         struct draft *draft)
{
    const struct order_command *c = command;
    switch (c->tag) {
    case ORDER_COMMAND_PLACE_V1:
        place(state, context, &c->as.place_v1, draft);
        break;
    case ORDER_COMMAND_CONFIRM_V1:
        confirm(state, context, &c->as.confirm_v1, draft);
        break;
    case ORDER_COMMAND_REQUEST_CANCELLATION_V1:
        request_cancellation(state, context, &c->as.request_cancellation_v1, draft);
        break;
    case ORDER_COMMAND_CANCEL_V1:
        cancel(state, context, &c->as.cancel_v1, draft);
        break;
    case ORDER_COMMAND_SHIP_V1:
        ship(state, context, &c->as.ship_v1, draft);
        break;
    case ORDER_COMMAND_DELIVER_V1:
        deliver(state, context, &c->as.deliver_v1, draft);
        break;
    }
}

static bool is_among(struct uuid id, const struct uuid *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (uuid_equal(id, ids[i]))
            return true;
    }
    return false;
}

static void remember_merchants(struct order *order, const struct order_placed_v1 *placed)
{
    order->merchant_id = placed->items.at[0].merchant_id;
    for (size_t i = 1; i < placed->items.count; i++) {
        struct uuid id = placed->items.at[i].merchant_id;
        size_t count = order->more_merchants_count;
        if (uuid_equal(id, order->merchant_id) || is_among(id, order->more_merchants, count))
            continue;
        order->more_merchants = realloc(order->more_merchants, (count + 1) * sizeof id);
        assert(order->more_merchants);
        order->more_merchants[count] = id;
        order->more_merchants_count++;
    }
}

static const struct owned order_owned[] = {
    OWNED(struct order, more_merchants, more_merchants_count),
    OWNED_END,
};

static void order_evolve(void *state, const void *event)
{
    struct order *order = state;
    const struct order_event *e = event;
    switch (e->tag) {
    case ORDER_EVENT_PLACED_V1:
        order->status = ORDER_PENDING;
        order->customer_id = e->as.placed_v1.customer_id;
        remember_merchants(order, &e->as.placed_v1);
        break;
    case ORDER_EVENT_CONFIRMED_V1:
        order->status = ORDER_CONFIRMED;
        break;
    case ORDER_EVENT_CANCELLATION_REQUESTED_V1:
        order->status = ORDER_CANCELLING;
        break;
    case ORDER_EVENT_CANCELLED_V1:
        order->status = ORDER_CANCELLED;
        break;
    case ORDER_EVENT_SHIPPED_V1:
        order->status = ORDER_SHIPPED;
        break;
    case ORDER_EVENT_DELIVERED_V1:
        order->status = ORDER_DELIVERED;
        break;
    }
}

static void order_show(const void *state, struct json_write *out)
{
    static const char *const statuses[] = {
        [ORDER_NONE] = "none",           [ORDER_PENDING] = "pending",
        [ORDER_CONFIRMED] = "confirmed", [ORDER_CANCELLING] = "cancelling",
        [ORDER_CANCELLED] = "cancelled", [ORDER_SHIPPED] = "shipped",
        [ORDER_DELIVERED] = "delivered",
    };
    const struct order *order = state;
    json_write_uuid(out, "customer_id", order->customer_id);
    json_write_text(out, "status", text_of(statuses[order->status]));
}

const struct aggregate order_aggregate = {
    .service = "order",
    .commands = &order_commands,
    .events = &order_events,
    .state_size = sizeof(struct order),
    .decide = order_decide,
    .evolve = order_evolve,
    .owned = order_owned,
    .show = order_show,
};
