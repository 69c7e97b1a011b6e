/* The payment: what the provider holds of a customer's money, as far as we know. One per order;
 * key: the payment's id. It alone knows what undoing means: voiding or refunding, now or when an
 * answer is in. */
#include <assert.h>
#include <stdlib.h>

#include "commands/aggregates.h"
#include "commands/rights.h"
#include "core/mutant.h"
#include "schemas/payment.h"

enum { NUMBER_MAX = 1000 }; /* of void_requested and refund_requested */

/* A stage in -ING awaits an answer of the provider. */
enum payment_stage {
    PAYMENT_NONE,
    PAYMENT_AUTHORIZING,
    PAYMENT_AUTHORIZE_UNKNOWN,
    PAYMENT_DECLINED,
    PAYMENT_AUTHORIZED,
    PAYMENT_CAPTURING,
    PAYMENT_CAPTURE_FAILED,
    PAYMENT_CAPTURED,
    PAYMENT_VOIDING,
    PAYMENT_VOID_FAILED,
    PAYMENT_VOIDED,
    PAYMENT_REFUNDING,
    PAYMENT_REFUND_FAILED,
    PAYMENT_REFUNDED,
};

struct payment {
    struct uuid order_id;
    int64_t amount;
    uint16_t currency; /* enum common_currency */
    /* Ordinals of the provider's keys. A refusal is kept under its key for ever, so asking again
     * needs the next one; after an unknown result it is the same one that is asked again: the money
     * may have moved. */
    uint16_t voids_refused;
    uint16_t refunds_refused;
    uint8_t stage; /* enum payment_stage */
    bool release_pending;
    bool capture_unknown; /* undoing means voiding or, if that is refused, refunding */
    uint16_t reference_len;
    uint16_t method_len;
    char *reference; /* the provider's; kept while something may have to be undone */
    char *method;    /* of payment; kept while the provider has not said yes or no to it */
};

static struct common_money amount_of(const struct payment *payment)
{
    return (struct common_money){
        .amount = payment->amount,
        .currency = (enum common_currency)payment->currency,
    };
}

static struct text reference_of(const struct payment *payment)
{
    return (struct text){payment->reference, payment->reference_len};
}

static struct text method_of(const struct payment *payment)
{
    return (struct text){payment->method, payment->method_len};
}

static int64_t ordinal(uint16_t refused)
{
    return refused < NUMBER_MAX ? refused + 1 : NUMBER_MAX;
}

static void emit_void(const struct payment *payment, struct uuid id, struct draft *draft)
{
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_VOID_REQUESTED_V1,
         .as.void_requested_v1 = {
             .payment_id = id,
             .order_id = payment->order_id,
             .has_provider_reference = payment->reference_len > 0,
             .provider_reference = reference_of(payment),
             .has_authorization = payment->reference_len == 0,
             .authorization = {amount_of(payment), method_of(payment)},
             .has_number = true,
             .number = ordinal(payment->voids_refused),
         });
}

static void emit_refund(const struct payment *payment, struct uuid id, struct draft *draft)
{
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_REFUND_REQUESTED_V1,
         .as.refund_requested_v1 = {
             .payment_id = id,
             .order_id = payment->order_id,
             .amount = amount_of(payment),
             .number = ordinal(payment->refunds_refused),
             .provider_reference = reference_of(payment),
         });
}

static void request(const struct payment *payment, const struct payment_request_v1 *command,
                    struct draft *draft)
{
    if (payment->stage != PAYMENT_NONE)
        return;
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_REQUESTED_V1,
         .as.requested_v1 = {
             .payment_id = command->payment_id,
             .order_id = command->order_id,
             .customer_id = command->customer_id,
             .amount = command->amount,
             .payment_method = command->payment_method,
         });
}

static void capture(const struct payment *payment, const struct payment_capture_v1 *command,
                    struct draft *draft)
{
    if (payment->stage == PAYMENT_CAPTURING || payment->stage == PAYMENT_CAPTURED)
        return;
    if (payment->stage != PAYMENT_AUTHORIZED) {
        draft_refuse(draft, PROBLEM_WRONG_STATE, "Only an authorized payment is captured.");
        return;
    }
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_CAPTURE_REQUESTED_V1,
         .as.capture_requested_v1 = {
             .payment_id = command->payment_id,
             .order_id = payment->order_id,
             .amount = amount_of(payment),
             .provider_reference = reference_of(payment),
         });
}

/* No event means that nothing is held. So a release that must wait says so every time it is asked.
 */
