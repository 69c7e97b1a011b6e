/* Stories of one order's fulfilment, told in many orders of messages. */
#include <stdlib.h>

#include "saga/sagas.h"
#include "schemas/payment.h"
#include "tests/support/given.h"
#include "tests/support/shop.h"

enum { ORDERINGS = 20, ORDER = 0 };

static const struct mood kind = {0};
static const struct basket two_products = {.quantities = {2, 3}};

/* An order of two lines in a shop that has enough of both. */
static struct shop *shop_with(uint64_t seed, const struct mood *mood)
{
    struct shop *shop = shop_create(seed, mood);
    shop_receive(shop, 0, 10);
    shop_receive(shop, 1, 10);
    shop_run(shop);
    shop_place(shop, &two_products);
    return shop;
}

static void run_until(struct shop *shop, enum phase phase)
{
    while (shop_fulfilment(shop, ORDER)->phase != phase)
        ck_assert(shop_step(shop));
}

static void run_until_happened(struct shop *shop, const char *type)
{
    while (shop_count(shop, ORDER, type) == 0)
        ck_assert(shop_step(shop));
}

static void check_happened(const struct shop *shop, const char *type, size_t times)
{
    if (shop_count(shop, ORDER, type) != times)
        ck_abort_msg("%s happened %zu times instead of %zu", type, shop_count(shop, ORDER, type),
                     times);
}

/* It ended with this reason and left nothing behind. */
static void check_cancelled(struct shop *shop, enum order_cancel_reason reason)
{
    shop_run(shop);
    shop_check_quiet(shop);
    shop_check_settled(shop);
    check_happened(shop, "order.cancelled.v1", 1);
    ck_assert_int_eq(shop_reason(shop, ORDER), reason);
    ck_assert_int_eq(shop_fulfilment(shop, ORDER)->phase, PHASE_ENDED);
    ck_assert_ptr_null(shop_fulfilment(shop, ORDER)->lines);
    shop_destroy(shop);
}

START_TEST(an_order_is_paid_reserved_and_confirmed)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    shop_run(shop);
    shop_check_quiet(shop);
    shop_check_settled(shop);
    ck_assert_int_eq(shop_fulfilment(shop, ORDER)->phase, PHASE_CONFIRMED);
    check_happened(shop, "order.confirmed.v1", 1);
    check_happened(shop, "inventory.committed.v1", 2);
    check_happened(shop, "payment.captured.v1", 1);
    check_happened(shop, "fulfilment.completed.v1", 1);
    ck_assert_int_eq(shop_stock(shop, 0).committed, 2);
    ck_assert_int_eq(fulfilment_due(shop_fulfilment(shop, ORDER)), INT64_MAX);
    shop_destroy(shop);
}
END_TEST

START_TEST(shipping_ends_it)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    shop_run(shop);
    shop_ship(shop, ORDER);
    shop_run(shop);
    shop_deliver(shop, ORDER);
    shop_request_cancellation(shop, ORDER);
    shop_run(shop);
    shop_check_settled(shop);
    check_happened(shop, "fulfilment.ended.v1", 1);
    check_happened(shop, "order.delivered.v1", 1);
    check_happened(shop, "fulfilment.compensation_started.v1", 0);
    shop_destroy(shop);
}
END_TEST

/* The order may be confirmed, and so shipped, before the last commit is answered. */
START_TEST(an_order_shipped_before_its_last_commit_still_ends)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    run_until_happened(shop, "order.confirmed.v1");
    shop_ship(shop, ORDER);
    shop_run(shop);
    shop_check_settled(shop);
    check_happened(shop, "fulfilment.ended.v1", 1);
    check_happened(shop, "fulfilment.completed.v1", 1);
    shop_destroy(shop);
}
END_TEST

START_TEST(a_declined_payment_reserves_nothing)
{
    struct mood mood = {.no[OPERATION_AUTHORIZE] = 100};
    struct shop *shop = shop_with((uint64_t)_i, &mood);
    shop_run(shop);
    check_happened(shop, "inventory.reserved.v1", 0);
    check_happened(shop, "payment.void_requested.v1", 0);
    check_happened(shop, "fulfilment.payment_released.v1", 0);
    check_cancelled(shop, ORDER_CANCEL_REASON_PAYMENT_DECLINED);
}
END_TEST

