/* Reading read models for query routes, on PostgreSQL. */
#include "runtime/pg.h"
#include "runtime/pg_codec.h"
#include "runtime/query.h"

#include <assert.h>
#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OID_BOOLEAN = 16,
    OID_BIGINT = 20,
    OID_SMALLINT = 21,
    OID_INTEGER = 23,
    OID_TEXT = 25,
    OID_VARCHAR = 1043,
    OID_TIMESTAMPTZ = 1184,
    OID_UUID = 2950
};
enum { NAME_BYTES = 16 };
#define EPOCH_US ((int64_t)PG_EPOCH_SECONDS * 1000000)

struct statement {
    char *sql;
    enum query_kind kinds[QUERY_PARAMS_MAX];
    size_t params_count;
};

struct query_connection {
    char *conninfo;
    bool writes;
    struct pg pg;
    struct statement statements[QUERY_STATEMENTS_MAX];
    size_t next; /* the slot the next new statement takes */
};

struct err query_open(const char *conninfo, struct query_connection **ret_connection)
{
    struct query_connection *c = calloc(1, sizeof *c);
    char *copy = strdup(conninfo);
    if (!c || !copy) {
        free(c);
        free(copy);
        return FAIL(ERR_NOMEM, "query connection");
    }
    c->conninfo = copy;
    *ret_connection = c;
    return OK;
}

struct err query_open_writing(const char *conninfo, struct query_connection **ret_connection)
{
    TRY(query_open(conninfo, ret_connection));
    (*ret_connection)->writes = true;
    return OK;
}

static void disconnect(struct query_connection *c)
{
    pg_close(&c->pg);
    for (size_t i = 0; i < QUERY_STATEMENTS_MAX; i++)
        free(c->statements[i].sql);
    memset(c->statements, 0, sizeof c->statements);
    c->next = 0;
}

void query_close(struct query_connection *connection)
{
    if (!connection)
        return;
    disconnect(connection);
    free(connection->conninfo);
    free(connection);
}

const char *query_message(const struct query_connection *connection)
{
    return connection->pg.message;
}

static struct err connect_now(struct query_connection *c)
{
    char settings[160];
    disconnect(c);
    snprintf(settings, sizeof settings,
             "-c statement_timeout=%d -c default_transaction_read_only=%s -c jit=off -c "
             "client_min_messages=error"
             " -c timezone=UTC",
             QUERY_TIMEOUT_MS, c->writes ? "off" : "on");
    return pg_open(&c->pg, c->conninfo, "foldlog query", settings, QUERY_CONNECT_SECONDS);
}

/* ---- statements ---- */

static Oid oid_of(enum query_kind kind)
{
    switch (kind) {
    case QUERY_KIND_NULL:
        return 0; /* PostgreSQL infers it */
    case QUERY_KIND_TEXT:
        return OID_TEXT;
    case QUERY_KIND_UUID:
        return OID_UUID;
    case QUERY_KIND_NUMBER:
        return OID_BIGINT;
    case QUERY_KIND_BOOLEAN:
        return OID_BOOLEAN;
    case QUERY_KIND_TIME:
        return OID_TIMESTAMPTZ;
    }
    return 0;
}

static bool is_statement(const struct statement *s, const char *sql,
                         const struct query_value *params, size_t count)
{
    if (!s->sql || s->params_count != count || strcmp(s->sql, sql) != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (s->kinds[i] != params[i].kind)
            return false;
    return true;
}

static void statement_name(size_t slot, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "q%zu", slot);
}

static struct err forget_statement(struct query_connection *c, size_t slot)
{
    char name[NAME_BYTES];
    if (!c->statements[slot].sql)
        return OK;
    free(c->statements[slot].sql);
    c->statements[slot].sql = NULL;
    statement_name(slot, name);
    return pg_do(&c->pg, "DEALLOCATE %s", name);
}

