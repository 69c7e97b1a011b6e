/* Header fields that matter to commands and queries. */
#include "runtime/api_internal.h"

#include <stdio.h>
#include <strings.h>

#include "runtime/clock.h"

/* ---- lists of words ---- */

static struct text trim(struct text t)
{
    while (t.len && (t.at[0] == ' ' || t.at[0] == '\t'))
        t = (struct text){t.at + 1, t.len - 1};
    while (t.len && (t.at[t.len - 1] == ' ' || t.at[t.len - 1] == '\t'))
        t.len--;
    return t;
}

static struct text next_word(struct text *list, char separator)
{
    const char *end = list->len ? memchr(list->at, separator, list->len) : NULL;
    size_t len = end ? (size_t)(end - list->at) : list->len;
    struct text word = {list->at, len};
    *list = end ? (struct text){end + 1, list->len - len - 1} : (struct text){list->at + len, 0};
    return trim(word);
}

static bool is_word(struct text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static bool number_of(struct text text, int64_t *ret_value)
{
    int64_t value = 0;
    if (text.len == 0 || text.len > 18)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        value = value * 10 + (text.at[i] - '0');
    }
    *ret_value = value;
    return true;
}

/* ---- media type ---- */

bool header_media_type(struct api_call *call, bool form)
{
    struct text given = http_header(call->http, "Content-Type");
    if (call->http->body.len == 0)
        return true;
    struct text type = given.at ? next_word(&given, ';') : TEXT("");
    call->form = form && is_word(type, "application/x-www-form-urlencoded");
    bool fine = call->form || is_word(type, "application/json");
    while (fine && given.len) {
        struct text parameter = next_word(&given, ';');
        fine = parameter.len == 0 || is_word(parameter, "charset=utf-8") ||
               is_word(parameter, "charset=\"utf-8\"");
    }
    if (!fine)
        answer_problem(call, PROBLEM_UNSUPPORTED_MEDIA,
                       "The body must be application/json in UTF-8.");
    return fine;
}

/* ---- Prefer (RFC 7240) ---- */

static void prefer(struct api_call *call, struct text list)
{
    while (list.len) {
        struct text word = next_word(&list, ',');
        int64_t seconds;
        if (is_word(word, "respond-async") && !call->respond_async && !call->applied[0]) {
            call->respond_async = true;
            snprintf(call->applied, sizeof call->applied, "respond-async");
        } else if (word.len > 5 && strncasecmp(word.at, "wait=", 5) == 0 &&
                   number_of((struct text){word.at + 5, word.len - 5}, &seconds)) {
            int64_t max = API_WAIT_MAX_MS / 1000;
            call->wait_ms = (int)(seconds < max ? seconds : max) * 1000;
            snprintf(call->applied, sizeof call->applied, "wait=%d", call->wait_ms / 1000);
            call->respond_async = false; /* both: wait that long, then answer 202 */
        }
    }
}

/* ---- Foldlog-Min-Position ---- */

/* service:partition:offset */
static bool read_position(struct text token, struct api_position *ret_position)
{
    int64_t partition, offset;
    struct text service = next_word(&token, ':'), number = next_word(&token, ':');
    if (service.len == 0 || !number_of(number, &partition) || !number_of(token, &offset) ||
        partition >= PARTITIONS_MAX)
        return false;
    *ret_position = (struct api_position){service, (int)partition, offset};
    return true;
}

static bool add_positions(struct api_call *call, struct text list)
{
    while (list.len) {
        struct text token = next_word(&list, ',');
        if (token.len == 0)
            continue;
        if (call->positions_count == API_POSITIONS_MAX ||
            !read_position(token, &call->positions[call->positions_count++]))
            return false;
    }
    return true;
}

bool header_common(struct api_call *call)
{
    call->wait_ms = API_WAIT_DEFAULT_MS;
    for (size_t i = 0; i < call->http->headers_count; i++) {
        const struct http_field *field = &call->http->headers[i];
        if (is_word(field->name, "Prefer"))
            prefer(call, field->value);
        if (!is_word(field->name, "Foldlog-Min-Position") || add_positions(call, field->value))
            continue;
        answer_problem(call, PROBLEM_MALFORMED,
                       "Foldlog-Min-Position must be up to 16 of service:partition:offset.");
        return false;
    }
    return true;
}

/* ---- If-Match ---- */

/* "7" or "7.3": the version is what stands before the dot. */
static bool read_tag(struct text tag, int64_t *ret_version)
{
    tag = trim(tag);
    if (tag.len < 3 || tag.at[0] != '"' || tag.at[tag.len - 1] != '"')
        return false;
    struct text inside = {tag.at + 1, tag.len - 2};
    struct text version = next_word(&inside, '.');
    int64_t sequence;
    return number_of(version, ret_version) && (inside.len == 0 || number_of(inside, &sequence));
}

