/* Orders as their customers see them: item, list, timeline. */
#include "api/body.h"
#include "api/page.h"
#include "api/routes.h"

enum { TIMELINE_MAX = 1000 };

#define COLUMNS                                                                              \
    "id, customer_id, status, phase, reason, reason_note, total, currency, payment_method, " \
    "carrier, tracking,"                                                                     \
    " placed_at, updated_at, version, fulfilment_sequence"
enum {
    ID,
    CUSTOMER,
    STATUS,
    PHASE,
    REASON,
    NOTE,
    TOTAL,
    CURRENCY,
    METHOD,
    CARRIER,
    TRACKING,
    PLACED,
    UPDATED,
    VERSION,
    SEQUENCE
};
enum { LINE_ORDER, LINE_SKU, LINE_QUANTITY, LINE_PRICE, LINE_CURRENCY };
#define SELECT_LINES "SELECT order_id, sku, quantity, unit_price, currency FROM order_lines"

static bool may_see(const struct actor *actor, struct uuid customer_id)
{
    return (actor->roles & ROLE_ADMIN) || uuid_equal(actor->id, customer_id);
}

static enum inquiry_step unknown(struct refusal *refusal)
{
    refuse(refusal, PROBLEM_NOT_FOUND, "There is no such order of yours.");
    return INQUIRY_REFUSED;
}

static void write_lines(struct json_write *out, struct uuid order_id,
                        const struct query_rows *lines)
{
    json_write_begin(out, "items", '[');
    for (size_t i = 0; i < lines->count; i++) {
        if (!uuid_equal(query_at(lines, i, LINE_ORDER)->uuid, order_id))
            continue;
        json_write_begin(out, NULL, '{');
        json_write_text(out, "sku", query_at(lines, i, LINE_SKU)->text);
        json_write_number(out, "quantity", query_at(lines, i, LINE_QUANTITY)->number);
        write_money(out, "unit_price", query_at(lines, i, LINE_PRICE)->number,
                    query_at(lines, i, LINE_CURRENCY)->text);
        json_write_end(out, '}');
    }
    json_write_end(out, ']');
}

/* address: JSON; .at NULL: not shown here. */
static void write_order(struct json_write *out, const struct query_rows *rows, size_t row,
                        const struct query_rows *lines, struct text address)
{
    struct uuid id = query_at(rows, row, ID)->uuid;
    json_write_begin(out, NULL, '{');
    json_write_uuid(out, "id", id);
    json_write_uuid(out, "customer_id", query_at(rows, row, CUSTOMER)->uuid);
    json_write_text(out, "status", query_at(rows, row, STATUS)->text);
    json_write_text(out, "phase", query_at(rows, row, PHASE)->text);
    write_text_if(out, "reason", query_at(rows, row, REASON)->text);
    write_text_if(out, "reason_note", query_at(rows, row, NOTE)->text);
    write_money(out, "total", query_at(rows, row, TOTAL)->number,
                query_at(rows, row, CURRENCY)->text);
    write_lines(out, id, lines);
    json_write_text(out, "payment_method", query_at(rows, row, METHOD)->text);
    if (address.at)
        json_write_raw(out, "shipping_address", address);
    write_text_if(out, "carrier", query_at(rows, row, CARRIER)->text);
    write_text_if(out, "tracking", query_at(rows, row, TRACKING)->text);
    json_write_time(out, "placed_at", query_at(rows, row, PLACED)->number);
    json_write_time(out, "updated_at", query_at(rows, row, UPDATED)->number);
    json_write_number(out, "version", query_at(rows, row, VERSION)->number);
    json_write_end(out, '}');
}

/* ---- one order ---- */

/* null, when its customer is erased. */
static bool open_address(const struct request *request, const struct query_rows *rows,
                         struct text *ret_address, struct refusal *refusal)
{
    if (rows->count && !desk_open(request->desk, query_at(rows, 0, 0)->uuid, PURPOSE_ADDRESS,
                                  query_at(rows, 0, 1)->text, ret_address, refusal))
        return false;
    if (rows->count == 0 || !ret_address->at)
        *ret_address = TEXT("null");
    return true;
}

