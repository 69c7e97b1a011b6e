/* Every order is made or unmade, once, and the books agree. */
#include <stdio.h>

#include "tests/sim/bank.h"
#include "tests/sim/case.h"
#include "tests/sim/check_parts.h"

#define BAD(c, ...)                                 \
    do {                                            \
        char id_[UUID_TEXT_LEN + 1], said_[260];    \
        uuid_format((c)->id, id_);                  \
        snprintf(said_, sizeof said_, __VA_ARGS__); \
        violate("ORDER %.8s: %s", id_, said_);      \
    } while (0)

bool check_trade_is_over(void)
{
    for (const struct order_case *c = case_first(); c; c = c->next)
        if (!case_is_over(c))
            return false;
    return true;
}

static void check_money(const struct order_case *c)
{
    const struct bank_account *a = bank_account(c->id);
    int64_t kept = c->cancelled ? 0 : c->total;
    if (a->charges > 1 || a->captures > 1)
        BAD(c, "charged %d times, captured %d times", a->charges, a->captures);
    if (a->authorized != (a->charges ? c->total : 0))
        BAD(c, "authorized %lld of %lld", (long long)a->authorized, (long long)c->total);
    if (a->captured - a->refunded != kept)
        BAD(c, "captured %lld, refunded %lld, must keep %lld", (long long)a->captured,
            (long long)a->refunded, (long long)kept);
    if (c->cancelled && a->authorized != a->captured && a->voided != a->authorized)
        BAD(c, "authorized %lld, captured %lld, voided %lld of a cancelled order",
            (long long)a->authorized, (long long)a->captured, (long long)a->voided);
}

static void check_lines(const struct order_case *c)
{
    for (int i = 0; i < c->lines_count && i < CASE_LINES_MAX; i++) {
        const struct case_line *l = &c->lines[i];
        bool right = c->cancelled
                         ? l->reserved == l->released + l->committed && l->committed == l->restocked
                         : l->committed == 1 && l->restocked == 0;
        if (!right)
            BAD(c, "line %d of %s order: reserved %d, released %d, committed %d, restocked %d", i,
                c->cancelled ? "a cancelled" : "an", l->reserved, l->released, l->committed,
                l->restocked);
    }
}

static void check_case(const struct order_case *c)
{
    if (!c->placed) {
        if (c->started || c->requested)
            BAD(c, "fulfilled though it was not placed");
        return;
    }
    if (!case_is_over(c)) {
        BAD(c, "LIVENESS not over: %s", case_state(c));
        return;
    }
    if (c->cancelled && c->shipped)
        BAD(c, "shipped and cancelled");
    if (c->started != 1)
        BAD(c, "its saga began %d times", c->started);
    counters.orders_confirmed += c->confirmed && !c->cancelled;
    counters.orders_cancelled += c->cancelled;
    counters.orders_shipped += c->shipped;
    check_money(c);
    check_lines(c);
}

void check_trade(void)
{
    for (const struct order_case *c = case_first(); c; c = c->next)
        check_case(c);
    for (const struct stock_case *s = stock_first(); s; s = s->next)
        if (s->reserved != 0)
            violate("STOCK %.*s: %lld reserved for nobody", (int)s->sku.len, s->sku.at,
                    (long long)s->reserved);
    const struct bank_account *accounts;
    size_t n = bank_accounts(&accounts);
    for (size_t i = 0; i < n; i++) {
        const struct order_case *c = case_first();
        while (c && !uuid_equal(c->id, accounts[i].order))
            c = c->next;
        if (!c || !c->placed)
            violate("MONEY the provider holds a charge of an order that was never placed");
    }
}
