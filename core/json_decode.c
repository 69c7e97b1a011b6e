/* Reading: parses and validates in one pass, straight into the struct. */
#include "core/json_fault.h"
#include "core/json_format.h"

struct decoder {
    struct json_scan scan;
    struct json_report *report;
};

#define fault(d, place, keyword, ...)                                                     \
    json_fault_add((d)->report, place, (size_t)((d)->scan.at - (d)->scan.start), keyword, \
                   __VA_ARGS__)

/* A syntax error ends the reading. */
static bool stop(struct decoder *d, const struct json_place *place)
{
    fault(d, place, "syntax", "%s", d->scan.problem);
    return false;
}

/* Reading may go on after a broken constraint, to find the others too. */
#define judge(d, place, verdict_)  \
    ((verdict_).keyword == NULL || \
     json_fault_verdict((d)->report, place, (size_t)((d)->scan.at - (d)->scan.start), verdict_))

static bool decode_value(struct decoder *d, const struct json_shape *shape, void *slot,
                         const struct json_place *place, unsigned depth);

static const char *const kind_names[] = {
    "an object", "an array",        "a string",      "a whole number",
    "a boolean", "a listed string", "a UUID string", "an RFC 3339 date-time string"};

/* The value has another type: say so and step over it. */
static bool wrong_type(struct decoder *d, const struct json_shape *shape,
                       const struct json_place *place, unsigned depth)
{
    if (!json_skip_value(&d->scan, depth))
        return stop(d, place);
    return fault(d, place, "type", "must be %s", kind_names[shape->kind]);
}

static bool decode_integer(struct decoder *d, const struct json_shape *shape, int64_t *slot,
                           const struct json_place *place)
{
    struct json_number number;
    if (!json_scan_number(&d->scan, &number))
        return stop(d, place);
    if (!number.integral)
        return fault(d, place, "type", "must be a whole number, without fraction or exponent");
    if (!number.fits)
        return fault(d, place, "type", "must fit in 64 bits");
    *slot = number.value;
    struct json_verdict verdict = json_check_integer(shape, number.value);
    return judge(d, place, verdict);
}

static bool decode_boolean(struct decoder *d, bool *slot, const struct json_place *place)
{
    *slot = json_peek(&d->scan) == 't';
    return json_scan_word(&d->scan, *slot ? "true" : "false") || stop(d, place);
}

static uint32_t enum_find(const struct json_shape *shape, struct text text)
{
    for (uint32_t i = json_name_hash(text.at, text.len);; i++) {
        uint32_t value = shape->slots[i & shape->slots_mask];
        if (value == 0 || text_equal(shape->names[value - 1], text))
            return value;
    }
}

static bool decode_string(struct decoder *d, const struct json_shape *shape, void *slot,
                          const struct json_place *place)
{
    struct text text;
    struct json_verdict verdict;
    size_t points;
    if (!json_scan_string(&d->scan, &text, &points))
        return stop(d, place);
    switch (shape->kind) {
    case SHAPE_ENUM: {
        uint32_t value = enum_find(shape, text);
        memcpy(slot, &value, sizeof value);
        return value || fault(d, place, "enum", "is not one of the allowed values");
    }
    case SHAPE_UUID:
        return uuid_read(text, slot) || fault(d, place, "format", "must be a UUID");
    case SHAPE_INSTANT:
        return json_format_read_instant(text, slot) ||
               fault(d, place, "format", "must be an RFC 3339 date-time");
    default:
        *(struct text *)slot = text;
        verdict = json_check_string(shape, text, points);
        return judge(d, place, verdict);
    }
}

