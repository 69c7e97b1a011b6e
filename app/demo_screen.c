/* Ink and columns. */
#include "app/demo_screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORD_MAX = 64 };

static bool silent, coloured, live;

static const char *const inks[] = {
    [INK_PLAIN] = "",        [INK_BOLD] = "\033[1m",  [INK_DIM] = "\033[2m",
    [INK_GOOD] = "\033[32m", [INK_WARN] = "\033[33m", [INK_BAD] = "\033[31m",
    [INK_BLUE] = "\033[34m", [INK_CYAN] = "\033[36m", [INK_PINK] = "\033[35m",
};

void demo_screen_open(bool quiet)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    silent = quiet;
    live = !quiet && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
    coloured = live && !(no_color && *no_color);
    setvbuf(stdout, NULL, _IOLBF, 0);
}

bool demo_screen_is_live(void)
{
    return live;
}

void demo_print(enum demo_ink ink, const char *format, ...)
{
    va_list arguments;
    if (silent)
        return;
    if (coloured)
        fputs(inks[ink], stdout);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    if (coloured && ink != INK_PLAIN)
        fputs("\033[0m", stdout);
}

void demo_heading(const char *text)
{
    demo_print(INK_BOLD, "\n%s\n", text);
}

void demo_amount(char *out, size_t size, int64_t minor)
{
    snprintf(out, size, "%lld.%02lld", (long long)(minor / 100), (long long)(minor % 100));
}

static enum demo_ink service_ink(const char *service)
{
    return strcmp(service, "order") == 0       ? INK_CYAN
           : strcmp(service, "payment") == 0   ? INK_PINK
           : strcmp(service, "inventory") == 0 ? INK_BLUE
                                               : INK_DIM;
}

static enum demo_ink event_ink(const char *service, const char *event)
{
    static const char *const good[] = {"confirmed", "completed"};
    static const char *const warn[] = {
        "declined",       "rejected",       "line_rejected",       "cancelled",
        "capture_failed", "release_failed", "compensation_failed", "unknown",
        "timer_fired"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (strcmp(event, good[i]) == 0)
            return INK_GOOD;
    for (size_t i = 0; i < sizeof warn / sizeof *warn; i++)
        if (strcmp(event, warn[i]) == 0)
            return INK_WARN;
    return strcmp(service, "fulfilment") == 0 ? INK_DIM : INK_PLAIN;
}

/* order.cancellation_requested.v1 -> "order", "cancellation requested" */
static void split(const char *type, char service[WORD_MAX], char event[WORD_MAX])
{
    const char *dot = strchr(type, '.'), *end = strrchr(type, '.');
    if (!dot || end <= dot)
        end = type + strlen(type);
    if (!dot)
        dot = type;
    snprintf(service, WORD_MAX, "%.*s", (int)(dot - type), type);
    snprintf(event, WORD_MAX, "%.*s", (int)(end - dot - (*dot == '.')), dot + (*dot == '.'));
}

/* "11050 EUR" -> "110.50 EUR"; everything else stays. */
static void pretty(char *out, size_t size, const char *detail)
{
    long long minor;
    int end = 0;
    char amount[32];
    if (sscanf(detail, "%lld EUR%n", &minor, &end) == 1 && end > 0 && detail[end] == '\0') {
        demo_amount(amount, sizeof amount, minor);
        snprintf(out, size, "%s EUR", amount);
    } else {
        snprintf(out, size, "%s", detail);
    }
}

void demo_event(int64_t after_us, const char *type, const char *detail)
{
    char service[WORD_MAX], event[WORD_MAX], text[256];
    split(type, service, event);
    enum demo_ink ink = event_ink(service, event);
    pretty(text, sizeof text, detail);
    for (char *c = event; *c; c++)
        *c = (char)(*c == '_' ? ' ' : *c);
    demo_print(INK_DIM, "  %9.1f ms  ", (double)after_us / 1000.0);
    demo_print(service_ink(service), "%-11s", service);
    demo_print(ink, *text ? "%-26s" : "%s", event);
    demo_print(INK_DIM, "%s\n", text);
}
