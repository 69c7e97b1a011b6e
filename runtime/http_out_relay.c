/* One multi handle on one thread; easy handles hold their call. */
#include <curl/curl.h>

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "runtime/relay.h"

enum {
    WAIT_MS = 1000,
    LINE_BYTES = 4096,
    FIELDS_BYTES = 8192,
    HOST_CONNECTIONS = 256,
    KEPT_CONNECTIONS = 64
};

struct hop {
    struct hop *next; /* in the queue, then among those under way */
    struct relay *relay;
    CURL *easy;
    struct curl_slist *headers;
    char *request;
    char *answer;
    size_t answer_len, answer_size;
    char fields[FIELDS_BYTES]; /* values of the response's fields */
    size_t fields_used;
    struct relay_response response;
    void *context;
};

struct relay {
    relay_answer answer;
    const char *const *wanted;
    CURLM *multi;
    pthread_t thread;
    atomic_bool stop;
    atomic_int under_way;
    pthread_mutex_t lock; /* queue */
    struct hop *queue, **queue_end;
    struct hop *flying; /* of the thread */
};

static void hop_destroy(struct hop *hop)
{
    curl_easy_cleanup(hop->easy);
    curl_slist_free_all(hop->headers);
    free(hop->request);
    free(hop->answer);
    free(hop);
}

/* ---- the answer ----------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t count, void *opaque)
{
    struct hop *hop = opaque;
    size_t len = size * count, want = hop->answer_len + len;
    if (want > RELAY_ANSWER_MAX)
        return 0; /* curl then fails the call */
    if (want > hop->answer_size) {
        size_t room = want < hop->answer_size * 2 ? hop->answer_size * 2 : want + 4096;
        char *more = realloc(hop->answer, room);
        if (!more)
            return 0;
        hop->answer = more;
        hop->answer_size = room;
    }
    memcpy(hop->answer + hop->answer_len, bytes, len);
    hop->answer_len = want;
    return len;
}

static const char *wanted_name(const struct relay *relay, const char *line, size_t len)
{
    for (const char *const *name = relay->wanted; *name; name++)
        if (strlen(*name) == len && strncasecmp(line, *name, len) == 0)
            return *name;
    return NULL;
}

static size_t on_header(char *line, size_t size, size_t count, void *opaque)
{
    struct hop *hop = opaque;
    struct relay_response *r = &hop->response;
    size_t len = size * count, at;
    const char *colon = memchr(line, ':', len);
    const char *name = colon ? wanted_name(hop->relay, line, (size_t)(colon - line)) : NULL;
    if (!name || r->fields_count == RELAY_FIELDS_MAX)
        return len;
    for (at = (size_t)(colon - line) + 1; at < len && (line[at] == ' ' || line[at] == '\t'); at++)
        ;
    size_t end = len;
    while (end > at && (line[end - 1] == '\r' || line[end - 1] == '\n' || line[end - 1] == ' '))
        end--;
    if (end - at >= FIELDS_BYTES - hop->fields_used)
        return len;
    char *value = hop->fields + hop->fields_used;
    memcpy(value, line + at, end - at);
    value[end - at] = '\0';
    hop->fields_used += end - at + 1;
    r->fields[r->fields_count++] = (struct relay_field){text_of(name), {value, end - at}};
    return len;
}

static enum relay_outcome outcome_of(CURL *easy, CURLcode code)
{
    curl_off_t connected = 0;
    if (code == CURLE_OK)
        return RELAY_ANSWERED;
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT)
        return RELAY_UNREACHED;
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    return connected == 0 ? RELAY_UNREACHED : RELAY_UNANSWERED;
}

static void hop_end(struct hop *hop, enum relay_outcome outcome)
{
    long status = 0;
    curl_easy_getinfo(hop->easy, CURLINFO_RESPONSE_CODE, &status);
    hop->response.outcome = outcome;
    hop->response.status = (int)status;
    hop->response.body = (struct text){hop->answer, hop->answer_len};
    atomic_fetch_sub(&hop->relay->under_way, 1);
    hop->relay->answer(hop->context, &hop->response);
    hop_destroy(hop);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static struct hop *take_queue(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    struct hop *first = relay->queue;
    relay->queue = NULL;
    relay->queue_end = &relay->queue;
    pthread_mutex_unlock(&relay->lock);
    return first;
}

static void launch_queued(struct relay *relay)
{
    for (struct hop *hop = take_queue(relay), *next; hop; hop = next) {
        next = hop->next;
        hop->next = relay->flying;
        relay->flying = hop;
        CURLMcode code = curl_multi_add_handle(relay->multi, hop->easy);
        assert(code == CURLM_OK);
        (void)code;
    }
}

static void take_down(struct relay *relay, struct hop *hop)
{
    struct hop **at = &relay->flying;
    while (*at != hop)
        at = &(*at)->next;
    *at = hop->next;
    curl_multi_remove_handle(relay->multi, hop->easy);
}

static void land(struct relay *relay)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(relay->multi, &left)) != NULL) {
        struct hop *hop;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&hop);
        enum relay_outcome outcome = outcome_of(message->easy_handle, message->data.result);
        take_down(relay, hop);
        hop_end(hop, outcome);
    }
}

