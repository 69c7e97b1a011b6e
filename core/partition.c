#include "core/partition.h"

#include <assert.h>

enum { MURMUR2_SEED = 0x9747b28c, MURMUR2_M = 0x5bd1e995, MURMUR2_R = 24 };

uint32_t murmur2(struct text key)
{
    const uint32_t m = MURMUR2_M;
    const unsigned char *d = (const unsigned char *)key.at;
    uint32_t len = (uint32_t)key.len;
    uint32_t h = (uint32_t)MURMUR2_SEED ^ len;
    for (; len >= 4; len -= 4, d += 4) {
        uint32_t k =
            (uint32_t)d[0] | (uint32_t)d[1] << 8 | (uint32_t)d[2] << 16 | (uint32_t)d[3] << 24;
        k *= m;
        k ^= k >> MURMUR2_R;
        k *= m;
        h *= m;
        h ^= k;
    }
    if (len == 3)
        h ^= (uint32_t)d[2] << 16;
    if (len >= 2)
        h ^= (uint32_t)d[1] << 8;
    if (len >= 1) {
        h ^= d[0];
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    h ^= h >> 15;
    return h;
}

int partition_of(struct text key, int partitions)
{
    assert(partitions > 0);
    return (int)((murmur2(key) & 0x7fffffff) % (uint32_t)partitions);
}
