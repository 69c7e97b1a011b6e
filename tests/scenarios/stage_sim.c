/* The simulated world, without chance but that of the scheduler. */
#include "tests/scenarios/stage.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/report.h"
#include "tests/sim/broker.h"

enum { PLAYERS = 8, HALTS = 8 };

struct player {
    char who;
    enum duty duty;
    struct proc *proc;
    struct stage_halt halts[HALTS];
    int halts_count;
};

static struct player players[PLAYERS];
static int players_count;
static const struct cast *cast;
static const struct scenario *scenario;

void database_gone(struct proc *proc)
{
    (void)proc;
}

void stage_begin(const struct scenario *s, const struct cast *c, const char *suffix)
{
    static const char *const suffixes[] = {"commands", "log", "deadletters"};
    char name[TOPIC_LEN_MAX];
    (void)suffix;
    scenario = s;
    cast = c;
    players_count = 0;
    for (size_t i = 0; i < c->list.count; i++)
        for (size_t k = 0; k < COUNT(suffixes); k++) {
            snprintf(name, sizeof name, "%s.%s", c->services[i].name, suffixes[k]);
            broker_topic_add(name, i == 0 && s->partitions ? s->partitions : 1);
        }
}

struct log *stage_log(const char *instance)
{
    return broker_log(world.current, instance);
}

struct log *stage_log_of(char who)
{
    return stage_log((char[]){who, 0});
}

void stage_log_close(struct log *log)
{
    (void)log;
}

/* ---- players --------------------------------------------------------------------------------- */

static struct player *player_of(char who)
{
    for (int i = 0; i < players_count; i++)
        if (players[i].who == who)
            return &players[i];
    return NULL;
}

/* Members of the audience have its network. */
static struct proc *proc_of(char who)
{
    struct player *a = player_of(who);
    return a ? a->proc : world.current;
}

static void act(struct proc *proc)
{
    const struct player *a = proc->what;
    struct err e =
        actor_run(cast, a->duty, broker_log(proc, proc->name), scenario->renew, &proc->stop);
    if (e.code != ERR_OK)
        violate("%s cannot go on: %s", proc->name, e.what);
}

void stage_start(char who, enum duty duty)
{
    struct player *a = player_of(who);
    if (a) {
        proc_start(a->proc);
        return;
    }
    assert(players_count < PLAYERS);
    a = &players[players_count++];
    *a = (struct player){.who = who, .duty = duty};
    a->proc = proc_add((char[]){who, 0}, act, a, true);
}

void stage_stop(char who)
{
    struct proc *proc = proc_of(who);
    proc_resume(proc);
    atomic_store(&proc->stop, true);
    while (proc->state != PROC_DONE)
        world_sleep(MS);
}

void stage_kill(char who)
{
    proc_kill(proc_of(who));
}

void stage_pause(char who)
{
    proc_pause(proc_of(who));
}

void stage_resume(char who)
{
    proc_resume(proc_of(who));
}

/* ---- the network and the broker ------------------------------------------------------------- */

static uint32_t wire_of(enum api api)
{
    switch (api) {
    case API_PRODUCE:
        return WIRE_PRODUCE;
    case API_FETCH:
        return WIRE_FETCH;
    case API_COMMIT:
        return WIRE_COMMIT;
    case API_HEARTBEAT:
        return WIRE_HEARTBEAT;
    }
    abort();
}

void stage_hold(char who, enum api api)
{
    struct proc *proc = proc_of(who);
    proc->held |= wire_of(api);
    if (api == API_HEARTBEAT)
        groups_silent(proc);
}

void stage_release(char who, enum api api)
{
    struct proc *proc = proc_of(who);
    proc->held &= ~wire_of(api);
    if (api == API_PRODUCE)
        producers_release(proc);
}

void stage_lose_answer(char who)
{
    proc_of(who)->spoilt |= WIRE_PRODUCE;
}

void stage_double(char who)
{
    proc_of(who)->spoilt |= WIRE_TWICE;
}

int stage_held(char who)
{
    return producers_held(proc_of(who));
}

void stage_delete(struct log_topic *topic, int partition, int64_t before)
{
    topic->parts[partition].first = before;
}

void stage_broker_down(void)
{
    broker_go();
}

void stage_cut(const char *topic, int partition, int records)
{
    char service[TOPIC_LEN_MAX];
    snprintf(service, sizeof service, "%s", topic);
    char *dot = strchr(service, '.');
    *dot = 0;
    broker_cut(broker_topic(service, dot + 1), partition, records);
}

void stage_broker_up(void)
{
    broker_come();
}

/* ---- reports -------------------------------------------------------------------------------- */

bool stage_halt(char who, int i, struct stage_halt *ret_halt)
{
    const struct player *a = player_of(who);
    if (!a || i >= a->halts_count)
        return false;
    *ret_halt = a->halts[i];
    return true;
}

static void keep_halt(va_list args)
{
    struct player *a = player_of(world.current->name[0]);
    assert(a && a->halts_count < HALTS);
    struct stage_halt *halt = &a->halts[a->halts_count++];
    for (const char *name; (name = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        if (strcmp(name, "topic") == 0)
            snprintf(halt->topic, sizeof halt->topic, "%s", value);
        else if (strcmp(name, "partition") == 0)
            halt->partition = atoi(value);
        else if (strcmp(name, "why") == 0)
            snprintf(halt->why, sizeof halt->why, "%s", value);
    }
}

void report_trace(struct text traceparent)
{
    (void)traceparent;
}

void report_line(enum report_level level, const char *fact, ...)
{
    va_list args;
    char line[400] = "";
    size_t used = 0;
    (void)level;
    va_start(args, fact);
    for (const char *name; world.verbose && (name = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        int n = snprintf(line + used, sizeof line - used, " %s=%s", name, value ? value : "");
        used = used + (size_t)n < sizeof line ? used + (size_t)n : sizeof line - 1;
    }
    va_end(args);
    note("%s%s", fact, line);
    va_start(args, fact);
    if (strcmp(fact, "partition_halted") == 0)
        keep_halt(args);
    va_end(args);
}
