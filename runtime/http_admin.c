/* Three pages on a server of their own, which answers when the other is busy. */
#include "runtime/http_admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/http_server.h"

enum { ADMIN_CONNECTIONS_MAX = 32 };

struct http_admin {
    struct http_admin_options options;
    struct http_server *server;
    char page[ADMIN_PAGE_BYTES]; /* of the one thread */
};

void admin_print(struct admin_page *page, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(page->at + page->used, page->size - page->used, format, args);
    va_end(args);
    if (len > 0 && page->used + (unsigned long)len < page->size)
        page->used += (unsigned long)len;
}

void admin_metric(struct admin_page *page, const char *name, const char *kind, const char *help,
                  long long value)
{
    admin_print(page, "# HELP %s %s\n# TYPE %s %s\n%s %lld\n", name, help, name, kind, name, value);
}

static void respond(struct http_request *request, int status, const char *type,
                    const struct admin_page *page)
{
    http_respond(request, &(struct http_answer){.status = status,
                                                .content_type = type,
                                                .body = {page->at, page->used}});
}

static void answer_ready(struct http_admin *admin, struct http_request *request,
                         struct admin_page *page)
{
    bool ready = admin->options.ready(admin->options.context, page);
    bool verbose =
        request->parameters_count == 1 && text_is(request->parameters[0].name, "verbose");
    if (!verbose)
        page->used = 0;
    admin_print(page, ready ? "ready\n" : "not ready\n");
    respond(request, ready ? 200 : 503, "text/plain; charset=utf-8", page);
}

static void handle(void *context, struct http_request *request)
{
    struct http_admin *admin = context;
    struct admin_page page = {.at = admin->page, .size = sizeof admin->page};
    static const char plain[] = "text/plain; charset=utf-8";
    if (!text_is(request->method, "GET") && !text_is(request->method, "HEAD")) {
        respond(request, 405, plain, &page);
    } else if (text_is(request->path, "/livez")) {
        admin_print(&page, "live\n");
        respond(request, 200, plain, &page);
    } else if (text_is(request->path, "/readyz")) {
        answer_ready(admin, request, &page);
    } else if (text_is(request->path, "/metrics")) {
        admin->options.metrics(admin->options.context, &page);
        respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", &page);
    } else {
        admin_print(&page, "/livez, /readyz[?verbose], /metrics\n");
        respond(request, 404, plain, &page);
    }
}

struct err http_admin_start(const struct http_admin_options *options, struct http_admin **ret_admin)
{
    struct http_admin *admin = calloc(1, sizeof *admin);
    if (!admin)
        return FAIL(ERR_NOMEM, "admin server");
    admin->options = *options;
    struct err e =
        http_server_start(&(struct http_server_options){.address = options->address,
                                                        .port = options->port,
                                                        .threads = 1,
                                                        .connections_max = ADMIN_CONNECTIONS_MAX,
                                                        .body_max = 0,
                                                        .handle = handle,
                                                        .context = admin},
                          &admin->server);
    if (e.code != ERR_OK) {
        free(admin);
        return e;
    }
    *ret_admin = admin;
    return OK;
}

void http_admin_stop(struct http_admin *admin)
{
    if (!admin)
        return;
    http_server_stop(admin->server);
    free(admin);
}
