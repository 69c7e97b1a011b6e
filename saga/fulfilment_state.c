/* The fold of fulfilment's events. */
#include "saga/fulfilment_state.h"
#include "core/mutant.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const struct ask no_ask;

static struct ask asked(const struct fulfilment *state)
{
    return (struct ask){.try = state->try, .answer = ANSWER_AWAITED};
}

bool step_is_per_line(enum fulfilment_step step)
{
    return step == FULFILMENT_STEP_RESERVE || step == FULFILMENT_STEP_COMMIT ||
           step == FULFILMENT_STEP_RELEASE || step == FULFILMENT_STEP_RESTOCK;
}

struct ask *fulfilment_ask(struct fulfilment *state, enum fulfilment_step step, size_t line)
{
    assert(!step_is_per_line(step) || line < state->lines_count);
    switch (step) {
    case FULFILMENT_STEP_AUTHORIZE:
        return &state->authorize;
    case FULFILMENT_STEP_RESERVE:
        return &state->lines[line].reserve;
    case FULFILMENT_STEP_CAPTURE:
        return &state->capture;
    case FULFILMENT_STEP_COMMIT:
        return &state->lines[line].commit;
    case FULFILMENT_STEP_CONFIRM:
        return &state->confirm;
    case FULFILMENT_STEP_RELEASE:
    case FULFILMENT_STEP_RESTOCK:
        return &state->lines[line].give_back;
    case FULFILMENT_STEP_PAYMENT_RELEASE:
        return &state->payment_release;
    case FULFILMENT_STEP_CANCEL:
        return &state->cancel;
    }
    assert(!"a step");
    return NULL;
}

size_t fulfilment_asks(const struct fulfilment *state, enum fulfilment_step step)
{
    if ((step == FULFILMENT_STEP_RELEASE && state->restocking) ||
        (step == FULFILMENT_STEP_RESTOCK && !state->restocking))
        return 0;
    return step_is_per_line(step) ? state->lines_count : 1;
}

struct text line_sku(const struct line *line)
{
    return (struct text){line->sku, line->sku_len};
}

struct uuid fulfilment_payment_id(const struct fulfilment *state)
{
    return uuid_derive(state->order_id, TEXT("payment"));
}

struct uuid fulfilment_command_id(const struct fulfilment *state, enum fulfilment_step step,
                                  size_t line, unsigned try)
{
    char line_text[24];
    char try_text[24];
    snprintf(line_text, sizeof line_text, "%zu", line);
    snprintf(try_text, sizeof try_text, "%u", try);
    const struct text parts[] = {
        fulfilment_step_text(step),
        text_of(line_text),
        text_of(try_text),
    };
    return uuid_derive_parts(state->order_id, parts, COUNT(parts));
}

bool fulfilment_is_before_pivot(const struct fulfilment *state)
{
    return state->phase == PHASE_AUTHORIZING || state->phase == PHASE_RESERVING ||
           state->phase == PHASE_CAPTURING;
}

bool fulfilment_has_reserved_all(const struct fulfilment *state)
{
    for (size_t i = 0; i < state->lines_count; i++) {
        if (state->lines[i].reserve.answer != ANSWER_YES)
            return false;
    }
    return true;
}

bool fulfilment_is_fulfilled(const struct fulfilment *state)
{
    for (size_t i = 0; i < state->lines_count; i++) {
        if (state->lines[i].commit.answer != ANSWER_YES)
            return false;
    }
    return state->confirm.answer == ANSWER_YES;
}

enum fulfilment_step fulfilment_timed_step(const struct fulfilment *state)
{
    const enum fulfilment_step none = 0;
    if (state->needs_attention)
        return none;
    switch ((enum phase)state->phase) {
    case PHASE_NONE:
    case PHASE_CONFIRMED:
    case PHASE_ENDED:
        return none;
    case PHASE_AUTHORIZING:
        return FULFILMENT_STEP_AUTHORIZE;
    case PHASE_RESERVING:
        return FULFILMENT_STEP_RESERVE;
    case PHASE_CAPTURING:
        return FULFILMENT_STEP_CAPTURE;
    case PHASE_CONFIRMING:
        return FULFILMENT_STEP_COMMIT;
    case PHASE_COMPENSATING:
        return state->cancel.answer == ANSWER_UNASKED ? FULFILMENT_STEP_PAYMENT_RELEASE
                                                      : FULFILMENT_STEP_CANCEL;
    }
    return none;
}

int64_t fulfilment_due(const void *state)
{
    const struct fulfilment *s = state;
    return s->phase == PHASE_NONE ? INT64_MAX : s->due;
}

