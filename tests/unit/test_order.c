/* Stories of one order. */
#include "commands/aggregates.h"
#include "schemas/order.h"
#include "tests/support/given.h"

#define ORDER id_of(100)
#define KEY TEXT("an order's id")
#define EUR(minor) ((struct common_money){.amount = (minor), .currency = COMMON_CURRENCY_EUR})
#define USD(minor) ((struct common_money){.amount = (minor), .currency = COMMON_CURRENCY_USD})
#define ADDRESS TEXT("AVNlYWxlZA") /* sealed: deciders copy it */
#define LINE(name, count, price, merchant)                                                       \
    {                                                                                            \
        .sku = TEXT(name), .quantity = (count), .unit_price = (price), .merchant_id = (merchant) \
    }
#define QUOTED(name, count, price, merchant)                                                      \
    {                                                                                             \
        .sku = TEXT(name), .quantity = (count), .unit_price = (price), .merchant_id = (merchant), \
        .status = ORDER_CATALOGUE_STATUS_ACTIVE                                                   \
    }

#define PLACE(actor, lines, ...)                                                                 \
    ASKED(actor, order, ORDER_COMMAND_PLACE_V1, place_v1, .order_id = ORDER, .customer_id = ADA, \
          .items = {.at = (lines), .count = COUNT(lines)}, .payment_method = TEXT("card"),       \
          .shipping_address = ADDRESS, __VA_ARGS__)
#define CONFIRM(actor) ASKED(actor, order, ORDER_COMMAND_CONFIRM_V1, confirm_v1, .order_id = ORDER)
#define REQUEST_CANCELLATION(actor)                                                     \
    ASKED(actor, order, ORDER_COMMAND_REQUEST_CANCELLATION_V1, request_cancellation_v1, \
          .order_id = ORDER)
#define CANCEL(actor)                                                          \
    ASKED(actor, order, ORDER_COMMAND_CANCEL_V1, cancel_v1, .order_id = ORDER, \
          .reason = ORDER_CANCEL_REASON_OUT_OF_STOCK)
#define SHIP(actor)                                                        \
    ASKED(actor, order, ORDER_COMMAND_SHIP_V1, ship_v1, .order_id = ORDER, \
          .carrier = TEXT("post"), .tracking = TEXT("42"))
#define DELIVER(actor) ASKED(actor, order, ORDER_COMMAND_DELIVER_V1, deliver_v1, .order_id = ORDER)

static void given_pending(void)
{
    struct order_line lines[] = {
        LINE("tea", 2, EUR(250), MILL),
        LINE("pot", 1, EUR(900), FORGE),
        LINE("cup", 4, EUR(300), FORGE),
    };
    given(&order_aggregate, KEY);
    HAPPENED(order, ORDER_EVENT_PLACED_V1, placed_v1, .order_id = ORDER, .customer_id = ADA,
             .items = {.at = lines, .count = COUNT(lines)}, .total = EUR(2600),
             .payment_method = TEXT("card"), .shipping_address = ADDRESS);
}

static void given_confirmed(void)
{
    given_pending();
    HAPPENED(order, ORDER_EVENT_CONFIRMED_V1, confirmed_v1, .order_id = ORDER);
}

static void given_cancelling(void)
{
    given_confirmed();
    HAPPENED(order, ORDER_EVENT_CANCELLATION_REQUESTED_V1, cancellation_requested_v1,
             .order_id = ORDER);
}

static void given_cancelled(void)
{
    given_cancelling();
    HAPPENED(order, ORDER_EVENT_CANCELLED_V1, cancelled_v1, .order_id = ORDER,
             .reason = ORDER_CANCEL_REASON_CUSTOMER_REQUEST);
}

static void given_shipped(void)
{
    given_confirmed();
    HAPPENED(order, ORDER_EVENT_SHIPPED_V1, shipped_v1, .order_id = ORDER, .carrier = TEXT("post"),
             .tracking = TEXT("42"));
}

START_TEST(an_order_keeps_its_prices_and_their_total)
{
    struct order_quoted_line lines[] = {
        QUOTED("tea", 2, EUR(250), MILL),
        QUOTED("pot", 1, EUR(900), FORGE),
    };
    given(&order_aggregate, KEY);
    PLACE(customer(ADA), lines, .has_expected_total = true, .expected_total = EUR(1400));
    then_events(1);
    const struct order_placed_v1 *placed = &THEN(0, order, ORDER_EVENT_PLACED_V1, placed_v1);
    ck_assert_int_eq(placed->total.amount, 1400);
    ck_assert_int_eq(placed->total.currency, COMMON_CURRENCY_EUR);
    ck_assert_uint_eq(placed->items.count, 2);
    ck_assert_int_eq(placed->items.at[1].unit_price.amount, 900);
    ck_assert(uuid_equal(placed->items.at[1].merchant_id, FORGE));
    ck_assert(uuid_equal(placed->customer_id, ADA));
}
END_TEST

