/* Read models: as far as the logs, and equal to the fold of them, by the product's own rebuild and
 * by the checker's counting. */
#include <stdio.h>

#include "app/house.h"
#include "projections/projections.h"
#include "runtime/refold.h"
#include "runtime/row.h"
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

static bool status_is(const struct projection *projection, const void *row, const char *status)
{
    for (size_t i = 0; i < projection->columns_count; i++)
        if (strcmp(projection->columns[i].name, "status") == 0)
            return text_is(row_text(&projection->columns[i], row), status);
    return false;
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
    _Alignas(16) char key[4096] = {0};
    const char *status = order_status(c);
    memcpy(key + orders_projection.columns[0].offset, &c->id, sizeof c->id);
    const void *row = database_row(&orders_projection, key);
    int events =
        c->placed + c->confirmed + c->cancelling + c->cancelled + c->shipped + c->delivered;
    if (!row || number_in(&orders_projection, row, "version") != events ||
        number_in(&orders_projection, row, "total") != c->total ||
        !status_is(&orders_projection, row, status))
        violate("VIEW orders: an order is not %s with %d events", status, events);
}

static void check_stock_row(const struct stock_case *s)
{
    _Alignas(16) char key[1024] = {0};
    uint16_t len = (uint16_t)s->sku.len;
    memcpy(key + stock_projection.columns[0].offset, &len, sizeof len);
    memcpy(key + stock_projection.columns[0].offset + sizeof len, s->sku.at, len);
    const void *row = database_row(&stock_projection, key);
    if (!row || number_in(&stock_projection, row, "on_hand") != s->on_hand ||
        number_in(&stock_projection, row, "committed") != s->committed ||
        number_in(&stock_projection, row, "received") != s->received ||
        number_in(&stock_projection, row, "version") != s->version)
        violate("VIEW stock: %.*s differs from what was counted", (int)s->sku.len, s->sku.at);
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
    for (const struct order_case *c = case_first(); c && database_has(&orders_projection);
         c = c->next)
        if (c->placed)
            check_order_row(c);
    for (const struct stock_case *s = stock_first(); s && database_has(&stock_projection);
         s = s->next)
        check_stock_row(s);
}
