/* HTTP calls by libcurl: one multi handle on one thread. */
#include <curl/curl.h>

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/http_out.h"

enum { WAIT_MS = 1000, HEADER_LEN = 128, HOST_CONNECTIONS = 32 };

struct http_call {
    struct http_call *next;
    uint64_t tag;
    CURL *easy;
    struct curl_slist *headers;
    char *request;
    char *answer;
    size_t answer_len;
    struct http_response response;
};

/* First in, first out. */
struct queue {
    struct http_call *first;
    struct http_call **last;
};

struct http_out {
    http_answer answer;
    void *context;
    struct log_reader *waker;
    CURLM *multi;
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* over the two queues */
    struct queue sent;
    struct queue done;
    int under_way;            /* of the caller's thread */
    struct http_call *flying; /* of curl's thread */
};

static void queue_add(struct queue *queue, struct http_call *call)
{
    call->next = NULL;
    *queue->last = call;
    queue->last = &call->next;
}

static struct http_call *queue_take_all(struct http_out *http, struct queue *queue)
{
    pthread_mutex_lock(&http->lock);
    struct http_call *first = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    pthread_mutex_unlock(&http->lock);
    return first;
}

static void call_destroy(struct http_call *call)
{
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->headers);
    free(call->request);
    free(call->answer);
    free(call);
}

static void destroy_all(struct http_call *call)
{
    while (call) {
        struct http_call *next = call->next;
        call_destroy(call);
        call = next;
    }
}

/* ---- curl's thread -------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t count, void *opaque)
{
    struct http_call *call = opaque;
    size_t len = size * count;
    if (call->answer_len + len > HTTP_OUT_ANSWER_MAX)
        return 0; /* curl then fails the call */
    memcpy(call->answer + call->answer_len, bytes, len);
    call->answer_len += len;
    return len;
}

static void launch(struct http_out *http, struct http_call *call)
{
    call->next = http->flying;
    http->flying = call;
    CURLMcode code = curl_multi_add_handle(http->multi, call->easy);
    assert(code == CURLM_OK);
    (void)code;
}

static void remove_flying(struct http_out *http, struct http_call *call)
{
    struct http_call **at = &http->flying;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    curl_multi_remove_handle(http->multi, call->easy);
}

/* Whether a byte of the request can have left. */
static enum http_trouble trouble_of(CURL *easy, CURLcode code)
{
    curl_off_t connected = 0;
    if (code == CURLE_OK)
        return HTTP_FINE;
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT)
        return HTTP_NO_CONNECTION;
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
    return connected == 0 && code == CURLE_OPERATION_TIMEDOUT ? HTTP_NO_CONNECTION : HTTP_NO_ANSWER;
}

static void land(struct http_out *http, CURL *easy, CURLcode code)
{
    struct http_call *call;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
    call->response.trouble = trouble_of(easy, code);
    if (code == CURLE_OK) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        call->response.status = (int)status;
        call->response.body = (struct text){call->answer, call->answer_len};
    }
    remove_flying(http, call);
    pthread_mutex_lock(&http->lock);
    queue_add(&http->done, call);
    pthread_mutex_unlock(&http->lock);
}

static void land_all(struct http_out *http)
{
    bool any = false;
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        land(http, message->easy_handle, message->data.result);
        any = true;
    }
    if (any && http->waker)
        log_wake(http->waker);
}

static void *fly(void *opaque)
{
    struct http_out *http = opaque;
    int running;
    while (!atomic_load(&http->stop)) {
        struct http_call *call = queue_take_all(http, &http->sent);
        while (call) {
            struct http_call *next = call->next;
            launch(http, call);
            call = next;
        }
        curl_multi_perform(http->multi, &running);
        land_all(http);
        curl_multi_poll(http->multi, NULL, 0, WAIT_MS, NULL);
    }
    while (http->flying) {
        struct http_call *call = http->flying;
        remove_flying(http, call);
        call_destroy(call);
    }
    return NULL;
}

/* ---- the caller's thread -------------------------------------------------------------------- */

