/* Bump allocator: one arena per unit of work, emptied in one go. Not thread safe. */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/text.h"

/* A large array of a hot path that is written before it is read: hardening need not zero it at each
 * call. */
#define UNZEROED __attribute__((uninitialized))

struct arena {
    char *base; /* 16-byte aligned */
    size_t used;
    size_t size; /* bytes */
};

/* Zeroed, 16-byte aligned; NULL when full: the caller decides what that means. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy that lives as long as the arena; .at is NULL when full. */
struct text arena_copy(struct arena *arena, struct text text);

static inline void arena_reset(struct arena *arena)
{
    arena->used = 0;
}

#endif
