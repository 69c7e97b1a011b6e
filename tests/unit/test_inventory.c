/* Stories of one product's stock, and what holds whatever is asked of it. */
#include <stdlib.h>

#include "commands/aggregates.h"
#include "schemas/inventory.h"
#include "tests/support/given.h"
#include "tests/support/twin.h"

#define SKU TEXT("tea")
#define ORDER id_of(100)
#define OTHER id_of(101)
#define RECEIVE(actor, count)                                                     \
    ASKED(actor, inventory, INVENTORY_COMMAND_RECEIVE_V1, receive_v1, .sku = SKU, \
          .quantity = (count), .merchant_id = MILL)
#define ADJUST(actor, change)                                                   \
    ASKED(actor, inventory, INVENTORY_COMMAND_ADJUST_V1, adjust_v1, .sku = SKU, \
          .quantity_change = (change), .reason = TEXT("counted"), .merchant_id = MILL)
#define RESERVE(actor, order, number, count)                                      \
    ASKED(actor, inventory, INVENTORY_COMMAND_RESERVE_V1, reserve_v1, .sku = SKU, \
          .order_id = (order), .line = (number), .quantity = (count))
#define RELEASE(actor, order, number)                                             \
    ASKED(actor, inventory, INVENTORY_COMMAND_RELEASE_V1, release_v1, .sku = SKU, \
          .order_id = (order), .line = (number))
#define COMMIT(actor, order, number)                                            \
    ASKED(actor, inventory, INVENTORY_COMMAND_COMMIT_V1, commit_v1, .sku = SKU, \
          .order_id = (order), .line = (number))
#define RESTOCK(actor, order, number, count)                                      \
    ASKED(actor, inventory, INVENTORY_COMMAND_RESTOCK_V1, restock_v1, .sku = SKU, \
          .order_id = (order), .line = (number), .quantity = (count))

static void given_stock(int64_t quantity)
{
    given(&inventory_aggregate, SKU);
    HAPPENED(inventory, INVENTORY_EVENT_RECEIVED_V1, received_v1, .sku = SKU, .quantity = quantity);
}

START_TEST(the_merchant_of_the_product_receives_and_adjusts)
{
    given(&inventory_aggregate, SKU);
    RECEIVE(merchant(MILL), 10);
    then_events(1);
    ck_assert_int_eq(THEN(0, inventory, INVENTORY_EVENT_RECEIVED_V1, received_v1).quantity, 10);
    ADJUST(merchant(MILL), -3);
    then_events(1);
    ck_assert_int_eq(THEN(0, inventory, INVENTORY_EVENT_ADJUSTED_V1, adjusted_v1).quantity_change,
                     -3);
    RECEIVE(ADMIN, 1);
    then_events(1);
}
END_TEST

START_TEST(another_merchants_stock_is_not_found)
{
    given_stock(10);
    RECEIVE(merchant(FORGE), 1);
    then_refused(PROBLEM_NOT_FOUND);
    ADJUST(merchant(FORGE), 1);
    then_refused(PROBLEM_NOT_FOUND);
    RECEIVE(customer(MILL), 1);
    then_refused(PROBLEM_NOT_FOUND);
}
END_TEST

START_TEST(an_adjustment_stays_within_what_is_on_hand)
{
    given_stock(10);
    RESERVE(SYSTEM, ORDER, 0, 4);
    then_events(1);
    ADJUST(merchant(MILL), -7);
    then_refused(PROBLEM_STOCK_TOO_LOW);
    ADJUST(merchant(MILL), 0);
    then_refused(PROBLEM_INVALID);
    ADJUST(merchant(MILL), -6);
    then_events(1);
    RESERVE(SYSTEM, OTHER, 0, 1);
    then_event(0, INVENTORY_EVENT_REJECTED_V1);
}
END_TEST

static enum problem asked_directly(const void *state, const struct inventory_command *command)
{
    static char memory[UNIT_ARENA_BYTES] __attribute__((aligned(16)));
    struct arena arena = {.base = memory, .size = sizeof memory};
    struct context context = {.actor = ADMIN, .target = SKU};
    struct draft draft;
    draft_init(&draft, &arena, &inventory_events);
    inventory_aggregate.decide(state, &context, command, &draft);
    return draft.problem;
}

