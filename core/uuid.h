/* UUIDs (RFC 9562): read, written, derived by name (version 5). Pure; random ones are made in
 * runtime/. */
#ifndef CORE_UUID_H
#define CORE_UUID_H

#include <stdint.h>

#include "core/text.h"

enum { UUID_TEXT_LEN = 36 };

struct uuid {
    uint8_t bytes[16];
};

/* Lower case, NUL-terminated. */
void uuid_format(struct uuid id, char out[UUID_TEXT_LEN + 1]);
/* Any case; false and *ret_id untouched when it is not one. */
bool uuid_read(struct text text, struct uuid *ret_id);
/* Version 5: the same namespace and name give the same id, for ever. */
struct uuid uuid_derive(struct uuid space, struct text name);
/* Version 5 over the parts, each with its length, so that no two lists meet. At most 8 KiB in all.
 */
struct uuid uuid_derive_parts(struct uuid space, const struct text *parts, size_t count);

static inline bool uuid_equal(struct uuid a, struct uuid b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

static inline bool uuid_is_nil(struct uuid id)
{
    return uuid_equal(id, (struct uuid){{0}});
}

#endif
