/* The payment provider of the world: honours idempotency keys, and has every bad habit. Its ledger
 * shares no code with what it bears witness to. Behind runtime/http_out.h (http.c). */
#ifndef TESTS_SIM_BANK_H
#define TESTS_SIM_BANK_H

#include "core/text.h"
#include "core/uuid.h"

struct bank_account { /* one per reference, that is: per order */
    struct uuid order;
    int charges; /* authorized */
    int64_t authorized, captured, voided, refunded;
    int captures, voids, refunds;
    bool refused_undo; /* it has said no to giving back */
};

enum { BANK_ANSWER_MAX = 1024 };
struct bank_answer {
    int status;
    size_t len;
    char body[BANK_ANSWER_MAX];
};

void bank_begin(void);
void http_begin(void);
/* The calls that are still on their way arrive. */
void http_deliver(void);
/* From now on nobody is refused anything that is legal. */
void bank_heal(void);
/* Carries the request out, whether or not anybody hears the answer. */
void bank_ask(const char *method, const char *path, const char *key, struct text body,
              struct bank_answer *ret_answer);
const struct bank_account *bank_account(struct uuid order);
size_t bank_accounts(const struct bank_account **ret_accounts);

#endif