START_TEST(an_order_is_placed_once)
{
    struct order_quoted_line lines[] = {QUOTED("tea", 2, EUR(250), MILL)};
    given_pending();
    PLACE(customer(ADA), lines);
    then_refused(PROBLEM_ALREADY_EXISTS);
}
END_TEST

START_TEST(nobody_orders_in_anothers_name)
{
    struct order_quoted_line lines[] = {QUOTED("tea", 2, EUR(250), MILL)};
    given(&order_aggregate, KEY);
    PLACE(customer(BOB), lines);
    then_refused(PROBLEM_FORBIDDEN);
    PLACE(customer(ADA), lines, .has_customer_disabled = true, .customer_disabled = true);
    then_refused(PROBLEM_FORBIDDEN);
    PLACE(customer(ADA), lines, .has_customer_disabled = true, .customer_disabled = false);
    then_events(1);
}
END_TEST

START_TEST(a_discontinued_product_is_named)
{
    struct order_quoted_line lines[12];
    for (size_t i = 0; i < COUNT(lines); i++)
        lines[i] = (struct order_quoted_line)QUOTED("tea", 1, EUR(1), MILL);
    given(&order_aggregate, KEY);
    lines[3].status = ORDER_CATALOGUE_STATUS_DISCONTINUED;
    PLACE(customer(ADA), lines);
    then_refused(PROBLEM_PRODUCT_DISCONTINUED);
    ck_assert_str_eq(then_pointer(), "/items/3");
    lines[3].status = ORDER_CATALOGUE_STATUS_ACTIVE;
    lines[11].status = ORDER_CATALOGUE_STATUS_DISCONTINUED;
    PLACE(customer(ADA), lines);
    then_refused(PROBLEM_PRODUCT_DISCONTINUED);
    ck_assert_str_eq(then_pointer(), "/items/11");
}
END_TEST

START_TEST(an_order_has_one_currency)
{
    struct order_quoted_line lines[] = {
        QUOTED("tea", 2, EUR(250), MILL),
        QUOTED("pot", 1, USD(900), FORGE),
    };
    given(&order_aggregate, KEY);
    PLACE(customer(ADA), lines);
    then_refused(PROBLEM_CURRENCY_MISMATCH);
    ck_assert_str_eq(then_pointer(), "/items/1");
}
END_TEST

START_TEST(a_total_has_a_limit)
{
    struct order_quoted_line most[] = {QUOTED("gold", 10000, EUR(100000000), MILL)};
    struct order_quoted_line more[] = {
        QUOTED("gold", 10000, EUR(100000000), MILL),
        QUOTED("tea", 1, EUR(1), MILL),
    };
    struct order_quoted_line dear[] = {QUOTED("sun", 10000, EUR(1000000000000), MILL)};
    given(&order_aggregate, KEY);
    PLACE(customer(ADA), more);
    then_refused(PROBLEM_LIMIT_EXCEEDED);
    PLACE(customer(ADA), dear);
    then_refused(PROBLEM_LIMIT_EXCEEDED);
    PLACE(customer(ADA), most);
    then_events(1);
}
END_TEST

START_TEST(another_total_than_expected_is_refused)
{
    struct order_quoted_line lines[] = {QUOTED("tea", 2, EUR(250), MILL)};
    given(&order_aggregate, KEY);
    PLACE(customer(ADA), lines, .has_expected_total = true, .expected_total = EUR(499));
    then_refused(PROBLEM_PRICE_CHANGED);
    PLACE(customer(ADA), lines, .has_expected_total = true, .expected_total = USD(500));
    then_refused(PROBLEM_PRICE_CHANGED);
}
END_TEST

START_TEST(only_fulfilment_confirms_and_cancels)
{
    given_pending();
    CONFIRM(customer(ADA));
    then_refused(PROBLEM_FORBIDDEN);
    CONFIRM(ADMIN);
    then_refused(PROBLEM_FORBIDDEN);
    CANCEL(merchant(MILL));
    then_refused(PROBLEM_FORBIDDEN);
    CONFIRM(SYSTEM);
    then_events(1);
    then_event(0, ORDER_EVENT_CONFIRMED_V1);
    CONFIRM(SYSTEM);
    then_nothing();
}
END_TEST

START_TEST(a_confirmation_that_meets_a_cancellation_says_nothing)
{
    given_cancelling();
    CONFIRM(SYSTEM);
    then_nothing();
    given_cancelled();
    CONFIRM(SYSTEM);
    then_refused(PROBLEM_WRONG_STATE);
}
END_TEST

START_TEST(an_order_may_be_cancelled_until_it_is_shipped)
{
    given_pending();
    REQUEST_CANCELLATION(customer(ADA));
    then_events(1);
    then_event(0, ORDER_EVENT_CANCELLATION_REQUESTED_V1);
    REQUEST_CANCELLATION(customer(ADA));
    then_nothing();
    given_confirmed();
    REQUEST_CANCELLATION(ADMIN);
    then_events(1);
    given_cancelled();
    REQUEST_CANCELLATION(customer(ADA));
    then_nothing();
    given_shipped();
    REQUEST_CANCELLATION(customer(ADA));
    then_refused(PROBLEM_ALREADY_SHIPPED);
    HAPPENED(order, ORDER_EVENT_DELIVERED_V1, delivered_v1, .order_id = ORDER);
    REQUEST_CANCELLATION(customer(ADA));
    then_refused(PROBLEM_ALREADY_SHIPPED);
}
END_TEST

