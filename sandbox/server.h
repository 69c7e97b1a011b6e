/* HTTP for routes.c: one thread per connection, so that a held answer blocks no other. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "sandbox/routes.h"

struct server;

/*
 * Starts to serve on a bound, listening socket, which it takes over even on failure. `routes`
 * must outlive the server. NULL with a message in `ret_why` on failure.
 */
struct server *server_start(int listen_fd, struct routes *routes, char *ret_why, size_t why_size);

/* Ends held answers at once, waits for the others. Takes NULL. */
void server_stop(struct server *server);
