/* Random trouble on request: the same seed draws the same sequence of faults, call by call. */
#pragma once

#include <pthread.h>
#include <stdint.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_BEFORE, /* answer 500, nothing happened */
    FAULT_AFTER,  /* it happened, the answer is lost */
};

struct fault {
    pthread_mutex_t lock;
    uint64_t state;
    uint64_t threshold; /* of 2^53 */
};

/* `rate` from 0 to 1. */
void fault_init(struct fault *fault, double rate, uint64_t seed);
void fault_finish(struct fault *fault);

/* Any thread. */
enum fault_kind fault_draw(struct fault *fault);
