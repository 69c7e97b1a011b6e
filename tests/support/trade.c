/* Each order is a script of decisions; several orders run at once, chance says whose turn it is. */
#include "tests/support/trade.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json_shape.h"
#include "core/partition.h"
#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/payment.h"
#include "schemas/product.h"
#include "schemas/user.h"

enum { AT_ONCE = 8, SEED_STOCK = 100000, TRADE_ARENA = 512 * 1024, LINES = 2, ORDERS_MAX = 200000 };
enum ending { CONFIRMED, DECLINED, OUT_OF_STOCK, LEFT_OPEN, ENDINGS };
static const struct uuid space = {{7, 7, 7}};

struct active {
    bool running;
    size_t number;
    enum ending ending;
    int step;
    int64_t order_version, payment_version, fulfilment_version;
};

struct owner { /* of a partition */
    int64_t epoch;
    uint64_t number, last;
    int64_t commands_next;
    int64_t first_epoch;
};

struct trade {
    struct log *log;
    struct log_topic *topics[TRADE_SERVICES];
    struct owner owners[TRADE_SERVICES][TRADE_PARTITIONS];
    struct active active[AT_ONCE];
    int64_t product_versions[TRADE_PRODUCTS], stock_versions[TRADE_PRODUCTS];
    size_t orders;
    int64_t now;
    uint64_t chance;
    struct arena arena;
};

static const struct vocabulary_of vocabularies[] = {
    [TRADE_FULFILMENT] = {"fulfilment", &fulfilment_events},
    [TRADE_INVENTORY] = {"inventory", &inventory_events},
    [TRADE_ORDER] = {"order", &order_events},
    [TRADE_PAYMENT] = {"payment", &payment_events},
    [TRADE_PRODUCT] = {"product", &product_events},
    [TRADE_USER] = {"user", &user_events},
};
const struct vocabulary_list trade_vocabularies = {vocabularies, COUNT(vocabularies)};

static uint64_t roll(struct trade *t, uint64_t sides)
{
    t->chance = t->chance * 6364136223846793005u + 1442695040888963407u;
    return (t->chance >> 33) % sides;
}

/* ---- records ---- */

static void take_over(struct trade *t, enum trade_service s, int partition)
{
    struct takeover takeover = {
        .mark = {.kind = RECORD_TAKEOVER, .commands_next = t->owners[s][partition].commands_next},
        .nonce = {{(uint8_t)roll(t, 255)}},
        .instance = TEXT("test"),
        .at = t->now};
    struct text record = takeover_encode(&takeover, &t->arena);
    t->owners[s][partition].epoch = memory_log_append(t->topics[s], partition, TEXT(""), record);
    t->owners[s][partition].number = 0;
}

static void append(struct trade *t, enum trade_service s, struct decision *d)
{
    int partition = partition_of(d->target, TRADE_PARTITIONS);
    struct owner *owner = &t->owners[s][partition];
    if (owner->epoch < 0 || roll(t, 50) == 0)
        take_over(t, s, partition);
    d->mark = (struct mark){.kind = RECORD_DECISION,
                            .epoch = owner->epoch,
                            .number = ++owner->number,
                            .commands_next = ++owner->commands_next,
                            .follows = owner->last};
    d->input = (struct input){
        .topic = TEXT("some.commands"), .partition = partition, .offset = owner->commands_next - 1};
    d->at = t->now += 1000 + (int64_t)roll(t, 5000);
    d->attempt = d->command_id;
    d->first_offset = d->replayed ? 0 : -1;
    d->type = d->type.at ? d->type : TEXT("some.command.v1");
    struct text record = decision_encode(d, &t->arena);
    assert(record.at);
    owner->last = print_of(record);
    (void)memory_log_append(t->topics[s], partition, d->target, record);
    if (roll(t, 20) == 0) { /* what a deposed owner writes */
        d->mark.epoch--;
        (void)memory_log_append(t->topics[s], partition, d->target, decision_encode(d, &t->arena));
    }
    arena_reset(&t->arena);
}

static struct payload payload_of(struct trade *t, enum trade_service s, const void *event)
{
    struct json_report report = {0};
    int tag;
    memcpy(&tag, event, sizeof tag);
    struct text json = message_encode(vocabularies[s].events, event, &t->arena, &report);
    assert(json.at);
    return (struct payload){text_of(message_type(vocabularies[s].events, tag)->name), json};
}

