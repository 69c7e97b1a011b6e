/* Writing: validates again on the way, so that nothing invalid is ever stored. */
#include "core/json_fault.h"
#include "core/json_format.h"

struct encoder {
    struct json_out *out;
    struct json_report *report;
    enum json_privacy privacy;
};

static const char hex[] = "0123456789abcdef";

static inline void put(struct json_out *out, const char *bytes, size_t len)
{
    if (out->used <= out->size && len <= out->size - out->used)
        memcpy(out->at + out->used, bytes, len);
    out->used += len;
}

static bool encode_value(struct encoder *e, const struct json_shape *shape, const void *slot,
                         const struct json_place *place);

static bool encode_fault(struct encoder *e, const struct json_place *place,
                         struct json_verdict verdict)
{
    json_fault_verdict(e->report, place, e->out->used, verdict);
    return false;
}

static void encode_integer(struct json_out *out, int64_t value)
{
    char digits[20], *p = digits + sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    put(out, p, (size_t)(digits + sizeof digits - p));
}

static void put_escape(struct json_out *out, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *known = strchr(from, c);
    if (known)
        put(out, (char[]){'\\', to[known - from]}, 2);
    else
        put(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

/* Counts the characters on the way; false on bytes that are not UTF-8, and on U+0000, which
 * neither the decoder nor PostgreSQL would take. */
static bool put_string(struct json_out *out, struct text text, size_t *points)
{
    const char *p = text.at, *end = text.at + text.len;
    *points = 0;
    put(out, "\"", 1);
    while (p < end) {
        const char *plain = json_plain_end(p, end);
        put(out, p, (size_t)(plain - p));
        *points += (size_t)(plain - p);
        if ((p = plain) == end)
            break;
        unsigned n = json_utf8_length(p, end);
        if (n == 0 || *p == 0)
            return false;
        if (n == 1)
            put_escape(out, (unsigned char)*p);
        else
            put(out, p, n);
        p += n;
        ++*points;
    }
    put(out, "\"", 1);
    return true;
}

static bool encode_string(struct encoder *e, const struct json_shape *shape, struct text text,
                          const struct json_place *place)
{
    size_t points;
    if (!put_string(e->out, text, &points))
        return encode_fault(
            e, place, (struct json_verdict){"type", "is not valid UTF-8, or holds U+0000", 0});
    struct json_verdict verdict = json_check_string(shape, text, points);
    return !verdict.keyword || encode_fault(e, place, verdict);
}

static bool encode_enum(struct encoder *e, const struct json_shape *shape, const void *slot,
                        const struct json_place *place)
{
    uint32_t value;
    size_t points;
    memcpy(&value, slot, sizeof value);
    if (value < 1 || value > shape->count)
        return encode_fault(e, place,
                            (struct json_verdict){"enum", "is not set to an allowed value", 0});
    return put_string(e->out, shape->names[value - 1], &points);
}

static bool encode_instant(struct encoder *e, int64_t instant, const struct json_place *place)
{
    char text[JSON_INSTANT_LEN + 2] = "\"";
    if (instant < JSON_INSTANT_MIN || instant > JSON_INSTANT_MAX)
        return encode_fault(
            e, place, (struct json_verdict){"format", "is outside the years 0000 to 9999", 0});
    json_format_write_instant(text + 1, instant);
    text[JSON_INSTANT_LEN + 1] = '"';
    put(e->out, text, sizeof text);
    return true;
}

static bool encode_uuid(struct encoder *e, const struct uuid *uuid)
{
    char text[UUID_TEXT_LEN + 2] = "\"";
    uuid_format(*uuid, text + 1);
    text[UUID_TEXT_LEN + 1] = '"';
    put(e->out, text, sizeof text);
    return true;
}

static bool encode_array(struct encoder *e, const struct json_shape *shape, const void *slot,
                         const struct json_place *place)
{
    struct json_list list;
    memcpy(&list, slot, sizeof list);
    struct json_verdict verdict = json_check_count(shape, list.count);
    if (verdict.keyword)
        return encode_fault(e, place, verdict);
    put(e->out, "[", 1);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_place here = {place, NULL, 0, i};
        if (i)
            put(e->out, ",", 1);
        if (!encode_value(e, shape->item, (const char *)list.at + (size_t)i * shape->item->size,
                          &here))
            return false;
    }
    put(e->out, "]", 1);
    return true;
}

static bool encode_object(struct encoder *e, const struct json_shape *shape, const char *object,
                          const struct json_place *place)
{
    size_t skip = 1; /* no comma before the first */
    put(e->out, "{", 1);
    for (const struct json_field *field = shape->fields; field < shape->fields + shape->count;
         field++) {
        struct json_place here = {place, field->lead + 2, field->name_len, 0};
        if (field->has != JSON_ALWAYS && !*(const bool *)(object + field->has))
            continue;
        if (field->personal && e->privacy == JSON_REDACTED)
            continue;
        put(e->out, field->lead + skip, (size_t)field->name_len + 4 - skip);
        skip = 0;
        if (!encode_value(e, field->shape, object + field->offset, &here))
            return false;
    }
    put(e->out, "}", 1);
    return true;
}

static bool encode_value(struct encoder *e, const struct json_shape *shape, const void *slot,
                         const struct json_place *place)
{
    struct json_verdict verdict = {0};
    switch (shape->kind) {
    case SHAPE_OBJECT:
        return encode_object(e, shape, slot, place);
    case SHAPE_ARRAY:
        return encode_array(e, shape, slot, place);
    case SHAPE_STRING:
        return encode_string(e, shape, *(const struct text *)slot, place);
    case SHAPE_INTEGER:
        verdict = json_check_integer(shape, *(const int64_t *)slot);
        encode_integer(e->out, *(const int64_t *)slot);
        return !verdict.keyword || encode_fault(e, place, verdict);
    case SHAPE_BOOLEAN:
        put(e->out, *(const bool *)slot ? "true" : "false", *(const bool *)slot ? 4 : 5);
        return true;
    case SHAPE_ENUM:
        return encode_enum(e, shape, slot, place);
    case SHAPE_UUID:
        return encode_uuid(e, slot);
    case SHAPE_INSTANT:
        return encode_instant(e, *(const int64_t *)slot, place);
    }
    return false;
}

bool json_encode(const struct json_shape *shape, const void *value, enum json_privacy privacy,
                 struct json_out *out, struct json_report *report)
{
    struct encoder e = {out, report, privacy};
    report->count = 0;
    if (!encode_value(&e, shape, value, NULL))
        return false;
    if (out->used <= out->size)
        return true;
    return encode_fault(&e, NULL,
                        (struct json_verdict){"memory", "message is larger than the buffer", 0});
}
