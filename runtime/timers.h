/* Which saga's timer fires next: a heap by time in which each has at most one place. Single thread.
 */
#ifndef RUNTIME_TIMERS_H
#define RUNTIME_TIMERS_H

#include <stdint.h>

#include "core/text.h"

struct timer {
    int64_t due;     /* microseconds */
    struct text key; /* of who holds it */
    struct timer **holder;
    size_t place;
};

struct timers {
    struct timer **heap;
    size_t count, room;
};

#define TIMER_NEVER INT64_MAX

/* Sets the timer of a holder (*holder is NULL while it has none), moves it, or with TIMER_NEVER
 * takes it away. Holder and key stay where they are as long as it is set. */
void timers_set(struct timers *timers, struct timer **holder, int64_t due, struct text key);
/* The earliest, or NULL. */
const struct timer *timers_first(const struct timers *timers);
/* Frees all of them; their holders are not touched. */
void timers_finish(struct timers *timers);

#endif
