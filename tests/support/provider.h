/* A payment provider in memory, as effects see it: it keeps each answer under its key for ever. */
#ifndef TESTS_SUPPORT_PROVIDER_H
#define TESTS_SUPPORT_PROVIDER_H

#include "tests/support/people.h"

enum operation { OPERATION_AUTHORIZE, OPERATION_CAPTURE, OPERATION_VOID, OPERATION_REFUND };
enum verdict_of_provider { PROVIDER_YES, PROVIDER_NO, PROVIDER_SILENT };
enum { OPERATIONS = 4, ORDINALS_MAX = 64 };

/* Percent. Silent: nobody learns the answer, whichever it was. */
struct mood {
    unsigned no[OPERATIONS];
    unsigned silent[OPERATIONS];
};

/* What the provider holds for one payment; amounts in minor units. */
struct account {
    int64_t authorized;
    int64_t captured;
    int64_t voided;
    int64_t refunded;
    unsigned captures;
    unsigned refunds;
    bool refused_undo;                      /* said no to, or kept silent about, a void or refund */
    uint8_t kept[OPERATIONS][ORDINALS_MAX]; /* 1 + verdict, by ordinal */
};

/* number: the ordinal of the key. */
enum verdict_of_provider provider_ask(struct account *account, const struct mood *mood,
                                      struct chance *chance, enum operation operation,
                                      int64_t number, int64_t amount);

#endif