/* A decision with these events, each of the vocabulary's size. */
static void decide(struct trade *t, enum trade_service s, struct uuid saga, struct text target,
                   int64_t *version, uint64_t fingerprint, const void *const *events, size_t count)
{
    struct payload payloads[8];
    assert(count <= COUNT(payloads));
    for (size_t i = 0; i < count; i++)
        payloads[i] = payload_of(t, s, events[i]);
    *version += (int64_t)count;
    char name[32];
    int len = snprintf(name, sizeof name, "%lld", (long long)t->now);
    struct decision d = {.outcome = OUTCOME_ACCEPTED,
                         .saga = saga,
                         .target = target,
                         .version = *version,
                         .fingerprint = fingerprint,
                         .events_count = count,
                         .events = payloads,
                         .command_id = uuid_derive(space, (struct text){name, (size_t)len}),
                         .actor = {.id = space, .roles = ROLE_CUSTOMER}};
    append(t, s, &d);
}

#define DECIDE(t, s, saga, target, version, fingerprint, ...)                                  \
    do {                                                                                       \
        const void *const events_[] = {__VA_ARGS__};                                           \
        decide((t), (s), (saga), (target), (version), (fingerprint), events_, COUNT(events_)); \
    } while (0)
#define PRODUCT(name, field, ...)                                          \
    &(struct product_event)                                                \
    {                                                                      \
        .tag = PRODUCT_EVENT_##name##_V1, .as.field##_v1 = { __VA_ARGS__ } \
    }
#define USER(name, field, ...)                                          \
    &(struct user_event)                                                \
    {                                                                   \
        .tag = USER_EVENT_##name##_V1, .as.field##_v1 = { __VA_ARGS__ } \
    }
#define ORDER(name, field, ...)                                          \
    &(struct order_event)                                                \
    {                                                                    \
        .tag = ORDER_EVENT_##name##_V1, .as.field##_v1 = { __VA_ARGS__ } \
    }
#define PAYMENT(name, field, ...)                                          \
    &(struct payment_event)                                                \
    {                                                                      \
        .tag = PAYMENT_EVENT_##name##_V1, .as.field##_v1 = { __VA_ARGS__ } \
    }
#define STOCK(name, field, ...)                                              \
    &(struct inventory_event)                                                \
    {                                                                        \
        .tag = INVENTORY_EVENT_##name##_V1, .as.field##_v1 = { __VA_ARGS__ } \
    }
#define FULFILMENT(name, field, ...)                                          \
    &(struct fulfilment_event)                                                \
    {                                                                         \
        .tag = FULFILMENT_EVENT_##name##_V1, .as.field##_v1 = { __VA_ARGS__ } \
    }

/* ---- names ---- */

struct uuid trade_order_id(size_t i)
{
    char name[32];
    int len = snprintf(name, sizeof name, "order %zu", i);
    return uuid_derive(space, (struct text){name, (size_t)len});
}

static struct uuid payment_id(size_t i)
{
    return uuid_derive(trade_order_id(i), TEXT("payment"));
}

static struct text sku_of(size_t product, char out[16])
{
    int len = snprintf(out, 16, "sku-%zu", product);
    return (struct text){out, (size_t)len};
}

static size_t product_of(const struct active *a, int line)
{
    return (a->number * 7 + (size_t)line * 3) % TRADE_PRODUCTS;
}

static struct common_money euros(int64_t amount)
{
    return (struct common_money){.amount = amount, .currency = COMMON_CURRENCY_EUR};
}

/* ---- the script of an order ---- */

static void place(struct trade *t, struct active *a, struct text target)
{
    char skus[LINES][16];
    struct order_line lines[LINES];
    for (int i = 0; i < LINES; i++)
        lines[i] = (struct order_line){.sku = sku_of(product_of(a, i), skus[i]),
                                       .quantity = i + 1,
                                       .unit_price = euros(500),
                                       .merchant_id = space};
    struct order_event placed = {.tag = ORDER_EVENT_PLACED_V1};
    placed.as.placed_v1 =
        (struct order_placed_v1){.order_id = trade_order_id(a->number),
                                 .customer_id = uuid_derive(space, TEXT("customer")),
                                 .items = {lines, LINES},
                                 .total = euros(1500),
                                 .payment_method = TEXT("ok"),
                                 .shipping_address = TEXT("AVNlYWxlZA")};
    DECIDE(t, TRADE_ORDER, trade_order_id(a->number), target, &a->order_version, 1 + a->number,
           &placed);
}

