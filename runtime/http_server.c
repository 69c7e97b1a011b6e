/* libmicrohttpd in poll mode: epoll mode stalls with suspended connections (0.9.75). */
#include "runtime/http_server.h"

#include <arpa/inet.h>
#include <assert.h>
#include <limits.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "runtime/clock.h"

enum { REAP_MS = 250, BACKLOG = 1024, DRAIN_POLL_MS = 5, BODY_FIRST = 4096, DISCARD_FACTOR = 16 };

/* One TCP connection: when the server loses its patience with it. */
struct link {
    struct link *prev, *next;
    int fd;
    _Atomic int64_t deadline_ms; /* monotonic; INT64_MAX: the server's own turn */
};

enum call_state { CALL_READING, CALL_HANDLED, CALL_SUSPENDED, CALL_ANSWERED };

struct call {
    struct http_request request; /* first: what the handler sees */
    struct http_server *server;
    struct MHD_Connection *connection;
    struct link *link;
    const char *version_expected; /* where the URI ends, if no NUL cuts it */
    struct MHD_Response *response;
    int status;
    _Atomic int state; /* enum call_state */
    bool sent;         /* the answer is queued */
    bool seen;         /* the header has been judged */
    bool overflow;     /* the body is larger than allowed */
    bool confused;     /* too many fields */
    size_t head_bytes;
    char *body;
    size_t body_room, discarded;
    char *decoded; /* parameters */
    struct http_field headers[HTTP_FIELDS_MAX];
    struct http_field parameters[HTTP_FIELDS_MAX];
};

struct http_server {
    struct http_server_options options;
    struct MHD_Daemon *daemon;
    pthread_t reaper;
    pthread_mutex_t lock; /* links */
    struct link *links;
    atomic_bool draining, stopping;
    _Atomic int64_t unanswered; /* requests in the hands of the handler */
    _Atomic int64_t unsent;     /* answers on their way */
    _Atomic uint64_t requests, refused, connections, cut_off;
};

/* ---- fields ---- */

struct text http_header(const struct http_request *request, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < request->headers_count; i++) {
        const struct http_field *f = &request->headers[i];
        if (f->name.len == len && strncasecmp(f->name.at, name, len) == 0)
            return f->value;
    }
    return (struct text){NULL, 0};
}

void http_answer_field(struct http_answer *answer, const char *name, const char *value)
{
    assert(answer->fields_count < HTTP_ANSWER_FIELDS_MAX);
    answer->fields[answer->fields_count].name = name;
    answer->fields[answer->fields_count++].value = value;
}

static enum MHD_Result take_header(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct call *call = context;
    (void)kind;
    if (call->request.headers_count == HTTP_FIELDS_MAX) {
        call->confused = true;
        return MHD_NO;
    }
    struct http_field field = {text_of(name), text_of(value)};
    call->headers[call->request.headers_count++] = field;
    call->head_bytes += field.name.len + field.value.len;
    return MHD_YES;
}

