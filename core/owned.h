/* What a state holds outside of its own bytes, as a table: so the runtime can free it and write it
 * down without knowing what it is. */
#ifndef CORE_OWNED_H
#define CORE_OWNED_H

#include <stddef.h>

/* An array from malloc: where in the state its pointer stands (NULL: there is none), and how many
 * elements it has, an unsigned number of 1, 2 or 4 bytes. Elements hold no pointers. */
struct owned {
    size_t pointer, count;      /* offsets in the state, bytes */
    size_t count_size, element; /* sizes, bytes */
};

#define OWNED(type, array, number)                                                   \
    {                                                                                \
        offsetof(type, array), offsetof(type, number), sizeof((type *)NULL)->number, \
            sizeof *((type *)NULL)->array                                            \
    }
#define OWNED_END \
    {             \
        0         \
    }

/* The number of elements by the state's own account, in bytes. */
size_t owned_bytes(const struct owned *owned, const void *state);
/* The array; NULL: there is none. */
void *owned_array(const struct owned *owned, const void *state);
/* The array has been allocated elsewhere, of owned_bytes; NULL: there is none. */
void owned_set(const struct owned *owned, void *state, void *array);
/* Frees what a table, which ends with OWNED_END, tells of; the pointers are NULL then and the
 * counts 0. `table` may be NULL: a state that holds nothing. */
void owned_free(const struct owned *table, void *state);

#endif