static struct err start_curl(struct http_out *http)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return FAIL(ERR_NOMEM, "curl");
    http->multi = curl_multi_init();
    if (!http->multi)
        return FAIL(ERR_NOMEM, "curl");
    curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS);
    if (pthread_create(&http->thread, NULL, fly, http) == 0)
        return OK;
    curl_multi_cleanup(http->multi);
    return FAIL(ERR_NOMEM, "thread for HTTP calls");
}

struct err http_out_open(http_answer answer, void *context, struct log_reader *waker,
                         struct http_out **ret_http)
{
    struct http_out *http = calloc(1, sizeof *http);
    if (!http)
        return FAIL(ERR_NOMEM, "HTTP calls");
    *http = (struct http_out){.answer = answer, .context = context, .waker = waker};
    http->sent.last = &http->sent.first;
    http->done.last = &http->done.first;
    pthread_mutex_init(&http->lock, NULL);
    struct err e = start_curl(http);
    if (e.code != ERR_OK) {
        pthread_mutex_destroy(&http->lock);
        free(http);
        return e;
    }
    *ret_http = http;
    return OK;
}

void http_out_close(struct http_out *http)
{
    if (!http)
        return;
    atomic_store(&http->stop, true);
    curl_multi_wakeup(http->multi);
    pthread_join(http->thread, NULL);
    destroy_all(queue_take_all(http, &http->sent));
    destroy_all(queue_take_all(http, &http->done));
    curl_multi_cleanup(http->multi);
    pthread_mutex_destroy(&http->lock);
    free(http);
}

static void add_header(struct http_call *call, const char *name, struct text value)
{
    char line[HEADER_LEN];
    if (value.len == 0)
        return;
    int len = snprintf(line, sizeof line, "%s: %.*s", name, (int)value.len, value.at);
    assert(len > 0 && (size_t)len < sizeof line);
    (void)len;
    struct curl_slist *longer = curl_slist_append(call->headers, line);
    assert(longer);
    call->headers = longer;
}

static void set_body(struct http_call *call, const struct http_request *request)
{
    if (strcmp(request->method, "GET") == 0)
        return;
    call->request = malloc(request->body.len + 1);
    assert(call->request);
    if (request->body.len)
        memcpy(call->request, request->body.at, request->body.len);
    curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->request);
    curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
    add_header(call, "Content-Type", TEXT("application/json"));
}

static void set_limits(struct http_call *call, const struct http_request *request)
{
    long connect_ms =
        request->timeout_ms < HTTP_OUT_CONNECT_MS ? request->timeout_ms : HTTP_OUT_CONNECT_MS;
    curl_easy_setopt(call->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(call->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(call->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(call->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(call->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(call->easy, CURLOPT_PROXY, "");
}

struct err http_out_send(struct http_out *http, const struct http_request *request, uint64_t tag)
{
    if (http->under_way == HTTP_OUT_CALLS_MAX)
        return FAIL(ERR_FULL, "too many HTTP calls under way");
    struct http_call *call = calloc(1, sizeof *call);
    if (!call)
        return FAIL(ERR_NOMEM, "HTTP call");
    call->tag = tag;
    call->easy = curl_easy_init();
    call->answer = malloc(HTTP_OUT_ANSWER_MAX);
    assert(call->easy && call->answer);
    curl_easy_setopt(call->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(call->easy, CURLOPT_PRIVATE, call);
    curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(call->easy, CURLOPT_WRITEDATA, call);
    set_limits(call, request);
    add_header(call, "Accept", TEXT("application/json"));
    add_header(call, "Idempotency-Key", text_of(request->key));
    add_header(call, "traceparent", request->traceparent);
    set_body(call, request);
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers);
    http->under_way++;
    pthread_mutex_lock(&http->lock);
    queue_add(&http->sent, call);
    pthread_mutex_unlock(&http->lock);
    curl_multi_wakeup(http->multi);
    return OK;
}

int http_out_poll(struct http_out *http)
{
    int count = 0;
    struct http_call *call = queue_take_all(http, &http->done);
    while (call) {
        struct http_call *next = call->next;
        http->under_way--;
        http->answer(http->context, call->tag, &call->response);
        call_destroy(call);
        call = next;
        count++;
    }
    return count;
}
