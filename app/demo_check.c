/* Three witnesses: timelines, read models, ledger. */
#include "app/demo_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/demo_screen.h"

enum { TRIES = 60, PAUSE_MS = 50, AMOUNT_MAX = 32 };

static void complain(struct demo_findings *findings, bool *agrees, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain(struct demo_findings *findings, bool *agrees, const char *format, ...)
{
    va_list arguments;
    *agrees = false;
    if (findings->complaints_count == DEMO_COMPLAINTS_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(findings->complaints[findings->complaints_count++], DEMO_COMPLAINT_MAX, format,
              arguments);
    va_end(arguments);
}

static int64_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static const char *word(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

/* ---- money ---------------------------------------------------------------------------------- */

static void compare_money(struct demo_findings *findings, int n, const char *witness,
                          const struct demo_money *said)
{
    struct demo_money meant = demo_story_money(&demo_stories[n]);
    if (!demo_money_equal(said, &meant))
        complain(
            findings, &findings->order_agrees[n],
            "order %d (%s): %s says authorized %lld, captured %lld, voided %lld, refunded %lld; "
            "expected %lld, %lld, %lld, %lld",
            n + 1, demo_stories[n].name, witness, (long long)said->authorized,
            (long long)said->captured, (long long)said->voided, (long long)said->refunded,
            (long long)meant.authorized, (long long)meant.captured, (long long)meant.voided,
            (long long)meant.refunded);
}

static int64_t amount_of(const json_t *payment, const char *name)
{
    return number(json_object_get(payment, name), "amount");
}

static struct demo_money payment_money(const json_t *payment)
{
    static const char *const held[] = {"authorized", "captured", "capture_failed", "voided",
                                       "refunded"};
    struct demo_money money = {.captured = amount_of(payment, "captured"),
                               .refunded = amount_of(payment, "refunded")};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        if (strcmp(word(payment, "status"), held[i]) == 0)
            money.authorized = amount_of(payment, "amount");
    if (strcmp(word(payment, "status"), "voided") == 0)
        money.voided = amount_of(payment, "amount");
    return money;
}

static bool check_payment(struct demo_http *api, int n, const struct demo_order *order,
                          struct demo_findings *findings)
{
    char path[DEMO_URL_MAX];
    snprintf(path, sizeof path, "/v1/payments?order_id=%s", order->id);
    json_t *answer = demo_http_must(api, "GET", path, NULL, NULL);
    if (!answer)
        return false;
    json_t *items = json_object_get(answer, "items");
    json_t *payment = items ? json_array_get(items, 0) : answer;
    struct demo_money money = payment_money(payment);
    compare_money(findings, n, "the read model payments", &money);
    if (items && json_array_size(items) != 1)
        complain(findings, &findings->order_agrees[n], "order %d has %zu payments", n + 1,
                 json_array_size(items));
    json_decref(answer);
    return true;
}

static void check_ledger(const json_t *ledger, int n, const struct demo_order *order,
                         struct demo_findings *findings)
{
    struct demo_money money = {0};
    const json_t *charge;
    size_t i;
    int charges = 0;
    json_array_foreach(json_object_get(ledger, "charges"), i, charge)
    {
        if (strcmp(word(charge, "reference"), order->id) != 0)
            continue;
        charges++;
        if (strcmp(word(charge, "status"), "declined") != 0)
            money.authorized += number(charge, "amount");
        money.captured += number(charge, "captured");
        money.refunded += number(charge, "refunded");
        if (json_is_true(json_object_get(charge, "voided")))
            money.voided += number(charge, "amount");
    }
    findings->charged[n] = money;
    compare_money(findings, n, "the provider's ledger", &money);
    if (charges != 1)
        complain(findings, &findings->order_agrees[n],
                 "order %d: the provider was asked for %d charges, not one", n + 1, charges);
}

/* ---- orders --------------------------------------------------------------------------------- */

static void compare_end(struct demo_findings *findings, int n, const char *witness,
                        const char *status, const char *reason)
{
    const struct demo_story *meant = &demo_stories[n];
    const char *expected = meant->reason ? meant->reason : "";
    if (strcmp(status, meant->status) != 0 || strcmp(reason, expected) != 0)
        complain(findings, &findings->order_agrees[n],
                 "order %d (%s): %s says %s %s; expected %s %s", n + 1, meant->name, witness,
                 *status ? status : "nothing", reason, meant->status, expected);
}

static bool check_order(struct demo_http *api, int n, const struct demo_order *order,
                        struct demo_findings *findings)
{
    char path[DEMO_URL_MAX];
    snprintf(path, sizeof path, "/v1/orders/%s", order->id);
    json_t *answer = demo_http_must(api, "GET", path, NULL, NULL);
    if (!answer)
        return false;
    compare_end(findings, n, "the log", order->status, order->reason);
    compare_end(findings, n, "the read model orders", word(answer, "status"),
                word(answer, "reason"));
    if (strcmp(word(answer, "phase"), "done") != 0)
        complain(findings, &findings->order_agrees[n], "order %d: its phase is %s, not done", n + 1,
                 word(answer, "phase"));
    compare_money(findings, n, "the log", &order->money);
    json_decref(answer);
    return check_payment(api, n, order, findings);
}

/* ---- stock ---------------------------------------------------------------------------------- */

/* What the stories leave on the shelves: a confirmed order keeps its units, every other gives them
 * back. */
static struct demo_stock stock_meant(int product)
{
    const struct demo_product *p = &demo_products[product];
    struct demo_stock stock = {.received = p->received, .adjusted = p->adjusted};
    for (int n = 0; n < DEMO_STORIES; n++)
        for (size_t i = 0; i < demo_stories[n].lines_count; i++)
            if (strcmp(demo_stories[n].status, "confirmed") == 0 &&
                demo_stories[n].lines[i].product == product)
                stock.committed += demo_stories[n].lines[i].quantity;
    stock.on_hand = stock.received + stock.adjusted - stock.committed;
    return stock;
}

static struct demo_stock stock_told(int product, const struct demo_order *orders)
{
    const struct demo_product *p = &demo_products[product];
    struct demo_stock stock = {
        .received = p->received, .adjusted = p->adjusted, .on_hand = p->received + p->adjusted};
    for (int n = 0; n < DEMO_STORIES; n++) {
        stock.on_hand += orders[n].moved[product].on_hand;
        stock.reserved += orders[n].moved[product].reserved;
        stock.committed += orders[n].moved[product].committed;
    }
    return stock;
}

static void compare_stock(struct demo_findings *findings, int product, const char *witness,
                          const struct demo_stock *said)
{
    struct demo_stock meant = stock_meant(product);
    bool *agrees = &findings->stock_agrees[product];
    if (!demo_stock_equal(said, &meant))
        complain(
            findings, agrees,
            "%s: %s says on hand %lld, reserved %lld, committed %lld; expected %lld, %lld, %lld",
            demo_products[product].sku, witness, (long long)said->on_hand,
            (long long)said->reserved, (long long)said->committed, (long long)meant.on_hand,
            (long long)meant.reserved, (long long)meant.committed);
    if (!demo_stock_balances(said))
        complain(findings, agrees,
                 "%s: received + adjusted is not on hand + reserved + committed, by %s",
                 demo_products[product].sku, witness);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static bool look(struct demo_http *api, struct demo_http *shop, struct demo_http *provider,
                 const struct demo_order *orders, struct demo_findings *findings)
{
    *findings = (struct demo_findings){0};
    memset(findings->order_agrees, true, sizeof findings->order_agrees);
    memset(findings->stock_agrees, true, sizeof findings->stock_agrees);
    json_t *ledger = demo_http_must(provider, "GET", "/ledger", NULL, NULL);
    bool read = ledger != NULL;
    for (int n = 0; read && n < DEMO_STORIES; n++) {
        read = check_order(api, n, &orders[n], findings);
        check_ledger(ledger, n, &orders[n], findings);
    }
    json_decref(ledger);
    for (int p = 0; read && p < DEMO_PRODUCTS; p++) {
        struct demo_stock told = stock_told(p, orders);
        read = demo_shop_stock(shop, p, &findings->stock[p]);
        compare_stock(findings, p, "the log", &told);
        compare_stock(findings, p, "the read model stock", &findings->stock[p]);
    }
    return read;
}

bool demo_check(struct demo_http *api, struct demo_http *shop, struct demo_http *provider,
                const struct demo_order orders[DEMO_STORIES], struct demo_findings *ret_findings)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    for (int i = 0; i < TRIES; i++) {
        if (!look(api, shop, provider, orders, ret_findings))
            return false;
        if (ret_findings->complaints_count == 0)
            return true;
        nanosleep(&pause, NULL);
    }
    return true;
}

/* ---- shown ---------------------------------------------------------------------------------- */

static void show_amount(int64_t minor)
{
    char text[AMOUNT_MAX];
    demo_amount(text, sizeof text, minor);
    if (minor)
        demo_print(INK_PLAIN, "%12s", text);
    else
        demo_print(INK_DIM, "%12s", "-");
}

static void show_units(int64_t units)
{
    demo_print(units ? INK_PLAIN : INK_DIM, "%12lld", (long long)units);
}

static void show_mark(bool agrees)
{
    demo_print(agrees ? INK_GOOD : INK_BAD, "   %s\n", agrees ? "✓" : "✗");
}

void demo_check_show(const struct demo_order orders[DEMO_STORIES],
                     const struct demo_findings *findings)
{
    demo_heading("The log, the read models and the provider's ledger");
    demo_print(INK_DIM, "  %-15s%-11s%12s%12s%12s%12s\n", "order", "", "authorized", "captured",
               "voided", "refunded");
    for (int n = 0; n < DEMO_STORIES; n++) {
        const struct demo_money *m = &findings->charged[n];
        demo_print(INK_PLAIN, "  %-15s%-11s", demo_stories[n].name, orders[n].status);
        show_amount(m->authorized);
        show_amount(m->captured);
        show_amount(m->voided);
        show_amount(m->refunded);
        show_mark(findings->order_agrees[n]);
    }
    demo_print(INK_DIM, "\n  %-14s%12s%12s%12s%12s%12s\n", "stock", "received", "adjusted",
               "on hand", "reserved", "committed");
    for (int p = 0; p < DEMO_PRODUCTS; p++) {
        const struct demo_stock *s = &findings->stock[p];
        demo_print(INK_PLAIN, "  %-14s", demo_products[p].sku);
        show_units(s->received);
        show_units(s->adjusted);
        show_units(s->on_hand);
        show_units(s->reserved);
        show_units(s->committed);
        show_mark(findings->stock_agrees[p]);
    }
    for (int i = 0; i < findings->complaints_count; i++)
        demo_print(INK_BAD, "  ✗ %s\n", findings->complaints[i]);
}
