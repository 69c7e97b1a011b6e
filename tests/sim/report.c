/* Log lines, only when somebody wants to read them; the checker hears of those that matter. Behind
 * runtime/report.h. */
#include "runtime/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/check.h"
#include "tests/sim/world.h"

static void note_deposition(const char *topic, int partition, int64_t again_in_ms, const char *why)
{
    SOMETIMES(deposed);
    world_stir(world.now + again_in_ms * MS);
    if (strstr(why, "another owner announced itself"))
        check_was_deposed(topic, partition);
    if (world.swarm.calm)
        violate("LIVENESS an owner was deposed though nobody came and nothing failed");
}

static void count(const char *fact)
{
    if (strcmp(fact, "took_over") == 0)
        SOMETIMES(takeovers);
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

/* Who took over, was deposed from or halted which partition. */
static void note_owner(const char *fact, va_list args)
{
    const char *topic = "", *partition = "0", *epoch = "0", *again_in_ms = "0", *why = "";
    for (const char *name; (name = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        if (strcmp(name, "topic") == 0)
            topic = value;
        else if (strcmp(name, "partition") == 0)
            partition = value;
        else if (strcmp(name, "epoch") == 0)
            epoch = value;
        else if (strcmp(name, "again_in_ms") == 0)
            again_in_ms = value;
        else if (strcmp(name, "why") == 0)
            why = value;
    }
    if (strcmp(fact, "took_over") == 0)
        check_took_office(topic, atoi(partition), atoll(epoch));
    else if (strcmp(fact, "deposed") == 0)
        note_deposition(topic, atoi(partition), atoll(again_in_ms), why);
    else
        check_told_of_halt(topic, atoi(partition));
}

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
    if (strcmp(fact, "took_over") == 0 || strcmp(fact, "deposed") == 0 ||
        strcmp(fact, "partition_halted") == 0) {
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
