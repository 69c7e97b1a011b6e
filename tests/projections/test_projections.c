/* Given these events, then these rows. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "projections/projections.h"
#include "runtime/read_model.h"
#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/payment.h"
#include "schemas/product.h"

static const struct projection *projection;
static struct row_table rows;
static char *keys;
static struct decision decision; /* of the next event */
static int64_t versions[8];      /* by service, of the one aggregate of the story */
static const struct uuid order_a = {{0xA}}, customer = {{0xC}}, payment_a = {{0xF}},
                         merchant = {{0xE}};

/* ---- telling ---- */

static void given(const struct projection *told)
{
    projection = told;
    row_table_init(&rows, told);
    keys = calloc(PROJECTION_KEYS_MAX, told->row_size);
    decision = (struct decision){.outcome = OUTCOME_ACCEPTED, .at = 1000};
    memset(versions, 0, sizeof versions);
}

static void finish(void)
{
    if (keys)
        row_table_finish(&rows);
    free(keys);
    keys = NULL;
}

static enum row_fate feed(const struct event *event)
{
    enum row_fate fate = ROW_KEEP;
    size_t count = projection_keys(projection, event, keys);
    for (size_t i = 0; i < count; i++) {
        char *key = keys + i * projection->row_size;
        uint32_t slot = row_table_add(&rows, key, row_key_hash(projection, key));
        fate = row_slot_apply(projection, row_table_at(&rows, slot), event, i);
        if (!row_table_at(&rows, slot)->exists)
            row_table_remove(&rows, slot);
        memset(key, 0, projection->row_size);
    }
    return fate;
}

static enum row_fate happened_as(const char *service, const struct vocabulary *vocabulary,
                                 int64_t version, const void *message)
{
    int tag;
    memcpy(&tag, message, sizeof tag);
    struct payload payload = {.type = text_of(message_type(vocabulary, tag)->name)};
    decision.events = &payload;
    decision.events_count = 1;
    decision.at++;
    struct event event = {.service = service,
                          .vocabulary = vocabulary,
                          .message = message,
                          .version = version,
                          .decision = &decision,
                          .partition = 2,
                          .offset = 40 + version};
    return feed(&event);
}

static void happened(int nth, const char *service, const struct vocabulary *vocabulary,
                     const void *message)
{
    ck_assert_int_eq(happened_as(service, vocabulary, ++versions[nth], message), ROW_KEEP);
}