START_TEST(a_request_keeps_the_customers_words)
{
    given_pending();
    ASKED(customer(ADA), order, ORDER_COMMAND_REQUEST_CANCELLATION_V1, request_cancellation_v1,
          .order_id = ORDER, .has_reason = true, .reason = TEXT("too late"));
    ck_assert(text_is(
        THEN(0, order, ORDER_EVENT_CANCELLATION_REQUESTED_V1, cancellation_requested_v1).reason,
        "too late"));
}
END_TEST

START_TEST(somebody_elses_order_is_not_found)
{
    given_pending();
    REQUEST_CANCELLATION(customer(BOB));
    then_refused(PROBLEM_NOT_FOUND);
    REQUEST_CANCELLATION(merchant(MILL));
    then_refused(PROBLEM_NOT_FOUND);
    given(&order_aggregate, KEY);
    REQUEST_CANCELLATION(customer(ADA));
    then_refused(PROBLEM_NOT_FOUND);
    CONFIRM(SYSTEM);
    then_refused(PROBLEM_NOT_FOUND);
    SHIP(ADMIN);
    then_refused(PROBLEM_NOT_FOUND);
}
END_TEST

START_TEST(an_order_is_cancelled_once_with_its_reason)
{
    given_pending();
    CANCEL(SYSTEM);
    then_events(1);
    ck_assert_int_eq(THEN(0, order, ORDER_EVENT_CANCELLED_V1, cancelled_v1).reason,
                     ORDER_CANCEL_REASON_OUT_OF_STOCK);
    CANCEL(SYSTEM);
    then_nothing();
    given_cancelling();
    CANCEL(SYSTEM);
    then_events(1);
    given_confirmed();
    CANCEL(SYSTEM);
    then_events(1);
    given_shipped();
    CANCEL(SYSTEM);
    then_refused(PROBLEM_WRONG_STATE);
}
END_TEST

START_TEST(any_merchant_of_the_order_ships_it)
{
    given_confirmed();
    SHIP(merchant(BOB));
    then_refused(PROBLEM_NOT_FOUND);
    SHIP(customer(ADA));
    then_refused(PROBLEM_NOT_FOUND);
    SHIP(merchant(FORGE));
    then_events(1);
    given_confirmed();
    SHIP(merchant(MILL));
    then_events(1);
    given_confirmed();
    SHIP(ADMIN);
    then_events(1);
}
END_TEST

START_TEST(only_a_confirmed_order_is_shipped_and_only_a_shipped_one_delivered)
{
    given_pending();
    SHIP(merchant(MILL));
    then_refused(PROBLEM_WRONG_STATE);
    given_cancelling();
    SHIP(merchant(MILL));
    then_refused(PROBLEM_WRONG_STATE);
    given_confirmed();
    DELIVER(merchant(MILL));
    then_refused(PROBLEM_WRONG_STATE);
    SHIP(merchant(MILL));
    then_events(1);
    SHIP(merchant(MILL));
    then_refused(PROBLEM_WRONG_STATE);
    DELIVER(merchant(FORGE));
    then_events(1);
    DELIVER(merchant(FORGE));
    then_refused(PROBLEM_WRONG_STATE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("order");
    TCase *stories = tcase_create("stories");
    tcase_add_checked_fixture(stories, NULL, given_finish);
    tcase_add_test(stories, an_order_keeps_its_prices_and_their_total);
    tcase_add_test(stories, an_order_is_placed_once);
    tcase_add_test(stories, nobody_orders_in_anothers_name);
    tcase_add_test(stories, a_discontinued_product_is_named);
    tcase_add_test(stories, an_order_has_one_currency);
    tcase_add_test(stories, a_total_has_a_limit);
    tcase_add_test(stories, another_total_than_expected_is_refused);
    tcase_add_test(stories, only_fulfilment_confirms_and_cancels);
    tcase_add_test(stories, a_confirmation_that_meets_a_cancellation_says_nothing);
    tcase_add_test(stories, an_order_may_be_cancelled_until_it_is_shipped);
    tcase_add_test(stories, a_request_keeps_the_customers_words);
    tcase_add_test(stories, somebody_elses_order_is_not_found);
    tcase_add_test(stories, an_order_is_cancelled_once_with_its_reason);
    tcase_add_test(stories, any_merchant_of_the_order_ships_it);
    tcase_add_test(stories, only_a_confirmed_order_is_shipped_and_only_a_shipped_one_delivered);
    suite_add_tcase(suite, stories);
    return run_suite(suite);
}
