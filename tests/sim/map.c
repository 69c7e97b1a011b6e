/* Open addressing, never shrinks. */
#include "tests/sim/map.h"

#include "tests/sim/world.h"

enum { ROOM_MIN = 256 };

static struct map_slot *probe(const struct map *map, uint64_t key)
{
    size_t i = (size_t)key & (map->room - 1);
    while (map->slots[i].key && map->slots[i].key != key)
        i = (i + 1) & (map->room - 1);
    return &map->slots[i];
}

void **map_at(struct map *map, uint64_t key)
{
    if (2 * (map->count + 1) > map->room) {
        struct map old = *map;
        map->room = old.room ? 2 * old.room : ROOM_MIN;
        map->slots = world_alloc(map->room * sizeof *map->slots);
        for (size_t i = 0; i < old.room; i++)
            if (old.slots[i].key)
                *probe(map, old.slots[i].key) = old.slots[i];
    }
    struct map_slot *slot = probe(map, key);
    map->count += slot->key == 0;
    slot->key = key;
    return &slot->value;
}

void *map_get(const struct map *map, uint64_t key)
{
    return map->room ? probe(map, key)->value : NULL;
}

static uint64_t mixed(uint64_t h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

uint64_t key_of(const char *name, struct text text, int64_t a, int64_t b)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    h = mixed(h ^ text.len);
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.at[i]) * 0x100000001b3u;
    h = mixed(h ^ (uint64_t)a * 0x9e3779b97f4a7c15u);
    h = mixed(h ^ (uint64_t)b * 0xc2b2ae3d27d4eb4fu);
    return h ? h : 1;
}

uint64_t key_of_uuid(struct uuid id)
{
    return key_of("", (struct text){(const char *)id.bytes, sizeof id.bytes}, 0, 0);
}
