/* foldlog demo: five orders, a read model built again, and the accounts compared; over HTTP, as a
 * client. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "app/demo_check.h"
#include "app/demo_people.h"
#include "app/demo_rebuild.h"
#include "app/demo_screen.h"
#include "app/settings.h"
#include "app/verbs.h"

struct demo {
    char run[DEMO_RUN_MAX];                  /* makes this run's names its own */
    struct demo_http *api, *shop, *provider; /* the customer's, the merchant's; the provider */
    struct demo_order orders[DEMO_STORIES];
    struct demo_rebuild rebuild;
    struct demo_findings findings;
};

static bool open_demo(struct demo *demo)
{
    char base[DEMO_URL_MAX];
    unsigned run = 0;
    const char *bind = setting_text(SETTING_BIND);
    if (getrandom(&run, sizeof run, 0) != sizeof run)
        return false;
    snprintf(demo->run, sizeof demo->run, "%05x", run & 0xfffff);
    snprintf(base, sizeof base, "http://%s:%s", strcmp(bind, "0.0.0.0") == 0 ? "127.0.0.1" : bind,
             setting_text(SETTING_PORT));
    demo->api = demo_http_open(base);
    demo->shop = demo_http_open(base);
    demo->provider = demo_http_open(setting_text(SETTING_PAYMENT_URL));
    return demo->api && demo->shop && demo->provider &&
           demo_people_enter(demo->shop, demo->api, demo->run);
}

static void show_shop(const struct demo *demo)
{
    demo_print(INK_BOLD, "Foldlog");
    demo_print(INK_DIM, "  %s\n\n", demo_http_base(demo->api));
    for (int i = 0; i < DEMO_PRODUCTS; i++) {
        const struct demo_product *p = &demo_products[i];
        char price[32];
        demo_amount(price, sizeof price, p->price);
        demo_print(INK_PLAIN, "  %-14s%-14s", p->sku, p->name);
        demo_print(INK_DIM, "%10s EUR%6lld in stock\n", price,
                   (long long)p->received + p->adjusted);
    }
}

static bool tell(struct demo *demo)
{
    if (!demo_shop_open(demo->shop, demo->run))
        return false;
    show_shop(demo);
    for (int n = 0; n < DEMO_STORIES; n++)
        if (!demo_story_tell(demo->api, demo->run, n, &demo->orders[n]))
            return false;
    demo_print(INK_BOLD, "\n%d  The read model of orders is dropped and built again from the log\n",
               DEMO_STORIES + 1);
    if (!demo_rebuild(!demo_screen_is_live(), &demo->rebuild))
        return false;
    demo_rebuild_show(&demo->rebuild);
    if (!demo_check(demo->api, demo->shop, demo->provider, demo->orders, &demo->findings))
        return false;
    demo_check_show(demo->orders, &demo->findings);
    return true;
}

static void show_ways_on(const struct demo *demo, bool good)
{
    const char *api = demo_http_base(demo->api);
    demo_print(good ? INK_GOOD : INK_BAD,
               good ? "\n✓ Everything agrees.\n" : "\n✗ Not everything agrees.\n");
    demo_heading("Try");
    demo_print(INK_PLAIN,
               "  token=$(curl -s %s/v1/sessions -H 'Content-Type: application/json' -d @%s |"
               " jq -r .access_token)\n",
               api, setting_text(SETTING_ADMIN_FILE));
    demo_print(INK_PLAIN, "  as_admin=\"Authorization: Bearer $token\"\n");
    demo_print(INK_PLAIN, "  curl -s -H \"$as_admin\" %s/v1/orders?limit=5\n", api);
    demo_print(INK_PLAIN, "  curl -s -H \"$as_admin\" %s/v1/orders/%s/timeline\n", api,
               demo->orders[0].id);
    demo_print(INK_PLAIN, "  curl -s -H \"$as_admin\" %s/v1/inventory/%s\n", api,
               demo_products[0].sku);
    demo_print(INK_PLAIN, "  curl -s %s/ledger\n\n", demo_http_base(demo->provider));
}

static json_t *money_json(const struct demo_money *m)
{
    return json_pack("{s:I,s:I,s:I,s:I}", "authorized", (json_int_t)m->authorized, "captured",
                     (json_int_t)m->captured, "voided", (json_int_t)m->voided, "refunded",
                     (json_int_t)m->refunded);
}

static json_t *orders_json(const struct demo *demo)
{
    json_t *list = json_array();
    for (int n = 0; n < DEMO_STORIES; n++) {
        const struct demo_order *o = &demo->orders[n];
        json_array_append_new(
            list,
            json_pack("{s:s,s:s,s:s,s:s,s:I,s:o,s:o,s:i,s:f,s:b}", "story", demo_stories[n].name,
                      "id", o->id, "status", o->status, "reason", o->reason, "total",
                      (json_int_t)o->total, "log", money_json(&o->money), "ledger",
                      money_json(&demo->findings.charged[n]), "events", o->events, "milliseconds",
                      (double)o->took_us / 1000.0, "agrees", demo->findings.order_agrees[n]));
    }
    return list;
}

static json_t *stock_json(const struct demo *demo)
{
    json_t *list = json_array();
    for (int p = 0; p < DEMO_PRODUCTS; p++) {
        const struct demo_stock *s = &demo->findings.stock[p];
        json_array_append_new(
            list,
            json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:b}", "sku", demo_products[p].sku, "received",
                      (json_int_t)s->received, "adjusted", (json_int_t)s->adjusted, "on_hand",
                      (json_int_t)s->on_hand, "reserved", (json_int_t)s->reserved, "committed",
                      (json_int_t)s->committed, "agrees", demo->findings.stock_agrees[p]));
    }
    return list;
}

static void print_json(const struct demo *demo, bool good)
{
    json_t *complaints = json_array();
    for (int i = 0; i < demo->findings.complaints_count; i++)
        json_array_append_new(complaints, json_string(demo->findings.complaints[i]));
    json_t *all =
        json_pack("{s:b,s:s,s:o,s:o,s:{s:s,s:s,s:I,s:I,s:b,s:f},s:o}", "ok", good, "url",
                  demo_http_base(demo->api), "orders", orders_json(demo), "stock", stock_json(demo),
                  "rebuild", "digest_before", demo->rebuild.before.digest, "digest_after",
                  demo->rebuild.after.digest, "rows_before", (json_int_t)demo->rebuild.before.rows,
                  "rows_after", (json_int_t)demo->rebuild.after.rows, "same", demo->rebuild.same,
                  "seconds", demo->rebuild.seconds, "complaints", complaints);
    json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(all);
}

int verb_demo(int argc, char **argv, const struct verb_options *options)
{
    static struct demo demo;
    (void)argv;
    if (argc != 0)
        return verb_usage("demo [--json]");
    demo_screen_open(options->json);
    bool told = open_demo(&demo) && tell(&demo);
    bool good = told && demo.rebuild.same && demo.findings.complaints_count == 0;
    if (options->json)
        print_json(&demo, good);
    else if (told)
        show_ways_on(&demo, good);
    demo_http_close(demo.api);
    demo_http_close(demo.shop);
    demo_http_close(demo.provider);
    return good ? EXIT_OK : EXIT_FAILED;
}
