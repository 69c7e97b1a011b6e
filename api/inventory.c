/* Stock: goods come in and are counted anew; what is on hand is shown to their merchant. */
#include "schemas/inventory.h"
#include "api/body.h"
#include "api/catalogue.h"
#include "api/page.h"
#include "api/routes.h"

/* ---- commands ---- */

/* The product's merchant is looked up: decide judges by it. */
static bool look_up_sku(const struct request *request, struct intake *intake,
                        struct refusal *refusal)
{
    if (!path_sku(request, 0, &intake->target, refusal))
        return false;
    intake->keys = &intake->target;
    intake->keys_count = 1;
    return true;
}

static bool known(const struct catalogue_fact *fact, struct refusal *refusal)
{
    return fact->known || refuse(refusal, PROBLEM_NOT_FOUND, "There is no product with this SKU.");
}

static bool parse_receipt(const struct request *request, struct intake *intake,
                          struct refusal *refusal)
{
    return look_up_sku(request, intake, refusal) &&
           body_decode(request, &inventory_receipt_body_shape, intake, refusal);
}

static bool build_receipt(const struct request *request, const struct intake *intake,
                          struct uuid id, const struct catalogue_fact *facts, void *ret_message,
                          struct refusal *refusal)
{
    const struct inventory_receipt_body *body = intake->body;
    (void)request, (void)id;
    *(struct inventory_command *)ret_message = (struct inventory_command){
        .tag = INVENTORY_COMMAND_RECEIVE_V1,
        .as.receive_v1 = {.sku = intake->target,
                          .quantity = body->quantity,
                          .merchant_id = facts[0].merchant_id},
    };
    return known(&facts[0], refusal);
}

static const struct command_route receipt = {
    .vocabulary = &inventory_commands,
    .catalogue = &inventory_catalogue,
    .success = 201,
    .location = "/v1/inventory/",
    .also = "sku",
    .parse = parse_receipt,
    .build = build_receipt,
};

static bool parse_adjustment(const struct request *request, struct intake *intake,
                             struct refusal *refusal)
{
    if (!look_up_sku(request, intake, refusal) ||
        !body_decode(request, &inventory_adjustment_body_shape, intake, refusal))
        return false;
    if (((const struct inventory_adjustment_body *)intake->body)->quantity_change == 0)
        return refuse_at(refusal, PROBLEM_INVALID, "/quantity_change", "must not be 0");
    return true;
}

static bool build_adjustment(const struct request *request, const struct intake *intake,
                             struct uuid id, const struct catalogue_fact *facts, void *ret_message,
                             struct refusal *refusal)
{
    const struct inventory_adjustment_body *body = intake->body;
    (void)request, (void)id;
    *(struct inventory_command *)ret_message = (struct inventory_command){
        .tag = INVENTORY_COMMAND_ADJUST_V1,
        .as.adjust_v1 =
            {
                .sku = intake->target,
                .quantity_change = body->quantity_change,
                .reason = body->reason,
                .merchant_id = facts[0].merchant_id,
            },
    };
    return known(&facts[0], refusal);
}

static const struct command_route adjustment = {
    .vocabulary = &inventory_commands,
    .catalogue = &inventory_catalogue,
    .success = 201,
    .location = "/v1/inventory/",
    .also = "sku",
    .parse = parse_adjustment,
    .build = build_adjustment,
};

/* ---- queries ---- */

/* A product without receipts has no row in stock: zeros. */
#define SELECT_STOCK                                                                           \
    "SELECT c.sku, coalesce(s.on_hand, 0), coalesce(s.reserved, 0), coalesce(s.committed, 0)," \
    " coalesce(s.received, 0), coalesce(s.adjusted, 0), coalesce(s.version, 0), c.merchant_id" \
    " FROM inventory_catalogue c LEFT JOIN stock s ON s.sku = c.sku"
