/* Three products, their receipts and one adjustment. */
#include "app/demo_shop.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 96, PATH_BYTES = 160 };

struct demo_product demo_products[DEMO_PRODUCTS] = {
    {.word = "lamp", .name = "Desk lamp", .price = 4900, .received = 10},
    {.word = "mug",
     .name = "Enamel mug",
     .price = 1250,
     .received = 20,
     .adjusted = -2,
     .why = "broken on arrival"},
    {.word = "chair", .name = "Oak chair", .price = 12900, .received = 1},
};

static bool post(struct demo_http *api, const char *path, const char *key, json_t *body)
{
    json_t *answer = demo_http_must(api, "POST", path, key, body);
    json_decref(answer);
    return answer != NULL;
}

static bool stock_up(struct demo_http *api, const struct demo_product *p)
{
    char path[PATH_BYTES], key[KEY_MAX];
    snprintf(path, sizeof path, "/v1/inventory/%s/receipts", p->sku);
    snprintf(key, sizeof key, "receive-%s", p->sku);
    if (!post(api, path, key, json_pack("{s:I}", "quantity", (json_int_t)p->received)))
        return false;
    if (p->adjusted == 0)
        return true;
    snprintf(path, sizeof path, "/v1/inventory/%s/adjustments", p->sku);
    snprintf(key, sizeof key, "adjust-%s", p->sku);
    return post(
        api, path, key,
        json_pack("{s:I,s:s}", "quantity_change", (json_int_t)p->adjusted, "reason", p->why));
}

bool demo_shop_open(struct demo_http *api, const char *run)
{
    for (struct demo_product *p = demo_products; p < demo_products + DEMO_PRODUCTS; p++) {
        char key[KEY_MAX];
        snprintf(p->sku, sizeof p->sku, "%s-%s", p->word, run);
        snprintf(key, sizeof key, "add-%s", p->sku);
        json_t *body = json_pack("{s:s,s:s,s:{s:I,s:s}}", "sku", p->sku, "name", p->name, "price",
                                 "amount", (json_int_t)p->price, "currency", "EUR");
        if (!post(api, "/v1/products", key, body) || !stock_up(api, p))
            return false;
    }
    return true;
}

int demo_shop_find(const char *sku)
{
    for (int i = 0; i < DEMO_PRODUCTS; i++)
        if (strcmp(demo_products[i].sku, sku) == 0)
            return i;
    return -1;
}

bool demo_shop_stock(struct demo_http *api, int product, struct demo_stock *ret_stock)
{
    char path[PATH_BYTES];
    json_int_t received, adjusted, on_hand, reserved, committed;
    snprintf(path, sizeof path, "/v1/inventory/%s", demo_products[product].sku);
    json_t *answer = demo_http_must(api, "GET", path, NULL, NULL);
    if (!answer)
        return false;
    bool read =
        json_unpack(answer, "{s:I,s:I,s:I,s:I,s:I}", "received", &received, "adjusted", &adjusted,
                    "on_hand", &on_hand, "reserved", &reserved, "committed", &committed) == 0;
    json_decref(answer);
    if (!read) {
        fprintf(stderr, "foldlog demo: GET %s: not the stock of a product\n", path);
        return false;
    }
    *ret_stock = (struct demo_stock){received, adjusted, on_hand, reserved, committed};
    return true;
}
