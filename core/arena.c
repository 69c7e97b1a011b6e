#include "core/arena.h"

#include <assert.h>

void *arena_alloc(struct arena *arena, size_t size)
{
    assert(arena->used % 16 == 0 || arena->used == arena->size);
    size_t rounded = (size + 15) & ~(size_t)15;
    if (rounded < size || rounded > arena->size - arena->used)
        return NULL;
    void *p = arena->base + arena->used;
    arena->used += rounded;
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
