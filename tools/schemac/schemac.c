/* schemac: turns one JSON Schema 2020-12 file into one C header and one source.
 *
 *   schemac [--lax] schemas/order.json OUTDIR     writes OUTDIR/order.h, OUTDIR/order.c
 *
 * A schema it cannot honour in full it refuses, as file:pointer: reason.
 * It lives for one file, so it exits on the first refusal and frees nothing. */
#include "core/json_shape.h"

#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPES_MAX = 1024, MEMBERS_MAX = 64, ATOMS_MAX = 16, NAME_MAX_ = 160, POINTER_MAX = 512 };

struct member {
    const char *name;
    char c_name[NAME_MAX_];
    bool personal;
    bool required;
    struct type *type;
};

/* One schema, understood. */
struct type {
    enum json_kind kind;
    enum json_format format;
    char name[NAME_MAX_]; /* of its C declaration and tables */
    bool open;
    bool personal; /* marked in its own definition */
    int64_t min, max;
    struct type *item;
    struct member members[MEMBERS_MAX];
    size_t count; /* of members or atoms */
    json_t *names;
    struct json_atom atoms[ATOMS_MAX];
    bool foreign; /* of common.json: declared and defined there */
};

enum def_state { DEF_NEW, DEF_BUSY, DEF_DONE };

struct def {
    const char *name;
    json_t *schema;
    enum def_state state;
    struct type *type;
    const char *vocabulary; /* "command", "event" or NULL */
    bool foreign;           /* of common.json */
};

static const char *file;              /* the schema file, for messages */
static char service[NAME_MAX_];       /* its base name: order */
static bool lax;                      /* unbounded strings and arrays allowed */
static struct type *types[TYPES_MAX]; /* in the order C must see them */
static size_t type_count;
static struct def *defs;
static size_t def_count;
static bool in_common; /* understanding a definition of common.json */
static const char common_file[] = "common.json";
static json_t *documents[2]; /* the file and common.json: definitions point into them */

/* ---- small helpers ---------------------------------------------------- */

__attribute__((format(printf, 2, 3), noreturn)) static void refuse(const char *pointer,
                                                                   const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%s: ", file, *pointer ? pointer : "/");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

struct pointer {
    char text[POINTER_MAX];
};

static struct pointer below(const char *pointer, const char *name)
{
    struct pointer p;
    if ((size_t)snprintf(p.text, sizeof p.text, "%s/%s", pointer, name) >= sizeof p.text)
        refuse(pointer, "is nested too deeply");
    return p;
}

/* "order.placed.v1" -> "order_placed_v1" */
static void make_identifier(char *to, size_t size, const char *from, size_t len,
                            int (*letter_case)(int))
{
    size_t used = 0;
    for (size_t i = 0; i < len && used + 1 < size; i++)
        to[used++] =
            isalnum((unsigned char)from[i]) ? (char)letter_case((unsigned char)from[i]) : '_';
    to[used] = 0;
}

static bool is_c_keyword(const char *name)
{
    static const char *const words[] = {
        "auto",  "bool",     "break",  "case",     "char",   "const",    "continue", "default",
        "do",    "double",   "else",   "enum",     "extern", "false",    "float",    "for",
        "goto",  "if",       "inline", "int",      "long",   "register", "return",   "restrict",
        "short", "signed",   "sizeof", "static",   "struct", "switch",   "true",     "typedef",
        "union", "unsigned", "void",   "volatile", "while",  "asm",      "typeof"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], name) == 0)
            return true;
    return false;
}

static void join_name(char *to, const char *left, const char *right, const char *pointer)
{
    char tail[NAME_MAX_];
    make_identifier(tail, sizeof tail, right, strlen(right), tolower);
    if (snprintf(to, NAME_MAX_, "%s_%s", left, tail) >= NAME_MAX_)
        refuse(pointer, "makes too long a C name");
}

/* A definition already named after the service is not prefixed again. */
static void name_definition(char *to, const char *name, const char *pointer)
{
    const char *owner = in_common ? "common" : service;
    size_t len = strlen(owner);
    if (strncmp(name, owner, len) == 0 && (name[len] == '.' || name[len] == '_'))
        make_identifier(to, NAME_MAX_, name, strlen(name), tolower);
    else
        join_name(to, owner, name, pointer);
}

static bool flag_of(json_t *schema, const char *keyword, const char *pointer)
{
    json_t *flag = json_object_get(schema, keyword);
    if (flag && !json_is_boolean(flag))
        refuse(below(pointer, keyword).text, "must be true or false");
    return json_is_true(flag);
}

static int64_t whole_of(json_t *schema, const char *keyword, const char *pointer, int64_t otherwise)
{
    json_t *number = json_object_get(schema, keyword);
    if (!number)
        return otherwise;
    if (!json_is_integer(number))
        refuse(below(pointer, keyword).text, "must be a whole number");
    return json_integer_value(number);
}

