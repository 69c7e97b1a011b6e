/* Lease, catalogue and generations of read models, on PostgreSQL. */
#include "runtime/pg.h"
#include "runtime/pg_sql.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

enum { REBUILD_LOCK_MS = 10000, INDEX_MEMORY_MB = 256 };

/* ---- conninfo ---- */

static bool add_setting(char *out, size_t size, const char *name, const char *value)
{
    size_t used = strlen(out);
    int len = snprintf(out + used, size - used, "%s%s='", used ? " " : "", name);
    if (len < 0 || (size_t)len >= size - used)
        return false;
    used += (size_t)len;
    for (; *value; value++) {
        if (used + 4 > size)
            return false;
        if (*value == '\'' || *value == '\\')
            out[used++] = '\\';
        out[used++] = *value;
    }
    if (used + 2 > size)
        return false;
    memcpy(out + used, "'", sizeof "'");
    return true;
}

/* Adds what `given` says but for `without`. */
static bool add_all(char *out, size_t size, const PQconninfoOption *given,
                    bool (*without)(const char *keyword))
{
    for (const PQconninfoOption *o = given; o->keyword; o++)
        if (o->val && !(without && without(o->keyword)) &&
            !add_setting(out, size, o->keyword, o->val))
            return false;
    return true;
}

static bool says_where(const char *keyword)
{
    return strcmp(keyword, "dbname") == 0 || strcmp(keyword, "user") == 0;
}

/* Later settings win in a conninfo: what a service's own says counts. */
struct err store_conninfo(const struct databases *databases, const char *service,
                          char *ret_conninfo, size_t size)
{
    char name[64];
    const char *own = databases->own ? databases->own(service) : NULL;
    bool alone = own && *own;
    PQconninfoOption *options = PQconninfoParse(alone ? own : databases->server, NULL);
    if (!options)
        return FAIL(ERR_CONFIG, "conninfo of a PostgreSQL server");
    snprintf(name, sizeof name, "foldlog_%s", service);
    ret_conninfo[0] = 0;
    bool fits = add_setting(ret_conninfo, size, "dbname", name) &&
                add_setting(ret_conninfo, size, "user", name) &&
                add_all(ret_conninfo, size, options, alone ? NULL : says_where);
    PQconninfoFree(options);
    return fits ? OK : FAIL(ERR_CONFIG, "conninfo too long");
}

/* ---- lease ---- */

static struct err run(struct store *store, const char *sql, int count, const char *const *params)
{
    PGresult *result;
    TRY(pg_ask(&store->pg, sql, count, params, &result));
    PQclear(result);
    return OK;
}

/* An owner that stands still in the middle of a unit holds its lock as long as it stands, however
 * long ago its lease ran out: nothing but its connection keeps it. */
static struct err end_stale_owner(struct store *store, const char *service)
{
    const char *params[] = {service};
    return run(store,
               "SELECT pg_terminate_backend(l.pid) FROM pg_locks l, projection_lease p"
               " WHERE p.service = $1 AND p.until < clock_timestamp()"
               " AND l.relation = 'projection_lease'::regclass AND l.mode = 'RowExclusiveLock'"
               " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
               " AND l.pid <> pg_backend_pid()"
               " AND NOT EXISTS (SELECT 1 FROM pg_locks w WHERE w.pid = l.pid AND NOT w.granted)",
               COUNT(params), params);
}

struct err store_lease_take(struct store *store, const char *service, struct uuid owner,
                            const char *instance, bool succeeds, int lease_ms, bool *ret_held)
{
    char id[UUID_TEXT_LEN + 1], ms[16];
    PGresult *result;
    uuid_format(owner, id);
    snprintf(ms, sizeof ms, "%d", lease_ms);
    TRY(end_stale_owner(store, service));
    const char *params[] = {service, id, instance, ms, succeeds ? "true" : "false"};
    TRY(pg_ask(
        &store->pg,
        "UPDATE projection_lease SET owner = $2::uuid, instance = $3,"
        " until = clock_timestamp() + $4::integer * interval '1 ms'"
        " WHERE service = $1 AND (owner IS NULL OR owner = $2::uuid OR until < clock_timestamp()"
        "  OR $5::boolean AND instance = $3)"
        " RETURNING 1",
        COUNT(params), params, &result));
    *ret_held = PQntuples(result) == 1;
    PQclear(result);
    return OK;
}

