/* Whether a service's database, or the vault, lets us in; and by which setting it is reached. */
#ifndef APP_DATABASE_H
#define APP_DATABASE_H

#include "core/err.h"

enum { DATABASE_SAID_MAX = 320 };

/* Connects once and leaves. On an error `said` tells the setting and what the server said to it, or
 * libpq; no password. Any thread; blocks as query_run does. */
NODISCARD struct err database_try(const char *service, char said[DATABASE_SAID_MAX]);

#endif
