/* Rows and the fence, on PostgreSQL.
 *
 * Every statement of a worker is a lookup by key. A generic plan made while the table was empty
 * would scan it for ever, and custom plans for thousands of keys choose hash joins: so plans are
 * generic, and scans and joins other than by index are switched off but for store_table_scan. */
#include "runtime/pg.h"
#include "runtime/pg_sql.h"
#include "runtime/row.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 64, STATEMENT_NAME_MAX = 16, COPY_CHUNK = 256 * 1024, FENCE_PARAMS = 17 };

enum statement { LOAD, INSERT, UPDATE, DELETE, STATEMENTS };

struct store_table {
    struct store *store;
    const struct projection *projection;
    char name[TABLE_NAME_MAX];
    unsigned number; /* of this table on its connection */
    size_t keys_count;
    bool prepared[STATEMENTS];
    struct bytes params[COLUMNS_MAX];
};

struct arguments {
    int count;
    const char *values[COLUMNS_MAX];
    int lengths[COLUMNS_MAX];
    int formats[COLUMNS_MAX];
};

struct err store_open(const char *conninfo, const char *application, struct store **ret_store)
{
    char settings[512];
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return FAIL(ERR_NOMEM, "store");
    snprintf(settings, sizeof settings,
             "-c statement_timeout=%d -c lock_timeout=%d -c jit=off -c "
             "plan_cache_mode=force_generic_plan"
             " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c "
             "enable_bitmapscan=off"
             " -c client_min_messages=error -c timezone=UTC",
             STORE_STATEMENT_MS, STORE_LOCK_MS);
    struct err err = pg_open(&store->pg, conninfo, application, settings, STORE_CONNECT_SECONDS);
    if (err.code != ERR_OK) {
        free(store);
        return err;
    }
    *ret_store = store;
    return OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    pg_close(&store->pg);
    free(store);
}

const char *store_message(const struct store *store)
{
    return store->pg.message;
}

/* ---- transactions ---- */