static int64_t limit_of(json_t *schema, const char *keyword, const char *pointer, int64_t otherwise)
{
    int64_t limit = whole_of(schema, keyword, pointer, otherwise);
    if (limit < 0 || limit > UINT32_MAX)
        refuse(below(pointer, keyword).text, "must lie between 0 and 4294967295");
    return limit;
}

/* ---- keywords --------------------------------------------------------- */

enum {
    ON_OBJECT = 1,
    ON_ARRAY = 2,
    ON_STRING = 4,
    ON_INTEGER = 8,
    ON_BOOLEAN = 16,
    ON_ENUM = 32,
    ON_TOKEN = 64
};
enum { ON_ALL = 127 };

/* What each keyword may stand beside; a token is a uuid or a date-time. */
static const struct {
    const char *name;
    unsigned on;
} keywords[] = {
    {"type", ON_ALL},
    {"title", ON_ALL},
    {"description", ON_ALL},
    {"$comment", ON_ALL},
    {"deprecated", ON_ALL},
    {"examples", ON_ALL},
    {"x-personal", ON_ALL},
    {"x-message", ON_OBJECT},
    {"properties", ON_OBJECT},
    {"required", ON_OBJECT},
    {"additionalProperties", ON_OBJECT},
    {"items", ON_ARRAY},
    {"minItems", ON_ARRAY},
    {"maxItems", ON_ARRAY},
    {"minLength", ON_STRING},
    {"maxLength", ON_STRING},
    {"pattern", ON_STRING},
    {"format", ON_STRING | ON_TOKEN},
    {"enum", ON_ENUM},
    {"const", ON_ENUM | ON_INTEGER},
    {"minimum", ON_INTEGER},
    {"maximum", ON_INTEGER},
};

static unsigned places_of(const char *keyword)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(keywords[i].name, keyword) == 0)
            return keywords[i].on;
    return 0;
}

static void check_keywords(json_t *schema, unsigned on, const char *pointer)
{
    const char *name;
    json_t *value;
    json_object_foreach(schema, name, value)
    {
        unsigned places = places_of(name);
        if (!places)
            refuse(below(pointer, name).text, "keyword is not supported");
        if (!(places & on))
            refuse(below(pointer, name).text, "keyword has no effect beside this type");
    }
}

/* ---- patterns --------------------------------------------------------- */

struct pattern {
    const char *at;
    const char *pointer;
    struct type *type;
};

static void allow(struct json_atom *atom, int from, int to)
{
    for (int c = from; c <= to; c++)
        atom->set[c >> 6] |= (uint64_t)1 << (c & 63);
}

/* One plain or escaped character; \d is the only class escape. */
static int pattern_char(struct pattern *p, bool in_class, bool *digits)
{
    static const char special[] = "\\^$.|?*+()[]{}/-";
    unsigned char c = (unsigned char)*p->at++;
    *digits = false;
    if (c == '\\') {
        c = (unsigned char)*p->at++;
        *digits = c == 'd';
        if (!*digits && (!c || !strchr(special, c)))
            refuse(p->pointer, "pattern: escape is not supported");
        return c;
    }
    if (c < 0x20 || c > 0x7E || strchr(in_class ? "\\^[]" : "\\^$.|?*+()[]{}", c))
        refuse(p->pointer, "pattern: only ^ literals [classes] {n,m} ? * + $ are supported");
    return c;
}

static void pattern_class(struct pattern *p, struct json_atom *atom)
{
    while (*p->at && *p->at != ']') {
        bool digits;
        int from = pattern_char(p, true, &digits), to = from;
        if (!digits && p->at[0] == '-' && p->at[1] && p->at[1] != ']') {
            p->at++;
            to = pattern_char(p, true, &digits);
            if (digits || to < from)
                refuse(p->pointer, "pattern: range is upside down");
        }
        digits ? allow(atom, '0', '9') : allow(atom, from, to);
    }
    if (*p->at++ != ']')
        refuse(p->pointer, "pattern: class does not end");
}

static uint32_t pattern_count(struct pattern *p)
{
    char *end;
    unsigned long n = isdigit((unsigned char)*p->at) ? strtoul(p->at, &end, 10) : UINT32_MAX;
    if (n >= UINT32_MAX)
        refuse(p->pointer, "pattern: repeat count expected");
    p->at = end;
    return (uint32_t)n;
}

static void pattern_repeat(struct pattern *p, struct json_atom *atom)
{
    atom->min = atom->max = 1;
    char c = *p->at;
    if (c == '?' || c == '*' || c == '+') {
        atom->min = c == '+';
        atom->max = c == '?' ? 1 : UINT32_MAX;
        p->at++;
    } else if (c == '{') {
        p->at++;
        atom->min = atom->max = pattern_count(p);
        if (*p->at == ',') {
            p->at++;
            atom->max = *p->at == '}' ? UINT32_MAX : pattern_count(p);
        }
        if (*p->at++ != '}' || atom->max < atom->min)
            refuse(p->pointer, "pattern: bad repeat");
    }
}

