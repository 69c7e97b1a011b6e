/* Products: their merchant adds them and sets price and status; anyone reads them. */
#include "schemas/product.h"
#include "api/body.h"
#include "api/page.h"
#include "api/routes.h"

/* ---- commands ---- */

static bool parse_add(const struct request *request, struct intake *intake, struct refusal *refusal)
{
    if (!body_decode(request, &product_add_body_shape, intake, refusal))
        return false;
    intake->target = ((const struct product_add_body *)intake->body)->sku;
    return true;
}

static bool build_add(const struct request *request, const struct intake *intake, struct uuid id,
                      const struct catalogue_fact *facts, void *ret_message,
                      struct refusal *refusal)
{
    const struct product_add_body *body = intake->body;
    (void)id, (void)facts, (void)refusal;
    *(struct product_command *)ret_message = (struct product_command){
        .tag = PRODUCT_COMMAND_ADD_V1,
        .as.add_v1 =
            {
                .sku = body->sku,
                .name = body->name,
                .price = body->price,
                .merchant_id = body->has_merchant_id ? body->merchant_id : request->actor.id,
            },
    };
    return true;
}

static const struct command_route add = {
    .vocabulary = &product_commands,
    .success = 201,
    .location = "/v1/products/",
    .also = "sku",
    .parse = parse_add,
    .build = build_add,
};

static bool parse_price(const struct request *request, struct intake *intake,
                        struct refusal *refusal)
{
    return path_sku(request, 0, &intake->target, refusal) &&
           body_decode(request, &common_money_shape, intake, refusal);
}

static bool build_price(const struct request *request, const struct intake *intake, struct uuid id,
                        const struct catalogue_fact *facts, void *ret_message,
                        struct refusal *refusal)
{
    (void)request, (void)id, (void)facts, (void)refusal;
    *(struct product_command *)ret_message = (struct product_command){
        .tag = PRODUCT_COMMAND_CHANGE_PRICE_V1,
        .as.change_price_v1 = {.sku = intake->target,
                               .price = *(const struct common_money *)intake->body},
    };
    return true;
}

static const struct command_route price = {
    .vocabulary = &product_commands,
    .success = 200,
    .location = "/v1/products/",
    .also = "sku",
    .parse = parse_price,
    .build = build_price,
};

static bool parse_status(const struct request *request, struct intake *intake,
                         struct refusal *refusal)
{
    return path_sku(request, 0, &intake->target, refusal) &&
           body_decode(request, &product_status_body_shape, intake, refusal);
}

static bool build_status(const struct request *request, const struct intake *intake, struct uuid id,
                         const struct catalogue_fact *facts, void *ret_message,
                         struct refusal *refusal)
{
    (void)request, (void)id, (void)facts, (void)refusal;
    *(struct product_command *)ret_message = (struct product_command){
        .tag = PRODUCT_COMMAND_CHANGE_STATUS_V1,
        .as.change_status_v1 = {.sku = intake->target,
                                .status =
                                    ((const struct product_status_body *)intake->body)->status},
    };
    return true;
}

static const struct command_route status = {
    .vocabulary = &product_commands,
    .success = 200,
    .location = "/v1/products/",
    .also = "sku",
    .parse = parse_status,
    .build = build_status,
};

/* ---- queries ---- */

#define SELECT_PRODUCTS                                                                \
    "SELECT p.sku, p.name, p.price, p.currency, p.status, p.merchant_id, p.added_at, " \
    "p.updated_at, p.version, coalesce(a.on_hand, 0)"                                  \
    " FROM products p LEFT JOIN availability a ON a.sku = p.sku"
enum { SKU, NAME, PRICE, CURRENCY, STATUS, MERCHANT, ADDED, UPDATED, VERSION, ON_HAND };

static void write_product(struct json_write *out, const struct query_rows *rows, size_t row)
{
    json_write_begin(out, NULL, '{');
    json_write_text(out, "sku", query_at(rows, row, SKU)->text);
    json_write_text(out, "name", query_at(rows, row, NAME)->text);
    write_money(out, "price", query_at(rows, row, PRICE)->number,
                query_at(rows, row, CURRENCY)->text);
    json_write_text(out, "status", query_at(rows, row, STATUS)->text);
    json_write_uuid(out, "merchant_id", query_at(rows, row, MERCHANT)->uuid);
    json_write_number(out, "availability", query_at(rows, row, ON_HAND)->number);
    json_write_time(out, "added_at", query_at(rows, row, ADDED)->number);
    json_write_time(out, "updated_at", query_at(rows, row, UPDATED)->number);
    json_write_number(out, "version", query_at(rows, row, VERSION)->number);
    json_write_end(out, '}');
}