struct err store_lease_return(struct store *store, const char *service, struct uuid owner)
{
    char id[UUID_TEXT_LEN + 1];
    uuid_format(owner, id);
    const char *params[] = {service, id};
    return run(store,
               "UPDATE projection_lease SET owner = NULL WHERE service = $1 AND owner = $2::uuid",
               COUNT(params), params);
}

/* ---- reading the catalogue ---- */

static void take_text(char *out, size_t size, const PGresult *result, int row, int column)
{
    snprintf(out, size, "%s", PQgetvalue(result, row, column));
}

static struct err read_catalogue(struct store *store, const char *service, int64_t *ret_catalogue)
{
    PGresult *result;
    TRY(pg_ask(&store->pg, "SELECT catalogue FROM projection_lease WHERE service = $1", 1, &service,
               &result));
    bool found = PQntuples(result) == 1;
    *ret_catalogue = found ? pg_number(result, 0, 0) : 0;
    PQclear(result);
    return found ? OK : FAIL(ERR_NOT_FOUND, "lease row of the service: run migrate");
}

static struct generation take_generation(const PGresult *result, int row)
{
    struct generation generation = {
        .number = pg_number(result, row, 1),
        .version = (int)pg_number(result, row, 2),
        .state = (enum generation_state)pg_number(result, row, 3),
        .halted = !PQgetisnull(result, row, 4),
        .rows = pg_number(result, row, 5),
        .digest = (uint64_t)pg_number(result, row, 6),
        .table = pg_number(result, row, 7) == 1,
    };
    take_text(generation.name, sizeof generation.name, result, row, 0);
    take_text(generation.reason, sizeof generation.reason, result, row, 4);
    return generation;
}

struct err store_generations(struct store *store, const char *service, struct arena *arena,
                             struct generations *ret_generations)
{
    PGresult *result;
    int64_t catalogue;
    TRY(read_catalogue(store, service, &catalogue)); /* first: a change in between shows at the
                                                        fence */
    TRY(pg_ask(&store->pg,
               "SELECT projection, generation, version, state, halted, rows, digest,"
               " (to_regclass(format('%I', projection || '_g' || generation)) IS NOT NULL)::integer"
               " FROM projection_version ORDER BY projection, generation",
               0, NULL, &result));
    size_t count = (size_t)PQntuples(result);
    struct generation *at = arena_alloc(arena, (count + 1) * sizeof *at);
    for (size_t i = 0; at && i < count; i++)
        at[i] = take_generation(result, (int)i);
    PQclear(result);
    if (!at)
        return FAIL(ERR_NOMEM, "generations");
    *ret_generations = (struct generations){.count = count, .at = at, .catalogue = catalogue};
    return OK;
}

struct err store_positions(struct store *store, const char *name, int64_t generation,
                           struct arena *arena, struct model_positions *ret_positions)
{
    char number[24];
    PGresult *result;
    snprintf(number, sizeof number, "%" PRId64, generation);
    const char *params[] = {name, number};
    TRY(pg_ask(&store->pg,
               "SELECT topic, partition, next_offset, commands_next, seen_to, print"
               " FROM projection_position"
               " WHERE projection = $1 AND generation = $2::bigint ORDER BY topic COLLATE \"C\", "
               "partition",
               COUNT(params), params, &result));
    size_t count = (size_t)PQntuples(result);
    struct model_position *at = arena_alloc(arena, (count + 1) * sizeof *at);
    for (size_t i = 0; at && i < count; i++) {
        int row = (int)i;
        at[i] = (struct model_position){
            .partition = (int32_t)pg_number(result, row, 1),
            .done = {pg_number(result, row, 2), (uint64_t)pg_number(result, row, 5)},
            .commands_next = pg_number(result, row, 3),
            .seen_to = pg_number(result, row, 4)};
        take_text(at[i].topic, sizeof at[i].topic, result, row, 0);
    }
    PQclear(result);
    if (!at)
        return FAIL(ERR_NOMEM, "positions");
    *ret_positions = (struct model_positions){.count = count, .at = at};
    return OK;
}