static void start(struct trade *t, struct active *a, struct text target)
{
    struct uuid id = trade_order_id(a->number);
    struct fulfilment_item items[LINES];
    char skus[LINES][16];
    for (int i = 0; i < LINES; i++)
        items[i] =
            (struct fulfilment_item){.sku = sku_of(product_of(a, i), skus[i]), .quantity = i + 1};
    struct fulfilment_event started = {.tag = FULFILMENT_EVENT_STARTED_V1};
    started.as.started_v1 =
        (struct fulfilment_started_v1){.order_id = id,
                                       .customer_id = uuid_derive(space, TEXT("customer")),
                                       .payment_id = payment_id(a->number),
                                       .total = euros(1500),
                                       .payment_method = TEXT("ok"),
                                       .items = {items, LINES}};
    DECIDE(t, TRADE_FULFILMENT, id, target, &a->fulfilment_version, 0, &started,
           FULFILMENT(TIMER_SET, timer_set, .order_id = id, .step = FULFILMENT_STEP_AUTHORIZE,
                      .due_at = t->now + 1000000));
}

static void each_line(struct trade *t, struct active *a, enum inventory_event_tag tag)
{
    struct uuid id = trade_order_id(a->number);
    for (int i = 0; i < LINES; i++) {
        char sku[16];
        size_t product = product_of(a, i);
        struct inventory_event e = {.tag = tag};
        /* reserved, released and committed look alike */
        e.as.reserved_v1 = (struct inventory_reserved_v1){
            .sku = sku_of(product, sku), .order_id = id, .line = i, .quantity = i + 1};
        if (tag == INVENTORY_EVENT_REJECTED_V1)
            e.as.rejected_v1 = (struct inventory_rejected_v1){.sku = sku_of(product, sku),
                                                              .order_id = id,
                                                              .line = i,
                                                              .quantity = i + 1,
                                                              .on_hand = 0};
        DECIDE(t, TRADE_INVENTORY, id, sku_of(product, sku), &t->stock_versions[product], 0, &e);
    }
}

/* Refusals and repeats, which have no events. */
static void refuse(struct trade *t, struct active *a, struct text target)
{
    struct decision d = {.outcome = OUTCOME_REFUSED,
                         .problem = PROBLEM_WRONG_STATE,
                         .detail = TEXT("not now"),
                         .saga = trade_order_id(a->number),
                         .target = target,
                         .version = a->order_version,
                         .fingerprint = 99,
                         .command_id = uuid_derive(trade_order_id(a->number), TEXT("refused"))};
    append(t, TRADE_ORDER, &d);
    d.replayed = true;
    append(t, TRADE_ORDER, &d);
}

static void finish_confirmed(struct trade *t, struct active *a, struct text target,
                             struct text payment)
{
    struct uuid id = trade_order_id(a->number), pay = payment_id(a->number);
    switch (a->step) {
    case 4:
        DECIDE(t, TRADE_FULFILMENT, id, target, &a->fulfilment_version, 0,
               FULFILMENT(AUTHORIZED, authorized, .order_id = id));
        return;
    case 5:
        each_line(t, a, INVENTORY_EVENT_RESERVED_V1);
        return;
    case 6:
        DECIDE(t, TRADE_FULFILMENT, id, target, &a->fulfilment_version, 0,
               FULFILMENT(LINE_RESERVED, line_reserved, .order_id = id, .line = 0),
               FULFILMENT(LINE_RESERVED, line_reserved, .order_id = id, .line = 1),
               FULFILMENT(CAPTURING, capturing, .order_id = id));
        return;
    case 7:
        DECIDE(
            t, TRADE_PAYMENT, id, payment, &a->payment_version, 0,
            PAYMENT(CAPTURE_REQUESTED, capture_requested, .payment_id = pay, .order_id = id,
                    .amount = euros(1500), .provider_reference = TEXT("ch_1")),
            PAYMENT(CAPTURED, captured, .payment_id = pay, .order_id = id, .amount = euros(1500)));
        return;
    case 8:
        DECIDE(t, TRADE_FULFILMENT, id, target, &a->fulfilment_version, 0,
               FULFILMENT(CAPTURED, captured, .order_id = id));
        return;
    case 9:
        each_line(t, a, INVENTORY_EVENT_COMMITTED_V1);
        DECIDE(t, TRADE_ORDER, id, target, &a->order_version, 0,
               ORDER(CONFIRMED, confirmed, .order_id = id));
        return;
    default:
        DECIDE(t, TRADE_FULFILMENT, id, target, &a->fulfilment_version, 0,
               FULFILMENT(ORDER_CONFIRMED, order_confirmed, .order_id = id),
               FULFILMENT(COMPLETED, completed, .order_id = id));
        a->running = false;
    }
}

