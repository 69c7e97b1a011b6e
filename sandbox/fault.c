/* SplitMix64 (Steele, Lea, Flood 2014), two draws per call. */
#include "sandbox/fault.h"

#include <assert.h>

static uint64_t next(struct fault *fault)
{
    fault->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = fault->state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void fault_init(struct fault *fault, double rate, uint64_t seed)
{
    assert(rate >= 0 && rate <= 1);
    *fault = (struct fault){.state = seed, .threshold = (uint64_t)(rate * 0x1p53)};
    pthread_mutex_init(&fault->lock, NULL);
}

void fault_finish(struct fault *fault)
{
    pthread_mutex_destroy(&fault->lock);
}

enum fault_kind fault_draw(struct fault *fault)
{
    if (fault->threshold == 0)
        return FAULT_NONE;
    pthread_mutex_lock(&fault->lock);
    uint64_t hit = next(fault) >> 11;
    uint64_t side = next(fault) >> 63;
    pthread_mutex_unlock(&fault->lock);
    if (hit >= fault->threshold)
        return FAULT_NONE;
    return side ? FAULT_AFTER : FAULT_BEFORE;
}
