/* Understands schemas: each becomes one struct type, or is refused. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/schemac/schemac.h"

static struct type *new_type(enum json_kind kind, const char *name)
{
    struct type *type = calloc(1, sizeof *type);
    if (!type)
        abort();
    type->kind = kind;
    snprintf(type->name, sizeof type->name, "%s", name);
    type->foreign = in_common();
    return type;
}

static bool is_declared(const struct type *type)
{
    return type->kind == SHAPE_OBJECT || type->kind == SHAPE_ARRAY || type->kind == SHAPE_ENUM;
}

static struct type *finish(struct type *type, const char *pointer)
{
    char name[C_NAME_MAX + 8];
    if (type_count == TYPES_MAX)
        refuse(pointer, "file holds too many types");
    snprintf(name, sizeof name, "%s_shape", type->name);
    claim_name(name, pointer);
    snprintf(name, sizeof name, "tag %s", type->name);
    if (is_declared(type))
        claim_name(name, pointer);
    return types[type_count++] = type;
}

/* No message can reach deeper: the decoder would refuse all that the schema allows. */
static void nest(struct type *type, const struct type *inner, const char *pointer)
{
    if (type->nesting <= inner->nesting)
        type->nesting = inner->nesting + 1;
    if (type->nesting > JSON_DEPTH_MAX)
        refuse(pointer, "nests deeper than the %d levels that are decoded", JSON_DEPTH_MAX);
}

static void check_member_name(const char *name, const char *pointer)
{
    bool good = isalpha((unsigned char)*name);
    for (const char *c = name; *c; c++)
        good = good && (isalnum((unsigned char)*c) || *c == '_');
    if (!good || strlen(name) > 64)
        refuse(pointer, "property name must be a C name of at most 64 letters");
}

static void add_member(struct type *type, const char *name, json_t *schema, const char *pointer)
{
    char type_name[C_NAME_MAX];
    struct member *member = &type->members[type->count];
    if (++type->count > MEMBERS_MAX)
        refuse(pointer, "too many properties");
    check_member_name(name, pointer);
    join_name(type_name, type->name, name, pointer);
    member->name = name;
    member->schema = schema;
    snprintf(member->c_name, sizeof member->c_name, "%s%s", name, is_c_keyword(name) ? "_" : "");
    member->type = understand(schema, type_name, AT_PROPERTY, pointer);
    member->personal = mark_of(schema, "x-personal", pointer) || member->type->personal;
    nest(type, member->type, pointer);
}

static void mark_required(struct type *type, json_t *required, const char *pointer)
{
    size_t i;
    json_t *name;
    if (required && !json_is_array(required))
        refuse(pointer, "must be an array");
    json_array_foreach(required, i, name)
    {
        size_t m = 0;
        while (m < type->count && json_is_string(name) &&
               strcmp(type->members[m].name, json_string_value(name)) != 0)
            m++;
        if (!json_is_string(name) || m == type->count)
            refuse(pointer, "item %zu names no property", i);
        if (type->members[m].required)
            refuse(pointer, "item %zu is given twice", i);
        type->members[m].required = true;
    }
}

static void claim_members(const struct type *type, const char *pointer)
{
    char name[2 * C_NAME_MAX + 8];
    for (const struct member *m = type->members; m < type->members + type->count; m++) {
        struct pointer here = below(below(pointer, "properties").text, m->name);
        snprintf(name, sizeof name, "%s.%s", type->name, m->c_name);
        claim_name(name, here.text);
        snprintf(name, sizeof name, "%s.has_%s", type->name, m->name);
        if (!m->required)
            claim_name(name, here.text);
    }
}

static struct type *understand_object(json_t *schema, const char *name, enum place place,
                                      const char *pointer)
{
    struct type *type = new_type(SHAPE_OBJECT, name);
    json_t *properties = json_object_get(schema, "properties"),
           *more = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *value;
    check_keywords(schema, ON_OBJECT, place, pointer);
    if (properties && !json_is_object(properties))
        refuse(below(pointer, "properties").text, "must be an object");
    if (more && !json_is_boolean(more))
        refuse(below(pointer, "additionalProperties").text, "must be true or false");
    type->open = !json_is_false(more);
    json_object_foreach(properties, key, value)
        add_member(type, key, value, below(below(pointer, "properties").text, key).text);
    mark_required(type, json_object_get(schema, "required"), below(pointer, "required").text);
    claim_members(type, pointer);
    return finish(type, pointer);
}

static struct type *understand_array(json_t *schema, const char *name, enum place place,
                                     const char *pointer)
{
    char item_name[C_NAME_MAX];
    struct type *type = new_type(SHAPE_ARRAY, name);
    check_keywords(schema, ON_ARRAY, place, pointer);
    if (!json_object_get(schema, "items"))
        refuse(pointer, "array needs items");
    if (!lax && !json_object_get(schema, "maxItems"))
        refuse(pointer, "array needs maxItems");
    type->min = limit_of(schema, "minItems", pointer, 0);
    type->max = limit_of(schema, "maxItems", pointer, UINT32_MAX);
    if (type->min > type->max)
        refuse(pointer, "minItems is above maxItems");
    join_name(item_name, name, "item", pointer);
    type->item = understand(json_object_get(schema, "items"), item_name, AT_ITEMS,
                            below(pointer, "items").text);
    if (type->item->personal)
        refuse(below(pointer, "items").text, "mark the array x-personal, not its items");
    nest(type, type->item, pointer);
    return finish(type, pointer);
}

