/* Answers: what a decision, a refusal or a query looks like over HTTP. */
#include "runtime/api_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define PROBLEM_URL "https://foldlog.example/problems/"
enum {
    URL_BYTES = 128,
    TAG_BYTES = 64,
    LINK_BYTES = 1024,
    LOCATION_BYTES = 224,
    BODY_BYTES = 8192,
    SERVER_BODY_BYTES = 1024
};

static const char json[] = "application/json";
static const char problem_json[] = "application/problem+json";

/* Room for one answer's body on the stack; those of queries bring their own. */
#define BODY_ARENA(name)                                 \
    UNZEROED _Alignas(16) char name##_bytes[BODY_BYTES]; \
    struct arena name = {name##_bytes, 0, sizeof name##_bytes}

static void finish(struct api_call *call, struct http_answer *answer)
{
    struct http_request *http = call->http;
    bool in_vain = call->respond_async && answer->status >= 500; /* nothing is stored */
    if (call->applied[0] && !in_vain)
        http_answer_field(answer, "Preference-Applied", call->applied);
    http_respond(http, answer);
    api_call_done(call, answer->status);
}

/* ---- problems ---- */

static void write_fault(struct json_write *w, const struct fault *fault)
{
    json_write_begin(w, NULL, '{');
    if (fault->pointer)
        json_write_text(w, "pointer", text_of(fault->pointer));
    if (fault->parameter)
        json_write_text(w, "parameter", text_of(fault->parameter));
    json_write_text(w, "detail", text_of(fault->detail));
    json_write_end(w, '}');
}

/* What clients of the token endpoint look for (RFC 6749, 5.2). */
static void write_oauth_error(struct json_write *w, enum problem problem)
{
    if (problem == PROBLEM_INVALID_GRANT)
        json_write_text(w, "error", TEXT("invalid_grant"));
    else if (problem == PROBLEM_UNSUPPORTED_GRANT)
        json_write_text(w, "error", TEXT("unsupported_grant_type"));
}

static const char *detail_of(const struct refusal *refusal)
{
    if (refusal->detail && *refusal->detail)
        return refusal->detail;
    return refusal->faults_count ? refusal->faults[0].detail : problem_rows[refusal->problem].title;
}

/* RFC 9457. status: 0: the problem's own. */
static struct text problem_body(struct arena *arena, const struct refusal *refusal, int status,
                                struct text path, struct text trace_id)
{
    char type[URL_BYTES];
    const struct problem_row *row = &problem_rows[refusal->problem];
    struct json_write w = json_write_start(arena);
    int len = snprintf(type, sizeof type, PROBLEM_URL "%s", row->code);
    json_write_begin(&w, NULL, '{');
    json_write_text(&w, "type", (struct text){type, (size_t)len});
    json_write_text(&w, "title", text_of(row->title));
    json_write_number(&w, "status", status ? status : row->status);
    json_write_text(&w, "detail", text_of(detail_of(refusal)));
    write_oauth_error(&w, refusal->problem);
    if (path.len)
        json_write_text(&w, "instance", path);
    if (trace_id.len)
        json_write_text(&w, "trace_id", trace_id);
    if (refusal->faults_count) {
        json_write_begin(&w, "errors", '[');
        for (size_t i = 0; i < refusal->faults_count; i++)
            write_fault(&w, &refusal->faults[i]);
        json_write_end(&w, ']');
    }
    json_write_end(&w, '}');
    return json_write_finish(&w, arena);
}

static struct http_answer problem_answer(const struct api_call *call, const struct refusal *refusal,
                                         struct arena *arena)
{
    struct http_answer answer = {.status = problem_rows[refusal->problem].status,
                                 .content_type = problem_json};
    answer.body = problem_body(arena, refusal, 0, call->http->path, header_trace_id(call));
    if (!answer.body.at) /* a path too long to repeat */
        answer.body = problem_body(arena, &(struct refusal){.problem = refusal->problem}, 0,
                                   TEXT(""), header_trace_id(call));
    if (answer.status == 503)
        http_answer_field(&answer, "Retry-After", "1");
    if (answer.status == 401)
        http_answer_field(&answer, "WWW-Authenticate", "Bearer realm=\"foldlog\"");
    return answer;
}

void answer_refusal(struct api_call *call, const struct refusal *refusal)
{
    BODY_ARENA(arena);
    struct http_answer answer = problem_answer(call, refusal, &arena);
    if (refusal->problem == PROBLEM_OVERLOADED)
        atomic_fetch_add(&call->api->overloaded, 1);
    atomic_fetch_add(&call->api->refused, 1);
    finish(call, &answer);
}

void answer_problem(struct api_call *call, enum problem problem, const char *detail)
{
    answer_refusal(call, &(struct refusal){.problem = problem, .detail = detail});
}

void answer_unauthenticated(struct api_call *call, bool given)
{
    const struct refusal refusal = {
        .problem = PROBLEM_UNAUTHENTICATED,
        .detail = given ? "The access token is not good, or not any more."
                        : "This needs an access token: Authorization: Bearer ..."};
    BODY_ARENA(arena);
    struct http_answer answer = problem_answer(call, &refusal, &arena);
    if (given)
        answer.fields[answer.fields_count - 1].value =
            "Bearer realm=\"foldlog\", error=\"invalid_token\"";
    atomic_fetch_add(&call->api->refused, 1);
    finish(call, &answer);
}

void answer_not_allowed(struct api_call *call, const char *allow)
{
    char detail[TAG_BYTES];
    snprintf(detail, sizeof detail, "Allowed here: %s.", allow);
    const struct refusal refusal = {.problem = PROBLEM_METHOD_NOT_ALLOWED, .detail = detail};
    BODY_ARENA(arena);
    struct http_answer answer = problem_answer(call, &refusal, &arena);
    http_answer_field(&answer, "Allow", allow);
    finish(call, &answer);
}

/* Of a path that nobody has looked at yet. */
static bool is_printable(struct text path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.at[i] <= ' ' || path.at[i] > '~')
            return false;
    return true;
}

