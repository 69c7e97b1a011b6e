/* The payment provider: which call an event asks for, and which command its answer becomes. Key of
 * every operation: UUIDv5(payment id, operation, business ordinal), never an attempt: anything else
 * would charge twice. */
#include <assert.h>
#include <stdio.h>

#include "core/mutant.h"
#include "effects/effects.h"
#include "schemas/payment.h"
#include "schemas/provider.h"

enum {
    REFERENCE_BYTES_MAX = 400, /* 100 characters of UTF-8 */
    METHOD_BYTES_MAX = 64,
    DELAYS_MAX = 6, /* times that a void which may not be given up yet gets as much time again */
};

enum stage {
    STAGE_ACT, /* carry the operation out */
    STAGE_ASK, /* it may have been carried out: ask by its key */
};

/* A void that does not know the charge carries out the authorization first, by its key. To ask is
 * not enough: a call that somebody gave up may still be on its way, for as long as it likes. When
 * the key is used up, such a call finds what stands under it, and opens nothing. */
struct job {
    enum stage stage;
    enum payment_operation wanted;
    enum payment_operation operation; /* under way: `wanted`, or the authorization to be voided */
    int64_t number;                   /* business ordinal of `wanted` */
    struct uuid payment_id;
    struct uuid order_id;
    struct uuid key; /* of `operation` */
    struct uuid event_id;
    struct common_money amount; /* authorize, refund */
    uint8_t delays;
    bool authorized; /* and now to be voided, with what is left of the time */
    uint16_t reference_len;
    uint16_t method_len;
    char reference[REFERENCE_BYTES_MAX]; /* the provider's name of the charge; empty: not known */
    char method[METHOD_BYTES_MAX];
};
_Static_assert(sizeof(struct job) <= EFFECT_JOB_BYTES_MAX, "a job must fit");

static struct uuid key_of(struct uuid payment_id, enum payment_operation operation, int64_t number)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)number);
    const struct text parts[] = {payment_operation_text(operation), {digits, (size_t)len}};
    return uuid_derive_parts(payment_id, parts, COUNT(parts));
}

/* ---- which job is it? ----------------------------------------------------------------------- */

static void keep(char *at, size_t size, uint16_t *ret_len, struct text value)
{
    assert(value.len <= size);
    memcpy(at, value.at, value.len);
    *ret_len = (uint16_t)value.len;
}

static void keep_reference(struct job *job, struct text reference)
{
    keep(job->reference, sizeof job->reference, &job->reference_len, reference);
}

static void turn_to(struct job *job, enum payment_operation operation)
{
    job->operation = operation;
    job->key = key_of(job->payment_id, operation, operation == job->wanted ? job->number : 1);
}

static void open_job(struct job *job, enum payment_operation wanted, struct uuid payment_id,
                     struct uuid order_id, int64_t number)
{
    *job = (struct job){
        .wanted = wanted, .number = number, .payment_id = payment_id, .order_id = order_id};
    turn_to(job, wanted);
}

static void keep_authorization(struct job *job, struct common_money amount, struct text method)
{
    job->amount = amount;
    keep(job->method, sizeof job->method, &job->method_len, method);
}

static void open_authorize(struct job *job, const struct payment_requested_v1 *e)
{
    open_job(job, PAYMENT_OPERATION_AUTHORIZE, e->payment_id, e->order_id, 1);
    keep_authorization(job, e->amount, e->payment_method);
}

static void open_capture(struct job *job, const struct payment_capture_requested_v1 *e)
{
    open_job(job, PAYMENT_OPERATION_CAPTURE, e->payment_id, e->order_id, 1);
    keep_reference(job, e->provider_reference);
}

static void open_void(struct job *job, const struct payment_void_requested_v1 *e)
{
    open_job(job, PAYMENT_OPERATION_VOID, e->payment_id, e->order_id,
             e->has_number ? e->number : 1);
    if (e->has_provider_reference) {
        keep_reference(job, e->provider_reference);
        return;
    }
    turn_to(job, PAYMENT_OPERATION_AUTHORIZE);
    if (e->has_authorization)
        keep_authorization(job, e->authorization.amount, e->authorization.payment_method);
}

