/* Names of C things, and that no two things have the same. */
#include <ctype.h>
#include <string.h>

#include "tools/schemac/schemac.h"

/* "order.placed.v1" -> "order_placed_v1" */
void make_identifier(char *to, size_t size, const char *from, size_t len, int (*letter_case)(int))
{
    size_t used = 0;
    for (size_t i = 0; i < len && used + 1 < size; i++)
        to[used++] =
            isalnum((unsigned char)from[i]) ? (char)letter_case((unsigned char)from[i]) : '_';
    to[used] = 0;
}

void make_upper(char *to, const char *from)
{
    make_identifier(to, C_NAME_MAX, from, strlen(from), toupper);
}

bool is_c_keyword(const char *name)
{
    static const char *const words[] = {
        "auto",  "bool",     "break",  "case",     "char",   "const",    "continue", "default",
        "do",    "double",   "else",   "enum",     "extern", "false",    "float",    "for",
        "goto",  "if",       "inline", "int",      "long",   "register", "return",   "restrict",
        "short", "signed",   "sizeof", "static",   "struct", "switch",   "true",     "typedef",
        "union", "unsigned", "void",   "volatile", "while",  "asm",      "typeof"};
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcmp(words[i], name) == 0)
            return true;
    return false;
}

void join_name(char *to, const char *left, const char *right, const char *pointer)
{
    char tail[C_NAME_MAX];
    make_identifier(tail, sizeof tail, right, strlen(right), tolower);
    if (snprintf(to, C_NAME_MAX, "%s_%s", left, tail) >= C_NAME_MAX)
        refuse(pointer, "makes too long a C name");
}

/* A definition already named after the service is not prefixed again. */
void name_definition(char *to, const char *owner, const char *name, const char *pointer)
{
    size_t len = strlen(owner);
    if (strlen(name) >= C_NAME_MAX)
        refuse(pointer, "makes too long a C name");
    if (strncmp(name, owner, len) == 0 && (name[len] == '.' || name[len] == '_'))
        make_identifier(to, C_NAME_MAX, name, strlen(name), tolower);
    else
        join_name(to, owner, name, pointer);
}

void claim_name(const char *name, const char *pointer)
{
    static json_t *claimed;
    if (!claimed)
        claimed = json_object();
    const char *owner = json_string_value(json_object_get(claimed, name));
    if (owner)
        refuse(pointer, "makes the same C name as %s: %s", owner, name);
    json_object_set_new(claimed, name, json_string(pointer));
}

void claim_constant(const char *prefix, const char *name, size_t len, const char *pointer)
{
    char left[C_NAME_MAX], right[C_NAME_MAX], constant[C_NAME_MAX];
    make_upper(left, prefix);
    make_identifier(right, sizeof right, name, len, toupper);
    if (len >= C_NAME_MAX ||
        snprintf(constant, sizeof constant, "%s_%s", left, right) >= C_NAME_MAX)
        refuse(pointer, "makes too long a C name");
    claim_name(constant, pointer);
}
