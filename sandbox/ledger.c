/* Books as a fold of the journal: decide, write the entry, apply it; at start apply them all. */
#include "sandbox/ledger.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "sandbox/book.h"
#include "sandbox/journal.h"
#include "sandbox/limits.h"
#include "sandbox/memory.h"

struct ledger {
    pthread_mutex_t lock; /* over all below */
    struct journal *journal;
    uint64_t seq; /* of the last entry */
    struct charge **charges;
    size_t charge_count;
    struct operation **operations;
    size_t operation_count;
    /* Indexes; jansson's objects are the hash tables at hand. */
    json_t *charge_by_id;     /* -> place in charges */
    json_t *operation_by_key; /* -> place in operations */
    json_t *errors_by_key;    /* -> how many failures a key has been answered on purpose */
};

static const char error_entry[] = "error_answered";

static struct charge *find_charge(const struct ledger *ledger, const char *id)
{
    const json_t *place = json_object_get(ledger->charge_by_id, id);
    return place ? ledger->charges[json_integer_value(place)] : NULL;
}

static struct operation *find_operation(const struct ledger *ledger, const char *key)
{
    const json_t *place = json_object_get(ledger->operation_by_key, key);
    return place ? ledger->operations[json_integer_value(place)] : NULL;
}

static void set_index(json_t *index, const char *key, size_t place)
{
    if (json_object_set_new(index, key, json_integer((json_int_t)place)) != 0)
        memory_checked(NULL);
}

/* ---- applying entries ---- */

static struct charge *add_charge(struct ledger *ledger, const char *id, const json_t *entry)
{
    const char *reference, *currency, *method;
    json_int_t amount;
    struct behaviour behaviour;
    json_t *source = (json_t *)(uintptr_t)entry; /* json_unpack only reads */
    if (json_unpack(source, "{s:s, s:s, s:s, s:I}", "reference", &reference, "currency", &currency,
                    "payment_method", &method, "amount", &amount) != 0 ||
        strlen(currency) != 3 || strlen(id) >= BOOK_ID_SIZE || amount < 0 ||
        amount > LIMIT_AMOUNT_MINOR || !behaviour_parse(method, &behaviour) ||
        find_charge(ledger, id))
        return NULL;
    struct charge *charge = memory_zeroed(sizeof *charge);
    charge->behaviour = behaviour;
    charge->amount_minor = amount;
    charge->now.status = CHARGE_DECLINED;
    charge->reference = memory_copy(reference);
    charge->payment_method = memory_copy(method);
    memcpy(charge->id, id, strlen(id) + 1);
    memcpy(charge->currency, currency, 4);
    ledger->charges = memory_grow(ledger->charges, ledger->charge_count, sizeof(struct charge *));
    set_index(ledger->charge_by_id, id, ledger->charge_count);
    ledger->charges[ledger->charge_count++] = charge;
    return charge;
}

static void add_operation(struct ledger *ledger, struct operation *operation)
{
    struct charge *charge = operation->charge;
    ledger->operations =
        memory_grow(ledger->operations, ledger->operation_count, sizeof(struct operation *));
    set_index(ledger->operation_by_key, operation->key, ledger->operation_count);
    ledger->operations[ledger->operation_count++] = operation;
    charge->operations =
        memory_grow(charge->operations, charge->operation_count, sizeof(struct operation *));
    charge->operations[charge->operation_count++] = operation;
}

static bool refusal_parse(const char *name, enum refusal *ret_refusal)
{
    for (int refusal = REFUSAL_NONE; refusal <= REFUSAL_REFUND_EXCEEDS_CAPTURED; refusal++) {
        if (strcmp(refusal_name((enum refusal)refusal), name) == 0) {
            *ret_refusal = (enum refusal)refusal;
            return true;
        }
    }
    return false;
}