START_TEST(stock_has_a_limit)
{
    struct inventory_command receive = {
        .tag = INVENTORY_COMMAND_RECEIVE_V1,
        .as.receive_v1 = {.sku = SKU, .quantity = 1, .merchant_id = MILL},
    };
    struct inventory_command adjust = {
        .tag = INVENTORY_COMMAND_ADJUST_V1,
        .as.adjust_v1 = {.sku = SKU,
                         .quantity_change = 1,
                         .reason = TEXT("x"),
                         .merchant_id = MILL},
    };
    struct inventory_event event = {
        .tag = INVENTORY_EVENT_RECEIVED_V1,
        .as.received_v1 = {.sku = SKU, .quantity = 1000000000},
    };
    void *state = calloc(1, inventory_aggregate.state_size);
    for (int i = 0; i < 999999; i++)
        inventory_aggregate.evolve(state, &event);
    ck_assert_int_eq(asked_directly(state, &receive), PROBLEM_NONE);
    ck_assert_int_eq(asked_directly(state, &adjust), PROBLEM_NONE);
    inventory_aggregate.evolve(state, &event);
    ck_assert_int_eq(asked_directly(state, &receive), PROBLEM_LIMIT_EXCEEDED);
    ck_assert_int_eq(asked_directly(state, &adjust), PROBLEM_LIMIT_EXCEEDED);
    event.tag = INVENTORY_EVENT_ADJUSTED_V1;
    event.as.adjusted_v1 =
        (struct inventory_adjusted_v1){.sku = SKU, .quantity_change = -7, .reason = TEXT("x")};
    inventory_aggregate.evolve(state, &event);
    ck_assert_int_eq(asked_directly(state, &adjust), PROBLEM_NONE);
    ck_assert_int_eq(asked_directly(state, &receive), PROBLEM_LIMIT_EXCEEDED);
    owned_free(inventory_aggregate.owned, state);
    free(state);
}
END_TEST

START_TEST(only_fulfilment_moves_reserved_stock)
{
    given_stock(10);
    RESERVE(merchant(MILL), ORDER, 0, 1);
    then_refused(PROBLEM_FORBIDDEN);
    RELEASE(ADMIN, ORDER, 0);
    then_refused(PROBLEM_FORBIDDEN);
    COMMIT(customer(ADA), ORDER, 0);
    then_refused(PROBLEM_FORBIDDEN);
    RESTOCK(ADMIN, ORDER, 0, 1);
    then_refused(PROBLEM_FORBIDDEN);
}
END_TEST

START_TEST(what_is_not_there_is_rejected_not_refused)
{
    given_stock(3);
    RESERVE(SYSTEM, ORDER, 2, 4);
    then_events(1);
    ck_assert_int_eq(THEN(0, inventory, INVENTORY_EVENT_REJECTED_V1, rejected_v1).on_hand, 3);
    ck_assert_int_eq(THEN(0, inventory, INVENTORY_EVENT_REJECTED_V1, rejected_v1).line, 2);
    RESERVE(SYSTEM, ORDER, 2, 3);
    then_event(0, INVENTORY_EVENT_RESERVED_V1);
}
END_TEST

START_TEST(a_line_is_reserved_once)
{
    given_stock(10);
    RESERVE(SYSTEM, ORDER, 0, 4);
    then_events(1);
    RESERVE(SYSTEM, ORDER, 0, 4);
    then_nothing();
    RESERVE(SYSTEM, ORDER, 1, 4);
    then_event(0, INVENTORY_EVENT_RESERVED_V1);
    RESERVE(SYSTEM, OTHER, 0, 2);
    then_event(0, INVENTORY_EVENT_RESERVED_V1);
    RESERVE(SYSTEM, OTHER, 1, 1);
    then_event(0, INVENTORY_EVENT_REJECTED_V1);
}
END_TEST

START_TEST(a_release_gives_back_what_its_line_holds)
{
    given_stock(10);
    RESERVE(SYSTEM, ORDER, 0, 4);
    RELEASE(SYSTEM, ORDER, 1);
    then_nothing();
    RELEASE(SYSTEM, ORDER, 0);
    then_events(1);
    ck_assert_int_eq(THEN(0, inventory, INVENTORY_EVENT_RELEASED_V1, released_v1).quantity, 4);
    RELEASE(SYSTEM, ORDER, 0);
    then_nothing();
    COMMIT(SYSTEM, ORDER, 0);
    then_nothing();
}
END_TEST

