/* Reading a service's database on behalf of query routes. One connection per thread and service: open it once, keep
 * it; query_run connects when needed and reconnects once when the connection turns out to be broken. Statements are
 * read-only by construction (default_transaction_read_only) and bounded by QUERY_TIMEOUT_MS. No libpq type leaves.
 *
 *     struct query_value params[] = {QUERY_UUID(order_id)};
 *     struct query_rows rows;
 *     TRY(query_run(connection, "SELECT status, version, placed_at FROM orders WHERE id = $1", params, 1, arena, &rows));
 *     if (rows.count == 0) ...
 *     struct text status = query_at(&rows, 0, 0)->text;
 *     int64_t version = query_at(&rows, 0, 1)->number; */
#ifndef RUNTIME_QUERY_H
#define RUNTIME_QUERY_H

#include "core/arena.h"
#include "core/err.h"
#include "core/uuid.h"

enum {
    QUERY_TIMEOUT_MS = 5000, /* of one statement */
    QUERY_CONNECT_SECONDS = 3,
    QUERY_PARAMS_MAX = 16,
    QUERY_COLUMNS_MAX = 32,
    QUERY_STATEMENTS_MAX = 64, /* prepared statements kept per connection */
};

/* Parameters and results alike. PostgreSQL types: number: smallint, integer, bigint (also count(*));
 * boolean: boolean; time: timestamptz, microseconds since 1970; text: text, varchar, and numeric as digits. */
enum query_kind { QUERY_KIND_NULL, QUERY_KIND_TEXT, QUERY_KIND_UUID, QUERY_KIND_NUMBER, QUERY_KIND_BOOLEAN, QUERY_KIND_TIME };

struct query_value {
    enum query_kind kind;
    union {
        struct text text; /* results: in the arena */
        struct uuid uuid;
        int64_t number; /* NUMBER, and microseconds of TIME */
        bool boolean;
    };
};

#define QUERY_TEXT(value) ((struct query_value){.kind = QUERY_KIND_TEXT, .text = (value)})
#define QUERY_UUID(value) ((struct query_value){.kind = QUERY_KIND_UUID, .uuid = (value)})
#define QUERY_NUMBER(value) ((struct query_value){.kind = QUERY_KIND_NUMBER, .number = (value)})
#define QUERY_BOOLEAN(value) ((struct query_value){.kind = QUERY_KIND_BOOLEAN, .boolean = (value)})
#define QUERY_TIME(value) ((struct query_value){.kind = QUERY_KIND_TIME, .number = (value)})
#define QUERY_NULL ((struct query_value){.kind = QUERY_KIND_NULL})

struct query_rows {
    size_t count;
    size_t columns;
    struct query_value *values; /* count * columns, in the arena */
};

struct query_connection; /* used by one thread at a time */

/* Does not connect yet. conninfo: libpq's, of the service's database. */
NODISCARD struct err query_open(const char *conninfo, struct query_connection **ret_connection);
void query_close(struct query_connection *connection); /* NULL is fine */

/* Runs one SELECT. sql is a static string with $1...: it is prepared once per connection and found again by its
 * address. Parameters have the type of their kind (number: bigint), so `WHERE line = $1` works for any integer
 * column and no cast is needed. Errors:
 *   ERR_UNAVAILABLE  the database cannot be reached, or is shutting down (class RETRY: answer 503)
 *   ERR_TIMEOUT      QUERY_TIMEOUT_MS went by (class RETRY)
 *   ERR_NOMEM        the arena is full
 *   ERR_REFUSED      the statement is wrong, or gives a type not listed above: our bug; text by query_message */
NODISCARD struct err query_run(struct query_connection *connection, const char *sql, const struct query_value *params,
                               size_t params_count, struct arena *arena, struct query_rows *ret_rows);
/* What the database said to the last failed query_run; never NULL. */
const char *query_message(const struct query_connection *connection);

static inline const struct query_value *query_at(const struct query_rows *rows, size_t row, size_t column)
{
    return &rows->values[row * rows->columns + column];
}

/* Where a read model stands, for Foldlog-Min-Position: one row per source partition. */
enum model_status { MODEL_LIVE, MODEL_REBUILDING, MODEL_HALTED, MODEL_MISSING };
/* *ret_commands_next: every command of `service`.commands below it has been decided and the decision applied to the
 * read model `name` (0: nothing yet); a token service:partition:offset is reached when it is > offset. *ret_status
 * says why it may never be. ERR_NOT_FOUND: `name` does not fold that log. */
NODISCARD struct err query_position(struct query_connection *connection, const char *name, const char *service,
                                    int partition, struct arena *arena, int64_t *ret_commands_next,
                                    enum model_status *ret_status);

#endif