static void start(struct fulfilment *state, const struct fulfilment_started_v1 *started)
{
    assert(started->items.count <= LINES_MAX);
    *state = (struct fulfilment){
        .order_id = started->order_id,
        .due = INT64_MAX,
        .phase = PHASE_AUTHORIZING,
        .lines_count = (uint8_t)started->items.count,
        .try = 1,
    };
    state->authorize = asked(state);
    state->lines = calloc(started->items.count, sizeof *state->lines);
    assert(state->lines);
    for (size_t i = 0; i < started->items.count; i++) {
        const struct fulfilment_item *item = &started->items.at[i];
        assert(item->sku.len <= KEY_LEN_MAX);
        state->lines[i].quantity = (int32_t)item->quantity;
        state->lines[i].sku_len = (uint8_t)item->sku.len;
        memcpy(state->lines[i].sku, item->sku.at, item->sku.len);
    }
}

static void authorized(struct fulfilment *state)
{
    state->phase = PHASE_RESERVING;
    state->authorize.answer = ANSWER_YES;
    for (size_t i = 0; i < state->lines_count; i++)
        state->lines[i].reserve = asked(state);
}

static void capturing(struct fulfilment *state)
{
    state->phase = PHASE_CAPTURING;
    state->capture = asked(state);
}

static void captured(struct fulfilment *state)
{
    state->phase = PHASE_CONFIRMING;
    state->capture.answer = ANSWER_YES;
    for (size_t i = 0; i < state->lines_count; i++)
        state->lines[i].commit = asked(state);
    state->confirm = asked(state);
}

static bool is_open(struct ask ask)
{
    return ask.answer == ANSWER_AWAITED || ask.answer == ANSWER_NO;
}

/* The order is cancelled last: when nobody holds anything for it any more. */
static void cancel_when_given_back(struct fulfilment *state)
{
    if (is_open(state->payment_release))
        return;
    for (size_t i = 0; i < state->lines_count; i++) {
        if (is_open(state->lines[i].give_back) && !MUTANT(cancel_before_given_back))
            return;
    }
    state->cancel = asked(state);
    state->needs_attention = false;
}

/* Late answers to what was asked on the way forward mean nothing from here on: what they would have
 * reserved or authorized is given back by commands that follow theirs. */
static void start_compensation(struct fulfilment *state, enum fulfilment_reason reason)
{
    state->restocking = !fulfilment_is_before_pivot(state);
    state->reason = (uint8_t)reason;
    state->phase = PHASE_COMPENSATING;
    state->needs_attention = false;
    state->authorize = state->capture = state->confirm = no_ask;
    for (size_t i = 0; i < state->lines_count; i++) {
        struct line *line = &state->lines[i];
        if (state->restocking || line->reserve.answer == ANSWER_AWAITED ||
            (line->reserve.answer == ANSWER_YES && !MUTANT(partial_reservation_not_released)))
            line->give_back = asked(state);
        line->reserve = line->commit = no_ask;
    }
    if (reason != FULFILMENT_REASON_PAYMENT_DECLINED)
        state->payment_release = asked(state);
    cancel_when_given_back(state);
}

/* Without a line in a step of lines nobody said no: the answers are overdue, and will not come
 * sooner by asking again. */
static void fail(struct fulfilment *state, const struct fulfilment_compensation_failed_v1 *failed)
{
    state->needs_attention = true;
    state->due = INT64_MAX;
    if (failed->has_line || !step_is_per_line(failed->step))
        fulfilment_ask(state, failed->step, (size_t)failed->line)->answer = ANSWER_NO;
}

static void ask_again(struct fulfilment *state, struct ask *ask)
{
    if (ask->answer == ANSWER_NO || (MUTANT(retry_asks_everybody) && ask->answer == ANSWER_YES))
        *ask = asked(state);
}

static void retry(struct fulfilment *state, uint16_t try)
{
    state->try = try;
    state->needs_attention = false;
    ask_again(state, &state->confirm);
    ask_again(state, &state->payment_release);
    ask_again(state, &state->cancel);
    for (size_t i = 0; i < state->lines_count; i++) {
        ask_again(state, &state->lines[i].commit);
        ask_again(state, &state->lines[i].give_back);
    }
}

static void give_back(struct fulfilment *state, struct ask *ask)
{
    ask->answer = ANSWER_YES;
    cancel_when_given_back(state);
}

const struct owned fulfilment_owned[] = {
    OWNED(struct fulfilment, lines, lines_count),
    OWNED_END,
};