/* Greedy matching is exact when what follows a variable repeat cannot start with its characters. */
static void check_greed(struct pattern *p)
{
    const struct json_atom *end = p->type->atoms + p->type->count;
    for (const struct json_atom *atom = p->type->atoms; atom < end; atom++)
        for (const struct json_atom *next = atom + 1; atom->min < atom->max && next < end; next++) {
            if ((atom->set[0] & next->set[0]) || (atom->set[1] & next->set[1]))
                refuse(p->pointer, "pattern: a repeat and what follows it share characters");
            if (next->min)
                break;
        }
}

static void compile_pattern(struct type *type, const char *text, const char *pointer)
{
    struct pattern p = {text, pointer, type};
    if (*p.at++ != '^')
        refuse(pointer, "pattern: must start with ^");
    while (*p.at && *p.at != '$') {
        struct json_atom *atom = &type->atoms[type->count];
        if (++type->count > ATOMS_MAX)
            refuse(pointer, "pattern: too many parts");
        bool digits = false;
        if (*p.at == '[') {
            p.at++;
            pattern_class(&p, atom);
        } else {
            int c = pattern_char(&p, false, &digits);
            digits ? allow(atom, '0', '9') : allow(atom, c, c);
        }
        pattern_repeat(&p, atom);
    }
    if (strcmp(p.at, "$") != 0)
        refuse(pointer, "pattern: must end with $");
    check_greed(&p);
}

/* ---- schemas ---------------------------------------------------------- */

static struct type *understand(json_t *schema, const char *name, const char *pointer);

static struct type *new_type(enum json_kind kind, const char *name)
{
    struct type *type = calloc(1, sizeof *type);
    if (!type)
        abort();
    type->kind = kind;
    snprintf(type->name, sizeof type->name, "%s", name);
    type->foreign = in_common;
    return type;
}

static struct type *finish(struct type *type, const char *pointer)
{
    if (type_count == TYPES_MAX)
        refuse(pointer, "file holds too many types");
    for (size_t i = 0; i < type_count; i++)
        if (strcmp(types[i]->name, type->name) == 0)
            refuse(pointer, "makes the same C name as another: %s", type->name);
    return types[type_count++] = type;
}

static struct type *understand_definition(struct def *def, const char *from)
{
    char name[NAME_MAX_];
    if (def->state == DEF_BUSY)
        refuse(from, "recursive $ref: %s", def->name);
    if (def->state == DEF_NEW) {
        struct pointer pointer = below("/$defs", def->name);
        bool outer = in_common;
        in_common = def->foreign;
        def->state = DEF_BUSY;
        name_definition(name, def->name, pointer.text);
        def->type = understand(def->schema, name, pointer.text);
        def->state = DEF_DONE;
        in_common = outer;
    }
    return def->type;
}

static struct type *follow_ref(json_t *schema, const char *pointer)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref")), *key;
    json_t *value;
    json_object_foreach(schema, key,
                        value) if (strcmp(key, "$ref") != 0 && places_of(key) != ON_ALL)
        refuse(below(pointer, key).text, "keyword is not supported beside $ref");
    bool foreign = in_common;
    if (ref && !in_common && strncmp(ref, common_file, strlen(common_file)) == 0) {
        foreign = true;
        ref += strlen(common_file);
    }
    if (!ref || strncmp(ref, "#/$defs/", 8) != 0)
        refuse(below(pointer, "$ref").text, "must be #/$defs/NAME or common.json#/$defs/NAME");
    for (size_t i = 0; i < def_count; i++)
        if (strcmp(defs[i].name, ref + 8) == 0 && defs[i].foreign == foreign)
            return understand_definition(&defs[i], below(pointer, "$ref").text);
    refuse(below(pointer, "$ref").text, "no such definition");
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
    char type_name[NAME_MAX_];
    struct member *member = &type->members[type->count];
    if (++type->count > MEMBERS_MAX)
        refuse(pointer, "too many properties");
    check_member_name(name, pointer);
    join_name(type_name, type->name, name, pointer);
    member->name = name;
    snprintf(member->c_name, sizeof member->c_name, "%s%s", name, is_c_keyword(name) ? "_" : "");
    member->type = understand(schema, type_name, pointer);
    member->personal = flag_of(schema, "x-personal", pointer) || member->type->personal;
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
        type->members[m].required = true;
    }
}

