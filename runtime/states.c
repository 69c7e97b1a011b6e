/* An open-addressing table of pointers to states, which never move. */
#include "runtime/states.h"

#include <stdlib.h>

enum { ROOM_MIN = 256 };

struct node {
    struct state state;
    uint64_t hash;
    _Alignas(16) char bytes[]; /* data, then key */
};

struct states {
    struct node **slots;
    size_t room, count;
    size_t state_size; /* rounded to 16 */
    const struct owned *owned;
};

static uint64_t hash(struct text key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.len; i++)
        h = (h ^ (unsigned char)key.at[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static void allocate(struct states *s, size_t room)
{
    s->room = room;
    s->slots = calloc(room, sizeof(struct node *));
    if (!s->slots)
        abort();
}

struct states *states_create(size_t state_size, const struct owned *owned)
{
    struct states *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->state_size = (state_size + 15) & ~(size_t)15;
    s->owned = owned;
    allocate(s, ROOM_MIN);
    return s;
}

void states_destroy(struct states *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->room; i++) {
        if (s->slots[i])
            owned_free(s->owned, s->slots[i]->state.data);
        free(s->slots[i]);
    }
    free(s->slots);
    free(s);
}

static bool node_is(const struct node *node, uint64_t h, struct text key)
{
    return node->hash == h && text_equal(node->state.key, key);
}

static size_t probe(const struct states *s, uint64_t h, struct text key)
{
    size_t i = (size_t)h & (s->room - 1);
    while (s->slots[i] && !node_is(s->slots[i], h, key))
        i = (i + 1) & (s->room - 1);
    return i;
}

static void grow(struct states *s)
{
    struct states old = *s;
    allocate(s, 2 * old.room);
    for (size_t i = 0; i < old.room; i++) {
        struct node *node = old.slots[i];
        if (node)
            s->slots[probe(s, node->hash, node->state.key)] = node;
    }
    free(old.slots);
}

static struct node *node_create(const struct states *s, uint64_t h, struct text key)
{
    struct node *node = calloc(1, sizeof *node + s->state_size + key.len);
    if (!node)
        abort();
    node->hash = h;
    node->state.data = node->bytes;
    node->state.key = (struct text){node->bytes + s->state_size, key.len};
    memcpy(node->bytes + s->state_size, key.at, key.len);
    return node;
}

struct state *states_at(struct states *s, struct text key)
{
    uint64_t h = hash(key);
    size_t i = probe(s, h, key);
    if (s->slots[i])
        return &s->slots[i]->state;
    if (2 * (s->count + 1) > s->room) {
        grow(s);
        i = probe(s, h, key);
    }
    s->count++;
    s->slots[i] = node_create(s, h, key);
    return &s->slots[i]->state;
}

struct state *states_find(const struct states *s, struct text key)
{
    struct node *node = s->slots[probe(s, hash(key), key)];
    return node ? &node->state : NULL;
}

struct state *states_next(const struct states *s, size_t *at)
{
    while (*at < s->room && !s->slots[*at])
        ++*at;
    return *at < s->room ? &s->slots[(*at)++]->state : NULL;
}

size_t states_count(const struct states *s)
{
    return s->count;
}
