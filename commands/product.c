/* The product: what is sold, by whom, for how much. Key: the SKU. */
#include "schemas/product.h"
#include "commands/aggregates.h"
#include "commands/rights.h"

struct product {
    struct uuid merchant_id;
    struct common_money price;
    enum product_status status;
    bool exists;
};

static void add(const struct product *product, const struct context *context,
                const struct product_add_v1 *command, struct draft *draft)
{
    if (!may_as_merchant(context, command->merchant_id)) {
        draft_refuse(draft, PROBLEM_FORBIDDEN, "Products are added by their merchant.");
        return;
    }
    if (product->exists) {
        draft_refuse(draft, PROBLEM_ALREADY_EXISTS, "There is a product with this SKU already.");
        return;
    }
    EMIT(draft, product_event, .tag = PRODUCT_EVENT_ADDED_V1,
         .as.added_v1 = {
             .sku = command->sku,
             .name = command->name,
             .price = command->price,
             .merchant_id = command->merchant_id,
         });
}

/* False: refused. */
static bool found(const struct product *product, const struct context *context, struct draft *draft)
{
    if (product->exists && may_as_merchant(context, product->merchant_id))
        return true;
    draft_refuse(draft, PROBLEM_NOT_FOUND, "There is no such product of yours.");
    return false;
}

static void change_price(const struct product *product, const struct context *context,
                         const struct product_change_price_v1 *command, struct draft *draft)
{
    if (!found(product, context, draft))
        return;
    if (command->price.amount == product->price.amount &&
        command->price.currency == product->price.currency)
        return;
    EMIT(draft, product_event, .tag = PRODUCT_EVENT_PRICE_CHANGED_V1,
         .as.price_changed_v1 = {.sku = command->sku, .price = command->price});
}

static void change_status(const struct product *product, const struct context *context,
                          const struct product_change_status_v1 *command, struct draft *draft)
{
    if (!found(product, context, draft) || command->status == product->status)
        return;
    EMIT(draft, product_event, .tag = PRODUCT_EVENT_STATUS_CHANGED_V1,
         .as.status_changed_v1 = {.sku = command->sku, .status = command->status});
}

static void product_decide(const void *state, const struct context *context, const void *command,
                           struct draft *draft)
{
    const struct product_command *c = command;
    switch (c->tag) {
    case PRODUCT_COMMAND_ADD_V1:
        add(state, context, &c->as.add_v1, draft);
        break;
    case PRODUCT_COMMAND_CHANGE_PRICE_V1:
        change_price(state, context, &c->as.change_price_v1, draft);
        break;
    case PRODUCT_COMMAND_CHANGE_STATUS_V1:
        change_status(state, context, &c->as.change_status_v1, draft);
        break;
    }
}

static void product_evolve(void *state, const void *event)
{
    struct product *product = state;
    const struct product_event *e = event;
    switch (e->tag) {
    case PRODUCT_EVENT_ADDED_V1:
        product->exists = true;
        product->merchant_id = e->as.added_v1.merchant_id;
        product->price = e->as.added_v1.price;
        product->status = PRODUCT_STATUS_ACTIVE;
        break;
    case PRODUCT_EVENT_PRICE_CHANGED_V1:
        product->price = e->as.price_changed_v1.price;
        break;
    case PRODUCT_EVENT_STATUS_CHANGED_V1:
        product->status = e->as.status_changed_v1.status;
        break;
    }
}

static void product_show(const void *state, struct json_write *out)
{
    const struct product *product = state;
    json_write_uuid(out, "merchant_id", product->merchant_id);
    json_write_begin(out, "price", '{');
    json_write_number(out, "amount", product->price.amount);
    json_write_text(out, "currency", common_currency_text(product->price.currency));
    json_write_end(out, '}');
    json_write_text(out, "status", product_status_text(product->status));
}

const struct aggregate product_aggregate = {
    .service = "product",
    .commands = &product_commands,
    .events = &product_events,
    .state_size = sizeof(struct product),
    .decide = product_decide,
    .evolve = product_evolve,
    .show = product_show,
};
