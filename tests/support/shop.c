/* Messages under way are one list; the first between the same two parties may be delivered. */
#include "tests/support/shop.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands/aggregates.h"
#include "core/json_shape.h"
#include "saga/sagas.h"
#include "schemas/inventory.h"
#include "schemas/payment.h"
#include "tests/support/tally.h"
#include "tests/support/twin.h"

enum { MESSAGES_MAX = 4096, SENT_MAX = 1024, ARENA_BYTES = 8 * UNIT_ARENA_BYTES };
static const enum common_currency currency = COMMON_CURRENCY_EUR;

static const struct saga_limits limits = {.step = SHOP_STEP_US,
                                          .compensation = SHOP_COMPENSATION_US};

enum message_kind { TO_AGGREGATE, TO_SAGA, TO_PROVIDER };

/* Owns its bytes. Only messages of equal lanes are kept in order. */
struct message {
    enum message_kind kind;
    uint64_t lane;
    size_t aggregate; /* sent to, or decided by */
    size_t order;
    struct actor actor;
    struct text bytes; /* an encoded command or decision; for the provider one event */
    struct text type;  /* for the provider */
};

struct member {
    const struct aggregate *aggregate;
    char key[KEY_LEN_MAX + 1];
    struct twin twin;
};

struct placed_order {
    struct uuid id;
    struct uuid payment_id;
    struct basket basket;
    struct twin saga;
    size_t order_member;
    size_t payment_member;
    struct account account;
    bool refused; /* a command of its saga, unread */
    size_t sent_count;
    struct uuid sent[SENT_MAX]; /* ids of the saga's commands */
    struct tally tally;
};

struct shop {
    struct chance chance;
    struct mood mood;
    unsigned double_percent;
    unsigned refuse_percent;
    int64_t now;
    uint64_t ids;
    size_t members_count;
    struct member members[SHOP_PRODUCTS + 2 * SHOP_ORDERS_MAX];
    size_t orders_count;
    struct placed_order orders[SHOP_ORDERS_MAX];
    size_t messages_count;
    struct message messages[MESSAGES_MAX];
    struct stock stocks[SHOP_PRODUCTS]; /* by the events, apart from the aggregates' own counting */
    struct arena arena;
};

static char arena_memory[ARENA_BYTES] __attribute__((aligned(16)));

static struct text keep(struct text text)
{
    char *copy = malloc(text.len + 1);
    if (!copy || !text.at)
        ck_abort_msg("out of memory");
    memcpy(copy, text.at, text.len);
    return (struct text){copy, text.len};
}

static uint64_t lane_of(uint64_t sender, uint64_t receiver)
{
    return sender << 32 | receiver;
}

/* Senders besides the members. */
enum {
    SENDER_CLIENT = 1000,
    SENDER_SAGA = 2000,
    SENDER_PROVIDER = 3000,
    RECEIVER_SAGA = 2000,
    RECEIVER_PROVIDER = 3000
};

static void post(struct shop *shop, struct message message)
{
    if (shop->messages_count == MESSAGES_MAX)
        ck_abort_msg("too many messages");
    shop->messages[shop->messages_count++] = message;
}

static size_t member_add(struct shop *shop, const struct aggregate *aggregate, struct text key)
{
    struct member *member = &shop->members[shop->members_count];
    member->aggregate = aggregate;
    snprintf(member->key, sizeof member->key, "%.*s", (int)key.len, key.at);
    twin_init_aggregate(&member->twin, aggregate);
    return shop->members_count++;
}

static size_t member_find(const struct shop *shop, struct text service, struct text key)
{
    for (size_t i = 0; i < shop->members_count; i++) {
        if (text_is(service, shop->members[i].aggregate->service) &&
            text_is(key, shop->members[i].key))
            return i;
    }
    ck_abort_msg("a command to nobody: %.*s", (int)key.len, key.at);
    return 0;
}

