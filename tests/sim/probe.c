/* Asks what changes little, so that it may be asked of every partition. */
#include "tests/sim/probe.h"

#include <assert.h>
#include <stdio.h>

#include "app/house.h"
#include "core/partition.h"
#include "runtime/clock.h"
#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/payment.h"
#include "schemas/product.h"
#include "schemas/user.h"
#include "tests/sim/desk.h"
#include "tests/sim/limits.h"
#include "tests/support/people.h"

enum { PROBER = -2, AWAY_MAX_MS = 400, ASKED_MAX = SIM_SERVICES * SIM_PARTITIONS_MAX };

static bool done;

bool probe_done(void)
{
    return done;
}

/* ---- what is asked -------------------------------------------------------------------------- */

union question {
    struct fulfilment_command fulfilment;
    struct inventory_command inventory;
    struct order_command order;
    struct payment_command payment;
    struct product_command product;
    struct user_command user;
};

/* All but the stock are refused: nobody has met this id. */
static union question question_to(const char *service, struct uuid id, struct text key)
{
    union question q = {0};
    if (strcmp(service, "fulfilment") == 0)
        q.fulfilment = (struct fulfilment_command){.tag = FULFILMENT_COMMAND_RETRY_V1,
                                                   .as.retry_v1 = {.order_id = id}};
    else if (strcmp(service, "inventory") == 0)
        q.inventory = (struct inventory_command){
            .tag = INVENTORY_COMMAND_RECEIVE_V1,
            .as.receive_v1 = {.sku = key, .quantity = 1, .merchant_id = MILL}};
    else if (strcmp(service, "order") == 0)
        q.order = (struct order_command){
            .tag = ORDER_COMMAND_SHIP_V1,
            .as.ship_v1 = {.order_id = id, .carrier = TEXT("post"), .tracking = TEXT("42")}};
    else if (strcmp(service, "payment") == 0)
        q.payment = (struct payment_command){.tag = PAYMENT_COMMAND_RELEASE_V1,
                                             .as.release_v1 = {.payment_id = id}};
    else if (strcmp(service, "product") == 0)
        q.product = (struct product_command){
            .tag = PRODUCT_COMMAND_CHANGE_PRICE_V1,
            .as.change_price_v1 = {.sku = key,
                                   .price = {.amount = 1, .currency = COMMON_CURRENCY_EUR}}};
    else if (strcmp(service, "user") == 0)
        q.user =
            (struct user_command){.tag = USER_COMMAND_ERASE_V1, .as.erase_v1 = {.user_id = id}};
    else
        assert(!"a service");
    return q;
}

/* An order's refusal concerns its saga too: that one reads it, and decides that it means nothing.
 */
static struct request *ask(struct desk *desk, const struct service *service, int partition)
{
    int partitions = broker_topic(service->name, "log")->partitions;
    struct uuid id;
    char key[UUID_TEXT_LEN + 1];
    do {
        id = random_uuid();
        uuid_format(id, key);
    } while (partition_of(text_of(key), partitions) != partition);
    union question question = question_to(service->name, id, text_of(key));
    struct order_of_work work = {.service = service->name,
                                 .commands = service->commands,
                                 .message = &question,
                                 .target = text_of(key),
                                 .id = random_uuid(),
                                 .actor = strcmp(service->name, "inventory") == 0 ? merchant(MILL)
                                                                                  : ADMIN,
                                 .expected_version = VERSION_ANY};
    if (strcmp(service->name, "order") == 0)
        work.saga = id;
    return desk_send(desk, &work);
}

/* All at the same moment, so that none waits for an owner that another has waited for. */
static void ask_everywhere(struct desk *desk)
{
    struct request *asked[ASKED_MAX];
    size_t n = 0;
    for (size_t i = 0; i < house_services.count; i++) {
        const struct service *service = &house_services.at[i];
        for (int p = 0; p < broker_topic(service->name, "log")->partitions; p++)
            asked[n++] = ask(desk, service, p);
    }
    for (size_t i = 0; i < n && !world.violation[0]; i++) {
        desk_await(desk, asked[i]);
        SOMETIMES(probes);
    }
}

/* ---- who is missing ------------------------------------------------------------------------- */

static struct proc *proc_named(const char *kind, int number)
{
    char name[PROC_NAME_MAX];
    snprintf(name, sizeof name, "%s-%d", kind, number);
    for (int i = 0; i < world.procs_count; i++)
        if (strcmp(world.procs[i].name, name) == 0)
            return &world.procs[i];
    assert(!"a process");
    return NULL;
}

/* Back in its seat before its session is over, or left dead: then the others share what it owned.
 */
static void kill_owners(void)
{
    struct proc *owners[] = {
        proc_named("commands", (int)chance_under((uint64_t)world.swarm.workers)),
        proc_named("saga", (int)chance_under((uint64_t)world.swarm.workers))};
    bool back = world.swarm.workers == 1 || chance_one_in(2);
    for (size_t i = 0; i < COUNT(owners); i++)
        proc_kill(owners[i]);
    if (!back) {
        SOMETIMES(probed_takeovers);
        limits_miss((int64_t)(SESSION_TIMEOUT_MS + TAKEOVER_MARGIN_MS) * MS);
        return;
    }
    SOMETIMES(probed_restarts);
    world_sleep((int64_t)chance_under(AWAY_MAX_MS * MS));
    for (size_t i = 0; i < COUNT(owners); i++)
        proc_start(owners[i]);
    limits_miss(RESTART_MS * MS);
}

static void probe(struct proc *p)
{
    struct desk *desk = world_alloc(sizeof *desk);
    desk_open(desk, p, PROBER);
    ask_everywhere(desk);
    if (p->what) {
        kill_owners();
        ask_everywhere(desk);
    }
    desk_close(desk);
    done = true;
}

void probe_begin(bool kills)
{
    done = false;
    proc_add("prober", probe, kills ? "kills" : NULL, true);
}
