/* What has happened to each order and each product, counted from the events alone: a second,
 * simpler telling of what the deciders and the saga must have meant. */
#ifndef TESTS_SIM_CASE_H
#define TESTS_SIM_CASE_H

#include "core/service.h"
#include "schemas/order.h"

enum { CASE_LINES_MAX = 8 };

struct case_line {
    struct text sku;
    int64_t quantity;
    int reserve_sent, commit_sent, release_sent, restock_sent; /* by the saga, all tries */
    int reserved, rejected, released, committed, restocked;    /* in the product's log */
    bool told_rejected, given_back;                            /* in the saga's */
};

struct order_case {
    struct order_case *next;
    struct uuid id;
    int placed, confirmed, cancelling, cancelled, shipped, delivered;
    int64_t total;
    int lines_count;
    struct case_line lines[CASE_LINES_MAX];
    enum order_cancel_reason reason;
    int started, authorized, captured, completed, ended, compensations, cancelled_by_saga;
    int payment_released, failed, timers, retries;
    int64_t due; /* microseconds; 0: no timer is set */
    bool declined;
    int request_sent, confirm_sent, cancel_sent, capture_sent, payment_release_sent;
    int requested, provider_yes, provider_declined, captured_by_provider, voided, refunded;
    bool provider_asked; /* and has not answered */
};

struct stock_case {
    struct stock_case *next;
    struct text sku;
    int64_t version, on_hand, reserved, committed, received, adjusted;
};

void cases_begin(void);
/* One valid decision: its events, and the commands it sends. */
void case_fold(const struct service *service, const struct decision *decision);
const struct order_case *case_first(void);
const struct stock_case *stock_first(void);
/* Made or unmade, and nobody is asked for anything any more. */
bool case_is_over(const struct order_case *c);
const char *case_state(const struct order_case *c);

#endif
