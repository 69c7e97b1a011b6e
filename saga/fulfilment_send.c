/* One builder per service; what is due follows from comparing two states. */
#include "saga/fulfilment_send.h"

#include <assert.h>

#include "core/mutant.h"
#include "schemas/inventory.h"
#include "schemas/payment.h"

/* Undo runs against the order in which things were done; the order itself is the last to know. */
static const enum fulfilment_step sending_order[] = {
    FULFILMENT_STEP_AUTHORIZE, FULFILMENT_STEP_RESERVE,         FULFILMENT_STEP_CAPTURE,
    FULFILMENT_STEP_COMMIT,    FULFILMENT_STEP_CONFIRM,         FULFILMENT_STEP_RELEASE,
    FULFILMENT_STEP_RESTOCK,   FULFILMENT_STEP_PAYMENT_RELEASE, FULFILMENT_STEP_CANCEL,
};

static enum order_cancel_reason cancel_reason(enum fulfilment_reason reason)
{
    switch (reason) {
    case FULFILMENT_REASON_PAYMENT_DECLINED:
        return ORDER_CANCEL_REASON_PAYMENT_DECLINED;
    case FULFILMENT_REASON_PAYMENT_FAILED:
        return ORDER_CANCEL_REASON_PAYMENT_FAILED;
    case FULFILMENT_REASON_OUT_OF_STOCK:
        return ORDER_CANCEL_REASON_OUT_OF_STOCK;
    case FULFILMENT_REASON_DEADLINE:
        return ORDER_CANCEL_REASON_DEADLINE;
    case FULFILMENT_REASON_CUSTOMER_REQUEST:
        return ORDER_CANCEL_REASON_CUSTOMER_REQUEST;
    case FULFILMENT_REASON_OPERATOR:
        return ORDER_CANCEL_REASON_OPERATOR;
    }
    assert(!"a reason");
    return ORDER_CANCEL_REASON_OPERATOR;
}

static void send_to(struct draft *draft, const char *service, struct uuid target, struct uuid id,
                    const struct vocabulary *vocabulary, const void *message)
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(target, text);
    draft_send(draft, service, text_of(text), id, vocabulary, message);
}

static void send_request(const struct fulfilment *state, struct uuid id,
                         const struct order_placed_v1 *placed, struct draft *draft)
{
    struct uuid payment_id = fulfilment_payment_id(state);
    assert(placed);
    struct payment_command command = {
        .tag = PAYMENT_COMMAND_REQUEST_V1,
        .as.request_v1 =
            {
                .payment_id = payment_id,
                .order_id = state->order_id,
                .customer_id = placed->customer_id,
                .amount = placed->total,
                .payment_method = placed->payment_method,
            },
    };
    send_to(draft, "payment", payment_id, id, &payment_commands, &command);
}

static void send_payment(const struct fulfilment *state, struct uuid id, enum fulfilment_step step,
                         struct draft *draft)
{
    struct uuid payment_id = fulfilment_payment_id(state);
    struct payment_command command;
    if (step == FULFILMENT_STEP_CAPTURE)
        command = (struct payment_command){
            .tag = PAYMENT_COMMAND_CAPTURE_V1,
            .as.capture_v1 = {.payment_id = payment_id},
        };
    else
        command = (struct payment_command){
            .tag = PAYMENT_COMMAND_RELEASE_V1,
            .as.release_v1 = {.payment_id = payment_id},
        };
    send_to(draft, "payment", payment_id, id, &payment_commands, &command);
}

static void send_order(const struct fulfilment *state, struct uuid id, enum fulfilment_step step,
                       struct draft *draft)
{
    struct order_command command;
    if (step == FULFILMENT_STEP_CONFIRM)
        command = (struct order_command){
            .tag = ORDER_COMMAND_CONFIRM_V1,
            .as.confirm_v1 = {.order_id = state->order_id},
        };
    else
        command = (struct order_command){
            .tag = ORDER_COMMAND_CANCEL_V1,
            .as.cancel_v1 =
                {
                    .order_id = state->order_id,
                    .reason = cancel_reason((enum fulfilment_reason)state->reason),
                },
        };
    send_to(draft, "order", state->order_id, id, &order_commands, &command);
}