static enum inquiry_step step_item(struct inquiry *inquiry, struct refusal *refusal)
{
    struct uuid id;
    if (!path_uuid(inquiry->request, 0, &id, refusal))
        return INQUIRY_REFUSED;
    if (inquiry->round == 0) {
        struct question *q = inquiry_ask(inquiry, "SELECT " COLUMNS " FROM orders WHERE id = $1");
        q->values[q->count++] = QUERY_UUID(id);
        q = inquiry_ask(inquiry, SELECT_LINES " WHERE order_id = $1 ORDER BY line");
        q->values[q->count++] = QUERY_UUID(id);
        q = inquiry_ask(inquiry,
                        "SELECT customer_id, address FROM order_addresses WHERE order_id = $1");
        q->values[q->count++] = QUERY_UUID(id);
        return INQUIRY_ASK;
    }
    const struct query_rows *rows = &inquiry->answers[0];
    struct text address;
    if (rows->count == 0 || !may_see(&inquiry->request->actor, query_at(rows, 0, CUSTOMER)->uuid))
        return unknown(refusal);
    if (!open_address(inquiry->request, &inquiry->answers[2], &address, refusal))
        return INQUIRY_REFUSED;
    write_order(&inquiry->out, rows, 0, &inquiry->answers[1], address);
    inquiry->version = query_at(rows, 0, VERSION)->number;
    inquiry->sequence = query_at(rows, 0, SEQUENCE)->number;
    return INQUIRY_DONE;
}

static const char *const order_models[] = {"orders", "order_lines", "order_addresses", NULL};

const struct query_route order_item = {.models = order_models, .step = step_item};

/* ---- list ---- */

/* By (placed_at, id), newest first; each filter has a statement of its own so that each can use its
 * index. */
#define LIST(condition)                                                            \
    "SELECT " COLUMNS " FROM orders WHERE " condition "(placed_at, id) < ($1, $2)" \
    " ORDER BY placed_at DESC, id DESC LIMIT $3"

static bool read_customer(const struct request *request, bool *ret_given, struct uuid *ret_customer,
                          struct refusal *refusal)
{
    struct text given = request_parameter(request, "customer_id");
    *ret_customer = request->actor.id;
    *ret_given = given.at || !(request->actor.roles & ROLE_ADMIN);
    if (given.at && !uuid_read(given, ret_customer))
        return refuse_parameter(refusal, "customer_id", "must be a UUID");
    if (!may_see(&request->actor, *ret_customer))
        return refuse(refusal, PROBLEM_NOT_FOUND, "There is no such customer for you.");
    return true;
}

static bool read_status(const struct request *request, struct text *ret_status,
                        struct refusal *refusal)
{
    static const char *const known[] = {"pending",   "confirmed", "cancelling",
                                        "cancelled", "shipped",   "delivered"};
    *ret_status = request_parameter(request, "status");
    if (!ret_status->at)
        return true;
    for (size_t i = 0; i < COUNT(known); i++)
        if (text_is(*ret_status, known[i]))
            return true;
    return refuse_parameter(refusal, "status", "is not a status of orders");
}

static enum inquiry_step ask_list(struct inquiry *inquiry, const struct page *page,
                                  struct refusal *refusal)
{
    bool by_customer;
    struct uuid customer;
    struct text status;
    if (!read_customer(inquiry->request, &by_customer, &customer, refusal) ||
        !read_status(inquiry->request, &status, refusal))
        return INQUIRY_REFUSED;
    const char *sql = by_customer && status.at ? LIST("customer_id = $4 AND status = $5 AND ")
                      : by_customer            ? LIST("customer_id = $4 AND ")
                      : status.at              ? LIST("status = $4 AND ")
                                               : LIST("");
    struct question *q = inquiry_ask(inquiry, sql);
    q->values[q->count++] = QUERY_TIME(page->before);
    q->values[q->count++] = QUERY_UUID(page->id);
    q->values[q->count++] = QUERY_NUMBER(page->limit + 1);
    if (by_customer)
        q->values[q->count++] = QUERY_UUID(customer);
    if (status.at)
        q->values[q->count++] = QUERY_TEXT(status);
    return INQUIRY_ASK;
}

/* "id,id,id" */
static struct text joined(struct arena *arena, const struct query_rows *rows, size_t count)
{
    char *out = arena_alloc(arena, count * (UUID_TEXT_LEN + 1) + 1);
    for (size_t i = 0; out && i < count; i++) {
        uuid_format(query_at(rows, i, ID)->uuid, out + i * (UUID_TEXT_LEN + 1));
        out[i * (UUID_TEXT_LEN + 1) + UUID_TEXT_LEN] = ',';
    }
    return (struct text){out ? out : "", out && count ? count * (UUID_TEXT_LEN + 1) - 1 : 0};
}

