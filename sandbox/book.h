/* The records of the ledger and their JSON. Private to ledger.c and book.c. */
#pragma once

#include "sandbox/ledger.h"

enum charge_status {
    CHARGE_AUTHORIZED,
    CHARGE_DECLINED,
    CHARGE_CAPTURED,
    CHARGE_VOIDED,
    CHARGE_REFUNDED,
    CHARGE_PARTIALLY_REFUNDED,
};

enum { BOOK_ID_SIZE = 32, BOOK_TIME_SIZE = 32 };

/* The part of a charge that operations change. */
struct holdings {
    enum charge_status status;
    int64_t captured_minor;
    int64_t refunded_minor;
};

struct operation {
    uint64_t seq;
    enum operation_kind kind;
    enum refusal refusal;
    char *key;
    char *body;
    int64_t amount_minor;
    char at[BOOK_TIME_SIZE]; /* RFC 3339, UTC */
    struct charge *charge;
    struct holdings after; /* so that a replay gives the same answer, whatever came later */
};

struct charge {
    char id[BOOK_ID_SIZE];
    char currency[4];
    char *reference;
    char *payment_method;
    struct behaviour behaviour;
    int64_t amount_minor;
    struct holdings now;
    struct operation **operations; /* the first is authorize; owned by the ledger */
    size_t operation_count;
};

/* Is the operation legal now? `amount_minor` is settled already. */
enum refusal book_judge(const struct charge *charge, enum operation_kind kind,
                        int64_t amount_minor);

/* Changes the charge as a legal operation does. */
void book_move(struct charge *charge, enum operation_kind kind, int64_t amount_minor);

/* All of these return a new reference. */
json_t *book_charge_json(const struct charge *charge, const struct holdings *holdings);
json_t *book_answer_json(const struct operation *operation);
json_t *book_operation_json(const struct operation *operation);
json_t *book_entry_json(const struct operation *operation);
