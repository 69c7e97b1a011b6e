/* Open addressing with linear probing; a removal moves what follows back, so there are no
 * tombstones. */
#include "commands/reservations.h"

#include <assert.h>
#include <stdlib.h>

enum { SIZE_MIN = 8, SIZE_MAX_SLOTS = 1 << 30 };

/* Order ids are derived by SHA-1: their bytes are as good as a hash. */
static uint32_t home(const struct reservations *open, struct uuid order_id, int64_t line)
{
    uint32_t hash;
    memcpy(&hash, order_id.bytes, sizeof hash);
    return (hash + (uint32_t)line * 0x9e3779b1u) & (open->size - 1);
}

/* The slot of this line, or the free one where it would be. */
static uint32_t find_slot(const struct reservations *open, struct uuid order_id, int64_t line)
{
    uint32_t at = home(open, order_id, line);
    while (open->slots[at].quantity &&
           !(open->slots[at].line == line && uuid_equal(open->slots[at].order_id, order_id)))
        at = (at + 1) & (open->size - 1);
    return at;
}

static void resize(struct reservations *open, uint32_t size)
{
    struct reservations bigger = {.size = size, .count = open->count};
    assert(size <= SIZE_MAX_SLOTS);
    bigger.slots = calloc(size, sizeof *bigger.slots);
    assert(bigger.slots);
    for (uint32_t i = 0; i < open->size; i++) {
        const struct reservation *old = &open->slots[i];
        if (old->quantity)
            bigger.slots[find_slot(&bigger, old->order_id, old->line)] = *old;
    }
    free(open->slots);
    *open = bigger;
}

int64_t reservations_find(const struct reservations *open, struct uuid order_id, int64_t line)
{
    return open->size ? open->slots[find_slot(open, order_id, line)].quantity : 0;
}

void reservations_open(struct reservations *open, struct uuid order_id, int64_t line,
                       int64_t quantity)
{
    if (open->count >= open->size / 2)
        resize(open, open->size ? open->size * 2 : SIZE_MIN);
    uint32_t at = find_slot(open, order_id, line);
    assert(open->slots[at].quantity == 0 && quantity > 0 && quantity <= INT32_MAX);
    open->slots[at] = (struct reservation){
        .order_id = order_id,
        .line = (int32_t)line,
        .quantity = (int32_t)quantity,
    };
    open->count++;
}

/* Moves back what would no longer be found from its home slot across the gap. */
static void close_gap(struct reservations *open, uint32_t gap)
{
    uint32_t mask = open->size - 1;
    for (uint32_t at = (gap + 1) & mask; open->slots[at].quantity; at = (at + 1) & mask) {
        uint32_t from = home(open, open->slots[at].order_id, open->slots[at].line);
        if (((at - from) & mask) < ((at - gap) & mask))
            continue;
        open->slots[gap] = open->slots[at];
        gap = at;
    }
    open->slots[gap] = (struct reservation){0};
}

void reservations_close(struct reservations *open, struct uuid order_id, int64_t line)
{
    if (open->size == 0)
        return;
    uint32_t at = find_slot(open, order_id, line);
    if (open->slots[at].quantity == 0)
        return;
    close_gap(open, at);
    open->count--;
    if (open->count == 0)
        reservations_finish(open);
    else if (open->size > SIZE_MIN && open->count <= open->size / 8)
        resize(open, open->size / 2);
}

void reservations_finish(struct reservations *open)
{
    free(open->slots);
    *open = (struct reservations){0};
}