static enum MHD_Result take_parameter(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value)
{
    struct call *call = context;
    (void)kind;
    if (call->request.parameters_count == HTTP_FIELDS_MAX) {
        call->confused = true;
        return MHD_NO;
    }
    call->parameters[call->request.parameters_count++] =
        (struct http_field){text_of(name), text_of(value)};
    return MHD_YES;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes into *to. False: no valid encoding, or a NUL. */
static bool decode(struct text *text, char **to)
{
    char *from = *to;
    for (size_t i = 0; i < text->len; i++) {
        char c = text->at[i];
        if (c == '%') {
            int high = i + 2 < text->len ? hex(text->at[i + 1]) : -1,
                low = i + 2 < text->len ? hex(text->at[i + 2]) : -1;
            if (high < 0 || low < 0 || (high | low) == 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        *(*to)++ = c;
    }
    text->len = (size_t)(*to - from);
    text->at = from;
    return true;
}

static bool decode_parameters(struct call *call)
{
    size_t len = 1;
    for (size_t i = 0; i < call->request.parameters_count; i++)
        len += call->parameters[i].name.len + call->parameters[i].value.len;
    char *to = call->decoded = malloc(len);
    if (!to)
        abort();
    for (size_t i = 0; i < call->request.parameters_count; i++) {
        struct http_field *f = &call->parameters[i];
        if (!decode(&f->name, &to) || (f->value.at && !decode(&f->value, &to)))
            return false;
    }
    return true;
}

/* The parser must not decode: %2F is no slash, %00 no end. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

/* ---- what could be understood in two ways ---- */

static bool is_token(struct text name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
            return false;
    }
    return name.len > 0;
}

static bool is_clean(struct text value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.at[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_path(struct text path)
{
    if (path.len == 0 || path.at[0] != '/')
        return false;
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.at[i];
        if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}#", c))
            return false;
        if (c == '%' && (i + 2 >= path.len || hex(path.at[i + 1]) < 0 || hex(path.at[i + 2]) < 0 ||
                         (path.at[i + 1] == '0' && path.at[i + 2] == '0')))
            return false;
    }
    return true;
}

static bool is_method(struct text method)
{
    for (size_t i = 0; i < method.len; i++)
        if (method.at[i] < 'A' || method.at[i] > 'Z')
            return false;
    return method.len > 0 && method.len <= 16;
}

static size_t count_of(const struct call *call, const char *name)
{
    size_t n = 0, len = strlen(name);
    for (size_t i = 0; i < call->request.headers_count; i++)
        n += call->headers[i].name.len == len &&
             strncasecmp(call->headers[i].name.at, name, len) == 0;
    return n;
}

static bool is_length(struct text value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.at[i] < '0' || value.at[i] > '9')
            return false;
    return value.len > 0 && value.len <= 18;
}

/* What is wrong with how long the body is (RFC 9112: 6.1, 6.3). */
static const char *length_ambiguity(const struct call *call, const char *version)
{
    size_t lengths = count_of(call, "Content-Length"),
           codings = count_of(call, "Transfer-Encoding");
    struct text coding = http_header(&call->request, "Transfer-Encoding");
    if (lengths + codings > 1)
        return "The length of the body is given twice.";
    if (lengths && !is_length(http_header(&call->request, "Content-Length")))
        return "Content-Length is malformed.";
    if (codings && (coding.len != 7 || strncasecmp(coding.at, "chunked", 7) != 0))
        return "Only the chunked transfer coding is known.";
    if (codings && strcmp(version, "HTTP/1.1") != 0)
        return "HTTP/1.0 has no transfer codings.";
    return NULL;
}

/* Fields whose repetition would leave a choice. */
static const char *const single[] = {"Authorization", "Content-Type", "Idempotency-Key", "If-Match",
                                     "Foldlog-Min-Position"};

/* NULL: it has one meaning. Else what is wrong (RFC 9112: 2.2, 3.2, 5.1, 6.1, 6.3, 11.2). */
static const char *ambiguity(const struct call *call, const char *version)
{
    for (size_t i = 0; i < call->request.headers_count; i++)
        if (!is_token(call->headers[i].name) || !is_clean(call->headers[i].value))
            return "A header field is malformed.";
    if (!is_method(call->request.method))
        return "The method is malformed.";
    if (!is_path(call->request.path) || call->version_expected != version)
        return "The request target is malformed.";
    const char *wrong = length_ambiguity(call, version);
    if (wrong)
        return wrong;
    for (size_t i = 0; i < COUNT(single); i++)
        if (count_of(call, single[i]) > 1)
            return "A header field that has one value is given twice.";
    if (count_of(call, "Host") > 1 ||
        (strcmp(version, "HTTP/1.1") == 0 && count_of(call, "Host") != 1))
        return "Host must be given once.";
    return NULL;
}

/* ---- answering ---- */

static struct MHD_Response *response_of(const struct http_answer *answer, bool close)
{
    union { /* copied, but its type does not say so */
        const char *is;
        void *as;
    } body = {.is = answer->body.at ? answer->body.at : ""};
    struct MHD_Response *response =
        MHD_create_response_from_buffer(answer->body.len, body.as, MHD_RESPMEM_MUST_COPY);
    if (!response)
        abort();
    if (answer->content_type)
        MHD_add_response_header(response, "Content-Type", answer->content_type);
    for (size_t i = 0; i < answer->fields_count; i++)
        MHD_add_response_header(response, answer->fields[i].name, answer->fields[i].value);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (close)
        MHD_add_response_header(response, "Connection", "close");
    return response;
}

void http_respond(struct http_request *request, const struct http_answer *answer)
{
    struct call *call = (struct call *)request;
    struct http_server *server = call->server;
    call->response = response_of(answer, atomic_load(&server->draining));
    call->status = answer->status;
    int before = atomic_exchange(&call->state, CALL_ANSWERED);
    assert(before == CALL_HANDLED || before == CALL_SUSPENDED);
    if (before == CALL_SUSPENDED)
        MHD_resume_connection(call->connection);
}

static void be_patient(struct call *call, int seconds)
{
    atomic_store(&call->link->deadline_ms,
                 seconds ? clock_monotonic_ms() + seconds * 1000 : INT64_MAX);
}

static enum MHD_Result send_answer(struct call *call)
{
    be_patient(call, HTTP_ANSWER_SECONDS);
    atomic_fetch_add(&call->server->unsent, 1);
    if (atomic_load(&call->state) == CALL_ANSWERED)
        atomic_fetch_sub(&call->server->unanswered, 1);
    call->sent = true;
    return MHD_queue_response(call->connection, (unsigned)call->status, call->response);
}

/* What the server itself refuses also ends the connection: nobody knows where the next request
 * would start. */
static enum MHD_Result refuse(struct call *call, int status, const char *detail)
{
    struct http_server *server = call->server;
    struct http_answer answer = {.status = status};
    if (server->options.refuse)
        server->options.refuse(server->options.context, &call->request, status, detail, &answer);
    call->response = response_of(&answer, true);
    call->status = status;
    atomic_fetch_add(&server->refused, 1);
    return send_answer(call);
}

/* ---- one request, step by step ---- */

static struct link *link_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

/* The request line has been read. */
static void *on_request_line(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct call *call = malloc(sizeof *call);
    if (!call)
        abort();
    memset(call, 0, offsetof(struct call, headers));
    call->server = context;
    call->connection = connection;
    call->link = link_of(connection);
    call->head_bytes = strlen(uri);
    call->version_expected = uri + call->head_bytes + 1;
    be_patient(call, HTTP_REQUEST_SECONDS);
    return call;
}

static enum MHD_Result begin(struct call *call, const char *url, const char *method,
                             const char *version)
{
    struct http_request *request = &call->request;
    call->seen = true;
    request->method = text_of(method);
    request->path = text_of(url);
    request->headers = call->headers;
    request->parameters = call->parameters;
    MHD_get_connection_values(call->connection, MHD_HEADER_KIND, take_header, call);
    MHD_get_connection_values(call->connection, MHD_GET_ARGUMENT_KIND, take_parameter, call);
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        return refuse(call, 505, "HTTP/1.1 is spoken here.");
    if (call->confused)
        return refuse(call, 431, "There are too many header fields or parameters.");
    if (call->head_bytes > HTTP_HEAD_BYTES_MAX)
        return refuse(call, 431, "The request line and the header are too long.");
    const char *wrong = ambiguity(call, version);
    if (wrong)
        return refuse(call, 400, wrong);
    if (!decode_parameters(call))
        return refuse(call, 400, "A query parameter is not percent-encoded as it should be.");
    struct text length = http_header(request, "Content-Length");
    if (length.at && strtoull(length.at, NULL, 10) > call->server->options.body_max)
        return refuse(call, 413, "The body is too large.");
    return MHD_YES;
}

static enum MHD_Result take_body(struct call *call, const char *data, size_t *size)
{
    size_t max = call->server->options.body_max, more = *size;
    *size = 0;
    if (call->overflow || more > max - call->request.body.len) {
        call->overflow = true; /* answered when it has been read: an answer amid a body cannot be
                                  queued */
        call->discarded += more;
        return call->discarded > DISCARD_FACTOR * max ? MHD_NO : MHD_YES;
    }
    size_t need = call->request.body.len + more;
    if (need > call->body_room) {
        size_t room = call->body_room ? call->body_room : BODY_FIRST;
        while (room < need)
            room *= 2;
        call->body = realloc(call->body, room);
        if (!call->body)
            abort();
        call->body_room = room;
    }
    memcpy(call->body + call->request.body.len, data, more);
    call->request.body = (struct text){call->body, need};
    return MHD_YES;
}

/* The handler may answer at once, or later from another thread, even before it is back. */
static enum MHD_Result hand_over(struct call *call)
{
    struct http_server *server = call->server;
    be_patient(call, 0);
    atomic_fetch_add(&server->unanswered, 1);
    atomic_fetch_add(&server->requests, 1);
    atomic_store(&call->state, CALL_HANDLED);
    server->options.handle(server->options.context, &call->request);
    if (atomic_load(&call->state) == CALL_ANSWERED)
        return send_answer(call);
    int handled = CALL_HANDLED;
    MHD_suspend_connection(call->connection);
    if (!atomic_compare_exchange_strong(&call->state, &handled, CALL_SUSPENDED))
        MHD_resume_connection(call->connection);
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **slot)
{
    struct call *call = *slot;
    (void)context, (void)connection;
    if (!call->seen)
        return begin(call, url, method, version);
    if (*size)
        return take_body(call, data, size);
    if (atomic_load(&call->state) == CALL_ANSWERED)
        return send_answer(call);
    if (call->overflow)
        return refuse(call, 413, "The body is too large.");
    return hand_over(call);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode why)
{
    struct http_server *server = context;
    struct call *call = *slot;
    (void)connection, (void)why;
    if (!call)
        return;
    be_patient(call, HTTP_IDLE_SECONDS);
    if (call->sent)
        atomic_fetch_sub(&server->unsent, 1);
    else if (atomic_load(&call->state) == CALL_ANSWERED) /* the client left before its answer */
        atomic_fetch_sub(&server->unanswered, 1);
    if (call->response)
        MHD_destroy_response(call->response);
    free(call->body);
    free(call->decoded);
    free(call);
    *slot = NULL;
}

/* ---- connections ---- */

static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = context;
    struct link *link = *slot;
    pthread_mutex_lock(&server->lock);
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        link = calloc(1, sizeof *link);
        if (!link)
            abort();
        link->fd =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        atomic_store(&link->deadline_ms, clock_monotonic_ms() + HTTP_REQUEST_SECONDS * 1000);
        link->next = server->links;
        if (link->next)
            link->next->prev = link;
        server->links = link;
        *slot = link;
        atomic_fetch_add(&server->connections, 1);
    } else if (link) {
        if (link->prev)
            link->prev->next = link->next;
        else
            server->links = link->next;
        if (link->next)
            link->next->prev = link->prev;
        free(link);
        *slot = NULL;
        atomic_fetch_sub(&server->connections, 1);
    }
    pthread_mutex_unlock(&server->lock);
}

