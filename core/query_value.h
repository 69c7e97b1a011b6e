/* Values that go into a query and come out of it. */
#ifndef CORE_QUERY_VALUE_H
#define CORE_QUERY_VALUE_H

#include "core/text.h"
#include "core/uuid.h"

/* Parameters and results alike. PostgreSQL types: number: smallint, integer, bigint (also
 * count(*)); boolean: boolean; time: timestamptz, microseconds since 1970; text: text, varchar, and
 * numeric as digits. */
enum query_kind {
    QUERY_KIND_NULL,
    QUERY_KIND_TEXT,
    QUERY_KIND_UUID,
    QUERY_KIND_NUMBER,
    QUERY_KIND_BOOLEAN,
    QUERY_KIND_TIME
};

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

static inline const struct query_value *query_at(const struct query_rows *rows, size_t row,
                                                 size_t column)
{
    return &rows->values[row * rows->columns + column];
}

#endif