static void send_command(struct shop *shop, uint64_t sender, const struct command *command,
                         size_t order, struct actor actor)
{
    struct arena arena = shop->arena;
    size_t member = member_find(shop, command->service, command->target);
    post(shop, (struct message){
                   .kind = TO_AGGREGATE,
                   .lane = lane_of(sender, member),
                   .aggregate = member,
                   .order = order,
                   .actor = actor,
                   .bytes = keep(command_encode(command, &arena)),
               });
}

/* From outside, or of an effect. */
static void send_message(struct shop *shop, uint64_t sender, size_t member, size_t order,
                         struct actor actor, const void *message)
{
    struct draft draft;
    const struct aggregate *aggregate = shop->members[member].aggregate;
    draft_init(&draft, &shop->arena, aggregate->events);
    draft_send(&draft, aggregate->service, text_of(shop->members[member].key),
               id_of(1000000 + shop->ids++), aggregate->commands, message);
    if (order < SHOP_ORDERS_MAX)
        draft.commands[0].saga = shop->orders[order].id;
    send_command(shop, sender, &draft.commands[0], order, actor);
}

/* What led to it is told to the saga as one record, and to the provider event by event. */
static void tell(struct shop *shop, const struct message *message, struct decision *decision)
{
    struct arena arena = shop->arena;
    if (message->order >= SHOP_ORDERS_MAX)
        return;
    post(shop, (struct message){
                   .kind = TO_SAGA,
                   .lane = lane_of(message->aggregate, RECEIVER_SAGA + message->order),
                   .aggregate = message->aggregate,
                   .order = message->order,
                   .bytes = keep(decision_encode(decision, &arena)),
               });
    if (message->aggregate != shop->orders[message->order].payment_member)
        return;
    for (size_t i = 0; i < decision->events_count; i++)
        post(shop, (struct message){
                       .kind = TO_PROVIDER,
                       .lane = lane_of(message->aggregate, RECEIVER_PROVIDER),
                       .aggregate = message->aggregate,
                       .order = message->order,
                       .bytes = keep(decision->events[i].data),
                       .type = keep(decision->events[i].type),
                   });
}

static void count_stock(struct shop *shop, size_t product, const struct inventory_event *event)
{
    struct stock *stock = &shop->stocks[product];
    switch (event->tag) {
    case INVENTORY_EVENT_RECEIVED_V1:
        stock->received += event->as.received_v1.quantity;
        stock->on_hand += event->as.received_v1.quantity;
        break;
    case INVENTORY_EVENT_ADJUSTED_V1:
        stock->adjusted += event->as.adjusted_v1.quantity_change;
        stock->on_hand += event->as.adjusted_v1.quantity_change;
        break;
    case INVENTORY_EVENT_RESERVED_V1:
        stock->on_hand -= event->as.reserved_v1.quantity;
        stock->reserved += event->as.reserved_v1.quantity;
        break;
    case INVENTORY_EVENT_REJECTED_V1:
        break;
    case INVENTORY_EVENT_RELEASED_V1:
        stock->reserved -= event->as.released_v1.quantity;
        stock->on_hand += event->as.released_v1.quantity;
        break;
    case INVENTORY_EVENT_COMMITTED_V1:
        stock->reserved -= event->as.committed_v1.quantity;
        stock->committed += event->as.committed_v1.quantity;
        break;
    case INVENTORY_EVENT_RESTOCKED_V1:
        stock->committed -= event->as.restocked_v1.quantity;
        stock->on_hand += event->as.restocked_v1.quantity;
        break;
    }
    if (stock->on_hand < 0 || stock->reserved < 0 || stock->committed < 0)
        ck_abort_msg("sold what is not there: on hand %lld, reserved %lld, committed %lld",
                     (long long)stock->on_hand, (long long)stock->reserved,
                     (long long)stock->committed);
}

static void count(struct shop *shop, const struct message *message, const struct told *told)
{
    for (size_t i = 0; i < told->draft.count; i++) {
        if (message->aggregate < SHOP_PRODUCTS)
            count_stock(shop, message->aggregate, told->messages[i]);
        if (message->order < SHOP_ORDERS_MAX)
            tally_event(&shop->orders[message->order].tally, told->payloads[i].type,
                        told->messages[i]);
    }
}

