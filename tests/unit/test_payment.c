/* Stories of one payment. */
#include "commands/aggregates.h"
#include "schemas/payment.h"
#include "tests/support/given.h"

#define PAYMENT id_of(300)
#define ORDER id_of(100)
#define EUR(minor)                                         \
    {                                                      \
        .amount = (minor), .currency = COMMON_CURRENCY_EUR \
    }

#define RECORD(NAME, name, ...)                                                    \
    ASKED(SYSTEM, payment, PAYMENT_COMMAND_RECORD_##NAME##_V1, record_##name##_v1, \
          .payment_id = PAYMENT, __VA_ARGS__)
#define REFERENCE .provider_reference = TEXT("ch_1")
#define REASON .reason = TEXT("no")

static void request(struct actor actor)
{
    ASKED(actor, payment, PAYMENT_COMMAND_REQUEST_V1, request_v1, .payment_id = PAYMENT,
          .order_id = ORDER, .customer_id = ADA, .amount = EUR(1400),
          .payment_method = TEXT("card"));
}

static void capture(void)
{
    ASKED(SYSTEM, payment, PAYMENT_COMMAND_CAPTURE_V1, capture_v1, .payment_id = PAYMENT);
}

static void release(void)
{
    ASKED(SYSTEM, payment, PAYMENT_COMMAND_RELEASE_V1, release_v1, .payment_id = PAYMENT);
}

static void then_only(int tag)
{
    then_events(1);
    then_event(0, tag);
}

static void then_both(int first, int second)
{
    then_events(2);
    then_event(0, first);
    then_event(1, second);
}

static void given_requested(void)
{
    given(&payment_aggregate, TEXT("a payment's id"));
    request(SYSTEM);
    then_only(PAYMENT_EVENT_REQUESTED_V1);
}

static void given_authorized(void)
{
    given_requested();
    RECORD(AUTHORIZED, authorized, REFERENCE);
    then_only(PAYMENT_EVENT_AUTHORIZED_V1);
}

static void given_capturing(void)
{
    given_authorized();
    capture();
    then_only(PAYMENT_EVENT_CAPTURE_REQUESTED_V1);
}

static void given_captured(void)
{
    given_capturing();
    RECORD(CAPTURED, captured);
    then_only(PAYMENT_EVENT_CAPTURED_V1);
}

static int64_t refund_number(size_t i)
{
    return THEN(i, payment, PAYMENT_EVENT_REFUND_REQUESTED_V1, refund_requested_v1).number;
}

static int64_t void_number(size_t i)
{
    return THEN(i, payment, PAYMENT_EVENT_VOID_REQUESTED_V1, void_requested_v1).number;
}

START_TEST(a_payment_is_requested_once)
{
    given_requested();
    request(SYSTEM);
    then_nothing();
}
END_TEST

START_TEST(only_the_system_moves_money)
{
    given(&payment_aggregate, TEXT("a payment's id"));
    request(customer(ADA));
    then_refused(PROBLEM_FORBIDDEN);
    request(ADMIN);
    then_refused(PROBLEM_FORBIDDEN);
}
END_TEST

START_TEST(a_capture_carries_what_was_authorized)
{
    given_capturing();
    const struct payment_capture_requested_v1 *requested =
        &THEN(0, payment, PAYMENT_EVENT_CAPTURE_REQUESTED_V1, capture_requested_v1);
    ck_assert_int_eq(requested->amount.amount, 1400);
    ck_assert(text_is(requested->provider_reference, "ch_1"));
    ck_assert(uuid_equal(requested->order_id, ORDER));
    capture();
    then_nothing();
    RECORD(CAPTURED, captured);
    ck_assert_int_eq(THEN(0, payment, PAYMENT_EVENT_CAPTURED_V1, captured_v1).amount.amount, 1400);
    capture();
    then_nothing();
}
END_TEST

START_TEST(only_an_authorized_payment_is_captured)
{
    given_requested();
    capture();
    then_refused(PROBLEM_WRONG_STATE);
    given_authorized();
    release();
    capture();
    then_refused(PROBLEM_WRONG_STATE);
}
END_TEST

START_TEST(where_nothing_is_held_a_release_says_nothing)
{
    given(&payment_aggregate, TEXT("a payment's id"));
    release();
    then_nothing();
    given_requested();
    RECORD(DECLINED, declined, REASON);
    then_only(PAYMENT_EVENT_DECLINED_V1);
    release();
    then_nothing();
    given_authorized();
    release();
    RECORD(VOIDED, voided);
    then_only(PAYMENT_EVENT_VOIDED_V1);
    release();
    then_nothing();
    given_captured();
    release();
    RECORD(REFUNDED, refunded, .amount = EUR(1400));
    then_only(PAYMENT_EVENT_REFUNDED_V1);
    release();
    then_nothing();
}
END_TEST

