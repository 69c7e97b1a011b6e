/* Which partition a key belongs to: murmur2 as Kafka's Java client computes it, so that other
 * tools that write or look up by key agree with us. */
#ifndef CORE_PARTITION_H
#define CORE_PARTITION_H

#include <stdint.h>

#include "core/text.h"

uint32_t murmur2(struct text key);
/* 0 .. partitions - 1. */
int partition_of(struct text key, int partitions);

#endif
