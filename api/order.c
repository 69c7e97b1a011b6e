/* Orders: placed by customers, cancelled until they leave, shipped and delivered by merchants. */
#include "schemas/order.h"
#include "api/body.h"
#include "api/catalogue.h"
#include "api/routes.h"

static bool parse_place(const struct request *request, struct intake *intake,
                        struct refusal *refusal)
{
    if (!body_decode(request, &order_place_body_shape, intake, refusal))
        return false;
    const struct order_place_body *body = intake->body;
    struct text *keys = arena_alloc(request->arena, body->items.count * sizeof *keys);
    if (!keys)
        return refuse(refusal, PROBLEM_BODY_TOO_LARGE, "The body needs too much memory.");
    for (size_t i = 0; i < body->items.count; i++) {
        keys[i] = body->items.at[i].sku;
        for (size_t j = 0; j < i; j++)
            if (text_equal(keys[i], keys[j])) {
                refuse_at(refusal, PROBLEM_INVALID, body_pointer(request->arena, "items", i, "sku"),
                          "stands in the list already");
                break;
            }
    }
    intake->keys = keys;
    intake->keys_count = body->items.count;
    return refusal->problem == PROBLEM_NONE;
}

static bool quote(const struct request *request, const struct order_place_body *body,
                  const struct catalogue_fact *facts, struct order_quoted_line *lines,
                  struct refusal *refusal)
{
    for (size_t i = 0; i < body->items.count; i++) {
        const struct order_item *item = &body->items.at[i];
        if (!facts[i].known)
            refuse_at(refusal, PROBLEM_UNKNOWN_PRODUCT,
                      body_pointer(request->arena, "items", i, "sku"),
                      "there is no product with this SKU");
        lines[i] = (struct order_quoted_line){
            .sku = item->sku,
            .quantity = item->quantity,
            .unit_price = {.amount = facts[i].price,
                           .currency = (enum common_currency)facts[i].currency},
            .merchant_id = facts[i].merchant_id,
            .status = facts[i].discontinued ? ORDER_CATALOGUE_STATUS_DISCONTINUED
                                            : ORDER_CATALOGUE_STATUS_ACTIVE,
        };
    }
    return refusal->problem == PROBLEM_NONE;
}

/* Sealed for the customer: only who holds the keys can read where it goes. */
static bool seal_address(const struct request *request, const struct common_address *address,
                         struct text *ret_sealed, struct refusal *refusal)
{
    struct json_report report = {0};
    struct json_out out = {.at = arena_alloc(request->arena, common_address_json_max),
                           .size = common_address_json_max};
    if (!out.at || !json_encode(&common_address_shape, address, JSON_WHOLE, &out, &report))
        return refuse(refusal, PROBLEM_BODY_TOO_LARGE, "The body needs too much memory.");
    return desk_seal(request->desk, request->actor.id, PURPOSE_ADDRESS,
                     (struct text){out.at, out.used}, ret_sealed, refusal);
}

/* Users who may not order, and those of an address that has another user by now. */
static bool is_disabled(const struct request *request, const struct catalogue_fact *actor)
{
    return !actor->known || actor->discontinued ||
           (!uuid_is_nil(request->actor_key) && !uuid_equal(actor->user_id, request->actor.id));
}

static bool build_place(const struct request *request, const struct intake *intake, struct uuid id,
                        const struct catalogue_fact *facts, void *ret_message,
                        struct refusal *refusal)
{
    const struct order_place_body *body = intake->body;
    struct order_quoted_line *lines =
        arena_alloc(request->arena, body->items.count * sizeof *lines);
    if (!lines)
        return refuse(refusal, PROBLEM_BODY_TOO_LARGE, "The body needs too much memory.");
    struct text address = {NULL, 0};
    if (!quote(request, body, facts, lines, refusal) ||
        !seal_address(request, &body->shipping_address, &address, refusal))
        return false;
    *(struct order_command *)ret_message = (struct order_command){
        .tag = ORDER_COMMAND_PLACE_V1,
        .as.place_v1 =
            {
                .order_id = id,
                .customer_id = request->actor.id,
                .items = {.at = lines, .count = body->items.count},
                .payment_method = body->payment_method,
                .shipping_address = address,
                .has_customer_disabled = true,
                .customer_disabled = is_disabled(request, &intake->actor),
                .has_expected_total = body->has_expected_total,
                .expected_total = body->expected_total,
            },
    };
    return true;
}