START_TEST(an_authorized_payment_is_voided_and_a_captured_one_refunded)
{
    given_authorized();
    release();
    then_events(1);
    ck_assert(text_is(
        THEN(0, payment, PAYMENT_EVENT_VOID_REQUESTED_V1, void_requested_v1).provider_reference,
        "ch_1"));
    ck_assert_int_eq(void_number(0), 1);
    given_captured();
    release();
    then_events(1);
    ck_assert_int_eq(refund_number(0), 1);
    ck_assert_int_eq(
        THEN(0, payment, PAYMENT_EVENT_REFUND_REQUESTED_V1, refund_requested_v1).amount.amount,
        1400);
    given_capturing();
    RECORD(CAPTURE_FAILED, capture_failed, REASON);
    then_only(PAYMENT_EVENT_CAPTURE_FAILED_V1);
    release();
    then_only(PAYMENT_EVENT_VOID_REQUESTED_V1);
}
END_TEST

START_TEST(a_release_waits_for_the_outstanding_authorization)
{
    given_requested();
    release();
    then_only(PAYMENT_EVENT_RELEASE_REQUESTED_V1);
    RECORD(AUTHORIZED, authorized, REFERENCE);
    then_both(PAYMENT_EVENT_AUTHORIZED_V1, PAYMENT_EVENT_VOID_REQUESTED_V1);
    ck_assert(text_is(
        THEN(1, payment, PAYMENT_EVENT_VOID_REQUESTED_V1, void_requested_v1).provider_reference,
        "ch_1"));
    given_requested();
    release();
    RECORD(DECLINED, declined, REASON);
    then_only(PAYMENT_EVENT_DECLINED_V1);
}
END_TEST

START_TEST(a_release_waits_for_the_outstanding_capture)
{
    given_capturing();
    release();
    then_only(PAYMENT_EVENT_RELEASE_REQUESTED_V1);
    RECORD(CAPTURED, captured);
    then_both(PAYMENT_EVENT_CAPTURED_V1, PAYMENT_EVENT_REFUND_REQUESTED_V1);
    given_capturing();
    release();
    RECORD(CAPTURE_FAILED, capture_failed, REASON);
    then_both(PAYMENT_EVENT_CAPTURE_FAILED_V1, PAYMENT_EVENT_VOID_REQUESTED_V1);
}
END_TEST

START_TEST(a_release_under_way_is_never_taken_for_nothing_to_do)
{
    given_requested();
    release();
    release();
    then_only(PAYMENT_EVENT_RELEASE_REQUESTED_V1);
    given_authorized();
    release();
    release();
    then_only(PAYMENT_EVENT_RELEASE_REQUESTED_V1);
    RECORD(VOIDED, voided);
    then_only(PAYMENT_EVENT_VOIDED_V1);
    given_captured();
    release();
    release();
    then_only(PAYMENT_EVENT_RELEASE_REQUESTED_V1);
}
END_TEST

START_TEST(after_a_refusal_the_next_ordinal_is_asked)
{
    given_captured();
    release();
    ck_assert_int_eq(refund_number(0), 1);
    RECORD(RELEASE_FAILED, release_failed, .operation = PAYMENT_OPERATION_REFUND, REASON);
    then_only(PAYMENT_EVENT_RELEASE_FAILED_V1);
    release();
    ck_assert_int_eq(refund_number(0), 2);
    given_authorized();
    release();
    RECORD(RELEASE_FAILED, release_failed, .operation = PAYMENT_OPERATION_VOID, REASON);
    release();
    ck_assert_int_eq(void_number(0), 2);
}
END_TEST

START_TEST(after_an_unknown_result_the_same_ordinal_is_asked)
{
    given_captured();
    release();
    RECORD(UNKNOWN, unknown, .operation = PAYMENT_OPERATION_REFUND, REASON);
    then_only(PAYMENT_EVENT_UNKNOWN_V1);
    release();
    ck_assert_int_eq(refund_number(0), 1);
    given_authorized();
    release();
    RECORD(UNKNOWN, unknown, .operation = PAYMENT_OPERATION_VOID, REASON);
    release();
    ck_assert_int_eq(void_number(0), 1);
}
END_TEST

/* Nobody knows the charge: who is to void it may have to make it first. */
static void then_void_tells_the_authorization(size_t i)
{
    const struct payment_void_requested_v1 *e =
        &THEN(i, payment, PAYMENT_EVENT_VOID_REQUESTED_V1, void_requested_v1);
    ck_assert(!e->has_provider_reference && e->has_authorization);
    ck_assert_int_eq(e->authorization.amount.amount, 1400);
    ck_assert(text_is(e->authorization.payment_method, "card"));
}

START_TEST(an_unknown_authorization_is_voided_without_a_reference)
{
    given_requested();
    RECORD(UNKNOWN, unknown, .operation = PAYMENT_OPERATION_AUTHORIZE, REASON);
    then_only(PAYMENT_EVENT_UNKNOWN_V1);
    release();
    then_events(1);
    then_void_tells_the_authorization(0);
    RECORD(UNKNOWN, unknown, .operation = PAYMENT_OPERATION_VOID, REASON);
    release();
    then_void_tells_the_authorization(0);
    given_requested();
    release();
    RECORD(UNKNOWN, unknown, .operation = PAYMENT_OPERATION_AUTHORIZE, REASON);
    then_both(PAYMENT_EVENT_UNKNOWN_V1, PAYMENT_EVENT_VOID_REQUESTED_V1);
    then_void_tells_the_authorization(1);
    given_authorized();
    release();
    ck_assert(
        !THEN(0, payment, PAYMENT_EVENT_VOID_REQUESTED_V1, void_requested_v1).has_authorization);
}
END_TEST

