/* Rounds that keep a pace under load: each then carries more, and costs the broker fewer requests
 * (decision 018). Alone, nobody waits. */
#ifndef RUNTIME_PACE_H
#define RUNTIME_PACE_H

#include <stddef.h>

#include "runtime/clock.h"

enum { PACE_MAX_US = 4000 };

/* After a round that began at `began_us` (monotonic): waits until `items` times `item_us` have gone
 * by since then, PACE_MAX_US at most. Fewer items than `few`: not at all. */
static inline void pace_keep(int64_t began_us, size_t items, size_t few, int item_us)
{
    int64_t pace_us = items < PACE_MAX_US ? (int64_t)items * item_us : PACE_MAX_US;
    int64_t left_us =
        (pace_us < PACE_MAX_US ? pace_us : PACE_MAX_US) - (clock_monotonic_us() - began_us);
    if (items >= few && left_us > 0)
        clock_sleep_us(left_us);
}

#endif
