/* The provider's HTTP interface: paths, checks of what was sent, and how each answer looks. */
#include "sandbox/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/limits.h"
#include "sandbox/memory.h"

struct target {
    char charge_id[64];
    enum operation_kind kind;
};

typedef struct reply handler(struct routes *routes, const struct call *call,
                             const struct target *target);

struct resource {
    handler *get;
    handler *post;
    bool faulty; /* --fault-rate counts here; what checkers read stays reliable */
};

static struct reply reply_text(unsigned status, char *body)
{
    return (struct reply){.status = status, .body = body};
}

/* Takes over the JSON. */
static struct reply reply_json(unsigned status, json_t *json)
{
    char *body = memory_checked(json_dumps(json, JSON_COMPACT));
    json_decref(json);
    return reply_text(status, body);
}

static struct reply reply_error(unsigned status, const char *error)
{
    return reply_json(status, memory_checked(json_pack("{s:s}", "error", error)));
}

/* ---- checks ---- */

static bool key_is_valid(const char *key)
{
    size_t length = strlen(key);
    if (length == 0 || length > LIMIT_KEY_CHARS)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (key[i] < '!' || key[i] > '~')
            return false;
    }
    return true;
}

static bool currency_is_valid(const char *currency)
{
    for (size_t i = 0; i < 3; i++) {
        if (currency[i] < 'A' || currency[i] > 'Z')
            return false;
    }
    return currency[3] == '\0';
}

/* An empty body is an empty object. NULL if it is not a JSON object. */
static json_t *parse_body(const struct call *call)
{
    if (call->body_size == 0)
        return memory_checked(json_object());
    json_t *body = json_loadb(call->body, call->body_size, JSON_REJECT_DUPLICATES, NULL);
    if (body && !json_is_object(body)) {
        json_decref(body);
        return NULL;
    }
    return body;
}

/* What is wrong with the amount, or NULL. */
static const char *read_amount(const json_t *body, bool required, int64_t *ret_amount)
{
    const json_t *amount = json_object_get(body, "amount");
    if (!amount && !required) {
        *ret_amount = LEDGER_AMOUNT_WHOLE;
        return NULL;
    }
    if (!json_is_integer(amount) || json_integer_value(amount) < 0 ||
        json_integer_value(amount) > LIMIT_AMOUNT_MINOR)
        return "invalid_amount";
    *ret_amount = json_integer_value(amount);
    return NULL;
}

/* What is wrong with the fields of a new charge, or NULL. The strings belong to `body`. */
static const char *read_charge(const json_t *body, struct ledger_request *request)
{
    struct behaviour behaviour;
    const json_t *method = json_object_get(body, "payment_method");
    request->currency = json_string_value(json_object_get(body, "currency"));
    request->reference = json_string_value(json_object_get(body, "reference"));
    request->payment_method = method ? json_string_value(method) : "ok";
    const char *wrong = read_amount(body, true, &request->amount_minor);
    if (wrong)
        return wrong;
    if (!request->currency || !currency_is_valid(request->currency))
        return "invalid_currency";
    if (!request->reference || *request->reference == '\0' ||
        strlen(request->reference) > LIMIT_REFERENCE_CHARS)
        return "invalid_reference";
    if (!request->payment_method || !behaviour_parse(request->payment_method, &behaviour))
        return "unknown_payment_method";
    return NULL;
}

/* ---- operations ---- */

static unsigned refusal_status(enum refusal refusal)
{
    switch (refusal) {
    case REFUSAL_NONE:
    case REFUSAL_PAYMENT_DECLINED: /* a declined charge is a charge */
        return 200;
    case REFUSAL_CAPTURE_DECLINED:
    case REFUSAL_REFUND_REFUSED:
    case REFUSAL_VOID_REFUSED:
        return 402;
    case REFUSAL_CHARGE_DECLINED:
    case REFUSAL_NOT_CAPTURED:
    case REFUSAL_ALREADY_CAPTURED:
    case REFUSAL_ALREADY_VOIDED:
    case REFUSAL_ALREADY_REFUNDED:
    case REFUSAL_REFUND_EXCEEDS_CAPTURED:
        return 409;
    }
    abort();
}