/* Cuts off who was too slow: the library's own timeout only knows inactivity. */
static void *reap(void *context)
{
    struct http_server *server = context;
    const struct timespec pause = {.tv_nsec = REAP_MS * 1000000};
    while (!atomic_load(&server->stopping)) {
        nanosleep(&pause, NULL);
        int64_t now = clock_monotonic_ms();
        pthread_mutex_lock(&server->lock);
        for (struct link *link = server->links; link; link = link->next)
            if (atomic_load(&link->deadline_ms) < now) {
                shutdown(link->fd, SHUT_RDWR);
                atomic_store(&link->deadline_ms, INT64_MAX);
                atomic_fetch_add(&server->cut_off, 1);
            }
        pthread_mutex_unlock(&server->lock);
    }
    return NULL;
}

/* ---- the server ---- */

struct any_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

static bool address_of(const struct http_server_options *options, struct any_address *ret_address)
{
    struct any_address a = {0};
    if (inet_pton(AF_INET, options->address, &a.v4.sin_addr) == 1) {
        a.v4.sin_family = AF_INET;
        a.v4.sin_port = htons((uint16_t)options->port);
    } else if (inet_pton(AF_INET6, options->address, &a.v6.sin6_addr) == 1) {
        a.v6.sin6_family = AF_INET6;
        a.v6.sin6_port = htons((uint16_t)options->port);
    } else {
        return false;
    }
    *ret_address = a;
    return true;
}

