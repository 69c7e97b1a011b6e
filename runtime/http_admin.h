/* The admin port: /livez, /readyz[?verbose] and /metrics, for orchestrators and Prometheus;
 * loopback or an inner net. */
#ifndef RUNTIME_HTTP_ADMIN_H
#define RUNTIME_HTTP_ADMIN_H

#include <stdbool.h>

#include "core/err.h"

enum { ADMIN_PAGE_BYTES = 256 * 1024 };

/* Text that grows up to ADMIN_PAGE_BYTES; the rest is cut. */
struct admin_page {
    char *at;
    unsigned long used, size;
};
void admin_print(struct admin_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* # HELP, # TYPE and one sample without labels. kind: counter or gauge. */
void admin_metric(struct admin_page *page, const char *name, const char *kind, const char *help,
                  long long value);

struct http_admin_options {
    const char *address; /* numeric */
    int port;
    void *context;
    /* Both are called on the admin server's thread. ready: one line per part for ?verbose; true:
     * all are ready. */
    bool (*ready)(void *context, struct admin_page *page);
    void (*metrics)(void *context, struct admin_page *page);
};

struct http_admin;

NODISCARD struct err http_admin_start(const struct http_admin_options *options,
                                      struct http_admin **ret_admin);
void http_admin_stop(struct http_admin *admin); /* NULL is fine */

#endif
