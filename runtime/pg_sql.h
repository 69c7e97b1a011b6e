/* Statements from the column table. Every name is quoted. */
#ifndef RUNTIME_PG_SQL_H
#define RUNTIME_PG_SQL_H

#include "runtime/pg_codec.h"
#include "runtime/store.h"

enum { TABLE_NAME_MAX = MODEL_NAME_MAX + 24 };
void pg_table_name(const char *model, int64_t generation, char out[TABLE_NAME_MAX]);

/* Each appends one statement, NUL-terminated; free it with bytes_free. */
void pg_sql_create(struct bytes *out, const struct projection *projection, const char *table);
void pg_sql_primary_key(struct bytes *out, const struct projection *projection, const char *table);
void pg_sql_view(struct bytes *out, const struct projection *projection, const char *table,
                 bool replace);
/* Parameters of the four below are arrays, one per column (load, delete: per key column). */
void pg_sql_load(struct bytes *out, const struct projection *projection, const char *table);
void pg_sql_insert(struct bytes *out, const struct projection *projection, const char *table);
void pg_sql_update(struct bytes *out, const struct projection *projection, const char *table);
void pg_sql_delete(struct bytes *out, const struct projection *projection, const char *table);
void pg_sql_scan(struct bytes *out, const struct projection *projection, const char *table);

#endif
