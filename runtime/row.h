/* What follows from a projection's column table alone: digests and keys of rows. Pure, no database.
 */
#ifndef RUNTIME_ROW_H
#define RUNTIME_ROW_H

#include "core/projection.h"

/* Asserts that the column table is one the runtime can work with: keys first, sizes as the kinds
 * say. */
void row_check(const struct projection *projection);

size_t row_keys_count(const struct projection *projection);
/* Over the values of the columns, never the padding. The digest of a table is the sum over its
 * rows, modulo 2^64. */
uint64_t row_digest(const struct projection *projection, const void *row);
uint32_t row_key_hash(const struct projection *projection, const void *row);
bool row_key_equal(const struct projection *projection, const void *a, const void *b);
/* <0, 0, >0 in the order of the table's primary key (text as bytes, COLLATE "C"). */
int row_key_compare(const struct projection *projection, const void *a, const void *b);
/* Makes `to` the row that has the key of `from` and nothing else. */
void row_key_only(const struct projection *projection, void *to, const void *from);
bool row_equal(const struct projection *projection, const void *a, const void *b);
bool row_value_equal(const struct column *column, const void *a, const void *b);
/* The value for people, cut to fit; NUL-terminated. */
void row_value_print(const struct column *column, const void *row, char *out, size_t size);
/* The key for people: name=value, ... */
void row_key_print(const struct projection *projection, const void *row, char *out, size_t size);

static inline const char *row_at(const struct column *column, const void *row)
{
    return (const char *)row + column->offset;
}

/* The value of a TEXT column. */
static inline struct text row_text(const struct column *column, const void *row)
{
    uint16_t len;
    memcpy(&len, row_at(column, row), sizeof len);
    return (struct text){row_at(column, row) + sizeof len, len};
}

#endif
