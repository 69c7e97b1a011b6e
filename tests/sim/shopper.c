/* Each shopper goes on with what it has begun: an order of its own is cancelled, shipped, asked for
 * twice. */
#include "tests/sim/shopper.h"

#include <assert.h>
#include <stdio.h>

#include "core/partition.h"
#include "runtime/clock.h"
#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/product.h"
#include "tests/sim/desk.h"
#include "tests/sim/reads.h"
#include "tests/support/people.h"

enum { OWN_ORDERS_MAX = 512, LINES_OF_ORDER = 3 };

struct shopper {
    struct desk desk;
    struct uuid id;
    int orders_count;
    struct uuid orders[OWN_ORDERS_MAX];
};

static int wanted, working;

void shoppers_begin(void)
{
    wanted = world.swarm.commands;
    working = 0;
}

bool shoppers_done(void)
{
    return working == 0;
}

void sku_name(int sku, char out[16])
{
    snprintf(out, 16, "sku-%d", sku);
}

/* ---- the merchant --------------------------------------------------------------------------- */

static void to_sku(struct shopper *s, const char *service, const struct vocabulary *words,
                   const void *message, const char *sku, struct actor actor)
{
    struct order_of_work work = {.service = service,
                                 .commands = words,
                                 .message = message,
                                 .target = text_of(sku),
                                 .id = random_uuid(),
                                 .actor = actor,
                                 .expected_version = VERSION_ANY};
    const struct request *r = desk_ask(&s->desk, &work);
    if (r->answer == ANSWER_OK && strcmp(service, "inventory") == 0)
        read_own_stock(r, sku);
    if (chance_one_in(8))
        desk_ask(&s->desk, &work); /* the same once more: must be told the same */
}

static void receive(struct shopper *s, int sku, int64_t quantity)
{
    char name[16];
    sku_name(sku, name);
    struct inventory_command command = {
        .tag = INVENTORY_COMMAND_RECEIVE_V1,
        .as.receive_v1 = {.sku = text_of(name), .quantity = quantity, .merchant_id = MILL}};
    to_sku(s, "inventory", &inventory_commands, &command, name, merchant(MILL));
}

static void adjust(struct shopper *s, int sku)
{
    char name[16];
    int64_t change = (int64_t)chance_under(9) - 6;
    sku_name(sku, name);
    struct inventory_command command = {.tag = INVENTORY_COMMAND_ADJUST_V1,
                                        .as.adjust_v1 = {.sku = text_of(name),
                                                         .quantity_change = change,
                                                         .reason = TEXT("counted"),
                                                         .merchant_id = MILL}};
    to_sku(s, "inventory", &inventory_commands, &command, name,
           merchant(chance_one_in(8) ? FORGE : MILL));
}

static void price(struct shopper *s, int sku, bool add)
{
    char name[16];
    sku_name(sku, name);
    struct common_money money = {.amount = 100 + (int64_t)chance_under(900),
                                 .currency = COMMON_CURRENCY_EUR};
    struct product_command command = {.tag = PRODUCT_COMMAND_CHANGE_PRICE_V1,
                                      .as.change_price_v1 = {.sku = text_of(name), .price = money}};
    if (add)
        command = (struct product_command){
            .tag = PRODUCT_COMMAND_ADD_V1,
            .as.add_v1 = {
                .sku = text_of(name), .name = text_of(name), .price = money, .merchant_id = MILL}};
    to_sku(s, "product", &product_commands, &command, name, merchant(MILL));
}

/* ---- customers ------------------------------------------------------------------------------ */

static const struct request *to_order(struct shopper *s, struct uuid order,
                                      const struct order_command *command, struct actor actor,
                                      struct uuid id, int64_t expected, uint64_t fingerprint)
{
    char key[UUID_TEXT_LEN + 1];
    uuid_format(order, key);
    struct order_of_work work = {.service = "order",
                                 .commands = &order_commands,
                                 .message = command,
                                 .target = {key, UUID_TEXT_LEN},
                                 .id = id,
                                 .saga = order,
                                 .actor = actor,
                                 .expected_version = expected,
                                 .fingerprint = fingerprint};
    const struct request *r = desk_ask(&s->desk, &work);
    if (r->answer == ANSWER_OK)
        read_own_order(r, order);
    return r;
}

