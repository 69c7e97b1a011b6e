/* The demo's shop: what is sold, and what must be on the shelves when all stories have been told.
 */
#ifndef APP_DEMO_SHOP_H
#define APP_DEMO_SHOP_H

#include <stdint.h>

#include "app/demo_http.h"

enum { DEMO_PRODUCTS = 3, DEMO_SKU_MAX = 65, DEMO_RUN_MAX = 16 };

/* Units of one product. */
struct demo_stock {
    int64_t received, adjusted, on_hand, reserved, committed;
};

struct demo_product {
    const char *word; /* of the sku */
    const char *name;
    int64_t price; /* minor units of EUR */
    int64_t received, adjusted;
    const char *why; /* of the adjustment */
    char sku[DEMO_SKU_MAX];
};

extern struct demo_product demo_products[DEMO_PRODUCTS];

/* Names the products after this run, adds them and takes their stock in. False: said on stderr. */
bool demo_shop_open(struct demo_http *api, const char *run);
/* The product of this sku, or -1. */
int demo_shop_find(const char *sku);
/* As the read model has it; false: said on stderr. */
bool demo_shop_stock(struct demo_http *api, int product, struct demo_stock *ret_stock);

static inline bool demo_stock_equal(const struct demo_stock *a, const struct demo_stock *b)
{
    return a->received == b->received && a->adjusted == b->adjusted && a->on_hand == b->on_hand &&
           a->reserved == b->reserved && a->committed == b->committed;
}

static inline bool demo_stock_balances(const struct demo_stock *s)
{
    return s->received + s->adjusted == s->on_hand + s->reserved + s->committed;
}

#endif