/* A recorded refusal stays one, but what is recorded as done must have been legal. */
static bool apply_operation(struct ledger *ledger, const json_t *entry, enum operation_kind kind)
{
    const char *id, *key, *body, *refusal_text, *at;
    json_int_t amount;
    enum refusal refusal;
    json_t *source = (json_t *)(uintptr_t)entry;
    if (json_unpack(source, "{s:s, s:s, s:s, s:s, s:s, s:I}", "charge_id", &id, "key", &key, "body",
                    &body, "refusal", &refusal_text, "at", &at, "amount", &amount) != 0 ||
        !refusal_parse(refusal_text, &refusal) || amount < 0 || strlen(at) >= BOOK_TIME_SIZE ||
        find_operation(ledger, key))
        return false;
    struct charge *charge =
        kind == OPERATION_AUTHORIZE ? add_charge(ledger, id, entry) : find_charge(ledger, id);
    if (!charge)
        return false;
    if (refusal == REFUSAL_NONE) {
        if (book_judge(charge, kind, amount) != REFUSAL_NONE)
            return false;
        book_move(charge, kind, amount);
    }
    struct operation *operation = memory_zeroed(sizeof *operation);
    *operation = (struct operation){
        .seq = ledger->seq + 1,
        .kind = kind,
        .refusal = refusal,
        .key = memory_copy(key),
        .body = memory_copy(body),
        .amount_minor = amount,
        .charge = charge,
        .after = charge->now,
    };
    memcpy(operation->at, at, strlen(at) + 1);
    add_operation(ledger, operation);
    return true;
}

static json_int_t errors_answered(const struct ledger *ledger, const char *key)
{
    return json_integer_value(json_object_get(ledger->errors_by_key, key));
}

static bool apply(void *context, const json_t *entry)
{
    struct ledger *ledger = context;
    const char *name = json_string_value(json_object_get(entry, "operation"));
    const char *key = json_string_value(json_object_get(entry, "key"));
    json_int_t seq = json_integer_value(json_object_get(entry, "seq"));
    enum operation_kind kind;
    if (!name || !key || seq < 0 || (uint64_t)seq != ledger->seq + 1)
        return false;
    if (strcmp(name, error_entry) == 0)
        set_index(ledger->errors_by_key, key, (size_t)errors_answered(ledger, key) + 1);
    else if (!operation_parse(name, &kind) || !apply_operation(ledger, entry, kind))
        return false;
    ledger->seq++;
    return true;
}

/* Journal first: what could not be written did not happen. Takes over the entry. */
static bool commit(struct ledger *ledger, json_t *entry)
{
    bool written = !ledger->journal || journal_append(ledger->journal, entry);
    if (written) {
        bool applied = apply(ledger, entry);
        assert(applied);
        (void)applied;
    } else {
        fputs("sandbox: the journal cannot be written\n", stderr);
    }
    json_decref(entry);
    return written;
}

/* ---- deciding ---- */

static void now_text(char ret_text[static BOOK_TIME_SIZE])
{
    struct timespec now;
    struct tm parts;
    char seconds[24];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &parts);
    unsigned milliseconds = (unsigned)(now.tv_nsec / 1000000) % 1000;
    snprintf(ret_text, BOOK_TIME_SIZE, "%s.%03uZ", seconds, milliseconds);
}

static void make_id(char ret_id[static BOOK_ID_SIZE])
{
    unsigned char bytes[12];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        abort();
    int length = snprintf(ret_id, BOOK_ID_SIZE, "ch_");
    for (size_t i = 0; i < sizeof bytes; i++)
        length += snprintf(ret_id + length, BOOK_ID_SIZE - (size_t)length, "%02x", bytes[i]);
}

static json_t *error_json(const struct ledger *ledger, const char *key)
{
    return memory_checked(json_pack("{s:I, s:s, s:s}", "seq", (json_int_t)ledger->seq + 1,
                                    "operation", error_entry, "key", key));
}

static json_t *entry_json(const struct ledger *ledger, const struct ledger_request *request,
                          const char *charge_id, int64_t amount_minor, enum refusal refusal)
{
    char at[BOOK_TIME_SIZE];
    now_text(at);
    json_t *entry = memory_checked(
        json_pack("{s:I, s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "seq", (json_int_t)ledger->seq + 1,
                  "operation", operation_name(request->kind), "charge_id", charge_id, "key",
                  request->key, "amount", (json_int_t)amount_minor, "refusal",
                  refusal_name(refusal), "at", at, "body", request->body));
    if (request->kind == OPERATION_AUTHORIZE) {
        json_object_set_new(entry, "reference", json_string(request->reference));
        json_object_set_new(entry, "currency", json_string(request->currency));
        json_object_set_new(entry, "payment_method", json_string(request->payment_method));
    }
    return entry;
}

