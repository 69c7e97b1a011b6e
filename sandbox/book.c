/* Rules of a charge's life, as one table, and the JSON of its records. */
#include "sandbox/book.h"

#include <assert.h>
#include <string.h>

#include "sandbox/memory.h"

static const char *const status_names[] = {
    [CHARGE_AUTHORIZED] = "authorized", [CHARGE_DECLINED] = "declined",
    [CHARGE_CAPTURED] = "captured",     [CHARGE_VOIDED] = "voided",
    [CHARGE_REFUNDED] = "refunded",     [CHARGE_PARTIALLY_REFUNDED] = "partially_refunded",
};

static const char *const operation_names[] = {
    [OPERATION_AUTHORIZE] = "authorize",
    [OPERATION_CAPTURE] = "capture",
    [OPERATION_REFUND] = "refund",
    [OPERATION_VOID] = "void",
};

static const char *const refusal_names[] = {
    [REFUSAL_NONE] = "none",
    [REFUSAL_PAYMENT_DECLINED] = "payment_declined",
    [REFUSAL_CAPTURE_DECLINED] = "capture_declined",
    [REFUSAL_REFUND_REFUSED] = "refund_refused",
    [REFUSAL_VOID_REFUSED] = "void_refused",
    [REFUSAL_CHARGE_DECLINED] = "charge_declined",
    [REFUSAL_NOT_CAPTURED] = "not_captured",
    [REFUSAL_ALREADY_CAPTURED] = "already_captured",
    [REFUSAL_ALREADY_VOIDED] = "already_voided",
    [REFUSAL_ALREADY_REFUNDED] = "already_refunded",
    [REFUSAL_REFUND_EXCEEDS_CAPTURED] = "refund_exceeds_captured",
};

enum { KINDS = OPERATION_VOID + 1, STATUSES = CHARGE_PARTIALLY_REFUNDED + 1 };

static const enum refusal legality[KINDS][STATUSES] = {
    [OPERATION_CAPTURE] =
        {
            [CHARGE_AUTHORIZED] = REFUSAL_NONE,
            [CHARGE_DECLINED] = REFUSAL_CHARGE_DECLINED,
            [CHARGE_CAPTURED] = REFUSAL_ALREADY_CAPTURED,
            [CHARGE_VOIDED] = REFUSAL_ALREADY_VOIDED,
            [CHARGE_REFUNDED] = REFUSAL_ALREADY_CAPTURED,
            [CHARGE_PARTIALLY_REFUNDED] = REFUSAL_ALREADY_CAPTURED,
        },
    [OPERATION_REFUND] =
        {
            [CHARGE_AUTHORIZED] = REFUSAL_NOT_CAPTURED,
            [CHARGE_DECLINED] = REFUSAL_CHARGE_DECLINED,
            [CHARGE_CAPTURED] = REFUSAL_NONE,
            [CHARGE_VOIDED] = REFUSAL_ALREADY_VOIDED,
            [CHARGE_REFUNDED] = REFUSAL_ALREADY_REFUNDED,
            [CHARGE_PARTIALLY_REFUNDED] = REFUSAL_NONE,
        },
    [OPERATION_VOID] =
        {
            [CHARGE_AUTHORIZED] = REFUSAL_NONE,
            [CHARGE_DECLINED] = REFUSAL_CHARGE_DECLINED,
            [CHARGE_CAPTURED] = REFUSAL_ALREADY_CAPTURED,
            [CHARGE_VOIDED] = REFUSAL_ALREADY_VOIDED,
            [CHARGE_REFUNDED] = REFUSAL_ALREADY_CAPTURED,
            [CHARGE_PARTIALLY_REFUNDED] = REFUSAL_ALREADY_CAPTURED,
        },
};