static void release(const struct payment *payment, const struct payment_release_v1 *command,
                    struct draft *draft)
{
    switch ((enum payment_stage)payment->stage) {
    case PAYMENT_NONE:
    case PAYMENT_DECLINED:
    case PAYMENT_VOIDED:
    case PAYMENT_REFUNDED:
        return;
    case PAYMENT_AUTHORIZING:
    case PAYMENT_CAPTURING:
    case PAYMENT_VOIDING:
    case PAYMENT_REFUNDING:
        EMIT(draft, payment_event, .tag = PAYMENT_EVENT_RELEASE_REQUESTED_V1,
             .as.release_requested_v1 = {
                 .payment_id = command->payment_id,
                 .order_id = payment->order_id,
             });
        return;
    case PAYMENT_AUTHORIZE_UNKNOWN:
    case PAYMENT_AUTHORIZED:
    case PAYMENT_CAPTURE_FAILED:
    case PAYMENT_VOID_FAILED:
        emit_void(payment, command->payment_id, draft);
        return;
    case PAYMENT_CAPTURED:
        if (MUTANT(void_after_capture))
            emit_void(payment, command->payment_id, draft);
        else
            emit_refund(payment, command->payment_id, draft);
        return;
    case PAYMENT_REFUND_FAILED:
        if (payment->capture_unknown)
            emit_void(payment, command->payment_id, draft);
        else
            emit_refund(payment, command->payment_id, draft);
        return;
    }
}

static void record_authorized(const struct payment *payment,
                              const struct payment_record_authorized_v1 *command,
                              struct draft *draft)
{
    if (payment->stage != PAYMENT_AUTHORIZING)
        return;
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_AUTHORIZED_V1,
         .as.authorized_v1 = {
             .payment_id = command->payment_id,
             .order_id = payment->order_id,
             .provider_reference = command->provider_reference,
         });
    if (!payment->release_pending)
        return;
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_VOID_REQUESTED_V1,
         .as.void_requested_v1 = {
             .payment_id = command->payment_id,
             .order_id = payment->order_id,
             .has_provider_reference = true,
             .provider_reference = command->provider_reference,
             .has_number = true,
             .number = 1,
         });
}

static void record_declined(const struct payment *payment,
                            const struct payment_record_declined_v1 *command, struct draft *draft)
{
    if (payment->stage != PAYMENT_AUTHORIZING)
        return;
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_DECLINED_V1,
         .as.declined_v1 = {
             .payment_id = command->payment_id,
             .order_id = payment->order_id,
             .reason = command->reason,
         });
}

static void record_captured(const struct payment *payment,
                            const struct payment_record_captured_v1 *command, struct draft *draft)
{
    if (payment->stage != PAYMENT_CAPTURING)
        return;
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_CAPTURED_V1,
         .as.captured_v1 = {
             .payment_id = command->payment_id,
             .order_id = payment->order_id,
             .amount = amount_of(payment),
         });
    if (payment->release_pending)
        emit_refund(payment, command->payment_id, draft);
}

static void record_capture_failed(const struct payment *payment,
                                  const struct payment_record_capture_failed_v1 *command,
                                  struct draft *draft)
{
    if (payment->stage != PAYMENT_CAPTURING)
        return;
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_CAPTURE_FAILED_V1,
         .as.capture_failed_v1 = {
             .payment_id = command->payment_id,
             .order_id = payment->order_id,
             .reason = command->reason,
         });
    if (payment->release_pending)
        emit_void(payment, command->payment_id, draft);
}

/* That the money is back is true even if we had given up hope: an answer that came twice may have
 * told of an earlier refusal while the next try was under way. */
static void record_voided(const struct payment *payment,
                          const struct payment_record_voided_v1 *command, struct draft *draft)
{
    if (payment->stage != PAYMENT_VOIDING && payment->stage != PAYMENT_VOID_FAILED)
        return;
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_VOIDED_V1,
         .as.voided_v1 = {.payment_id = command->payment_id, .order_id = payment->order_id});
    if (MUTANT(refund_after_void) && payment->reference_len > 0)
        emit_refund(payment, command->payment_id, draft);
}

static void record_refunded(const struct payment *payment,
                            const struct payment_record_refunded_v1 *command, struct draft *draft)
{
    if (payment->stage != PAYMENT_REFUNDING && payment->stage != PAYMENT_REFUND_FAILED)
        return;
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_REFUNDED_V1,
         .as.refunded_v1 = {
             .payment_id = command->payment_id,
             .order_id = payment->order_id,
             .amount = command->amount,
         });
}

/* Is it this operation's answer that is awaited? */
static bool awaits(const struct payment *payment, enum payment_operation operation)
{
    switch (operation) {
    case PAYMENT_OPERATION_AUTHORIZE:
        return payment->stage == PAYMENT_AUTHORIZING;
    case PAYMENT_OPERATION_CAPTURE:
        return payment->stage == PAYMENT_CAPTURING;
    case PAYMENT_OPERATION_VOID:
        return payment->stage == PAYMENT_VOIDING;
    case PAYMENT_OPERATION_REFUND:
        return payment->stage == PAYMENT_REFUNDING;
    }
    return false;
}