static struct text draw_method(void)
{
    static const struct text mean[] = {
        TEXT("declined"), TEXT("capture-declined"), TEXT("void-refused"), TEXT("refund-refused"),
        TEXT("ok"),
    };
    return world.swarm.mean_provider && chance_one_in(2) ? mean[chance_under(COUNT(mean))]
                                                         : TEXT("ok");
}

static void place(struct shopper *s)
{
    static const char *const names[] = {"sku-0", "sku-1", "sku-2", "sku-3"};
    struct order_quoted_line lines[LINES_OF_ORDER];
    struct uuid id = random_uuid(), order = uuid_derive(id, TEXT("id"));
    uint32_t count = 1 + (uint32_t)chance_under(LINES_OF_ORDER);
    for (uint32_t i = 0; i < count; i++)
        lines[i] = (struct order_quoted_line){
            .sku = text_of(names[chance_under((uint64_t)world.swarm.skus)]),
            .quantity = 1 + (int64_t)chance_under(3),
            .unit_price = {.amount = 1 + (int64_t)chance_under(500),
                           .currency = COMMON_CURRENCY_EUR},
            .merchant_id = MILL,
            .status = ORDER_CATALOGUE_STATUS_ACTIVE};
    struct order_command command = {.tag = ORDER_COMMAND_PLACE_V1,
                                    .as.place_v1 = {.order_id = order,
                                                    .customer_id = s->id,
                                                    .items = {.at = lines, .count = count},
                                                    .payment_method = draw_method(),
                                                    .shipping_address = TEXT("AVNlYWxlZA")}};
    if (s->orders_count < OWN_ORDERS_MAX)
        s->orders[s->orders_count++] = order;
    to_order(s, order, &command, customer(s->id), id, VERSION_ANY, 0);
    if (chance_one_in(6)) /* the same key again, and perhaps with another body */
        to_order(s, order, &command, customer(s->id), id, VERSION_ANY, chance_one_in(2) ? 0 : 77);
}

static void cancel(struct shopper *s, struct uuid order)
{
    struct order_command command = {.tag = ORDER_COMMAND_REQUEST_CANCELLATION_V1,
                                    .as.request_cancellation_v1 = {.order_id = order}};
    bool foreign = chance_one_in(10);
    to_order(s, order, &command, customer(foreign ? BOB : s->id), random_uuid(),
             chance_one_in(8) ? 1 : VERSION_ANY, 0);
}

static void ship(struct shopper *s, struct uuid order)
{
    struct order_command command = {
        .tag = ORDER_COMMAND_SHIP_V1,
        .as.ship_v1 = {.order_id = order, .carrier = TEXT("post"), .tracking = TEXT("42")}};
    struct uuid id = random_uuid();
    to_order(s, order, &command, merchant(MILL), id, VERSION_ANY, 0);
    if (chance_one_in(4)) /* what was refused and not remembered may be accepted now */
        to_order(s, order, &command, merchant(MILL), id, VERSION_ANY, 0);
    if (!chance_one_in(3))
        return;
    command = (struct order_command){.tag = ORDER_COMMAND_DELIVER_V1,
                                     .as.deliver_v1 = {.order_id = order}};
    to_order(s, order, &command, merchant(MILL), random_uuid(), VERSION_ANY, 0);
}

/* Ships an order of somebody that cannot be told from one that was never placed. */
static void ship_early(struct shopper *s)
{
    struct uuid id = random_uuid(), order = uuid_derive(id, TEXT("id"));
    ship(s, order);
}