/* The trouble that comes only with the first answer; the repeat of the call is served well. */
static void make_trouble(struct routes *routes, enum operation_kind kind,
                         const struct behaviour *behaviour, struct reply *reply)
{
    if (kind != OPERATION_AUTHORIZE)
        return;
    if (behaviour->kind == BEHAVIOUR_SLOW)
        reply->wait_ms = behaviour->number;
    if (behaviour->kind == BEHAVIOUR_TIMEOUT_AFTER_CHARGE) {
        atomic_fetch_add(&routes->counted.hangs, 1);
        reply->wait_ms = routes->hang_ms;
        reply->drop = true;
    }
}

static struct reply operation_reply(struct routes *routes, const struct ledger_request *request,
                                    const struct ledger_result *result)
{
    bool first = result->outcome == LEDGER_EXECUTED;
    bool duplicates = result->behaviour.kind == BEHAVIOUR_DUPLICATE_RESPONSE;
    unsigned status = refusal_status(result->refusal);
    if (status != 200) {
        struct reply refused = reply_error(status, refusal_name(result->refusal));
        refused.key = memory_copy(request->key);
        refused.replayed = !first;
        return refused;
    }
    /* The duplicate of the former answer arrives in place of the capture's own. */
    bool stale = first && duplicates && request->kind == OPERATION_CAPTURE;
    json_t *body = stale ? result->authorized : result->charge;
    if (stale)
        atomic_fetch_add(&routes->counted.stale_answers, 1);
    if (request->kind == OPERATION_AUTHORIZE && (first || duplicates))
        status = 201;
    struct reply reply = reply_json(status, json_incref(body));
    const json_t *operation = json_object_get(body, "operation");
    reply.key = memory_copy(json_string_value(json_object_get(operation, "key")));
    reply.replayed = !first && !duplicates;
    if (first)
        make_trouble(routes, request->kind, &result->behaviour, &reply);
    return reply;
}

static struct reply run_operation(struct routes *routes, const struct ledger_request *request)
{
    struct ledger_result result = ledger_execute(routes->ledger, request);
    struct reply reply = {0};
    switch (result.outcome) {
    case LEDGER_REPLAYED:
        atomic_fetch_add(&routes->counted.replays, 1);
        reply = operation_reply(routes, request, &result);
        break;
    case LEDGER_EXECUTED:
        reply = operation_reply(routes, request, &result);
        break;
    case LEDGER_KEY_REUSED:
        reply = reply_error(422, "idempotency_key_reused");
        break;
    case LEDGER_NOT_FOUND:
        reply = reply_error(404, "charge_not_found");
        break;
    case LEDGER_INVALID_AMOUNT:
        reply = reply_error(422, "invalid_amount");
        break;
    case LEDGER_ERROR_ASKED:
        atomic_fetch_add(&routes->counted.errors_asked, 1);
        reply = reply_error(500, "provider_error");
        break;
    case LEDGER_JOURNAL_FAILED:
        reply = reply_error(503, "ledger_unavailable");
        break;
    }
    ledger_result_finish(&result);
    return reply;
}

static struct reply post_operation(struct routes *routes, const struct call *call,
                                   const struct target *target)
{
    bool authorize = target->kind == OPERATION_AUTHORIZE;
    if (!call->key)
        return reply_error(400, "idempotency_key_missing");
    if (!key_is_valid(call->key))
        return reply_error(400, "invalid_idempotency_key");
    json_t *body = parse_body(call);
    if (!body)
        return reply_error(400, "malformed_json");
    char *canonical = memory_checked(json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS));
    struct ledger_request request = {
        .kind = target->kind,
        .charge_id = authorize ? NULL : target->charge_id,
        .key = call->key,
        .body = canonical,
    };
    const char *wrong =
        authorize ? read_charge(body, &request) : read_amount(body, false, &request.amount_minor);
    struct reply reply = wrong ? reply_error(422, wrong) : run_operation(routes, &request);
    free(canonical);
    json_decref(body);
    return reply;
}

/* ---- reading ---- */

static struct reply get_by_key(struct routes *routes, const struct call *call,
                               const struct target *target)
{
    (void)target;
    if (!call->key_asked)
        return reply_error(400, "idempotency_key_missing");
    if (!key_is_valid(call->key_asked))
        return reply_error(400, "invalid_idempotency_key");
    return reply_json(200, ledger_by_key(routes->ledger, call->key_asked));
}