static struct MHD_Daemon *start(struct http_server *server, const struct any_address *address)
{
    const struct http_server_options *o = &server->options;
    unsigned flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem pool[] = {
        {o->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)o->threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    if (address->any.sa_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon(
        flags, (uint16_t)o->port, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR,
        &address->any, MHD_OPTION_CONNECTION_LIMIT, o->connections_max,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)4 * HTTP_HEAD_BYTES_MAX,
        MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)BACKLOG, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
}

struct err http_server_start(const struct http_server_options *options,
                             struct http_server **ret_server)
{
    struct any_address address;
    if (!address_of(options, &address))
        return FAIL(ERR_CONFIG, "address to listen on: it must be numeric");
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return FAIL(ERR_NOMEM, "http server");
    server->options = *options;
    pthread_mutex_init(&server->lock, NULL);
    server->daemon = start(server, &address);
    if (!server->daemon) {
        free(server);
        return FAIL(ERR_CONFIG, "the HTTP port cannot be listened on: is it taken?");
    }
    if (pthread_create(&server->reaper, NULL, reap, server) != 0)
        abort();
    *ret_server = server;
    return OK;
}

int http_server_port(const struct http_server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

struct err http_server_drain(struct http_server *server, int timeout_ms)
{
    const struct timespec pause = {.tv_nsec = DRAIN_POLL_MS * 1000000};
    int64_t until = clock_monotonic_ms() + timeout_ms;
    if (!atomic_exchange(&server->draining, true)) {
        MHD_socket listener = MHD_quiesce_daemon(server->daemon);
        if (listener != MHD_INVALID_SOCKET)
            close(listener);
    }
    while (atomic_load(&server->unanswered) + atomic_load(&server->unsent) > 0 &&
           clock_monotonic_ms() < until)
        nanosleep(&pause, NULL);
    return atomic_load(&server->unanswered) ? FAIL(ERR_TIMEOUT, "requests are still unanswered")
                                            : OK;
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    MHD_stop_daemon(server->daemon);
    atomic_store(&server->stopping, true);
    pthread_join(server->reaper, NULL);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

struct http_server_counts http_server_counts(const struct http_server *server)
{
    return (struct http_server_counts){
        .requests = atomic_load(&server->requests),
        .refused = atomic_load(&server->refused),
        .connections_open = atomic_load(&server->connections),
        .cut_off = atomic_load(&server->cut_off),
    };
}
