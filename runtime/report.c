/* JSON lines on stderr. */
#include "runtime/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LINE_BYTES = 2048 };
enum { TRACEPARENT_LEN = 55, TRACE_ID_AT = 3, TRACE_ID_LEN = 32 };

static const char *const names[REPORT_LEVELS] = {"debug", "info", "warn", "error"};
static _Thread_local char trace_id[TRACE_ID_LEN + 1];

bool report_level_read(const char *name, enum report_level *ret_level)
{
    for (enum report_level l = 0; l < REPORT_LEVELS; l++)
        if (strcmp(names[l], name) == 0) {
            *ret_level = l;
            return true;
        }
    return false;
}

/* Version, trace id, parent id, flags: later versions may go on behind them. */
void report_trace(struct text traceparent)
{
    bool whole = traceparent.len >= TRACEPARENT_LEN;
    memcpy(trace_id, whole ? traceparent.at + TRACE_ID_AT : "", whole ? TRACE_ID_LEN : 1);
}

/* Appends text as the inside of a JSON string; cuts what does not fit. */
static size_t put(char *line, size_t used, const char *text)
{
    for (; *text && used < LINE_BYTES - 16; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            line[used++] = '\\';
        line[used++] = (char)(c < 0x20 ? ' ' : c);
    }
    return used;
}

void report_line(enum report_level level, const char *fact, ...)
{
    char line[LINE_BYTES], when[32];
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &tm);
    size_t used = (size_t)snprintf(line, sizeof line,
                                   "{\"at\":\"%s.%03ldZ\",\"level\":\"%s\",\"fact\":\"%s\"", when,
                                   t.tv_nsec / 1000000, names[level], fact);
    if (*trace_id)
        used += (size_t)snprintf(line + used, sizeof line - used, ",\"trace_id\":\"%s\"", trace_id);
    va_list args;
    va_start(args, fact);
    for (const char *name; (name = va_arg(args, const char *)) != NULL && used < LINE_BYTES - 64;) {
        const char *value = va_arg(args, const char *);
        used += (size_t)snprintf(line + used, sizeof line - used, ",\"%s\":\"", name);
        used = put(line, used, value ? value : "");
        line[used++] = '"';
    }
    va_end(args);
    line[used++] = '}';
    line[used++] = '\n';
    fwrite(line, 1, used, stderr); /* stderr is unbuffered: one write, one line */
}
