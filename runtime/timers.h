/* Which saga's timer fires next: a heap by time. Entries are never removed but found stale when
 * they come up. Single thread. */
#ifndef RUNTIME_TIMERS_H
#define RUNTIME_TIMERS_H

#include <stdint.h>

#include "core/limits.h"
#include "core/text.h"

struct timer {
    int64_t due; /* microseconds */
    uint32_t key_len;
    char key[KEY_LEN_MAX];
};

struct timers {
    struct timer *heap;
    size_t count, room;
};

void timers_add(struct timers *timers, int64_t due, struct text key);
/* The earliest, or NULL. */
const struct timer *timers_first(const struct timers *timers);
void timers_drop_first(struct timers *timers);
void timers_finish(struct timers *timers);

#endif