static void finish_cancelled(struct trade *t, struct active *a, struct text target,
                             struct text payment)
{
    struct uuid id = trade_order_id(a->number), pay = payment_id(a->number);
    bool declined = a->ending == DECLINED;
    switch (a->step) {
    case 4:
        if (!declined)
            each_line(t, a, INVENTORY_EVENT_REJECTED_V1);
        return;
    case 5:
        DECIDE(t, TRADE_FULFILMENT, id, target, &a->fulfilment_version, 0,
               FULFILMENT(COMPENSATION_STARTED, compensation_started, .order_id = id,
                          .reason = declined ? FULFILMENT_REASON_PAYMENT_DECLINED
                                             : FULFILMENT_REASON_OUT_OF_STOCK));
        return;
    case 6:
        if (!declined)
            DECIDE(t, TRADE_PAYMENT, id, payment, &a->payment_version, 3,
                   PAYMENT(RELEASE_REQUESTED, release_requested, .payment_id = pay, .order_id = id),
                   PAYMENT(VOIDED, voided, .payment_id = pay, .order_id = id));
        return;
    case 7:
        DECIDE(t, TRADE_ORDER, id, target, &a->order_version, 0,
               ORDER(CANCELLED, cancelled, .order_id = id,
                     .reason = declined ? ORDER_CANCEL_REASON_PAYMENT_DECLINED
                                        : ORDER_CANCEL_REASON_OUT_OF_STOCK));
        return;
    default:
        DECIDE(t, TRADE_FULFILMENT, id, target, &a->fulfilment_version, 0,
               FULFILMENT(CANCELLED, cancelled, .order_id = id),
               FULFILMENT(ENDED, ended, .order_id = id));
        a->running = false;
    }
}

static void begin(struct trade *t, struct active *a, struct text target, struct text payment)
{
    struct uuid id = trade_order_id(a->number), pay = payment_id(a->number);
    switch (a->step) {
    case 0:
        place(t, a, target);
        return;
    case 1:
        start(t, a, target);
        return;
    case 2:
        DECIDE(t, TRADE_PAYMENT, id, payment, &a->payment_version, 0,
               PAYMENT(REQUESTED, requested, .payment_id = pay, .order_id = id,
                       .customer_id = space, .amount = euros(1500), .payment_method = TEXT("ok")));
        return;
    default:
        if (a->ending == DECLINED)
            DECIDE(t, TRADE_PAYMENT, id, payment, &a->payment_version, 0,
                   PAYMENT(DECLINED, declined, .payment_id = pay, .order_id = id,
                           .reason = TEXT("no {money}, \"sorry\"")));
        else
            DECIDE(t, TRADE_PAYMENT, id, payment, &a->payment_version, 0,
                   PAYMENT(AUTHORIZED, authorized, .payment_id = pay, .order_id = id,
                           .provider_reference = TEXT("ch_1")));
    }
}

static void step(struct trade *t, struct active *a)
{
    char order[UUID_TEXT_LEN + 1], payment[UUID_TEXT_LEN + 1];
    uuid_format(trade_order_id(a->number), order);
    uuid_format(payment_id(a->number), payment);
    if (a->step < 4)
        begin(t, a, text_of(order), text_of(payment));
    else if (a->ending == CONFIRMED)
        finish_confirmed(t, a, text_of(order), text_of(payment));
    else if (a->ending == LEFT_OPEN)
        a->running = false;
    else
        finish_cancelled(t, a, text_of(order), text_of(payment));
    if (a->step == 3 && roll(t, 10) == 0)
        refuse(t, a, text_of(order));
    a->step++;
}

static enum ending pick_ending(struct trade *t)
{
    static const enum ending odds[] = {CONFIRMED, CONFIRMED, CONFIRMED, CONFIRMED,    CONFIRMED,
                                       CONFIRMED, DECLINED,  DECLINED,  OUT_OF_STOCK, LEFT_OPEN};
    return odds[roll(t, COUNT(odds))];
}

void trade_orders(struct trade *t, size_t count)
{
    size_t begun = 0, running = 0;
    do {
        struct active *a = &t->active[roll(t, AT_ONCE)];
        if (!a->running && begun < count) {
            *a = (struct active){.running = true, .number = t->orders++, .ending = pick_ending(t)};
            begun++;
        }
        if (a->running)
            step(t, a);
        running = 0;
        for (size_t i = 0; i < AT_ONCE; i++)
            running += t->active[i].running;
    } while (begun < count || running > 0);
}