static enum inquiry_step ask_lines(struct inquiry *inquiry, const struct page *page,
                                   struct refusal *refusal)
{
    struct query_rows *rows = arena_alloc(inquiry->request->arena, sizeof *rows);
    if (!rows) {
        refuse(refusal, PROBLEM_OVERLOADED, "The list needs too much memory.");
        return INQUIRY_REFUSED;
    }
    *rows = inquiry->answers[0];
    inquiry->kept = rows;
    struct question *q = inquiry_ask(
        inquiry, SELECT_LINES
        " WHERE order_id = ANY(string_to_array($1, ',')::uuid[]) ORDER BY order_id, line");
    q->values[q->count++] =
        QUERY_TEXT(joined(inquiry->request->arena, rows, page_shown(page, rows)));
    return INQUIRY_ASK;
}

static enum inquiry_step step_list(struct inquiry *inquiry, struct refusal *refusal)
{
    struct page page;
    if (!page_by_time(inquiry->request, &page, refusal))
        return INQUIRY_REFUSED;
    if (inquiry->round == 0)
        return ask_list(inquiry, &page, refusal);
    if (inquiry->round == 1)
        return ask_lines(inquiry, &page, refusal);
    const struct query_rows *rows = inquiry->kept;
    size_t shown = page_shown(&page, rows);
    struct text cursor = TEXT("");
    page_begin(inquiry);
    for (size_t i = 0; i < shown; i++)
        write_order(&inquiry->out, rows, i, &inquiry->answers[0], (struct text){NULL, 0});
    if (rows->count > shown)
        cursor =
            page_cursor_by_time(inquiry->request->arena, query_at(rows, shown - 1, PLACED)->number,
                                query_at(rows, shown - 1, ID)->uuid);
    page_end(inquiry, cursor);
    return INQUIRY_DONE;
}

const struct query_route order_list = {.models = order_models, .step = step_list};

/* ---- timeline ---- */

enum { T_KIND, T_TYPE, T_DETAIL, T_AT, T_TOPIC, T_PARTITION, T_OFFSET, T_INDEX, T_CUSTOMER };

static void write_entry(struct json_write *out, const struct query_rows *rows, size_t row)
{
    struct text topic = query_at(rows, row, T_TOPIC)->text;
    const char *dot = memchr(topic.at, '.', topic.len);
    json_write_begin(out, NULL, '{');
    json_write_time(out, "at", query_at(rows, row, T_AT)->number);
    json_write_text(out, "service",
                    dot ? (struct text){topic.at, (size_t)(dot - topic.at)} : topic);
    json_write_text(out, "kind", query_at(rows, row, T_KIND)->text);
    json_write_text(out, "type", query_at(rows, row, T_TYPE)->text);
    write_text_if(out, "detail", query_at(rows, row, T_DETAIL)->text);
    json_write_number(out, "partition", query_at(rows, row, T_PARTITION)->number);
    json_write_number(out, "offset", query_at(rows, row, T_OFFSET)->number);
    json_write_number(out, "index", query_at(rows, row, T_INDEX)->number);
    json_write_end(out, '}');
}

/* The order's placing names its customer; without it nothing is known of the order yet. */
static bool may_see_timeline(const struct actor *actor, const struct query_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        if (!uuid_is_nil(query_at(rows, i, T_CUSTOMER)->uuid))
            return may_see(actor, query_at(rows, i, T_CUSTOMER)->uuid);
    return false;
}

static enum inquiry_step step_timeline(struct inquiry *inquiry, struct refusal *refusal)
{
    struct uuid id;
    if (!path_uuid(inquiry->request, 0, &id, refusal))
        return INQUIRY_REFUSED;
    if (inquiry->round == 0) {
        struct question *q = inquiry_ask(
            inquiry, "SELECT kind, type, detail, at, topic, \"partition\", log_offset, \"index\","
                     " customer_id"
                     " FROM timelines WHERE order_id = $1"
                     " ORDER BY at, topic, \"partition\", log_offset, \"index\" LIMIT $2");
        q->values[q->count++] = QUERY_UUID(id);
        q->values[q->count++] = QUERY_NUMBER(TIMELINE_MAX);
        return INQUIRY_ASK;
    }
    const struct query_rows *rows = &inquiry->answers[0];
    if (!may_see_timeline(&inquiry->request->actor, rows))
        return unknown(refusal);
    page_begin(inquiry);
    for (size_t i = 0; i < rows->count; i++)
        write_entry(&inquiry->out, rows, i);
    page_end(inquiry, TEXT(""));
    return INQUIRY_DONE;
}

static const char *const timeline_models[] = {"timelines", NULL};

const struct query_route order_timeline = {.models = timeline_models, .step = step_timeline};
