/* Virtual time, with the clock of each process a little wrong; chance of the seed; and log lines
 * only when somebody wants to read them. Behind runtime/clock.h and runtime/report.h. */
#include "runtime/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/report.h"
#include "tests/sim/check.h"
#include "tests/sim/world.h"

static const int64_t epoch_us = 1700000000000000;

int64_t clock_now_us(void)
{
    return epoch_us + world.now + (world.current ? world.current->skew_us : 0);
}

int64_t clock_monotonic_ms(void)
{
    return 1000 + world.now / MS;
}

int64_t clock_monotonic_us(void)
{
    return SECOND + world.now;
}

void clock_sleep_ms(int ms)
{
    world_point();
    world_sleep((int64_t)ms * MS);
}

uint64_t random_u64(void)
{
    return chance_u64();
}

struct uuid random_uuid(void)
{
    struct uuid id;
    uint64_t halves[2] = {chance_u64(), chance_u64()};
    memcpy(id.bytes, halves, sizeof id.bytes);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

/* ---- reports -------------------------------------------------------------------------------- */

enum { WORDS = 8, WORD_LEN = 200 };

static char *word(void)
{
    static char words[WORDS][WORD_LEN];
    static unsigned next;
    return words[next++ % WORDS];
}

const char *report_number(int64_t value)
{
    char *w = word();
    snprintf(w, WORD_LEN, "%" PRId64, value);
    return w;
}

const char *report_text(struct text value)
{
    char *w = word();
    snprintf(w, WORD_LEN, "%.*s", (int)value.len, value.at ? value.at : "");
    return w;
}

const char *report_err(struct err e)
{
    char *w = word();
    snprintf(w, WORD_LEN, "%s: %s", err_text(e), e.what ? e.what : "");
    return w;
}

static void note_deposition(void)
{
    SOMETIMES(deposed);
    if (world.swarm.calm)
        violate("LIVENESS an owner was deposed though nobody came and nothing failed");
}

static void count(const char *fact)
{
    if (strcmp(fact, "took_over") == 0)
        SOMETIMES(takeovers);
    else if (strcmp(fact, "deposed") == 0)
        note_deposition();
    else if (strcmp(fact, "effect_unknown") == 0)
        SOMETIMES(payment_unknown);
}

/* Nothing here may make a partition or a read model stop for good, unless commands were lost. */
static void check_halt(const char *fact, const char *details)
{
    if (world.swarm.lossy && strcmp(fact, "partition_halted") == 0) {
        SOMETIMES(halted);
        return;
    }
    if (strcmp(fact, "partition_halted") == 0 || strcmp(fact, "effect_halted") == 0 ||
        strcmp(fact, "projection_halted") == 0 || strcmp(fact, "event_breaks_its_schema") == 0) {
        violate("%s %s:%s", fact, world.current ? world.current->name : "-", details);
    }
}

/* Who took over or halted which partition. */
static void note_owner(const char *fact, va_list args)
{
    const char *topic = "", *partition = "0", *epoch = "0";
    for (const char *name; (name = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        if (strcmp(name, "topic") == 0)
            topic = value;
        else if (strcmp(name, "partition") == 0)
            partition = value;
        else if (strcmp(name, "epoch") == 0)
            epoch = value;
    }
    if (strcmp(fact, "took_over") == 0)
        check_took_office(topic, atoi(partition), atoll(epoch));
    else
        check_told_of_halt(topic, atoi(partition));
}

enum report_level report_least = REPORT_INFO;

void report_trace(struct text traceparent)
{
    (void)traceparent;
}

void report_line(enum report_level level, const char *fact, ...)
{
    char line[600] = "";
    size_t used = 0;
    va_list args;
    count(fact);
    if (strcmp(fact, "took_over") == 0 || strcmp(fact, "partition_halted") == 0) {
        va_start(args, fact);
        note_owner(fact, args);
        va_end(args);
    }
    if (level == REPORT_INFO && !world.verbose)
        return;
    va_start(args, fact);
    for (const char *name; (name = va_arg(args, const char *)) != NULL && used < sizeof line;) {
        const char *value = va_arg(args, const char *);
        used +=
            (size_t)snprintf(line + used, sizeof line - used, " %s=%s", name, value ? value : "");
    }
    va_end(args);
    note("%s%s", fact, line);
    if (level == REPORT_ERROR)
        check_halt(fact, line);
}
