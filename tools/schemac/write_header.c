/* Writes the header: structs, enums, the typed decode and encode of each. */
#include <ctype.h>
#include <string.h>

#include "tools/schemac/schemac.h"

const char *c_type(const struct type *type)
{
    static char text[C_NAME_MAX + 8];
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

/* What the schema says for people, kept from ending the comment. */
static void write_prose(FILE *out, const char *text)
{
    for (const char *c = text; *c; c++) {
        fputc((unsigned char)*c < 0x20 ? ' ' : *c, out);
        if ((c[0] == '*' && c[1] == '/') || (c[0] == '/' && c[1] == '*'))
            fputc(' ', out);
    }
}

static void write_note(FILE *out, const char *indent, json_t *schema)
{
    const char *title = json_string_value(json_object_get(schema, "title"));
    const char *description = json_string_value(json_object_get(schema, "description"));
    if (!title && !description)
        return;
    fprintf(out, "%s/* ", indent);
    if (title)
        write_prose(out, title);
    if (title && description)
        fprintf(out, ": ");
    if (description)
        write_prose(out, description);
    fprintf(out, " */\n");
}

static void write_enum(FILE *out, const struct type *type)
{
    char prefix[C_NAME_MAX], name[C_NAME_MAX];
    size_t i;
    json_t *text;
    make_upper(prefix, type->name);
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
        write_note(out, "    ", m->schema);
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
    write_note(out, "", type->schema);
    if (type->kind == SHAPE_ENUM)
        write_enum(out, type);
    else if (type->kind == SHAPE_OBJECT)
        write_struct(out, type);
    else if (type->kind == SHAPE_ARRAY)
        fprintf(out, "struct %s {\n    %s *at;\n    uint32_t count;\n};\n\n", type->name,
                c_type(type->item));
    if (type->kind != SHAPE_OBJECT) /* an object's stands with its functions */
        fprintf(out, "extern const struct json_shape %s_shape;\n\n", type->name);
}

/* An escaped character takes six. */
double json_max(const struct type *type)
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

static void write_vocabulary(FILE *out, const char *vocabulary)
{
    char tag[C_NAME_MAX], full[C_NAME_MAX];
    size_t n = 0;
    join_name(full, service, vocabulary, "");
    fprintf(out, "enum %s_tag {\n", full);
    for (struct def *def = defs; def < defs + def_count; def++)
        if (speaks(def, vocabulary)) {
            join_name(tag, full, short_name(def), "");
            make_upper(tag, tag);
            fprintf(out, "    %s%s,\n", tag, n++ ? "" : " = 1");
        }
    fprintf(out, "};\n\nstruct %s {\n    enum %s_tag tag;\n    union {\n", full, full);
    for (struct def *def = defs; def < defs + def_count; def++)
        if (speaks(def, vocabulary))
            fprintf(out, "        struct %s %s;\n", def->type->name, short_name(def));
    fprintf(out, "    } as;\n};\n\nextern const struct vocabulary %ss;\n\n", full);
}

void write_header(FILE *out)
{
    char guard[C_NAME_MAX];
    make_upper(guard, service);
    fprintf(out,
            "/* Generated by schemac from %s.json; changes are lost. */\n#ifndef "
            "%s_SCHEMA_H\n#define %s_SCHEMA_H\n\n",
            service, guard, guard);
    write_note(out, "", documents[0]);
    fprintf(out, "#include \"core/json_shape.h\"\n");
    if (documents[1])
        fprintf(out, "#include \"schemas/common.h\"\n");
    fprintf(out, "\n");
    for (size_t i = 0; i < type_count; i++)
        if (!types[i]->foreign)
            write_declaration(out, types[i]);
    for (size_t i = 0; i < type_count; i++)
        if (!types[i]->foreign && types[i]->kind == SHAPE_OBJECT)
            write_wrappers(out, types[i]);
    if (has_vocabulary("command"))
        write_vocabulary(out, "command");
    if (has_vocabulary("event"))
        write_vocabulary(out, "event");
    fprintf(out, "#endif\n");
}
