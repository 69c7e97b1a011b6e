/* What the demo knows of HTTP: one JSON call after the other, as any client makes them. One thread.
 */
#ifndef APP_DEMO_HTTP_H
#define APP_DEMO_HTTP_H

#include <jansson.h>
#include <stdbool.h>

enum { DEMO_URL_MAX = 512, DEMO_CALL_MS = 10000 };

struct demo_http; /* one connection, kept */

/* base: http://host:port, copied. NULL when there is no memory. */
struct demo_http *demo_http_open(const char *base);
void demo_http_close(struct demo_http *http); /* NULL is fine */
/* Without the slash at the end. */
const char *demo_http_base(const struct demo_http *http);

/* From now on calls bring this access token. False: too long. */
bool demo_http_bear(struct demo_http *http, const char *token);
/* The HTTP status, or 0 when no answer came. key: Idempotency-Key, NULL for none; body: stolen,
 * NULL for none. *ret_body is the caller's, NULL when the answer is no JSON. */
int demo_http_call(struct demo_http *http, const char *method, const char *path, const char *key,
                   json_t *body, json_t **ret_body);
/* The same, and says on stderr what went wrong when the status is not 2xx; the body, or NULL. */
json_t *demo_http_must(struct demo_http *http, const char *method, const char *path,
                       const char *key, json_t *body);

#endif