static void open_refund(struct job *job, const struct payment_refund_requested_v1 *e)
{
    open_job(job, PAYMENT_OPERATION_REFUND, e->payment_id, e->order_id, e->number);
    job->amount = e->amount;
    keep_reference(job, e->provider_reference);
}

static bool start(void *memory, const struct event *event, bool repeat)
{
    struct job *job = memory;
    const struct payment_event *e = event_as(event, payment);
    assert(e);
    switch (e->tag) {
    case PAYMENT_EVENT_REQUESTED_V1:
        open_authorize(job, &e->as.requested_v1);
        break;
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
        open_capture(job, &e->as.capture_requested_v1);
        break;
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
        open_void(job, &e->as.void_requested_v1);
        break;
    case PAYMENT_EVENT_REFUND_REQUESTED_V1:
        open_refund(job, &e->as.refund_requested_v1);
        break;
    case PAYMENT_EVENT_AUTHORIZED_V1:
    case PAYMENT_EVENT_DECLINED_V1:
    case PAYMENT_EVENT_CAPTURED_V1:
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
    case PAYMENT_EVENT_VOIDED_V1:
    case PAYMENT_EVENT_REFUNDED_V1:
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
    case PAYMENT_EVENT_UNKNOWN_V1:
        return false;
    }
    job->event_id = event->id;
    if (MUTANT(key_per_attempt) && repeat)
        job->key = uuid_derive(job->key, TEXT("again"));
    bool begun = repeat || job->operation != job->wanted;
    job->stage = begun ? STAGE_ASK : STAGE_ACT;
    return true;
}

static bool is_answered(const void *memory, const struct event *event)
{
    const struct job *job = memory;
    const struct payment_event *e = event_as(event, payment);
    switch (e->tag) {
    case PAYMENT_EVENT_AUTHORIZED_V1:
    case PAYMENT_EVENT_DECLINED_V1:
        return job->wanted == PAYMENT_OPERATION_AUTHORIZE;
    case PAYMENT_EVENT_CAPTURED_V1:
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
        return job->wanted == PAYMENT_OPERATION_CAPTURE;
    case PAYMENT_EVENT_VOIDED_V1:
    case PAYMENT_EVENT_REFUND_REQUESTED_V1: /* a void that was refused leads there */
        return job->wanted == PAYMENT_OPERATION_VOID;
    case PAYMENT_EVENT_REFUNDED_V1:
        return job->wanted == PAYMENT_OPERATION_REFUND;
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
        return job->wanted == e->as.release_failed_v1.operation;
    case PAYMENT_EVENT_UNKNOWN_V1:
        return job->wanted == e->as.unknown_v1.operation;
    case PAYMENT_EVENT_REQUESTED_V1:
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
        break;
    }
    return false;
}

/* ---- calls ---------------------------------------------------------------------------------- */

static struct text encode(const struct json_shape *shape, const void *value, size_t size,
                          struct arena *arena)
{
    struct json_report report = {0};
    struct json_out out = {.at = arena_alloc(arena, size), .size = size};
    bool written = out.at && json_encode(shape, value, JSON_WHOLE, &out, &report);
    assert(written); /* it comes from a valid event */
    (void)written;
    return (struct text){out.at, out.used};
}

