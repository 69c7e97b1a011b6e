/* Collects a request, has it answered, holds or drops the answer as told. */
#include "sandbox/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/limits.h"
#include "sandbox/memory.h"

struct server {
    struct MHD_Daemon *daemon;
    struct routes *routes;
    int stop_fd; /* readable once the server stops */
};

struct upload {
    char *bytes;
    size_t size;
    size_t seen; /* including what was thrown away */
    bool too_long;
};

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the time is over, the client is gone or the server stops. False: no use to answer. */
static bool hold(const struct server *server, struct MHD_Connection *connection, uint32_t wait_ms)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct pollfd waits[] = {
        {.fd = server->stop_fd, .events = POLLIN},
        {.fd = info ? info->connect_fd : -1, .events = POLLRDHUP},
    };
    int64_t until = monotonic_ms() + wait_ms;
    for (int64_t left = wait_ms; left > 0; left = until - monotonic_ms()) {
        int ready = poll(waits, 2, (int)left);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return false;
    }
    return true;
}

static bool add_header(struct MHD_Response *response, const char *name, const char *value)
{
    return !value || MHD_add_response_header(response, name, value) == MHD_YES;
}

/* MHD_NO closes the connection without an answer. Takes over the reply's body. */
static enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(reply->body), reply->body, MHD_RESPMEM_MUST_FREE);
    if (!response)
        return MHD_NO;
    reply->body = NULL;
    bool built = add_header(response, "Content-Type", "application/json") &&
                 add_header(response, "Allow", reply->allow) &&
                 add_header(response, "Idempotency-Key", reply->key) &&
                 add_header(response, "Idempotent-Replayed", reply->replayed ? "true" : NULL);
    enum MHD_Result result =
        built ? MHD_queue_response(connection, reply->status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(const struct server *server, struct MHD_Connection *connection,
                              const char *path, const char *method, const struct upload *upload)
{
    struct call call = {
        .method = method,
        .path = path,
        .key = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Idempotency-Key"),
        .key_asked =
            MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "idempotency_key"),
        .body = upload->bytes,
        .body_size = upload->size,
        .body_too_long = upload->too_long,
    };
    struct reply reply = routes_answer(server->routes, &call);
    bool wanted = reply.wait_ms == 0 || hold(server, connection, reply.wait_ms);
    enum MHD_Result result = wanted && !reply.drop ? send_reply(connection, &reply) : MHD_NO;
    reply_finish(&reply);
    return result;
}

static enum MHD_Result collect(struct upload *upload, const char *bytes, size_t *size)
{
    upload->seen += *size;
    if (upload->seen > LIMIT_BODY_BYTES) {
        upload->too_long = true;
    } else {
        upload->bytes = memory_checked(realloc(upload->bytes, upload->seen));
        memcpy(upload->bytes + upload->size, bytes, *size);
        upload->size = upload->seen;
    }
    *size = 0;
    return upload->seen > LIMIT_DISCARD_BYTES ? MHD_NO : MHD_YES;
}

/* A length said beforehand that is too long is refused before it is sent. */
static bool announces_too_much(struct MHD_Connection *connection)
{
    const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    return text && strtoull(text, NULL, 10) > LIMIT_BODY_BYTES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *bytes, size_t *size, void **upload_place)
{
    (void)version;
    struct upload *upload = *upload_place;
    if (!upload) {
        upload = *upload_place = memory_zeroed(sizeof *upload);
        upload->too_long = announces_too_much(connection);
        return upload->too_long ? answer(context, connection, path, method, upload) : MHD_YES;
    }
    if (*size > 0)
        return collect(upload, bytes, size);
    return answer(context, connection, path, method, upload);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **upload_place,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    struct upload *upload = *upload_place;
    if (!upload)
        return;
    free(upload->bytes);
    free(upload);
    *upload_place = NULL;
}

struct server *server_start(int listen_fd, struct routes *routes, char *ret_why, size_t why_size)
{
    struct server *server = memory_zeroed(sizeof *server);
    *server = (struct server){.routes = routes, .stop_fd = eventfd(0, EFD_CLOEXEC)};
    if (server->stop_fd >= 0)
        server->daemon = MHD_start_daemon(
            MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                MHD_USE_ITC,
            0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, listen_fd,
            MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)LIMIT_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)LIMIT_IDLE_S,
            MHD_OPTION_THREAD_STACK_SIZE, (size_t)LIMIT_STACK_BYTES, MHD_OPTION_END);
    if (server->daemon)
        return server;
    snprintf(ret_why, why_size, "cannot start the HTTP server: %s", strerror(errno));
    close(listen_fd);
    server_stop(server);
    return NULL;
}

void server_stop(struct server *server)
{
    if (!server)
        return;
    if (server->stop_fd >= 0)
        eventfd_write(server->stop_fd, 1);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    if (server->stop_fd >= 0)
        close(server->stop_fd);
    free(server);
}