static struct type *understand_object(json_t *schema, const char *name, const char *pointer)
{
    struct type *type = new_type(SHAPE_OBJECT, name);
    json_t *properties = json_object_get(schema, "properties"),
           *more = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *value;
    check_keywords(schema, ON_OBJECT, pointer);
    if (properties && !json_is_object(properties))
        refuse(below(pointer, "properties").text, "must be an object");
    if (more && !json_is_boolean(more))
        refuse(below(pointer, "additionalProperties").text, "must be true or false");
    type->open = !json_is_false(more);
    json_object_foreach(properties, key, value)
        add_member(type, key, value, below(below(pointer, "properties").text, key).text);
    mark_required(type, json_object_get(schema, "required"), below(pointer, "required").text);
    return finish(type, pointer);
}

static struct type *understand_array(json_t *schema, const char *name, const char *pointer)
{
    char item_name[NAME_MAX_];
    struct type *type = new_type(SHAPE_ARRAY, name);
    check_keywords(schema, ON_ARRAY, pointer);
    if (!json_object_get(schema, "items"))
        refuse(pointer, "array needs items");
    if (!lax && !json_object_get(schema, "maxItems"))
        refuse(pointer, "array needs maxItems");
    type->min = limit_of(schema, "minItems", pointer, 0);
    type->max = limit_of(schema, "maxItems", pointer, UINT32_MAX);
    join_name(item_name, name, "item", pointer);
    type->item =
        understand(json_object_get(schema, "items"), item_name, below(pointer, "items").text);
    if (type->item->personal || json_object_get(json_object_get(schema, "items"), "x-personal"))
        refuse(below(pointer, "items").text, "mark the array x-personal, not its items");
    return finish(type, pointer);
}

static struct type *understand_token(json_t *schema, enum json_kind kind, const char *name,
                                     const char *pointer)
{
    check_keywords(schema, ON_TOKEN, pointer);
    return finish(new_type(kind, name), pointer);
}

/* Two values may differ only in characters that a C name cannot hold. */
static bool looks_alike(json_t *left, json_t *right)
{
    char a[NAME_MAX_], b[NAME_MAX_];
    make_identifier(a, sizeof a, json_string_value(left), json_string_length(left), toupper);
    make_identifier(b, sizeof b, json_string_value(right), json_string_length(right), toupper);
    return strcmp(a, b) == 0;
}

static void check_enum_names(json_t *names, const char *pointer)
{
    size_t i;
    json_t *name;
    if (!json_is_array(names) || json_array_size(names) == 0 || json_array_size(names) > UINT16_MAX)
        refuse(pointer, "must list at least one value");
    json_array_foreach(names, i, name)
    {
        if (!json_is_string(name))
            refuse(pointer, "item %zu is not a string", i);
        for (size_t before = 0; before < i; before++)
            if (looks_alike(json_array_get(names, before), name))
                refuse(pointer, "items %zu and %zu make the same C name", before, i);
    }
}

static struct type *understand_enum(json_t *schema, const char *name, const char *pointer)
{
    json_t *listed = json_object_get(schema, "enum"), *only = json_object_get(schema, "const");
    struct type *type = new_type(SHAPE_ENUM, name);
    check_keywords(schema, ON_ENUM, pointer);
    if (listed && only)
        refuse(pointer, "enum and const together");
    type->names = listed ? listed : json_pack("[O]", only);
    check_enum_names(type->names, below(pointer, listed ? "enum" : "const").text);
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

static struct type *understand_string(json_t *schema, const char *name, const char *pointer)
{
    const char *format = json_string_value(json_object_get(schema, "format"));
    json_t *pattern = json_object_get(schema, "pattern");
    if (json_object_get(schema, "enum") || json_object_get(schema, "const"))
        return understand_enum(schema, name, pointer);
    if (format && strcmp(format, "uuid") == 0)
        return understand_token(schema, SHAPE_UUID, name, pointer);
    if (format && strcmp(format, "date-time") == 0)
        return understand_token(schema, SHAPE_INSTANT, name, pointer);
    struct type *type = new_type(SHAPE_STRING, name);
    check_keywords(schema, ON_STRING, pointer);
    if (!lax && !json_object_get(schema, "maxLength"))
        refuse(pointer, "string needs maxLength");
    type->min = limit_of(schema, "minLength", pointer, 0);
    type->max = limit_of(schema, "maxLength", pointer, UINT32_MAX);
    read_format(type, json_object_get(schema, "format"), below(pointer, "format").text);
    if (pattern && !json_is_string(pattern))
        refuse(below(pointer, "pattern").text, "must be a string");
    if (pattern)
        compile_pattern(type, json_string_value(pattern), below(pointer, "pattern").text);
    return finish(type, pointer);
}

static struct type *understand_integer(json_t *schema, const char *name, const char *pointer)
{
    struct type *type = new_type(SHAPE_INTEGER, name);
    check_keywords(schema, ON_INTEGER, pointer);
    type->min = whole_of(schema, "minimum", pointer, INT64_MIN);
    type->max = whole_of(schema, "maximum", pointer, INT64_MAX);
    int64_t only = whole_of(schema, "const", pointer, 0);
    if (json_object_get(schema, "const") && only >= type->min && only <= type->max)
        type->min = type->max = only;
    if (type->min > type->max)
        refuse(pointer, "minimum is above maximum");
    return finish(type, pointer);
}

static struct type *understand_boolean(json_t *schema, const char *name, const char *pointer)
{
    check_keywords(schema, ON_BOOLEAN, pointer);
    return finish(new_type(SHAPE_BOOLEAN, name), pointer);
}

static struct type *mark_personal(struct type *type, json_t *schema, const char *pointer)
{
    type->personal = flag_of(schema, "x-personal", pointer);
    return type;
}

static struct type *understand(json_t *schema, const char *name, const char *pointer)
{
    static const struct {
        const char *type;
        struct type *(*understand)(json_t *, const char *, const char *);
    } kinds[] = {{"object", understand_object},
                 {"array", understand_array},
                 {"string", understand_string},
                 {"integer", understand_integer},
                 {"boolean", understand_boolean}};
    if (!json_is_object(schema))
        refuse(pointer, "schema must be an object");
    if (json_object_get(schema, "$ref"))
        return follow_ref(schema, pointer);
    const char *type = json_string_value(json_object_get(schema, "type"));
    for (size_t i = 0; type && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].type, type) == 0)
            return mark_personal(kinds[i].understand(schema, name, pointer), schema, pointer);
    refuse(pointer, "type must be one of object, array, string, integer, boolean");
}

