/* A circuit breaker: after so many connection failures in a row nobody is called but, now and then,
 * one probe. Pure. */
#ifndef RUNTIME_BREAKER_H
#define RUNTIME_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

struct breaker {
    int failures_max; /* in a row until it opens */
    int pause_min_ms, pause_max_ms;
    int failures;
    int pause_ms; /* of the next opening */
    int64_t open_until_ms;
    bool probing;
};

static inline bool breaker_open(const struct breaker *b)
{
    return b->failures >= b->failures_max;
}

/* May a call be made now? While open, true means: this one is the probe. */
static inline bool breaker_allows(struct breaker *b, int64_t now_ms)
{
    if (!breaker_open(b))
        return true;
    if (b->probing || now_ms < b->open_until_ms)
        return false;
    b->probing = true;
    return true;
}

/* Somebody answered, whatever the answer. */
static inline void breaker_answered(struct breaker *b)
{
    b->failures = 0;
    b->pause_ms = b->pause_min_ms;
    b->probing = false;
}

/* connected: there was somebody, but no answer; that opens nothing, yet closes nothing either. */
static inline void breaker_failed(struct breaker *b, int64_t now_ms, bool connected)
{
    bool was_open = breaker_open(b);
    if (!connected)
        b->failures++;
    if (!breaker_open(b) || (was_open && !b->probing))
        return;
    int pause = b->pause_ms < b->pause_min_ms ? b->pause_min_ms : b->pause_ms;
    b->open_until_ms = now_ms + pause;
    b->pause_ms = pause * 2 < b->pause_max_ms ? pause * 2 : b->pause_max_ms;
    b->probing = false;
}

#endif
