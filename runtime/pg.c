/* Connections to PostgreSQL and the meaning of its answers. */
#include "runtime/pg.h"

#include <assert.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STATE_LEN = 5, SQL_MAX = 16384, OPEN_MAX = 128 };

/* Every open connection's socket once more: libpq may close its own at any moment, and the number
 * may be another's then. */
static struct {
    pthread_mutex_t lock;
    int sockets[OPEN_MAX + 1]; /* by place, from 1; 0: free */
    bool hung_up;
} lines = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* SQLSTATE as base 36: fits in 26 bits. */
static int32_t pack_state(const char *state)
{
    int32_t packed = 0;
    for (int i = 0; i < STATE_LEN && state[i]; i++)
        packed = packed * 36 + (state[i] <= '9' ? state[i] - '0' : state[i] - 'A' + 10);
    return packed;
}

static bool starts(const char *state, const char *with)
{
    return strncmp(state, with, strlen(with)) == 0;
}

/* PostgreSQL, appendix A: error codes. What the statement itself is wrong in halts; all else may
 * pass: connections, conflicts, a full disk, a server in trouble. */
static struct err judge_state(const char *state)
{
    static const char *const final[] = {"0A", "21", "22", "23", "42", "44", "54"};
    int32_t cause = pack_state(state);
    if (starts(state, "FL"))
        return FAIL_CAUSE(ERR_DEPOSED, "fence of the read models", cause);
    if (starts(state, "42P01") || starts(state, "3F000"))
        return FAIL_CAUSE(ERR_NOT_FOUND, "table of a read model", cause);
    if (starts(state, "57014"))
        return FAIL_CAUSE(ERR_TIMEOUT, "statement took too long", cause);
    for (size_t i = 0; i < COUNT(final); i++)
        if (starts(state, final[i]) && !starts(state, "42501")) /* a privilege may be given back */
            return FAIL_CAUSE(ERR_REFUSED, "statement", cause);
    return FAIL_CAUSE(ERR_UNAVAILABLE, "database", cause);
}

static void keep_message(struct pg *pg, const char *message)
{
    size_t len = strcspn(message, "\n");
    snprintf(pg->message, sizeof pg->message, "%.*s", (int)len, message);
}

struct err pg_judge(struct pg *pg, const struct pg_result *result)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE ||
        status == PGRES_PIPELINE_SYNC || status == PGRES_COPY_IN)
        return OK;
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    if (status == PGRES_PIPELINE_ABORTED)
        return FAIL(ERR_UNAVAILABLE, "an earlier statement failed");
    const char *said = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    keep_message(pg, said ? said : PQerrorMessage(pg->conn));
    if (!state)
        return FAIL(ERR_UNAVAILABLE, "connection to the database");
    return judge_state(state);
}

static struct err check_connection(struct pg *pg)
{
    if (PQstatus(pg->conn) == CONNECTION_OK)
        return OK;
    keep_message(pg, PQerrorMessage(pg->conn));
    return FAIL(ERR_UNAVAILABLE, "connection to the database");
}

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* ---- hanging up ---- */

static struct err take_place(struct pg *pg)
{
    struct err e = OK;
    int place = 1;
    pthread_mutex_lock(&lines.lock);
    while (place <= OPEN_MAX && lines.sockets[place])
        place++;
    assert(place <= OPEN_MAX);
    if (lines.hung_up)
        e = FAIL(ERR_UNAVAILABLE, "this process is stopping");
    else if ((lines.sockets[place] = dup(PQsocket(pg->conn))) > 0)
        pg->place = place;
    else
        lines.sockets[place] = 0;
    pthread_mutex_unlock(&lines.lock);
    return e;
}

static void leave_place(struct pg *pg)
{
    if (!pg->place)
        return;
    pthread_mutex_lock(&lines.lock);
    close(lines.sockets[pg->place]);
    lines.sockets[pg->place] = 0;
    pthread_mutex_unlock(&lines.lock);
    pg->place = 0;
}

static bool has_hung_up(void)
{
    pthread_mutex_lock(&lines.lock);
    bool hung_up = lines.hung_up;
    pthread_mutex_unlock(&lines.lock);
    return hung_up;
}

void store_hang_up(void)
{
    pthread_mutex_lock(&lines.lock);
    lines.hung_up = true;
    for (int place = 1; place <= OPEN_MAX; place++)
        if (lines.sockets[place])
            shutdown(lines.sockets[place], SHUT_RDWR);
    pthread_mutex_unlock(&lines.lock);
}

/* ---- connections ---- */

struct err pg_open(struct pg *pg, const char *conninfo, const char *application,
                   const char *settings, int connect_seconds)
{
    char seconds[16];
    *pg = (struct pg){0};
    if (has_hung_up())
        return FAIL(ERR_UNAVAILABLE, "this process is stopping");
    snprintf(seconds, sizeof seconds, "%d", connect_seconds);
    /* dbname first: it is expanded as a conninfo string, and what follows overrides it. */
    const char *names[] = {"dbname",
                           "application_name",
                           "options",
                           "connect_timeout",
                           "keepalives",
                           "keepalives_idle",
                           "keepalives_interval",
                           "keepalives_count",
                           "tcp_user_timeout",
                           "client_encoding",
                           NULL};
    const char *values[] = {conninfo, application, settings, seconds, "1", "5",
                            "2",      "3",         "10000",  "UTF8",  NULL};
    pg->conn = PQconnectdbParams(names, values, 1);
    if (!pg->conn)
        return FAIL(ERR_NOMEM, "connection to the database");
    struct err err = check_connection(pg);
    if (err.code == ERR_OK)
        err = take_place(pg);
    if (err.code != ERR_OK) {
        pg_close(pg);
        return err;
    }
    PQsetNoticeReceiver(pg->conn, ignore_notice, NULL);
    return OK;
}

void pg_close(struct pg *pg)
{
    leave_place(pg);
    PQfinish(pg->conn);
    pg->conn = NULL;
}

struct err pg_do(struct pg *pg, const char *format, ...)
{
    char *sql = malloc(SQL_MAX);
    if (!sql)
        return FAIL(ERR_NOMEM, "statement");
    va_list args;
    va_start(args, format);
    int len = vsnprintf(sql, SQL_MAX, format, args);
    va_end(args);
    if (len < 0 || len >= SQL_MAX) {
        free(sql);
        return FAIL(ERR_REFUSED, "statement too long");
    }
    PGresult *result = PQexec(pg->conn, sql);
    free(sql);
    struct err err = pg_judge(pg, result);
    PQclear(result);
    return err;
}

struct err pg_ask(struct pg *pg, const char *sql, int count, const char *const *params,
                  struct pg_result **ret_result)
{
    PGresult *result = PQexecParams(pg->conn, sql, count, NULL, params, NULL, NULL, 0);
    struct err err = pg_judge(pg, result);
    if (err.code == ERR_OK)
        *ret_result = result;
    else
        PQclear(result);
    return err;
}

long long pg_number(const struct pg_result *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? 0
                                            : strtoll(PQgetvalue(result, row, column), NULL, 10);
}
