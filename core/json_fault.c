/* Faults: their JSON pointers and texts. */
#include "core/json_fault.h"

#include <stdarg.h>
#include <stdio.h>

static size_t add_byte(char *to, size_t used, size_t size, char c)
{
    if (used + 1 < size)
        to[used++] = c;
    return used;
}

static size_t add_name(char *to, size_t used, size_t size, const struct json_place *place)
{
    for (size_t i = 0; i < place->name_len; i++) {
        char c = place->name[i];
        if (c == '~' || c == '/')
            used = add_byte(to, used, size, '~');
        used = add_byte(to, used, size, (char)(c == '~' ? '0' : c == '/' ? '1' : c));
    }
    return used;
}

/* Cuts a long pointer short, but never inside a character. */
static size_t add_place(char *to, size_t size, const struct json_place *place)
{
    if (!place)
        return 0;
    size_t used = add_byte(to, add_place(to, size, place->up), size, '/');
    if (place->name)
        return add_name(to, used, size, place);
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", place->index);
    for (const char *c = digits; *c; c++)
        used = add_byte(to, used, size, *c);
    return used;
}

static void write_pointer(char *to, size_t size, const struct json_place *place)
{
    size_t used = add_place(to, size, place), at = 0;
    unsigned n;
    while (at < used && (n = json_utf8_length(to + at, to + used)))
        at += n;
    to[at] = 0;
}

bool json_fault_add(struct json_report *report, const struct json_place *place, size_t offset,
                    const char *keyword, const char *format, ...)
{
    if (report->count == JSON_FAULTS_MAX)
        return false;
    struct json_fault *fault = &report->faults[report->count++];
    fault->keyword = keyword;
    fault->offset = offset;
    write_pointer(fault->pointer, sizeof fault->pointer, place);
    va_list args;
    va_start(args, format);
    vsnprintf(fault->detail, sizeof fault->detail, format, args);
    va_end(args);
    return report->count < JSON_FAULTS_MAX;
}

bool json_fault_verdict(struct json_report *report, const struct json_place *place, size_t offset,
                        struct json_verdict verdict)
{
    char detail[JSON_DETAIL_MAX];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
    snprintf(detail, sizeof detail, verdict.text, (long long)verdict.limit);
#pragma GCC diagnostic pop
    return json_fault_add(report, place, offset, verdict.keyword, "%s", detail);
}

bool json_unknown_message(struct json_report *report)
{
    report->count = 0;
    json_fault_add(report, NULL, 0, "enum", "is not a known message type");
    return false;
}