START_TEST(what_is_committed_can_only_be_restocked)
{
    given_stock(10);
    RESERVE(SYSTEM, ORDER, 0, 4);
    COMMIT(SYSTEM, ORDER, 0);
    ck_assert_int_eq(THEN(0, inventory, INVENTORY_EVENT_COMMITTED_V1, committed_v1).quantity, 4);
    COMMIT(SYSTEM, ORDER, 0);
    then_nothing();
    RELEASE(SYSTEM, ORDER, 0);
    then_nothing();
    RESTOCK(SYSTEM, ORDER, 0, 5);
    then_refused(PROBLEM_WRONG_STATE);
    RESTOCK(SYSTEM, ORDER, 0, 4);
    then_event(0, INVENTORY_EVENT_RESTOCKED_V1);
    RESTOCK(SYSTEM, ORDER, 0, 1);
    then_refused(PROBLEM_WRONG_STATE);
    RESERVE(SYSTEM, OTHER, 0, 10);
    then_event(0, INVENTORY_EVENT_RESERVED_V1);
}
END_TEST

/* A model of its own: what the events say, apart from how the aggregate counts. */
enum { ORDERS = 40, LINES = 3, STEPS = 400, WALKS = 300 };

struct model {
    int64_t on_hand, received, adjusted, committed;
    int64_t open[ORDERS][LINES];
};

