/* An HTTP/1.1 server: requests in, answers out, now or later from any thread. Implemented by
 * http_server.c on libmicrohttpd; nothing of it shows here. The server refuses what could be
 * understood in two ways (request smuggling), bounds everything, and gives up on clients that are
 * too slow. */
#ifndef RUNTIME_HTTP_SERVER_H
#define RUNTIME_HTTP_SERVER_H

#include <stdint.h>

#include "core/err.h"
#include "core/text.h"

enum {
    HTTP_FIELDS_MAX = 64,       /* header fields and query parameters of one request */
    HTTP_HEAD_BYTES_MAX = 8192, /* request line and header */
    HTTP_REQUEST_SECONDS = 10,  /* from the request line to the last byte of the body */
    HTTP_ANSWER_SECONDS = 30,   /* for the client to take the answer */
    HTTP_IDLE_SECONDS = 75,     /* from one request to the request line of the next */
    HTTP_ANSWER_FIELDS_MAX = 12,
};

struct http_server;

struct http_field {
    struct text name, value;
};

/* Valid until it is answered. Belongs to the handler from when it is called to http_respond. */
struct http_request {
    struct text method;
    struct text path; /* as sent: percent-encoded, without the query */
    struct text body;
    const struct http_field *headers;
    size_t headers_count;
    const struct http_field *parameters; /* ?name=value, decoded; .value.at NULL without "=" */
    size_t parameters_count;
    void *mine; /* the handler's own */
};

/* .at is NULL when the request does not have it. Any case. */
struct text http_header(const struct http_request *request, const char *name);

struct http_answer {
    int status;
    struct text body;
    const char *content_type; /* NULL: no body */
    size_t fields_count;
    struct {
        const char *name;
        const char *value; /* copied */
    } fields[HTTP_ANSWER_FIELDS_MAX];
};

/* Once per request, from any thread; copies the answer. The request is gone afterwards. */
void http_respond(struct http_request *request, const struct http_answer *answer);
void http_answer_field(struct http_answer *answer, const char *name, const char *value);

struct http_server_options {
    const char *address; /* numeric: 127.0.0.1, ::1 */
    int port;            /* 0: any free one, see http_server_port */
    unsigned threads;
    unsigned connections_max;
    size_t body_max; /* bytes; more is answered 413 */
    /* Called on a server thread, which it must not block. */
    void (*handle)(void *context, struct http_request *request);
    /* What the server itself refuses: fills in body and fields; the status is given. NULL: no body.
     * The text must live until the next call on the same thread. */
    void (*refuse)(void *context, const struct http_request *request, int status,
                   const char *detail, struct http_answer *answer);
    void *context;
};

NODISCARD struct err http_server_start(const struct http_server_options *options,
                                       struct http_server **ret_server);
int http_server_port(const struct http_server *server);
/* Accepts no more connections, closes each after its present request, and waits until all requests
 * are answered and the answers sent. ERR_TIMEOUT: some are still unanswered. */
NODISCARD struct err http_server_drain(struct http_server *server, int timeout_ms);
/* All requests must have been answered. NULL is fine. */
void http_server_stop(struct http_server *server);

struct http_server_counts {
    uint64_t requests, refused, connections_open, cut_off;
};
struct http_server_counts http_server_counts(const struct http_server *server);

#endif
