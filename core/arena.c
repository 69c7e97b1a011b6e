#include "core/arena.h"

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t start = (arena->used + 15) & ~(size_t)15; /* who writes bytes may end anywhere */
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded < size || start > arena->size || rounded > arena->size - start)
        return NULL;
    void *p = arena->base + start;
    arena->used = start + rounded;
    return memset(p, 0, size);
}

struct text arena_copy(struct arena *arena, struct text text)
{
    char *copy = arena_alloc(arena, text.len + 1);
    if (!copy)
        return (struct text){NULL, 0};
    if (text.len)
        memcpy(copy, text.at, text.len);
    return (struct text){copy, text.len};
}
