/* Allocation that never returns NULL: a witness that ran out of memory must stop, not guess. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *memory_checked(void *pointer)
{
    if (!pointer) {
        fputs("sandbox: out of memory\n", stderr);
        abort();
    }
    return pointer;
}

/* The caller frees. */
static inline void *memory_zeroed(size_t size)
{
    return memory_checked(calloc(1, size));
}

/* The caller frees. */
static inline char *memory_copy(const char *text)
{
    return memory_checked(strdup(text));
}

/* Room for one more item in an array that grows by doubling; returns the array, maybe moved. */
static inline void *memory_grow(void *items, size_t count, size_t item_size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return items;
    return memory_checked(reallocarray(items, count == 0 ? 1 : count * 2, item_size));
}
