/* JSON without a schema, by the encoder that schemas use. */
#include "core/json_write.h"

static const struct json_shape string = {
    .kind = SHAPE_STRING, .size = sizeof(struct text), .max = INT64_MAX};
static const struct json_shape integer = {
    .kind = SHAPE_INTEGER, .size = sizeof(int64_t), .min = INT64_MIN, .max = INT64_MAX};
static const struct json_shape boolean = {.kind = SHAPE_BOOLEAN, .size = sizeof(bool)};
static const struct json_shape uuid = {.kind = SHAPE_UUID, .size = sizeof(struct uuid)};
static const struct json_shape instant = {.kind = SHAPE_INSTANT, .size = sizeof(int64_t)};

static void put(struct json_write *w, const char *bytes, size_t len)
{
    if (w->failed || len > w->out.size - w->out.used) {
        w->failed = true;
        return;
    }
    memcpy(w->out.at + w->out.used, bytes, len);
    w->out.used += len;
}

static void lead(struct json_write *w, const char *name)
{
    if (w->comma)
        put(w, ",", 1);
    w->comma = true;
    if (!name)
        return;
    put(w, "\"", 1);
    put(w, name, strlen(name));
    put(w, "\":", 2);
}

static void value(struct json_write *w, const char *name, const struct json_shape *shape,
                  const void *slot)
{
    struct json_report report;
    lead(w, name);
    if (!w->failed && !json_encode(shape, slot, JSON_WHOLE, &w->out, &report))
        w->failed = true;
}

struct json_write json_write_start(struct arena *arena)
{
    return (struct json_write){
        .out = {.at = arena->base + arena->used, .size = arena->size - arena->used}};
}

struct text json_write_finish(struct json_write *w, struct arena *arena)
{
    if (w->failed)
        return (struct text){NULL, 0};
    size_t used = (arena->used + w->out.used + 15) & ~(size_t)15;
    arena->used = used < arena->size ? used : arena->size;
    return (struct text){w->out.at, w->out.used};
}

void json_write_begin(struct json_write *w, const char *name, char bracket)
{
    lead(w, name);
    put(w, &bracket, 1);
    w->comma = false;
}

void json_write_end(struct json_write *w, char bracket)
{
    put(w, &bracket, 1);
    w->comma = true;
}

void json_write_text(struct json_write *w, const char *name, struct text text)
{
    value(w, name, &string, &text);
}

void json_write_number(struct json_write *w, const char *name, int64_t number)
{
    value(w, name, &integer, &number);
}

void json_write_boolean(struct json_write *w, const char *name, bool yes)
{
    value(w, name, &boolean, &yes);
}

void json_write_uuid(struct json_write *w, const char *name, struct uuid id)
{
    value(w, name, &uuid, &id);
}

void json_write_time(struct json_write *w, const char *name, int64_t microseconds)
{
    value(w, name, &instant, &microseconds);
}

void json_write_null(struct json_write *w, const char *name)
{
    json_write_raw(w, name, TEXT("null"));
}

void json_write_raw(struct json_write *w, const char *name, struct text json)
{
    lead(w, name);
    put(w, json.at, json.len);
}