static struct err prepare(struct query_connection *c, const char *sql,
                          const struct query_value *params, size_t count, size_t *ret_slot)
{
    Oid types[QUERY_PARAMS_MAX];
    char name[NAME_BYTES];
    for (size_t i = 0; i < QUERY_STATEMENTS_MAX; i++)
        if (is_statement(&c->statements[i], sql, params, count)) {
            *ret_slot = i;
            return OK;
        }
    size_t slot = c->next;
    struct statement *s = &c->statements[slot];
    TRY(forget_statement(c, slot));
    for (size_t i = 0; i < count; i++) {
        s->kinds[i] = params[i].kind;
        types[i] = oid_of(params[i].kind);
    }
    s->params_count = count;
    statement_name(slot, name);
    PGresult *result = PQprepare(c->pg.conn, name, sql, (int)count, types);
    struct err err = pg_judge(&c->pg, result);
    PQclear(result);
    TRY(err);
    s->sql = strdup(sql);
    if (!s->sql)
        return FAIL(ERR_NOMEM, "statement");
    c->next = (slot + 1) % QUERY_STATEMENTS_MAX;
    *ret_slot = slot;
    return OK;
}

/* ---- parameters ---- */

struct arguments {
    const char *values[QUERY_PARAMS_MAX];
    int lengths[QUERY_PARAMS_MAX];
    int formats[QUERY_PARAMS_MAX];
    uint64_t numbers[QUERY_PARAMS_MAX];
};

static void bind_bytes(struct arguments *a, size_t i, const void *at, size_t len)
{
    a->values[i] = len ? at : "";
    a->lengths[i] = (int)len;
    a->formats[i] = 1;
}

static void bind_number(struct arguments *a, size_t i, int64_t number)
{
    a->numbers[i] = htobe64((uint64_t)number);
    bind_bytes(a, i, &a->numbers[i], sizeof a->numbers[i]);
}

static void bind(struct arguments *a, size_t i, const struct query_value *value)
{
    switch (value->kind) {
    case QUERY_KIND_NULL:
        a->values[i] = NULL;
        return;
    case QUERY_KIND_TEXT:
        bind_bytes(a, i, value->text.at, value->text.len);
        return;
    case QUERY_KIND_UUID:
        bind_bytes(a, i, value->uuid.bytes, sizeof value->uuid.bytes);
        return;
    case QUERY_KIND_NUMBER:
        bind_number(a, i, value->number);
        return;
    case QUERY_KIND_BOOLEAN:
        bind_bytes(a, i, value->boolean ? "\1" : "\0", 1);
        return;
    case QUERY_KIND_TIME:
        bind_number(a, i, value->number - EPOCH_US);
        return;
    }
}

/* ---- results ---- */

static int64_t integer_of(const char *at, int len)
{
    uint64_t wide;
    uint32_t middle;
    uint16_t narrow;
    if (len == sizeof narrow) {
        memcpy(&narrow, at, sizeof narrow);
        return (int16_t)be16toh(narrow);
    }
    if (len == sizeof middle) {
        memcpy(&middle, at, sizeof middle);
        return (int32_t)be32toh(middle);
    }
    assert(len == sizeof wide);
    memcpy(&wide, at, sizeof wide);
    return (int64_t)be64toh(wide);
}

static struct err take_text(const char *at, size_t len, struct arena *arena,
                            struct query_value *ret_value)
{
    *ret_value = QUERY_TEXT(((struct text){"", 0}));
    if (len == 0)
        return OK;
    ret_value->text = arena_copy(arena, (struct text){at, len});
    return ret_value->text.at ? OK : FAIL(ERR_NOMEM, "result of a query");
}

static struct err take(const PGresult *result, int row, int column, struct arena *arena,
                       struct query_value *ret_value)
{
    const char *at = PQgetvalue(result, row, column);
    int len = PQgetlength(result, row, column);
    *ret_value = QUERY_NULL;
    if (PQgetisnull(result, row, column))
        return OK;
    switch (PQftype(result, column)) {
    case OID_SMALLINT:
    case OID_INTEGER:
    case OID_BIGINT:
        *ret_value = QUERY_NUMBER(integer_of(at, len));
        return OK;
    case OID_BOOLEAN:
        *ret_value = QUERY_BOOLEAN(*at != 0);
        return OK;
    case OID_TIMESTAMPTZ:
        *ret_value = QUERY_TIME(integer_of(at, len) + EPOCH_US);
        return OK;
    case OID_UUID:
        ret_value->kind = QUERY_KIND_UUID;
        memcpy(ret_value->uuid.bytes, at, sizeof ret_value->uuid.bytes);
        return OK;
    case OID_TEXT:
    case OID_VARCHAR:
        return take_text(at, (size_t)len, arena, ret_value);
    }
    return FAIL(ERR_REFUSED, "a column of a type that queries do not read");
}

