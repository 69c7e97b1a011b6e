/* The payment provider as the effect sees it: GIVEN this event WHEN the provider answers so THEN
 * this call is made, or this command sent. The answers are those of the sandbox, with fields we do
 * not know left in. */
#include "effects/effects.h"
#include "schemas/payment.h"
#include "tests/runtime/run_suite.h"

static const struct uuid payment_id = {{0x11}}, order_id = {{0x22}}, customer_id = {{0x33}};
static const struct common_money price = {1250, COMMON_CURRENCY_EUR};
static _Alignas(16) char job[EFFECT_JOB_BYTES_MAX];
static _Alignas(16) char memory[EFFECT_SCRATCH_BYTES];
static struct arena arena;
static struct effect_call call;
static struct effect_result result;
static enum effect_verdict verdict;
static char key_text[UUID_TEXT_LEN + 1];

/* ---- words of the stories ------------------------------------------------------------------- */

static struct uuid asked_by; /* of what is asked for */

static bool started(const struct payment_event *message, bool repeat)
{
    struct event event = {
        .service = "payment", .vocabulary = &payment_events, .message = message, .id = asked_by};
    ck_assert_uint_le(payment_effect.job_size, sizeof job);
    memset(job, 0, sizeof job);
    return payment_effect.start(job, &event, repeat);
}

/* The key, written down once more. */
static struct uuid key_of(const char *operation, const char *number)
{
    const struct text parts[] = {text_of(operation), text_of(number)};
    return uuid_derive_parts(payment_id, parts, 2);
}

static void given(const struct payment_event *message, const char *operation, const char *number)
{
    ck_assert(started(message, false));
    uuid_format(key_of(operation, number), key_text);
}

static const struct payment_event *requested(const char *method)
{
    static struct payment_event e;
    e = (struct payment_event){
        .tag = PAYMENT_EVENT_REQUESTED_V1,
        .as.requested_v1 = {payment_id, order_id, customer_id, price, text_of(method)}};
    return &e;
}

static const struct payment_event *capture_requested(const char *reference)
{
    static struct payment_event e;
    e = (struct payment_event){
        .tag = PAYMENT_EVENT_CAPTURE_REQUESTED_V1,
        .as.capture_requested_v1 = {payment_id, order_id, price, text_of(reference)}};
    return &e;
}

static const struct payment_event *void_requested(const char *reference)
{
    static struct payment_event e;
    e = (struct payment_event){.tag = PAYMENT_EVENT_VOID_REQUESTED_V1,
                               .as.void_requested_v1 = {
                                   .payment_id = payment_id,
                                   .order_id = order_id,
                                   .has_provider_reference = reference != NULL,
                                   .provider_reference = text_of(reference),
                                   .has_authorization = reference == NULL,
                                   .authorization = {price, TEXT("ok")},
                               }};
    return &e;
}

static const struct payment_event *refund_requested(int64_t amount, int64_t number)
{
    static struct payment_event e;
    e = (struct payment_event){
        .tag = PAYMENT_EVENT_REFUND_REQUESTED_V1,
        .as.refund_requested_v1 = {
            payment_id, order_id, {amount, COMMON_CURRENCY_EUR}, number, TEXT("ch_1")}};
    return &e;
}

static void given_authorize(void)
{
    given(requested("ok"), "authorize", "1");
}

static void given_capture(void)
{
    given(capture_requested("ch_1"), "capture", "1");
}

static void given_void(const char *reference)
{
    given(void_requested(reference), "void", "1");
}

static void given_refund(void)
{
    given(refund_requested(400, 2), "refund", "2");
}

/* Is it given up? */
static bool when_the_time_is_over(void)
{
    arena = (struct arena){memory, 0, sizeof memory};
    verdict = EFFECT_DONE;
    return payment_effect.give_up(job, "no answer", &arena, &result);
}

