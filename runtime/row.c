/* Digests, keys and printing of rows, from their column table. */
#include "runtime/row.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static size_t kind_size(enum column_kind kind)
{
    switch (kind) {
    case COLUMN_BIGINT:
    case COLUMN_TIME:
        return sizeof(int64_t);
    case COLUMN_INTEGER:
        return sizeof(int32_t);
    case COLUMN_BOOLEAN:
        return sizeof(bool);
    case COLUMN_UUID:
        return sizeof(struct uuid);
    case COLUMN_MAYBE_TIME:
        return sizeof(struct maybe_time);
    case COLUMN_TEXT:
        return 0;
    }
    assert(!"a kind of column");
    return 0;
}

size_t row_keys_count(const struct projection *projection)
{
    size_t n = 0;
    while (n < projection->columns_count && projection->columns[n].key)
        n++;
    return n;
}

void row_check(const struct projection *projection)
{
    size_t keys = row_keys_count(projection);
    assert(keys > 0 && projection->sources && projection->keys && projection->apply);
    for (size_t i = 0; i < projection->columns_count; i++) {
        const struct column *column = &projection->columns[i];
        assert(column->key == (i < keys));
        assert(column->offset + column->size <= projection->row_size);
        if (column->kind == COLUMN_TEXT)
            assert(column->size > sizeof(uint16_t) &&
                   column->size <= sizeof(uint16_t) + ROW_TEXT_MAX);
        else
            assert(column->size == kind_size(column->kind));
    }
}

/* The multiply-and-fold step of wyhash. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)(a ^ 0xa0761d6478bd642f) * (b ^ 0xe7037ed1a0b428db);
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t mix_bytes(uint64_t hash, const char *at, size_t len)
{
    uint64_t word;
    hash = mix(hash, len);
    for (; len >= sizeof word; len -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, at, len);
    return len ? mix(hash, word) : hash;
}

static uint64_t mix_value(uint64_t hash, const struct column *column, const void *row)
{
    const char *at = row_at(column, row);
    struct maybe_time time;
    struct text text;
    switch (column->kind) {
    case COLUMN_TEXT:
        text = row_text(column, row);
        return mix_bytes(hash, text.at, text.len);
    case COLUMN_MAYBE_TIME:
        memcpy(&time, at, sizeof time);
        return mix(mix(hash, time.set), time.set ? (uint64_t)time.us : 0);
    case COLUMN_BIGINT:
    case COLUMN_TIME:
    case COLUMN_INTEGER:
    case COLUMN_BOOLEAN:
    case COLUMN_UUID:
        return mix_bytes(hash, at, column->size);
    }
    assert(!"a kind of column");
    return hash;
}

uint64_t row_digest(const struct projection *projection, const void *row)
{
    uint64_t hash = 0x2545f4914f6cdd1d;
    for (size_t i = 0; i < projection->columns_count; i++)
        hash = mix_value(hash, &projection->columns[i], row);
    return hash;
}

uint32_t row_key_hash(const struct projection *projection, const void *row)
{
    uint64_t hash = 0x9e3779b97f4a7c15;
    for (size_t i = 0; i < projection->columns_count && projection->columns[i].key; i++)
        hash = mix_value(hash, &projection->columns[i], row);
    return (uint32_t)(hash ^ hash >> 32);
}

static int compare_integers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_texts(struct text a, struct text b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_values(const struct column *column, const void *a, const void *b)
{
    int64_t x = 0, y = 0;
    struct maybe_time s, t;
    switch (column->kind) {
    case COLUMN_BIGINT:
    case COLUMN_TIME:
        memcpy(&x, row_at(column, a), sizeof x);
        memcpy(&y, row_at(column, b), sizeof y);
        return compare_integers(x, y);
    case COLUMN_INTEGER:
        return compare_integers(*(const int32_t *)(const void *)row_at(column, a),
                                *(const int32_t *)(const void *)row_at(column, b));
    case COLUMN_BOOLEAN:
    case COLUMN_UUID:
        return memcmp(row_at(column, a), row_at(column, b), column->size);
    case COLUMN_MAYBE_TIME:
        memcpy(&s, row_at(column, a), sizeof s);
        memcpy(&t, row_at(column, b), sizeof t);
        if (!s.set || !t.set)
            return s.set - t.set;
        return compare_integers(s.us, t.us);
    case COLUMN_TEXT:
        return compare_texts(row_text(column, a), row_text(column, b));
    }
    assert(!"a kind of column");
    return 0;
}

bool row_value_equal(const struct column *column, const void *a, const void *b)
{
    return compare_values(column, a, b) == 0;
}

int row_key_compare(const struct projection *projection, const void *a, const void *b)
{
    int order = 0;
    for (size_t i = 0; !order && i < projection->columns_count && projection->columns[i].key; i++)
        order = compare_values(&projection->columns[i], a, b);
    return order;
}

bool row_key_equal(const struct projection *projection, const void *a, const void *b)
{
    return row_key_compare(projection, a, b) == 0;
}

bool row_equal(const struct projection *projection, const void *a, const void *b)
{
    for (size_t i = 0; i < projection->columns_count; i++)
        if (!row_value_equal(&projection->columns[i], a, b))
            return false;
    return true;
}

void row_key_only(const struct projection *projection, void *to, const void *from)
{
    memset(to, 0, projection->row_size);
    for (size_t i = 0; i < projection->columns_count && projection->columns[i].key; i++)
        memcpy((char *)to + projection->columns[i].offset, row_at(&projection->columns[i], from),
               projection->columns[i].size);
}

void row_value_print(const struct column *column, const void *row, char *out, size_t size)
{
    const char *at = row_at(column, row);
    int64_t number = 0;
    struct maybe_time time;
    char id[UUID_TEXT_LEN + 1];
    switch (column->kind) {
    case COLUMN_BIGINT:
    case COLUMN_TIME:
        memcpy(&number, at, sizeof number);
        snprintf(out, size, "%" PRId64, number);
        return;
    case COLUMN_INTEGER:
        snprintf(out, size, "%" PRId32, *(const int32_t *)(const void *)at);
        return;
    case COLUMN_BOOLEAN:
        snprintf(out, size, "%s", *(const bool *)at ? "true" : "false");
        return;
    case COLUMN_UUID:
        uuid_format(*(const struct uuid *)(const void *)at, id);
        snprintf(out, size, "%s", id);
        return;
    case COLUMN_MAYBE_TIME:
        memcpy(&time, at, sizeof time);
        if (time.set)
            snprintf(out, size, "%" PRId64, time.us);
        else
            snprintf(out, size, "null");
        return;
    case COLUMN_TEXT:
        snprintf(out, size, "%.*s", (int)row_text(column, row).len, row_text(column, row).at);
        return;
    }
    assert(!"a kind of column");
}

void row_key_print(const struct projection *projection, const void *row, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0;
         i < projection->columns_count && projection->columns[i].key && used + 1 < size; i++) {
        int n =
            snprintf(out + used, size - used, "%s%s=", i ? ", " : "", projection->columns[i].name);
        used += (size_t)n < size - used ? (size_t)n : size - used - 1;
        row_value_print(&projection->columns[i], row, out + used, size - used);
        used += strlen(out + used);
    }
}