static struct text request_body(const struct job *job, struct arena *arena)
{
    const struct provider_charge_request charge = {
        .amount = job->amount.amount,
        .currency = job->amount.currency,
        .reference = job->order_id,
        .payment_method = {job->method, job->method_len}};
    const struct provider_refund_request refund = {.amount = job->amount.amount};
    switch (job->operation) {
    case PAYMENT_OPERATION_AUTHORIZE:
        return encode(&provider_charge_request_shape, &charge, provider_charge_request_json_max,
                      arena);
    case PAYMENT_OPERATION_REFUND:
        return encode(&provider_refund_request_shape, &refund, provider_refund_request_json_max,
                      arena);
    case PAYMENT_OPERATION_CAPTURE:
    case PAYMENT_OPERATION_VOID:
        break; /* all there is */
    }
    return TEXT("{}");
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

/* One path segment, percent-encoded (RFC 3986): the name of a charge is the provider's, not ours.
 */
static void write_path(const struct job *job, const char *verb, char *out, size_t size)
{
    static const char lead[] = "/charges/";
    static const char hex[] = "0123456789ABCDEF";
    char *at = out + sizeof lead - 1;
    memcpy(out, lead, sizeof lead);
    for (size_t i = 0; i < job->reference_len; i++) {
        char c = job->reference[i];
        if (unreserved(c)) {
            *at++ = c;
            continue;
        }
        *at++ = '%';
        *at++ = hex[(unsigned char)c >> 4];
        *at++ = hex[(unsigned char)c & 15];
    }
    size_t used = (size_t)(at - out);
    int len = snprintf(at, size - used, "/%s", verb);
    assert(len > 0 && (size_t)len < size - used);
    (void)len;
}
_Static_assert(sizeof "/charges//capture" + 3 * REFERENCE_BYTES_MAX <= EFFECT_PATH_MAX, "fits");

static void write_operation(const struct job *job, char *path, size_t size)
{
    switch (job->operation) {
    case PAYMENT_OPERATION_AUTHORIZE:
        snprintf(path, size, "/charges");
        break;
    case PAYMENT_OPERATION_CAPTURE:
        write_path(job, "capture", path, size);
        break;
    case PAYMENT_OPERATION_VOID:
        write_path(job, "void", path, size);
        break;
    case PAYMENT_OPERATION_REFUND:
        write_path(job, "refund", path, size);
        break;
    }
}

static void write_question(struct uuid key, char *path, size_t size)
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(key, text);
    snprintf(path, size, "/charges?idempotency_key=%s", text);
}

static void call(const void *memory, struct arena *arena, struct effect_call *ret_call)
{
    const struct job *job = memory;
    *ret_call = (struct effect_call){.method = "GET"};
    switch (job->stage) {
    case STAGE_ACT:
        ret_call->method = "POST";
        uuid_format(job->key, ret_call->key);
        write_operation(job, ret_call->path, sizeof ret_call->path);
        ret_call->body = request_body(job, arena);
        break;
    case STAGE_ASK:
        write_question(job->key, ret_call->path, sizeof ret_call->path);
        break;
    }
}

/* ---- results -------------------------------------------------------------------------------- */

/* The command's id follows from the event, not from the provider's key: the same operation may be
 * asked for again under the same key, and end in the same way again. */
static void finish(const struct job *job, const char *outcome,
                   const struct payment_command *command, struct arena *arena,
                   struct effect_result *ret_result)
{
    struct payment_command *message = arena_alloc(arena, sizeof *message);
    assert(message);
    *message = *command;
    ret_result->id =
        uuid_derive(MUTANT(result_named_by_key) ? job->key : job->event_id, text_of(outcome));
    ret_result->message = message;
}

#define FINISH(outcome, tag_, member, ...)                                                       \
    finish(job, outcome,                                                                         \
           &(struct payment_command){.tag = tag_,                                                \
                                     .as.member = {.payment_id = job->payment_id, __VA_ARGS__}}, \
           arena, ret_result)

static void succeeded(const struct job *job, struct text charge_id, struct arena *arena,
                      struct effect_result *ret_result)
{
    switch (job->wanted) {
    case PAYMENT_OPERATION_AUTHORIZE:
        FINISH("authorized", PAYMENT_COMMAND_RECORD_AUTHORIZED_V1, record_authorized_v1,
               .provider_reference = charge_id);
        break;
    case PAYMENT_OPERATION_CAPTURE:
        FINISH("captured", PAYMENT_COMMAND_RECORD_CAPTURED_V1, record_captured_v1);
        break;
    case PAYMENT_OPERATION_VOID:
        FINISH("voided", PAYMENT_COMMAND_RECORD_VOIDED_V1, record_voided_v1);
        break;
    case PAYMENT_OPERATION_REFUND:
        FINISH("refunded", PAYMENT_COMMAND_RECORD_REFUNDED_V1, record_refunded_v1,
               .amount = job->amount);
        break;
    }
}