static enum problem problem_of(int status)
{
    switch (status) {
    case 413:
        return PROBLEM_BODY_TOO_LARGE;
    case 431:
        return PROBLEM_HEADER_TOO_LARGE;
    default:
        return PROBLEM_MALFORMED;
    }
}

void answer_refused_request(void *context, const struct http_request *request, int status,
                            const char *detail, struct http_answer *answer)
{
    struct api *api = context;
    char traceparent[TRACEPARENT_LEN + 1];
    const struct refusal refusal = {.problem = problem_of(status), .detail = detail};
    static _Thread_local _Alignas(16) char memory[SERVER_BODY_BYTES];
    struct arena arena = {memory, 0, sizeof memory};
    struct text trace_id = {traceparent + 3, 32};
    traceparent_new(traceparent);
    answer->content_type = problem_json;
    answer->body = problem_body(&arena, &refusal, status,
                                is_printable(request->path) ? request->path : TEXT(""), trace_id);
    if (!answer->body.at)
        answer->body = problem_body(&arena, &refusal, status, TEXT(""), trace_id);
    atomic_fetch_add(&api->answers[status], 1);
}

/* ---- commands ---- */

struct command_fields {
    char position[API_POSITION_LEN_MAX], tag[TAG_BYTES], location[LOCATION_BYTES];
    char id[UUID_TEXT_LEN + 1];
};

/* The public id of what the command was about. */
static struct text resource_id(const struct api_call *call, const struct decision *decision,
                               struct command_fields *fields)
{
    struct uuid id = {{0}};
    switch (call->route->command->answer) {
    case ANSWER_TARGET:
        return decision->target;
    case ANSWER_DERIVED:
        id = user_id_of(decision->command_id);
        break;
    case ANSWER_PATH:
        (void)uuid_read(call->parts[0], &id);
        break;
    }
    uuid_format(id, fields->id);
    return (struct text){fields->id, UUID_TEXT_LEN};
}

static void add_position(const struct api_call *call, int64_t offset, struct http_answer *answer,
                         struct command_fields *fields)
{
    snprintf(fields->position, sizeof fields->position, "%s:%d:%lld", call->service->service->name,
             call->partition, (long long)offset);
    http_answer_field(answer, "Foldlog-Position", fields->position);
}

/* From the decision alone, so that any instance repeats it exactly. */
static struct text decided_body(const struct api_call *call, const struct decision *decision,
                                struct text id, struct arena *arena)
{
    struct json_write w = json_write_start(arena);
    json_write_begin(&w, NULL, '{');
    json_write_text(&w, "id", id);
    json_write_number(&w, "version", decision->version);
    json_write_uuid(&w, "command_id", decision->command_id);
    if (call->route->command->also)
        json_write_text(&w, call->route->command->also, decision->target);
    json_write_end(&w, '}');
    return json_write_finish(&w, arena);
}

static const char *kept(struct arena *arena, struct text text)
{
    return text.len ? arena_copy(arena, text).at : NULL;
}

static struct http_answer refused_answer(const struct api_call *call,
                                         const struct decision *decision, struct arena *arena)
{
    const char *pointer = kept(arena, decision->pointer), *detail = kept(arena, decision->detail);
    struct refusal refusal = {.problem = decision->problem, .detail = detail};
    if (pointer)
        refuse_at(&refusal, decision->problem, pointer,
                  detail ? detail : problem_rows[decision->problem].title);
    return problem_answer(call, &refusal, arena);
}

