/* Writes the source: the tables that core/json_decode.c and core/json_encode.c walk. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/schemac/schemac.h"

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

static size_t slots_of(const struct type *type)
{
    size_t slots = 2;
    while (slots < 2 * json_array_size(type->names))
        slots *= 2;
    return slots;
}

/* The table in which json_decode looks a text up. */
static void write_slots(FILE *out, const struct type *type)
{
    size_t slots = slots_of(type), i;
    json_t *name;
    uint16_t *table = calloc(slots, sizeof *table);
    if (!table)
        abort();
    json_array_foreach(type->names, i, name)
    {
        size_t at = json_name_hash(json_string_value(name), json_string_length(name));
        while (table[at % slots])
            at++;
        table[at % slots] = (uint16_t)(i + 1);
    }
    fprintf(out, "static const uint16_t %s_slots[] = {", type->name);
    for (i = 0; i < slots; i++)
        fprintf(out, "%s%u,", i % 16 ? " " : "\n    ", table[i]);
    fprintf(out, "\n};\n");
    free(table);
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

static void write_tables(FILE *out, const struct type *type)
{
    if (type->kind == SHAPE_OBJECT && type->count)
        write_fields(out, type);
    if (type->kind == SHAPE_STRING && type->count)
        write_atoms(out, type);
    if (type->kind == SHAPE_ENUM) {
        write_names(out, type);
        write_slots(out, type);
    }
}

static void write_bounds(FILE *out, const struct type *type)
{
    write_bound(out, "min", type->min);
    write_bound(out, "max", type->max);
}

static void write_string_shape(FILE *out, const struct type *type)
{
    write_bounds(out, type);
    if (type->count)
        fprintf(out, "    .count = %zu,\n    .atoms = %s_atoms,\n", type->count, type->name);
    if (type->format == JSON_FORMAT_EMAIL)
        fprintf(out, "    .format = JSON_FORMAT_EMAIL,\n");
}

static void write_enum_shape(FILE *out, const struct type *type)
{
    fprintf(out,
            "    .count = %zu,\n    .names = %s_names,\n    .slots = %s_slots,\n"
            "    .slots_mask = %zu,\n",
            json_array_size(type->names), type->name, type->name, slots_of(type) - 1);
}

static void write_shape_body(FILE *out, const struct type *type)
{
    switch (type->kind) {
    case SHAPE_OBJECT:
        write_object_shape(out, type);
        break;
    case SHAPE_ARRAY:
        write_bounds(out, type);
        fprintf(out, "    .item = &%s_shape,\n", type->item->name);
        break;
    case SHAPE_STRING:
        write_string_shape(out, type);
        break;
    case SHAPE_INTEGER:
        write_bounds(out, type);
        break;
    case SHAPE_ENUM:
        write_enum_shape(out, type);
        break;
    case SHAPE_BOOLEAN:
    case SHAPE_UUID:
    case SHAPE_INSTANT:
        break;
    }
}

static void write_shape(FILE *out, const struct type *type)
{
    static const char *const kinds[] = {"SHAPE_OBJECT",  "SHAPE_ARRAY",   "SHAPE_STRING",
                                        "SHAPE_INTEGER", "SHAPE_BOOLEAN", "SHAPE_ENUM",
                                        "SHAPE_UUID",    "SHAPE_INSTANT"};
    write_tables(out, type);
    fprintf(out, "const struct json_shape %s_shape = {\n    .kind = %s,\n    .size = sizeof(%s),\n",
            type->name, kinds[type->kind], c_type(type));
    write_shape_body(out, type);
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
    char full[C_NAME_MAX];
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

void write_source(FILE *out)
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