enum { SKU, ON_HAND, RESERVED, COMMITTED, RECEIVED, ADJUSTED, VERSION, MERCHANT };

static void write_stock(struct json_write *out, const struct query_rows *rows, size_t row)
{
    static const char *const names[] = {
        [ON_HAND] = "on_hand",   [RESERVED] = "reserved", [COMMITTED] = "committed",
        [RECEIVED] = "received", [ADJUSTED] = "adjusted", [VERSION] = "version",
    };
    json_write_begin(out, NULL, '{');
    json_write_text(out, "sku", query_at(rows, row, SKU)->text);
    for (size_t i = ON_HAND; i <= VERSION; i++)
        json_write_number(out, names[i], query_at(rows, row, i)->number);
    json_write_end(out, '}');
}

static bool may_see(const struct actor *actor, struct uuid merchant_id)
{
    return (actor->roles & ROLE_ADMIN) || uuid_equal(actor->id, merchant_id);
}

static enum inquiry_step step_item(struct inquiry *inquiry, struct refusal *refusal)
{
    struct text sku;
    if (!path_sku(inquiry->request, 0, &sku, refusal))
        return INQUIRY_REFUSED;
    if (inquiry->round == 0) {
        struct question *q = inquiry_ask(inquiry, SELECT_STOCK " WHERE c.sku = $1");
        q->values[q->count++] = QUERY_TEXT(sku);
        return INQUIRY_ASK;
    }
    const struct query_rows *rows = &inquiry->answers[0];
    if (rows->count == 0 || !may_see(&inquiry->request->actor, query_at(rows, 0, MERCHANT)->uuid)) {
        refuse(refusal, PROBLEM_NOT_FOUND, "There is no such product of yours.");
        return INQUIRY_REFUSED;
    }
    write_stock(&inquiry->out, rows, 0);
    inquiry->version = query_at(rows, 0, VERSION)->number;
    inquiry->sequence = -1;
    return INQUIRY_DONE;
}

static const char *const models[] = {"inventory_catalogue", "stock", NULL};

static const struct query_route item = {.models = models, .step = step_item};

static enum inquiry_step ask_list(struct inquiry *inquiry, const struct page *page,
                                  struct refusal *refusal)
{
    const struct actor *actor = &inquiry->request->actor;
    bool all = actor->roles & ROLE_ADMIN;
    int64_t below;
    if (!page_number(inquiry->request, "below", 0, INT64_MAX, INT64_MAX,
                     "must be a number, 0 or more", &below, refusal))
        return INQUIRY_REFUSED;
    struct question *q = inquiry_ask(
        inquiry, all ? SELECT_STOCK
                     " WHERE c.sku > $1 AND coalesce(s.on_hand, 0) < $3 ORDER BY c.sku LIMIT $2"
                     : SELECT_STOCK
                     " WHERE c.sku > $1 AND coalesce(s.on_hand, 0) < $3 AND c.merchant_id = $4"
                     " ORDER BY c.sku LIMIT $2");
    q->values[q->count++] = QUERY_TEXT(page->key);
    q->values[q->count++] = QUERY_NUMBER(page->limit + 1);
    q->values[q->count++] = QUERY_NUMBER(below);
    if (!all)
        q->values[q->count++] = QUERY_UUID(actor->id);
    return INQUIRY_ASK;
}

static enum inquiry_step step_list(struct inquiry *inquiry, struct refusal *refusal)
{
    struct page page;
    if (!page_by_key(inquiry->request, &page, refusal))
        return INQUIRY_REFUSED;
    if (inquiry->round == 0)
        return ask_list(inquiry, &page, refusal);
    const struct query_rows *rows = &inquiry->answers[0];
    size_t shown = page_shown(&page, rows);
    page_begin(inquiry);
    for (size_t i = 0; i < shown; i++)
        write_stock(&inquiry->out, rows, i);
    page_end(inquiry, rows->count > shown ? query_at(rows, shown - 1, SKU)->text : TEXT(""));
    return INQUIRY_DONE;
}