static void nothing_held(const struct job *job, struct arena *arena,
                         struct effect_result *ret_result)
{
    assert(job->wanted == PAYMENT_OPERATION_VOID);
    succeeded(job, (struct text){NULL, 0}, arena, ret_result);
}

static void refused(const struct job *job, struct text reason, struct arena *arena,
                    struct effect_result *ret_result)
{
    switch (job->wanted) {
    case PAYMENT_OPERATION_AUTHORIZE:
        FINISH("declined", PAYMENT_COMMAND_RECORD_DECLINED_V1, record_declined_v1,
               .reason = reason);
        break;
    case PAYMENT_OPERATION_CAPTURE:
        FINISH("capture_failed", PAYMENT_COMMAND_RECORD_CAPTURE_FAILED_V1, record_capture_failed_v1,
               .reason = reason);
        break;
    case PAYMENT_OPERATION_VOID:
        if (text_is(reason, "already_voided")) { /* by whatever key: nothing is held any more */
            nothing_held(job, arena, ret_result);
            break;
        }
        FINISH("release_failed", PAYMENT_COMMAND_RECORD_RELEASE_FAILED_V1, record_release_failed_v1,
               .operation = job->wanted, .reason = reason);
        break;
    case PAYMENT_OPERATION_REFUND:
        FINISH("release_failed", PAYMENT_COMMAND_RECORD_RELEASE_FAILED_V1, record_release_failed_v1,
               .operation = job->wanted, .reason = reason);
        break;
    }
}

/* What has come of the operation under way. */
static enum effect_verdict conclude(struct job *job, bool done, struct text charge_id,
                                    struct text reason, struct arena *arena,
                                    struct effect_result *ret_result)
{
    if (job->operation == job->wanted && done) {
        succeeded(job, charge_id, arena, ret_result);
    } else if (job->operation == job->wanted) {
        refused(job, reason, arena, ret_result);
    } else if (done) {
        keep_reference(job, charge_id);
        turn_to(job, job->wanted);
        job->authorized = true;
        job->stage = STAGE_ACT;
        return EFFECT_NEXT;
    } else {
        nothing_held(job, arena, ret_result);
    }
    return EFFECT_DONE;
}

static enum effect_verdict conclude_told(struct job *job, const struct provider_operation *told,
                                         struct arena *arena, struct effect_result *ret_result)
{
    return conclude(job, told->status == PROVIDER_OPERATION_STATUS_OK, told->charge_id,
                    told->has_error ? told->error : TEXT("refused"), arena, ret_result);
}

static void unknown(const struct job *job, const char *reason, struct arena *arena,
                    struct effect_result *ret_result)
{
    FINISH("unknown", PAYMENT_COMMAND_RECORD_UNKNOWN_V1, record_unknown_v1,
           .operation = job->wanted, .reason = text_of(reason));
}

/* A void whose key of authorize is not used up, or is just so, may yet have to give something back.
 * It is worth more patience: as long as a compensation may take. */
static bool give_up(void *memory, const char *reason, struct arena *arena,
                    struct effect_result *ret_result)
{
    struct job *job = memory;
    bool early = job->operation != job->wanted || job->authorized;
    job->authorized = false;
    if (early && job->delays++ < DELAYS_MAX)
        return false;
    unknown(job, reason, arena, ret_result);
    return true;
}

/* ---- answers -------------------------------------------------------------------------------- */

static bool has_key(const struct provider_operation *operation, struct uuid key)
{
    struct uuid theirs;
    return uuid_read(operation->key, &theirs) &&
           (uuid_equal(theirs, key) || MUTANT(answer_of_another_call));
}

