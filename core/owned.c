/* Reads and writes pointers and counts by their places. */
#include "core/owned.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t owned_bytes(const struct owned *owned, const void *state)
{
    const unsigned char *at = (const unsigned char *)state + owned->count;
    uint16_t two;
    uint32_t four;
    switch (owned->count_size) {
    case sizeof(uint8_t):
        return *at * owned->element;
    case sizeof two:
        memcpy(&two, at, sizeof two);
        return two * owned->element;
    default:
        assert(owned->count_size == sizeof four);
        memcpy(&four, at, sizeof four);
        return four * owned->element;
    }
}

void *owned_array(const struct owned *owned, const void *state)
{
    void *array;
    memcpy(&array, (const char *)state + owned->pointer, sizeof array);
    return array;
}

void owned_set(const struct owned *owned, void *state, void *array)
{
    memcpy((char *)state + owned->pointer, &array, sizeof array);
}

void owned_free(const struct owned *table, void *state)
{
    for (const struct owned *o = table; o && o->element; o++) {
        free(owned_array(o, state));
        owned_set(o, state, NULL);
        memset((char *)state + o->count, 0, o->count_size);
    }
}
