/* Lines that tell of a halt; all others are not kept. */
#include "tests/support/halts.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/report.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct halt said[HALTS_MAX], source;
static size_t said_count;

void halts_begin(void)
{
    said_count = 0;
    source = (struct halt){.partition = -1, .offset = -1};
}

size_t halts_said(void)
{
    pthread_mutex_lock(&lock);
    size_t count = said_count;
    pthread_mutex_unlock(&lock);
    return count;
}

const struct halt *halt_said(size_t n)
{
    assert(n < halts_said());
    return &said[n];
}

const struct halt *halt_source(void)
{
    return &source;
}

static void note(struct halt *halt, const char *name, const char *value)
{
    if (strcmp(name, "topic") == 0)
        snprintf(halt->topic, sizeof halt->topic, "%s", value);
    else if (strcmp(name, "why") == 0)
        snprintf(halt->why, sizeof halt->why, "%s", value);
    else if (strcmp(name, "partition") == 0)
        halt->partition = atoi(value);
    else if (strcmp(name, "offset") == 0 || strcmp(name, "position") == 0)
        halt->offset = atoll(value);
}

void __wrap_report_line(enum report_level level, const char *fact, ...);

void __wrap_report_line(enum report_level level, const char *fact, ...)
{
    struct halt halt = {.partition = -1, .offset = -1};
    bool names = strcmp(fact, "source_halts") == 0;
    (void)level;
    if (!names && strcmp(fact, "partition_halted") != 0 && strcmp(fact, "effect_halted") != 0)
        return;
    va_list pairs;
    va_start(pairs, fact);
    for (const char *name; (name = va_arg(pairs, const char *)) != NULL;)
        note(&halt, name, va_arg(pairs, const char *));
    va_end(pairs);
    pthread_mutex_lock(&lock);
    assert(said_count < HALTS_MAX);
    if (names)
        source = halt;
    else
        said[said_count++] = halt;
    pthread_mutex_unlock(&lock);
}