static void then_call(const char *method, const char *path)
{
    arena = (struct arena){memory, 0, sizeof memory};
    payment_effect.call(job, &arena, &call);
    ck_assert_str_eq(call.method, method);
    ck_assert_str_eq(call.path, path);
}

/* The operation itself, under its key. */
static void then_post(const char *path, const char *body)
{
    then_call("POST", path);
    ck_assert_str_eq(call.key, key_text);
    ck_assert_msg(text_is(call.body, body), "%.*s", (int)call.body.len, call.body.at);
}

static void then_asks_by(struct uuid key)
{
    char path[128], text[UUID_TEXT_LEN + 1];
    uuid_format(key, text);
    snprintf(path, sizeof path, "/charges?idempotency_key=%s", text);
    then_call("GET", path);
    ck_assert_str_eq(call.key, "");
    ck_assert_uint_eq(call.body.len, 0);
}

static void then_asks(void)
{
    struct uuid key;
    ck_assert(uuid_read(text_of(key_text), &key));
    then_asks_by(key);
}

static void when_answered(int status, const char *body)
{
    static char kept[1024]; /* the result points into it */
    snprintf(kept, sizeof kept, "%s", body);
    struct effect_answer answer = {status, text_of(kept)};
    arena = (struct arena){memory, 0, sizeof memory};
    payment_effect.call(job, &arena, &call); /* an answer follows a call */
    memset(&result, 0, sizeof result);
    verdict = payment_effect.learn(job, &answer, &arena, &result);
}

static void when_silent(void)
{
    when_answered(0, "");
}

/* A charge as it is after an operation; status: ok or refused. */
static void when_done(int http, const char *key, const char *status, const char *error)
{
    char body[600];
    snprintf(
        body, sizeof body,
        "{\"id\":\"ch_9\",\"status\":\"whatever\",\"amount\":1250,\"new\":{\"a\":[1]},"
        "\"operation\":{\"key\":\"%s\",\"operation\":\"x\",\"charge_id\":\"ch_9\","
        "\"status\":\"%s\",\"amount\":1250,\"seq\":7,\"at\":\"2026-11-24T00:00:00.000Z\"%s%s%s}}",
        key, status, error ? ",\"error\":\"" : "", error ? error : "", error ? "\"" : "");
    when_answered(http, body);
}

static void when_refused(int http, const char *error)
{
    char body[200];
    snprintf(body, sizeof body, "{\"error\":\"%s\"}", error);
    when_answered(http, body);
}

static void when_found(const char *key, const char *status, const char *error)
{
    char body[600];
    snprintf(
        body, sizeof body,
        "{\"charges\":[{\"id\":\"ch_9\",\"status\":\"x\"}],\"operations\":[{\"key\":\"%s\","
        "\"operation\":\"x\",\"charge_id\":\"ch_9\",\"status\":\"%s\",\"amount\":1250,\"seq\":1"
        "%s%s%s}]}",
        key, status, error ? ",\"error\":\"" : "", error ? error : "", error ? "\"" : "");
    when_answered(200, body);
}

static void when_found_none(void)
{
    when_answered(200, "{\"charges\":[],\"operations\":[]}");
}

