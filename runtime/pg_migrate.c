/* Databases, roles and tables, on PostgreSQL. */
#include "runtime/migrate.h"
#include "runtime/pg.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

enum { GENERATIONS_ARENA = 256 * 1024 };

/* state: 1 building, 2 live, 3 old (enum generation_state). projection_fence must raise: in a
 * pipeline an UPDATE of no rows would not stop the statements behind it. */
static const char tables_sql[] =
    "CREATE TABLE IF NOT EXISTS projection_lease ("
    " service text PRIMARY KEY, owner uuid, instance text NOT NULL DEFAULT '',"
    " until timestamptz NOT NULL DEFAULT '-infinity', catalogue bigint NOT NULL DEFAULT 1) WITH "
    "(fillfactor = 50);"
    "CREATE TABLE IF NOT EXISTS projection_version ("
    " projection text, generation bigint, version integer NOT NULL, state integer NOT NULL,"
    " rows bigint NOT NULL DEFAULT 0, digest bigint NOT NULL DEFAULT 0, halted text, halted_at "
    "timestamptz,"
    " created_at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (projection, "
    "generation))"
    " WITH (fillfactor = 50);"
    "CREATE UNIQUE INDEX IF NOT EXISTS projection_version_live ON projection_version (projection) "
    "WHERE state = 2;"
    "CREATE TABLE IF NOT EXISTS projection_position ("
    " projection text, generation bigint, version integer NOT NULL, topic text, partition integer,"
    " next_offset bigint NOT NULL DEFAULT 0, commands_next bigint NOT NULL DEFAULT 0, seen_to "
    "bigint NOT NULL DEFAULT 0, print bigint NOT NULL DEFAULT 0,"
    " PRIMARY KEY (projection, generation, topic, partition)) WITH (fillfactor = 50);"
    "CREATE OR REPLACE FUNCTION projection_fence(p_service text, p_owner uuid, p_catalogue bigint, "
    "p_lease_ms integer,"
    " names text[], generations bigint[], topics text[], partitions integer[], froms bigint[], tos "
    "bigint[],"
    " commands bigint[], seens bigint[], prints bigint[],"
    " tally_names text[], tally_generations bigint[], tally_rows bigint[], tally_digests bigint[])"
    " RETURNS void LANGUAGE plpgsql AS $fence$\n"
    "DECLARE moved bigint;\n"
    "BEGIN\n"
    "  IF p_owner IS NOT NULL THEN\n"
    "    UPDATE projection_lease SET until = clock_timestamp() + p_lease_ms * interval '1 ms'\n"
    "      WHERE service = p_service AND owner = p_owner AND catalogue = p_catalogue;\n"
    "    IF NOT FOUND THEN RAISE EXCEPTION 'another owner or another catalogue' USING ERRCODE = "
    "'FL001'; END IF;\n"
    "  END IF;\n"
    "  UPDATE projection_position p SET next_offset = u.t, commands_next = "
    "greatest(p.commands_next, u.c),\n"
    "    seen_to = greatest(p.seen_to, u.s), print = u.r\n"
    "    FROM unnest(names, generations, topics, partitions, froms, tos, commands, seens, prints)\n"
    "      AS u(n, g, o, i, f, t, c, s, r)\n"
    "    WHERE p.projection = u.n AND p.generation = u.g AND p.topic = u.o AND p.partition = u.i\n"
    "      AND p.next_offset = u.f;\n"
    "  GET DIAGNOSTICS moved = ROW_COUNT;\n"
    "  IF moved <> cardinality(names) THEN RAISE EXCEPTION 'another position' USING ERRCODE = "
    "'FL002'; END IF;\n"
    "  UPDATE projection_version v SET rows = u.r, digest = u.d\n"
    "    FROM unnest(tally_names, tally_generations, tally_rows, tally_digests) AS u(n, g, r, d)\n"
    "    WHERE v.projection = u.n AND v.generation = u.g;\n"
    "  GET DIAGNOSTICS moved = ROW_COUNT;\n"
    "  IF moved <> cardinality(tally_names) THEN RAISE EXCEPTION 'no such generation' USING "
    "ERRCODE = 'FL003'; END IF;\n"
    "END $fence$;";