static const struct command_route place = {
    .vocabulary = &order_commands,
    .catalogue = &order_catalogue,
    .actors = &order_customers,
    .success = 201,
    .location = "/v1/orders/",
    .saga = true,
    .parse = parse_place,
    .build = build_place,
};

static bool parse_order_id(const struct request *request, struct intake *intake,
                           struct refusal *refusal)
{
    struct uuid id;
    if (!path_uuid(request, 0, &id, refusal))
        return false;
    intake->target = uuid_key(request->arena, id);
    return true;
}

static bool parse_cancellation(const struct request *request, struct intake *intake,
                               struct refusal *refusal)
{
    return parse_order_id(request, intake, refusal) &&
           body_decode(request, &order_cancel_body_shape, intake, refusal);
}

static bool build_cancellation(const struct request *request, const struct intake *intake,
                               struct uuid id, const struct catalogue_fact *facts,
                               void *ret_message, struct refusal *refusal)
{
    const struct order_cancel_body *body = intake->body;
    (void)request, (void)facts, (void)refusal;
    *(struct order_command *)ret_message = (struct order_command){
        .tag = ORDER_COMMAND_REQUEST_CANCELLATION_V1,
        .as.request_cancellation_v1 = {.order_id = id,
                                       .has_reason = body->has_reason,
                                       .reason = body->reason},
    };
    return true;
}

static const struct command_route cancellation = {
    .vocabulary = &order_commands,
    .success = 200,
    .location = "/v1/orders/",
    .saga = true,
    .parse = parse_cancellation,
    .build = build_cancellation,
};

static bool parse_shipment(const struct request *request, struct intake *intake,
                           struct refusal *refusal)
{
    return parse_order_id(request, intake, refusal) &&
           body_decode(request, &order_ship_body_shape, intake, refusal);
}

static bool build_shipment(const struct request *request, const struct intake *intake,
                           struct uuid id, const struct catalogue_fact *facts, void *ret_message,
                           struct refusal *refusal)
{
    const struct order_ship_body *body = intake->body;
    (void)request, (void)facts, (void)refusal;
    *(struct order_command *)ret_message = (struct order_command){
        .tag = ORDER_COMMAND_SHIP_V1,
        .as.ship_v1 = {.order_id = id, .carrier = body->carrier, .tracking = body->tracking},
    };
    return true;
}

static const struct command_route shipment = {
    .vocabulary = &order_commands,
    .success = 200,
    .location = "/v1/orders/",
    .saga = true,
    .parse = parse_shipment,
    .build = build_shipment,
};

static bool parse_delivery(const struct request *request, struct intake *intake,
                           struct refusal *refusal)
{
    return parse_order_id(request, intake, refusal) && body_none(request, intake, refusal);
}

static bool build_delivery(const struct request *request, const struct intake *intake,
                           struct uuid id, const struct catalogue_fact *facts, void *ret_message,
                           struct refusal *refusal)
{
    (void)request, (void)intake, (void)facts, (void)refusal;
    *(struct order_command *)ret_message =
        (struct order_command){.tag = ORDER_COMMAND_DELIVER_V1, .as.deliver_v1 = {.order_id = id}};
    return true;
}

static const struct command_route delivery = {
    .vocabulary = &order_commands,
    .success = 200,
    .location = "/v1/orders/",
    .saga = true,
    .parse = parse_delivery,
    .build = build_delivery,
};

enum { SHIPPERS = ROLE_MERCHANT | ROLE_ADMIN, BUYERS = ROLE_CUSTOMER | ROLE_ADMIN };

const struct route order_routes[] = {
    {"GET", "/v1/orders", "order", BUYERS, .query = &order_list},
    {"POST", "/v1/orders", "order", BUYERS, .command = &place},
    {"GET", "/v1/orders/{id}", "order", BUYERS, .query = &order_item},
    {"POST", "/v1/orders/{id}/cancellation", "order", BUYERS, .command = &cancellation},
    {"POST", "/v1/orders/{id}/deliveries", "order", SHIPPERS, .command = &delivery},
    {"POST", "/v1/orders/{id}/shipments", "order", SHIPPERS, .command = &shipment},
    {"GET", "/v1/orders/{id}/timeline", "fulfilment", BUYERS, .query = &order_timeline},
};
const size_t order_routes_count = COUNT(order_routes);