/* ---- writing the header ----------------------------------------------- */

static const char *c_type(const struct type *type)
{
    static char text[NAME_MAX_ + 8];
    static const char *const plain[] = {[SHAPE_STRING] = "struct text",
                                        [SHAPE_INTEGER] = "int64_t",
                                        [SHAPE_BOOLEAN] = "bool",
                                        [SHAPE_UUID] = "struct uuid",
                                        [SHAPE_INSTANT] = "int64_t"};
    if (type->kind < sizeof plain / sizeof *plain && plain[type->kind])
        return plain[type->kind];
    snprintf(text, sizeof text, "%s %s", type->kind == SHAPE_ENUM ? "enum" : "struct", type->name);
    return text;
}

static void upper(char *to, const char *from)
{
    make_identifier(to, NAME_MAX_, from, strlen(from), toupper);
}

static void write_enum(FILE *out, const struct type *type)
{
    char prefix[NAME_MAX_], name[NAME_MAX_];
    size_t i;
    json_t *text;
    upper(prefix, type->name);
    fprintf(out, "enum %s {\n", type->name);
    json_array_foreach(type->names, i, text)
    {
        make_identifier(name, sizeof name, json_string_value(text), json_string_length(text),
                        toupper);
        fprintf(out, "    %s_%s%s,\n", prefix, name, i ? "" : " = 1");
    }
    fprintf(out, "};\n\nstruct text %s_text(enum %s value); /* as on the wire */\n\n", type->name,
            type->name);
}

static void write_struct(FILE *out, const struct type *type)
{
    fprintf(out, "struct %s {\n", type->name);
    for (const struct member *m = type->members; m < type->members + type->count; m++) {
        const char *note = m->personal                      ? " /* personal */"
                           : m->type->kind == SHAPE_INSTANT ? " /* microseconds */"
                                                            : "";
        if (!m->required)
            fprintf(out, "    bool has_%s;\n", m->name);
        fprintf(out, "    %s %s;%s\n", c_type(m->type), m->c_name, note);
    }
    if (type->count == 0)
        fprintf(out, "    char empty;\n");
    fprintf(out, "};\n\n");
}

static void write_declaration(FILE *out, const struct type *type)
{
    if (type->kind == SHAPE_ENUM)
        write_enum(out, type);
    else if (type->kind == SHAPE_OBJECT)
        write_struct(out, type);
    else if (type->kind == SHAPE_ARRAY)
        fprintf(out, "struct %s {\n    %s *at;\n    uint32_t count;\n};\n\n", type->name,
                c_type(type->item));
}

/* The most bytes encode can write for a value; an escaped character takes six. */
static double json_max(const struct type *type)
{
    static const double plain[] = {
        [SHAPE_INTEGER] = 20, [SHAPE_BOOLEAN] = 5, [SHAPE_UUID] = 38, [SHAPE_INSTANT] = 29};
    double sum = 2, longest = 0;
    size_t i;
    json_t *name;
    switch (type->kind) {
    case SHAPE_OBJECT:
        for (const struct member *m = type->members; m < type->members + type->count; m++)
            sum += (double)strlen(m->name) + 4 + json_max(m->type);
        return sum;
    case SHAPE_ARRAY:
        return 2 + (double)type->max * (json_max(type->item) + 1);
    case SHAPE_STRING:
        return 2 + 6 * (double)type->max;
    case SHAPE_ENUM:
        json_array_foreach(type->names, i, name) if ((double)json_string_length(name) > longest)
            longest = (double)json_string_length(name);
        return 2 + 6 * longest;
    default:
        return plain[type->kind];
    }
}