/* ---- the shop ---- */

static void add_product(struct trade *t, size_t product)
{
    char sku[16];
    struct text target = sku_of(product, sku);
    DECIDE(t, TRADE_PRODUCT, ((struct uuid){{0}}), target, &t->product_versions[product],
           5 + product,
           PRODUCT(ADDED, added, .sku = target, .name = TEXT("T\xc3\xa9st \\ product"),
                   .price = euros(500), .merchant_id = space));
    DECIDE(t, TRADE_INVENTORY, ((struct uuid){{0}}), target, &t->stock_versions[product],
           5 + product, STOCK(RECEIVED, received, .sku = target, .quantity = SEED_STOCK));
    if (product % 3 == 0)
        DECIDE(t, TRADE_PRODUCT, ((struct uuid){{0}}), target, &t->product_versions[product],
               6 + product,
               PRODUCT(PRICE_CHANGED, price_changed, .sku = target, .price = euros(600)));
    if (product % 5 == 0)
        DECIDE(t, TRADE_INVENTORY, ((struct uuid){{0}}), target, &t->stock_versions[product],
               6 + product,
               STOCK(ADJUSTED, adjusted, .sku = target, .quantity_change = -3,
                     .reason = TEXT("broken")));
}

static void add_user(struct trade *t, size_t user)
{
    static enum user_role roles[] = {USER_ROLE_CUSTOMER, USER_ROLE_MERCHANT};
    char key[UUID_TEXT_LEN + 1], word[16];
    int64_t version = 0;
    snprintf(word, sizeof word, "user %zu", user);
    struct uuid id = uuid_derive(space, text_of(word));
    uuid_format(id, key);
    DECIDE(t, TRADE_USER, ((struct uuid){{0}}), text_of(key), &version, 5 + user,
           USER(REGISTERED, registered, .user_id = id, .email = TEXT("AVNlYWxlZA"),
                .name = TEXT("AVNlYWxlZA"), .password_hash = TEXT("AVNlYWxlZA"),
                .roles = {.at = roles, .count = 1 + user % 2}));
    if (user % 3 == 0)
        DECIDE(t, TRADE_USER, ((struct uuid){{0}}), text_of(key), &version, 6 + user,
               USER(ERASED, erased, .user_id = id));
}

struct trade *trade_create(uint64_t seed)
{
    struct trade *t = calloc(1, sizeof *t);
    assert(t);
    t->log = memory_log_create();
    t->chance = seed * 2654435761u + 1;
    t->now = 1700000000000000;
    t->arena = (struct arena){.base = malloc(TRADE_ARENA), .size = TRADE_ARENA};
    for (int s = 0; s < TRADE_SERVICES; s++) {
        char name[TOPIC_LEN_MAX];
        snprintf(name, sizeof name, "%s.log", vocabularies[s].service);
        t->topics[s] = memory_log_topic(t->log, name, TRADE_PARTITIONS);
        for (int p = 0; p < TRADE_PARTITIONS; p++)
            t->owners[s][p].epoch = -1;
    }
    for (size_t i = 0; i < TRADE_PRODUCTS; i++)
        add_product(t, i);
    for (size_t i = 0; i < TRADE_USERS; i++)
        add_user(t, i);
    return t;
}

void trade_destroy(struct trade *trade)
{
    memory_log_destroy(trade->log);
    free(trade->arena.base);
    free(trade);
}

struct log *trade_log(struct trade *trade)
{
    return trade->log;
}

struct log_topic *trade_topic(struct trade *trade, enum trade_service service)
{
    return trade->topics[service];
}

size_t trade_orders_count(const struct trade *trade)
{
    return trade->orders;
}

void trade_raw(struct trade *t, enum trade_service s, struct text target, struct text type,
               struct text json)
{
    struct payload payload = {type, json};
    struct decision d = {.outcome = OUTCOME_ACCEPTED,
                         .target = target,
                         .version = 1,
                         .events_count = 1,
                         .events = &payload};
    append(t, s, &d);
}

void trade_event(struct trade *t, enum trade_service s, struct text target, const void *event,
                 int jump)
{
    struct payload payload = payload_of(t, s, event);
    struct decision d = {.outcome = OUTCOME_ACCEPTED,
                         .target = target,
                         .version = 1 + jump,
                         .events_count = 1,
                         .events = &payload};
    append(t, s, &d);
}
