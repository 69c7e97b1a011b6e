/* DDL and the UNNEST forms of load, insert, update and delete. */
#include "runtime/pg_sql.h"

#include <inttypes.h>
#include <stdio.h>

/* Room on each page for the next version of a row, so that updates stay on it (HOT). */
enum { FILLFACTOR = 80 };
enum which { ALL, KEYS, OTHERS };

void pg_table_name(const char *model, int64_t generation, char out[TABLE_NAME_MAX])
{
    snprintf(out, TABLE_NAME_MAX, "%s_g%" PRId64, model, generation);
}

static bool wanted(const struct column *column, enum which which)
{
    return which == ALL || column->key == (which == KEYS);
}

static void names(struct bytes *out, const struct projection *projection, enum which which,
                  const char *prefix)
{
    const char *comma = "";
    for (size_t i = 0; i < projection->columns_count; i++) {
        if (!wanted(&projection->columns[i], which))
            continue;
        bytes_print(out, "%s%s\"%s\"", comma, prefix, projection->columns[i].name);
        comma = ", ";
    }
}

void pg_sql_create(struct bytes *out, const struct projection *projection, const char *table)
{
    bytes_print(out, "CREATE TABLE \"%s\" (", table);
    for (size_t i = 0; i < projection->columns_count; i++) {
        const struct column *column = &projection->columns[i];
        bytes_print(out, "%s\"%s\" %s%s%s", i ? ", " : "", column->name, pg_kind_name(column->kind),
                    column->kind == COLUMN_TEXT ? " COLLATE \"C\"" : "",
                    column->kind == COLUMN_MAYBE_TIME ? "" : " NOT NULL");
    }
    bytes_print(out, ") WITH (fillfactor = %d)", FILLFACTOR);
}

void pg_sql_primary_key(struct bytes *out, const struct projection *projection, const char *table)
{
    bytes_print(out, "ALTER TABLE \"%s\" ADD PRIMARY KEY (", table);
    names(out, projection, KEYS, "");
    bytes_print(out, ")");
}

void pg_sql_view(struct bytes *out, const struct projection *projection, const char *table,
                 bool replace)
{
    bytes_print(out, "CREATE %sVIEW \"%s\" AS SELECT ", replace ? "OR REPLACE " : "",
                projection->name);
    names(out, projection, ALL, "");
    bytes_print(out, " FROM \"%s\"", table);
    if (projection->shown)
        bytes_print(out, " WHERE %s", projection->shown);
}

static void unnest(struct bytes *out, const struct projection *projection, enum which which)
{
    int n = 0;
    bytes_print(out, "unnest(");
    for (size_t i = 0; i < projection->columns_count; i++) {
        if (!wanted(&projection->columns[i], which))
            continue;
        n++;
        bytes_print(out, "%s$%d::%s[]", n > 1 ? ", " : "", n,
                    pg_kind_name(projection->columns[i].kind));
    }
    bytes_print(out, ")");
}

static void match_keys(struct bytes *out, const struct projection *projection)
{
    for (size_t i = 0; i < projection->columns_count && projection->columns[i].key; i++)
        bytes_print(out, "%st.\"%s\" = k.\"%s\"", i ? " AND " : "", projection->columns[i].name,
                    projection->columns[i].name);
}

void pg_sql_load(struct bytes *out, const struct projection *projection, const char *table)
{
    bytes_print(out, "SELECT ");
    names(out, projection, ALL, "t.");
    bytes_print(out, " FROM ");
    unnest(out, projection, KEYS);
    bytes_print(out, " k(");
    names(out, projection, KEYS, "");
    bytes_print(out, ") JOIN \"%s\" t ON ", table);
    match_keys(out, projection);
}

void pg_sql_insert(struct bytes *out, const struct projection *projection, const char *table)
{
    bytes_print(out, "INSERT INTO \"%s\" (", table);
    names(out, projection, ALL, "");
    bytes_print(out, ") SELECT * FROM ");
    unnest(out, projection, ALL);
}

void pg_sql_update(struct bytes *out, const struct projection *projection, const char *table)
{
    bytes_print(out, "UPDATE \"%s\" t SET (", table);
    names(out, projection, OTHERS, "");
    bytes_print(out, ") = ROW(");
    names(out, projection, OTHERS, "k.");
    bytes_print(out, ") FROM ");
    unnest(out, projection, ALL);
    bytes_print(out, " k(");
    names(out, projection, ALL, "");
    bytes_print(out, ") WHERE ");
    match_keys(out, projection);
}

void pg_sql_delete(struct bytes *out, const struct projection *projection, const char *table)
{
    bytes_print(out, "DELETE FROM \"%s\" t USING ", table);
    unnest(out, projection, KEYS);
    bytes_print(out, " k(");
    names(out, projection, KEYS, "");
    bytes_print(out, ") WHERE ");
    match_keys(out, projection);
}

void pg_sql_scan(struct bytes *out, const struct projection *projection, const char *table)
{
    bytes_print(out, "SELECT ");
    names(out, projection, ALL, "");
    bytes_print(out, " FROM \"%s\"", table);
}
