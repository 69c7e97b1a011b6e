/* Every limit of the sandbox, in one place. */
#pragma once

#include <stdint.h>

#define LIMIT_AMOUNT_MINOR INT64_C(1000000000000)

enum {
    LIMIT_BODY_BYTES = 16 * 1024,
    LIMIT_DISCARD_BYTES = 1024 * 1024, /* of a chunked body already too long; then cut off */
    LIMIT_KEY_CHARS = 255,
    LIMIT_REFERENCE_CHARS = 255,
    LIMIT_CONNECTIONS = 1000, /* one thread each */
    LIMIT_IDLE_S = 60,
    LIMIT_STACK_BYTES = 1024 * 1024,
    LIMIT_SLOW_MS = 120 * 1000,
    LIMIT_ERRORS = 1000 * 1000,
    LIMIT_JOURNAL_LINE_BYTES = 256 * 1024,
    HANG_DEFAULT_MS = 30 * 1000,
};
