/* Stories of one product. */
#include "commands/aggregates.h"
#include "schemas/product.h"
#include "tests/support/given.h"

#define SKU TEXT("tea")
#define EUR(minor) ((struct common_money){.amount = (minor), .currency = COMMON_CURRENCY_EUR})
#define USD(minor) ((struct common_money){.amount = (minor), .currency = COMMON_CURRENCY_USD})

static void given_tea(void)
{
    given(&product_aggregate, SKU);
    HAPPENED(product, PRODUCT_EVENT_ADDED_V1, added_v1, .sku = SKU, .name = TEXT("Tea"),
             .price = EUR(250), .merchant_id = MILL);
}

static void add(struct actor actor, struct uuid merchant_id)
{
    ASKED(actor, product, PRODUCT_COMMAND_ADD_V1, add_v1, .sku = SKU, .name = TEXT("Tea"),
          .price = EUR(250), .merchant_id = merchant_id);
}

#define CHANGE_PRICE(actor, money)                                                      \
    ASKED(actor, product, PRODUCT_COMMAND_CHANGE_PRICE_V1, change_price_v1, .sku = SKU, \
          .price = (money))

static void change_status(struct actor actor, enum product_status status)
{
    ASKED(actor, product, PRODUCT_COMMAND_CHANGE_STATUS_V1, change_status_v1, .sku = SKU,
          .status = status);
}

START_TEST(a_merchant_adds_a_product)
{
    given(&product_aggregate, SKU);
    add(merchant(MILL), MILL);
    then_events(1);
    ck_assert_int_eq(THEN(0, product, PRODUCT_EVENT_ADDED_V1, added_v1).price.amount, 250);
    ck_assert(text_is(THEN(0, product, PRODUCT_EVENT_ADDED_V1, added_v1).name, "Tea"));
    ck_assert(uuid_equal(THEN(0, product, PRODUCT_EVENT_ADDED_V1, added_v1).merchant_id, MILL));
}
END_TEST

START_TEST(an_administrator_adds_for_any_merchant)
{
    given(&product_aggregate, SKU);
    add(ADMIN, MILL);
    then_events(1);
}
END_TEST

START_TEST(nobody_adds_for_another_merchant_or_without_being_one)
{
    given(&product_aggregate, SKU);
    add(merchant(FORGE), MILL);
    then_refused(PROBLEM_FORBIDDEN);
    add(customer(MILL), MILL);
    then_refused(PROBLEM_FORBIDDEN);
}
END_TEST

START_TEST(a_product_is_added_once)
{
    given_tea();
    add(merchant(MILL), MILL);
    then_refused(PROBLEM_ALREADY_EXISTS);
}
END_TEST

START_TEST(a_price_changes_in_amount_or_currency)
{
    given_tea();
    CHANGE_PRICE(merchant(MILL), EUR(300));
    then_events(1);
    ck_assert_int_eq(
        THEN(0, product, PRODUCT_EVENT_PRICE_CHANGED_V1, price_changed_v1).price.amount, 300);
    CHANGE_PRICE(merchant(MILL), USD(300));
    then_events(1);
}
END_TEST

START_TEST(the_same_price_and_status_are_accepted_without_a_word)
{
    given_tea();
    CHANGE_PRICE(merchant(MILL), EUR(250));
    then_nothing();
    change_status(merchant(MILL), PRODUCT_STATUS_ACTIVE);
    then_nothing();
}
END_TEST

START_TEST(a_product_is_discontinued_and_sold_again)
{
    given_tea();
    change_status(merchant(MILL), PRODUCT_STATUS_DISCONTINUED);
    then_events(1);
    change_status(merchant(MILL), PRODUCT_STATUS_DISCONTINUED);
    then_nothing();
    change_status(ADMIN, PRODUCT_STATUS_ACTIVE);
    then_events(1);
}
END_TEST

START_TEST(what_is_foreign_or_unknown_is_not_found)
{
    given_tea();
    CHANGE_PRICE(merchant(FORGE), EUR(1));
    then_refused(PROBLEM_NOT_FOUND);
    change_status(customer(MILL), PRODUCT_STATUS_DISCONTINUED);
    then_refused(PROBLEM_NOT_FOUND);
    given(&product_aggregate, SKU);
    CHANGE_PRICE(ADMIN, EUR(1));
    then_refused(PROBLEM_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("product");
    TCase *stories = tcase_create("stories");
    tcase_add_checked_fixture(stories, NULL, given_finish);
    tcase_add_test(stories, a_merchant_adds_a_product);
    tcase_add_test(stories, an_administrator_adds_for_any_merchant);
    tcase_add_test(stories, nobody_adds_for_another_merchant_or_without_being_one);
    tcase_add_test(stories, a_product_is_added_once);
    tcase_add_test(stories, a_price_changes_in_amount_or_currency);
    tcase_add_test(stories, the_same_price_and_status_are_accepted_without_a_word);
    tcase_add_test(stories, a_product_is_discontinued_and_sold_again);
    tcase_add_test(stories, what_is_foreign_or_unknown_is_not_found);
    suite_add_tcase(suite, stories);
    return run_suite(suite);
}