static void write_wrappers(FILE *out, const struct type *type)
{
    const char *name = type->name;
    if (json_max(type) < INT32_MAX)
        fprintf(out, "enum { %s_json_max = %.0f }; /* bytes encode may need */\n", name,
                json_max(type));
    fprintf(
        out,
        "extern const struct json_shape %s_shape;\n\n"
        "static inline bool %s_decode(struct %s *value, struct text json, struct arena *arena,\n"
        "                             struct json_report *report)\n"
        "{\n    return json_decode(&%s_shape, json, arena, value, report);\n}\n\n"
        "static inline bool %s_encode(const struct %s *value, struct json_out *out, struct "
        "json_report *report)\n"
        "{\n    return json_encode(&%s_shape, value, JSON_WHOLE, out, report);\n}\n\n",
        name, name, name, name, name, name, name);
}

/* "order.placed.v1" in service order -> "placed_v1" */
static const char *short_name(const struct def *def)
{
    return def->type->name + strlen(service) + 1;
}

static bool speaks(const struct def *def, const char *vocabulary)
{
    return !def->foreign && def->vocabulary && strcmp(def->vocabulary, vocabulary) == 0;
}

static void write_vocabulary(FILE *out, const char *vocabulary)
{
    char tag[NAME_MAX_], full[NAME_MAX_];
    size_t n = 0;
    join_name(full, service, vocabulary, "");
    fprintf(out, "enum %s_tag {\n", full);
    for (struct def *def = defs; def < defs + def_count; def++)
        if (speaks(def, vocabulary)) {
            join_name(tag, full, short_name(def), "");
            upper(tag, tag);
            fprintf(out, "    %s%s,\n", tag, n++ ? "" : " = 1");
        }
    fprintf(out, "};\n\nstruct %s {\n    enum %s_tag tag;\n    union {\n", full, full);
    for (struct def *def = defs; def < defs + def_count; def++)
        if (speaks(def, vocabulary))
            fprintf(out, "        struct %s %s;\n", def->type->name, short_name(def));
    fprintf(out, "    } as;\n};\n\nextern const struct vocabulary %ss;\n\n", full);
}

static bool has_vocabulary(const char *vocabulary)
{
    for (size_t i = 0; i < def_count; i++)
        if (speaks(&defs[i], vocabulary))
            return true;
    return false;
}

static void write_header(FILE *out)
{
    char guard[NAME_MAX_];
    upper(guard, service);
    fprintf(out,
            "/* Generated by schemac from %s.json; changes are lost. */\n#ifndef "
            "%s_SCHEMA_H\n#define %s_SCHEMA_H\n\n",
            service, guard, guard);
    fprintf(out, "#include \"core/json_shape.h\"\n");
    if (strcmp(service, "common") != 0)
        fprintf(out, "#include \"schemas/common.h\"\n");
    fprintf(out, "\n");
    for (size_t i = 0; i < type_count; i++)
        if (!types[i]->foreign)
            write_declaration(out, types[i]);
    for (size_t i = 0; i < type_count; i++)
        if (!types[i]->foreign && types[i]->kind != SHAPE_OBJECT)
            fprintf(out, "extern const struct json_shape %s_shape;\n", types[i]->name);
    fprintf(out, "\n");
    for (size_t i = 0; i < type_count; i++)
        if (!types[i]->foreign && types[i]->kind == SHAPE_OBJECT)
            write_wrappers(out, types[i]);
    if (has_vocabulary("command"))
        write_vocabulary(out, "command");
    if (has_vocabulary("event"))
        write_vocabulary(out, "event");
    fprintf(out, "#endif\n");
}

/* ---- writing the source ----------------------------------------------- */

static void write_literal(FILE *out, const char *text, size_t len)
{
    fputc('"', out);
    for (size_t i = 0; i < len; i++)
        isalnum((unsigned char)text[i]) ? fputc(text[i], out)
                                        : fprintf(out, "\\%03o", (unsigned char)text[i]);
    fputc('"', out);
}

static void write_names(FILE *out, const struct type *type)
{
    size_t i;
    json_t *name;
    fprintf(out, "static const struct text %s_names[] = {\n", type->name);
    json_array_foreach(type->names, i, name)
    {
        fprintf(out, "    {");
        write_literal(out, json_string_value(name), json_string_length(name));
        fprintf(out, ", %zu},\n", json_string_length(name));
    }
    fprintf(out, "};\n");
}