START_TEST(an_unknown_capture_is_voided_or_else_refunded)
{
    given_capturing();
    RECORD(UNKNOWN, unknown, .operation = PAYMENT_OPERATION_CAPTURE, REASON);
    release();
    then_only(PAYMENT_EVENT_VOID_REQUESTED_V1);
    RECORD(RELEASE_FAILED, release_failed, .operation = PAYMENT_OPERATION_VOID, REASON);
    then_only(PAYMENT_EVENT_REFUND_REQUESTED_V1);
    RECORD(RELEASE_FAILED, release_failed, .operation = PAYMENT_OPERATION_REFUND, REASON);
    then_only(PAYMENT_EVENT_RELEASE_FAILED_V1);
    release();
    then_only(PAYMENT_EVENT_VOID_REQUESTED_V1);
    ck_assert_int_eq(void_number(0), 2);
    RECORD(RELEASE_FAILED, release_failed, .operation = PAYMENT_OPERATION_VOID, REASON);
    ck_assert_int_eq(refund_number(0), 2);
    RECORD(REFUNDED, refunded, .amount = EUR(1400));
    then_only(PAYMENT_EVENT_REFUNDED_V1);
}
END_TEST

START_TEST(money_that_came_back_after_all_is_back)
{
    given_captured();
    release();
    RECORD(RELEASE_FAILED, release_failed, .operation = PAYMENT_OPERATION_REFUND, REASON);
    release();
    RECORD(RELEASE_FAILED, release_failed, .operation = PAYMENT_OPERATION_REFUND, REASON);
    RECORD(REFUNDED, refunded, .amount = EUR(1400));
    then_only(PAYMENT_EVENT_REFUNDED_V1);
    given_authorized();
    release();
    RECORD(UNKNOWN, unknown, .operation = PAYMENT_OPERATION_VOID, REASON);
    RECORD(VOIDED, voided);
    then_only(PAYMENT_EVENT_VOIDED_V1);
}
END_TEST

START_TEST(answers_that_nobody_awaits_are_absorbed)
{
    given_captured();
    RECORD(AUTHORIZED, authorized, REFERENCE);
    then_nothing();
    RECORD(DECLINED, declined, REASON);
    then_nothing();
    RECORD(CAPTURED, captured);
    then_nothing();
    RECORD(CAPTURE_FAILED, capture_failed, REASON);
    then_nothing();
    RECORD(VOIDED, voided);
    then_nothing();
    RECORD(REFUNDED, refunded, .amount = EUR(1400));
    then_nothing();
    RECORD(RELEASE_FAILED, release_failed, .operation = PAYMENT_OPERATION_REFUND, REASON);
    then_nothing();
    RECORD(UNKNOWN, unknown, .operation = PAYMENT_OPERATION_CAPTURE, REASON);
    then_nothing();
    given_capturing();
    RECORD(RELEASE_FAILED, release_failed, .operation = PAYMENT_OPERATION_CAPTURE, REASON);
    then_nothing();
    given(&payment_aggregate, TEXT("a payment's id"));
    RECORD(AUTHORIZED, authorized, REFERENCE);
    then_nothing();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("payment");
    TCase *stories = tcase_create("stories");
    tcase_add_checked_fixture(stories, NULL, given_finish);
    tcase_add_test(stories, a_payment_is_requested_once);
    tcase_add_test(stories, only_the_system_moves_money);
    tcase_add_test(stories, a_capture_carries_what_was_authorized);
    tcase_add_test(stories, only_an_authorized_payment_is_captured);
    tcase_add_test(stories, where_nothing_is_held_a_release_says_nothing);
    tcase_add_test(stories, an_authorized_payment_is_voided_and_a_captured_one_refunded);
    tcase_add_test(stories, a_release_waits_for_the_outstanding_authorization);
    tcase_add_test(stories, a_release_waits_for_the_outstanding_capture);
    tcase_add_test(stories, a_release_under_way_is_never_taken_for_nothing_to_do);
    tcase_add_test(stories, after_a_refusal_the_next_ordinal_is_asked);
    tcase_add_test(stories, after_an_unknown_result_the_same_ordinal_is_asked);
    tcase_add_test(stories, an_unknown_authorization_is_voided_without_a_reference);
    tcase_add_test(stories, an_unknown_capture_is_voided_or_else_refunded);
    tcase_add_test(stories, money_that_came_back_after_all_is_back);
    tcase_add_test(stories, answers_that_nobody_awaits_are_absorbed);
    suite_add_tcase(suite, stories);
    return run_suite(suite);
}