/* What the payment method refuses although it would be legal. */
static enum refusal unwilling(const struct charge *charge, enum operation_kind kind)
{
    enum behaviour_kind behaviour = charge->behaviour.kind;
    if (kind == OPERATION_AUTHORIZE && behaviour == BEHAVIOUR_DECLINED)
        return REFUSAL_PAYMENT_DECLINED;
    if (kind == OPERATION_CAPTURE && behaviour == BEHAVIOUR_CAPTURE_DECLINED)
        return REFUSAL_CAPTURE_DECLINED;
    if (kind == OPERATION_REFUND && behaviour == BEHAVIOUR_REFUND_REFUSED)
        return REFUSAL_REFUND_REFUSED;
    if (kind == OPERATION_VOID && behaviour == BEHAVIOUR_VOID_REFUSED)
        return REFUSAL_VOID_REFUSED;
    return REFUSAL_NONE;
}

enum refusal book_judge(const struct charge *charge, enum operation_kind kind, int64_t amount_minor)
{
    if (kind != OPERATION_AUTHORIZE) {
        enum refusal refusal = legality[kind][charge->now.status];
        if (refusal != REFUSAL_NONE)
            return refusal;
    }
    int64_t refundable = charge->now.captured_minor - charge->now.refunded_minor;
    if (kind == OPERATION_REFUND && amount_minor > refundable)
        return REFUSAL_REFUND_EXCEEDS_CAPTURED;
    return unwilling(charge, kind);
}

void book_move(struct charge *charge, enum operation_kind kind, int64_t amount_minor)
{
    struct holdings *now = &charge->now;
    switch (kind) {
    case OPERATION_AUTHORIZE:
        now->status = CHARGE_AUTHORIZED;
        break;
    case OPERATION_CAPTURE:
        now->status = CHARGE_CAPTURED;
        now->captured_minor += amount_minor;
        break;
    case OPERATION_REFUND:
        now->refunded_minor += amount_minor;
        now->status = now->refunded_minor == now->captured_minor ? CHARGE_REFUNDED
                                                                 : CHARGE_PARTIALLY_REFUNDED;
        break;
    case OPERATION_VOID:
        now->status = CHARGE_VOIDED;
        break;
    }
    assert(now->captured_minor <= charge->amount_minor);
    assert(now->refunded_minor <= now->captured_minor);
}

json_t *book_charge_json(const struct charge *charge, const struct holdings *holdings)
{
    return memory_checked(json_pack(
        "{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:b, s:s, s:s}", "id", charge->id, "status",
        status_names[holdings->status], "amount", (json_int_t)charge->amount_minor, "currency",
        charge->currency, "reference", charge->reference, "captured",
        (json_int_t)holdings->captured_minor, "refunded", (json_int_t)holdings->refunded_minor,
        "voided", holdings->status == CHARGE_VOIDED, "payment_method", charge->payment_method,
        "idempotency_key", charge->operations[0]->key));
}

json_t *book_operation_json(const struct operation *operation)
{
    bool refused = operation->refusal != REFUSAL_NONE;
    json_t *json = memory_checked(
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "key", operation->key, "operation",
                  operation_names[operation->kind], "charge_id", operation->charge->id, "status",
                  refused ? "refused" : "ok", "amount", (json_int_t)operation->amount_minor, "seq",
                  (json_int_t)operation->seq, "at", operation->at));
    if (refused)
        json_object_set_new(json, "error", json_string(refusal_names[operation->refusal]));
    return json;
}

json_t *book_answer_json(const struct operation *operation)
{
    json_t *json = book_charge_json(operation->charge, &operation->after);
    json_object_set_new(json, "operation", book_operation_json(operation));
    return json;
}

json_t *book_entry_json(const struct operation *operation)
{
    json_t *json = book_operation_json(operation);
    json_object_set_new(json, "reference", json_string(operation->charge->reference));
    return json;
}

const char *operation_name(enum operation_kind kind)
{
    return operation_names[kind];
}

bool operation_parse(const char *name, enum operation_kind *ret_kind)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (strcmp(operation_names[kind], name) == 0) {
            *ret_kind = (enum operation_kind)kind;
            return true;
        }
    }
    return false;
}

const char *refusal_name(enum refusal refusal)
{
    return refusal_names[refusal];
}
