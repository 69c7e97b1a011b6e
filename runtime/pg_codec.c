/* Element OIDs must be exact (text is not varchar); an empty array has no dimensions. */
#include "runtime/pg_codec.h"

#include <assert.h>
#include <endian.h>
#include <libpq-fe.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { VALUE_HEADER = 4, FIXED_VALUE_MAX = 16, ARRAY_HEADER = 20, COPY_HEADER = 19 };
#define EPOCH_US ((int64_t)PG_EPOCH_SECONDS * 1000000)

struct kind {
    const char *name;
    uint32_t oid;
};
/* pg_type.dat */
static const struct kind kinds[] = {
    [COLUMN_BIGINT] = {"bigint", 20},      [COLUMN_INTEGER] = {"integer", 23},
    [COLUMN_BOOLEAN] = {"boolean", 16},    [COLUMN_UUID] = {"uuid", 2950},
    [COLUMN_TIME] = {"timestamptz", 1184}, [COLUMN_MAYBE_TIME] = {"timestamptz", 1184},
    [COLUMN_TEXT] = {"text", 25},
};

const char *pg_kind_name(enum column_kind kind)
{
    return kinds[kind].name;
}

char *bytes_room(struct bytes *bytes, size_t more)
{
    if (bytes->len + more > bytes->room) {
        bytes->room = (bytes->len + more) * 2;
        bytes->at = realloc(bytes->at, bytes->room);
        if (!bytes->at)
            abort();
    }
    return bytes->at + bytes->len;
}

void bytes_print(struct bytes *bytes, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);
    vsnprintf(bytes_room(bytes, (size_t)len + 1), (size_t)len + 1, format, again);
    va_end(again);
    bytes->len += (size_t)len;
}

void bytes_free(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){0};
}