START_TEST(one_missing_line_gives_back_the_other_and_the_money)
{
    struct shop *shop = shop_create((uint64_t)_i, &kind);
    shop_receive(shop, 0, 10);
    shop_receive(shop, 1, 2);
    shop_run(shop);
    shop_place(shop, &two_products);
    shop_run(shop);
    check_happened(shop, "inventory.rejected.v1", 1);
    check_happened(shop, "inventory.released.v1", 1);
    check_happened(shop, "payment.voided.v1", 1);
    check_happened(shop, "payment.captured.v1", 0);
    ck_assert_int_eq(shop_stock(shop, 0).on_hand, 10);
    check_cancelled(shop, ORDER_CANCEL_REASON_OUT_OF_STOCK);
}
END_TEST

START_TEST(a_failed_capture_gives_everything_back)
{
    struct mood mood = {.no[OPERATION_CAPTURE] = 100};
    struct shop *shop = shop_with((uint64_t)_i, &mood);
    shop_run(shop);
    check_happened(shop, "inventory.released.v1", 2);
    check_happened(shop, "payment.voided.v1", 1);
    check_cancelled(shop, ORDER_CANCEL_REASON_PAYMENT_FAILED);
}
END_TEST

START_TEST(a_silent_provider_costs_the_order_and_nothing_else)
{
    for (size_t i = OPERATION_AUTHORIZE; i <= OPERATION_CAPTURE; i++) {
        struct mood mood = kind;
        mood.silent[i] = 100;
        struct shop *shop = shop_with((uint64_t)_i, &mood);
        shop_run(shop);
        check_happened(shop, "payment.unknown.v1", 1);
        /* A silent void would need attention: the mood silences only what leads here. */
        check_cancelled(shop, ORDER_CANCEL_REASON_PAYMENT_FAILED);
    }
}
END_TEST

START_TEST(a_customer_may_cancel_at_every_moment_before_the_pivot)
{
    static const enum phase moments[] = {PHASE_AUTHORIZING, PHASE_RESERVING, PHASE_CAPTURING};
    for (size_t i = 0; i < COUNT(moments); i++) {
        struct shop *shop = shop_with((uint64_t)_i, &kind);
        run_until(shop, moments[i]);
        shop_request_cancellation(shop, ORDER);
        while (shop_count(shop, ORDER, "order.cancellation_requested.v1") == 0)
            ck_assert(shop_step(shop));
        check_cancelled(shop, ORDER_CANCEL_REASON_CUSTOMER_REQUEST);
    }
}
END_TEST

START_TEST(a_cancellation_past_the_pivot_waits_until_the_order_is_made)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    run_until(shop, PHASE_CONFIRMING);
    shop_request_cancellation(shop, ORDER);
    shop_run(shop);
    check_happened(shop, "inventory.committed.v1", 2);
    check_happened(shop, "inventory.restocked.v1", 2);
    check_happened(shop, "inventory.released.v1", 0);
    check_happened(shop, "payment.refunded.v1", 1);
    check_cancelled(shop, ORDER_CANCEL_REASON_CUSTOMER_REQUEST);
}
END_TEST

START_TEST(a_confirmed_order_is_refunded_and_restocked)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    shop_run(shop);
    shop_request_cancellation(shop, ORDER);
    shop_run(shop);
    check_happened(shop, "payment.refunded.v1", 1);
    check_happened(shop, "inventory.restocked.v1", 2);
    ck_assert_int_eq(shop_stock(shop, 1).on_hand, 10);
    check_cancelled(shop, ORDER_CANCEL_REASON_CUSTOMER_REQUEST);
}
END_TEST

START_TEST(an_operator_may_cancel_before_and_after_confirmation)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    run_until(shop, PHASE_RESERVING);
    ck_assert_int_eq(shop_compensate(shop, ORDER), PROBLEM_NONE);
    check_cancelled(shop, ORDER_CANCEL_REASON_OPERATOR);
    shop = shop_with((uint64_t)_i, &kind);
    shop_run(shop);
    ck_assert_int_eq(shop_compensate(shop, ORDER), PROBLEM_NONE);
    check_cancelled(shop, ORDER_CANCEL_REASON_OPERATOR);
}
END_TEST