static enum inquiry_step step_item(struct inquiry *inquiry, struct refusal *refusal)
{
    struct text sku;
    if (!path_sku(inquiry->request, 0, &sku, refusal))
        return INQUIRY_REFUSED;
    if (inquiry->round == 0) {
        struct question *q = inquiry_ask(inquiry, SELECT_PRODUCTS " WHERE p.sku = $1");
        q->values[q->count++] = QUERY_TEXT(sku);
        return INQUIRY_ASK;
    }
    const struct query_rows *rows = &inquiry->answers[0];
    if (rows->count == 0) {
        refuse(refusal, PROBLEM_NOT_FOUND, "There is no such product.");
        return INQUIRY_REFUSED;
    }
    write_product(&inquiry->out, rows, 0);
    inquiry->version = query_at(rows, 0, VERSION)->number;
    inquiry->sequence = -1;
    return INQUIRY_DONE;
}

static const char *const models[] = {"products", "availability", NULL};

static const struct query_route item = {.models = models, .step = step_item};

/* "%50\% off%": what ILIKE must be given to find `text` anywhere. */
static struct text pattern_of(struct arena *arena, struct text text)
{
    char *out = arena_alloc(arena, 2 * text.len + 2), *to = out;
    if (!out)
        return TEXT("%");
    *to++ = '%';
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '%' || text.at[i] == '_' || text.at[i] == '\\')
            *to++ = '\\';
        *to++ = text.at[i];
    }
    *to++ = '%';
    return (struct text){out, (size_t)(to - out)};
}

static bool read_status(const struct request *request, struct text *ret_statuses,
                        struct refusal *refusal)
{
    struct text given = request_parameter(request, "status");
    *ret_statuses = given.at ? given : TEXT("active,discontinued");
    return !given.at || text_is(given, "active") || text_is(given, "discontinued") ||
           refuse_parameter(refusal, "status", "must be active or discontinued");
}

#define SELECT_LIST                                                                  \
    SELECT_PRODUCTS " WHERE p.sku > $1 AND p.status = ANY(string_to_array($3, ','))" \
                    " AND (p.name ILIKE $4 OR p.sku ILIKE $4)"

static enum inquiry_step ask_list(struct inquiry *inquiry, const struct page *page,
                                  struct refusal *refusal)
{
    const struct request *request = inquiry->request;
    struct text merchant = request_parameter(request, "merchant_id"),
                q = request_parameter(request, "q"), statuses;
    struct uuid merchant_id;
    if (!read_status(request, &statuses, refusal))
        return INQUIRY_REFUSED;
    if (merchant.at && !uuid_read(merchant, &merchant_id)) {
        refuse_parameter(refusal, "merchant_id", "must be a UUID");
        return INQUIRY_REFUSED;
    }
    struct question *question = inquiry_ask(
        inquiry, merchant.at ? SELECT_LIST " AND p.merchant_id = $5 ORDER BY p.sku LIMIT $2"
                             : SELECT_LIST " ORDER BY p.sku LIMIT $2");
    question->values[question->count++] = QUERY_TEXT(page->key);
    question->values[question->count++] = QUERY_NUMBER(page->limit + 1);
    question->values[question->count++] = QUERY_TEXT(statuses);
    question->values[question->count++] =
        QUERY_TEXT(q.len ? pattern_of(request->arena, q) : TEXT("%"));
    if (merchant.at)
        question->values[question->count++] = QUERY_UUID(merchant_id);
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
        write_product(&inquiry->out, rows, i);
    page_end(inquiry, rows->count > shown ? query_at(rows, shown - 1, SKU)->text : TEXT(""));
    return INQUIRY_DONE;
}

static const struct query_route list = {.models = models, .step = step_list};

const struct route product_routes[] = {
    {"GET", "/v1/products", "product", ROLE_ANYONE, .query = &list},
    {"POST", "/v1/products", "product", ROLE_MERCHANT | ROLE_ADMIN, .command = &add},
    {"GET", "/v1/products/{sku}", "product", ROLE_ANYONE, .query = &item},
    {"PUT", "/v1/products/{sku}/price", "product", ROLE_MERCHANT | ROLE_ADMIN, .command = &price},
    {"PUT", "/v1/products/{sku}/status", "product", ROLE_MERCHANT | ROLE_ADMIN, .command = &status},
};
const size_t product_routes_count = COUNT(product_routes);
