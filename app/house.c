/* Every service, sorted by name. */
#include "app/house.h"

#include "commands/aggregates.h"
#include "saga/sagas.h"
#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/payment.h"
#include "schemas/product.h"
#include "schemas/user.h"

static const struct service services[] = {
    {"fulfilment", &fulfilment_commands, &fulfilment_events, .saga = &fulfilment_saga},
    {"inventory", &inventory_commands, &inventory_events, .aggregate = &inventory_aggregate},
    {"order", &order_commands, &order_events, .aggregate = &order_aggregate},
    {"payment", &payment_commands, &payment_events, .aggregate = &payment_aggregate},
    {"product", &product_commands, &product_events, .aggregate = &product_aggregate},
    {"user", &user_commands, &user_events, .aggregate = &user_aggregate},
};

const struct service_list house_services = {services, COUNT(services)};

static const struct vocabulary_of vocabularies[] = {
    {"fulfilment", &fulfilment_events}, {"inventory", &inventory_events}, {"order", &order_events},
    {"payment", &payment_events},       {"product", &product_events},     {"user", &user_events},
};

const struct vocabulary_list house_vocabularies = {vocabularies, COUNT(vocabularies)};
