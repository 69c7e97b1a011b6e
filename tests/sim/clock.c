/* Virtual time, with the clock of each process a little wrong, and chance of the seed. Behind
 * runtime/clock.h. */
#include "runtime/clock.h"

#include "tests/sim/world.h"

static const int64_t epoch_us = 1700000000000000;

int64_t clock_now_us(void)
{
    return epoch_us + world.now + (world.current ? world.current->skew_us : 0);
}

int64_t clock_monotonic_ms(void)
{
    return 1000 + world.now / MS;
}

int64_t clock_monotonic_us(void)
{
    return SECOND + world.now;
}

void clock_sleep_us(int64_t us)
{
    world_point();
    world_sleep(us);
}

uint64_t random_u64(void)
{
    return chance_u64();
}

struct uuid random_uuid(void)
{
    struct uuid id;
    uint64_t halves[2] = {chance_u64(), chance_u64()};
    memcpy(id.bytes, halves, sizeof id.bytes);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}