static void write_text_function(FILE *out, const struct type *type)
{
    fprintf(out, "struct text %s_text(enum %s value)\n{\n    return %s_names[value - 1];\n}\n\n",
            type->name, type->name, type->name);
}

static void write_atoms(FILE *out, const struct type *type)
{
    fprintf(out, "static const struct json_atom %s_atoms[] = {\n", type->name);
    for (const struct json_atom *atom = type->atoms; atom < type->atoms + type->count; atom++)
        fprintf(out, "    {{0x%016llx, 0x%016llx}, %u, %u},\n", (unsigned long long)atom->set[0],
                (unsigned long long)atom->set[1], atom->min, atom->max);
    fprintf(out, "};\n");
}

static void write_fields(FILE *out, const struct type *type)
{
    fprintf(out, "static const struct json_field %s_fields[] = {\n", type->name);
    for (const struct member *m = type->members; m < type->members + type->count; m++) {
        fprintf(out, "    {\",\\\"%s\\\":\", %zu, offsetof(struct %s, %s), ", m->name,
                strlen(m->name), type->name, m->c_name);
        if (m->required)
            fprintf(out, "JSON_ALWAYS, ");
        else
            fprintf(out, "offsetof(struct %s, has_%s), ", type->name, m->name);
        fprintf(out, "%s, &%s_shape},\n", m->personal ? "true" : "false", m->type->name);
    }
    fprintf(out, "};\n");
}

static void write_bound(FILE *out, const char *name, int64_t bound)
{
    if (bound == INT64_MIN)
        fprintf(out, "    .%s = INT64_MIN,\n", name);
    else
        fprintf(out, "    .%s = %lld,\n", name, (long long)bound);
}

static uint64_t required_bits(const struct type *type)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < type->count; i++)
        bits |= (uint64_t)type->members[i].required << i;
    return bits;
}

static void write_object_shape(FILE *out, const struct type *type)
{
    fprintf(out, "    .open = %s,\n    .required = 0x%llx,\n", type->open ? "true" : "false",
            (unsigned long long)required_bits(type));
    if (type->count)
        fprintf(out, "    .count = %zu,\n    .fields = %s_fields,\n", type->count, type->name);
}

static void write_shape(FILE *out, const struct type *type)
{
    static const char *const kinds[] = {"SHAPE_OBJECT",  "SHAPE_ARRAY",   "SHAPE_STRING",
                                        "SHAPE_INTEGER", "SHAPE_BOOLEAN", "SHAPE_ENUM",
                                        "SHAPE_UUID",    "SHAPE_INSTANT"};
    if (type->kind == SHAPE_OBJECT && type->count)
        write_fields(out, type);
    if (type->kind == SHAPE_STRING && type->count)
        write_atoms(out, type);
    if (type->kind == SHAPE_ENUM)
        write_names(out, type);
    fprintf(out, "const struct json_shape %s_shape = {\n    .kind = %s,\n    .size = sizeof(%s),\n",
            type->name, kinds[type->kind], c_type(type));
    if (type->kind == SHAPE_OBJECT)
        write_object_shape(out, type);
    if (type->kind == SHAPE_STRING || type->kind == SHAPE_ARRAY || type->kind == SHAPE_INTEGER) {
        write_bound(out, "min", type->min);
        write_bound(out, "max", type->max);
    }
    if (type->kind == SHAPE_ARRAY)
        fprintf(out, "    .item = &%s_shape,\n", type->item->name);
    if (type->kind == SHAPE_STRING && type->count)
        fprintf(out, "    .count = %zu,\n    .atoms = %s_atoms,\n", type->count, type->name);
    if (type->kind == SHAPE_ENUM)
        fprintf(out, "    .count = %zu,\n    .names = %s_names,\n", json_array_size(type->names),
                type->name);
    if (type->format == JSON_FORMAT_EMAIL)
        fprintf(out, "    .format = JSON_FORMAT_EMAIL,\n");
    fprintf(out, "};\n\n");
    if (type->kind == SHAPE_ENUM)
        write_text_function(out, type);
    if (type->kind == SHAPE_OBJECT)
        fprintf(out, "_Static_assert(sizeof(struct %s) < JSON_ALWAYS, \"too large\");\n\n",
                type->name);
}

static const char *version_of(const struct def *def)
{
    return strrchr(def->name, '.') + 2;
}

static void write_messages(FILE *out, const char *vocabulary)
{
    char full[NAME_MAX_];
    size_t n = 0;
    join_name(full, service, vocabulary, "");
    fprintf(out, "static const struct message_type %s_types[] = {\n", full);
    for (struct def *def = defs; def < defs + def_count; def++)
        if (speaks(def, vocabulary)) {
            fprintf(out, "    {\"%s\", %s, &%s_shape, %.0f},\n", def->name, version_of(def),
                    def->type->name, json_max(def->type));
            n++;
        }
    fprintf(out,
            "};\n\n"
            "const struct vocabulary %ss = {\n"
            "    .name = \"%s\",\n"
            "    .types = %s_types,\n"
            "    .count = %zu,\n"
            "    .size = sizeof(struct %s),\n"
            "    .as_offset = offsetof(struct %s, as),\n"
            "};\n\n",
            full, full, full, n, full, full);
}

