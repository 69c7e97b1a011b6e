/* Messages by their tables. */
#include "core/message.h"

#include "core/json_shape.h"

int message_tag(const struct vocabulary *vocabulary, struct text type)
{
    for (size_t i = 0; i < vocabulary->count; i++)
        if (text_is(type, vocabulary->types[i].name))
            return (int)i + 1;
    return 0;
}

/* The name without its version: order.placed of order.placed.v1. */
static struct text base_name(struct text type)
{
    size_t len = type.len;
    while (len > 0 && type.at[len - 1] != '.')
        len--;
    return (struct text){type.at, len};
}

bool message_is_known_otherwise(const struct vocabulary *vocabulary, struct text type)
{
    for (size_t i = 0; i < vocabulary->count; i++)
        if (text_equal(base_name(type), base_name(text_of(vocabulary->types[i].name))))
            return true;
    return false;
}

bool message_decode(const struct vocabulary *vocabulary, struct text type, struct text json,
                    struct arena *arena, void *ret_message, struct json_report *report)
{
    int tag = message_tag(vocabulary, type);
    if (tag == 0)
        return json_unknown_message(report);
    memcpy(ret_message, &tag, sizeof tag);
    return json_decode(message_type(vocabulary, tag)->shape, json, arena,
                       (char *)ret_message + vocabulary->as_offset, report);
}

struct text message_encode(const struct vocabulary *vocabulary, const void *message,
                           struct arena *arena, struct json_report *report)
{
    int tag;
    memcpy(&tag, message, sizeof tag);
    if (tag < 1 || (size_t)tag > vocabulary->count) {
        json_unknown_message(report);
        return (struct text){NULL, 0};
    }
    struct json_out out = {.at = arena->base + arena->used, .size = arena->size - arena->used};
    if (!json_encode(message_type(vocabulary, tag)->shape,
                     (const char *)message + vocabulary->as_offset, JSON_WHOLE, &out, report))
        return (struct text){NULL, 0};
    arena->used = (arena->used + out.used + 15) & ~(size_t)15;
    if (arena->used > arena->size)
        arena->used = arena->size;
    return (struct text){out.at, out.used};
}