static void ask_once(struct shopper *s)
{
    uint64_t dice = chance_under(100);
    int sku = (int)chance_under((uint64_t)world.swarm.skus);
    struct uuid order =
        s->orders_count ? s->orders[chance_under((uint64_t)s->orders_count)] : (struct uuid){{0}};
    if (dice < 55 || s->orders_count == 0)
        place(s);
    else if (dice < 72)
        cancel(s, order);
    else if (dice < 84)
        ship(s, order);
    else if (dice < 86)
        ship_early(s);
    else if (dice < 91)
        receive(s, sku, 1 + (int64_t)chance_under(5));
    else if (dice < 95)
        adjust(s, sku);
    else if (dice < 98 || !world.swarm.poison)
        price(s, sku, false);
    else
        desk_poison(&s->desk, chance_one_in(2) ? "order" : "inventory", TEXT("sku-0"));
}

static void shop(struct proc *p)
{
    struct shopper *s = world_alloc(sizeof *s);
    int number = (int)(intptr_t)p->what;
    s->id = id_of(100 + (uint64_t)number);
    desk_open(&s->desk, p, number);
    for (int sku = 0; number == 0 && sku < world.swarm.skus; sku++) {
        price(s, sku, true);
        receive(s, sku, world.swarm.scarce ? 3 : 5 + (int64_t)chance_under(200));
    }
    while (wanted > 0 && !world.violation[0]) {
        wanted--;
        ask_once(s);
        if (chance_one_in(4))
            world_sleep((int64_t)chance_under(400 * MS));
    }
    desk_close(&s->desk);
    working--;
}

/* ---- the operator --------------------------------------------------------------------------- */

enum { STUCK_MAX = 256 };

static void retry(struct desk *desk, struct text order)
{
    struct fulfilment_command command = {.tag = FULFILMENT_COMMAND_RETRY_V1};
    struct uuid id;
    bool read = uuid_read(order, &id);
    assert(read);
    (void)read;
    command.as.retry_v1.order_id = id;
    const struct order_of_work work = {.service = "fulfilment",
                                       .commands = &fulfilment_commands,
                                       .message = &command,
                                       .target = order,
                                       .id = random_uuid(),
                                       .actor = ADMIN,
                                       .expected_version = VERSION_ANY};
    SOMETIMES(operator_retries);
    while (desk_ask(desk, &work)->answer == ANSWER_UNKNOWN && !world.violation[0] &&
           !world.swarm.lossy)
        world_sleep(SECOND);
}

/* Reads what failed, and has it tried again. */
static void watch(struct desk *desk, struct cursor *cursor)
{
    struct fact facts[16];
    struct text stuck[16];
    size_t n, count = 0;
    arena_reset(&desk->facts);
    if (cursor_read(cursor, desk->reader, &desk->facts, facts, COUNT(facts), &n).code != ERR_OK)
        return;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < facts[i].decision.events_count; k++)
            if (text_is(facts[i].decision.events[k].type, "fulfilment.compensation_failed.v1") &&
                (count == 0 || !text_equal(stuck[count - 1], facts[i].decision.target)))
                stuck[count++] = world_copy(facts[i].decision.target);
    for (size_t i = 0; i < count && !world.violation[0]; i++) {
        world_sleep((int64_t)chance_under(3 * SECOND));
        retry(desk, stuck[i]);
    }
}

static void operate(struct proc *p)
{
    struct desk *desk = world_alloc(sizeof *desk);
    struct log_topic *log = broker_topic("fulfilment", "log");
    struct cursor cursors[SIM_PARTITIONS_MAX];
    desk_open(desk, p, -1);
    for (int i = 0; i < log->partitions; i++)
        while (cursor_resume(&cursors[i], desk->reader, log, i, (struct position){0}).code !=
               ERR_OK)
            world_sleep(100 * MS);
    while (!world.violation[0]) {
        for (int i = 0; i < log->partitions; i++)
            watch(desk, &cursors[i]);
        log_wait(desk->reader, 1000);
        world_sleep(500 * MS);
    }
}

void shoppers_hire(void)
{
    char name[PROC_NAME_MAX];
    for (int i = 0; i < world.swarm.clients; i++) {
        snprintf(name, sizeof name, "client-%d", i);
        working++;
        proc_add(name, shop, (const void *)(intptr_t)i, true);
    }
    proc_add("operator", operate, NULL, true);
}
