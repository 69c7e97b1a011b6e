/* Reading a service's database on behalf of query routes. One connection per thread and service:
 * open it once, keep it; query_run connects when needed and reconnects once when the connection
 * turns out to be broken. Statements are read-only by construction (default_transaction_read_only)
 * and bounded by QUERY_TIMEOUT_MS. No libpq type leaves.
 *
 *     struct query_value params[] = {QUERY_UUID(order_id)};
 *     struct query_rows rows;
 *     TRY(query_run(connection, "SELECT status, version, placed_at FROM orders WHERE id = $1",
 * params, 1, arena, &rows)); if (rows.count == 0) ... struct text status = query_at(&rows, 0,
 * 0)->text; int64_t version = query_at(&rows, 0, 1)->number; */
#ifndef RUNTIME_QUERY_H
#define RUNTIME_QUERY_H

#include "core/arena.h"
#include "core/err.h"
#include "core/query_value.h"

enum {
    QUERY_TIMEOUT_MS = 5000, /* of one statement */
    QUERY_CONNECT_SECONDS = 3,
    QUERY_PARAMS_MAX = 16,
    QUERY_COLUMNS_MAX = 32,
    QUERY_STATEMENTS_MAX = 64, /* prepared statements kept per connection */
};

struct query_connection; /* used by one thread at a time */

/* Does not connect yet. conninfo: libpq's, of the service's database. */
NODISCARD struct err query_open(const char *conninfo, struct query_connection **ret_connection);
/* The same, but statements may write; each is its own transaction, and is run a second time when
 * the connection broke: so each must be safe to repeat. */
NODISCARD struct err query_open_writing(const char *conninfo,
                                        struct query_connection **ret_connection);
void query_close(struct query_connection *connection); /* NULL is fine */

/* Runs one SELECT. sql has $1...; it is prepared once per connection. Parameters have the type of
 * their kind (number: bigint), so `WHERE line = $1` works for any integer column and no cast is
 * needed. Errors: ERR_UNAVAILABLE  the database cannot be reached, or is shutting down (class
 * RETRY: answer 503) ERR_TIMEOUT      QUERY_TIMEOUT_MS went by (class RETRY) ERR_NOT_FOUND    the
 * view is not there: dropped, or not migrated (answer 503 read-model-rebuilding) ERR_NOMEM the
 * arena is full ERR_REFUSED      the statement is wrong, or gives a type not listed above: our bug;
 * text by query_message */
NODISCARD struct err query_run(struct query_connection *connection, const char *sql,
                               const struct query_value *params, size_t params_count,
                               struct arena *arena, struct query_rows *ret_rows);
/* What the database said to the last failed query_run; never NULL. */
const char *query_message(const struct query_connection *connection);

/* Where a read model stands, for Foldlog-Min-Position: one row per source partition. */
enum model_status { MODEL_LIVE, MODEL_REBUILDING, MODEL_HALTED, MODEL_MISSING };
/* *ret_commands_next: every command of `service`.commands below it has been decided and the
 * decision applied to the read model `name` (0: nothing yet); a token service:partition:offset is
 * reached when it is > offset. *ret_status says why it may never be. ERR_NOT_FOUND: no such read
 * model here. */
NODISCARD struct err query_position(struct query_connection *connection, const char *name,
                                    const char *service, int partition, struct arena *arena,
                                    int64_t *ret_commands_next, enum model_status *ret_status);

#endif