/* Only a refund may be of a part, and only of a part that is something. */
static bool settle_amount(const struct charge *charge, const struct ledger_request *request,
                          int64_t *ret_amount)
{
    int64_t asked = request->amount_minor;
    int64_t whole = charge->amount_minor;
    if (request->kind == OPERATION_REFUND)
        whole = charge->now.captured_minor - charge->now.refunded_minor;
    if (asked == LEDGER_AMOUNT_WHOLE)
        asked = whole;
    else if ((request->kind != OPERATION_REFUND && asked != whole) ||
             (asked == 0 && charge->amount_minor > 0))
        return false;
    *ret_amount = asked;
    return true;
}

static bool error_due(const struct ledger *ledger, const struct charge *charge,
                      const struct ledger_request *request)
{
    struct behaviour behaviour = charge->behaviour;
    bool fails = (request->kind == OPERATION_AUTHORIZE && behaviour.kind == BEHAVIOUR_ERROR) ||
                 (request->kind == OPERATION_REFUND && behaviour.kind == BEHAVIOUR_REFUND_ERROR);
    return fails && errors_answered(ledger, request->key) < (json_int_t)behaviour.number;
}

static bool same_request(const struct operation *operation, const struct ledger_request *request)
{
    return operation->kind == request->kind && strcmp(operation->body, request->body) == 0 &&
           (!request->charge_id || strcmp(operation->charge->id, request->charge_id) == 0);
}

static struct ledger_result answered(const struct operation *operation, enum ledger_outcome outcome)
{
    return (struct ledger_result){
        .outcome = outcome,
        .refusal = operation->refusal,
        .behaviour = operation->charge->behaviour,
        .charge = book_answer_json(operation),
        .authorized = book_answer_json(operation->charge->operations[0]),
    };
}

static struct ledger_result execute(struct ledger *ledger, const struct ledger_request *request)
{
    struct operation *operation = find_operation(ledger, request->key);
    if (operation && !same_request(operation, request))
        return (struct ledger_result){.outcome = LEDGER_KEY_REUSED};
    if (operation)
        return answered(operation, LEDGER_REPLAYED);

    struct charge fresh = {.amount_minor = request->amount_minor};
    struct charge *charge = &fresh;
    if (request->kind == OPERATION_AUTHORIZE) {
        make_id(fresh.id);
        bool known = behaviour_parse(request->payment_method, &fresh.behaviour);
        assert(known);
        (void)known;
    } else if (!(charge = find_charge(ledger, request->charge_id))) {
        return (struct ledger_result){.outcome = LEDGER_NOT_FOUND};
    }

    int64_t amount_minor;
    if (!settle_amount(charge, request, &amount_minor))
        return (struct ledger_result){.outcome = LEDGER_INVALID_AMOUNT};
    enum refusal refusal = book_judge(charge, request->kind, amount_minor);
    if (refusal == REFUSAL_NONE && error_due(ledger, charge, request)) {
        bool written = commit(ledger, error_json(ledger, request->key));
        return (struct ledger_result){.outcome =
                                          written ? LEDGER_ERROR_ASKED : LEDGER_JOURNAL_FAILED};
    }
    if (!commit(ledger, entry_json(ledger, request, charge->id, amount_minor, refusal)))
        return (struct ledger_result){.outcome = LEDGER_JOURNAL_FAILED};
    return answered(find_operation(ledger, request->key), LEDGER_EXECUTED);
}

/* ---- the ledger ---- */

struct ledger_result ledger_execute(struct ledger *ledger, const struct ledger_request *request)
{
    assert((request->kind == OPERATION_AUTHORIZE) == (request->charge_id == NULL));
    pthread_mutex_lock(&ledger->lock);
    struct ledger_result result = execute(ledger, request);
    pthread_mutex_unlock(&ledger->lock);
    return result;
}