struct err store_positions_add(struct store *store, const struct projection *projection,
                               int64_t generation, const char *topic, int partitions)
{
    char number[24], version[16], last[16];
    snprintf(number, sizeof number, "%" PRId64, generation);
    snprintf(version, sizeof version, "%d", projection->version);
    snprintf(last, sizeof last, "%d", partitions - 1);
    const char *params[] = {projection->name, number, version, topic, last};
    return run(store,
               "INSERT INTO projection_position (projection, generation, version, topic, partition)"
               " SELECT $1, $2::bigint, $3::integer, $4, p FROM generate_series(0, $5::integer) p "
               "ON CONFLICT DO NOTHING",
               COUNT(params), params);
}

/* ---- changing it ---- */

static struct err bump(struct store *store, const char *service)
{
    return run(store, "UPDATE projection_lease SET catalogue = catalogue + 1 WHERE service = $1", 1,
               &service);
}

/* Ends the transaction that the caller began: commits after success, else rolls back. */
static struct err end(struct store *store, struct err err)
{
    if (err.code == ERR_OK)
        return store_commit(store);
    store_rollback(store);
    return err;
}

/* As projection_fence does: only the owner, and only of this catalogue. */
static struct err bump_as(struct store *store, const char *service, struct uuid owner,
                          int64_t catalogue)
{
    char who[UUID_TEXT_LEN + 1], number[24];
    PGresult *result;
    uuid_format(owner, who);
    snprintf(number, sizeof number, "%" PRId64, catalogue);
    const char *params[] = {service, who, number};
    TRY(pg_ask(&store->pg,
               "UPDATE projection_lease SET catalogue = catalogue + 1"
               " WHERE service = $1 AND owner = $2::uuid AND catalogue = $3::bigint RETURNING 1",
               COUNT(params), params, &result));
    bool moved = PQntuples(result) == 1;
    PQclear(result);
    return moved ? OK : FAIL(ERR_DEPOSED, "another owner or another catalogue");
}

static struct err halt(struct store *store, const char *service, struct uuid owner,
                       int64_t catalogue, const char *name, int64_t generation, const char *reason)
{
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, generation);
    const char *params[] = {name, number, reason};
    TRY(bump_as(store, service, owner, catalogue)); /* the lease row first, as everybody */
    return run(store,
               "UPDATE projection_version SET halted = $3, halted_at = clock_timestamp()"
               " WHERE projection = $1 AND generation = $2::bigint",
               COUNT(params), params);
}

struct err store_halt(struct store *store, const char *service, struct uuid owner,
                      int64_t catalogue, const char *name, int64_t generation, const char *reason)
{
    TRY(pg_do(&store->pg, "BEGIN"));
    return end(store, halt(store, service, owner, catalogue, name, generation, reason));
}

static struct err create(struct store *store, const struct projection *projection,
                         int64_t *ret_generation)
{
    char version[16], table[TABLE_NAME_MAX];
    struct bytes sql = {0};
    PGresult *result;
    snprintf(version, sizeof version, "%d", projection->version);
    const char *params[] = {projection->name, version};
    TRY(pg_ask(
        &store->pg,
        "INSERT INTO projection_version (projection, generation, version, state)"
        " SELECT $1, coalesce(max(generation), 0) + 1, $2::integer, 1 FROM projection_version"
        " WHERE projection = $1 RETURNING generation",
        COUNT(params), params, &result));
    *ret_generation = pg_number(result, 0, 0);
    PQclear(result);
    pg_table_name(projection->name, *ret_generation, table);
    pg_sql_create(&sql, projection, table);
    struct err err = pg_do(&store->pg, "%s", sql.at);
    bytes_free(&sql);
    return err;
}

struct err store_generation_create(struct store *store, const struct projection *projection,
                                   int64_t *ret_generation)
{
    int64_t generation = 0;
    TRY(pg_do(&store->pg, "BEGIN"));
    TRY(end(store, create(store, projection, &generation)));
    *ret_generation = generation;
    return OK;
}

static struct err index_table(struct store *store, const struct projection *projection,
                              const char *table)
{
    struct bytes sql = {0};
    pg_sql_primary_key(&sql, projection, table);
    struct err err = pg_do(
        &store->pg, "SET LOCAL maintenance_work_mem = '%dMB'; SET LOCAL statement_timeout = 0; %s",
        INDEX_MEMORY_MB, sql.at);
    bytes_free(&sql);
    for (size_t i = 0; err.code == ERR_OK && projection->indexes && projection->indexes[i]; i++)
        err = pg_do(&store->pg, "CREATE INDEX ON \"%s\" (%s)", table, projection->indexes[i]);
    return err;
}

