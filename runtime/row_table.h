/* Rows in memory, found by key, in least-recently-used order. Slots are named by index: memory
 * moves when it grows. */
#ifndef RUNTIME_ROW_TABLE_H
#define RUNTIME_ROW_TABLE_H

#include "runtime/row.h"

#define ROW_SLOT_NONE UINT32_MAX

struct row_slot {
    uint32_t hash, newer, older;
    uint32_t batch; /* the last one that touched it */
    bool used;
    bool known;  /* it is known whether the table in the database has it */
    bool exists; /* it has */
    _Alignas(16) char row[];
};

struct row_table {
    const struct projection *projection;
    size_t stride; /* bytes from slot to slot */
    uint32_t count, top, room, buckets_count, free_head, newest, oldest;
    uint32_t *buckets;
    char *slots;
};

/* Out of memory stops the process, here and when it grows. */
void row_table_init(struct row_table *table, const struct projection *projection);
void row_table_finish(struct row_table *table);
void row_table_clear(struct row_table *table);
/* `hash` is row_key_hash of the key columns of `row`. A new row is zero but for its key. */
uint32_t row_table_find(const struct row_table *table, const void *row, uint32_t hash);
uint32_t row_table_add(struct row_table *table, const void *row, uint32_t hash);
void row_table_remove(struct row_table *table, uint32_t slot);
/* Makes it the newest. */
void row_table_touch(struct row_table *table, uint32_t slot);

static inline struct row_slot *row_table_at(const struct row_table *table, uint32_t slot)
{
    return (struct row_slot *)(void *)(table->slots + (size_t)slot * table->stride);
}

/* Sums over the rows that exist. */
void row_table_digest(const struct row_table *table, int64_t *ret_rows, uint64_t *ret_digest);
/* The rows that exist, in key order; the caller frees *ret_rows. */
size_t row_table_sorted(const struct row_table *table, const void ***ret_rows);

#endif