#define INVENTORY_COMMAND(NAME, name, ...)    \
    ((struct inventory_command){              \
        .tag = INVENTORY_COMMAND_##NAME##_V1, \
        .as.name##_v1 = {                     \
            .sku = line_sku(line), .order_id = state->order_id, .line = number, __VA_ARGS__}})

static void send_inventory(const struct fulfilment *state, struct uuid id,
                           enum fulfilment_step step, size_t line_number, struct draft *draft)
{
    const struct line *line = &state->lines[line_number];
    const int64_t number = (int64_t)line_number;
    struct inventory_command command;
    if (step == FULFILMENT_STEP_RESERVE)
        command = INVENTORY_COMMAND(RESERVE, reserve, .quantity = line->quantity);
    else if (step == FULFILMENT_STEP_COMMIT)
        command = INVENTORY_COMMAND(COMMIT, commit);
    else if (step == FULFILMENT_STEP_RELEASE)
        command = INVENTORY_COMMAND(RELEASE, release);
    else
        command = INVENTORY_COMMAND(RESTOCK, restock, .quantity = line->quantity);
    draft_send(draft, "inventory", line_sku(line), id, &inventory_commands, &command);
}

static void send_step(struct fulfilment *state, enum fulfilment_step step, size_t line,
                      const struct order_placed_v1 *placed, struct draft *draft)
{
    unsigned try = fulfilment_ask(state, step, line)->try;
    struct uuid id = fulfilment_command_id(state, step, line, try);
    switch (step) {
    case FULFILMENT_STEP_AUTHORIZE:
        send_request(state, id, placed, draft);
        break;
    case FULFILMENT_STEP_CAPTURE:
    case FULFILMENT_STEP_PAYMENT_RELEASE:
        send_payment(state, id, step, draft);
        break;
    case FULFILMENT_STEP_CONFIRM:
    case FULFILMENT_STEP_CANCEL:
        send_order(state, id, step, draft);
        break;
    case FULFILMENT_STEP_RESERVE:
    case FULFILMENT_STEP_COMMIT:
    case FULFILMENT_STEP_RELEASE:
    case FULFILMENT_STEP_RESTOCK:
        send_inventory(state, id, step, line, draft);
        break;
    }
}

static bool is_newly_awaited(struct fulfilment *before, struct fulfilment *now,
                             enum fulfilment_step step, size_t line)
{
    struct ask is = *fulfilment_ask(now, step, line);
    struct ask was = {0};
    if (line < fulfilment_asks(before, step))
        was = *fulfilment_ask(before, step, line);
    return is.answer == ANSWER_AWAITED &&
           (was.answer != ANSWER_AWAITED ||
            (MUTANT(undo_sent_twice) && now->phase == PHASE_COMPENSATING));
}

void fulfilment_send(struct fulfilment *before, struct fulfilment *now,
                     const struct order_placed_v1 *placed, struct draft *draft)
{
    for (size_t i = 0; i < COUNT(sending_order); i++) {
        enum fulfilment_step step = sending_order[i];
        for (size_t line = 0; line < fulfilment_asks(now, step); line++) {
            if (is_newly_awaited(before, now, step, line))
                send_step(now, step, line, placed, draft);
        }
    }
}

void fulfilment_send_cancellation_request(const struct fulfilment *state, struct draft *draft)
{
    struct uuid id = uuid_derive(state->order_id, TEXT("request_cancellation"));
    struct order_command command = {
        .tag = ORDER_COMMAND_REQUEST_CANCELLATION_V1,
        .as.request_cancellation_v1 = {.order_id = state->order_id},
    };
    send_to(draft, "order", state->order_id, id, &order_commands, &command);
}
