/* A hash table of world memory: 64-bit keys to pointers. Keys are hashes: two things of one key do
 * not happen in a run of thousands. */
#ifndef TESTS_SIM_MAP_H
#define TESTS_SIM_MAP_H

#include "core/envelope.h"

struct map {
    struct map_slot {
        uint64_t key;
        void *value;
    } * slots;
    size_t room, count;
};

/* The place of this key's value; NULL in it when it is new. Valid until the next call. */
void **map_at(struct map *map, uint64_t key);
void *map_get(const struct map *map, uint64_t key);
/* Over names and numbers. */
uint64_t key_of(const char *name, struct text text, int64_t a, int64_t b);
uint64_t key_of_uuid(struct uuid id);

#endif