static void record_release_failed(const struct payment *payment,
                                  const struct payment_record_release_failed_v1 *command,
                                  struct draft *draft)
{
    if (!awaits(payment, command->operation) ||
        (payment->stage != PAYMENT_VOIDING && payment->stage != PAYMENT_REFUNDING))
        return;
    if (payment->stage == PAYMENT_VOIDING && payment->capture_unknown) {
        emit_refund(payment, command->payment_id, draft);
        return;
    }
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_RELEASE_FAILED_V1,
         .as.release_failed_v1 = {
             .payment_id = command->payment_id,
             .order_id = payment->order_id,
             .operation = command->operation,
             .reason = command->reason,
         });
}

static void record_unknown(const struct payment *payment,
                           const struct payment_record_unknown_v1 *command, struct draft *draft)
{
    if (!awaits(payment, command->operation))
        return;
    EMIT(draft, payment_event, .tag = PAYMENT_EVENT_UNKNOWN_V1,
         .as.unknown_v1 = {
             .payment_id = command->payment_id,
             .order_id = payment->order_id,
             .operation = command->operation,
             .reason = command->reason,
         });
    if (payment->release_pending &&
        (payment->stage == PAYMENT_AUTHORIZING || payment->stage == PAYMENT_CAPTURING))
        emit_void(payment, command->payment_id, draft);
}

static void payment_decide(const void *state, const struct context *context, const void *command,
                           struct draft *draft)
{
    const struct payment_command *c = command;
    if (!may_as_system(context)) {
        draft_refuse(draft, PROBLEM_FORBIDDEN,
                     "Only fulfilment and the provider's answers do this.");
        return;
    }
    switch (c->tag) {
    case PAYMENT_COMMAND_REQUEST_V1:
        request(state, &c->as.request_v1, draft);
        break;
    case PAYMENT_COMMAND_CAPTURE_V1:
        capture(state, &c->as.capture_v1, draft);
        break;
    case PAYMENT_COMMAND_RELEASE_V1:
        release(state, &c->as.release_v1, draft);
        break;
    case PAYMENT_COMMAND_RECORD_AUTHORIZED_V1:
        record_authorized(state, &c->as.record_authorized_v1, draft);
        break;
    case PAYMENT_COMMAND_RECORD_DECLINED_V1:
        record_declined(state, &c->as.record_declined_v1, draft);
        break;
    case PAYMENT_COMMAND_RECORD_CAPTURED_V1:
        record_captured(state, &c->as.record_captured_v1, draft);
        break;
    case PAYMENT_COMMAND_RECORD_CAPTURE_FAILED_V1:
        record_capture_failed(state, &c->as.record_capture_failed_v1, draft);
        break;
    case PAYMENT_COMMAND_RECORD_VOIDED_V1:
        record_voided(state, &c->as.record_voided_v1, draft);
        break;
    case PAYMENT_COMMAND_RECORD_REFUNDED_V1:
        record_refunded(state, &c->as.record_refunded_v1, draft);
        break;
    case PAYMENT_COMMAND_RECORD_RELEASE_FAILED_V1:
        record_release_failed(state, &c->as.record_release_failed_v1, draft);
        break;
    case PAYMENT_COMMAND_RECORD_UNKNOWN_V1:
        record_unknown(state, &c->as.record_unknown_v1, draft);
        break;
    }
}

static void forget(char **text, uint16_t *len)
{
    free(*text);
    *text = NULL;
    *len = 0;
}

static void remember(char **ret_text, uint16_t *ret_len, struct text text)
{
    forget(ret_text, ret_len);
    *ret_text = malloc(text.len);
    assert(*ret_text && text.len <= UINT16_MAX);
    memcpy(*ret_text, text.at, text.len);
    *ret_len = (uint16_t)text.len;
}

static void forget_all(struct payment *payment)
{
    forget(&payment->reference, &payment->reference_len);
    forget(&payment->method, &payment->method_len);
}

static void became_unknown(struct payment *payment, enum payment_operation operation)
{
    switch (operation) {
    case PAYMENT_OPERATION_AUTHORIZE:
        payment->stage = PAYMENT_AUTHORIZE_UNKNOWN;
        return;
    case PAYMENT_OPERATION_CAPTURE:
        payment->stage = PAYMENT_CAPTURE_FAILED;
        payment->capture_unknown = true;
        return;
    case PAYMENT_OPERATION_VOID:
        payment->stage = PAYMENT_VOID_FAILED;
        return;
    case PAYMENT_OPERATION_REFUND:
        payment->stage = PAYMENT_REFUND_FAILED;
        return;
    }
}