static void made(const struct migrate_options *options, const char *what, const char *name)
{
    if (options->made)
        options->made(options->context, what, name);
}

static struct err exists(struct pg *pg, const char *sql, const char *name, bool *ret_exists)
{
    PGresult *result;
    TRY(pg_ask(pg, sql, 1, &name, &result));
    *ret_exists = PQntuples(result) > 0;
    PQclear(result);
    return OK;
}

/* The password goes over the wire as its SCRAM verifier, so it shows in no log. */
static struct err set_password(struct pg *pg, const char *role, const char *password)
{
    if (!*password)
        return OK;
    char *verifier = PQencryptPasswordConn(pg->conn, password, role, NULL);
    if (!verifier)
        return FAIL(ERR_UNAVAILABLE, "password of a role");
    struct err err = pg_do(pg, "ALTER ROLE \"%s\" PASSWORD '%s'", role, verifier);
    PQfreemem(verifier);
    return err;
}

static struct err make_role(struct pg *pg, const char *role, const char *password,
                            const struct migrate_options *options)
{
    bool there = false;
    TRY(exists(pg, "SELECT 1 FROM pg_roles WHERE rolname = $1", role, &there));
    if (!there) {
        TRY(pg_do(pg, "CREATE ROLE \"%s\" LOGIN", role));
        made(options, "role", role);
    }
    return set_password(pg, role, password);
}

static struct err make_database(struct pg *pg, const char *name,
                                const struct migrate_options *options)
{
    bool there = false;
    TRY(exists(pg, "SELECT 1 FROM pg_database WHERE datname = $1", name, &there));
    if (there)
        return OK;
    TRY(pg_do(pg, "CREATE DATABASE \"%s\" OWNER \"%s\" ENCODING 'UTF8' TEMPLATE template0", name,
              name));
    TRY(pg_do(pg, "REVOKE ALL ON DATABASE \"%s\" FROM PUBLIC", name));
    made(options, "database", name);
    return OK;
}

static bool has_live(const struct generations *generations, const char *name)
{
    for (size_t i = 0; i < generations->count; i++)
        if (strcmp(generations->at[i].name, name) == 0 &&
            generations->at[i].state == GENERATION_LIVE)
            return true;
    return false;
}

static struct err make_model(struct store *store, const struct projection *projection)
{
    int64_t generation = 0;
    TRY(store_generation_create(store, projection, &generation));
    TRY(store_generation_index(store, projection, generation));
    TRY(store_hold(store, projection->service));
    struct err err = store_generation_show(store, projection, generation);
    if (err.code == ERR_OK)
        return store_commit(store);
    store_rollback(store);
    return err;
}

static struct err make_missing(struct store *store, const char *service, struct arena *arena,
                               const struct migrate_options *options)
{
    struct generations generations;
    TRY(store_generations(store, service, arena, &generations));
    for (size_t i = 0; i < options->projections_count; i++) {
        const struct projection *projection = options->projections[i];
        if (strcmp(projection->service, service) != 0 || has_live(&generations, projection->name))
            continue;
        TRY(make_model(store, projection));
        made(options, "read model", projection->name);
    }
    return OK;
}

static struct err make_models(struct store *store, const char *service,
                              const struct migrate_options *options)
{
    struct arena arena = {.base = malloc(GENERATIONS_ARENA), .size = GENERATIONS_ARENA};
    struct err err =
        arena.base ? make_missing(store, service, &arena, options) : FAIL(ERR_NOMEM, "generations");
    free(arena.base);
    return err;
}

