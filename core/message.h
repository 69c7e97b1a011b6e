/* How messages describe themselves: schemac writes these tables, everybody else walks them. */
#ifndef CORE_MESSAGE_H
#define CORE_MESSAGE_H

#include <stdint.h>

#include "core/arena.h"
#include "core/text.h"

struct json_shape;
struct json_report;

/* One message type. */
struct message_type {
    const char *name; /* on the wire: order.placed.v1 */
    uint16_t version; /* the N of .vN */
    const struct json_shape *shape;
    size_t json_max; /* the most bytes its JSON can have */
};

/* All commands, or all events, of one service. The C value is { enum tag; union as }; tags count
 * from 1. */
struct vocabulary {
    const char *name;                 /* order_event */
    const struct message_type *types; /* the type with tag t is types[t - 1] */
    size_t count;
    size_t size;      /* of the tagged union */
    size_t as_offset; /* of the union inside it */
};

/* The tag of a wire name; 0 when the vocabulary does not have it. */
int message_tag(const struct vocabulary *vocabulary, struct text type);

/* Is it another version of a message that the vocabulary has? Then a newer program wrote what this
 * one would understand wrongly if it passed it over. */
bool message_is_known_otherwise(const struct vocabulary *vocabulary, struct text type);

static inline const struct message_type *message_type(const struct vocabulary *vocabulary, int tag)
{
    return &vocabulary->types[tag - 1];
}

/* Reads and validates `json` as a message of wire name `type` into *ret_message (vocabulary->size
 * bytes). Text in it points into `json` or the arena: both must outlive it. False: the report says
 * why. */
bool message_decode(const struct vocabulary *vocabulary, struct text type, struct text json,
                    struct arena *arena, void *ret_message, struct json_report *report);
/* Writes the message as JSON into arena memory; validates, so nothing invalid can be stored. .at is
 * NULL on failure. */
struct text message_encode(const struct vocabulary *vocabulary, const void *message,
                           struct arena *arena, struct json_report *report);

#endif