/* The order decides the race: either it is shipped and stays so, or it is cancelled and not
 * shipped. */
START_TEST(an_operator_and_a_merchant_cannot_both_win)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    shop_run(shop);
    shop_ship(shop, ORDER);
    ck_assert_int_eq(shop_compensate(shop, ORDER), PROBLEM_NONE);
    shop_run(shop);
    shop_check_quiet(shop);
    shop_check_settled(shop);
    ck_assert_uint_eq(shop_count(shop, ORDER, "order.shipped.v1") +
                          shop_count(shop, ORDER, "order.cancelled.v1"),
                      1);
    shop_destroy(shop);
}
END_TEST

START_TEST(a_deadline_before_the_pivot_gives_everything_back)
{
    static const enum phase moments[] = {PHASE_AUTHORIZING, PHASE_RESERVING, PHASE_CAPTURING};
    for (size_t i = 0; i < COUNT(moments); i++) {
        struct shop *shop = shop_with((uint64_t)_i, &kind);
        run_until(shop, moments[i]);
        shop_fire_timer(shop, ORDER);
        check_happened(shop, "fulfilment.timer_fired.v1", 1);
        check_cancelled(shop, ORDER_CANCEL_REASON_DEADLINE);
    }
}
END_TEST

START_TEST(every_step_has_a_deadline_of_its_own)
{
    static const enum phase moments[] = {PHASE_AUTHORIZING, PHASE_RESERVING, PHASE_CAPTURING,
                                         PHASE_CONFIRMING};
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    for (size_t i = 0; i < COUNT(moments); i++) {
        run_until(shop, moments[i]);
        ck_assert_int_eq(fulfilment_due(shop_fulfilment(shop, ORDER)),
                         shop_now(shop) + SHOP_STEP_US);
        shop_fire_timer_early(shop, ORDER);
        check_happened(shop, "fulfilment.timer_fired.v1", 0);
        check_happened(shop, "fulfilment.timer_set.v1", i + 1);
    }
    shop_run(shop);
    shop_check_settled(shop);
    shop_destroy(shop);
}
END_TEST

START_TEST(a_deadline_past_the_pivot_is_only_set_again)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    run_until(shop, PHASE_CONFIRMING);
    int64_t due = fulfilment_due(shop_fulfilment(shop, ORDER));
    shop_fire_timer(shop, ORDER);
    ck_assert_int_gt(fulfilment_due(shop_fulfilment(shop, ORDER)), due);
    ck_assert_int_lt(fulfilment_due(shop_fulfilment(shop, ORDER)), INT64_MAX);
    shop_run(shop);
    shop_check_settled(shop);
    check_happened(shop, "order.confirmed.v1", 1);
    shop_destroy(shop);
}
END_TEST

START_TEST(a_refused_refund_needs_attention_until_it_is_retried)
{
    struct mood mood = {.no[OPERATION_REFUND] = 100};
    struct shop *shop = shop_with((uint64_t)_i, &mood);
    shop_run(shop);
    ck_assert_int_eq(shop_retry(shop, ORDER), PROBLEM_WRONG_STATE);
    shop_request_cancellation(shop, ORDER);
    shop_run(shop);
    ck_assert(shop_fulfilment(shop, ORDER)->needs_attention);
    check_happened(shop, "fulfilment.compensation_failed.v1", 1);
    check_happened(shop, "order.cancelled.v1", 0);
    ck_assert_int_eq(fulfilment_due(shop_fulfilment(shop, ORDER)), INT64_MAX);
    shop_mood(shop, &kind);
    ck_assert_int_eq(shop_retry(shop, ORDER), PROBLEM_NONE);
    ck_assert(!shop_fulfilment(shop, ORDER)->needs_attention);
    ck_assert_int_eq(fulfilment_due(shop_fulfilment(shop, ORDER)),
                     shop_now(shop) + SHOP_COMPENSATION_US);
    check_cancelled(shop, ORDER_CANCEL_REASON_CUSTOMER_REQUEST);
}
END_TEST

