/* Charges by id, operations by key. */
#include "tests/sim/bank.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/world.h"

enum { ACCOUNTS_MAX = 4096, OPERATIONS_MAX = 16384 };
enum charge_state { CHARGE_HELD, CHARGE_DECLINED, CHARGE_CAPTURED, CHARGE_VOIDED, CHARGE_REFUNDED };

struct charge {
    struct bank_account account;
    enum charge_state state;
    char method[64];
    int id;
};

struct operation {
    char key[40];
    char what[12];
    int charge;
    int64_t amount;
    const char *error; /* NULL: done */
    int asked;
};

static struct charge *charges;
static struct bank_account *accounts; /* for the checker */
static struct operation *operations;
static size_t charges_count, operations_count;
static bool healed;

void bank_begin(void)
{
    charges = world_alloc(ACCOUNTS_MAX * sizeof *charges / 8);
    operations = world_alloc(OPERATIONS_MAX * sizeof *operations / 16);
    charges_count = operations_count = 0;
    healed = false;
}

void bank_heal(void)
{
    healed = true;
}

static struct operation *operation_of(const char *key)
{
    for (size_t i = 0; i < operations_count; i++)
        if (strcmp(operations[i].key, key) == 0)
            return &operations[i];
    return NULL;
}

static bool method_is(const struct charge *c, const char *prefix)
{
    return strncmp(c->method, prefix, strlen(prefix)) == 0;
}

static const char *judge_capture(const struct charge *c)
{
    if (c->state != CHARGE_HELD)
        return "already_captured";
    return method_is(c, "capture-declined") ? "capture_declined" : NULL;
}

static const char *judge_void(const struct charge *c)
{
    if (c->state == CHARGE_VOIDED)
        return "already_voided";
    if (c->state != CHARGE_HELD)
        return "already_captured";
    return !healed && method_is(c, "void-refused") ? "void_refused" : NULL;
}

static const char *judge_refund(const struct charge *c)
{
    if (c->state == CHARGE_REFUNDED)
        return "already_refunded";
    if (c->state != CHARGE_CAPTURED)
        return "not_captured";
    return !healed && method_is(c, "refund-refused") ? "refund_refused" : NULL;
}

static const char *judge(const struct charge *c, const char *what)
{
    if (strcmp(what, "authorize") == 0)
        return method_is(c, "declined") ? "payment_declined" : NULL;
    if (c->state == CHARGE_DECLINED)
        return "charge_declined";
    if (strcmp(what, "capture") == 0)
        return judge_capture(c);
    return strcmp(what, "void") == 0 ? judge_void(c) : judge_refund(c);
}

static void move(struct charge *c, const char *what, int64_t amount)
{
    struct bank_account *a = &c->account;
    if (strcmp(what, "authorize") == 0) {
        a->authorized += amount;
        a->charges++;
        SOMETIMES(charges);
    } else if (strcmp(what, "capture") == 0) {
        c->state = CHARGE_CAPTURED;
        a->captured += a->authorized;
        a->captures++;
        SOMETIMES(captures);
    } else if (strcmp(what, "void") == 0) {
        c->state = CHARGE_VOIDED;
        a->voided += a->authorized;
        a->voids++;
        SOMETIMES(voids);
    } else {
        c->state = CHARGE_REFUNDED;
        a->refunded += amount;
        a->refunds++;
        SOMETIMES(refunds);
    }
}

static void write_operation(struct bank_answer *answer, const struct operation *o)
{
    char error[64] = "";
    if (o->error)
        snprintf(error, sizeof error, ",\"error\":\"%s\"", o->error);
    int len = snprintf(answer->body + answer->len, sizeof answer->body - answer->len,
                       "{\"key\":\"%s\",\"operation\":\"%s\",\"charge_id\":\"ch_%d\","
                       "\"status\":\"%s\"%s}",
                       o->key, o->what, o->charge, o->error ? "refused" : "ok", error);
    answer->len += (size_t)len;
}

static void say(struct bank_answer *answer, int status, const char *text)
{
    answer->status = status;
    answer->len = (size_t)snprintf(answer->body, sizeof answer->body, "%s", text);
}

/* A refusal by the provider's rules is told by its status, a declined charge as a charge. */
static void tell(struct bank_answer *answer, const struct operation *o)
{
    bool authorize = strcmp(o->what, "authorize") == 0;
    if (o->error && !authorize) {
        char text[96];
        bool own = strstr(o->error, "refused") || strcmp(o->error, "capture_declined") == 0;
        snprintf(text, sizeof text, "{\"error\":\"%s\"}", o->error);
        say(answer, own ? 402 : 409, text);
        return;
    }
    say(answer, authorize ? 201 : 200, "{\"operation\":");
    write_operation(answer, o);
    answer->body[answer->len++] = '}';
}