static const struct query_route list = {.models = models, .step = step_list};

/* ---- movements ---- */

enum { M_VERSION, M_KIND, M_QUANTITY, M_ORDER, M_REASON, M_AT };

static void write_movement(struct json_write *out, const struct query_rows *rows, size_t row)
{
    struct uuid order_id = query_at(rows, row, M_ORDER)->uuid;
    json_write_begin(out, NULL, '{');
    json_write_number(out, "version", query_at(rows, row, M_VERSION)->number);
    json_write_text(out, "kind", query_at(rows, row, M_KIND)->text);
    json_write_number(out, "quantity", query_at(rows, row, M_QUANTITY)->number);
    if (!uuid_is_nil(order_id))
        json_write_uuid(out, "order_id", order_id);
    write_text_if(out, "reason", query_at(rows, row, M_REASON)->text);
    json_write_time(out, "at", query_at(rows, row, M_AT)->number);
    json_write_end(out, '}');
}

static void ask_movements(struct inquiry *inquiry, struct text sku, const struct page *page)
{
    struct question *q =
        inquiry_ask(inquiry, "SELECT merchant_id FROM inventory_catalogue WHERE sku = $1");
    q->values[q->count++] = QUERY_TEXT(sku);
    q = inquiry_ask(inquiry, "SELECT version, kind, quantity, order_id, reason, happened_at"
                             " FROM stock_movements WHERE sku = $1 AND version < $2"
                             " ORDER BY version DESC LIMIT $3");
    q->values[q->count++] = QUERY_TEXT(sku);
    q->values[q->count++] = QUERY_NUMBER(page->before);
    q->values[q->count++] = QUERY_NUMBER(page->limit + 1);
}

static enum inquiry_step step_movements(struct inquiry *inquiry, struct refusal *refusal)
{
    struct text sku, cursor = TEXT("");
    struct page page;
    if (!path_sku(inquiry->request, 0, &sku, refusal) ||
        !page_by_version(inquiry->request, &page, refusal))
        return INQUIRY_REFUSED;
    if (inquiry->round == 0) {
        ask_movements(inquiry, sku, &page);
        return INQUIRY_ASK;
    }
    const struct query_rows *product = &inquiry->answers[0], *rows = &inquiry->answers[1];
    if (product->count == 0 || !may_see(&inquiry->request->actor, query_at(product, 0, 0)->uuid)) {
        refuse(refusal, PROBLEM_NOT_FOUND, "There is no such product of yours.");
        return INQUIRY_REFUSED;
    }
    size_t shown = page_shown(&page, rows);
    page_begin(inquiry);
    for (size_t i = 0; i < shown; i++)
        write_movement(&inquiry->out, rows, i);
    if (rows->count > shown)
        cursor = page_cursor_by_version(inquiry->request->arena,
                                        query_at(rows, shown - 1, M_VERSION)->number);
    page_end(inquiry, cursor);
    return INQUIRY_DONE;
}

static const char *const movement_models[] = {"inventory_catalogue", "stock_movements", NULL};

static const struct query_route movements = {.models = movement_models, .step = step_movements};

enum { KEEPERS = ROLE_MERCHANT | ROLE_ADMIN };

const struct route inventory_routes[] = {
    {"GET", "/v1/inventory", "inventory", KEEPERS, .query = &list},
    {"GET", "/v1/inventory/{sku}", "inventory", KEEPERS, .query = &item},
    {"POST", "/v1/inventory/{sku}/adjustments", "inventory", KEEPERS, .command = &adjustment},
    {"GET", "/v1/inventory/{sku}/movements", "inventory", KEEPERS, .query = &movements},
    {"POST", "/v1/inventory/{sku}/receipts", "inventory", KEEPERS, .command = &receipt},
};
const size_t inventory_routes_count = COUNT(inventory_routes);