static struct err make_tables(struct store *store, const char *service)
{
    PGresult *result;
    /* Two who migrate at once take turns. */
    TRY(pg_do(&store->pg, "BEGIN; SELECT pg_advisory_xact_lock(hashtext('foldlog.migrate'))"));
    struct err err = pg_do(&store->pg, "%s", tables_sql);
    if (err.code == ERR_OK)
        err = pg_ask(&store->pg,
                     "INSERT INTO projection_lease (service) VALUES ($1) ON CONFLICT DO NOTHING", 1,
                     &service, &result);
    if (err.code == ERR_OK) {
        PQclear(result);
        return store_commit(store);
    }
    store_rollback(store);
    return err;
}

struct err migrate_service(const char *conninfo, const char *service,
                           const struct migrate_options *options)
{
    struct store *store;
    TRY(store_open(conninfo, "foldlog migrate", &store));
    struct err err = make_tables(store, service);
    if (err.code == ERR_OK)
        err = make_models(store, service, options);
    store_close(store);
    return err;
}

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o->val ? o->val : "";
    return "";
}

static bool same(const PQconninfoOption *a, const PQconninfoOption *b, const char *keyword)
{
    return strcmp(option(a, keyword), option(b, keyword)) == 0;
}

/* Role and database of a service or the vault, where the administrator's word counts; one that has
 * a server, a role or a database of another name must have been given them. */
static struct err make_home(struct pg *pg, const char *name, const char *conninfo,
                            const struct migrate_options *options)
{
    PQconninfoOption *server = PQconninfoParse(options->databases->server, NULL);
    PQconninfoOption *own = PQconninfoParse(conninfo, NULL);
    struct err err = OK;
    if (!server || !own)
        err = FAIL(ERR_CONFIG, "conninfo of a PostgreSQL server");
    else if (same(server, own, "host") && same(server, own, "hostaddr") &&
             same(server, own, "port") && strcmp(option(own, "user"), name) == 0 &&
             strcmp(option(own, "dbname"), name) == 0) {
        err = make_role(pg, name, option(own, "password"), options);
        if (err.code == ERR_OK)
            err = make_database(pg, name, options);
    }
    PQconninfoFree(server);
    PQconninfoFree(own);
    return err;
}

static struct err make_service(struct pg *pg, const char *service,
                               const struct migrate_options *options)
{
    char name[64], conninfo[STORE_CONNINFO_MAX];
    snprintf(name, sizeof name, "foldlog_%s", service);
    TRY(store_conninfo(options->databases, service, conninfo, sizeof conninfo));
    TRY(make_home(pg, name, conninfo, options));
    return migrate_service(conninfo, service, options);
}

/* Plain state: tables and nothing else. */
static struct err make_vault(struct pg *pg, const struct migrate_options *options)
{
    char conninfo[STORE_CONNINFO_MAX];
    struct pg vault;
    TRY(store_conninfo(options->databases, "vault", conninfo, sizeof conninfo));
    TRY(make_home(pg, "foldlog_vault", conninfo, options));
    TRY(pg_open(&vault, conninfo, "foldlog migrate", "-c client_min_messages=error",
                STORE_CONNECT_SECONDS));
    struct err err =
        pg_do(&vault, "BEGIN; SELECT pg_advisory_xact_lock(hashtext('foldlog.migrate')); %s COMMIT",
              options->vault_sql);
    pg_close(&vault);
    return err;
}

struct err migrate(const struct migrate_options *options)
{
    struct pg pg;
    TRY(pg_open(&pg, options->databases->server, "foldlog migrate", "-c client_min_messages=error",
                STORE_CONNECT_SECONDS));
    struct err err = OK;
    for (size_t i = 0; err.code == ERR_OK && options->services[i]; i++)
        err = make_service(&pg, options->services[i], options);
    if (err.code == ERR_OK && options->vault_sql)
        err = make_vault(&pg, options);
    pg_close(&pg);
    return err;
}