static void find(const char *key, struct bank_answer *answer)
{
    const struct operation *o = operation_of(key);
    say(answer, 200, "{\"charges\":[],\"operations\":[");
    if (o)
        write_operation(answer, o);
    answer->len +=
        (size_t)snprintf(answer->body + answer->len, sizeof answer->body - answer->len, "]}");
}

static int64_t number_in(struct text body, const char *name)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%.*s", (int)body.len, body.at);
    const char *at = strstr(copy, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

static void text_in(struct text body, const char *name, char *out, size_t size)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%.*s", (int)body.len, body.at);
    const char *at = strstr(copy, name);
    out[0] = 0;
    if (!at)
        return;
    at += strlen(name);
    size_t len = strcspn(at, "\"");
    snprintf(out, size, "%.*s", (int)len, at);
}

static struct charge *open_charge(struct text body)
{
    struct charge *c = &charges[charges_count];
    char order[UUID_TEXT_LEN + 1];
    assert(charges_count < ACCOUNTS_MAX / 8);
    text_in(body, "\"reference\":\"", order, sizeof order);
    text_in(body, "\"payment_method\":\"", c->method, sizeof c->method);
    bool read = uuid_read(text_of(order), &c->account.order);
    assert(read);
    (void)read;
    c->id = (int)charges_count++;
    note("bank opens ch_%d for order %.8s", c->id, order);
    return c;
}

static struct operation *carry_out(const char *what, const char *key, struct charge *c,
                                   int64_t amount)
{
    struct operation *o = &operations[operations_count++];
    assert(operations_count < OPERATIONS_MAX / 16);
    *o = (struct operation){.charge = c->id, .amount = amount, .error = judge(c, what)};
    snprintf(o->key, sizeof o->key, "%s", key);
    snprintf(o->what, sizeof o->what, "%s", what);
    if (!o->error)
        move(c, what, amount);
    else if (strcmp(what, "authorize") == 0)
        c->state = CHARGE_DECLINED;
    if (o->error)
        SOMETIMES(provider_refused);
    if (o->error && strstr(o->error, "_refused"))
        c->account.refused_undo = true;
    return o;
}

static const char *operation_in(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(path, "/charges") == 0 ? "authorize" : slash + 1;
}

static struct charge *charge_in(const char *path)
{
    int id = atoi(path + strlen("/charges/ch_"));
    bool known = strncmp(path, "/charges/ch_", 12) == 0 && id >= 0 && (size_t)id < charges_count;
    return known ? &charges[id] : NULL;
}

void bank_ask(const char *method, const char *path, const char *key, struct text body,
              struct bank_answer *ret_answer)
{
    static const char question[] = "/charges?idempotency_key=";
    *ret_answer = (struct bank_answer){0};
    if (strcmp(method, "GET") == 0) {
        assert(strncmp(path, question, sizeof question - 1) == 0);
        find(path + sizeof question - 1, ret_answer);
        return;
    }
    const char *what = operation_in(path);
    struct operation *o = operation_of(key);
    int64_t amount = number_in(body, "\"amount\":");
    if (o && (strcmp(o->what, what) != 0 || o->amount != amount)) {
        violate("MONEY the key of %s %lld used for %s %lld", o->what, (long long)o->amount, what,
                (long long)amount);
        say(ret_answer, 422, "{\"error\":\"idempotency_key_reused\"}");
        return;
    }
    if (o) {
        SOMETIMES(provider_replayed);
        tell(ret_answer, o);
        return;
    }
    bool authorize = strcmp(what, "authorize") == 0;
    struct charge *c = authorize ? open_charge(body) : charge_in(path);
    if (!c) {
        say(ret_answer, 404, "{\"error\":\"charge_not_found\"}");
        return;
    }
    tell(ret_answer, carry_out(what, key, c, amount));
}

/* All charges of one order together: there must be one. */
const struct bank_account *bank_account(struct uuid order)
{
    static struct bank_account sum;
    sum = (struct bank_account){.order = order};
    for (size_t i = 0; i < charges_count; i++) {
        const struct bank_account *a = &charges[i].account;
        if (!uuid_equal(a->order, order))
            continue;
        sum.charges += a->charges;
        sum.authorized += a->authorized;
        sum.captured += a->captured;
        sum.voided += a->voided;
        sum.refunded += a->refunded;
        sum.captures += a->captures;
        sum.voids += a->voids;
        sum.refunds += a->refunds;
        sum.refused_undo |= a->refused_undo;
    }
    return &sum;
}

size_t bank_accounts(const struct bank_account **ret_accounts)
{
    accounts = world_alloc((charges_count + 1) * sizeof *accounts);
    for (size_t i = 0; i < charges_count; i++)
        accounts[i] = charges[i].account;
    *ret_accounts = accounts;
    return charges_count;
}