/* The saga's commands are decided once by where they stand; whoever reads the logs tells them apart
 * by id. */
static void check_new_id(struct placed_order *order, struct uuid id)
{
    for (size_t i = 0; i < order->sent_count; i++) {
        if (uuid_equal(order->sent[i], id))
            ck_abort_msg("two commands have one id");
    }
    ck_assert_uint_lt(order->sent_count, SENT_MAX);
    order->sent[order->sent_count++] = id;
}

static bool is_refused_unread(struct shop *shop, const struct message *message)
{
    if (message->lane >> 32 < SENDER_SAGA || message->lane >> 32 >= SENDER_PROVIDER ||
        !chance_percent(&shop->chance, shop->refuse_percent))
        return false;
    shop->orders[message->order].refused = true;
    return true;
}

static void deliver_command(struct shop *shop, const struct message *message)
{
    struct member *member = &shop->members[message->aggregate];
    struct told *told = arena_alloc(&shop->arena, sizeof *told);
    struct json_report report = {0};
    struct command command;
    void *decoded = arena_alloc(&shop->arena, member->aggregate->commands->size);
    if (!told || !decoded || command_decode(message->bytes, &command).code != ERR_OK ||
        !message_decode(member->aggregate->commands, command.type, command.data, &shop->arena,
                        decoded, &report))
        ck_abort_msg("a command cannot be read");
    struct context context = {
        .at = shop->now,
        .version = member->twin.version,
        .command_id = command.id,
        .saga = command.saga,
        .actor = message->actor,
        .target = command.target,
    };
    if (is_refused_unread(shop, message))
        told->draft.problem = PROBLEM_UNDECODABLE;
    else
        twin_decide(&member->twin, member->aggregate, &context, decoded, &shop->arena, told);
    count(shop, message, told);
    struct decision decision = {
        .outcome = told->draft.problem ? OUTCOME_REFUSED : OUTCOME_ACCEPTED,
        .first_offset = -1,
        .command_id = command.id,
        .attempt = command.id,
        .saga = command.saga,
        .at = shop->now,
        .problem = told->draft.problem,
        .target = command.target,
        .version = member->twin.version,
        .type = command.type,
        .events_count = told->draft.count,
        .events = told->payloads,
        .mark = {.kind = RECORD_DECISION, .number = 1},
    };
    tell(shop, message, &decision);
}

static void react(struct shop *shop, size_t number, struct saga_input *input)
{
    struct placed_order *order = &shop->orders[number];
    struct told *told = arena_alloc(&shop->arena, sizeof *told);
    input->id = order->id;
    input->at = shop->now;
    input->limits = limits;
    twin_react(&order->saga, &fulfilment_saga, input, &shop->arena, told);
    for (size_t i = 0; i < told->draft.count; i++)
        tally_event(&order->tally, told->payloads[i].type, told->messages[i]);
    for (size_t i = 0; i < told->draft.commands_count; i++) {
        told->draft.commands[i].saga = order->id;
        check_new_id(order, told->draft.commands[i].id);
        send_command(shop, SENDER_SAGA + number, &told->draft.commands[i], number, SYSTEM);
    }
    const struct fulfilment *state = order->saga.reread;
    if (!state->needs_attention && state->phase != PHASE_CONFIRMED && state->phase != PHASE_ENDED &&
        state->phase != PHASE_NONE && fulfilment_due(state) == INT64_MAX)
        ck_abort_msg("an order waits without a deadline");
}

