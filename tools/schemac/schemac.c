/* schemac: turns one JSON Schema 2020-12 file into one C header and one source.
 *
 *   schemac [--lax] schemas/order.json OUTDIR     writes OUTDIR/order.h, OUTDIR/order.c
 *
 * A schema it cannot honour in full it refuses, as file:pointer: reason. */
#include "tools/schemac/schemac.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

char service[C_NAME_MAX];
bool lax;
json_t *documents[2];
struct type *types[TYPES_MAX];
size_t type_count;
struct def *defs;
size_t def_count;

enum { PATH_LEN_MAX = 4096 };
static const char *file;
static char common_path[PATH_LEN_MAX];

void refuse(const char *pointer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s:%s: ", in_common() ? common_path : file, *pointer ? pointer : "/");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

/* A name's ~ and / are escaped (RFC 6901). */
struct pointer below(const char *pointer, const char *name)
{
    struct pointer p;
    size_t used = (size_t)snprintf(p.text, sizeof p.text, "%s/", pointer);
    for (; *name && used + 3 < sizeof p.text; name++) {
        if (*name == '~' || *name == '/')
            p.text[used++] = '~';
        p.text[used++] = (char)(*name == '~' ? '0' : *name == '/' ? '1' : *name);
    }
    if (*name)
        refuse(pointer, "is nested too deeply");
    p.text[used] = 0;
    return p;
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
    if (!isalpha((unsigned char)*service))
        refuse("", "the file must be named after a service: letters, digits and _");
}

static void write_file(const char *directory, const char *suffix, void (*write)(FILE *))
{
    char path[PATH_LEN_MAX];
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
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        fprintf(stderr, "%s:%d:%d: %s\n", path, error.line, error.column, error.text);
        exit(1);
    }
    return root;
}

/* common.json lies beside the schema; a file that refers to nothing in it does without. */
static void load_common(void)
{
    const char *slash = strrchr(file, '/');
    int folder = slash ? (int)(slash - file) + 1 : 0;
    snprintf(common_path, sizeof common_path, "%.*scommon.json", folder, file);
    FILE *there = fopen(common_path, "r");
    if (!there || strcmp(service, "common") == 0) {
        if (there)
            fclose(there);
        return;
    }
    fclose(there);
    documents[1] = load(common_path);
    collect_definitions(documents[1], true);
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
    collect_definitions(documents[0], false);
    load_common();
    understand_definitions();
    write_file(argv[2 + lax], ".h", write_header);
    write_file(argv[2 + lax], ".c", write_source);
    return 0;
}