struct err store_generation_index(struct store *store, const struct projection *projection,
                                  int64_t generation)
{
    char table[TABLE_NAME_MAX];
    pg_table_name(projection->name, generation, table);
    TRY(pg_do(&store->pg, "BEGIN"));
    TRY(end(store, index_table(store, projection, table)));
    return pg_do(&store->pg, "ANALYZE \"%s\"", table);
}

struct err store_hold(struct store *store, const char *service)
{
    TRY(pg_do(&store->pg, "BEGIN"));
    struct err err = bump(store, service);
    if (err.code != ERR_OK)
        store_rollback(store);
    return err;
}

/* A view whose columns stay may be replaced under its readers; else it must go first. */
static struct err show_view(struct store *store, const struct projection *projection,
                            const char *table)
{
    struct bytes replace = {0}, anew = {0};
    pg_sql_view(&replace, projection, table, true);
    pg_sql_view(&anew, projection, table, false);
    struct err err = pg_do(&store->pg, "SAVEPOINT view; %s", replace.at);
    if (err_class(err) == ERR_CLASS_HALT)
        err = pg_do(&store->pg, "ROLLBACK TO view; DROP VIEW IF EXISTS \"%s\"; %s",
                    projection->name, anew.at);
    bytes_free(&replace);
    bytes_free(&anew);
    return err;
}

struct err store_generation_show(struct store *store, const struct projection *projection,
                                 int64_t generation)
{
    char table[TABLE_NAME_MAX], number[24];
    snprintf(number, sizeof number, "%" PRId64, generation);
    const char *params[] = {projection->name, number};
    pg_table_name(projection->name, generation, table);
    TRY(run(store, "UPDATE projection_version SET state = 3 WHERE projection = $1 AND state = 2", 1,
            params));
    TRY(run(store,
            "UPDATE projection_version SET state = 2, halted = NULL WHERE projection = $1 AND "
            "generation = $2::bigint",
            COUNT(params), params));
    return show_view(store, projection, table);
}

static struct err drop(struct store *store, const char *name, const char *table, const char *number)
{
    const char *params[] = {name, number};
    PGresult *result;
    TRY(pg_ask(&store->pg,
               "DELETE FROM projection_version WHERE projection = $1 AND generation = $2::bigint "
               "AND state <> 2"
               " RETURNING 1",
               COUNT(params), params, &result));
    bool dropped = PQntuples(result) == 1;
    PQclear(result);
    if (!dropped)
        return OK;
    TRY(pg_do(&store->pg, "DROP TABLE IF EXISTS \"%s\"", table));
    return run(store,
               "DELETE FROM projection_position WHERE projection = $1 AND generation = $2::bigint",
               COUNT(params), params);
}

struct err store_generation_drop(struct store *store, const char *name, int64_t generation)
{
    char table[TABLE_NAME_MAX], number[24];
    snprintf(number, sizeof number, "%" PRId64, generation);
    pg_table_name(name, generation, table);
    TRY(pg_do(&store->pg, "BEGIN"));
    return end(store, drop(store, name, table, number));
}

struct err store_model_drop(struct store *store, const char *name, int64_t generation)
{
    char table[TABLE_NAME_MAX];
    pg_table_name(name, generation, table);
    TRY(pg_do(&store->pg, "BEGIN"));
    return end(store, pg_do(&store->pg, "DROP VIEW IF EXISTS \"%s\"; DROP TABLE IF EXISTS \"%s\"",
                            name, table));
}

struct err store_rebuild_lock(struct store *store, const char *name)
{
    /* Blocks: the backend of a rebuild that was killed may still be in its COPY or CREATE INDEX. */
    TRY(pg_do(&store->pg, "SET lock_timeout = %d", REBUILD_LOCK_MS));
    struct err err =
        run(store, "SELECT pg_advisory_lock(hashtext('foldlog.rebuild.' || $1))", 1, &name);
    if (err.code == ERR_UNAVAILABLE && PQstatus(store->pg.conn) == CONNECTION_OK)
        return FAIL(ERR_CONFLICT, "this read model is being rebuilt by somebody else");
    TRY(err);
    return pg_do(&store->pg, "SET lock_timeout = %d", STORE_LOCK_MS);
}
