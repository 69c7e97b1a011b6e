/* The product of the house under a name of its own, and the smallest saga that reads and sends. */
#include "tests/scenarios/cast.h"

#include <assert.h>
#include <stdio.h>

#include "commands/aggregates.h"
#include "runtime/owner_worker.h"
#include "schemas/product.h"

enum { SENDS = 2 };

static struct uuid id_named(const char *name)
{
    return uuid_derive((struct uuid){{9}}, text_of(name));
}

static struct uuid id_of(int command)
{
    char name[32];
    snprintf(name, sizeof name, "c%d", command);
    return id_named(name);
}

static struct uuid id_of_sent(int command, int index)
{
    char name[32];
    snprintf(name, sizeof name, "c%d.%d", command, index);
    return id_named(name);
}

static int number_of(struct uuid id)
{
    for (int n = 0; n < CAST_COMMANDS_MAX; n++)
        if (uuid_equal(id, id_of(n)))
            return n;
    return -1;
}

const char *cast_name(struct uuid id)
{
    static char name[32];
    int n = number_of(id);
    snprintf(name, sizeof name, n < 0 ? "c?" : "c%d", n);
    for (int k = 0; n < 0 && k < CAST_COMMANDS_MAX; k++)
        for (int i = 1; i <= SENDS; i++)
            if (uuid_equal(id, id_of_sent(k, i)))
                snprintf(name, sizeof name, "c%d.%d", k, i);
    return name;
}

/* ---- the saga ------------------------------------------------------------------------------- */

static struct product_price_changed_v1 price_of(const struct product_added_v1 *added, int amount)
{
    return (struct product_price_changed_v1){added->sku, {amount, added->price.currency}};
}

static void react(const void *state, const struct saga_input *input, struct draft *draft)
{
    const struct product_event *e = input->events_count ? input->events[0].message : NULL;
    (void)state;
    if (input->kind != SAGA_DECISION || !e || e->tag != PRODUCT_EVENT_ADDED_V1)
        return;
    int number = number_of(input->decision->command_id);
    EMIT(draft, product_event, .tag = PRODUCT_EVENT_PRICE_CHANGED_V1,
         .as.price_changed_v1 = price_of(&e->as.added_v1, 100));
    for (int i = 1; i <= SENDS; i++) {
        struct product_command change = {
            .tag = PRODUCT_COMMAND_CHANGE_PRICE_V1,
            .as.change_price_v1 = {e->as.added_v1.sku, {100 + i, e->as.added_v1.price.currency}}};
        draft_send(draft, input->service, input->decision->target, id_of_sent(number, i),
                   &product_commands, &change);
    }
}

static void evolve(void *state, const void *event)
{
    (void)event;
    ++*(int64_t *)state;
}

static int64_t due(const void *state)
{
    (void)state;
    return INT64_MAX;
}

/* ---- the cast ------------------------------------------------------------------------------- */

void cast_init(struct cast *c, const char *suffix, bool with_saga)
{
    *c = (struct cast){0};
    snprintf(c->product, sizeof c->product, "p%s", suffix);
    snprintf(c->orders, sizeof c->orders, "s%s", suffix);
    c->sources[0] = c->product;
    c->saga = (struct saga){.service = c->orders,
                            .sources = c->sources,
                            .commands = &product_commands,
                            .events = &product_events,
                            .state_size = sizeof(int64_t),
                            .react = react,
                            .evolve = evolve,
                            .due = due};
    c->services[0] =
        (struct service){c->product, &product_commands, &product_events, &product_aggregate, NULL};
    c->services[1] =
        (struct service){c->orders, &product_commands, &product_events, NULL, &c->saga};
    c->list = (struct service_list){c->services, with_saga ? 2 : 1};
}

struct command cast_command(const struct cast *cast, int command, int product, bool for_saga,
                            struct arena *arena)
{
    enum { SKU_BYTES = 16, DATA_BYTES = 300 };
    char *sku = arena_alloc(arena, SKU_BYTES), *data = arena_alloc(arena, DATA_BYTES);
    assert(sku && data);
    snprintf(sku, SKU_BYTES, "SKU-%d", product);
    snprintf(data, DATA_BYTES,
             "{\"sku\":\"%s\",\"name\":\"n\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},"
             "\"merchant_id\":\"00000000-0000-4000-8000-000000000001\"}",
             sku);
    return (struct command){.id = id_of(command),
                            .saga = for_saga ? id_of(command) : (struct uuid){{0}},
                            .actor = {id_of(0), ROLE_MERCHANT | ROLE_ADMIN},
                            .fingerprint = 7,
                            .expected_version = VERSION_ANY,
                            .service = text_of(cast->product),
                            .target = text_of(sku),
                            .type = TEXT("product.add.v1"),
                            .data = text_of(data)};
}

struct err actor_run(const struct cast *cast, enum duty duty, struct log *log, int renew,
                     const atomic_bool *stop)
{
    static const char *const groups[] = {"owners", "rivals", "sagas"};
    char group[TOPIC_LEN_MAX];
    const struct service *own[] = {&cast->services[duty == DUTY_SAGA], NULL};
    struct owner_worker_status status = {0};
    snprintf(group, sizeof group, "%s.%s", cast->product, groups[duty]);
    return owner_worker_run(&(struct owner_worker_options){.group = group,
                                                           .log = log,
                                                           .all = &cast->list,
                                                           .services = own,
                                                           .renew_decisions = (uint64_t)renew,
                                                           .stop = stop,
                                                           .status = &status});
}
