/* Holds money, and remembers what it said. */
#include "tests/support/provider.h"

#include <check.h>

static bool is_possible(const struct account *account, enum operation operation)
{
    switch (operation) {
    case OPERATION_AUTHORIZE:
        return true;
    case OPERATION_CAPTURE:
        return account->authorized > 0 && !account->captured && !account->voided;
    case OPERATION_VOID:
        return !account->captured;
    case OPERATION_REFUND:
        return account->captured > account->refunded;
    }
    return false;
}

static void execute(struct account *account, enum operation operation, int64_t amount)
{
    switch (operation) {
    case OPERATION_AUTHORIZE:
        account->authorized += amount;
        break;
    case OPERATION_CAPTURE:
        account->captured += amount;
        account->captures++;
        break;
    case OPERATION_VOID:
        account->voided = account->authorized;
        break;
    case OPERATION_REFUND:
        account->refunded += amount;
        account->refunds++;
        break;
    }
}

enum verdict_of_provider provider_ask(struct account *account, const struct mood *mood,
                                      struct chance *chance, enum operation operation,
                                      int64_t number, int64_t amount)
{
    if (operation > OPERATION_REFUND || number < 1 || number >= ORDINALS_MAX)
        ck_abort_msg("ordinal %lld", (long long)number);
    uint8_t *kept = &account->kept[operation][number];
    bool silent = chance_percent(chance, mood->silent[operation]);
    bool arrives = !silent || chance_percent(chance, 50);
    if (arrives && !*kept) {
        bool yes = is_possible(account, operation) && !chance_percent(chance, mood->no[operation]);
        if (yes)
            execute(account, operation, amount);
        *kept = (uint8_t)(1 + (yes ? PROVIDER_YES : PROVIDER_NO));
    }
    enum verdict_of_provider verdict =
        silent ? PROVIDER_SILENT : (enum verdict_of_provider)(*kept - 1);
    if (verdict != PROVIDER_YES && (operation == OPERATION_VOID || operation == OPERATION_REFUND))
        account->refused_undo = true;
    return verdict;
}