/* Makes room for one more item: in place at the arena's end, else by moving. */
static bool list_grow(struct arena *arena, struct json_list *list, uint32_t *room, size_t item_size)
{
    if (list->count < *room)
        return true;
    uint32_t want = *room ? *room * 2 : 4;
    size_t held = (*room * item_size + 15) & ~(size_t)15; /* as arena_alloc rounds */
    char *end = list->at ? (char *)list->at + held : NULL;
    if (end && end == arena->base + arena->used) {
        size_t more = ((want * item_size + 15) & ~(size_t)15) - held;
        if (more > arena->size - arena->used)
            return false;
        arena->used += more;
    } else {
        void *moved = arena_alloc(arena, want * item_size);
        if (!moved)
            return false;
        if (list->count)
            memcpy(moved, list->at, list->count * item_size);
        list->at = moved;
    }
    *room = want;
    return true;
}

static bool decode_item(struct decoder *d, const struct json_shape *shape, struct json_list *list,
                        uint32_t *room, const struct json_place *place, unsigned depth)
{
    const struct json_shape *item = shape->item;
    if (!list_grow(d->scan.arena, list, room, item->size)) {
        fault(d, place, "memory", "message needs more memory than allowed");
        return false;
    }
    struct json_place here = {place, NULL, 0, list->count};
    void *slot = (char *)list->at + (size_t)list->count++ * item->size;
    memset(slot, 0, item->size);
    return decode_value(d, item, slot, &here, depth);
}

static bool too_deep(struct decoder *d, const struct json_place *place, unsigned depth)
{
    if (depth < JSON_DEPTH_MAX)
        return false;
    json_fail(&d->scan, "nested too deeply");
    stop(d, place);
    return true;
}

static bool decode_array(struct decoder *d, const struct json_shape *shape, void *slot,
                         const struct json_place *place, unsigned depth)
{
    struct json_list list = {0};
    uint32_t room = 0, found = 0;
    enum json_step step;
    if (too_deep(d, place, depth))
        return false;
    d->scan.at++;
    for (step = json_scan_first(&d->scan, ']'); step == JSON_STEP_ITEM;
         step = json_scan_next(&d->scan, ']')) {
        bool kept = found++ < shape->max;
        if (kept ? !decode_item(d, shape, &list, &room, place, depth + 1)
                 : !json_skip_value(&d->scan, depth + 1))
            return kept ? false : stop(d, place);
    }
    if (step == JSON_STEP_BAD)
        return stop(d, place);
    memcpy(slot, &list, sizeof list);
    struct json_verdict verdict = json_check_count(shape, found);
    return judge(d, place, verdict);
}

/* Properties mostly come in schema order, so the one after the last found is tried first. */
static uint32_t field_find(const struct json_shape *shape, uint32_t guess, struct text name)
{
    for (uint32_t tried = 0, i = guess; tried < shape->count; tried++, i++) {
        i = i < shape->count ? i : 0;
        const struct json_field *field = &shape->fields[i];
        if (field->name_len == name.len && memcmp(field->lead + 2, name.at, name.len) == 0)
            return i;
    }
    return shape->count;
}

static bool unknown_property(struct decoder *d, const struct json_shape *shape,
                             struct json_keys *unknown, struct text name,
                             const struct json_place *here, unsigned depth)
{
    if (!json_remember_key(&d->scan, unknown, name) || !json_scan_colon(&d->scan) ||
        !json_skip_value(&d->scan, depth))
        return stop(d, here);
    return shape->open || fault(d, here, "additionalProperties", "is not a known property");
}

static bool missing_properties(struct decoder *d, const struct json_shape *shape, uint64_t missing,
                               const struct json_place *place)
{
    for (; missing; missing &= missing - 1) {
        const struct json_field *field = &shape->fields[__builtin_ctzll(missing)];
        struct json_place here = {place, field->lead + 2, field->name_len, 0};
        if (!fault(d, &here, "required", "is required"))
            return false;
    }
    return true;
}

/* What decode_object knows about the object so far. */
struct object {
    const struct json_shape *shape;
    char *at;
    const struct json_place *place;
    unsigned depth; /* of its values */
    uint32_t guess; /* the property that should come next */
    uint64_t seen;
    struct json_keys unknown;
};

/* Our own writers put properties in schema order, without spaces or escapes: then the bytes of
 * the name need not be scanned, only compared. */
