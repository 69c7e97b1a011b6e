/* Read models of product.log and user.log as facts for commands. */
#include "api/catalogue.h"

#include "schemas/product.h"
#include "schemas/user.h"

/* 0: there is none of that name. */
static int32_t enum_of(const struct json_shape *shape, struct text name)
{
    for (int32_t i = 0; i < shape->count; i++)
        if (text_equal(shape->names[i], name))
            return i + 1;
    return 0;
}

static bool read_order(const struct query_value *row, struct catalogue_fact *fact)
{
    *fact = (struct catalogue_fact){
        .known = true,
        .version = row[0].number,
        .price = row[1].number,
        .currency = enum_of(&common_currency_shape, row[2].text),
        .discontinued = enum_of(&product_status_shape, row[3].text) == PRODUCT_STATUS_DISCONTINUED,
        .merchant_id = row[4].uuid,
    };
    return fact->currency != 0;
}

static bool apply_order(struct catalogue_fact *fact, const struct event *event)
{
    const struct product_event *e = event_as(event, product);
    fact->version = event->version;
    switch (e->tag) {
    case PRODUCT_EVENT_ADDED_V1:
        *fact = (struct catalogue_fact){
            .known = true,
            .version = event->version,
            .price = e->as.added_v1.price.amount,
            .currency = (int32_t)e->as.added_v1.price.currency,
            .merchant_id = e->as.added_v1.merchant_id,
        };
        break;
    case PRODUCT_EVENT_PRICE_CHANGED_V1:
        fact->price = e->as.price_changed_v1.price.amount;
        fact->currency = (int32_t)e->as.price_changed_v1.price.currency;
        break;
    case PRODUCT_EVENT_STATUS_CHANGED_V1:
        fact->discontinued = e->as.status_changed_v1.status == PRODUCT_STATUS_DISCONTINUED;
        break;
    }
    return true;
}

const struct catalogue order_catalogue = {
    .service = "order",
    .model = "order_catalogue",
    .source = "product",
    .sql =
        "SELECT version, price, currency, status, merchant_id FROM order_catalogue WHERE sku = $1",
    .read = read_order,
    .apply = apply_order,
};

static bool read_inventory(const struct query_value *row, struct catalogue_fact *fact)
{
    *fact = (struct catalogue_fact){.known = true, .version = 1, .merchant_id = row[0].uuid};
    return true;
}

/* Whose a product is never changes. */
static bool apply_inventory(struct catalogue_fact *fact, const struct event *event)
{
    const struct product_event *e = event_as(event, product);
    if (e->tag != PRODUCT_EVENT_ADDED_V1)
        return false;
    *fact = (struct catalogue_fact){
        .known = true, .version = 1, .merchant_id = e->as.added_v1.merchant_id};
    return true;
}

const struct catalogue inventory_catalogue = {
    .service = "inventory",
    .model = "inventory_catalogue",
    .source = "product",
    .sql = "SELECT merchant_id FROM inventory_catalogue WHERE sku = $1",
    .read = read_inventory,
    .apply = apply_inventory,
};

/* ---- customers ---- */

static bool read_customer(const struct query_value *row, struct catalogue_fact *fact)
{
    *fact = (struct catalogue_fact){
        .known = true,
        .version = row[0].number,
        .user_id = row[1].uuid,
        .discontinued = enum_of(&user_status_shape, row[2].text) != USER_STATUS_ACTIVE,
    };
    return true;
}

static bool apply_customer(struct catalogue_fact *fact, const struct event *event)
{
    const struct user_event *e = event_as(event, user);
    fact->version = event->version;
    switch (e->tag) {
    case USER_EVENT_REGISTERED_V1:
        fact->known = true;
        fact->user_id = e->as.registered_v1.user_id;
        fact->discontinued = false;
        break;
    case USER_EVENT_STATUS_CHANGED_V1:
        fact->discontinued = e->as.status_changed_v1.status != USER_SETTABLE_STATUS_ACTIVE;
        break;
    case USER_EVENT_ERASED_V1:
        fact->discontinued = true;
        break;
    case USER_EVENT_PASSWORD_CHANGED_V1:
    case USER_EVENT_PROFILE_CHANGED_V1:
    case USER_EVENT_ROLES_CHANGED_V1:
        break;
    }
    return true;
}

const struct catalogue order_customers = {
    .service = "order",
    .model = "order_customers",
    .source = "user",
    .sql = "SELECT version, user_id, status FROM order_customers WHERE user_key = $1",
    .read = read_customer,
    .apply = apply_customer,
};
