/* Logs of a shop that has traded: products, orders through to CONFIRMED, declined, out of stock,
 * cancelled; refusals, repeats, takeovers and void records. The same seed is the same trade.
 * Written with the real codec into a memory log. */
#ifndef TESTS_SUPPORT_TRADE_H
#define TESTS_SUPPORT_TRADE_H

#include "core/envelope.h"
#include "core/message.h"
#include "runtime/feed.h"
#include "tests/support/memory_log.h"

enum trade_service {
    TRADE_FULFILMENT,
    TRADE_INVENTORY,
    TRADE_ORDER,
    TRADE_PAYMENT,
    TRADE_PRODUCT,
    TRADE_USER,
    TRADE_SERVICES
};
enum { TRADE_PARTITIONS = 3, TRADE_PRODUCTS = 20, TRADE_USERS = 12 };

struct trade;

struct trade *trade_create(uint64_t seed);
void trade_destroy(struct trade *trade);
struct log *trade_log(struct trade *trade);
struct log_topic *trade_topic(struct trade *trade, enum trade_service service);
/* That many more orders, begun and, but for a few, ended. */
void trade_orders(struct trade *trade, size_t count);
/* One decision with one event about an aggregate; keeps its version. jump: versions left out before
 * it. */
void trade_event(struct trade *trade, enum trade_service service, struct text target,
                 const void *event, int jump);
/* A record of raw bytes as a valid decision's event would be: type and JSON as given. */
void trade_raw(struct trade *trade, enum trade_service service, struct text target,
               struct text type, struct text json);
struct uuid trade_order_id(size_t i);
size_t trade_orders_count(const struct trade *trade);

extern const struct vocabulary_list trade_vocabularies;

#endif