static void *fly(void *opaque)
{
    struct relay *relay = opaque;
    int running;
    while (!atomic_load(&relay->stop)) {
        launch_queued(relay);
        curl_multi_perform(relay->multi, &running);
        land(relay);
        curl_multi_poll(relay->multi, NULL, 0, WAIT_MS, NULL);
    }
    launch_queued(relay);
    while (relay->flying) {
        struct hop *hop = relay->flying;
        take_down(relay, hop);
        hop_end(hop, RELAY_UNANSWERED);
    }
    return NULL;
}

struct err relay_open(relay_answer answer, const char *const *wanted, struct relay **ret_relay)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return FAIL(ERR_NOMEM, "curl");
    struct relay *relay = calloc(1, sizeof *relay);
    CURLM *multi = curl_multi_init();
    if (!relay || !multi)
        abort();
    *relay = (struct relay){.answer = answer, .wanted = wanted, .multi = multi};
    relay->queue_end = &relay->queue;
    pthread_mutex_init(&relay->lock, NULL);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    if (pthread_create(&relay->thread, NULL, fly, relay) != 0)
        abort();
    *ret_relay = relay;
    return OK;
}

void relay_close(struct relay *relay)
{
    if (!relay)
        return;
    atomic_store(&relay->stop, true);
    curl_multi_wakeup(relay->multi);
    pthread_join(relay->thread, NULL);
    curl_multi_cleanup(relay->multi);
    pthread_mutex_destroy(&relay->lock);
    free(relay);
}

/* ---- the request ---------------------------------------------------------------------------- */

static bool set_headers(struct hop *hop, const struct relay_request *request)
{
    char line[LINE_BYTES];
    for (size_t i = 0; i < request->fields_count; i++) {
        const struct relay_field *f = &request->fields[i];
        int len = snprintf(line, sizeof line, "%.*s: %.*s", (int)f->name.len, f->name.at,
                           (int)f->value.len, f->value.at);
        if (len < 0 || (size_t)len >= sizeof line)
            return false;
        struct curl_slist *longer = curl_slist_append(hop->headers, line);
        if (!longer)
            abort();
        hop->headers = longer;
    }
    curl_easy_setopt(hop->easy, CURLOPT_HTTPHEADER, hop->headers);
    return true;
}

static void set_body(struct hop *hop, const struct relay_request *request)
{
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0)
        return;
    hop->request = malloc(request->body.len + 1);
    if (!hop->request)
        abort();
    if (request->body.len)
        memcpy(hop->request, request->body.at, request->body.len);
    curl_easy_setopt(hop->easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(hop->easy, CURLOPT_POSTFIELDS, hop->request);
    curl_easy_setopt(hop->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
}

static void set_limits(struct hop *hop, const struct relay_request *request)
{
    curl_easy_setopt(hop->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(hop->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(hop->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)RELAY_CONNECT_MS);
    curl_easy_setopt(hop->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(hop->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(hop->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(hop->easy, CURLOPT_PATH_AS_IS, 1L);
}

static struct hop *hop_create(struct relay *relay, const struct relay_request *request)
{
    struct hop *hop = calloc(1, sizeof *hop);
    if (!hop || !(hop->easy = curl_easy_init()))
        abort();
    hop->relay = relay;
    hop->context = request->context;
    curl_easy_setopt(hop->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(hop->easy, CURLOPT_PRIVATE, hop);
    curl_easy_setopt(hop->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(hop->easy, CURLOPT_WRITEDATA, hop);
    curl_easy_setopt(hop->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(hop->easy, CURLOPT_HEADERDATA, hop);
    set_limits(hop, request);
    set_body(hop, request);
    return hop;
}

struct err relay_send(struct relay *relay, const struct relay_request *request)
{
    if (atomic_fetch_add(&relay->under_way, 1) >= RELAY_CALLS_MAX) {
        atomic_fetch_sub(&relay->under_way, 1);
        return FAIL(ERR_FULL, "too many requests are handed on");
    }
    struct hop *hop = hop_create(relay, request);
    if (!set_headers(hop, request)) {
        atomic_fetch_sub(&relay->under_way, 1);
        hop_destroy(hop);
        return FAIL(ERR_REFUSED, "a header field is too long");
    }
    pthread_mutex_lock(&relay->lock);
    *relay->queue_end = hop;
    relay->queue_end = &hop->next;
    pthread_mutex_unlock(&relay->lock);
    curl_multi_wakeup(relay->multi);
    return OK;
}