START_TEST(an_overdue_compensation_is_told_and_goes_on_by_itself)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    run_until(shop, PHASE_RESERVING);
    shop_fire_timer(shop, ORDER);
    shop_fire_timer(shop, ORDER);
    ck_assert(shop_fulfilment(shop, ORDER)->needs_attention);
    check_happened(shop, "fulfilment.compensation_failed.v1", 1);
    while (shop_fulfilment(shop, ORDER)->cancel.answer == ANSWER_UNASKED)
        ck_assert(shop_step(shop));
    ck_assert(!shop_fulfilment(shop, ORDER)->needs_attention);
    ck_assert_int_eq(fulfilment_due(shop_fulfilment(shop, ORDER)),
                     shop_now(shop) + SHOP_COMPENSATION_US);
    check_cancelled(shop, ORDER_CANCEL_REASON_DEADLINE);
}
END_TEST

/* The cancellation's answer came after its deadline, and nobody retried. */
START_TEST(what_is_over_needs_no_attention)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    run_until(shop, PHASE_RESERVING);
    shop_fire_timer(shop, ORDER);
    while (shop_fulfilment(shop, ORDER)->cancel.answer == ANSWER_UNASKED)
        ck_assert(shop_step(shop));
    shop_fire_timer(shop, ORDER);
    ck_assert(shop_fulfilment(shop, ORDER)->needs_attention);
    shop_run(shop);
    ck_assert_int_eq(shop_fulfilment(shop, ORDER)->phase, PHASE_ENDED);
    ck_assert(!shop_fulfilment(shop, ORDER)->needs_attention);
    ck_assert_int_eq(shop_retry(shop, ORDER), PROBLEM_WRONG_STATE);
    check_cancelled(shop, ORDER_CANCEL_REASON_DEADLINE);
}
END_TEST

/* A second restock of the same line would make stock out of nothing. */
START_TEST(a_retry_asks_nobody_twice_who_has_not_answered)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    shop_run(shop);
    shop_request_cancellation(shop, ORDER);
    run_until(shop, PHASE_COMPENSATING);
    shop_fire_timer(shop, ORDER);
    ck_assert_int_eq(shop_retry(shop, ORDER), PROBLEM_NONE);
    shop_run(shop);
    check_happened(shop, "inventory.restocked.v1", 2);
    check_happened(shop, "payment.refunded.v1", 1);
    check_cancelled(shop, ORDER_CANCEL_REASON_CUSTOMER_REQUEST);
}
END_TEST

START_TEST(commands_to_what_is_unknown_or_over_are_refused)
{
    struct shop *shop = shop_create((uint64_t)_i, &kind);
    shop_place(shop, &two_products);
    ck_assert_int_eq(shop_retry(shop, ORDER), PROBLEM_NOT_FOUND);
    ck_assert_int_eq(shop_compensate(shop, ORDER), PROBLEM_NOT_FOUND);
    shop_run(shop);
    ck_assert_int_eq(shop_compensate(shop, ORDER), PROBLEM_WRONG_STATE);
    check_cancelled(shop, ORDER_CANCEL_REASON_OUT_OF_STOCK);
}
END_TEST

START_TEST(answers_told_twice_change_nothing)
{
    struct shop *shop = shop_with((uint64_t)_i, &kind);
    shop_double_answers(shop, 100);
    shop_run(shop);
    check_happened(shop, "payment.authorized.v1", 1);
    check_happened(shop, "payment.captured.v1", 1);
    shop_request_cancellation(shop, ORDER);
    shop_run(shop);
    check_happened(shop, "payment.refunded.v1", 1);
    check_cancelled(shop, ORDER_CANCEL_REASON_CUSTOMER_REQUEST);
}
END_TEST

static void evolve_started(void *state, struct uuid order_id)
{
    static char skus[LINES_MAX][KEY_LEN_MAX];
    struct fulfilment_item items[LINES_MAX];
    memset(skus, 'x', sizeof skus);
    for (size_t i = 0; i < LINES_MAX; i++) {
        skus[i][0] = (char)('A' + i % 26);
        skus[i][1] = (char)('a' + i / 26);
        items[i] = (struct fulfilment_item){.sku = {skus[i], KEY_LEN_MAX}, .quantity = 10000};
    }
    fulfilment_saga.evolve(
        state,
        &(struct fulfilment_event){
            .tag = FULFILMENT_EVENT_STARTED_V1,
            .as.started_v1 = {.order_id = order_id, .items = {.at = items, .count = LINES_MAX}}});
}