static void deliver_decision(struct shop *shop, const struct message *message)
{
    const struct aggregate *aggregate = shop->members[message->aggregate].aggregate;
    struct event events[DECISION_EVENTS_MAX];
    struct json_report report = {0};
    struct decision decision;
    if (decision_decode(message->bytes, &shop->arena, &decision).code != ERR_OK)
        ck_abort_msg("a decision cannot be read");
    for (size_t i = 0; i < decision.events_count; i++) {
        void *event = arena_alloc(&shop->arena, aggregate->events->size);
        if (!event || !message_decode(aggregate->events, decision.events[i].type,
                                      decision.events[i].data, &shop->arena, event, &report))
            ck_abort_msg("an event cannot be read");
        events[i] = (struct event){
            .service = aggregate->service,
            .vocabulary = aggregate->events,
            .message = event,
            .decision = &decision,
        };
    }
    react(shop, message->order,
          &(struct saga_input){
              .kind = SAGA_DECISION,
              .decision = &decision,
              .service = aggregate->service,
              .events_count = decision.events_count,
              .events = events,
          });
}

#define ANSWER(NAME, name, ...)                                          \
    ((struct payment_command){.tag = PAYMENT_COMMAND_RECORD_##NAME##_V1, \
                              .as.record_##name##_v1 = {.payment_id = id, __VA_ARGS__}})

static struct payment_command answer_to(enum operation operation, enum verdict_of_provider verdict,
                                        struct uuid id, struct common_money amount)
{
    static const enum payment_operation names[] = {
        [OPERATION_AUTHORIZE] = PAYMENT_OPERATION_AUTHORIZE,
        [OPERATION_CAPTURE] = PAYMENT_OPERATION_CAPTURE,
        [OPERATION_VOID] = PAYMENT_OPERATION_VOID,
        [OPERATION_REFUND] = PAYMENT_OPERATION_REFUND,
    };
    struct text no = TEXT("the provider said no");
    if (verdict == PROVIDER_SILENT)
        return ANSWER(UNKNOWN, unknown, .operation = names[operation], .reason = TEXT("silence"));
    bool yes = verdict == PROVIDER_YES;
    switch (operation) {
    case OPERATION_AUTHORIZE:
        return yes ? ANSWER(AUTHORIZED, authorized, .provider_reference = TEXT("ch_1"))
                   : ANSWER(DECLINED, declined, .reason = no);
    case OPERATION_CAPTURE:
        return yes ? ANSWER(CAPTURED, captured)
                   : ANSWER(CAPTURE_FAILED, capture_failed, .reason = no);
    case OPERATION_VOID:
        if (yes)
            return ANSWER(VOIDED, voided);
        break;
    case OPERATION_REFUND:
        if (yes)
            return ANSWER(REFUNDED, refunded, .amount = amount);
        break;
    }
    return ANSWER(RELEASE_FAILED, release_failed, .operation = names[operation], .reason = no);
}

static int64_t total_of(const struct placed_order *order)
{
    int64_t total = 0;
    for (size_t i = 0; i < SHOP_PRODUCTS; i++)
        total += order->basket.quantities[i] * (int64_t)(100 + i);
    return total;
}

/* False: this event asks nothing of the provider. */
static bool asks_provider(const struct payment_event *event, enum operation *ret_operation,
                          int64_t *ret_number)
{
    *ret_number = 1;
    switch (event->tag) {
    case PAYMENT_EVENT_REQUESTED_V1:
        *ret_operation = OPERATION_AUTHORIZE;
        return true;
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
        *ret_operation = OPERATION_CAPTURE;
        return true;
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
        *ret_operation = OPERATION_VOID;
        *ret_number = event->as.void_requested_v1.number;
        return true;
    case PAYMENT_EVENT_REFUND_REQUESTED_V1:
        *ret_operation = OPERATION_REFUND;
        *ret_number = event->as.refund_requested_v1.number;
        return true;
    case PAYMENT_EVENT_AUTHORIZED_V1:
    case PAYMENT_EVENT_DECLINED_V1:
    case PAYMENT_EVENT_CAPTURED_V1:
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
    case PAYMENT_EVENT_VOIDED_V1:
    case PAYMENT_EVENT_REFUNDED_V1:
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
    case PAYMENT_EVENT_UNKNOWN_V1:
        return false;
    }
    return false;
}

static void deliver_to_provider(struct shop *shop, const struct message *message)
{
    struct placed_order *order = &shop->orders[message->order];
    struct json_report report = {0};
    struct payment_event event;
    enum operation operation;
    int64_t number;
    if (!message_decode(&payment_events, message->type, message->bytes, &shop->arena, &event,
                        &report))
        ck_abort_msg("an event cannot be read");
    if (!asks_provider(&event, &operation, &number))
        return;
    struct common_money amount = {.amount = total_of(order), .currency = currency};
    enum verdict_of_provider verdict =
        provider_ask(&order->account, &shop->mood, &shop->chance, operation, number, amount.amount);
    struct payment_command answer = answer_to(operation, verdict, order->payment_id, amount);
    send_message(shop, SENDER_PROVIDER, message->aggregate, message->order, SYSTEM, &answer);
    if (chance_percent(&shop->chance, shop->double_percent))
        send_message(shop, SENDER_PROVIDER, message->aggregate, message->order, SYSTEM, &answer);
}

/* Any message may be next, unless another of its lane was sent before it. */
static struct message take(struct shop *shop)
{
    size_t picked = chance_below(&shop->chance, shop->messages_count);
    size_t first = 0;
    while (shop->messages[first].lane != shop->messages[picked].lane)
        first++;
    struct message message = shop->messages[first];
    shop->messages_count--;
    memmove(&shop->messages[first], &shop->messages[first + 1],
            (shop->messages_count - first) * sizeof message);
    return message;
}

static void release_text(struct text text)
{
    union {
        const char *constant;
        char *mine;
    } at = {.constant = text.at};
    free(at.mine);
}

bool shop_step(struct shop *shop)
{
    if (shop->messages_count == 0)
        return false;
    struct message message = take(shop);
    arena_reset(&shop->arena);
    shop->now += 1000;
    switch (message.kind) {
    case TO_AGGREGATE:
        deliver_command(shop, &message);
        break;
    case TO_SAGA:
        deliver_decision(shop, &message);
        break;
    case TO_PROVIDER:
        deliver_to_provider(shop, &message);
        break;
    }
    release_text(message.bytes);
    release_text(message.type);
    return true;
}

void shop_run(struct shop *shop)
{
    while (shop_step(shop)) {
    }
}

struct shop *shop_create(uint64_t seed, const struct mood *mood)
{
    struct shop *shop = calloc(1, sizeof *shop);
    if (!shop)
        ck_abort_msg("out of memory");
    shop->chance = chance_of(seed);
    shop->mood = *mood;
    shop->now = 1700000000000000;
    shop->arena = (struct arena){.base = arena_memory, .size = sizeof arena_memory};
    for (size_t i = 0; i < SHOP_PRODUCTS; i++) {
        const char *skus[SHOP_PRODUCTS] = {"tea", "coffee", "cocoa", "mate"};
        member_add(shop, &inventory_aggregate, text_of(skus[i]));
    }
    return shop;
}

void shop_destroy(struct shop *shop)
{
    for (size_t i = 0; i < shop->members_count; i++)
        twin_finish(&shop->members[i].twin);
    for (size_t i = 0; i < shop->orders_count; i++)
        twin_finish(&shop->orders[i].saga);
    for (size_t i = 0; i < shop->messages_count; i++) {
        release_text(shop->messages[i].bytes);
        release_text(shop->messages[i].type);
    }
    free(shop);
}

struct chance *shop_chance(struct shop *shop)
{
    return &shop->chance;
}

void shop_mood(struct shop *shop, const struct mood *mood)
{
    shop->mood = *mood;
}

void shop_double_answers(struct shop *shop, unsigned percent)
{
    shop->double_percent = percent;
}

void shop_refuse(struct shop *shop, unsigned percent)
{
    shop->refuse_percent = percent;
}

void shop_receive(struct shop *shop, size_t product, int64_t quantity)
{
    arena_reset(&shop->arena);
    struct inventory_command command = {
        .tag = INVENTORY_COMMAND_RECEIVE_V1,
        .as.receive_v1 =
            {
                .sku = text_of(shop->members[product].key),
                .quantity = quantity,
                .merchant_id = MILL,
            },
    };
    send_message(shop, SENDER_CLIENT, product, SHOP_ORDERS_MAX, merchant(MILL), &command);
}

size_t shop_place(struct shop *shop, const struct basket *basket)
{
    size_t number = shop->orders_count++;
    struct placed_order *order = &shop->orders[number];
    struct order_quoted_line lines[SHOP_PRODUCTS];
    char key[UUID_TEXT_LEN + 1];
    uint32_t count = 0;
    ck_assert_uint_lt(number, SHOP_ORDERS_MAX);
    arena_reset(&shop->arena);
    order->id = id_of(5000 + number);
    order->payment_id = uuid_derive(order->id, TEXT("payment"));
    order->basket = *basket;
    twin_init_saga(&order->saga, &fulfilment_saga);
    uuid_format(order->id, key);
    order->order_member = member_add(shop, &order_aggregate, text_of(key));
    uuid_format(order->payment_id, key);
    order->payment_member = member_add(shop, &payment_aggregate, text_of(key));
    for (size_t i = 0; i < SHOP_PRODUCTS; i++) {
        if (basket->quantities[i] > 0)
            lines[count++] = (struct order_quoted_line){
                .sku = text_of(shop->members[i].key),
                .quantity = basket->quantities[i],
                .unit_price = {.amount = (int64_t)(100 + i), .currency = currency},
                .merchant_id = MILL,
                .status = ORDER_CATALOGUE_STATUS_ACTIVE,
            };
    }
    struct order_command command = {
        .tag = ORDER_COMMAND_PLACE_V1,
        .as.place_v1 =
            {
                .order_id = order->id,
                .customer_id = ADA,
                .items = {.at = lines, .count = count},
                .payment_method = TEXT("card"),
                .shipping_address = TEXT("AVNlYWxlZA"),
            },
    };
    send_message(shop, SENDER_CLIENT, order->order_member, number, customer(ADA), &command);
    return number;
}

static void ask_order(struct shop *shop, size_t number, struct actor actor,
                      struct order_command command)
{
    arena_reset(&shop->arena);
    send_message(shop, SENDER_CLIENT, shop->orders[number].order_member, number, actor, &command);
}

void shop_request_cancellation(struct shop *shop, size_t number)
{
    ask_order(shop, number, customer(ADA),
              (struct order_command){
                  .tag = ORDER_COMMAND_REQUEST_CANCELLATION_V1,
                  .as.request_cancellation_v1 = {.order_id = shop->orders[number].id},
              });
}

void shop_ship(struct shop *shop, size_t number)
{
    ask_order(shop, number, merchant(MILL),
              (struct order_command){
                  .tag = ORDER_COMMAND_SHIP_V1,
                  .as.ship_v1 = {.order_id = shop->orders[number].id,
                                 .carrier = TEXT("post"),
                                 .tracking = TEXT("42")},
              });
}

void shop_deliver(struct shop *shop, size_t number)
{
    ask_order(shop, number, merchant(MILL),
              (struct order_command){
                  .tag = ORDER_COMMAND_DELIVER_V1,
                  .as.deliver_v1 = {.order_id = shop->orders[number].id},
              });
}

static enum problem ask_saga(struct shop *shop, size_t number,
                             const struct fulfilment_command *command)
{
    struct draft draft;
    struct saga_input input = {
        .kind = SAGA_COMMAND,
        .id = shop->orders[number].id,
        .at = shop->now,
        .limits = limits,
        .command = command,
    };
    arena_reset(&shop->arena);
    draft_init(&draft, &shop->arena, &fulfilment_events);
    fulfilment_saga.react(shop->orders[number].saga.reread, &input, &draft);
    enum problem problem = draft.problem;
    react(shop, number, &input);
    return problem;
}

enum problem shop_retry(struct shop *shop, size_t number)
{
    return ask_saga(shop, number,
                    &(struct fulfilment_command){
                        .tag = FULFILMENT_COMMAND_RETRY_V1,
                        .as.retry_v1 = {.order_id = shop->orders[number].id},
                    });
}

enum problem shop_compensate(struct shop *shop, size_t number)
{
    return ask_saga(shop, number,
                    &(struct fulfilment_command){
                        .tag = FULFILMENT_COMMAND_COMPENSATE_V1,
                        .as.compensate_v1 = {.order_id = shop->orders[number].id},
                    });
}

void shop_fire_timer(struct shop *shop, size_t number)
{
    int64_t due = fulfilment_saga.due(shop->orders[number].saga.reread);
    if (due == INT64_MAX)
        return;
    if (shop->now < due)
        shop->now = due;
    arena_reset(&shop->arena);
    react(shop, number, &(struct saga_input){.kind = SAGA_TIMER});
}

void shop_fire_timer_early(struct shop *shop, size_t number)
{
    arena_reset(&shop->arena);
    ck_assert_int_lt(shop->now, fulfilment_saga.due(shop->orders[number].saga.reread));
    react(shop, number, &(struct saga_input){.kind = SAGA_TIMER});
}

int64_t shop_now(const struct shop *shop)
{
    return shop->now;
}

const struct fulfilment *shop_fulfilment(const struct shop *shop, size_t number)
{
    return shop->orders[number].saga.reread;
}

size_t shop_count(const struct shop *shop, size_t number, const char *type)
{
    return tally_count(&shop->orders[number].tally, type);
}

enum order_cancel_reason shop_reason(const struct shop *shop, size_t number)
{
    return shop->orders[number].tally.reason;
}

const struct account *shop_account(const struct shop *shop, size_t number)
{
    return &shop->orders[number].account;
}

struct stock shop_stock(const struct shop *shop, size_t product)
{
    return shop->stocks[product];
}

void shop_check_quiet(struct shop *shop)
{
    ck_assert_uint_eq(shop->messages_count, 0);
    for (size_t i = 0; i < shop->orders_count; i++) {
        const struct fulfilment *state = shop_fulfilment(shop, i);
        if (state->phase == PHASE_CONFIRMED || state->phase == PHASE_ENDED)
            continue;
        if (!state->needs_attention ||
            (!shop->orders[i].account.refused_undo && !shop->orders[i].refused))
            ck_abort_msg("order %zu is stuck in phase %d%s", i, state->phase,
                         state->needs_attention ? " though nobody refused an undo" : "");
    }
}

static void check_order(const struct shop *shop, size_t number)
{
    const struct placed_order *order = &shop->orders[number];
    const struct account *account = &order->account;
    const struct fulfilment *state = order->saga.reread;
    size_t cancelled = shop_count(shop, number, "order.cancelled.v1");
    size_t confirmed = shop_count(shop, number, "order.confirmed.v1");
    int64_t total = total_of(order);
    ck_assert_int_eq(state->phase, cancelled || shop_count(shop, number, "order.shipped.v1")
                                       ? PHASE_ENDED
                                       : PHASE_CONFIRMED);
    ck_assert_uint_eq(cancelled + (confirmed && !cancelled), 1);
    ck_assert_uint_le(account->captures, 1);
    ck_assert_int_eq(account->captured - account->refunded, cancelled ? 0 : total);
    if (cancelled && !account->captured)
        ck_assert_int_eq(account->voided, account->authorized);
    tally_check_once(&order->tally);
}

void shop_check_settled(struct shop *shop)
{
    int64_t sold[SHOP_PRODUCTS] = {0};
    for (size_t i = 0; i < shop->orders_count; i++) {
        check_order(shop, i);
        for (size_t p = 0; p < SHOP_PRODUCTS && !shop_count(shop, i, "order.cancelled.v1"); p++)
            sold[p] += shop->orders[i].basket.quantities[p];
    }
    for (size_t p = 0; p < SHOP_PRODUCTS; p++) {
        ck_assert_int_eq(shop->stocks[p].reserved, 0);
        ck_assert_int_eq(shop->stocks[p].committed, sold[p]);
        ck_assert_int_eq(shop->stocks[p].received, shop->stocks[p].on_hand + sold[p]);
    }
}
