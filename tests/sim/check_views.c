/* Read models: as far as the logs, and equal to the fold of them, by the product's own rebuild and
 * by the checker's counting; payments by what the provider did. */
#include <stdio.h>

#include "app/house.h"
#include "projections/projections.h"
#include "runtime/refold.h"
#include "runtime/row.h"
#include "tests/sim/bank.h"
#include "tests/sim/case.h"
#include "tests/sim/check_parts.h"
#include "tests/sim/database.h"
#include "tests/sim/staff.h"

enum { PROJECTIONS_MAX = 64 };

static bool is_current(const struct projection *projection)
{
    for (size_t i = 0; i < tapes_count(); i++) {
        const struct tape *t = tape_at(i);
        for (const char *const *source = projection->sources; *source; source++)
            if (strcmp(*source, t->service->name) == 0 &&
                database_next_offset(projection, t->log->name, t->partition) != t->after_valid)
                return false;
    }
    return true;
}

bool check_views_are_current(void)
{
    const struct projection *kept[PROJECTIONS_MAX];
    size_t n = staff_projections(kept);
    for (size_t i = 0; i < n; i++)
        if (!is_current(kept[i]))
            return false;
    return true;
}

/* ---- equal to the rebuild ------------------------------------------------------------------- */

struct comparison {
    const struct refold *refold;
    size_t rows;
    uint64_t digest;
};

static void compare(void *context, const void *row)
{
    struct comparison *c = context;
    const struct projection *projection = c->refold->projection;
    char key[300] = "";
    uint32_t slot = row_table_find(&c->refold->rows, row, row_key_hash(projection, row));
    c->rows++;
    c->digest += row_digest(projection, row);
    row_key_print(projection, row, key, sizeof key);
    if (slot == ROW_SLOT_NONE)
        violate("VIEW %s: %s is not in the log", projection->name, key);
    else if (!row_equal(projection, row_table_at(&c->refold->rows, slot)->row, row))
        violate("VIEW %s: %s differs from the fold of the log", projection->name, key);
}

static void check_equal(const struct projection *projection)
{
    struct refold refold;
    uint32_t hi = 0;
    int64_t rows = 0;
    uint64_t digest = 0;
    struct log *log = broker_log(&world.procs[0], "checker");
    struct err e = refold_open(&refold, log, &house_vocabularies, projection, 0);
    if (e.code != ERR_OK) {
        violate("VIEW %s: cannot be rebuilt: %s", projection->name, e.what);
        return;
    }
    e = refold_to_ends(&refold);
    if (e.code == ERR_OK)
        e = refold_range(&refold, 0, &hi);
    struct comparison c = {.refold = &refold};
    database_each(projection, compare, &c);
    row_table_digest(&refold.rows, &rows, &digest);
    if (e.code != ERR_OK)
        violate("VIEW %s: the rebuild fails: %s", projection->name, refold.failure);
    else if ((int64_t)c.rows != rows || c.digest != digest)
        violate("VIEW %s: %zu rows, the log says %lld", projection->name, c.rows, (long long)rows);
    else if (!database_tally_is(projection, rows, digest))
        violate("VIEW %s: the catalogue's digest is not that of the table", projection->name);
    refold_close(&refold);
}

/* ---- equal to what the checker counted ------------------------------------------------------ */

static int64_t number_in(const struct projection *projection, const void *row, const char *name)
{
    int64_t value = -1;
    for (size_t i = 0; row && i < projection->columns_count; i++)
        if (strcmp(projection->columns[i].name, name) == 0)
            memcpy(&value, row_at(&projection->columns[i], row), sizeof value);
    return value;
}

static bool text_in(const struct projection *projection, const void *row, const char *name,
                    const char *wanted)
{
    for (size_t i = 0; row && i < projection->columns_count; i++)
        if (strcmp(projection->columns[i].name, name) == 0)
            return text_is(row_text(&projection->columns[i], row), wanted);
    return false;
}

/* The row whose key is one UUID, or one text. */
static const void *row_of(const struct projection *projection, struct uuid id)
{
    _Alignas(16) char key[4096] = {0};
    memcpy(key + projection->columns[0].offset, &id, sizeof id);
    return database_row(projection, key);
}

static const void *row_of_sku(const struct projection *projection, struct text sku)
{
    _Alignas(16) char key[4096] = {0};
    uint16_t len = (uint16_t)sku.len;
    memcpy(key + projection->columns[0].offset, &len, sizeof len);
    memcpy(key + projection->columns[0].offset + sizeof len, sku.at, len);
    return database_row(projection, key);
}