/* The command, with the id that the event and the outcome give. */
static const struct payment_command *then_sends(int tag, const char *outcome)
{
    const struct payment_command *command = result.message;
    ck_assert_int_eq(verdict, EFFECT_DONE);
    ck_assert_int_eq(command->tag, tag);
    ck_assert(uuid_equal(result.id, uuid_derive(asked_by, text_of(outcome))));
    ck_assert(uuid_equal(command->as.record_captured_v1.payment_id, payment_id));
    return command;
}
#define SENDS(NAME_UPPER, member, outcome) \
    (then_sends(PAYMENT_COMMAND_##NAME_UPPER, outcome)->as.member)
#define THEN_SENDS(NAME_UPPER, outcome) (void)then_sends(PAYMENT_COMMAND_##NAME_UPPER, outcome)

/* ---- authorize ------------------------------------------------------------------------------ */

START_TEST(a_request_becomes_a_charge)
{
    given_authorize();
    then_post("/charges", "{\"amount\":1250,\"currency\":\"EUR\",\"reference\":"
                          "\"22000000-0000-0000-0000-000000000000\",\"payment_method\":\"ok\"}");
    when_done(201, key_text, "ok", NULL);
    ck_assert(
        text_is(SENDS(RECORD_AUTHORIZED_V1, record_authorized_v1, "authorized").provider_reference,
                "ch_9"));
}
END_TEST

START_TEST(a_declined_charge_is_declined_with_its_reason)
{
    given_authorize();
    when_done(200, key_text, "refused", "payment_declined");
    ck_assert(text_is(SENDS(RECORD_DECLINED_V1, record_declined_v1, "declined").reason,
                      "payment_declined"));
}
END_TEST

START_TEST(an_unknown_payment_method_is_a_decline)
{
    given_authorize();
    when_refused(422, "unknown_payment_method");
    ck_assert(text_is(SENDS(RECORD_DECLINED_V1, record_declined_v1, "declined").reason,
                      "unknown_payment_method"));
}
END_TEST

START_TEST(silence_is_asked_about_before_the_charge_is_repeated)
{
    given_authorize();
    when_silent();
    ck_assert_int_eq(verdict, EFFECT_RETRY);
    then_asks();
    when_found_none();
    ck_assert_int_eq(verdict, EFFECT_NEXT);
    then_post("/charges", "{\"amount\":1250,\"currency\":\"EUR\",\"reference\":"
                          "\"22000000-0000-0000-0000-000000000000\",\"payment_method\":\"ok\"}");
}
END_TEST

START_TEST(a_charge_made_in_silence_is_found_and_not_made_again)
{
    given_authorize();
    when_silent();
    then_asks();
    when_found(key_text, "ok", NULL);
    ck_assert(
        text_is(SENDS(RECORD_AUTHORIZED_V1, record_authorized_v1, "authorized").provider_reference,
                "ch_9"));
}
END_TEST

START_TEST(a_charge_declined_in_silence_is_found_declined)
{
    given_authorize();
    when_silent();
    when_found(key_text, "refused", "payment_declined");
    THEN_SENDS(RECORD_DECLINED_V1, "declined");
}
END_TEST

START_TEST(silence_to_the_question_is_asked_again)
{
    given_authorize();
    when_silent();
    for (int i = 0; i < 3; i++) {
        then_asks();
        when_answered(i == 0 ? 0 : i == 1 ? 503 : 200, i == 2 ? "<html>" : "");
        ck_assert_int_eq(verdict, EFFECT_RETRY);
    }
    then_asks();
}
END_TEST

START_TEST(what_is_no_answer_of_the_provider_is_doubt)
{
    static const struct {
        int status;
        const char *body;
    } answers[] = {
        {500, "{\"error\":\"provider_error\"}"},
        {503, ""},
        {502, "<html>"},
        {429, "{\"error\":\"slow_down\"}"},
        {408, ""},
        {401, "{\"error\":\"who\"}"},
        {403, "{}"},
        {301, ""},
        {404, "{\"error\":\"no_such_route\"}"},
        {200, ""},
        {200, "{"},
        {200, "{\"operation\":{}}"},
        {201, "[]"},
        {402, "<html>"},
        {409, "{}"},
        {409, "{\"error\":\"in_progress\"}"},
    };
    for (size_t i = 0; i < COUNT(answers); i++) {
        given_authorize();
        when_answered(answers[i].status, answers[i].body);
        ck_assert_msg(verdict == EFFECT_RETRY, "%d %s", answers[i].status, answers[i].body);
        then_asks();
    }
}
END_TEST

START_TEST(a_job_begun_by_another_process_asks_first)
{
    ck_assert(started(requested("ok"), true));
    uuid_format(key_of("authorize", "1"), key_text);
    then_asks();
    when_found_none();
    ck_assert_int_eq(verdict, EFFECT_NEXT);
    then_call("POST", "/charges");
}
END_TEST

START_TEST(a_key_known_with_another_request_is_unknown)
{
    given_authorize();
    when_refused(422, "idempotency_key_reused");
    ck_assert_int_eq(SENDS(RECORD_UNKNOWN_V1, record_unknown_v1, "unknown").operation,
                     PAYMENT_OPERATION_AUTHORIZE);
}
END_TEST

/* ---- capture -------------------------------------------------------------------------------- */

START_TEST(a_capture_names_the_charge)
{
    given_capture();
    then_post("/charges/ch_1/capture", "{}");
    when_done(200, key_text, "ok", NULL);
    THEN_SENDS(RECORD_CAPTURED_V1, "captured");
}
END_TEST

START_TEST(the_late_answer_to_authorize_is_not_taken_for_a_capture)
{
    char authorize[UUID_TEXT_LEN + 1];
    uuid_format(key_of("authorize", "1"), authorize);
    given_capture();
    when_done(200, authorize, "ok", NULL);
    ck_assert_int_eq(verdict, EFFECT_RETRY);
    then_asks();
    when_found(authorize, "ok", NULL); /* not ours either */
    ck_assert_int_eq(verdict, EFFECT_NEXT);
    then_post("/charges/ch_1/capture", "{}");
    when_done(200, key_text, "ok", NULL);
    THEN_SENDS(RECORD_CAPTURED_V1, "captured");
}
END_TEST

START_TEST(a_refused_capture_fails_with_its_reason)
{
    given_capture();
    when_refused(402, "capture_declined");
    ck_assert(
        text_is(SENDS(RECORD_CAPTURE_FAILED_V1, record_capture_failed_v1, "capture_failed").reason,
                "capture_declined"));
    given_capture();
    when_refused(404, "charge_not_found");
    THEN_SENDS(RECORD_CAPTURE_FAILED_V1, "capture_failed");
}
END_TEST

START_TEST(a_capture_refused_in_silence_is_found_refused)
{
    given_capture();
    when_silent();
    when_found(key_text, "refused", "capture_declined");
    ck_assert(
        text_is(SENDS(RECORD_CAPTURE_FAILED_V1, record_capture_failed_v1, "capture_failed").reason,
                "capture_declined"));
}
END_TEST

START_TEST(the_name_of_a_charge_cannot_leave_its_place)
{
    given(capture_requested("../x?y=1#\xc3\xbc"), "capture", "1");
    then_call("POST", "/charges/..%2Fx%3Fy%3D1%23%C3%BC/capture");
}
END_TEST

/* ---- void ----------------------------------------------------------------------------------- */

START_TEST(a_void_gives_back_what_is_held)
{
    given_void("ch_1");
    then_post("/charges/ch_1/void", "{}");
    when_done(200, key_text, "ok", NULL);
    THEN_SENDS(RECORD_VOIDED_V1, "voided");
}
END_TEST

START_TEST(a_refused_void_is_a_failed_release)
{
    given_void("ch_1");
    when_refused(402, "void_refused");
    ck_assert_int_eq(
        SENDS(RECORD_RELEASE_FAILED_V1, record_release_failed_v1, "release_failed").operation,
        PAYMENT_OPERATION_VOID);
}
END_TEST

START_TEST(what_is_voided_already_is_voided)
{
    given_void("ch_1");
    when_refused(409, "already_voided");
    THEN_SENDS(RECORD_VOIDED_V1, "voided");
}
END_TEST

/* Without the provider's name of the charge: the authorization comes first, by its key. */
static void given_nameless_void(void)
{
    ck_assert(started(void_requested(NULL), false));
    uuid_format(key_of("authorize", "1"), key_text);
}

static void then_authorizes(void)
{
    then_post("/charges", "{\"amount\":1250,\"currency\":\"EUR\",\"reference\":"
                          "\"22000000-0000-0000-0000-000000000000\",\"payment_method\":\"ok\"}");
}

static void then_voids(const char *path)
{
    ck_assert_int_eq(verdict, EFFECT_NEXT);
    uuid_format(key_of("void", "1"), key_text);
    then_post(path, "{}");
}

START_TEST(a_void_without_a_name_finds_the_charge_and_voids_it)
{
    given_nameless_void();
    then_asks();
    when_found(key_text, "ok", NULL);
    then_voids("/charges/ch_9/void");
    when_done(200, key_text, "ok", NULL);
    THEN_SENDS(RECORD_VOIDED_V1, "voided");
}
END_TEST

START_TEST(where_no_charge_is_found_its_key_is_used_up)
{
    given_nameless_void();
    then_asks();
    when_found_none();
    ck_assert_int_eq(verdict, EFFECT_NEXT);
    then_authorizes();
    when_done(201, key_text, "ok", NULL);
    then_voids("/charges/ch_9/void");
    when_silent();
    ck_assert_int_eq(verdict, EFFECT_RETRY);
    then_asks();
    when_found_none();
    then_voids("/charges/ch_9/void");
    when_done(200, key_text, "ok", NULL);
    THEN_SENDS(RECORD_VOIDED_V1, "voided");
}
END_TEST

START_TEST(a_declined_charge_holds_nothing)
{
    given_nameless_void();
    when_found(key_text, "refused", "payment_declined");
    THEN_SENDS(RECORD_VOIDED_V1, "voided");
    given_nameless_void();
    when_found_none();
    when_done(201, key_text, "refused", "payment_declined");
    THEN_SENDS(RECORD_VOIDED_V1, "voided");
    given_nameless_void();
    when_found_none();
    when_refused(422, "unknown_payment_method");
    THEN_SENDS(RECORD_VOIDED_V1, "voided");
}
END_TEST

START_TEST(a_key_that_cannot_be_used_up_is_tried_for_long_and_then_unknown)
{
    static const int statuses[] = {0, 500, 502, 503, 504, 409, 429};
    given_nameless_void();
    for (size_t i = 0; i < COUNT(statuses); i++) {
        then_asks();
        when_found_none();
        ck_assert_int_eq(verdict, EFFECT_NEXT);
        then_authorizes();
        when_answered(statuses[i], "{\"error\":\"no_luck\"}");
        ck_assert_int_eq(verdict, EFFECT_RETRY);
        ck_assert_int_eq(when_the_time_is_over(), i == COUNT(statuses) - 1);
    }
    ck_assert_int_eq(SENDS(RECORD_UNKNOWN_V1, record_unknown_v1, "unknown").operation,
                     PAYMENT_OPERATION_VOID);
}
END_TEST

START_TEST(what_was_just_authorized_has_its_time_to_be_voided)
{
    given_nameless_void();
    when_found_none();
    when_done(201, key_text, "ok", NULL);
    then_voids("/charges/ch_9/void");
    ck_assert(!when_the_time_is_over());
    when_silent();
    ck_assert(when_the_time_is_over());
    THEN_SENDS(RECORD_UNKNOWN_V1, "unknown");
}
END_TEST

START_TEST(a_key_used_up_by_another_request_is_asked_about)
{
    given_nameless_void();
    when_found_none();
    when_refused(422, "idempotency_key_reused");
    ck_assert_int_eq(verdict, EFFECT_RETRY);
    then_asks();
    when_found(key_text, "ok", NULL);
    then_voids("/charges/ch_9/void");
}
END_TEST

START_TEST(a_void_that_cannot_authorize_asks_and_believes_nothing)
{
    struct payment_event old = *void_requested(NULL); /* by an older program */
    old.as.void_requested_v1.has_authorization = false;
    ck_assert(started(&old, false));
    uuid_format(key_of("authorize", "1"), key_text);
    then_asks();
    when_found_none();
    THEN_SENDS(RECORD_UNKNOWN_V1, "unknown");
    ck_assert(started(&old, false));
    when_found(key_text, "ok", NULL);
    then_voids("/charges/ch_9/void");
}
END_TEST

START_TEST(a_nameless_void_begun_before_still_finds_first)
{
    ck_assert(started(void_requested(NULL), true));
    then_asks_by(key_of("authorize", "1"));
}
END_TEST

/* ---- refund --------------------------------------------------------------------------------- */

START_TEST(a_refund_is_of_its_amount_under_its_own_ordinal)
{
    given_refund();
    then_post("/charges/ch_1/refund", "{\"amount\":400}");
    when_done(200, key_text, "ok", NULL);
    struct common_money amount = SENDS(RECORD_REFUNDED_V1, record_refunded_v1, "refunded").amount;
    ck_assert_int_eq(amount.amount, 400);
    ck_assert_int_eq(amount.currency, COMMON_CURRENCY_EUR);
}
END_TEST

START_TEST(a_refund_that_errs_is_asked_about_and_repeated_under_its_key)
{
    given_refund();
    for (int i = 0; i < 3; i++) {
        when_refused(500, "provider_error");
        ck_assert_int_eq(verdict, EFFECT_RETRY);
        then_asks();
        when_found_none();
        ck_assert_int_eq(verdict, EFFECT_NEXT);
        then_post("/charges/ch_1/refund", "{\"amount\":400}");
    }
    when_done(200, key_text, "ok", NULL);
    THEN_SENDS(RECORD_REFUNDED_V1, "refunded");
}
END_TEST

START_TEST(a_refused_refund_is_a_failed_release)
{
    given_refund();
    when_refused(402, "refund_refused");
    ck_assert_int_eq(
        SENDS(RECORD_RELEASE_FAILED_V1, record_release_failed_v1, "release_failed").operation,
        PAYMENT_OPERATION_REFUND);
    given_refund();
    when_refused(409, "refund_exceeds_captured");
    THEN_SENDS(RECORD_RELEASE_FAILED_V1, "release_failed");
}
END_TEST

/* ---- always --------------------------------------------------------------------------------- */

START_TEST(time_over_is_unknown_whatever_was_asked)
{
    const struct payment_event *const events[] = {requested("ok"), capture_requested("ch_1"),
                                                  void_requested("ch_1"), refund_requested(400, 2)};
    static const char *const names[] = {"authorize", "capture", "void", "refund"};
    for (size_t i = 0; i < COUNT(events); i++) {
        given(events[i], names[i], i == 3 ? "2" : "1");
        ck_assert(when_the_time_is_over());
        ck_assert(text_is(payment_operation_text(
                              SENDS(RECORD_UNKNOWN_V1, record_unknown_v1, "unknown").operation),
                          names[i]));
    }
}
END_TEST

static bool answered_by(const struct payment_event *message)
{
    const struct event event = {
        .service = "payment", .vocabulary = &payment_events, .message = message};
    return payment_effect.is_answered(job, &event);
}

START_TEST(what_the_log_says_has_ended_is_over)
{
    struct payment_event unknown = {.tag = PAYMENT_EVENT_UNKNOWN_V1,
                                    .as.unknown_v1 = {.operation = PAYMENT_OPERATION_AUTHORIZE}};
    struct payment_event voided = {.tag = PAYMENT_EVENT_VOIDED_V1};
    given_authorize();
    ck_assert(answered_by(&unknown));
    ck_assert(!answered_by(&voided));
    ck_assert(!answered_by(void_requested(NULL)));
    given_void("ch_1");
    ck_assert(!answered_by(&unknown));
    ck_assert(answered_by(&voided));
    ck_assert(answered_by(refund_requested(1, 1)));
}
END_TEST

START_TEST(the_same_operation_may_end_so_twice)
{
    asked_by = uuid_derive(payment_id, TEXT("the first request"));
    given_void("ch_1");
    ck_assert(when_the_time_is_over());
    struct uuid first = result.id;
    asked_by = uuid_derive(payment_id, TEXT("an operator's retry"));
    given_void("ch_1");
    ck_assert(when_the_time_is_over());
    ck_assert(!uuid_equal(first, result.id)); /* else it would be taken for a repeat */
}
END_TEST

START_TEST(every_result_is_a_valid_command)
{
    struct json_report report = {0};
    given_void("ch_1");
    when_refused(402, "void_refused");
    struct text json = message_encode(&payment_commands, result.message, &arena, &report);
    ck_assert(json.at);
    ck_assert(text_is(json, "{\"payment_id\":\"11000000-0000-0000-0000-000000000000\","
                            "\"operation\":\"void\",\"reason\":\"void_refused\"}"));
}
END_TEST

START_TEST(what_has_happened_asks_for_nothing)
{
    for (int tag = 1; tag <= (int)payment_events.count; tag++) {
        bool job_expected =
            tag == PAYMENT_EVENT_REQUESTED_V1 || tag == PAYMENT_EVENT_CAPTURE_REQUESTED_V1 ||
            tag == PAYMENT_EVENT_VOID_REQUESTED_V1 || tag == PAYMENT_EVENT_REFUND_REQUESTED_V1;
        struct payment_event e = {.tag = (enum payment_event_tag)tag};
        if (!job_expected)
            ck_assert(!started(&e, false));
    }
}
END_TEST

START_TEST(the_key_never_changes)
{
    uuid_format(key_of("authorize", "1"), key_text);
    ck_assert_str_eq(key_text, "66072b4d-ea36-564e-b67c-fb91cc52166e");
}
END_TEST

int main(void)
{
    const TTest *const stories[] = {
        a_request_becomes_a_charge,
        a_declined_charge_is_declined_with_its_reason,
        an_unknown_payment_method_is_a_decline,
        silence_is_asked_about_before_the_charge_is_repeated,
        a_charge_made_in_silence_is_found_and_not_made_again,
        a_charge_declined_in_silence_is_found_declined,
        silence_to_the_question_is_asked_again,
        what_is_no_answer_of_the_provider_is_doubt,
        a_job_begun_by_another_process_asks_first,
        a_key_known_with_another_request_is_unknown,
        a_capture_names_the_charge,
        the_late_answer_to_authorize_is_not_taken_for_a_capture,
        a_refused_capture_fails_with_its_reason,
        a_capture_refused_in_silence_is_found_refused,
        the_name_of_a_charge_cannot_leave_its_place,
        a_void_gives_back_what_is_held,
        a_refused_void_is_a_failed_release,
        what_is_voided_already_is_voided,
        a_void_without_a_name_finds_the_charge_and_voids_it,
        where_no_charge_is_found_its_key_is_used_up,
        a_declined_charge_holds_nothing,
        a_key_that_cannot_be_used_up_is_tried_for_long_and_then_unknown,
        what_was_just_authorized_has_its_time_to_be_voided,
        a_key_used_up_by_another_request_is_asked_about,
        a_void_that_cannot_authorize_asks_and_believes_nothing,
        a_nameless_void_begun_before_still_finds_first,
        a_refund_is_of_its_amount_under_its_own_ordinal,
        a_refund_that_errs_is_asked_about_and_repeated_under_its_key,
        a_refused_refund_is_a_failed_release,
        time_over_is_unknown_whatever_was_asked,
        the_same_operation_may_end_so_twice,
        what_the_log_says_has_ended_is_over,
        every_result_is_a_valid_command,
        what_has_happened_asks_for_nothing,
        the_key_never_changes,
    };
    return run_suite("payment effect", stories, COUNT(stories));
}