#define PRODUCT(NAME, name, ...)       \
    happened(                          \
        0, "product", &product_events, \
        &(struct product_event){.tag = PRODUCT_EVENT_##NAME##_V1, .as.name##_v1 = {__VA_ARGS__}})
#define ORDER(NAME, name, ...)                                     \
    happened(1, "order", &order_events,                            \
             &(struct order_event){.tag = ORDER_EVENT_##NAME##_V1, \
                                   .as.name##_v1 = {.order_id = order_a, ##__VA_ARGS__}})
#define PAYMENT(NAME, name, ...)                   \
    happened(2, "payment", &payment_events,        \
             &(struct payment_event){              \
                 .tag = PAYMENT_EVENT_##NAME##_V1, \
                 .as.name##_v1 = {.payment_id = payment_a, .order_id = order_a, ##__VA_ARGS__}})
#define STOCK(NAME, name, ...)                                             \
    happened(3, "inventory", &inventory_events,                            \
             &(struct inventory_event){.tag = INVENTORY_EVENT_##NAME##_V1, \
                                       .as.name##_v1 = {.sku = TEXT("tea"), ##__VA_ARGS__}})
#define FULFILMENT(NAME, name, ...)                                          \
    happened(4, "fulfilment", &fulfilment_events,                            \
             &(struct fulfilment_event){.tag = FULFILMENT_EVENT_##NAME##_V1, \
                                        .as.name##_v1 = {.order_id = order_a, ##__VA_ARGS__}})

static void decided(enum outcome outcome, struct uuid command_id, uint64_t fingerprint,
                    enum problem problem)
{
    decision.outcome = outcome;
    decision.command_id = command_id;
    decision.fingerprint = fingerprint;
    decision.problem = problem;
    struct event event = {.service = projection->service,
                          .vocabulary = &order_events,
                          .decision = &decision,
                          .partition = 3,
                          .index = -1,
                          .offset = 77};
    ck_assert_int_eq(feed(&event), ROW_KEEP);
}

/* ---- looking ---- */

static const void *only_row(void)
{
    const void *found = NULL;
    for (uint32_t i = 0; i < rows.top; i++)
        if (row_table_at(&rows, i)->used) {
            ck_assert_ptr_null(found);
            found = row_table_at(&rows, i)->row;
        }
    ck_assert_ptr_nonnull(found);
    return found;
}

static const struct column *column(const char *name)
{
    for (size_t i = 0; i < projection->columns_count; i++)
        if (strcmp(projection->columns[i].name, name) == 0)
            return &projection->columns[i];
    ck_abort_msg("no column %s", name);
    return NULL;
}

static void row_says(const void *row, const char *name, const char *value)
{
    char found[2048];
    row_value_print(column(name), row, found, sizeof found);
    ck_assert_msg(strcmp(found, value) == 0, "%s is '%s', not '%s'", name, found, value);
}

static void then(const char *name, const char *value)
{
    row_says(only_row(), name, value);
}

static struct common_money euros(int64_t amount)
{
    return (struct common_money){.amount = amount, .currency = COMMON_CURRENCY_EUR};
}

/* ---- stories ---- */

START_TEST(a_product_has_the_last_price_and_status)
{
    static const struct projection *const folds[] = {&products_projection,
                                                     &order_catalogue_projection};
    given(folds[_i]);
    PRODUCT(ADDED, added, .sku = TEXT("tea"), .name = TEXT("Tea"), .price = euros(500),
            .merchant_id = merchant);
    then("price", "500");
    then("status", "active");
    PRODUCT(PRICE_CHANGED, price_changed, .sku = TEXT("tea"),
            .price = {.amount = 600, .currency = COMMON_CURRENCY_CHF});
    PRODUCT(STATUS_CHANGED, status_changed, .sku = TEXT("tea"),
            .status = PRODUCT_STATUS_DISCONTINUED);
    then("price", "600");
    then("currency", "CHF");
    then("status", "discontinued");
    then("version", "3");
    then("merchant_id", "0e000000-0000-0000-0000-000000000000");
}
END_TEST

START_TEST(the_longest_name_fits)
{
    static const char teapot[] = "\xf0\x9f\xab\x96";
    char name[800]; /* 200 of them */
    for (int i = 0; i < 800; i += 4)
        memcpy(name + i, teapot, sizeof teapot - 1);
    given(&products_projection);
    PRODUCT(ADDED, added, .sku = TEXT("tea"), .name = {name, sizeof name}, .price = euros(1));
    ck_assert_uint_eq(row_text(column("name"), only_row()).len, 800);
}
END_TEST

START_TEST(the_inventory_knows_whose_a_product_is)
{
    given(&inventory_catalogue_projection);
    PRODUCT(ADDED, added, .sku = TEXT("tea"), .price = euros(1), .merchant_id = merchant);
    PRODUCT(PRICE_CHANGED, price_changed, .sku = TEXT("tea"), .price = euros(2));
    then("sku", "tea");
    then("merchant_id", "0e000000-0000-0000-0000-000000000000");
}
END_TEST

static void placed(void)
{
    struct order_line lines[] = {
        {.sku = TEXT("tea"), .quantity = 2, .unit_price = euros(500), .merchant_id = merchant},
        {.sku = TEXT("cup"), .quantity = 1, .unit_price = euros(300)},
    };
    ORDER(PLACED, placed, .customer_id = customer, .items = {lines, 2}, .total = euros(1300),
          .payment_method = TEXT("ok"));
}

START_TEST(an_order_is_placed_confirmed_shipped_delivered)
{
    given(&orders_projection);
    placed();
    then("status", "pending");
    then("total", "1300");
    then("placed_at", "1001");
    ORDER(CONFIRMED, confirmed);
    then("status", "confirmed");
    ORDER(SHIPPED, shipped, .carrier = TEXT("Snail"), .tracking = TEXT("1Z"));
    then("status", "shipped");
    then("carrier", "Snail");
    ORDER(DELIVERED, delivered);
    then("status", "delivered");
    then("version", "4");
    then("placed_at", "1001");
    then("updated_at", "1004");
}
END_TEST

START_TEST(a_cancelled_order_says_why_in_code_and_words)
{
    given(&orders_projection);
    placed();
    ORDER(CANCELLATION_REQUESTED, cancellation_requested, .has_reason = true,
          .reason = TEXT("too late"));
    then("status", "cancelling");
    then("reason", "customer_request");
    ORDER(CANCELLED, cancelled, .reason = ORDER_CANCEL_REASON_CUSTOMER_REQUEST);
    then("status", "cancelled");
    then("reason_note", "too late");
}
END_TEST

START_TEST(the_phase_follows_fulfilment)
{
    given(&orders_projection);
    FULFILMENT(STARTED, started);
    then("phase", "awaiting_payment");
    FULFILMENT(AUTHORIZED, authorized);
    FULFILMENT(LINE_RESERVED, line_reserved);
    then("phase", "reserving");
    FULFILMENT(CAPTURING, capturing);
    then("phase", "capturing");
    FULFILMENT(CAPTURED, captured);
    then("phase", "capturing");
    FULFILMENT(COMPENSATION_FAILED, compensation_failed, .step = FULFILMENT_STEP_COMMIT);
    then("phase", "needs_attention");
    FULFILMENT(RETRIED, retried, .try = 2);
    then("phase", "capturing");
    FULFILMENT(COMPLETED, completed);
    then("phase", "done");
    then("fulfilment_sequence", "8");
    then("version", "0"); /* not shown before order.placed */
    ck_assert_str_eq(projection->shown, "version > 0");
}
END_TEST

START_TEST(compensation_that_failed_goes_on_after_a_retry)
{
    given(&orders_projection);
    FULFILMENT(STARTED, started);
    FULFILMENT(COMPENSATION_STARTED, compensation_started, .reason = FULFILMENT_REASON_DEADLINE);
    then("phase", "compensating");
    FULFILMENT(COMPENSATION_FAILED, compensation_failed, .step = FULFILMENT_STEP_RELEASE);
    FULFILMENT(TIMER_FIRED, timer_fired, .step = FULFILMENT_STEP_RELEASE);
    then("phase", "needs_attention");
    FULFILMENT(RETRIED, retried, .try = 2);
    then("phase", "compensating");
    FULFILMENT(CANCELLED, cancelled);
    FULFILMENT(ENDED, ended);
    then("phase", "done");
}
END_TEST

static void tell_order(int step)
{
    if (step == 0)
        placed();
    if (step == 1)
        ORDER(CONFIRMED, confirmed);
    if (step == 2)
        ORDER(SHIPPED, shipped, .carrier = TEXT("c"), .tracking = TEXT("t"));
}

static void tell_fulfilment(int step)
{
    if (step == 0)
        FULFILMENT(STARTED, started);
    if (step == 1)
        FULFILMENT(AUTHORIZED, authorized);
    if (step == 2)
        FULFILMENT(COMPLETED, completed);
}

/* Every order in which two logs can be read gives the same row: all 20 ways to interleave 3 and 3.
 */
START_TEST(which_log_is_read_first_does_not_matter)
{
    uint64_t first = 0;
    int ways = 0;
    for (unsigned mask = 0; mask < 64; mask++) {
        if (__builtin_popcount(mask) != 3)
            continue;
        int order = 0, fulfilment = 0;
        given(&orders_projection);
        for (int i = 0; i < 6; i++) {
            bool is_order = mask >> i & 1;
            decision.at = is_order ? 2000 + order : 3000 + fulfilment; /* an event's time is its own
                                                                        */
            is_order ? tell_order(order++) : tell_fulfilment(fulfilment++);
        }
        uint64_t digest = row_digest(projection, only_row());
        ck_assert(ways == 0 || digest == first);
        first = digest;
        ways++;
        finish();
    }
    ck_assert_int_eq(ways, 20);
}
END_TEST

START_TEST(each_line_of_an_order_is_a_row)
{
    given(&order_lines_projection);
    placed();
    ORDER(CONFIRMED, confirmed);
    ck_assert_uint_eq(rows.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const void *row = row_table_at(&rows, i)->row;
        row_says(row, "line", i ? "1" : "0");
        row_says(row, "sku", i ? "cup" : "tea");
        row_says(row, "quantity", i ? "1" : "2");
        row_says(row, "unit_price", i ? "300" : "500");
    }
}
END_TEST

static void requested(void)
{
    PAYMENT(REQUESTED, requested, .customer_id = customer, .amount = euros(1300),
            .payment_method = TEXT("ok"));
}

START_TEST(a_payment_is_captured_and_given_back_in_parts)
{
    given(&payments_projection);
    requested();
    then("status", "requested");
    PAYMENT(AUTHORIZED, authorized, .provider_reference = TEXT("ch_9"));
    then("status", "authorized");
    then("provider_reference", "ch_9");
    PAYMENT(CAPTURE_REQUESTED, capture_requested, .amount = euros(1300));
    then("status", "authorized");
    PAYMENT(CAPTURED, captured, .amount = euros(1300));
    then("status", "captured");
    PAYMENT(REFUND_REQUESTED, refund_requested, .amount = euros(1000), .number = 1);
    then("status", "captured");
    PAYMENT(REFUNDED, refunded, .amount = euros(1000));
    then("status", "partially_refunded");
    PAYMENT(REFUNDED, refunded, .amount = euros(300));
    then("status", "refunded");
    then("refunded_amount", "1300");
    then("amount", "1300");
    then("version", "7");
}
END_TEST

START_TEST(a_payment_that_goes_wrong_says_why)
{
    given(&payments_projection);
    requested();
    PAYMENT(UNKNOWN, unknown, .reason = TEXT("no answer"));
    then("status", "unknown");
    PAYMENT(AUTHORIZED, authorized, .provider_reference = TEXT("ch_9"));
    PAYMENT(CAPTURE_FAILED, capture_failed, .reason = TEXT("expired"));
    then("status", "capture_failed");
    then("reason", "expired");
    PAYMENT(VOID_REQUESTED, void_requested);
    PAYMENT(VOIDED, voided);
    then("status", "voided");
}
END_TEST

START_TEST(what_is_given_back_had_been_taken)
{
    given(&payments_projection);
    requested();
    PAYMENT(AUTHORIZED, authorized, .provider_reference = TEXT("ch_9"));
    PAYMENT(UNKNOWN, unknown, .reason = TEXT("no answer")); /* to the capture */
    PAYMENT(REFUND_REQUESTED, refund_requested, .amount = euros(1300), .number = 1);
    PAYMENT(REFUNDED, refunded, .amount = euros(1300));
    then("status", "refunded");
    then("captured_amount", "1300");
    then("refunded_amount", "1300");
}
END_TEST

START_TEST(a_declined_payment_is_declined)
{
    given(&payments_projection);
    requested();
    PAYMENT(DECLINED, declined, .reason = TEXT("no money"));
    then("status", "declined");
    then("reason", "no money");
}
END_TEST

START_TEST(stock_moves_but_nothing_gets_lost)
{
    given(&stock_projection);
    STOCK(RECEIVED, received, .quantity = 10);
    STOCK(ADJUSTED, adjusted, .quantity_change = -1, .reason = TEXT("broken"));
    STOCK(RESERVED, reserved, .quantity = 4);
    then("on_hand", "5");
    then("reserved", "4");
    STOCK(REJECTED, rejected, .quantity = 100, .on_hand = 5);
    STOCK(RELEASED, released, .quantity = 1);
    STOCK(COMMITTED, committed, .quantity = 3);
    STOCK(RESTOCKED, restocked, .quantity = 2);
    then("on_hand", "8");
    then("reserved", "0");
    then("committed", "1");
    then("received", "10");
    then("adjusted", "-1");
    then("version", "7");
}
END_TEST

START_TEST(what_is_free_to_sell_follows_the_stock)
{
    given(&availability_projection);
    decision.target = TEXT("tea");
    STOCK(RECEIVED, received, .quantity = 10);
    STOCK(ADJUSTED, adjusted, .quantity_change = -1, .reason = TEXT("broken"));
    STOCK(RESERVED, reserved, .quantity = 4);
    then("sku", "tea");
    then("on_hand", "5");
    STOCK(REJECTED, rejected, .quantity = 100, .on_hand = 5);
    STOCK(RELEASED, released, .quantity = 1);
    STOCK(COMMITTED, committed, .quantity = 3);
    STOCK(RESTOCKED, restocked, .quantity = 2);
    then("on_hand", "8");
    then("version", "7");
}
END_TEST

/* The row of this version of the one sku. */
static const void *movement(const char *version)
{
    char found[32];
    for (uint32_t i = 0; i < rows.top; i++) {
        row_value_print(column("version"), row_table_at(&rows, i)->row, found, sizeof found);
        if (row_table_at(&rows, i)->used && strcmp(found, version) == 0)
            return row_table_at(&rows, i)->row;
    }
    ck_abort_msg("no movement %s", version);
    return NULL;
}

START_TEST(every_movement_of_stock_has_a_row)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(order_a, id);
    given(&stock_movements_projection);
    STOCK(RECEIVED, received, .quantity = 10);
    STOCK(ADJUSTED, adjusted, .quantity_change = -1, .reason = TEXT("broken"));
    STOCK(RESERVED, reserved, .order_id = order_a, .quantity = 4);
    row_says(movement("1"), "kind", "received");
    row_says(movement("1"), "quantity", "10");
    row_says(movement("2"), "kind", "adjusted");
    row_says(movement("2"), "quantity", "-1");
    row_says(movement("2"), "reason", "broken");
    row_says(movement("3"), "kind", "reserved");
    row_says(movement("3"), "order_id", id);
}
END_TEST

START_TEST(a_fulfilment_shows_timer_and_trouble)
{
    struct fulfilment_item items[3] = {{.sku = TEXT("a"), .quantity = 1}};
    given(&fulfilments_projection);
    FULFILMENT(STARTED, started, .customer_id = customer, .payment_id = payment_a,
               .items = {items, 3});
    then("state", "authorizing");
    then("lines", "3");
    then("due_at", "null");
    FULFILMENT(TIMER_SET, timer_set, .step = FULFILMENT_STEP_AUTHORIZE, .due_at = 99);
    then("due_at", "99");
    then("due_step", "authorize");
    FULFILMENT(COMPENSATION_STARTED, compensation_started,
               .reason = FULFILMENT_REASON_OUT_OF_STOCK);
    FULFILMENT(COMPENSATION_FAILED, compensation_failed, .step = FULFILMENT_STEP_PAYMENT_RELEASE);
    then("state", "compensating");
    then("needs_attention", "true");
    then("failed_step", "payment_release");
    then("due_at", "null");
    FULFILMENT(RETRIED, retried, .try = 2);
    then("needs_attention", "false");
    then("failed_step", "");
    then("tries", "2");
    FULFILMENT(COMPENSATION_FAILED, compensation_failed, .step = FULFILMENT_STEP_PAYMENT_RELEASE);
    FULFILMENT(CANCELLED, cancelled); /* by a late answer */
    then("needs_attention", "false");
    then("failed_step", "");
    then("ended_at", "null");
    FULFILMENT(ENDED, ended);
    then("state", "cancelled");
    then("ended_at", "1008");
    then("reason", "out_of_stock");
}
END_TEST

/* Folds of one row per aggregate do not pass over a missing version, whichever it is. */
START_TEST(a_version_left_out_is_a_gap)
{
    struct order_event confirmed = {.tag = ORDER_EVENT_CONFIRMED_V1,
                                    .as.confirmed_v1.order_id = order_a};
    struct fulfilment_event ended = {.tag = FULFILMENT_EVENT_ENDED_V1,
                                     .as.ended_v1.order_id = order_a};
    struct payment_event voided = {.tag = PAYMENT_EVENT_VOIDED_V1,
                                   .as.voided_v1.payment_id = payment_a};
    struct inventory_event received = {.tag = INVENTORY_EVENT_RECEIVED_V1,
                                       .as.received_v1 = {.sku = TEXT("tea"), .quantity = 1}};
    struct product_event priced = {
        .tag = PRODUCT_EVENT_PRICE_CHANGED_V1,
        .as.price_changed_v1 = {.sku = TEXT("tea"), .price = {1, COMMON_CURRENCY_EUR}}};
    const struct {
        const struct projection *fold;
        const char *service;
        const struct vocabulary *vocabulary;
        const void *event;
    } cases[] = {
        {&orders_projection, "order", &order_events, &confirmed},
        {&orders_projection, "fulfilment", &fulfilment_events, &ended},
        {&fulfilments_projection, "fulfilment", &fulfilment_events, &ended},
        {&payments_projection, "payment", &payment_events, &voided},
        {&stock_projection, "inventory", &inventory_events, &received},
        {&availability_projection, "inventory", &inventory_events, &received},
        {&products_projection, "product", &product_events, &priced},
        {&order_catalogue_projection, "product", &product_events, &priced},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        given(cases[i].fold);
        ck_assert_int_eq(happened_as(cases[i].service, cases[i].vocabulary, 2, cases[i].event),
                         ROW_GAP);
        ck_assert_int_eq(happened_as(cases[i].service, cases[i].vocabulary, 1, cases[i].event),
                         ROW_KEEP);
        ck_assert_int_eq(happened_as(cases[i].service, cases[i].vocabulary, 1, cases[i].event),
                         ROW_GAP);
        ck_assert_int_eq(happened_as(cases[i].service, cases[i].vocabulary, 3, cases[i].event),
                         ROW_GAP);
        finish();
    }
}
END_TEST

START_TEST(a_command_is_remembered_by_its_first_lasting_answer)
{
    given(&order_commands_projection);
    decision.target = TEXT("o-1");
    decision.type = TEXT("order.place.v1");
    decision.detail = TEXT("unknown order");
    decision.input.offset = 12;
    decided(OUTCOME_REFUSED, order_a, 5, PROBLEM_NOT_FOUND); /* not remembered by the owner: may be
                                                                tried again */
    then("status", "refused");
    then("problem", "not-found");
    then("detail", "unknown order");
    decision.detail = TEXT("");
    decision.version = 1;
    decided(OUTCOME_ACCEPTED, order_a, 5, PROBLEM_NONE);
    then("status", "accepted");
    then("problem", "");
    then("version", "1");
    then("resource", "o-1");
    then("command_offset", "12");
    then("log_offset", "77");
    then("partition", "3");
    decided(OUTCOME_REFUSED, order_a, 6, PROBLEM_KEY_REUSED); /* somebody else's request under the
                                                                 same key */
    then("status", "accepted");
    decision.replayed = true;
    decision.version = 9;
    decided(OUTCOME_ACCEPTED, order_a, 5, PROBLEM_NONE);
    then("version", "1");
}
END_TEST

START_TEST(only_commands_of_clients_are_kept)
{
    given(&order_commands_projection);
    decided(OUTCOME_ACCEPTED, order_a, 0, PROBLEM_NONE);
    decided(OUTCOME_POSITION, customer, 7, PROBLEM_NONE);
    placed();
    ck_assert_uint_eq(rows.count, 0);
}
END_TEST

START_TEST(a_timeline_tells_events_and_refusals_of_its_order)
{
    given(&timelines_projection);
    placed(); /* about no order: the decision names none */
    ck_assert_uint_eq(rows.count, 0);
    decision.saga = order_a;
    PAYMENT(REQUESTED, requested, .customer_id = customer, .amount = euros(1300),
            .payment_method = TEXT("ok"));
    then("topic", "payment.log");
    then("kind", "event");
    then("type", "payment.requested.v1");
    then("detail", "1300 EUR");
    then("partition", "2");
    then("log_offset", "41");
    then("index", "0");
    decision.type = TEXT("order.cancel.v1");
    decided(OUTCOME_REFUSED, payment_a, 0, PROBLEM_WRONG_STATE);
    ck_assert_uint_eq(rows.count, 2);
    row_says(row_table_at(&rows, 1)->row, "type", "order.cancel.v1");
    row_says(row_table_at(&rows, 1)->row, "detail", "wrong-state");
    row_says(row_table_at(&rows, 1)->row, "index", "-1");
    row_says(row_table_at(&rows, 1)->row, "kind", "refused");
}
END_TEST

START_TEST(a_timeline_tells_nothing_of_strangers)
{
    given(&timelines_projection);
    decision.saga = order_a;
    decision.type = TEXT("order.cancel.v1");
    decided(OUTCOME_REFUSED, payment_a, 5, PROBLEM_NOT_FOUND);
    ck_assert_uint_eq(rows.count, 0);
}
END_TEST

START_TEST(a_timeline_tells_the_commands_of_people)
{
    given(&timelines_projection);
    decision.saga = order_a;
    decision.type = TEXT("order.cancel.v1");
    decided(OUTCOME_ACCEPTED, payment_a, 0, PROBLEM_NONE); /* of the saga: no body was given */
    ck_assert_uint_eq(rows.count, 0);
    decided(OUTCOME_ACCEPTED, payment_a, 5, PROBLEM_NONE);
    then("kind", "command");
    then("type", "order.cancel.v1");
    then("detail", "");
    then("index", "-1");
}
END_TEST

START_TEST(a_timeline_tells_no_repeated_answer)
{
    given(&timelines_projection);
    decision.saga = order_a;
    decision.replayed = true;
    decided(OUTCOME_ACCEPTED, payment_a, 5, PROBLEM_NONE);
    ck_assert_uint_eq(rows.count, 0);
}
END_TEST

START_TEST(a_timeline_knows_whose_it_is_from_the_placing)
{
    char id[UUID_TEXT_LEN + 1];
    given(&timelines_projection);
    decision.saga = order_a;
    placed();
    uuid_format(customer, id);
    then("customer_id", id);
    PAYMENT(REQUESTED, requested, .customer_id = customer, .amount = euros(1300),
            .payment_method = TEXT("ok"));
    row_says(row_table_at(&rows, 1)->row, "customer_id", "00000000-0000-0000-0000-000000000000");
}
END_TEST

START_TEST(a_timeline_cuts_long_words_between_characters)
{
    static const char euro[] = "\xe2\x82\xac";
    char reason[400];
    for (int i = 0; i < 399; i += 3)
        memcpy(reason + i, euro, sizeof euro - 1);
    given(&timelines_projection);
    decision.saga = order_a;
    PAYMENT(DECLINED, declined, .reason = {reason, 399});
    ck_assert_uint_eq(row_text(column("detail"), only_row()).len, 240);
    finish();
    given(&timelines_projection);
    decision.saga = order_a;
    PAYMENT(DECLINED, declined, .reason = {reason + 1, 397}); /* two stray bytes first */
    ck_assert_uint_eq(row_text(column("detail"), only_row()).len, 239);
}
END_TEST

START_TEST(fulfilment_names_its_order_by_its_key)
{
    char id[UUID_TEXT_LEN + 1];
    given(&timelines_projection);
    uuid_format(order_a, id);
    decision.target = text_of(id);
    FULFILMENT(STARTED, started);
    then("order_id", id);
    then("topic", "fulfilment.log");
}
END_TEST

START_TEST(the_list_is_sorted_and_fit_for_the_runtime)
{
    for (size_t i = 0; i < projections_count; i++) {
        const struct projection *p = projections[i];
        row_check(p);
        ck_assert_uint_le(strlen(p->name), MODEL_NAME_MAX);
        ck_assert_uint_le(p->row_size, 8192);
        ck_assert_int_ge(p->version, 1);
        if (i == 0)
            continue;
        int services = strcmp(projections[i - 1]->service, p->service);
        ck_assert(services < 0 || (services == 0 && strcmp(projections[i - 1]->name, p->name) < 0));
    }
}
END_TEST

/* What is equal has equal digests; whatever differs, in any column, does not. */
START_TEST(a_digest_sees_every_column)
{
    const struct projection *p = projections[_i];
    char *a = calloc(1, p->row_size), *b = calloc(1, p->row_size);
    for (size_t i = 0; i < p->columns_count; i++) {
        const struct column *c = &p->columns[i];
        struct maybe_time epoch = {.us = 0, .set = true};
        uint16_t one = 1;
        memset(b, 0, p->row_size);
        ck_assert_uint_eq(row_digest(p, a), row_digest(p, b));
        if (c->kind == COLUMN_MAYBE_TIME)
            memcpy(b + c->offset, &epoch, sizeof epoch); /* 1970 is not "never" */
        else if (c->kind == COLUMN_TEXT)
            memcpy(b + c->offset, &one, sizeof one); /* a zero byte is not nothing */
        else
            b[c->offset] = 1;
        ck_assert_msg(row_digest(p, a) != row_digest(p, b), "%s.%s", p->name, c->name);
        ck_assert(!row_equal(p, a, b));
    }
    free(a);
    free(b);
}
END_TEST

/* The row table against a plain list, under chance. */
START_TEST(a_row_table_finds_what_was_added_and_not_removed)
{
    enum { KEYS = 3000, STEPS = 60000 };
    static bool there[KEYS];
    uint64_t chance = 42;
    char row[512] = {0};
    given(&inventory_catalogue_projection);
    ck_assert_uint_le(projection->row_size, sizeof row);
    for (int i = 0; i < STEPS; i++) {
        char name[16];
        chance = chance * 6364136223846793005u + 1442695040888963407u;
        size_t n = (size_t)(chance >> 33) % KEYS;
        int len = snprintf(name, sizeof name, "%zu", n);
        memset(row, 0, sizeof row);
        row_text_set_((uint16_t *)(void *)row, row + 2, 64, (struct text){name, (size_t)len});
        uint32_t hash = row_key_hash(projection, row), slot = row_table_find(&rows, row, hash);
        ck_assert_int_eq(slot != ROW_SLOT_NONE, there[n]);
        if (!there[n])
            (void)row_table_add(&rows, row, hash);
        else
            row_table_remove(&rows, slot);
        there[n] = !there[n];
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("projections");
    TCase *t = tcase_create("stories");
    tcase_add_checked_fixture(t, NULL, finish);
    tcase_add_loop_test(t, a_product_has_the_last_price_and_status, 0, 2);
    tcase_add_test(t, the_longest_name_fits);
    tcase_add_test(t, the_inventory_knows_whose_a_product_is);
    tcase_add_test(t, an_order_is_placed_confirmed_shipped_delivered);
    tcase_add_test(t, a_cancelled_order_says_why_in_code_and_words);
    tcase_add_test(t, the_phase_follows_fulfilment);
    tcase_add_test(t, compensation_that_failed_goes_on_after_a_retry);
    tcase_add_test(t, which_log_is_read_first_does_not_matter);
    tcase_add_test(t, each_line_of_an_order_is_a_row);
    tcase_add_test(t, a_payment_is_captured_and_given_back_in_parts);
    tcase_add_test(t, a_payment_that_goes_wrong_says_why);
    tcase_add_test(t, what_is_given_back_had_been_taken);
    tcase_add_test(t, a_declined_payment_is_declined);
    tcase_add_test(t, stock_moves_but_nothing_gets_lost);
    tcase_add_test(t, what_is_free_to_sell_follows_the_stock);
    tcase_add_test(t, every_movement_of_stock_has_a_row);
    tcase_add_test(t, a_fulfilment_shows_timer_and_trouble);
    tcase_add_test(t, a_version_left_out_is_a_gap);
    tcase_add_test(t, a_command_is_remembered_by_its_first_lasting_answer);
    tcase_add_test(t, only_commands_of_clients_are_kept);
    tcase_add_test(t, a_timeline_tells_events_and_refusals_of_its_order);
    tcase_add_test(t, a_timeline_tells_nothing_of_strangers);
    tcase_add_test(t, a_timeline_tells_the_commands_of_people);
    tcase_add_test(t, a_timeline_tells_no_repeated_answer);
    tcase_add_test(t, a_timeline_knows_whose_it_is_from_the_placing);
    tcase_add_test(t, a_timeline_cuts_long_words_between_characters);
    tcase_add_test(t, fulfilment_names_its_order_by_its_key);
    tcase_add_test(t, the_list_is_sorted_and_fit_for_the_runtime);
    tcase_add_loop_test(t, a_digest_sees_every_column, 0, (int)projections_count);
    tcase_add_test(t, a_row_table_finds_what_was_added_and_not_removed);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
