/* Payments, as their customers see them. */
#include "api/body.h"
#include "api/page.h"
#include "api/routes.h"

#define SELECT_PAYMENT                                                                     \
    "SELECT payment_id, order_id, customer_id, status, amount, currency, payment_method, " \
    "provider_reference,"                                                                  \
    " reason, captured_amount, refunded_amount, requested_at, updated_at, version FROM payments"
enum {
    ID,
    ORDER,
    CUSTOMER,
    STATUS,
    AMOUNT,
    CURRENCY,
    METHOD,
    REFERENCE,
    REASON,
    CAPTURED,
    REFUNDED,
    REQUESTED,
    UPDATED,
    VERSION
};

static bool may_see(const struct actor *actor, const struct query_rows *rows, size_t row)
{
    return (actor->roles & ROLE_ADMIN) ||
           uuid_equal(actor->id, query_at(rows, row, CUSTOMER)->uuid);
}

static void write_payment(struct json_write *out, const struct query_rows *rows, size_t row)
{
    struct text currency = query_at(rows, row, CURRENCY)->text;
    json_write_begin(out, NULL, '{');
    json_write_uuid(out, "id", query_at(rows, row, ID)->uuid);
    json_write_uuid(out, "order_id", query_at(rows, row, ORDER)->uuid);
    json_write_uuid(out, "customer_id", query_at(rows, row, CUSTOMER)->uuid);
    json_write_text(out, "status", query_at(rows, row, STATUS)->text);
    write_money(out, "amount", query_at(rows, row, AMOUNT)->number, currency);
    write_money(out, "captured", query_at(rows, row, CAPTURED)->number, currency);
    write_money(out, "refunded", query_at(rows, row, REFUNDED)->number, currency);
    json_write_text(out, "payment_method", query_at(rows, row, METHOD)->text);
    write_text_if(out, "provider_reference", query_at(rows, row, REFERENCE)->text);
    write_text_if(out, "reason", query_at(rows, row, REASON)->text);
    json_write_time(out, "requested_at", query_at(rows, row, REQUESTED)->number);
    json_write_time(out, "updated_at", query_at(rows, row, UPDATED)->number);
    json_write_number(out, "version", query_at(rows, row, VERSION)->number);
    json_write_end(out, '}');
}

static enum inquiry_step step_item(struct inquiry *inquiry, struct refusal *refusal)
{
    struct uuid id;
    if (!path_uuid(inquiry->request, 0, &id, refusal))
        return INQUIRY_REFUSED;
    if (inquiry->round == 0) {
        struct question *q = inquiry_ask(inquiry, SELECT_PAYMENT " WHERE payment_id = $1");
        q->values[q->count++] = QUERY_UUID(id);
        return INQUIRY_ASK;
    }
    const struct query_rows *rows = &inquiry->answers[0];
    if (rows->count == 0 || !may_see(&inquiry->request->actor, rows, 0)) {
        refuse(refusal, PROBLEM_NOT_FOUND, "There is no such payment of yours.");
        return INQUIRY_REFUSED;
    }
    write_payment(&inquiry->out, rows, 0);
    inquiry->version = query_at(rows, 0, VERSION)->number;
    inquiry->sequence = -1;
    return INQUIRY_DONE;
}

static const char *const models[] = {"payments", NULL};

static const struct query_route item = {.models = models, .step = step_item};

static enum inquiry_step step_list(struct inquiry *inquiry, struct refusal *refusal)
{
    struct uuid order_id;
    struct text given = request_parameter(inquiry->request, "order_id");
    if (!given.at || !uuid_read(given, &order_id)) {
        refuse_parameter(refusal, "order_id", given.at ? "must be a UUID" : "is required");
        return INQUIRY_REFUSED;
    }
    if (inquiry->round == 0) {
        struct question *q =
            inquiry_ask(inquiry, SELECT_PAYMENT " WHERE order_id = $1 ORDER BY requested_at");
        q->values[q->count++] = QUERY_UUID(order_id);
        return INQUIRY_ASK;
    }
    const struct query_rows *rows = &inquiry->answers[0];
    page_begin(inquiry);
    for (size_t i = 0; i < rows->count; i++)
        if (may_see(&inquiry->request->actor, rows, i))
            write_payment(&inquiry->out, rows, i);
    page_end(inquiry, TEXT(""));
    return INQUIRY_DONE;
}

static const struct query_route list = {.models = models, .step = step_list};

enum { BUYERS = ROLE_CUSTOMER | ROLE_ADMIN };

const struct route payment_routes[] = {
    {"GET", "/v1/payments", "payment", BUYERS, .query = &list},
    {"GET", "/v1/payments/{id}", "payment", BUYERS, .query = &item},
};
const size_t payment_routes_count = COUNT(payment_routes);