static char *put32(char *to, uint32_t value)
{
    value = htobe32(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static char *put64(char *to, uint64_t value)
{
    value = htobe64(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static char *put_bytes(char *to, const char *at, size_t len)
{
    to = put32(to, (uint32_t)len);
    memcpy(to, at, len);
    return to + len;
}

static char *put_time(char *to, int64_t us)
{
    return put64(put32(to, sizeof us), (uint64_t)(us - EPOCH_US));
}

/* A value as length and bytes; at most VALUE_HEADER + FIXED_VALUE_MAX, or the column's size for
 * text. */
static char *put_value(char *to, const struct column *column, const void *row)
{
    const char *at = (const char *)row + column->offset;
    uint64_t wide;
    uint32_t narrow;
    uint16_t len;
    struct maybe_time time;
    switch (column->kind) {
    case COLUMN_BIGINT:
        memcpy(&wide, at, sizeof wide);
        return put64(put32(to, sizeof wide), wide);
    case COLUMN_INTEGER:
        memcpy(&narrow, at, sizeof narrow);
        return put32(put32(to, sizeof narrow), narrow);
    case COLUMN_BOOLEAN:
    case COLUMN_UUID:
        return put_bytes(to, at, column->size);
    case COLUMN_TIME:
        memcpy(&wide, at, sizeof wide);
        return put_time(to, (int64_t)wide);
    case COLUMN_MAYBE_TIME:
        memcpy(&time, at, sizeof time);
        return time.set ? put_time(to, time.us) : put32(to, UINT32_MAX);
    case COLUMN_TEXT:
        memcpy(&len, at, sizeof len);
        return put_bytes(to, at + sizeof len, len);
    }
    assert(!"a kind of column");
    return to;
}

static size_t value_max(const struct column *column)
{
    return VALUE_HEADER + (column->size > FIXED_VALUE_MAX ? column->size : FIXED_VALUE_MAX);
}

void pg_encode_array(struct bytes *out, const struct column *column, const void *const *rows,
                     size_t count)
{
    char *start = bytes_room(out, ARRAY_HEADER), *to = start;
    to = put32(to, count > 0);                         /* dimensions */
    to = put32(to, column->kind == COLUMN_MAYBE_TIME); /* may hold NULL */
    to = put32(to, kinds[column->kind].oid);
    if (count > 0)
        to = put32(put32(to, (uint32_t)count), 1); /* the lower bound */
    out->len += (size_t)(to - start);
    for (size_t i = 0; i < count; i++) {
        start = bytes_room(out, value_max(column));
        out->len += (size_t)(put_value(start, column, rows[i]) - start);
    }
}

void pg_encode_copy_header(struct bytes *out)
{
    memcpy(bytes_room(out, COPY_HEADER), "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", COPY_HEADER);
    out->len += COPY_HEADER;
}

static char *put16(char *to, uint16_t value)
{
    value = htobe16(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

void pg_encode_copy_row(struct bytes *out, const struct projection *projection, const void *row)
{
    put16(bytes_room(out, sizeof(uint16_t)), (uint16_t)projection->columns_count);
    out->len += sizeof(uint16_t);
    for (size_t i = 0; i < projection->columns_count; i++) {
        const struct column *column = &projection->columns[i];
        char *start = bytes_room(out, value_max(column));
        out->len += (size_t)(put_value(start, column, row) - start);
    }
}

void pg_encode_copy_trailer(struct bytes *out)
{
    put16(bytes_room(out, sizeof(uint16_t)), UINT16_MAX);
    out->len += sizeof(uint16_t);
}

static uint64_t get64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

static uint32_t get32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return be32toh(value);
}

static void get_time(const char *at, int64_t *ret_us)
{
    *ret_us = (int64_t)get64(at) + EPOCH_US;
}

/* What a binary value of this kind must be long; 0: any length. */
static size_t wire_size(const struct column *column)
{
    switch (column->kind) {
    case COLUMN_BIGINT:
    case COLUMN_TIME:
    case COLUMN_MAYBE_TIME:
        return sizeof(int64_t);
    case COLUMN_INTEGER:
    case COLUMN_BOOLEAN:
    case COLUMN_UUID:
        return column->size;
    case COLUMN_TEXT:
        return 0;
    }
    assert(!"a kind of column");
    return 0;
}

static bool get_text(const struct column *column, const char *at, size_t len, char *to)
{
    uint16_t text_len = (uint16_t)len;
    if (len > column->size - sizeof text_len)
        return false;
    memcpy(to, &text_len, sizeof text_len);
    memcpy(to + sizeof text_len, at, len);
    return true;
}

static bool get_value(const struct column *column, const char *at, size_t len, void *row)
{
    char *to = (char *)row + column->offset;
    uint64_t wide;
    uint32_t narrow;
    struct maybe_time time = {.set = true};
    if (column->kind != COLUMN_TEXT && len != wire_size(column))
        return false;
    switch (column->kind) {
    case COLUMN_BIGINT:
        wide = get64(at);
        memcpy(to, &wide, sizeof wide);
        return true;
    case COLUMN_INTEGER:
        narrow = get32(at);
        memcpy(to, &narrow, sizeof narrow);
        return true;
    case COLUMN_BOOLEAN:
    case COLUMN_UUID:
        memcpy(to, at, len);
        return true;
    case COLUMN_TIME:
        get_time(at, &time.us);
        memcpy(to, &time.us, sizeof time.us);
        return true;
    case COLUMN_MAYBE_TIME:
        get_time(at, &time.us);
        memcpy(to + offsetof(struct maybe_time, us), &time.us, sizeof time.us);
        memcpy(to + offsetof(struct maybe_time, set), &time.set, sizeof time.set);
        return true;
    case COLUMN_TEXT:
        return get_text(column, at, len, to);
    }
    assert(!"a kind of column");
    return false;
}

bool pg_decode_row(const struct projection *projection, const struct pg_result *result, int nth,
                   void *row)
{
    memset(row, 0, projection->row_size);
    for (size_t i = 0; i < projection->columns_count; i++) {
        const struct column *column = &projection->columns[i];
        int field = (int)i;
        if (PQgetisnull(result, nth, field)) {
            if (column->kind != COLUMN_MAYBE_TIME)
                return false;
        } else if (!get_value(column, PQgetvalue(result, nth, field),
                              (size_t)PQgetlength(result, nth, field), row)) {
            return false;
        }
    }
    return true;
}