static struct err take_all(const PGresult *result, struct arena *arena, struct query_rows *ret_rows)
{
    size_t count = (size_t)PQntuples(result), columns = (size_t)PQnfields(result);
    if (columns > QUERY_COLUMNS_MAX)
        return FAIL(ERR_REFUSED, "too many columns");
    struct query_value *values = arena_alloc(arena, (count * columns + 1) * sizeof *values);
    if (!values)
        return FAIL(ERR_NOMEM, "result of a query");
    for (size_t i = 0; i < count * columns; i++)
        TRY(take(result, (int)(i / columns), (int)(i % columns), arena, &values[i]));
    *ret_rows = (struct query_rows){.count = count, .columns = columns, .values = values};
    return OK;
}

/* ---- running ---- */

static struct err run_once(struct query_connection *c, const char *sql,
                           const struct query_value *params, size_t count, struct arena *arena,
                           struct query_rows *ret_rows)
{
    struct arguments arguments = {0};
    char name[NAME_BYTES];
    size_t slot = 0;
    TRY(prepare(c, sql, params, count, &slot));
    for (size_t i = 0; i < count; i++)
        bind(&arguments, i, &params[i]);
    statement_name(slot, name);
    PGresult *result = PQexecPrepared(c->pg.conn, name, (int)count, arguments.values,
                                      arguments.lengths, arguments.formats, 1);
    struct err err = pg_judge(&c->pg, result);
    if (err.code == ERR_OK)
        err = take_all(result, arena, ret_rows);
    PQclear(result);
    return err;
}

/* Its plan may be older than the view it reads (cached plan must not change result type): 0A000. */
static bool is_stale(struct err err, const struct query_connection *c)
{
    return err.code == ERR_REFUSED && strstr(c->pg.message, "cached plan") != NULL;
}

struct err query_run(struct query_connection *connection, const char *sql,
                     const struct query_value *params, size_t params_count, struct arena *arena,
                     struct query_rows *ret_rows)
{
    assert(params_count <= QUERY_PARAMS_MAX);
    size_t used = arena->used;
    struct err err = OK;
    for (int tries = 0; tries < 2; tries++) {
        bool fresh = !connection->pg.conn;
        if (fresh)
            TRY(connect_now(connection));
        arena->used = used;
        err = run_once(connection, sql, params, params_count, arena, ret_rows);
        bool broken = PQstatus(connection->pg.conn) != CONNECTION_OK;
        if (!broken && !is_stale(err, connection))
            return err;
        disconnect(connection);
        if (fresh)
            return err;
    }
    return err;
}

struct err query_position(struct query_connection *connection, const char *name,
                          const char *service, int partition, struct arena *arena,
                          int64_t *ret_commands_next, enum model_status *ret_status)
{
    static const char sql[] =
        "SELECT p.commands_next, v.halted IS NOT NULL,"
        " EXISTS (SELECT 1 FROM projection_version b WHERE b.projection = v.projection AND b.state "
        "= 1),"
        " EXISTS (SELECT 1 FROM pg_catalog.pg_views w WHERE w.viewname = v.projection)"
        " FROM projection_version v LEFT JOIN projection_position p ON p.projection = v.projection"
        " AND p.generation = v.generation AND p.topic = $2 AND p.partition = $3"
        " WHERE v.projection = $1 AND v.state = 2";
    char topic[TOPIC_LEN_MAX];
    struct query_rows rows;
    snprintf(topic, sizeof topic, "%s.log", service);
    struct query_value params[] = {QUERY_TEXT(text_of(name)), QUERY_TEXT(text_of(topic)),
                                   QUERY_NUMBER(partition)};
    TRY(query_run(connection, sql, params, COUNT(params), arena, &rows));
    if (rows.count == 0)
        return FAIL(ERR_NOT_FOUND, "read model");
    bool halted = query_at(&rows, 0, 1)->boolean, building = query_at(&rows, 0, 2)->boolean;
    bool there = query_at(&rows, 0, 3)->boolean;
    const struct query_value *next = query_at(&rows, 0, 0);
    *ret_commands_next = next->kind == QUERY_KIND_NULL ? 0 : next->number;
    *ret_status = there && !halted ? MODEL_LIVE
                  : building       ? MODEL_REBUILDING
                  : there          ? MODEL_HALTED
                                   : MODEL_MISSING;
    return OK;
}
