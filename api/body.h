/* What handlers of commands share: bodies and path parts. */
#ifndef API_BODY_H
#define API_BODY_H

#include "core/route.h"

/* Decodes the body by its schema and encodes it anew into intake->canonical; an empty body counts
 * as {}. False: refused, with a pointer for each fault. */
bool body_decode(const struct request *request, const struct json_shape *shape,
                 struct intake *intake, struct refusal *refusal);
/* For routes that take no body: nothing, or {}. */
bool body_none(const struct request *request, struct intake *intake, struct refusal *refusal);
/* "/items/7/sku" in arena memory. */
const char *body_pointer(struct arena *arena, const char *list, size_t index, const char *name);

/* Part `nth` of the path as an aggregate id: false, and not-found, when it cannot be one. */
bool path_sku(const struct request *request, size_t nth, struct text *ret_sku,
              struct refusal *refusal);
bool path_uuid(const struct request *request, size_t nth, struct uuid *ret_id,
               struct refusal *refusal);
/* As the key of an aggregate: lower case. */
struct text uuid_key(struct arena *arena, struct uuid id);

/* {"amount":…,"currency":…} */
void write_money(struct json_write *out, const char *name, int64_t amount, struct text currency);
/* The property, unless it is empty. */
void write_text_if(struct json_write *out, const char *name, struct text value);

#endif
