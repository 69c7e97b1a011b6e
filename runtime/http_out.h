/* Calls to somebody else's HTTP server without blocking: requests go to a thread of their own,
 * answers are handed out on the caller's thread. Implemented by http_out_curl.c; no curl type
 * leaves it. */
#ifndef RUNTIME_HTTP_OUT_H
#define RUNTIME_HTTP_OUT_H

#include "core/err.h"
#include "core/text.h"
#include "runtime/event_log.h"

enum {
    HTTP_OUT_ANSWER_MAX = 64 * 1024, /* a longer answer is none */
    HTTP_OUT_CALLS_MAX = 256,        /* under way at once */
    HTTP_OUT_CONNECT_MS = 1000,
};

/* Why there is no answer. */
enum http_trouble {
    HTTP_FINE,
    HTTP_NO_CONNECTION, /* nothing was sent */
    HTTP_NO_ANSWER,     /* sent, perhaps; timed out, cut off, or not HTTP */
};

struct http_request {
    const char *method;
    const char *url;
    const char *key;         /* Idempotency-Key; empty or NULL: none */
    struct text traceparent; /* may be empty */
    struct text body;        /* JSON; may be empty */
    int timeout_ms;          /* of the whole call */
};

struct http_response {
    enum http_trouble trouble;
    int status;       /* 0 unless HTTP_FINE */
    struct text body; /* during the callback */
};

typedef void (*http_answer)(void *context, uint64_t tag, const struct http_response *response);

struct http_out; /* used by one thread */

/* waker: its log_wait is woken when answers are there to be polled; may be NULL. */
NODISCARD struct err http_out_open(http_answer answer, void *context, struct log_reader *waker,
                                   struct http_out **ret_http);
/* Cuts off what is under way: its outcome stays unknown. NULL is fine. */
void http_out_close(struct http_out *http);
/* Copies the request. Does not block. ERR_FULL when HTTP_OUT_CALLS_MAX are under way. */
NODISCARD struct err http_out_send(struct http_out *http, const struct http_request *request,
                                   uint64_t tag);
/* Runs the callbacks of what has been answered; never blocks. Each call sent is answered once. */
int http_out_poll(struct http_out *http);

#endif
