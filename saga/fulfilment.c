/* Order fulfilment: authorize, reserve, capture, then commit and confirm; give everything back if
 * we cannot. An input is folded into events; the commands follow from the state they lead to. */
#include <assert.h>

#include "core/mutant.h"
#include "saga/fulfilment_send.h"
#include "saga/sagas.h"
#include "schemas/inventory.h"
#include "schemas/payment.h"

/* One input being handled: the state as it is after the events it has led to so far. */
struct turn {
    struct fulfilment now;
    const struct saga_input *input;
    const struct order_placed_v1 *placed;
    struct draft *draft;
};

static void happen(struct turn *turn, const struct fulfilment_event *event)
{
    *(struct fulfilment_event *)draft_add(turn->draft) = *event;
    fulfilment_evolve(&turn->now, event);
}

/* HAPPEN(turn, LINE_RESERVED, line_reserved, .line = 3); */
#define HAPPEN(turn, NAME, name, ...)                       \
    happen((turn), &(struct fulfilment_event){              \
                       .tag = FULFILMENT_EVENT_##NAME##_V1, \
                       .as.name##_v1 = {.order_id = (turn)->input->id, __VA_ARGS__}})

static void compensate(struct turn *turn, enum fulfilment_reason reason)
{
    HAPPEN(turn, COMPENSATION_STARTED, compensation_started, .reason = reason);
}

static void start(struct turn *turn, const struct order_placed_v1 *placed)
{
    if (turn->now.phase != PHASE_NONE)
        return;
    size_t count = placed->items.count;
    struct fulfilment_item *items = arena_alloc(turn->draft->arena, count * sizeof *items);
    assert(items);
    for (size_t i = 0; i < count; i++)
        items[i] = (struct fulfilment_item){
            .sku = placed->items.at[i].sku,
            .quantity = placed->items.at[i].quantity,
        };
    turn->placed = placed;
    HAPPEN(turn, STARTED, started, .customer_id = placed->customer_id,
           .payment_id = uuid_derive(turn->input->id, TEXT("payment")), .total = placed->total,
           .payment_method = placed->payment_method,
           .items = {.at = items, .count = placed->items.count});
}

/* Past the pivot the order is made first, and unmade after. */
static void on_cancellation(struct turn *turn)
{
    enum fulfilment_reason reason =
        turn->now.operator_asked ? FULFILMENT_REASON_OPERATOR : FULFILMENT_REASON_CUSTOMER_REQUEST;
    if (fulfilment_is_before_pivot(&turn->now) || turn->now.phase == PHASE_CONFIRMED)
        compensate(turn, reason);
    else if (turn->now.phase == PHASE_CONFIRMING && !turn->now.cancelling)
        HAPPEN(turn, CANCELLATION_NOTED, cancellation_noted,
               .reason = FULFILMENT_REASON_CUSTOMER_REQUEST);
}

static void on_shipped(struct turn *turn)
{
    if (turn->now.phase == PHASE_CONFIRMED)
        HAPPEN(turn, ENDED, ended);
    else if (turn->now.phase == PHASE_CONFIRMING)
        HAPPEN(turn, SHIPMENT_NOTED, shipment_noted);
}

static void on_order_event(struct turn *turn, const struct order_event *event)
{
    switch (event->tag) {
    case ORDER_EVENT_PLACED_V1:
        start(turn, &event->as.placed_v1);
        break;
    case ORDER_EVENT_CANCELLATION_REQUESTED_V1:
        on_cancellation(turn);
        break;
    case ORDER_EVENT_SHIPPED_V1:
        on_shipped(turn);
        break;
    case ORDER_EVENT_CONFIRMED_V1: /* known by the answers to our own commands */
    case ORDER_EVENT_CANCELLED_V1:
    case ORDER_EVENT_DELIVERED_V1:
        break;
    }
}

static bool awaits_payment_release(const struct turn *turn)
{
    return turn->now.phase == PHASE_COMPENSATING &&
           (turn->now.payment_release.answer == ANSWER_AWAITED ||
            turn->now.payment_release.answer == ANSWER_NO);
}

static void payment_given_back(struct turn *turn)
{
    if (awaits_payment_release(turn))
        HAPPEN(turn, PAYMENT_RELEASED, payment_released);
}

static void payment_not_given_back(struct turn *turn)
{
    if (awaits_payment_release(turn))
        HAPPEN(turn, COMPENSATION_FAILED, compensation_failed,
               .step = FULFILMENT_STEP_PAYMENT_RELEASE);
}

/* Nobody could learn what the provider did. An unknown authorization or capture met while
 * compensating is nothing new: the release that is under way undoes either. */
static void on_payment_unknown(struct turn *turn, enum payment_operation operation)
{
    switch (operation) {
    case PAYMENT_OPERATION_AUTHORIZE:
        if (turn->now.phase == PHASE_AUTHORIZING)
            compensate(turn, FULFILMENT_REASON_PAYMENT_FAILED);
        break;
    case PAYMENT_OPERATION_CAPTURE:
        if (turn->now.phase == PHASE_CAPTURING)
            compensate(turn, FULFILMENT_REASON_PAYMENT_FAILED);
        break;
    case PAYMENT_OPERATION_VOID:
    case PAYMENT_OPERATION_REFUND:
        payment_not_given_back(turn);
        break;
    }
}

static void on_payment_event(struct turn *turn, const struct payment_event *event)
{
    switch (event->tag) {
    case PAYMENT_EVENT_AUTHORIZED_V1:
        if (turn->now.phase == PHASE_AUTHORIZING || MUTANT(late_answer_counts))
            HAPPEN(turn, AUTHORIZED, authorized);
        break;
    case PAYMENT_EVENT_DECLINED_V1:
        if (turn->now.phase == PHASE_AUTHORIZING)
            compensate(turn, FULFILMENT_REASON_PAYMENT_DECLINED);
        else
            payment_given_back(turn);
        break;
    case PAYMENT_EVENT_CAPTURED_V1:
        if (turn->now.phase == PHASE_CAPTURING)
            HAPPEN(turn, CAPTURED, captured);
        break;
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
        if (turn->now.phase == PHASE_CAPTURING)
            compensate(turn, FULFILMENT_REASON_PAYMENT_FAILED);
        break;
    case PAYMENT_EVENT_VOIDED_V1:
    case PAYMENT_EVENT_REFUNDED_V1:
        payment_given_back(turn);
        break;
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
        payment_not_given_back(turn);
        break;
    case PAYMENT_EVENT_UNKNOWN_V1:
        on_payment_unknown(turn, event->as.unknown_v1.operation);
        break;
    case PAYMENT_EVENT_REQUESTED_V1: /* what the provider was asked: its answer counts */
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
    case PAYMENT_EVENT_REFUND_REQUESTED_V1:
        break;
    }
}

static bool holds_rejection(const struct saga_input *input)
{
    for (size_t i = 0; i < input->events_count; i++) {
        const struct inventory_event *event = event_as(&input->events[i], inventory);
        if (event && event->tag == INVENTORY_EVENT_REJECTED_V1)
            return true;
    }
    return false;
}

static void on_reserve_answered(struct turn *turn, size_t line, bool accepted)
{
    if (!accepted || holds_rejection(turn->input)) {
        HAPPEN(turn, LINE_REJECTED, line_rejected, .line = (int64_t)line);
        compensate(turn, FULFILMENT_REASON_OUT_OF_STOCK);
        return;
    }
    HAPPEN(turn, LINE_RESERVED, line_reserved, .line = (int64_t)line);
    if (fulfilment_has_reserved_all(&turn->now) ||
        (MUTANT(captures_early) && turn->now.phase == PHASE_RESERVING))
        HAPPEN(turn, CAPTURING, capturing);
}

static void complete_when_fulfilled(struct turn *turn)
{
    if (!fulfilment_is_fulfilled(&turn->now))
        return;
    if (turn->now.cancelling) {
        compensate(turn, turn->now.operator_asked ? FULFILMENT_REASON_OPERATOR
                                                  : FULFILMENT_REASON_CUSTOMER_REQUEST);
        return;
    }
    HAPPEN(turn, COMPLETED, completed);
    if (turn->now.shipped)
        HAPPEN(turn, ENDED, ended);
}

static void on_refused(struct turn *turn, enum fulfilment_step step, size_t line)
{
    HAPPEN(turn, COMPENSATION_FAILED, compensation_failed, .step = step,
           .has_line = step_is_per_line(step), .line = (int64_t)line);
}

static void on_done(struct turn *turn, enum fulfilment_step step, size_t line)
{
    switch (step) {
    case FULFILMENT_STEP_COMMIT:
        HAPPEN(turn, LINE_COMMITTED, line_committed, .line = (int64_t)line);
        complete_when_fulfilled(turn);
        break;
    case FULFILMENT_STEP_CONFIRM:
        HAPPEN(turn, ORDER_CONFIRMED, order_confirmed);
        complete_when_fulfilled(turn);
        break;
    case FULFILMENT_STEP_RELEASE:
        HAPPEN(turn, LINE_RELEASED, line_released, .line = (int64_t)line);
        break;
    case FULFILMENT_STEP_RESTOCK:
        HAPPEN(turn, LINE_RESTOCKED, line_restocked, .line = (int64_t)line);
        break;
    case FULFILMENT_STEP_PAYMENT_RELEASE: /* with events, one of the provider's answers follows */
        if (turn->input->events_count == 0)
            HAPPEN(turn, PAYMENT_RELEASED, payment_released);
        break;
    case FULFILMENT_STEP_CANCEL:
        HAPPEN(turn, CANCELLED, cancelled);
        HAPPEN(turn, ENDED, ended);
        break;
    case FULFILMENT_STEP_AUTHORIZE: /* the provider's answer counts, not the acceptance */
    case FULFILMENT_STEP_CAPTURE:
    case FULFILMENT_STEP_RESERVE: /* has a third answer */
        break;
    }
}

static void on_answer(struct turn *turn, enum fulfilment_step step, size_t line)
{
    bool accepted = turn->input->decision->outcome == OUTCOME_ACCEPTED;
    if (step == FULFILMENT_STEP_RESERVE)
        on_reserve_answered(turn, line, accepted);
    else if (accepted)
        on_done(turn, step, line);
    else if (step == FULFILMENT_STEP_AUTHORIZE || step == FULFILMENT_STEP_CAPTURE)
        compensate(turn, FULFILMENT_REASON_PAYMENT_FAILED);
    else
        on_refused(turn, step, line);
}

/* Is this decision the one that step and line await? An operator may have been called meanwhile
 * (NO): the late answer still counts. */
static bool answers(struct fulfilment *state, const struct decision *decision,
                    enum fulfilment_step step, size_t line)
{
    struct ask ask = *fulfilment_ask(state, step, line);
    if (ask.answer != ANSWER_AWAITED && ask.answer != ANSWER_NO)
        return false;
    if (step_is_per_line(step) && !text_equal(line_sku(&state->lines[line]), decision->target))
        return false;
    return uuid_equal(decision->command_id, fulfilment_command_id(state, step, line, ask.try));
}

static void on_decision(struct turn *turn)
{
    const struct saga_input *input = turn->input;
    for (size_t i = 0; i < input->events_count; i++) {
        const struct order_event *order = event_as(&input->events[i], order);
        const struct payment_event *payment = event_as(&input->events[i], payment);
        if (order)
            on_order_event(turn, order);
        else if (payment)
            on_payment_event(turn, payment);
    }
    for (enum fulfilment_step step = FULFILMENT_STEP_AUTHORIZE; step <= FULFILMENT_STEP_RESTOCK;
         step++) {
        for (size_t line = 0; line < fulfilment_asks(&turn->now, step); line++) {
            if (answers(&turn->now, input->decision, step, line)) {
                on_answer(turn, step, line);
                return;
            }
        }
    }
}

static enum fulfilment_step first_not_given_back(const struct fulfilment *state)
{
    if (state->cancel.answer != ANSWER_UNASKED)
        return FULFILMENT_STEP_CANCEL;
    if (state->payment_release.answer == ANSWER_AWAITED)
        return FULFILMENT_STEP_PAYMENT_RELEASE;
    return state->restocking ? FULFILMENT_STEP_RESTOCK : FULFILMENT_STEP_RELEASE;
}

/* Beyond the pivot there is no way back: the timer is only set again, and the lag is seen. */
static void on_timer(struct turn *turn)
{
    if (turn->input->at < fulfilment_due(&turn->now) && !MUTANT(stale_timer_fires))
        return;
    HAPPEN(turn, TIMER_FIRED, timer_fired, .step = (enum fulfilment_step)turn->now.timer_step);
    if (fulfilment_is_before_pivot(&turn->now))
        compensate(turn, FULFILMENT_REASON_DEADLINE);
    else if (turn->now.phase == PHASE_COMPENSATING)
        HAPPEN(turn, COMPENSATION_FAILED, compensation_failed,
               .step = first_not_given_back(&turn->now));
}

static void on_retry(struct turn *turn)
{
    if (!turn->now.needs_attention)
        draft_refuse(turn->draft, PROBLEM_WRONG_STATE, "Nothing here has failed.");
    else if (turn->now.try >= TRY_MAX)
        draft_refuse(turn->draft, PROBLEM_LIMIT_EXCEEDED, "It has been tried too often.");
    else
        HAPPEN(turn, RETRIED, retried, .try = turn->now.try + 1);
}

/* Past the pivot the order decides between shipping and cancelling: it is asked first. */
static void on_compensate(struct turn *turn)
{
    if (turn->now.phase == PHASE_ENDED)
        draft_refuse(turn->draft, PROBLEM_WRONG_STATE, "The order's fulfilment is over.");
    else if (turn->now.shipped)
        draft_refuse(turn->draft, PROBLEM_ALREADY_SHIPPED, "The order has left the house.");
    else if (fulfilment_is_before_pivot(&turn->now))
        compensate(turn, FULFILMENT_REASON_OPERATOR);
    else if (turn->now.phase != PHASE_COMPENSATING && !turn->now.operator_asked &&
             !turn->now.cancelling) {
        HAPPEN(turn, CANCELLATION_NOTED, cancellation_noted, .reason = FULFILMENT_REASON_OPERATOR);
        fulfilment_send_cancellation_request(&turn->now, turn->draft);
    }
}

static void on_command(struct turn *turn)
{
    const struct fulfilment_command *command = turn->input->command;
    if (turn->now.phase == PHASE_NONE) {
        draft_refuse(turn->draft, PROBLEM_NOT_FOUND, "There is no fulfilment of this order.");
        return;
    }
    switch (command->tag) {
    case FULFILMENT_COMMAND_RETRY_V1:
        on_retry(turn);
        break;
    case FULFILMENT_COMMAND_COMPENSATE_V1:
        on_compensate(turn);
        break;
    }
}

/* A step that has begun has a timer of its own. */
static void set_timer(struct turn *turn)
{
    enum fulfilment_step step = fulfilment_timed_step(&turn->now);
    if (turn->draft->problem != PROBLEM_NONE || step == 0 ||
        (step == turn->now.timer_step && turn->now.due != INT64_MAX))
        return;
    const struct saga_limits *limits = &turn->input->limits;
    int64_t limit = turn->now.phase == PHASE_COMPENSATING ? limits->compensation : limits->step;
    HAPPEN(turn, TIMER_SET, timer_set, .step = step, .due_at = turn->input->at + limit);
}

static void fulfilment_react(const void *state, const struct saga_input *input, struct draft *draft)
{
    struct fulfilment before = *(const struct fulfilment *)state; /* shares the lines: only read */
    struct turn turn = {.now = fulfilment_copy(&before), .input = input, .draft = draft};
    switch (input->kind) {
    case SAGA_DECISION:
        on_decision(&turn);
        break;
    case SAGA_TIMER:
        on_timer(&turn);
        break;
    case SAGA_COMMAND:
        on_command(&turn);
        break;
    }
    set_timer(&turn);
    fulfilment_send(&before, &turn.now, turn.placed, draft);
    owned_free(fulfilment_owned, &turn.now);
}

static const char *const sources[] = {"order", "payment", "inventory", NULL};

const struct saga fulfilment_saga = {
    .service = "fulfilment",
    .sources = sources,
    .commands = &fulfilment_commands,
    .events = &fulfilment_events,
    .state_size = sizeof(struct fulfilment),
    .react = fulfilment_react,
    .evolve = fulfilment_evolve,
    .owned = fulfilment_owned,
    .show = fulfilment_show,
    .due = fulfilment_due,
};