static bool if_match(struct api_call *call)
{
    struct text given = http_header(call->http, "If-Match");
    call->expected_version = VERSION_ANY;
    if (!given.at || is_word(trim(given), "*"))
        return true;
    if (read_tag(given, &call->expected_version))
        return true;
    answer_problem(call, PROBLEM_MALFORMED,
                   "If-Match must be one strong entity tag such as \"3\".");
    return false;
}

/* ---- Idempotency-Key ---- */

static bool idempotency_key(struct api_call *call)
{
    struct text key = http_header(call->http, "Idempotency-Key");
    bool fine = key.at && key.len > 0 && key.len <= API_KEY_LEN_MAX;
    for (size_t i = 0; fine && i < key.len; i++)
        fine = key.at[i] > 0x20 && key.at[i] < 0x7f;
    if (!fine) {
        answer_problem(
            call, PROBLEM_KEY_REQUIRED,
            key.at ? "Idempotency-Key must be 1 to 255 visible ASCII characters."
                   : "Commands need an Idempotency-Key, so that they can be repeated safely.");
        return false;
    }
    call->key = key;
    return true;
}

bool header_command(struct api_call *call)
{
    return idempotency_key(call) && if_match(call);
}

/* ---- If-None-Match ---- */

/* RFC 9110, 13.1.2: the weak comparison. */
bool header_has_tag(const struct api_call *call, const char *tag)
{
    struct text list = http_header(call->http, "If-None-Match");
    while (list.len) {
        struct text word = next_word(&list, ',');
        if (word.len > 2 && memcmp(word.at, "W/", 2) == 0)
            word = (struct text){word.at + 2, word.len - 2};
        if (text_is(word, tag) || text_is(word, "*"))
            return true;
    }
    return false;
}

/* ---- traceparent (W3C Trace Context) ---- */

static bool is_hex(struct text t)
{
    bool zero = true;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return false;
        zero &= c == '0';
    }
    return !zero;
}

void header_trace(struct api_call *call)
{
    struct text given = http_header(call->http, "traceparent");
    bool fine = given.len == TRACEPARENT_LEN && memcmp(given.at, "00-", 3) == 0 &&
                given.at[35] == '-' && given.at[52] == '-' &&
                is_hex((struct text){given.at + 3, 32}) && is_hex((struct text){given.at + 36, 16});
    if (fine && given.at[53] == '0' && (given.at[54] == '0' || given.at[54] == '1')) {
        memcpy(call->traceparent, given.at, given.len);
        return;
    }
    traceparent_new(call->traceparent);
}

struct text header_trace_id(const struct api_call *call)
{
    return (struct text){call->traceparent + 3, 32};
}

/* ---- what a handler sees ---- */

static int hex(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The server has checked the encoding. */
static struct text decoded(struct arena *arena, struct text part)
{
    char *out = arena_alloc(arena, part.len + 1), *to = out;
    for (size_t i = 0; out && i < part.len; i++) {
        char c = part.at[i];
        if (c == '%') {
            c = (char)(hex(part.at[i + 1]) << 4 | hex(part.at[i + 2]));
            i += 2;
        }
        *to++ = c;
    }
    return (struct text){out, (size_t)(to - out)};
}

static bool is_utf8(struct text text)
{
    const char *end = text.at + text.len;
    for (const char *p = text.at; p < end;) {
        unsigned n = json_utf8_length(p, end);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

static bool take_parameters(const struct api_call *call, struct arena *arena,
                            struct request *request)
{
    size_t count = call->http->parameters_count;
    struct parameter *parameters = arena_alloc(arena, (count + 1) * sizeof *parameters);
    if (!parameters || count > ROUTE_PARAMETERS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct http_field *f = &call->http->parameters[i];
        parameters[i] = (struct parameter){f->name, f->value.at ? f->value : TEXT("")};
        if (!is_utf8(f->name) || !is_utf8(parameters[i].value))
            return false;
        for (size_t j = 0; j < i; j++)
            if (text_equal(parameters[j].name, f->name))
                return false;
    }
    request->parameters = parameters;
    request->parameters_count = count;
    return true;
}

bool header_request(struct api_call *call, struct desk *desk, struct request *ret_request)
{
    struct arena *arena = desk->arena;
    struct request request = {.actor = call->actor,
                              .actor_key = call->actor_key,
                              .session = call->session,
                              .desk = desk,
                              .form = call->form,
                              .body = call->http->body,
                              .arena = arena};
    for (size_t i = 0; i < ROUTE_PATH_MAX && call->parts[i].len; i++)
        request.path[i] = decoded(arena, call->parts[i]);
    if (!take_parameters(call, arena, &request)) {
        answer_problem(call, PROBLEM_MALFORMED,
                       "The query parameters are too many, given twice, or not UTF-8.");
        return false;
    }
    *ret_request = request;
    return true;
}
