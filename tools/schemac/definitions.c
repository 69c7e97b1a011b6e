/* Definitions: found by name, understood once, in the order in which C must see them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/schemac/schemac.h"

static const char common_file[] = "common.json";
static bool common;

bool in_common(void)
{
    return common;
}

static struct type *understand_definition(struct def *def, const char *from)
{
    char name[C_NAME_MAX];
    if (def->state == DEF_BUSY)
        refuse(from, "recursive $ref: %s", def->name);
    if (def->state == DEF_NEW) {
        struct pointer pointer = below("/$defs", def->name);
        bool outer = common;
        common = def->foreign;
        def->state = DEF_BUSY;
        name_definition(name, common ? "common" : service, def->name, pointer.text);
        def->type = understand(def->schema, name, AT_DEFINITION, pointer.text);
        def->state = DEF_DONE;
        common = outer;
    }
    return def->type;
}

struct type *follow_ref(json_t *schema, enum place place, const char *pointer)
{
    const char *ref = json_string_value(json_object_get(schema, "$ref"));
    struct pointer here = below(pointer, "$ref");
    bool foreign = common;
    check_keywords(schema, ON_REF, place, pointer);
    if (ref && !common && strncmp(ref, common_file, strlen(common_file)) == 0) {
        foreign = true;
        ref += strlen(common_file);
    }
    if (!ref || strncmp(ref, "#/$defs/", 8) != 0)
        refuse(here.text, "must be #/$defs/NAME or common.json#/$defs/NAME");
    for (struct def *def = defs; def < defs + def_count; def++)
        if (strcmp(def->name, ref + 8) == 0 && def->foreign == foreign) {
            def->used = true;
            return understand_definition(def, here.text);
        }
    refuse(here.text, "no such definition");
}

static void check_version(const char *version, const char *pointer)
{
    size_t digits = strspn(version, "0123456789");
    if (digits == 0 || digits > 4 || version[digits] || *version == '0')
        refuse(pointer, "message must be named %s.NAME.vN, N from 1 to 9999", service);
}

/* A message is named service.what.vN, so that its version can be told. */
static void check_message(struct def *def)
{
    struct pointer pointer = below("/$defs", def->name);
    char vocabulary[C_NAME_MAX];
    size_t len = strlen(service);
    const char *dot = strrchr(def->name, '.');
    if (!def->vocabulary ||
        (strcmp(def->vocabulary, "command") != 0 && strcmp(def->vocabulary, "event") != 0))
        refuse(below(pointer.text, "x-message").text, "must be command or event");
    if (strncmp(def->name, service, len) != 0 || def->name[len] != '.' || dot == def->name + len)
        refuse(pointer.text, "message must be named %s.NAME.vN, N from 1 to 9999", service);
    check_version(dot[1] == 'v' ? dot + 2 : "", pointer.text);
    if (def->type->personal)
        refuse(pointer.text, "mark its properties x-personal, not the message");
    join_name(vocabulary, service, def->vocabulary, pointer.text);
    claim_constant(vocabulary, short_name(def), strlen(short_name(def)), pointer.text);
}

void collect_definitions(json_t *root, bool foreign)
{
    json_t *all = json_object_get(root, "$defs"), *schema;
    const char *name;
    if (!json_is_object(all))
        refuse("/$defs", "must be an object");
    defs = realloc(defs, (def_count + json_object_size(all) + 1) * sizeof *defs);
    if (!defs)
        abort();
    json_object_foreach(all, name, schema)
    {
        const char *word = json_string_value(json_object_get(schema, "x-message"));
        defs[def_count++] =
            (struct def){.name = name, .schema = schema, .vocabulary = word, .foreign = foreign};
    }
}

static void claim_vocabulary(const char *vocabulary)
{
    char name[C_NAME_MAX], tag[C_NAME_MAX + 8];
    if (!has_vocabulary(vocabulary))
        return;
    join_name(name, service, vocabulary, "/$defs");
    snprintf(tag, sizeof tag, "tag %s", name);
    claim_name(tag, "/$defs");
    snprintf(tag, sizeof tag, "tag %s_tag", name);
    claim_name(tag, "/$defs");
}

void understand_definitions(void)
{
    claim_vocabulary("command");
    claim_vocabulary("event");
    for (struct def *def = defs; def < defs + def_count; def++) {
        if (def->foreign)
            continue; /* understood when something refers to it */
        understand_definition(def, "/$defs");
        if (json_object_get(def->schema, "x-message"))
            check_message(def);
    }
    for (struct def *def = defs; def < defs + def_count; def++)
        if (!def->foreign && !def->used && json_object_get(def->schema, "x-personal") &&
            strcmp(service, "common") != 0)
            refuse(below(below("/$defs", def->name).text, "x-personal").text,
                   "keyword has no effect: nothing refers to this definition");
}

const char *short_name(const struct def *def)
{
    return def->type->name + strlen(service) + 1;
}

bool speaks(const struct def *def, const char *vocabulary)
{
    return !def->foreign && def->vocabulary && strcmp(def->vocabulary, vocabulary) == 0;
}

bool has_vocabulary(const char *vocabulary)
{
    for (size_t i = 0; i < def_count; i++)
        if (speaks(&defs[i], vocabulary))
            return true;
    return false;
}