void ledger_result_finish(struct ledger_result *result)
{
    json_decref(result->charge);
    json_decref(result->authorized);
    *result = (struct ledger_result){.outcome = result->outcome};
}

json_t *ledger_charge(struct ledger *ledger, const char *charge_id)
{
    pthread_mutex_lock(&ledger->lock);
    const struct charge *charge = find_charge(ledger, charge_id);
    json_t *json = charge ? book_charge_json(charge, &charge->now) : NULL;
    pthread_mutex_unlock(&ledger->lock);
    return json;
}

json_t *ledger_by_key(struct ledger *ledger, const char *key)
{
    json_t *charges = memory_checked(json_array());
    json_t *operations = memory_checked(json_array());
    pthread_mutex_lock(&ledger->lock);
    const struct operation *operation = find_operation(ledger, key);
    if (operation) {
        const struct charge *charge = operation->charge;
        json_array_append_new(charges, book_charge_json(charge, &charge->now));
        json_array_append_new(operations, book_operation_json(operation));
    }
    pthread_mutex_unlock(&ledger->lock);
    return memory_checked(json_pack("{s:o, s:o}", "charges", charges, "operations", operations));
}

/* Text piece by piece: a tree of the whole books would take several times their size. */
static void put_json(FILE *out, bool first, json_t *json)
{
    if (!first)
        fputs(",\n", out);
    json_dumpf(json, out, JSON_COMPACT);
    json_decref(json);
}

static void put_charges(const struct ledger *ledger, FILE *out)
{
    for (size_t i = 0; i < ledger->charge_count; i++) {
        const struct charge *charge = ledger->charges[i];
        json_t *operations = memory_checked(json_array());
        for (size_t j = 0; j < charge->operation_count; j++)
            json_array_append_new(operations, book_operation_json(charge->operations[j]));
        json_t *json = book_charge_json(charge, &charge->now);
        json_object_set_new(json, "operations", operations);
        put_json(out, i == 0, json);
    }
}

static void put_entries(const struct ledger *ledger, FILE *out, bool refused)
{
    bool first = true;
    for (size_t i = 0; i < ledger->operation_count; i++) {
        const struct operation *operation = ledger->operations[i];
        if ((operation->refusal != REFUSAL_NONE) != refused)
            continue;
        put_json(out, first, book_entry_json(operation));
        first = false;
    }
}

char *ledger_text(struct ledger *ledger)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = memory_checked(open_memstream(&text, &size));
    pthread_mutex_lock(&ledger->lock);
    fputs("{\"charges\":[", out);
    put_charges(ledger, out);
    fputs("],\n\"entries\":[", out);
    put_entries(ledger, out, false);
    fputs("],\n\"refusals\":[", out);
    put_entries(ledger, out, true);
    fputs("]}", out);
    pthread_mutex_unlock(&ledger->lock);
    fclose(out);
    return memory_checked(text);
}

struct ledger *ledger_open(const char *path, bool sync, char *ret_why, size_t why_size)
{
    struct ledger *ledger = memory_zeroed(sizeof *ledger);
    pthread_mutex_init(&ledger->lock, NULL);
    ledger->charge_by_id = memory_checked(json_object());
    ledger->operation_by_key = memory_checked(json_object());
    ledger->errors_by_key = memory_checked(json_object());
    if (path) {
        ledger->journal = journal_open(path, sync, apply, ledger, ret_why, why_size);
        if (!ledger->journal) {
            ledger_close(ledger);
            return NULL;
        }
    }
    return ledger;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    journal_close(ledger->journal);
    for (size_t i = 0; i < ledger->operation_count; i++) {
        free(ledger->operations[i]->key);
        free(ledger->operations[i]->body);
        free(ledger->operations[i]);
    }
    for (size_t i = 0; i < ledger->charge_count; i++) {
        free(ledger->charges[i]->reference);
        free(ledger->charges[i]->payment_method);
        free(ledger->charges[i]->operations);
        free(ledger->charges[i]);
    }
    free(ledger->operations);
    free(ledger->charges);
    json_decref(ledger->charge_by_id);
    json_decref(ledger->operation_by_key);
    json_decref(ledger->errors_by_key);
    pthread_mutex_destroy(&ledger->lock);
    free(ledger);
}