static void release_failed(struct payment *payment, enum payment_operation operation)
{
    if (operation == PAYMENT_OPERATION_VOID) {
        payment->stage = PAYMENT_VOID_FAILED;
        payment->voids_refused++;
    } else {
        payment->stage = PAYMENT_REFUND_FAILED;
        payment->refunds_refused++;
    }
}

static void payment_evolve(void *state, const void *event)
{
    struct payment *payment = state;
    const struct payment_event *e = event;
    switch (e->tag) {
    case PAYMENT_EVENT_REQUESTED_V1:
        payment->stage = PAYMENT_AUTHORIZING;
        payment->order_id = e->as.requested_v1.order_id;
        payment->amount = e->as.requested_v1.amount.amount;
        payment->currency = (uint16_t)e->as.requested_v1.amount.currency;
        remember(&payment->method, &payment->method_len, e->as.requested_v1.payment_method);
        break;
    case PAYMENT_EVENT_AUTHORIZED_V1:
        payment->stage = PAYMENT_AUTHORIZED;
        remember(&payment->reference, &payment->reference_len,
                 e->as.authorized_v1.provider_reference);
        forget(&payment->method, &payment->method_len);
        break;
    case PAYMENT_EVENT_DECLINED_V1:
        payment->stage = PAYMENT_DECLINED;
        forget_all(payment);
        break;
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
        payment->stage = PAYMENT_CAPTURING;
        break;
    case PAYMENT_EVENT_CAPTURED_V1:
        payment->stage = PAYMENT_CAPTURED;
        break;
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
        payment->stage = PAYMENT_CAPTURE_FAILED;
        break;
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
        payment->release_pending = true;
        break;
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
        payment->stage = PAYMENT_VOIDING;
        break;
    case PAYMENT_EVENT_VOIDED_V1:
        payment->stage = PAYMENT_VOIDED;
        forget_all(payment);
        break;
    case PAYMENT_EVENT_REFUND_REQUESTED_V1:
        if (payment->stage == PAYMENT_VOIDING)
            payment->voids_refused++;
        payment->stage = PAYMENT_REFUNDING;
        break;
    case PAYMENT_EVENT_REFUNDED_V1:
        payment->stage = PAYMENT_REFUNDED;
        forget_all(payment);
        break;
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
        release_failed(payment, e->as.release_failed_v1.operation);
        break;
    case PAYMENT_EVENT_UNKNOWN_V1:
        became_unknown(payment, e->as.unknown_v1.operation);
        break;
    }
}

static void payment_show(const void *state, struct json_write *out)
{
    static const char *const stages[] = {
        [PAYMENT_NONE] = "none",
        [PAYMENT_AUTHORIZING] = "authorizing",
        [PAYMENT_AUTHORIZE_UNKNOWN] = "authorize_unknown",
        [PAYMENT_DECLINED] = "declined",
        [PAYMENT_AUTHORIZED] = "authorized",
        [PAYMENT_CAPTURING] = "capturing",
        [PAYMENT_CAPTURE_FAILED] = "capture_failed",
        [PAYMENT_CAPTURED] = "captured",
        [PAYMENT_VOIDING] = "voiding",
        [PAYMENT_VOID_FAILED] = "void_failed",
        [PAYMENT_VOIDED] = "voided",
        [PAYMENT_REFUNDING] = "refunding",
        [PAYMENT_REFUND_FAILED] = "refund_failed",
        [PAYMENT_REFUNDED] = "refunded",
    };
    const struct payment *payment = state;
    json_write_uuid(out, "order_id", payment->order_id);
    json_write_text(out, "stage", text_of(stages[payment->stage]));
    json_write_begin(out, "amount", '{');
    json_write_number(out, "amount", payment->amount);
    json_write_text(out, "currency", common_currency_text((enum common_currency)payment->currency));
    json_write_end(out, '}');
    json_write_text(out, "provider_reference", reference_of(payment));
    json_write_text(out, "payment_method", method_of(payment));
    json_write_boolean(out, "release_pending", payment->release_pending);
    json_write_boolean(out, "capture_unknown", payment->capture_unknown);
    json_write_number(out, "voids_refused", payment->voids_refused);
    json_write_number(out, "refunds_refused", payment->refunds_refused);
}

static const struct owned payment_owned[] = {
    OWNED(struct payment, reference, reference_len),
    OWNED(struct payment, method, method_len),
    OWNED_END,
};

const struct aggregate payment_aggregate = {
    .service = "payment",
    .commands = &payment_commands,
    .events = &payment_events,
    .state_size = sizeof(struct payment),
    .decide = payment_decide,
    .evolve = payment_evolve,
    .owned = payment_owned,
    .show = payment_show,
};