static void write_source(FILE *out)
{
    fprintf(
        out,
        "/* Generated by schemac from %s.json; changes are lost. */\n#include \"schemas/%s.h\"\n\n",
        service, service);
    for (size_t i = 0; i < type_count; i++)
        if (!types[i]->foreign)
            write_shape(out, types[i]);
    if (has_vocabulary("command"))
        write_messages(out, "command");
    if (has_vocabulary("event"))
        write_messages(out, "event");
}

/* ---- the file --------------------------------------------------------- */

/* A message is named service.what.vN, so that its version can be told. */
static void check_message(const struct def *def)
{
    struct pointer pointer = below("/$defs", def->name);
    size_t len = strlen(service);
    const char *dot = strrchr(def->name, '.');
    if (strcmp(def->vocabulary, "command") != 0 && strcmp(def->vocabulary, "event") != 0)
        refuse(below(pointer.text, "x-message").text, "must be command or event");
    if (strncmp(def->name, service, len) != 0 || def->name[len] != '.' || dot == def->name + len ||
        dot[1] != 'v' || !isdigit((unsigned char)dot[2]) || dot[2] == '0' ||
        strspn(dot + 2, "0123456789") != strlen(dot + 2))
        refuse(pointer.text, "message must be named %s.NAME.vN", service);
    if (def->type->personal)
        refuse(pointer.text, "mark its properties x-personal, not the message");
}

static void collect(json_t *root, bool foreign)
{
    json_t *all = json_object_get(root, "$defs"), *schema;
    const char *name;
    if (!json_is_object(all))
        refuse("/$defs", "must be an object");
    defs = realloc(defs, (def_count + json_object_size(all) + 1) * sizeof *defs);
    if (!defs)
        abort();
    json_object_foreach(all, name, schema) defs[def_count++] = (struct def){
        name,   schema, DEF_NEW, NULL, json_string_value(json_object_get(schema, "x-message")),
        foreign};
}

static void understand_all(void)
{
    for (struct def *def = defs; def < defs + def_count; def++) {
        if (def->foreign)
            continue; /* understood when something refers to it */
        understand_definition(def, "/$defs");
        if (def->vocabulary)
            check_message(def);
    }
}

static void check_root(json_t *root)
{
    static const char *const known[] = {"$schema", "$id",         "$comment",
                                        "title",   "description", "$defs"};
    static const char draft[] = "https://json-schema.org/draft/2020-12/schema";
    const char *key, *uri = json_string_value(json_object_get(root, "$schema"));
    json_t *value;
    if (!uri || strcmp(uri, draft) != 0)
        refuse("/$schema", "must be %s", draft);
    json_object_foreach(root, key, value)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], key) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            refuse(below("", key).text, "keyword is not supported at the top");
    }
}

static void name_service(void)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    make_identifier(service, sizeof service, base, strcspn(base, "."), tolower);
}

static void write_file(const char *directory, const char *suffix, void (*write)(FILE *))
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", directory, service, suffix);
    FILE *out = fopen(path, "w");
    if (out)
        write(out);
    if (!out || fclose(out) != 0) {
        perror(path);
        exit(1);
    }
}

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!root) {
        fprintf(stderr, "%s:%d:%d: %s\n", path, error.line, error.column, error.text);
        exit(1);
    }
    return root;
}

/* common.json lies beside the schema; a file that refers to nothing in it does without. */
static void collect_common(void)
{
    char path[4096];
    const char *slash = strrchr(file, '/');
    int folder = slash ? (int)(slash - file) + 1 : 0;
    snprintf(path, sizeof path, "%.*s%s", folder, file, common_file);
    FILE *there = fopen(path, "r");
    if (!there || strcmp(service, "common") == 0)
        return;
    fclose(there);
    documents[1] = load(path);
    collect(documents[1], true);
}

int main(int argc, char **argv)
{
    lax = argc > 1 && strcmp(argv[1], "--lax") == 0;
    if (argc != 3 + lax) {
        fprintf(stderr, "usage: schemac [--lax] SCHEMA.json OUTDIR\n");
        return 2;
    }
    file = argv[1 + lax];
    name_service();
    documents[0] = load(file);
    check_root(documents[0]);
    collect(documents[0], false);
    collect_common();
    understand_all();
    write_file(argv[2 + lax], ".h", write_header);
    write_file(argv[2 + lax], ".c", write_source);
    return 0;
}
