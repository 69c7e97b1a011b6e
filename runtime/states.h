/* The states of the aggregates (or sagas) of one partition, by id. Single thread. */
#ifndef RUNTIME_STATES_H
#define RUNTIME_STATES_H

#include <stdint.h>

#include "core/owned.h"
#include "core/text.h"

struct timer;

struct state {
    int64_t version; /* number of its events so far */
    void *data;      /* state_size bytes, zeroed at first */
    struct text key;
    struct timer *timer; /* the shard's; NULL: none is set */
};

struct states; /* opaque */

/* owned: what evolve allocates; may be NULL. */
struct states *states_create(size_t state_size, const struct owned *owned);
void states_destroy(struct states *states);
/* Found, or made: version 0 and zeroed. The address stays until states_destroy. */
struct state *states_at(struct states *states, struct text key);
/* NULL when there is none. */
struct state *states_find(const struct states *states, struct text key);
size_t states_count(const struct states *states);
/* One after the other, in no order: *at is 0 at first; NULL after the last. */
struct state *states_next(const struct states *states, size_t *at);

#endif
