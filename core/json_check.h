/* The constraints of a schema on one value, the same for reading and writing. */
#ifndef CORE_JSON_CHECK_H
#define CORE_JSON_CHECK_H

#include "core/json_shape.h"

struct json_verdict {
    const char *keyword; /* NULL: fine */
    const char *text;
    int64_t limit;
};

static inline struct json_verdict json_check_integer(const struct json_shape *shape, int64_t value)
{
    if (value < shape->min)
        return (struct json_verdict){"minimum", "must be at least %lld", shape->min};
    if (value > shape->max)
        return (struct json_verdict){"maximum", "must be at most %lld", shape->max};
    return (struct json_verdict){0};
}

static inline struct json_verdict json_check_count(const struct json_shape *shape, uint32_t count)
{
    if (count < shape->min)
        return (struct json_verdict){"minItems", "must have at least %lld items", shape->min};
    if (count > shape->max)
        return (struct json_verdict){"maxItems", "must have at most %lld items", shape->max};
    return (struct json_verdict){0};
}

struct json_verdict json_check_string(const struct json_shape *shape, struct text text,
                                      size_t points);

#endif
