/* Time and chance: the only source of either. */
#ifndef RUNTIME_CLOCK_H
#define RUNTIME_CLOCK_H

#include <stdint.h>

#include "core/uuid.h"

int64_t clock_now_us(void);       /* microseconds since 1970, UTC */
int64_t clock_monotonic_ms(void); /* milliseconds since some moment */
int64_t clock_monotonic_us(void);
void clock_sleep_us(int64_t us);
uint64_t random_u64(void);
struct uuid random_uuid(void); /* version 4 */

#endif