static bool take_expected_name(struct decoder *d, struct object *o)
{
    if (o->guess >= o->shape->count || (o->seen >> o->guess & 1))
        return false;
    const struct json_field *field = &o->shape->fields[o->guess];
    size_t len = (size_t)field->name_len + 3; /* "name": */
    if ((size_t)(d->scan.end - d->scan.at) < len || memcmp(d->scan.at, field->lead + 1, len) != 0)
        return false;
    d->scan.at += len;
    json_scan_space(&d->scan);
    return true;
}

static bool decode_field(struct decoder *d, struct object *o, uint32_t i)
{
    const struct json_field *field = &o->shape->fields[i];
    struct json_place here = {o->place, field->lead + 2, field->name_len, 0};
    o->seen |= (uint64_t)1 << i;
    o->guess = i + 1;
    if (field->has != JSON_ALWAYS)
        *(bool *)(o->at + field->has) = true;
    return decode_value(d, field->shape, o->at + field->offset, &here, o->depth);
}

static bool decode_property(struct decoder *d, struct object *o)
{
    struct text name;
    size_t points;
    if (take_expected_name(d, o))
        return decode_field(d, o, o->guess);
    if (!json_scan_string(&d->scan, &name, &points))
        return stop(d, o->place);
    struct json_place here = {o->place, name.at, name.len, 0};
    uint32_t i = field_find(o->shape, o->guess, name);
    if (i == o->shape->count)
        return unknown_property(d, o->shape, &o->unknown, name, &here, o->depth);
    if (o->seen >> i & 1) {
        json_fail(&d->scan, "property given twice");
        return stop(d, &here);
    }
    return json_scan_colon(&d->scan) ? decode_field(d, o, i) : stop(d, &here);
}

static bool decode_object(struct decoder *d, const struct json_shape *shape, char *slot,
                          const struct json_place *place, unsigned depth)
{
    struct object o = {.shape = shape, .at = slot, .place = place, .depth = depth + 1};
    enum json_step step;
    if (too_deep(d, place, depth))
        return false;
    d->scan.at++;
    for (step = json_scan_first(&d->scan, '}'); step == JSON_STEP_ITEM;
         step = json_scan_next(&d->scan, '}'))
        if (!decode_property(d, &o))
            return false;
    if (step == JSON_STEP_BAD)
        return stop(d, place);
    return !(shape->required & ~o.seen) ||
           missing_properties(d, shape, shape->required & ~o.seen, place);
}

/* False ends the reading; true says nothing about faults. The slot is zero. */
static bool decode_value(struct decoder *d, const struct json_shape *shape, void *slot,
                         const struct json_place *place, unsigned depth)
{
    int c = json_peek(&d->scan);
    if (shape->kind == SHAPE_OBJECT && c == '{')
        return decode_object(d, shape, slot, place, depth);
    if (shape->kind == SHAPE_ARRAY && c == '[')
        return decode_array(d, shape, slot, place, depth);
    if (shape->kind == SHAPE_INTEGER && (c == '-' || (c >= '0' && c <= '9')))
        return decode_integer(d, shape, slot, place);
    if (shape->kind == SHAPE_BOOLEAN && (c == 't' || c == 'f'))
        return decode_boolean(d, slot, place);
    bool textual = shape->kind == SHAPE_STRING || shape->kind >= SHAPE_ENUM;
    if (textual && c == '"')
        return decode_string(d, shape, slot, place);
    return wrong_type(d, shape, place, depth);
}

bool json_decode(const struct json_shape *shape, struct text json, struct arena *arena, void *value,
                 struct json_report *report)
{
    struct decoder d = {.scan = {json.at, json.at, json.at + json.len, arena, NULL},
                        .report = report};
    report->count = 0;
    memset(value, 0, shape->size);
    json_scan_space(&d.scan);
    if (!decode_value(&d, shape, value, NULL, 0))
        return false;
    json_scan_space(&d.scan);
    if (d.scan.at != d.scan.end)
        fault(&d, NULL, "syntax", "bytes after the value");
    return report->count == 0;
}
