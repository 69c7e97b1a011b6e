/* Writes JSON piece by piece, where no schema describes it: answers of queries, problems.
 *
 *     json_write_begin(&w, NULL, '{');
 *     json_write_text(&w, "sku", sku);
 *     json_write_end(&w, '}');
 *
 * name: of the property; NULL inside a list and at the top. What does not fit, or is not UTF-8,
 * sets .failed. */
#ifndef CORE_JSON_WRITE_H
#define CORE_JSON_WRITE_H

#include "core/json_shape.h"

struct json_write {
    struct json_out out;
    bool comma; /* something stands before */
    bool failed;
};

/* Into the rest of the arena, which nobody else uses until json_write_finish. */
struct json_write json_write_start(struct arena *arena);
/* Keeps the bytes in the arena; .at is NULL when writing failed. */
struct text json_write_finish(struct json_write *write, struct arena *arena);

void json_write_begin(struct json_write *write, const char *name, char bracket); /* { or [ */
void json_write_end(struct json_write *write, char bracket);                     /* } or ] */
void json_write_text(struct json_write *write, const char *name, struct text value);
void json_write_number(struct json_write *write, const char *name, int64_t value);
void json_write_boolean(struct json_write *write, const char *name, bool value);
void json_write_uuid(struct json_write *write, const char *name, struct uuid value);
void json_write_time(struct json_write *write, const char *name, int64_t microseconds);
void json_write_null(struct json_write *write, const char *name);
/* A value that is JSON already. */
void json_write_raw(struct json_write *write, const char *name, struct text json);

#endif
