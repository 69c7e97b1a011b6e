/* What the pg_*.c files share: connections, statements, and what an SQLSTATE means. Only they
 * include this. */
#ifndef RUNTIME_PG_H
#define RUNTIME_PG_H

#include "core/err.h"
#include "runtime/store.h"

struct pg_conn;   /* PGconn */
struct pg_result; /* PGresult */

struct pg {
    struct pg_conn *conn;
    int place; /* among those that store_hang_up ends, from 1; 0: none */
    char message[STORE_MESSAGE_MAX + 1];
};

/* settings: pairs "name=value ..." as for libpq's options keyword, such as "-c jit=off". */
NODISCARD struct err pg_open(struct pg *pg, const char *conninfo, const char *application,
                             const char *settings, int connect_seconds);
void pg_close(struct pg *pg);
/* Notes what the database said and classes it. OK when the result is one of success. */
NODISCARD struct err pg_judge(struct pg *pg, const struct pg_result *result);
/* Runs a statement, or several, for its effect. */
NODISCARD struct err pg_do(struct pg *pg, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Runs a statement with text parameters; the caller clears *ret_result. */
NODISCARD struct err pg_ask(struct pg *pg, const char *sql, int count, const char *const *params,
                            struct pg_result **ret_result);
/* The value at (row, column) of a text result as a number; 0 when NULL. */
long long pg_number(const struct pg_result *result, int row, int column);

enum { UNIT_STATEMENTS_MAX = 256 };

struct store {
    struct pg pg;
    struct store_table *writing[UNIT_STATEMENTS_MAX]; /* whose statements are under way; NULL: the
                                                         fence */
    size_t under_way;
    unsigned tables_opened; /* names prepared statements */
    bool fence_prepared;
};

#endif