static size_t react_to_payment(const void *state, struct uuid order_id,
                               const struct payment_event *message, size_t *ret_bytes)
{
    static char memory[UNIT_ARENA_BYTES] __attribute__((aligned(16)));
    struct arena arena = {.base = memory, .size = sizeof memory};
    struct decision cause = {.outcome = OUTCOME_ACCEPTED};
    struct event event = {.vocabulary = &payment_events, .message = message, .decision = &cause};
    struct saga_input input = {
        .kind = SAGA_DECISION,
        .id = order_id,
        .decision = &cause,
        .service = "payment",
        .events_count = 1,
        .events = &event,
    };
    struct draft draft;
    draft_init(&draft, &arena, &fulfilment_events);
    fulfilment_saga.react(state, &input, &draft);
    struct decision decision = {
        .mark = {.kind = RECORD_DECISION, .number = 1},
        .outcome = OUTCOME_ACCEPTED,
        .target = TEXT("11111111-1111-1111-1111-111111111111"),
        .commands_count = draft.commands_count,
        .commands = draft.commands,
    };
    *ret_bytes = decision_encode(&decision, &arena).len;
    return draft.commands_count;
}

START_TEST(the_widest_order_fits_into_one_decision)
{
    struct uuid order_id = id_of(1);
    struct payment_event captured = {.tag = PAYMENT_EVENT_CAPTURED_V1};
    struct payment_event failed = {.tag = PAYMENT_EVENT_CAPTURE_FAILED_V1};
    struct fulfilment_event authorized = {.tag = FULFILMENT_EVENT_AUTHORIZED_V1};
    struct fulfilment_event capturing = {.tag = FULFILMENT_EVENT_CAPTURING_V1};
    size_t bytes;
    void *state = calloc(1, fulfilment_saga.state_size);
    evolve_started(state, order_id);
    fulfilment_saga.evolve(state, &authorized);
    fulfilment_saga.evolve(state, &capturing);
    ck_assert_uint_eq(react_to_payment(state, order_id, &captured, &bytes), LINES_MAX + 1);
    ck_assert(bytes > 0 && bytes < DECISION_BYTES_MAX / 2);
    ck_assert_uint_eq(react_to_payment(state, order_id, &failed, &bytes), LINES_MAX + 1);
    ck_assert(bytes > 0 && bytes < DECISION_BYTES_MAX / 2);
    owned_free(fulfilment_saga.owned, state);
    free(state);
}
END_TEST

#define ADD(name) tcase_add_loop_test(stories, name, 1, 1 + ORDERINGS)

int main(void)
{
    Suite *suite = suite_create("fulfilment");
    TCase *stories = tcase_create("stories");
    tcase_set_timeout(stories, 60);
    ADD(an_order_is_paid_reserved_and_confirmed);
    ADD(shipping_ends_it);
    ADD(an_order_shipped_before_its_last_commit_still_ends);
    ADD(a_declined_payment_reserves_nothing);
    ADD(one_missing_line_gives_back_the_other_and_the_money);
    ADD(a_failed_capture_gives_everything_back);
    ADD(a_silent_provider_costs_the_order_and_nothing_else);
    ADD(a_customer_may_cancel_at_every_moment_before_the_pivot);
    ADD(a_cancellation_past_the_pivot_waits_until_the_order_is_made);
    ADD(a_confirmed_order_is_refunded_and_restocked);
    ADD(an_operator_may_cancel_before_and_after_confirmation);
    ADD(an_operator_and_a_merchant_cannot_both_win);
    ADD(a_deadline_before_the_pivot_gives_everything_back);
    ADD(every_step_has_a_deadline_of_its_own);
    ADD(a_deadline_past_the_pivot_is_only_set_again);
    ADD(a_refused_refund_needs_attention_until_it_is_retried);
    ADD(an_overdue_compensation_is_told_and_goes_on_by_itself);
    ADD(what_is_over_needs_no_attention);
    ADD(a_retry_asks_nobody_twice_who_has_not_answered);
    ADD(commands_to_what_is_unknown_or_over_are_refused);
    ADD(answers_told_twice_change_nothing);
    tcase_add_test(stories, the_widest_order_fits_into_one_decision);
    suite_add_tcase(suite, stories);
    return run_suite(suite);
}
