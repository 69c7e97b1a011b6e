/* The whole shop in memory: the real aggregates and the real saga, a bus that keeps the order of
 * messages only between one sender and one receiver, as the logs do, and a provider of changing
 * mood. The same seed is the same run. Whatever happens, what must always hold is checked after
 * every step. */
#ifndef TESTS_SUPPORT_SHOP_H
#define TESTS_SUPPORT_SHOP_H

#include "saga/fulfilment_state.h"
#include "schemas/order.h"
#include "tests/support/provider.h"

enum { SHOP_PRODUCTS = 4, SHOP_ORDERS_MAX = 16 };
enum { SHOP_STEP_US = 1000000, SHOP_COMPENSATION_US = 5000000 };

struct shop;

/* What an order asks for: quantities by product; 0: none of it. */
struct basket {
    int64_t quantities[SHOP_PRODUCTS];
};

struct shop *shop_create(uint64_t seed, const struct mood *mood);
void shop_destroy(struct shop *shop);
struct chance *shop_chance(struct shop *shop);
/* For the provider's next answers. */
void shop_mood(struct shop *shop, const struct mood *mood);
/* Percent of the provider's answers that are told twice. */
void shop_double_answers(struct shop *shop, unsigned percent);
/* Percent of the saga's commands that are refused unread, as an older receiver would. */
void shop_refuse(struct shop *shop, unsigned percent);

void shop_receive(struct shop *shop, size_t product, int64_t quantity);
/* Returns the order's number. */
size_t shop_place(struct shop *shop, const struct basket *basket);
void shop_request_cancellation(struct shop *shop, size_t order);
void shop_ship(struct shop *shop, size_t order);
void shop_deliver(struct shop *shop, size_t order);
enum problem shop_retry(struct shop *shop, size_t order);
enum problem shop_compensate(struct shop *shop, size_t order);
/* Its timer fires, if one is set. */
void shop_fire_timer(struct shop *shop, size_t order);
/* As a clock might that runs behind the one that set it. */
void shop_fire_timer_early(struct shop *shop, size_t order);
int64_t shop_now(const struct shop *shop);

/* Delivers one message, whichever chance picks; false: there is none. */
bool shop_step(struct shop *shop);
void shop_run(struct shop *shop);

const struct fulfilment *shop_fulfilment(const struct shop *shop, size_t order);
/* How often an event has happened to an order, in any service: order.cancelled.v1. */
size_t shop_count(const struct shop *shop, size_t order, const char *type);
enum order_cancel_reason shop_reason(const struct shop *shop, size_t order);
const struct account *shop_account(const struct shop *shop, size_t order);
struct stock {
    int64_t on_hand, reserved, committed, received, adjusted;
};
struct stock shop_stock(const struct shop *shop, size_t product);

/* When no message is under way: no order is stuck unseen. */
void shop_check_quiet(struct shop *shop);
/* When no order needs attention either: every order is made or unmade, once, and nothing is lost.
 */
void shop_check_settled(struct shop *shop);

#endif
