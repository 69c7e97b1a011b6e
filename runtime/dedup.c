/* A ring of entries in the order of their decisions, and an open-addressing index over it. */
#include "runtime/dedup.h"

#include <assert.h>
#include <stdlib.h>

enum { ROOM_MIN = 1024, EMPTY = 0 };

struct dedup {
    struct dedup_entry *ring;
    uint32_t *index;      /* ring slot + 1; twice as many as ring slots */
    size_t room;          /* of the ring, a power of two */
    uint64_t first, next; /* entries held: [first, next), slot = number % room */
};

static size_t hash(struct uuid id)
{
    uint64_t halves[2];
    memcpy(halves, id.bytes, sizeof halves);
    return (size_t)((halves[0] ^ halves[1]) * 0x9e3779b97f4a7c15u >> 20);
}

static struct dedup_entry *entry_at(const struct dedup *d, uint64_t number)
{
    return &d->ring[number & (d->room - 1)];
}

static size_t probe(const struct dedup *d, struct uuid id)
{
    size_t mask = 2 * d->room - 1, i = hash(id) & mask;
    while (d->index[i] != EMPTY && !uuid_equal(d->ring[d->index[i] - 1].command_id, id))
        i = (i + 1) & mask;
    return i;
}

static void index_add(struct dedup *d, uint64_t number)
{
    d->index[probe(d, entry_at(d, number)->command_id)] = (uint32_t)(number & (d->room - 1)) + 1;
}

/* Backward-shift deletion keeps every probe run unbroken. */
static void index_remove(struct dedup *d, struct uuid id)
{
    size_t mask = 2 * d->room - 1, hole = probe(d, id);
    assert(d->index[hole] != EMPTY);
    for (size_t i = (hole + 1) & mask; d->index[i] != EMPTY; i = (i + 1) & mask) {
        size_t home = hash(d->ring[d->index[i] - 1].command_id) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            d->index[hole] = d->index[i];
            hole = i;
        }
    }
    d->index[hole] = EMPTY;
}

static void allocate(struct dedup *d, size_t room)
{
    d->room = room;
    d->ring = calloc(room, sizeof *d->ring);
    d->index = calloc(2 * room, sizeof *d->index);
    if (!d->ring || !d->index)
        abort();
}

static void grow(struct dedup *d)
{
    struct dedup old = *d;
    allocate(d, 2 * old.room);
    for (uint64_t n = old.first; n < old.next; n++)
        *entry_at(d, n) = *entry_at(&old, n);
    for (uint64_t n = old.first; n < old.next; n++)
        index_add(d, n);
    free(old.ring);
    free(old.index);
}

struct dedup *dedup_create(void)
{
    struct dedup *d = calloc(1, sizeof *d);
    if (!d)
        abort();
    allocate(d, ROOM_MIN);
    return d;
}

void dedup_destroy(struct dedup *d)
{
    if (!d)
        return;
    free(d->ring);
    free(d->index);
    free(d);
}

static void forget_oldest(struct dedup *d)
{
    index_remove(d, entry_at(d, d->first)->command_id);
    d->first++;
}

const struct dedup_entry *dedup_find(struct dedup *d, struct uuid command_id, int64_t at)
{
    while (d->first < d->next && entry_at(d, d->first)->at < at - DEDUP_WINDOW_US)
        forget_oldest(d);
    uint32_t slot = d->index[probe(d, command_id)];
    return slot == EMPTY ? NULL : &d->ring[slot - 1];
}

static void append(struct dedup *d, const struct dedup_entry *entry)
{
    if (d->next - d->first == d->room)
        grow(d);
    *entry_at(d, d->next) = *entry;
    index_add(d, d->next++);
}

void dedup_add(struct dedup *d, const struct dedup_entry *entry)
{
    if (dedup_find(d, entry->command_id, entry->at))
        return;
    if (d->next - d->first == DEDUP_ENTRIES_MAX)
        forget_oldest(d);
    append(d, entry);
}

bool dedup_restore(struct dedup *d, const struct dedup_entry *entry)
{
    if (d->next - d->first == DEDUP_ENTRIES_MAX)
        return false;
    append(d, entry);
    return true;
}

void dedup_settle(struct dedup *d, struct uuid command_id, int64_t offset)
{
    uint32_t slot = d->index[probe(d, command_id)];
    if (slot != EMPTY && d->ring[slot - 1].offset < 0)
        d->ring[slot - 1].offset = offset;
}

const struct dedup_entry *dedup_entry(const struct dedup *d, size_t i)
{
    return entry_at(d, d->first + i);
}

size_t dedup_count(const struct dedup *d)
{
    return (size_t)(d->next - d->first);
}
