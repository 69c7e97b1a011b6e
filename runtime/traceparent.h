/* Of a request or command that nobody traces yet (W3C Trace Context). */
#ifndef RUNTIME_TRACEPARENT_H
#define RUNTIME_TRACEPARENT_H

#include <stdio.h>

#include "runtime/clock.h"

enum { TRACEPARENT_LEN = 55 };

static inline void traceparent_new(char out[TRACEPARENT_LEN + 1])
{
    snprintf(out, TRACEPARENT_LEN + 1, "00-%016llx%016llx-%016llx-01",
             (unsigned long long)random_u64(), (unsigned long long)random_u64(),
             (unsigned long long)(random_u64() | 1));
}

#endif
