/* Open addressing with backward-shift deletion over an array of slots; the slots form the LRU list.
 */
#include "runtime/row_table.h"

#include <assert.h>
#include <stdlib.h>

enum { BUCKETS_FIRST = 1024 };

static void *grown(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (!memory)
        abort();
    return memory;
}

void row_table_clear(struct row_table *table)
{
    table->count = table->top = 0;
    table->free_head = table->newest = table->oldest = ROW_SLOT_NONE;
    memset(table->buckets, 0xff, (size_t)table->buckets_count * sizeof *table->buckets);
}

void row_table_init(struct row_table *table, const struct projection *projection)
{
    size_t align = _Alignof(struct row_slot);
    size_t size = offsetof(struct row_slot, row) + projection->row_size;
    *table = (struct row_table){.projection = projection,
                                .stride = (size + align - 1) / align * align,
                                .buckets_count = BUCKETS_FIRST,
                                .room = BUCKETS_FIRST / 2};
    table->buckets = grown(NULL, (size_t)table->buckets_count * sizeof *table->buckets);
    table->slots = grown(NULL, (size_t)table->room * table->stride);
    row_table_clear(table);
}

void row_table_finish(struct row_table *table)
{
    free(table->buckets);
    free(table->slots);
    *table = (struct row_table){0};
}

static void insert_bucket(struct row_table *table, uint32_t slot)
{
    uint32_t mask = table->buckets_count - 1;
    uint32_t bucket = row_table_at(table, slot)->hash & mask;
    while (table->buckets[bucket] != ROW_SLOT_NONE)
        bucket = (bucket + 1) & mask;
    table->buckets[bucket] = slot;
}

static void grow(struct row_table *table)
{
    assert(table->room < UINT32_MAX / 4);
    table->room *= 2;
    table->buckets_count *= 2;
    table->slots = grown(table->slots, (size_t)table->room * table->stride);
    table->buckets = grown(table->buckets, (size_t)table->buckets_count * sizeof *table->buckets);
    memset(table->buckets, 0xff, (size_t)table->buckets_count * sizeof *table->buckets);
    for (uint32_t i = 0; i < table->top; i++)
        if (row_table_at(table, i)->used)
            insert_bucket(table, i);
}

uint32_t row_table_find(const struct row_table *table, const void *row, uint32_t hash)
{
    uint32_t mask = table->buckets_count - 1;
    for (uint32_t bucket = hash & mask;; bucket = (bucket + 1) & mask) {
        uint32_t slot = table->buckets[bucket];
        if (slot == ROW_SLOT_NONE)
            return slot;
        const struct row_slot *at = row_table_at(table, slot);
        if (at->hash == hash && row_key_equal(table->projection, at->row, row))
            return slot;
    }
}

static void unlink_slot(struct row_table *table, struct row_slot *slot)
{
    if (slot->newer != ROW_SLOT_NONE)
        row_table_at(table, slot->newer)->older = slot->older;
    else
        table->newest = slot->older;
    if (slot->older != ROW_SLOT_NONE)
        row_table_at(table, slot->older)->newer = slot->newer;
    else
        table->oldest = slot->newer;
}

static void link_newest(struct row_table *table, uint32_t slot)
{
    struct row_slot *at = row_table_at(table, slot);
    at->newer = ROW_SLOT_NONE;
    at->older = table->newest;
    if (table->newest != ROW_SLOT_NONE)
        row_table_at(table, table->newest)->newer = slot;
    else
        table->oldest = slot;
    table->newest = slot;
}

void row_table_touch(struct row_table *table, uint32_t slot)
{
    if (table->newest == slot)
        return;
    unlink_slot(table, row_table_at(table, slot));
    link_newest(table, slot);
}

static uint32_t new_slot(struct row_table *table)
{
    uint32_t slot = table->free_head;
    if (slot != ROW_SLOT_NONE) {
        table->free_head = row_table_at(table, slot)->newer;
        return slot;
    }
    if (table->top == table->room)
        grow(table);
    return table->top++;
}

uint32_t row_table_add(struct row_table *table, const void *row, uint32_t hash)
{
    uint32_t slot = row_table_find(table, row, hash);
    if (slot != ROW_SLOT_NONE)
        return slot;
    slot = new_slot(table);
    struct row_slot *at = row_table_at(table, slot);
    *at = (struct row_slot){.hash = hash, .used = true};
    row_key_only(table->projection, at->row, row);
    insert_bucket(table, slot);
    link_newest(table, slot);
    table->count++;
    return slot;
}

void row_table_remove(struct row_table *table, uint32_t slot)
{
    struct row_slot *at = row_table_at(table, slot);
    uint32_t mask = table->buckets_count - 1;
    uint32_t hole = at->hash & mask;
    while (table->buckets[hole] != slot)
        hole = (hole + 1) & mask;
    for (uint32_t i = (hole + 1) & mask; table->buckets[i] != ROW_SLOT_NONE; i = (i + 1) & mask) {
        uint32_t home = row_table_at(table, table->buckets[i])->hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            table->buckets[hole] = table->buckets[i];
            hole = i;
        }
    }
    table->buckets[hole] = ROW_SLOT_NONE;
    unlink_slot(table, at);
    at->used = false;
    at->newer = table->free_head;
    table->free_head = slot;
    table->count--;
}

static bool row_exists(const struct row_slot *slot)
{
    return slot->used && slot->exists;
}

void row_table_digest(const struct row_table *table, int64_t *ret_rows, uint64_t *ret_digest)
{
    int64_t rows = 0;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < table->top; i++) {
        const struct row_slot *slot = row_table_at(table, i);
        if (row_exists(slot)) {
            rows++;
            digest += row_digest(table->projection, slot->row);
        }
    }
    *ret_rows = rows;
    *ret_digest = digest;
}

static int by_key(const void *a, const void *b, void *projection)
{
    return row_key_compare(projection, *(void *const *)a, *(void *const *)b);
}

size_t row_table_sorted(const struct row_table *table, const void ***ret_rows)
{
    const void **rows = grown(NULL, ((size_t)table->count + 1) * sizeof *rows);
    struct projection projection = *table->projection;
    size_t count = 0;
    for (uint32_t i = 0; i < table->top; i++)
        if (row_exists(row_table_at(table, i)))
            rows[count++] = row_table_at(table, i)->row;
    qsort_r(rows, count, sizeof *rows, by_key, &projection);
    *ret_rows = rows;
    return count;
}