struct err store_commit(struct store *store)
{
    PGresult *result = PQexec(store->pg.conn, "COMMIT");
    struct err err = pg_judge(&store->pg, result);
    /* COMMIT of a failed transaction succeeds as ROLLBACK. */
    if (err.code == ERR_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        err = FAIL(ERR_UNAVAILABLE, "transaction rolled back");
    PQclear(result);
    return err;
}

void store_rollback(struct store *store)
{
    PQclear(PQexec(store->pg.conn, "ROLLBACK"));
}

struct err store_snapshot(struct store *store)
{
    return pg_do(&store->pg, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
}

/* ---- tables ---- */

static void statement_name(const struct store_table *table, enum statement statement,
                           char out[STATEMENT_NAME_MAX])
{
    snprintf(out, STATEMENT_NAME_MAX, "%c%u", "liud"[statement], table -> number);
}

static struct err prepare(struct store_table *table, enum statement statement)
{
    static void (*const write[STATEMENTS])(struct bytes *, const struct projection *,
                                           const char *) = {[LOAD] = pg_sql_load,
                                                            [INSERT] = pg_sql_insert,
                                                            [UPDATE] = pg_sql_update,
                                                            [DELETE] = pg_sql_delete};
    if (statement == UPDATE && table->keys_count == table->projection->columns_count)
        return OK; /* a row that is nothing but its key cannot change */
    char name[STATEMENT_NAME_MAX];
    struct bytes sql = {0};
    statement_name(table, statement, name);
    write[statement](&sql, table->projection, table->name);
    PGresult *result = PQprepare(table->store->pg.conn, name, sql.at, 0, NULL);
    bytes_free(&sql);
    struct err err = pg_judge(&table->store->pg, result);
    PQclear(result);
    table->prepared[statement] = err.code == ERR_OK;
    return err;
}

struct err store_table_open(struct store *store, const struct projection *projection,
                            int64_t generation, struct store_table **ret_table)
{
    row_check(projection);
    assert(projection->columns_count <= COLUMNS_MAX);
    struct store_table *table = calloc(1, sizeof *table);
    if (!table)
        return FAIL(ERR_NOMEM, "table");
    *table = (struct store_table){.store = store,
                                  .projection = projection,
                                  .number = ++store->tables_opened,
                                  .keys_count = row_keys_count(projection)};
    pg_table_name(projection->name, generation, table->name);
    for (enum statement i = LOAD; i < STATEMENTS; i++) {
        struct err err = prepare(table, i);
        if (err.code != ERR_OK) {
            store_table_close(table);
            return err;
        }
    }
    *ret_table = table;
    return OK;
}

void store_table_close(struct store_table *table)
{
    char name[STATEMENT_NAME_MAX];
    if (!table)
        return;
    for (enum statement i = LOAD; i < STATEMENTS; i++) {
        statement_name(table, i, name);
        if (table->prepared[i] && PQstatus(table->store->pg.conn) == CONNECTION_OK &&
            pg_do(&table->store->pg, "DEALLOCATE %s", name).code != ERR_OK)
            break; /* a broken connection has no statements */
    }
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        bytes_free(&table->params[i]);
    free(table);
}

static void bind(struct store_table *table, bool keys_only, const void *const *rows, size_t count,
                 struct arguments *ret_arguments)
{
    size_t columns = keys_only ? table->keys_count : table->projection->columns_count;
    *ret_arguments = (struct arguments){.count = (int)columns};
    for (size_t i = 0; i < columns; i++) {
        table->params[i].len = 0;
        pg_encode_array(&table->params[i], &table->projection->columns[i], rows, count);
        ret_arguments->values[i] = table->params[i].at;
        ret_arguments->lengths[i] = (int)table->params[i].len;
        ret_arguments->formats[i] = 1;
    }
}

static struct err hand_out(struct store_table *table, const PGresult *result, store_row found,
                           void *context)
{
    void *row = malloc(table->projection->row_size);
    if (!row)
        return FAIL(ERR_NOMEM, "row");
    struct err err = OK;
    for (int i = 0; err.code == ERR_OK && i < PQntuples(result); i++) {
        if (pg_decode_row(table->projection, result, i, row))
            found(context, row);
        else
            err = FAIL(ERR_REFUSED, "a row that does not fit its projection");
    }
    free(row);
    return err;
}

struct err store_table_load(struct store_table *table, const void *const *rows, size_t count,
                            store_row found, void *context)
{
    struct arguments arguments;
    char name[STATEMENT_NAME_MAX];
    statement_name(table, LOAD, name);
    bind(table, true, rows, count, &arguments);
    PGresult *result = PQexecPrepared(table->store->pg.conn, name, arguments.count,
                                      arguments.values, arguments.lengths, arguments.formats, 1);
    struct err err = pg_judge(&table->store->pg, result);
    if (err.code == ERR_OK)
        err = hand_out(table, result, found, context);
    PQclear(result);
    return err;
}

static struct err scan_rows(struct store_table *table, store_row found, void *context)
{
    struct err first = OK;
    PQsetSingleRowMode(table->store->pg.conn);
    for (PGresult *result; (result = PQgetResult(table->store->pg.conn)); PQclear(result)) {
        struct err err = pg_judge(&table->store->pg, result);
        if (err.code == ERR_OK && first.code == ERR_OK)
            err = hand_out(table, result, found, context);
        if (first.code == ERR_OK)
            first = err;
    }
    return first;
}

struct err store_table_scan(struct store_table *table, store_row found, void *context)
{
    struct store *store = table->store;
    struct bytes sql = {0};
    TRY(pg_do(&store->pg, "SET enable_seqscan = on; SET statement_timeout = 0"));
    pg_sql_scan(&sql, table->projection, table->name);
    struct err err;
    if (PQsendQueryParams(store->pg.conn, sql.at, 0, NULL, NULL, NULL, NULL, 1))
        err = scan_rows(table, found, context);
    else
        err = pg_judge(&store->pg, NULL);
    bytes_free(&sql);
    TRY(err);
    return pg_do(&store->pg, "SET enable_seqscan = off; SET statement_timeout = %d",
                 STORE_STATEMENT_MS);
}

static struct err copy_data(struct store *store, struct bytes *bytes)
{
    int sent = PQputCopyData(store->pg.conn, bytes->at, (int)bytes->len);
    bytes->len = 0;
    return sent == 1 ? OK : pg_judge(&store->pg, NULL);
}

static struct err copy_end(struct store *store)
{
    struct err first = PQputCopyEnd(store->pg.conn, NULL) == 1 ? OK : pg_judge(&store->pg, NULL);
    for (PGresult *result; (result = PQgetResult(store->pg.conn)); PQclear(result)) {
        struct err err = pg_judge(&store->pg, result);
        if (first.code == ERR_OK)
            first = err;
    }
    return first;
}

struct err store_table_copy(struct store_table *table, const void *const *rows, size_t count)
{
    struct bytes bytes = {0};
    struct err err =
        pg_do(&table->store->pg, "COPY \"%s\" FROM STDIN (FORMAT binary)", table->name);
    if (err.code != ERR_OK)
        return err;
    pg_encode_copy_header(&bytes);
    for (size_t i = 0; err.code == ERR_OK && i < count; i++) {
        pg_encode_copy_row(&bytes, table->projection, rows[i]);
        if (bytes.len >= COPY_CHUNK)
            err = copy_data(table->store, &bytes);
    }
    pg_encode_copy_trailer(&bytes);
    if (err.code == ERR_OK)
        err = copy_data(table->store, &bytes);
    bytes_free(&bytes);
    struct err end = copy_end(table->store);
    return err.code != ERR_OK ? err : end;
}

/* ---- one unit of change ---- */

static const struct column advance_columns[] = {
    COLUMN(store_advance, TEXT, name),
    COLUMN(store_advance, BIGINT, generation),
    COLUMN(store_advance, TEXT, topic),
    COLUMN(store_advance, INTEGER, partition),
    COLUMN(store_advance, BIGINT, from),
    COLUMN(store_advance, BIGINT, to),
    COLUMN(store_advance, BIGINT, commands_next),
    COLUMN(store_advance, BIGINT, seen_to),
    COLUMN(store_advance, BIGINT, print),
};
static const struct column tally_columns[] = {
    COLUMN(store_tally, TEXT, name),
    COLUMN(store_tally, BIGINT, generation),
    COLUMN(store_tally, BIGINT, rows),
    COLUMN(store_tally, BIGINT, digest),
};

/* Adds an array parameter per column for `count` structs of `size` bytes. */
static void bind_structs(const struct column *columns, size_t columns_count, const void *structs,
                         size_t size, size_t count, struct bytes *buffers,
                         struct arguments *arguments)
{
    const void **rows = malloc((count + 1) * sizeof *rows);
    if (!rows)
        abort();
    for (size_t i = 0; i < count; i++)
        rows[i] = (const char *)structs + i * size;
    for (size_t i = 0; i < columns_count; i++) {
        struct bytes *buffer = &buffers[arguments->count];
        pg_encode_array(buffer, &columns[i], rows, count);
        arguments->values[arguments->count] = buffer->at;
        arguments->lengths[arguments->count] = (int)buffer->len;
        arguments->formats[arguments->count++] = 1;
    }
    free(rows);
}

static void bind_text(struct arguments *arguments, const char *value)
{
    arguments->values[arguments->count++] = value;
}

static struct err prepare_fence(struct store *store)
{
    if (store->fence_prepared)
        return OK;
    PGresult *result = PQprepare(
        store->pg.conn, "fence",
        "SELECT projection_fence($1::text, $2::uuid, $3::bigint, $4::integer, $5::text[],"
        " $6::bigint[], $7::text[], $8::integer[], $9::bigint[], $10::bigint[], $11::bigint[],"
        " $12::bigint[], $13::bigint[], $14::text[], $15::bigint[], $16::bigint[], $17::bigint[])",
        0, NULL);
    struct err err = pg_judge(&store->pg, result);
    PQclear(result);
    store->fence_prepared = err.code == ERR_OK;
    return err;
}

static struct err sent(struct store *store, struct store_table *table, int ok)
{
    assert(store->under_way < UNIT_STATEMENTS_MAX);
    if (!ok)
        return pg_judge(&store->pg, NULL);
    store->writing[store->under_way++] = table;
    return OK;
}

struct err store_unit_begin(struct store *store, const struct store_fence *fence)
{
    char owner[UUID_TEXT_LEN + 1], catalogue[24], lease[16];
    struct bytes buffers[FENCE_PARAMS] = {0};
    struct arguments arguments = {0};
    TRY(prepare_fence(store));
    store->under_way = 0;
    if (!PQenterPipelineMode(store->pg.conn))
        return pg_judge(&store->pg, NULL);
    uuid_format(fence->owner, owner);
    snprintf(catalogue, sizeof catalogue, "%lld", (long long)fence->catalogue);
    snprintf(lease, sizeof lease, "%d", fence->lease_ms);
    bind_text(&arguments, fence->service);
    bind_text(&arguments, uuid_is_nil(fence->owner) ? NULL : owner);
    bind_text(&arguments, catalogue);
    bind_text(&arguments, lease);
    bind_structs(advance_columns, COUNT(advance_columns), fence->advances, sizeof *fence->advances,
                 fence->advances_count, buffers, &arguments);
    bind_structs(tally_columns, COUNT(tally_columns), fence->tallies, sizeof *fence->tallies,
                 fence->tallies_count, buffers, &arguments);
    assert(arguments.count == FENCE_PARAMS);
    int ok = PQsendQueryPrepared(store->pg.conn, "fence", arguments.count, arguments.values,
                                 arguments.lengths, arguments.formats, 0);
    for (size_t i = 0; i < FENCE_PARAMS; i++)
        bytes_free(&buffers[i]);
    return sent(store, NULL, ok);
}

static struct err send_rows(struct store_table *table, enum statement statement,
                            const void *const *rows, size_t count)
{
    struct arguments arguments;
    char name[STATEMENT_NAME_MAX];
    if (count == 0)
        return OK;
    statement_name(table, statement, name);
    bind(table, statement == DELETE, rows, count, &arguments);
    return sent(table->store, table,
                PQsendQueryPrepared(table->store->pg.conn, name, arguments.count, arguments.values,
                                    arguments.lengths, arguments.formats, 0));
}

struct err store_unit_write(struct store_table *table, const void *const *inserts,
                            size_t inserts_count, const void *const *updates, size_t updates_count,
                            const void *const *removes, size_t removes_count)
{
    TRY(send_rows(table, INSERT, inserts, inserts_count));
    TRY(send_rows(table, UPDATE, updates, updates_count));
    return send_rows(table, DELETE, removes, removes_count);
}

static struct err read_answers(struct store *store, struct store_table **ret_failed)
{
    struct err first = OK;
    for (size_t i = 0; i < store->under_way; i++) {
        PGresult *result = PQgetResult(store->pg.conn);
        if (first.code == ERR_OK) {
            first = pg_judge(&store->pg, result);
            *ret_failed = first.code == ERR_OK ? NULL : store->writing[i];
        }
        PQclear(result);
        PQclear(PQgetResult(store->pg.conn)); /* the NULL between statements */
    }
    PGresult *sync = PQgetResult(store->pg.conn);
    if (first.code == ERR_OK)
        first = pg_judge(&store->pg, sync);
    PQclear(sync);
    return first;
}

struct err store_unit_end(struct store *store, struct store_table **ret_failed)
{
    struct store_table *failed = NULL;
    if (!PQpipelineSync(store->pg.conn))
        return pg_judge(&store->pg, NULL);
    struct err err = read_answers(store, &failed);
    store->under_way = 0;
    if (!PQexitPipelineMode(store->pg.conn) && err.code == ERR_OK)
        err = pg_judge(&store->pg, NULL);
    *ret_failed = failed;
    return err;
}