/* Statuses by which the provider itself says no for good. To a new charge a 404 is a wrong address,
 * and a 409 another call by its key that is under way. */
static bool is_refusal(const struct job *job, int status)
{
    bool of_a_charge = job->operation != PAYMENT_OPERATION_AUTHORIZE;
    return status == 400 || status == 402 || status == 422 ||
           (of_a_charge && (status == 404 || status == 409));
}

/* Nobody knows what happened, or somebody else answered: ask before doing it again. */
static enum effect_verdict doubt(struct job *job)
{
    job->stage = STAGE_ASK;
    return EFFECT_RETRY;
}

static enum effect_verdict learn_act(struct job *job, const struct effect_answer *answer,
                                     struct arena *arena, struct effect_result *ret_result)
{
    struct json_report report = {0};
    struct provider_answer done;
    struct provider_refusal no;
    if (answer->status >= 200 && answer->status < 300) {
        if (!provider_answer_decode(&done, answer->body, arena, &report) ||
            !has_key(&done.operation, job->key)) /* the answer to another call, come late */
            return doubt(job);
        return conclude_told(job, &done.operation, arena, ret_result);
    }
    if (MUTANT(silence_is_a_no) && answer->status == 0)
        return conclude(job, false, (struct text){0}, TEXT("no answer"), arena, ret_result);
    if (!is_refusal(job, answer->status) ||
        !provider_refusal_decode(&no, answer->body, arena, &report))
        return doubt(job);
    if (!text_is(no.error, "idempotency_key_reused"))
        return conclude(job, false, (struct text){0}, no.error, arena, ret_result);
    if (job->operation != job->wanted) /* it is used up */
        return doubt(job);
    unknown(job, "the provider knows the key with another request", arena, ret_result);
    return EFFECT_DONE;
}

/* NULL in *ret_operation: the provider knows nothing of this key. False: no answer. */
static bool find(const struct effect_answer *answer, struct uuid key, struct arena *arena,
                 const struct provider_operation **ret_operation)
{
    struct json_report report = {0};
    struct provider_found *found = arena_alloc(arena, sizeof *found);
    if (!found || answer->status != 200 ||
        !provider_found_decode(found, answer->body, arena, &report))
        return false;
    *ret_operation = NULL;
    for (uint32_t i = 0; i < found->operations.count; i++)
        if (has_key(&found->operations.at[i], key))
            *ret_operation = &found->operations.at[i];
    return true;
}

static enum effect_verdict learn_ask(struct job *job, const struct effect_answer *answer,
                                     struct arena *arena, struct effect_result *ret_result)
{
    const struct provider_operation *operation;
    if (!find(answer, job->key, arena, &operation))
        return EFFECT_RETRY;
    if (operation)
        return conclude_told(job, operation, arena, ret_result);
    bool first = job->operation != job->wanted;
    if (MUTANT(miss_believed) && first) {
        nothing_held(job, arena, ret_result);
        return EFFECT_DONE;
    }
    if (first && job->method_len == 0) { /* an event of an older program; the next one has it */
        unknown(job, "how it was to be authorized is not told", arena, ret_result);
        return EFFECT_DONE;
    }
    job->stage = STAGE_ACT;
    return EFFECT_NEXT;
}

static enum effect_verdict learn(void *memory, const struct effect_answer *answer,
                                 struct arena *arena, struct effect_result *ret_result)
{
    struct job *job = memory;
    return job->stage == STAGE_ACT ? learn_act(job, answer, arena, ret_result)
                                   : learn_ask(job, answer, arena, ret_result);
}

const struct effect payment_effect = {
    .name = "payment",
    .service = "payment",
    .events = &payment_events,
    .commands = &payment_commands,
    .job_size = sizeof(struct job),
    .start = start,
    .is_answered = is_answered,
    .call = call,
    .learn = learn,
    .give_up = give_up,
};