struct fulfilment fulfilment_copy(const struct fulfilment *state)
{
    struct fulfilment copy = *state;
    if (!state->lines)
        return copy;
    size_t size = state->lines_count * sizeof *copy.lines;
    copy.lines = malloc(size);
    assert(copy.lines);
    memcpy(copy.lines, state->lines, size);
    return copy;
}

/* What happened to one line. */
static void evolve_line(struct fulfilment *s, const struct fulfilment_event *e)
{
    if (e->tag == FULFILMENT_EVENT_LINE_RESERVED_V1)
        s->lines[e->as.line_reserved_v1.line].reserve.answer = ANSWER_YES;
    else if (e->tag == FULFILMENT_EVENT_LINE_REJECTED_V1)
        s->lines[e->as.line_rejected_v1.line].reserve.answer = ANSWER_NO;
    else if (e->tag == FULFILMENT_EVENT_LINE_COMMITTED_V1)
        s->lines[e->as.line_committed_v1.line].commit.answer = ANSWER_YES;
    else if (e->tag == FULFILMENT_EVENT_LINE_RELEASED_V1)
        give_back(s, &s->lines[e->as.line_released_v1.line].give_back);
    else if (e->tag == FULFILMENT_EVENT_LINE_RESTOCKED_V1)
        give_back(s, &s->lines[e->as.line_restocked_v1.line].give_back);
}

static void note_cancellation(struct fulfilment *s, enum fulfilment_reason reason)
{
    if (reason == FULFILMENT_REASON_OPERATOR)
        s->operator_asked = true;
    else
        s->cancelling = true;
}

static void completed(struct fulfilment *s)
{
    s->phase = PHASE_CONFIRMED;
    s->needs_attention = false;
    s->due = INT64_MAX;
}

static void ended(struct fulfilment *s)
{
    s->phase = PHASE_ENDED;
    s->needs_attention = s->needs_attention && MUTANT(over_needs_attention);
    s->due = INT64_MAX;
    owned_free(fulfilment_owned, s);
}

static void set_timer(struct fulfilment *s, uint8_t step, int64_t due)
{
    s->timer_step = step;
    s->due = due;
}

void fulfilment_evolve(void *state, const void *event)
{
    struct fulfilment *s = state;
    const struct fulfilment_event *e = event;
    switch (e->tag) {
    case FULFILMENT_EVENT_STARTED_V1:
        start(s, &e->as.started_v1);
        break;
    case FULFILMENT_EVENT_AUTHORIZED_V1:
        authorized(s);
        break;
    case FULFILMENT_EVENT_LINE_RESERVED_V1:
    case FULFILMENT_EVENT_LINE_REJECTED_V1:
    case FULFILMENT_EVENT_LINE_COMMITTED_V1:
    case FULFILMENT_EVENT_LINE_RELEASED_V1:
    case FULFILMENT_EVENT_LINE_RESTOCKED_V1:
        evolve_line(s, e);
        break;
    case FULFILMENT_EVENT_CAPTURING_V1:
        capturing(s);
        break;
    case FULFILMENT_EVENT_CAPTURED_V1:
        captured(s);
        break;
    case FULFILMENT_EVENT_ORDER_CONFIRMED_V1:
        s->confirm.answer = ANSWER_YES;
        break;
    case FULFILMENT_EVENT_COMPLETED_V1:
        completed(s);
        break;
    case FULFILMENT_EVENT_CANCELLATION_NOTED_V1:
        note_cancellation(s, e->as.cancellation_noted_v1.reason);
        break;
    case FULFILMENT_EVENT_COMPENSATION_STARTED_V1:
        start_compensation(s, e->as.compensation_started_v1.reason);
        break;
    case FULFILMENT_EVENT_PAYMENT_RELEASED_V1:
        give_back(s, &s->payment_release);
        break;
    case FULFILMENT_EVENT_CANCELLED_V1:
        s->cancel.answer = ANSWER_YES;
        break;
    case FULFILMENT_EVENT_COMPENSATION_FAILED_V1:
        fail(s, &e->as.compensation_failed_v1);
        break;
    case FULFILMENT_EVENT_SHIPMENT_NOTED_V1:
        s->shipped = true;
        break;
    case FULFILMENT_EVENT_ENDED_V1:
        ended(s);
        break;
    case FULFILMENT_EVENT_RETRIED_V1:
        retry(s, (uint16_t)e->as.retried_v1.try);
        break;
    case FULFILMENT_EVENT_TIMER_SET_V1:
        set_timer(s, (uint8_t)e->as.timer_set_v1.step, e->as.timer_set_v1.due_at);
        break;
    case FULFILMENT_EVENT_TIMER_FIRED_V1:
        set_timer(s, 0, INT64_MAX);
        break;
    }
}