static const char *order_status(const struct order_case *c)
{
    return c->cancelled    ? "cancelled"
           : c->delivered  ? "delivered"
           : c->shipped    ? "shipped"
           : c->cancelling ? "cancelling"
           : c->confirmed  ? "confirmed"
                           : "pending";
}

static void check_order_row(const struct order_case *c)
{
    const char *status = order_status(c);
    const void *row = row_of(&orders_projection, c->id);
    int events =
        c->placed + c->confirmed + c->cancelling + c->cancelled + c->shipped + c->delivered;
    if (!row || number_in(&orders_projection, row, "version") != events ||
        number_in(&orders_projection, row, "total") != c->total ||
        !text_in(&orders_projection, row, "status", status))
        violate("VIEW orders: an order is not %s with %d events", status, events);
}

static const char *payment_status(const struct bank_account *a)
{
    return a->refunds ? "refunded" : a->captures ? "captured" : a->voids ? "voided" : "";
}

/* By the provider's account, which has seen no event; where nothing was charged, it has no word for
 * it. */
static void check_payment_row(const struct order_case *c)
{
    const struct bank_account *a = bank_account(c->id);
    const void *row = row_of(&payments_projection, uuid_derive(c->id, TEXT("payment")));
    const char *status = payment_status(a);
    if (!row || number_in(&payments_projection, row, "amount") != c->total ||
        number_in(&payments_projection, row, "captured_amount") != a->captured ||
        number_in(&payments_projection, row, "refunded_amount") != a->refunded ||
        (status[0] && !text_in(&payments_projection, row, "status", status)))
        violate("VIEW payments: a payment is not %s of %lld, captured %lld, refunded %lld", status,
                (long long)c->total, (long long)a->captured, (long long)a->refunded);
}

static void check_fulfilment_row(const struct order_case *c)
{
    const void *row = row_of(&fulfilments_projection, c->id);
    if (!text_in(&fulfilments_projection, row, "failed_step", "") ||
        !text_in(&fulfilments_projection, row, "due_step", ""))
        violate("VIEW fulfilments: one that is over has failed, or waits");
}

static void check_order_rows(const struct order_case *c)
{
    if (database_has(&orders_projection))
        check_order_row(c);
    if (database_has(&payments_projection) && c->requested)
        check_payment_row(c);
    if (database_has(&fulfilments_projection))
        check_fulfilment_row(c);
}

static void check_stock_row(const struct stock_case *s)
{
    const void *row = row_of_sku(&stock_projection, s->sku);
    if (!row || number_in(&stock_projection, row, "on_hand") != s->on_hand ||
        number_in(&stock_projection, row, "reserved") != s->reserved ||
        number_in(&stock_projection, row, "committed") != s->committed ||
        number_in(&stock_projection, row, "adjusted") != s->adjusted ||
        number_in(&stock_projection, row, "received") != s->received ||
        number_in(&stock_projection, row, "version") != s->version)
        violate("VIEW stock: %.*s differs from what was counted", (int)s->sku.len, s->sku.at);
}

static void check_availability_row(const struct stock_case *s)
{
    const void *row = row_of_sku(&availability_projection, s->sku);
    if (!row || number_in(&availability_projection, row, "on_hand") != s->on_hand)
        violate("VIEW availability: %.*s is not what was counted", (int)s->sku.len, s->sku.at);
}

static size_t lines_placed(void)
{
    size_t n = 0;
    for (const struct order_case *c = case_first(); c; c = c->next)
        n += c->placed ? (size_t)c->lines_count : 0;
    return n;
}

void check_views(void)
{
    const struct projection *kept[PROJECTIONS_MAX];
    size_t n = staff_projections(kept);
    for (size_t i = 0; i < n; i++) {
        if (!is_current(kept[i]))
            violate("LIVENESS read model %s is behind", kept[i]->name);
        else
            check_equal(kept[i]);
    }
    for (const struct order_case *c = case_first(); c; c = c->next)
        if (c->placed)
            check_order_rows(c);
    for (const struct stock_case *s = stock_first(); s; s = s->next) {
        if (database_has(&stock_projection))
            check_stock_row(s);
        if (database_has(&availability_projection))
            check_availability_row(s);
    }
    if (database_has(&order_lines_projection) &&
        database_rows(&order_lines_projection) != lines_placed())
        violate("VIEW order_lines: not %zu lines", lines_placed());
}
