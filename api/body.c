/* Bodies by their schemas, path parts by their forms. */
#include "api/body.h"

#include <assert.h>
#include <stdio.h>

#include "schemas/common.h"

enum { POINTER_BYTES = 64, SKU_BYTES = 80 };

static const char *kept(struct arena *arena, const char *text)
{
    return arena_copy(arena, text_of(text)).at;
}

/* A body that is no JSON is malformed; JSON that breaks the schema is invalid. */
static bool refuse_body(const struct request *request, const struct json_report *report,
                        struct refusal *refusal)
{
    enum problem problem = PROBLEM_INVALID;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct json_fault *f = &report->faults[i];
        if (strcmp(f->keyword, "syntax") == 0)
            problem = PROBLEM_MALFORMED;
        else if (strcmp(f->keyword, "memory") == 0)
            problem = PROBLEM_BODY_TOO_LARGE;
        refuse_at(refusal, problem, kept(request->arena, f->pointer),
                  kept(request->arena, f->detail));
    }
    return refuse(refusal, problem,
                  problem == PROBLEM_MALFORMED ? "The body is not JSON as RFC 8259 defines it."
                                               : "The body is not as its schema wants it.");
}

bool body_decode(const struct request *request, const struct json_shape *shape,
                 struct intake *intake, struct refusal *refusal)
{
    struct json_report report = {0};
    struct arena *arena = request->arena;
    void *value = arena_alloc(arena, shape->size);
    struct text body = request->body.len ? request->body : TEXT("{}");
    if (!value)
        return refuse(refusal, PROBLEM_BODY_TOO_LARGE, "The body needs too much memory.");
    if (!json_decode(shape, body, arena, value, &report))
        return refuse_body(request, &report, refusal);
    struct json_out out = {.at = arena->base + arena->used, .size = arena->size - arena->used};
    if (!json_encode(shape, value, JSON_WHOLE, &out, &report))
        return refuse_body(request, &report, refusal);
    if (!arena_alloc(arena, 0) || out.used + 16 > arena->size - arena->used)
        return refuse(refusal, PROBLEM_BODY_TOO_LARGE, "The body needs too much memory.");
    arena->used += (out.used + 15) & ~(size_t)15;
    intake->body = value;
    intake->canonical = (struct text){out.at, out.used};
    return true;
}

bool body_none(const struct request *request, struct intake *intake, struct refusal *refusal)
{
    struct arena *arena = request->arena;
    struct text body = request->body;
    struct json_scan scan = {
        .start = body.at, .at = body.at, .end = body.at + body.len, .arena = arena};
    intake->canonical = TEXT("{}");
    if (body.len == 0)
        return true;
    json_scan_space(&scan);
    if (scan.at == scan.end || *scan.at != '{')
        return refuse(refusal, PROBLEM_MALFORMED, "This route takes no body.");
    scan.at++;
    json_scan_space(&scan);
    if (scan.at == scan.end || *scan.at != '}')
        return refuse(refusal, PROBLEM_INVALID, "This route takes no properties.");
    scan.at++;
    json_scan_space(&scan);
    return scan.at == scan.end || refuse(refusal, PROBLEM_MALFORMED, "This route takes no body.");
}

const char *body_pointer(struct arena *arena, const char *list, size_t index, const char *name)
{
    char *pointer = arena_alloc(arena, POINTER_BYTES);
    if (pointer)
        snprintf(pointer, POINTER_BYTES, "/%s/%zu/%s", list, index, name);
    return pointer ? pointer : "";
}

bool path_sku(const struct request *request, size_t nth, struct text *ret_sku,
              struct refusal *refusal)
{
    char scratch[SKU_BYTES];
    struct json_report report;
    struct json_out out = {.at = scratch, .size = sizeof scratch};
    struct text sku = request->path[nth];
    if (!json_encode(&common_sku_shape, &sku, JSON_WHOLE, &out, &report))
        return refuse(refusal, PROBLEM_NOT_FOUND, "No product can have such a SKU.");
    *ret_sku = sku;
    return true;
}

bool path_uuid(const struct request *request, size_t nth, struct uuid *ret_id,
               struct refusal *refusal)
{
    return uuid_read(request->path[nth], ret_id) ||
           refuse(refusal, PROBLEM_NOT_FOUND, "The id is not a UUID.");
}

struct text uuid_key(struct arena *arena, struct uuid id)
{
    char *key = arena_alloc(arena, UUID_TEXT_LEN + 1);
    assert(key);
    uuid_format(id, key);
    return (struct text){key, UUID_TEXT_LEN};
}

void write_money(struct json_write *out, const char *name, int64_t amount, struct text currency)
{
    json_write_begin(out, name, '{');
    json_write_number(out, "amount", amount);
    json_write_text(out, "currency", currency);
    json_write_end(out, '}');
}

void write_text_if(struct json_write *out, const char *name, struct text value)
{
    if (value.len)
        json_write_text(out, name, value);
}
