/* Which keywords are known, where they have an effect, and how their values read. */
#include <string.h>

#include "tools/schemac/schemac.h"

enum { ON_ALL = ON_OBJECT | ON_ARRAY | ON_STRING | ON_INTEGER | ON_BOOLEAN | ON_ENUM | ON_TOKEN };
enum { DEFINITION = 1 << AT_DEFINITION, PROPERTY = 1 << AT_PROPERTY, ITEMS = 1 << AT_ITEMS };
enum { ANYWHERE = DEFINITION | PROPERTY | ITEMS };

/* What each keyword may stand beside, and where. */
static const struct keyword {
    const char *name;
    unsigned on;
    unsigned at;
} keywords[] = {
    {"$ref", ON_REF, ANYWHERE},
    {"type", ON_ALL, ANYWHERE},
    {"title", ON_ALL, ANYWHERE},
    {"title", ON_REF, PROPERTY},
    {"description", ON_ALL, ANYWHERE},
    {"description", ON_REF, PROPERTY},
    {"$comment", ON_ALL | ON_REF, ANYWHERE}, /* without effect by its definition */
    {"x-personal", ON_ALL, DEFINITION | PROPERTY},
    {"x-personal", ON_REF, PROPERTY},
    {"x-message", ON_OBJECT, DEFINITION},
    {"properties", ON_OBJECT, ANYWHERE},
    {"required", ON_OBJECT, ANYWHERE},
    {"additionalProperties", ON_OBJECT, ANYWHERE},
    {"items", ON_ARRAY, ANYWHERE},
    {"minItems", ON_ARRAY, ANYWHERE},
    {"maxItems", ON_ARRAY, ANYWHERE},
    {"minLength", ON_STRING, ANYWHERE},
    {"maxLength", ON_STRING, ANYWHERE},
    {"pattern", ON_STRING, ANYWHERE},
    {"format", ON_STRING | ON_TOKEN, ANYWHERE},
    {"enum", ON_ENUM, ANYWHERE},
    {"const", ON_ENUM | ON_INTEGER, ANYWHERE},
    {"minimum", ON_INTEGER, ANYWHERE},
    {"maximum", ON_INTEGER, ANYWHERE},
};

static const char *const place_names[] = {"in a definition", "in a property", "in items"};

static void check_keyword(const char *name, unsigned on, enum place place, const char *pointer)
{
    bool known = false, beside = false;
    for (const struct keyword *k = keywords; k < keywords + COUNT(keywords); k++) {
        bool same = strcmp(k->name, name) == 0;
        known = known || same;
        beside = beside || (same && (k->on & on));
        if (same && (k->on & on) && (k->at >> place & 1))
            return;
    }
    if (!known)
        refuse(pointer, "keyword is not supported");
    if (!beside)
        refuse(pointer, "keyword has no effect beside %s", on == ON_REF ? "$ref" : "this type");
    refuse(pointer, "keyword has no effect %s%s", place_names[place],
           on == ON_REF ? " beside $ref" : "");
}

/* Words for people become comments of the C. */
static bool is_prose(const char *keyword)
{
    return strcmp(keyword, "title") == 0 || strcmp(keyword, "description") == 0 ||
           strcmp(keyword, "$comment") == 0;
}

void check_keywords(json_t *schema, unsigned on, enum place place, const char *pointer)
{
    const char *name;
    json_t *value;
    json_object_foreach(schema, name, value)
    {
        struct pointer here = below(pointer, name);
        check_keyword(name, on, place, here.text);
        if (is_prose(name) && !json_is_string(value))
            refuse(here.text, "must be a string");
    }
}

/* Only true says anything: a false beside a marked definition would read like taking it back. */
bool mark_of(json_t *schema, const char *keyword, const char *pointer)
{
    json_t *mark = json_object_get(schema, keyword);
    if (mark && !json_is_true(mark))
        refuse(below(pointer, keyword).text, "must be true or left out");
    return mark != NULL;
}

int64_t whole_of(json_t *schema, const char *keyword, const char *pointer, int64_t otherwise)
{
    json_t *number = json_object_get(schema, keyword);
    if (!number)
        return otherwise;
    if (!json_is_integer(number))
        refuse(below(pointer, keyword).text, "must be a whole number");
    return json_integer_value(number);
}

int64_t limit_of(json_t *schema, const char *keyword, const char *pointer, int64_t otherwise)
{
    int64_t limit = whole_of(schema, keyword, pointer, otherwise);
    if (limit < 0 || limit > UINT32_MAX)
        refuse(below(pointer, keyword).text, "must lie between 0 and 4294967295");
    return limit;
}
