/* Thousands of orders in random shops: whatever order messages arrive in, whatever the provider
 * answers, whenever somebody cancels, ships or a timer fires, every order is made or unmade, once,
 * and neither stock nor money is lost. The seed is told when one is not: FOLDLOG_SEED repeats it.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/given.h"
#include "tests/support/shop.h"

enum { SHOPS = 2500, ORDERS_PER_SHOP = 8, ROUNDS_MAX = 200 };

static const struct mood kind_mood = {0};

/* Half of the shops meet a provider that mostly agrees, so that the far ends are reached too. */
static struct mood random_mood(struct chance *chance)
{
    unsigned no = chance_percent(chance, 50) ? 4 : 20;
    unsigned silent = chance_percent(chance, 50) ? 3 : 15;
    struct mood mood;
    for (size_t i = 0; i < OPERATIONS; i++) {
        mood.no[i] = no;
        mood.silent[i] = silent;
    }
    return mood;
}

static void place_random(struct shop *shop)
{
    struct chance *chance = shop_chance(shop);
    struct basket basket = {0};
    basket.quantities[chance_below(chance, SHOP_PRODUCTS)] = 1 + (int64_t)chance_below(chance, 5);
    for (size_t i = 0; i < SHOP_PRODUCTS; i++) {
        if (chance_percent(chance, 30))
            basket.quantities[i] = 1 + (int64_t)chance_below(chance, 5);
    }
    shop_place(shop, &basket);
}

struct habits { /* per thousand steps */
    unsigned cancel, ship, timer, compensate, retry;
};

static void meddle(struct shop *shop, const struct habits *habits, size_t orders)
{
    struct chance *chance = shop_chance(shop);
    size_t order = chance_below(chance, orders);
    size_t what = chance_below(chance, 1000);
    if (what < habits->cancel)
        shop_request_cancellation(shop, order);
    else if (what < habits->cancel + habits->ship)
        shop_ship(shop, order);
    else if (what < habits->cancel + habits->ship + habits->timer)
        shop_fire_timer(shop, order);
    else if (what < habits->cancel + habits->ship + habits->timer + habits->compensate)
        shop_compensate(shop, order);
    else if (what <
             habits->cancel + habits->ship + habits->timer + habits->compensate + habits->retry)
        shop_retry(shop, order);
}

static void tell_totals(size_t confirmed, size_t cancelled, size_t attention)
{
    printf("%zu orders made, %zu unmade, %zu after an operator's help\n", confirmed, cancelled,
           attention);
}

static void settle(struct shop *shop, size_t orders, size_t *attention)
{
    shop_run(shop);
    shop_check_quiet(shop);
    for (size_t i = 0; i < orders; i++)
        *attention += shop_fulfilment(shop, i)->needs_attention;
    for (int round = 0; round < ROUNDS_MAX; round++) {
        bool quiet = true;
        for (size_t i = 0; i < orders; i++) {
            if (shop_fulfilment(shop, i)->needs_attention) {
                ck_assert_int_eq(shop_retry(shop, i), PROBLEM_NONE);
                quiet = false;
            }
        }
        if (quiet)
            break;
        shop_mood(shop, &kind_mood);
        shop_refuse(shop, 0);
        shop_run(shop);
        shop_check_quiet(shop);
    }
    shop_check_settled(shop);
}

static void run_shop(uint64_t seed, size_t counts[3])
{
    struct mood mood = {0};
    struct shop *shop = shop_create(seed, &mood);
    struct chance *chance = shop_chance(shop);
    mood = random_mood(chance);
    shop_mood(shop, &mood);
    shop_double_answers(shop, chance_percent(chance, 50) ? 10 : 0);
    shop_refuse(shop, chance_percent(chance, 20) ? 3 : 0);
    struct habits habits = {
        .cancel = (unsigned)chance_below(chance, 20),
        .ship = (unsigned)chance_below(chance, 40),
        .timer = chance_percent(chance, 50) ? 0 : (unsigned)chance_below(chance, 30),
        .compensate = (unsigned)chance_below(chance, 5),
        .retry = (unsigned)chance_below(chance, 20),
    };
    size_t orders = 0;
    for (size_t i = 0; i < SHOP_PRODUCTS; i++)
        shop_receive(shop, i, 5 + (int64_t)chance_below(chance, 30));
    do {
        if (orders < ORDERS_PER_SHOP && chance_percent(chance, 10)) {
            place_random(shop);
            orders++;
        }
        if (orders > 0)
            meddle(shop, &habits, orders);
    } while (shop_step(shop) || orders < ORDERS_PER_SHOP);
    settle(shop, orders, &counts[2]);
    for (size_t i = 0; i < orders; i++)
        counts[shop_count(shop, i, "order.cancelled.v1") ? 1 : 0]++;
    shop_destroy(shop);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

START_TEST(every_order_is_made_or_unmade_once)
{
    size_t counts[3] = {0};
    uint64_t first = from_environment("FOLDLOG_SEED", 1);
    uint64_t shops = from_environment("FOLDLOG_SHOPS", getenv("FOLDLOG_SEED") ? 1 : SHOPS);
    for (uint64_t seed = first; seed < first + shops; seed++) {
        fprintf(stderr, "\rseed %llu", (unsigned long long)seed);
        run_shop(seed, counts);
    }
    fprintf(stderr, "\n");
    tell_totals(counts[0], counts[1], counts[2]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fulfilment, at random");
    TCase *shops = tcase_create("shops");
    tcase_set_timeout(shops, 3600);
    tcase_add_test(shops, every_order_is_made_or_unmade_once);
    suite_add_tcase(suite, shops);
    return run_suite(suite);
}
