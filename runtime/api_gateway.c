/* The edge of a system of several processes: what is served elsewhere is handed on, signed, and
 * answered as it was answered there. */
#include "runtime/api_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "runtime/clock.h"
#include "runtime/principal.h"

enum { URL_BYTES = HTTP_HEAD_BYTES_MAX, PATIENCE_MS = 5000, NOT_FOUND = 404 };

static const char *const passed_back[] = {"Content-Type",
                                          "Location",
                                          "ETag",
                                          "Foldlog-Position",
                                          "Idempotent-Replayed",
                                          "Preference-Applied",
                                          "Link",
                                          "Retry-After",
                                          "Allow",
                                          "WWW-Authenticate",
                                          "Cache-Control",
                                          NULL};
static const char *const passed_on[] = {"Content-Type", "Idempotency-Key", "Prefer",
                                        "If-Match",     "If-None-Match",   "Foldlog-Min-Position"};

static const char may_be[] =
    "The service did not answer. What was asked may have been done; repeat it with the same key.";

static void answered(void *context, const struct relay_response *response)
{
    struct api_call *call = context;
    struct http_answer answer = {.status = response->status, .body = response->body};
    if (response->outcome != RELAY_ANSWERED || answer.status < 200 ||
        answer.status >= API_STATUSES) {
        answer_problem(call, PROBLEM_UNAVAILABLE,
                       response->outcome == RELAY_UNREACHED ? "The service cannot be reached."
                                                            : may_be);
        return;
    }
    if (answer.status == NOT_FOUND && call->asked) {
        api_seek(call);
        return;
    }
    for (size_t i = 0; i < response->fields_count; i++) {
        const struct relay_field *f = &response->fields[i];
        if (text_is(f->name, "Content-Type"))
            answer.content_type = f->value.at;
        else
            http_answer_field(&answer, f->name.at, f->value.at);
    }
    http_respond(call->http, &answer);
    api_call_done(call, answer.status);
}

/* The same path and query, of another server; false: too long. */
static bool write_url(const struct api_call *call, const char *peer, char url[URL_BYTES])
{
    const struct http_request *http = call->http;
    size_t used =
        (size_t)snprintf(url, URL_BYTES, "%s%.*s", peer, (int)http->path.len, http->path.at);
    for (size_t i = 0; i < http->parameters_count && used < URL_BYTES; i++) {
        used += (size_t)snprintf(url + used, URL_BYTES - used, i ? "&" : "?");
        used = answer_put_encoded(url, used, URL_BYTES, http->parameters[i].name);
        if (!http->parameters[i].value.at || used + 1 >= URL_BYTES)
            continue;
        url[used++] = '=';
        used = answer_put_encoded(url, used, URL_BYTES, http->parameters[i].value);
    }
    return used + 8 < URL_BYTES;
}

static bool is_passed_on(struct text name)
{
    for (size_t i = 0; i < COUNT(passed_on); i++)
        if (name.len == strlen(passed_on[i]) && strncasecmp(name.at, passed_on[i], name.len) == 0)
            return true;
    return false;
}

static bool add_field(struct relay_request *request, struct text name, struct text value)
{
    if (request->fields_count == RELAY_FIELDS_MAX)
        return false;
    request->fields[request->fields_count++] = (struct relay_field){name, value};
    return true;
}

/* Also those that stand there several times, such as Prefer. False: too many. */
static bool add_fields(const struct api_call *call, struct relay_request *request,
                       const char *principal)
{
    bool fits = add_field(request, TEXT("traceparent"), text_of(call->traceparent)) &&
                add_field(request, TEXT(PRINCIPAL_FIELD), text_of(principal));
    for (size_t i = 0; i < call->http->headers_count && fits; i++)
        if (is_passed_on(call->http->headers[i].name))
            fits = add_field(request, call->http->headers[i].name, call->http->headers[i].value);
    return fits;
}

static const char *method_of(struct text method)
{
    static const char *const known[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    for (size_t i = 0; i < COUNT(known); i++)
        if (text_is(method, known[i]))
            return known[i];
    return "GET"; /* HEAD: the server drops the body */
}

void gateway_forward(struct api_call *call, const char *peer)
{
    UNZEROED char url[URL_BYTES];
    char principal[PRINCIPAL_LEN_MAX];
    struct api *api = call->api;
    struct relay_request request = {.method = method_of(call->http->method),
                                    .url = url,
                                    .body = call->http->body,
                                    .timeout_ms = call->wait_ms + PATIENCE_MS,
                                    .context = call};
    if (!write_url(call, peer, url)) {
        answer_problem(call, PROBLEM_MALFORMED, "The path and its parameters are too long.");
        return;
    }
    const struct asker asker = {call->actor, call->actor_key, call->session};
    principal_sign(api->options.secret, &asker, text_of(request.method), call->http->path,
                   clock_now_us() / 1000000, principal);
    struct err e = add_fields(call, &request, principal)
                       ? relay_send(api->relay, &request)
                       : FAIL(ERR_REFUSED, "too many header fields");
    if (e.code != ERR_OK)
        answer_problem(call, e.code == ERR_FULL ? PROBLEM_OVERLOADED : PROBLEM_MALFORMED,
                       e.code == ERR_FULL ? "Too many requests are handed on."
                                          : "The header fields are too long or too many.");
}

/* What was handed on is not handed on again: two could do it for ever. */
const char *gateway_peer(const struct api *api, const char *service)
{
    for (size_t i = 0; i < api->options.peers_count && !api->options.behind_gateway; i++)
        if (strcmp(api->options.peers[i].service, service) == 0 && *api->options.peers[i].url)
            return api->options.peers[i].url;
    return NULL;
}

bool gateway_believe(struct api_call *call)
{
    struct text value = http_header(call->http, PRINCIPAL_FIELD);
    const char *method = method_of(call->http->method);
    struct asker asker;
    if (!value.at || !principal_check(call->api->options.secret, value, text_of(method),
                                      call->http->path, clock_now_us() / 1000000, &asker))
        return false;
    call->actor = asker.actor;
    call->actor_key = asker.key;
    call->session = asker.session;
    return true;
}

struct err gateway_open(struct api *api)
{
    return relay_open(answered, passed_back, &api->relay);
}