static struct reply get_charge(struct routes *routes, const struct call *call,
                               const struct target *target)
{
    (void)call;
    json_t *charge = ledger_charge(routes->ledger, target->charge_id);
    return charge ? reply_json(200, charge) : reply_error(404, "charge_not_found");
}

static struct reply get_ledger(struct routes *routes, const struct call *call,
                               const struct target *target)
{
    (void)call;
    (void)target;
    return reply_text(200, ledger_text(routes->ledger));
}

static struct reply get_stats(struct routes *routes, const struct call *call,
                              const struct target *target)
{
    (void)call;
    (void)target;
    return reply_json(
        200, memory_checked(
                 json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "calls",
                           (json_int_t)atomic_load(&routes->counted.calls), "replays",
                           (json_int_t)atomic_load(&routes->counted.replays), "errors_asked",
                           (json_int_t)atomic_load(&routes->counted.errors_asked), "hangs",
                           (json_int_t)atomic_load(&routes->counted.hangs), "stale_answers",
                           (json_int_t)atomic_load(&routes->counted.stale_answers), "faults_before",
                           (json_int_t)atomic_load(&routes->counted.faults_before), "faults_after",
                           (json_int_t)atomic_load(&routes->counted.faults_after))));
}

static struct reply get_livez(struct routes *routes, const struct call *call,
                              const struct target *target)
{
    (void)routes;
    (void)call;
    (void)target;
    return reply_json(200, memory_checked(json_pack("{s:s}", "status", "ok")));
}

/* ---- routing ---- */

static const struct resource livez = {.get = get_livez};
static const struct resource books = {.get = get_ledger};
static const struct resource stats = {.get = get_stats};
static const struct resource charges = {get_by_key, post_operation, true};
static const struct resource one_charge = {.get = get_charge, .faulty = true};
static const struct resource operation = {.post = post_operation, .faulty = true};

static const struct resource *find_resource(const char *path, struct target *ret_target)
{
    static const char prefix[] = "/charges/";
    if (strcmp(path, "/livez") == 0)
        return &livez;
    if (strcmp(path, "/ledger") == 0)
        return &books;
    if (strcmp(path, "/stats") == 0)
        return &stats;
    ret_target->kind = OPERATION_AUTHORIZE;
    if (strcmp(path, "/charges") == 0)
        return &charges;
    if (strncmp(path, prefix, sizeof prefix - 1) != 0)
        return NULL;
    const char *id = path + sizeof prefix - 1;
    size_t id_length = strcspn(id, "/");
    if (id_length == 0 || id_length >= sizeof ret_target->charge_id)
        return NULL;
    memcpy(ret_target->charge_id, id, id_length);
    ret_target->charge_id[id_length] = '\0';
    if (id[id_length] == '\0')
        return &one_charge;
    if (!operation_parse(id + id_length + 1, &ret_target->kind) ||
        ret_target->kind == OPERATION_AUTHORIZE)
        return NULL;
    return &operation;
}

static struct reply reply_wrong_method(const struct resource *resource)
{
    struct reply reply = reply_error(405, "method_not_allowed");
    reply.allow = resource->get && resource->post ? "GET, POST" : resource->get ? "GET" : "POST";
    return reply;
}

struct reply routes_answer(struct routes *routes, const struct call *call)
{
    struct target target = {0};
    const struct resource *resource = find_resource(call->path, &target);
    if (!resource)
        return reply_error(404, "no_such_route");
    handler *handle = NULL;
    if (strcmp(call->method, "GET") == 0)
        handle = resource->get;
    else if (strcmp(call->method, "POST") == 0)
        handle = resource->post;
    if (!handle)
        return reply_wrong_method(resource);
    if (call->body_too_long)
        return reply_error(413, "body_too_long");
    if (!resource->faulty)
        return handle(routes, call, &target);

    atomic_fetch_add(&routes->counted.calls, 1);
    enum fault_kind fault = fault_draw(&routes->fault);
    if (fault == FAULT_BEFORE) {
        atomic_fetch_add(&routes->counted.faults_before, 1);
        return reply_error(500, "injected_fault");
    }
    struct reply reply = handle(routes, call, &target);
    if (fault == FAULT_AFTER) {
        atomic_fetch_add(&routes->counted.faults_after, 1);
        reply.drop = true;
    }
    return reply;
}

void reply_finish(struct reply *reply)
{
    free(reply->body);
    free(reply->key);
    *reply = (struct reply){0};
}