static struct type *understand_token(json_t *schema, enum json_kind kind, const char *name,
                                     enum place place, const char *pointer)
{
    check_keywords(schema, ON_TOKEN, place, pointer);
    return finish(new_type(kind, name), pointer);
}

static void check_enum_names(const struct type *type, const char *pointer)
{
    size_t i;
    json_t *name;
    if (!json_is_array(type->names) || json_array_size(type->names) == 0)
        refuse(pointer, "must list at least one value");
    if (json_array_size(type->names) > ENUM_VALUES_MAX)
        refuse(pointer, "must list at most %d values", ENUM_VALUES_MAX);
    json_array_foreach(type->names, i, name)
    {
        char digits[24];
        snprintf(digits, sizeof digits, "%zu", i);
        struct pointer here = below(pointer, digits);
        if (!json_is_string(name))
            refuse(here.text, "is not a string");
        claim_constant(type->name, json_string_value(name), json_string_length(name), here.text);
    }
}

static struct type *understand_enum(json_t *schema, const char *name, enum place place,
                                    const char *pointer)
{
    json_t *listed = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");
    struct type *type = new_type(SHAPE_ENUM, name);
    check_keywords(schema, ON_ENUM, place, pointer);
    if (listed && only)
        refuse(pointer, "enum and const together");
    type->names = listed ? listed : json_pack("[O]", only);
    check_enum_names(type, below(pointer, listed ? "enum" : "const").text);
    return finish(type, pointer);
}

static void read_format(struct type *type, json_t *format, const char *pointer)
{
    if (!format)
        return;
    if (!json_is_string(format) || strcmp(json_string_value(format), "email") != 0)
        refuse(pointer, "format is not supported: only uuid, date-time, email");
    type->format = JSON_FORMAT_EMAIL;
}

static struct type *understand_string(json_t *schema, const char *name, enum place place,
                                      const char *pointer)
{
    const char *format = json_string_value(json_object_get(schema, "format"));
    json_t *pattern = json_object_get(schema, "pattern");
    if (json_object_get(schema, "enum") || json_object_get(schema, "const"))
        return understand_enum(schema, name, place, pointer);
    if (format && strcmp(format, "uuid") == 0)
        return understand_token(schema, SHAPE_UUID, name, place, pointer);
    if (format && strcmp(format, "date-time") == 0)
        return understand_token(schema, SHAPE_INSTANT, name, place, pointer);
    struct type *type = new_type(SHAPE_STRING, name);
    check_keywords(schema, ON_STRING, place, pointer);
    if (!lax && !json_object_get(schema, "maxLength"))
        refuse(pointer, "string needs maxLength");
    type->min = limit_of(schema, "minLength", pointer, 0);
    type->max = limit_of(schema, "maxLength", pointer, UINT32_MAX);
    if (type->min > type->max)
        refuse(pointer, "minLength is above maxLength");
    read_format(type, json_object_get(schema, "format"), below(pointer, "format").text);
    if (pattern && !json_is_string(pattern))
        refuse(below(pointer, "pattern").text, "must be a string");
    if (pattern)
        compile_pattern(type, json_string_value(pattern), below(pointer, "pattern").text);
    return finish(type, pointer);
}

static struct type *understand_integer(json_t *schema, const char *name, enum place place,
                                       const char *pointer)
{
    struct type *type = new_type(SHAPE_INTEGER, name);
    check_keywords(schema, ON_INTEGER, place, pointer);
    if (json_object_get(schema, "const")) {
        if (json_object_get(schema, "minimum") || json_object_get(schema, "maximum"))
            refuse(pointer, "minimum and maximum have no effect beside const");
        type->min = type->max = whole_of(schema, "const", pointer, 0);
        return finish(type, pointer);
    }
    type->min = whole_of(schema, "minimum", pointer, INT64_MIN);
    type->max = whole_of(schema, "maximum", pointer, INT64_MAX);
    if (type->min > type->max)
        refuse(pointer, "minimum is above maximum");
    return finish(type, pointer);
}

static struct type *understand_boolean(json_t *schema, const char *name, enum place place,
                                       const char *pointer)
{
    check_keywords(schema, ON_BOOLEAN, place, pointer);
    return finish(new_type(SHAPE_BOOLEAN, name), pointer);
}

/* What stands in a property is said of the property. */
static struct type *annotate(struct type *type, json_t *schema, enum place place,
                             const char *pointer)
{
    bool personal = mark_of(schema, "x-personal", pointer);
    type->personal = personal && place != AT_PROPERTY;
    type->schema = place == AT_PROPERTY ? NULL : schema;
    return type;
}

struct type *understand(json_t *schema, const char *name, enum place place, const char *pointer)
{
    static const struct {
        const char *type;
        struct type *(*understand)(json_t *, const char *, enum place, const char *);
    } kinds[] = {{"object", understand_object},
                 {"array", understand_array},
                 {"string", understand_string},
                 {"integer", understand_integer},
                 {"boolean", understand_boolean}};
    if (!json_is_object(schema))
        refuse(pointer, "schema must be an object");
    if (json_object_get(schema, "$ref"))
        return follow_ref(schema, place, pointer);
    const char *type = json_string_value(json_object_get(schema, "type"));
    for (size_t i = 0; type && i < COUNT(kinds); i++)
        if (strcmp(kinds[i].type, type) == 0)
            return annotate(kinds[i].understand(schema, name, place, pointer), schema, place,
                            pointer);
    refuse(pointer, "type must be one of object, array, string, integer, boolean");
}
