/*
 * The provider's books: charges and the operations on them, with the rules of what is legal.
 * Every operation is one journal entry, written before it takes effect, and the books are the
 * fold of the journal. All functions may be called from any thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/behaviour.h"

struct ledger;

enum operation_kind {
    OPERATION_AUTHORIZE,
    OPERATION_CAPTURE,
    OPERATION_REFUND,
    OPERATION_VOID,
};

/* Why the provider said no. A refusal is an answer: it is kept under its key and never changes. */
enum refusal {
    REFUSAL_NONE,
    REFUSAL_PAYMENT_DECLINED,
    REFUSAL_CAPTURE_DECLINED,
    REFUSAL_REFUND_REFUSED,
    REFUSAL_VOID_REFUSED,
    REFUSAL_CHARGE_DECLINED,
    REFUSAL_NOT_CAPTURED,
    REFUSAL_ALREADY_CAPTURED,
    REFUSAL_ALREADY_VOIDED,
    REFUSAL_ALREADY_REFUNDED,
    REFUSAL_REFUND_EXCEEDS_CAPTURED,
};

enum ledger_outcome {
    LEDGER_EXECUTED,       /* now, for the first time; `refusal` may say no */
    LEDGER_REPLAYED,       /* the key's first answer again, nothing happened */
    LEDGER_KEY_REUSED,     /* the key belongs to another request */
    LEDGER_NOT_FOUND,      /* no such charge */
    LEDGER_INVALID_AMOUNT, /* not an amount this operation can have; key not used up */
    LEDGER_ERROR_ASKED,    /* the payment method asks for a failure; key not used up */
    LEDGER_JOURNAL_FAILED, /* could not be made durable, so did not happen */
};

enum { LEDGER_AMOUNT_WHOLE = -1 };

struct ledger_request {
    enum operation_kind kind;
    const char *charge_id; /* NULL for authorize */
    const char *key;
    const char *body;     /* canonical text: what "the same body" means */
    int64_t amount_minor; /* or LEDGER_AMOUNT_WHOLE: all there is to capture, refund or void */
    const char *currency; /* these three for authorize only */
    const char *reference;
    const char *payment_method; /* already accepted by behaviour_parse() */
};

struct ledger_result {
    enum ledger_outcome outcome;
    enum refusal refusal;
    struct behaviour behaviour;
    json_t *charge;     /* as the operation left it; NULL unless executed or replayed; owned */
    json_t *authorized; /* as authorize left it; likewise */
};

/* `path` NULL: in memory only. NULL on failure with a message in `ret_why`. */
struct ledger *ledger_open(const char *path, bool sync, char *ret_why, size_t why_size);

/* Takes NULL. No call may be under way. */
void ledger_close(struct ledger *ledger);

/* Blocks on disk. The caller ends the result with ledger_result_finish(). */
struct ledger_result ledger_execute(struct ledger *ledger, const struct ledger_request *request);
void ledger_result_finish(struct ledger_result *result);

/* The charge as it is now, or NULL. The caller owns it. */
json_t *ledger_charge(struct ledger *ledger, const char *charge_id);

/* {"charges":[...],"operations":[...]}: what the key did, both empty if nothing. Owned. */
json_t *ledger_by_key(struct ledger *ledger, const char *key);

/* The whole books as JSON text; the caller frees. */
char *ledger_text(struct ledger *ledger);

const char *operation_name(enum operation_kind kind);
bool operation_parse(const char *name, enum operation_kind *ret_kind);
const char *refusal_name(enum refusal refusal);