static struct inventory_command random_command(struct chance *chance, size_t *ret_order,
                                               int64_t *ret_line)
{
    size_t order = chance_below(chance, ORDERS);
    int64_t line = (int64_t)chance_below(chance, LINES);
    int64_t quantity = 1 + (int64_t)chance_below(chance, 9);
    struct uuid id = id_of(200 + order);
    *ret_order = order;
    *ret_line = line;
#define RANDOM(NAME, name, ...)                                       \
    ((struct inventory_command){.tag = INVENTORY_COMMAND_##NAME##_V1, \
                                .as.name##_v1 = {.sku = SKU, __VA_ARGS__}})
    switch (chance_below(chance, 9)) {
    case 0:
        return RANDOM(RECEIVE, receive, .quantity = quantity * 4, .merchant_id = MILL);
    case 1:
        return RANDOM(ADJUST, adjust, .quantity_change = quantity - 6 ? quantity - 6 : 1,
                      .reason = TEXT("counted"), .merchant_id = MILL);
    case 2:
    case 3:
    case 4:
        return RANDOM(RESERVE, reserve, .order_id = id, .line = line, .quantity = quantity);
    case 5:
    case 6:
        return RANDOM(RELEASE, release, .order_id = id, .line = line);
    case 7:
        return RANDOM(COMMIT, commit, .order_id = id, .line = line);
    default:
        return RANDOM(RESTOCK, restock, .order_id = id, .line = line, .quantity = quantity);
    }
}

/* What the command must lead to by the model; 0: nothing, -1: a refusal. */
static int expected(const struct model *model, const struct inventory_command *command,
                    int64_t open)
{
    switch (command->tag) {
    case INVENTORY_COMMAND_RECEIVE_V1:
        return INVENTORY_EVENT_RECEIVED_V1;
    case INVENTORY_COMMAND_ADJUST_V1:
        return model->on_hand + command->as.adjust_v1.quantity_change < 0
                   ? -1
                   : (int)INVENTORY_EVENT_ADJUSTED_V1;
    case INVENTORY_COMMAND_RESERVE_V1:
        if (open)
            return 0;
        return command->as.reserve_v1.quantity > model->on_hand ? INVENTORY_EVENT_REJECTED_V1
                                                                : INVENTORY_EVENT_RESERVED_V1;
    case INVENTORY_COMMAND_RELEASE_V1:
        return open ? (int)INVENTORY_EVENT_RELEASED_V1 : 0;
    case INVENTORY_COMMAND_COMMIT_V1:
        return open ? (int)INVENTORY_EVENT_COMMITTED_V1 : 0;
    case INVENTORY_COMMAND_RESTOCK_V1:
        return command->as.restock_v1.quantity > model->committed
                   ? -1
                   : (int)INVENTORY_EVENT_RESTOCKED_V1;
    }
    return 0;
}

static void follow(struct model *model, const struct inventory_event *event, int64_t *open)
{
    switch (event->tag) {
    case INVENTORY_EVENT_RECEIVED_V1:
        model->received += event->as.received_v1.quantity;
        model->on_hand += event->as.received_v1.quantity;
        break;
    case INVENTORY_EVENT_ADJUSTED_V1:
        model->adjusted += event->as.adjusted_v1.quantity_change;
        model->on_hand += event->as.adjusted_v1.quantity_change;
        break;
    case INVENTORY_EVENT_RESERVED_V1:
        *open = event->as.reserved_v1.quantity;
        model->on_hand -= *open;
        break;
    case INVENTORY_EVENT_REJECTED_V1:
        ck_assert_int_eq(event->as.rejected_v1.on_hand, model->on_hand);
        break;
    case INVENTORY_EVENT_RELEASED_V1:
        ck_assert_int_eq(event->as.released_v1.quantity, *open);
        model->on_hand += *open;
        *open = 0;
        break;
    case INVENTORY_EVENT_COMMITTED_V1:
        ck_assert_int_eq(event->as.committed_v1.quantity, *open);
        model->committed += *open;
        *open = 0;
        break;
    case INVENTORY_EVENT_RESTOCKED_V1:
        model->committed -= event->as.restocked_v1.quantity;
        model->on_hand += event->as.restocked_v1.quantity;
        break;
    }
}

static void check_balance(const struct model *model)
{
    int64_t reserved = 0;
    for (size_t i = 0; i < ORDERS * LINES; i++)
        reserved += model->open[i / LINES][i % LINES];
    if (model->on_hand < 0 || model->committed < 0 ||
        model->received + model->adjusted != model->on_hand + reserved + model->committed)
        ck_abort_msg("the balance is broken");
}

static void walk(uint64_t seed)
{
    static char memory[UNIT_ARENA_BYTES] __attribute__((aligned(16)));
    struct arena arena = {.base = memory, .size = sizeof memory};
    struct chance chance = chance_of(seed);
    struct context context = {.actor = SYSTEM, .target = SKU};
    struct model model = {0};
    struct twin twin;
    static struct told told;
    twin_init_aggregate(&twin, &inventory_aggregate);
    for (int step = 0; step < STEPS; step++) {
        size_t order;
        int64_t line;
        struct inventory_command command = random_command(&chance, &order, &line);
        int64_t *open = &model.open[order][line];
        int tag = expected(&model, &command, *open);
        arena_reset(&arena);
        twin_decide(&twin, &inventory_aggregate, &context, &command, &arena, &told);
        const struct inventory_event *event = told.draft.count ? told.messages[0] : NULL;
        int is = told.draft.problem ? -1 : event ? (int)event->tag : 0;
        if (is != tag || told.draft.count > 1)
            ck_abort_msg("seed %llu, step %d: %d instead of %d", (unsigned long long)seed, step, is,
                         tag);
        if (event)
            follow(&model, event, open);
        check_balance(&model);
    }
    twin_finish(&twin);
}

START_TEST(received_and_adjusted_is_on_hand_reserved_and_committed_at_every_step)
{
    for (uint64_t seed = 1; seed <= WALKS; seed++)
        walk(seed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("inventory");
    TCase *stories = tcase_create("stories");
    tcase_set_timeout(stories, 60);
    tcase_add_checked_fixture(stories, NULL, given_finish);
    tcase_add_test(stories, the_merchant_of_the_product_receives_and_adjusts);
    tcase_add_test(stories, another_merchants_stock_is_not_found);
    tcase_add_test(stories, an_adjustment_stays_within_what_is_on_hand);
    tcase_add_test(stories, stock_has_a_limit);
    tcase_add_test(stories, only_fulfilment_moves_reserved_stock);
    tcase_add_test(stories, what_is_not_there_is_rejected_not_refused);
    tcase_add_test(stories, a_line_is_reserved_once);
    tcase_add_test(stories, a_release_gives_back_what_its_line_holds);
    tcase_add_test(stories, what_is_committed_can_only_be_restocked);
    tcase_add_test(stories, received_and_adjusted_is_on_hand_reserved_and_committed_at_every_step);
    suite_add_tcase(suite, stories);
    return run_suite(suite);
}