void answer_decision(struct api_call *call, const struct decision *decision)
{
    struct command_fields fields;
    const struct command_route *route = call->route->command;
    struct http_answer answer;
    BODY_ARENA(arena);
    if (decision->outcome == OUTCOME_ACCEPTED) {
        answer = (struct http_answer){.status = route->success, .content_type = json};
        struct text id = resource_id(call, decision, &fields);
        answer.body = decided_body(call, decision, id, &arena);
        snprintf(fields.tag, sizeof fields.tag, "\"%lld\"", (long long)decision->version);
        snprintf(fields.location, sizeof fields.location, "%s%.*s", route->location, (int)id.len,
                 id.at);
        http_answer_field(&answer, "ETag", fields.tag);
        http_answer_field(&answer, "Location", fields.location);
    } else {
        answer = refused_answer(call, decision, &arena);
    }
    assert(answer.body.at);
    add_position(call, decision->input.offset, &answer, &fields);
    if (decision->replayed)
        http_answer_field(&answer, "Idempotent-Replayed", "true");
    atomic_fetch_add(&call->api->decided, 1);
    if (decision->replayed)
        atomic_fetch_add(&call->api->replayed, 1);
    finish(call, &answer);
}

void answer_accepted(struct api_call *call)
{
    struct command_fields fields;
    char id[UUID_TEXT_LEN + 1];
    BODY_ARENA(arena);
    struct http_answer answer = {.status = 202, .content_type = json};
    struct json_write w = json_write_start(&arena);
    uuid_format(call->command_id, id);
    json_write_begin(&w, NULL, '{');
    json_write_text(&w, "command_id", (struct text){id, UUID_TEXT_LEN});
    json_write_text(&w, "status", TEXT("pending"));
    json_write_end(&w, '}');
    answer.body = json_write_finish(&w, &arena);
    add_position(call, call->offset, &answer, &fields);
    snprintf(fields.location, sizeof fields.location, "/v1/commands/%s?at=%s", id, fields.position);
    http_answer_field(&answer, "Location", fields.location);
    atomic_fetch_add(&call->api->undecided, 1);
    finish(call, &answer);
}

/* ---- errands ---- */

void answer_errand(struct api_call *call, const struct errand *errand, struct text body)
{
    struct http_answer answer = {.status = errand->status};
    if (errand->status != 204) {
        answer.body = body;
        answer.content_type = json;
    }
    if (errand->secret) /* RFC 6749, 5.1 */
        http_answer_field(&answer, "Cache-Control", "no-store");
    finish(call, &answer);
}

/* ---- queries ---- */

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

size_t answer_put_encoded(char *out, size_t used, size_t size, struct text text)
{
    if (used >= size)
        return used;
    for (size_t i = 0; i < text.len && used + 4 < size; i++) {
        if (is_unreserved(text.at[i]))
            out[used++] = text.at[i];
        else
            used += (size_t)snprintf(out + used, size - used, "%%%02X", (unsigned char)text.at[i]);
    }
    out[used] = 0;
    return used;
}

/* The same request with the next cursor; false: it does not fit. */
static bool next_link(const struct api_call *call, struct text cursor, char out[LINK_BYTES])
{
    const struct http_request *http = call->http;
    int len = snprintf(out, LINK_BYTES, "<%.*s?", (int)http->path.len, http->path.at);
    size_t used = (size_t)len;
    for (size_t i = 0; i < http->parameters_count && used < LINK_BYTES; i++) {
        const struct http_field *f = &http->parameters[i];
        if (text_is(f->name, "cursor"))
            continue;
        used = answer_put_encoded(out, used, LINK_BYTES, f->name);
        used += (size_t)snprintf(out + used, LINK_BYTES - used, "=");
        used = answer_put_encoded(out, used, LINK_BYTES, f->value);
        used += (size_t)snprintf(out + used, LINK_BYTES - used, "&");
    }
    if (used + 8 > LINK_BYTES)
        return false;
    used += (size_t)snprintf(out + used, LINK_BYTES - used, "cursor=");
    used = answer_put_encoded(out, used, LINK_BYTES, cursor);
    if (used + 16 > LINK_BYTES)
        return false;
    snprintf(out + used, LINK_BYTES - used, ">; rel=\"next\"");
    return true;
}

void answer_query(struct api_call *call, const struct inquiry *inquiry, struct text body)
{
    char tag[TAG_BYTES], link[LINK_BYTES];
    struct http_answer answer = {.status = 200, .body = body, .content_type = json};
    if (inquiry->version > 0 && inquiry->sequence >= 0)
        snprintf(tag, sizeof tag, "\"%lld.%lld\"", (long long)inquiry->version,
                 (long long)inquiry->sequence);
    else
        snprintf(tag, sizeof tag, "\"%lld\"", (long long)inquiry->version);
    if (inquiry->version > 0)
        http_answer_field(&answer, "ETag", tag);
    if (inquiry->version > 0 && header_has_tag(call, tag)) {
        answer.status = 304;
        answer.body = TEXT("");
        answer.content_type = NULL;
    }
    if (inquiry->next_cursor.len && next_link(call, inquiry->next_cursor, link))
        http_answer_field(&answer, "Link", link);
    finish(call, &answer);
}
