/* The scheduler: picks by chance who goes on, moves time when nobody can, crashes and pauses. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/coro.h"
#include "tests/sim/world.h"

struct world world;
struct counters counters;
void world_memory_reset(void);

static struct coro stacks[PROCS_MAX], main_stack;

struct timer {
    int64_t at;
    uint64_t serial; /* those of one moment go off in the order they were set */
    void (*fn)(void *, uint64_t, uint64_t);
    void *context;
    uint64_t a, b;
};
static struct timer *heap;
static size_t heap_count, heap_room;

/* ---- chance and trace ----------------------------------------------------------------------- */

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t chance_u64(void)
{
    return mix(world.chance += 0x9e3779b97f4a7c15u);
}

uint64_t chance_under(uint64_t bound)
{
    return (uint64_t)((unsigned __int128)chance_u64() * bound >> 64);
}

bool chance_one_in(uint64_t n)
{
    return chance_under(n) == 0;
}

bool fault(int per_million)
{
    return world.faults && per_million > 0 && chance_under(1000000) < (uint64_t)per_million;
}

void trace(uint64_t a, uint64_t b)
{
    world.hash = mix(world.hash ^ a) + b * 0x9e3779b97f4a7c15u;
}

void violate(const char *format, ...)
{
    if (world.violation[0])
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(world.violation, sizeof world.violation, format, args);
    va_end(args);
    note("VIOLATION %s", world.violation);
}

void note(const char *format, ...)
{
    if (!world.verbose)
        return;
    va_list args;
    printf("%10.3f %-16s ", (double)world.now / SECOND, world.current ? world.current->name : "-");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* ---- timers --------------------------------------------------------------------------------- */

static bool before(const struct timer *x, const struct timer *y)
{
    return x->at != y->at ? x->at < y->at : x->serial < y->serial;
}

/* Memory of the scheduler is nobody's. */
static struct timer *grown(struct timer *timers, size_t room)
{
    struct proc *current = world.current;
    world.current = NULL;
    timers = realloc(timers, room * sizeof *timers);
    world.current = current;
    return timers;
}

void world_after(int64_t us, void (*fn)(void *, uint64_t, uint64_t), void *context, uint64_t a,
                 uint64_t b)
{
    struct timer t = {world.now + us, world.timer_serial++, fn, context, a, b};
    if (heap_count == heap_room) {
        heap_room = heap_room ? 2 * heap_room : 1024;
        heap = grown(heap, heap_room);
    }
    size_t i = heap_count++;
    for (; i > 0 && before(&t, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = t;
}

static struct timer timer_pop(void)
{
    struct timer top = heap[0], t = heap[--heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < heap_count; i = child) {
        child += child + 1 < heap_count && before(&heap[child + 1], &heap[child]);
        if (!before(&heap[child], &t))
            break;
        heap[i] = heap[child];
    }
    heap[i] = t;
    return top;
}

/* ---- who is ready --------------------------------------------------------------------------- */

static void make_ready(struct proc *p)
{
    p->state = PROC_READY;
    p->ready_at = world.ready_count;
    world.ready[world.ready_count++] = p->index;
}

static void unready(struct proc *p, enum proc_state to)
{
    int last = world.ready[--world.ready_count];
    world.ready[p->ready_at] = last;
    world.procs[last].ready_at = p->ready_at;
    p->state = to;
}

static void switch_to(struct proc *next, bool dies)
{
    struct proc *me = world.current;
    world.current = next;
    coro_switch(me ? &stacks[me->index] : &main_stack, next ? &stacks[next->index] : &main_stack,
                dies);
}

static void reschedule(void)
{
    if (world.ready_count == 0 || world.violation[0]) {
        switch_to(NULL, false);
        return;
    }
    struct proc *next = &world.procs[world.ready[chance_under((uint64_t)world.ready_count)]];
    if (next != world.current)
        switch_to(next, false);
}

static void on_time(void *context, uint64_t serial, uint64_t unused)
{
    struct proc *p = context;
    (void)unused;
    if (p->state == PROC_WAITING && p->wait_serial == (uint32_t)serial && !p->paused)
        make_ready(p);
}

bool world_wait(int64_t us)
{
    struct proc *p = world.current;
    assert(p);
    p->wait_serial++;
    p->woken = false;
    unready(p, PROC_WAITING);
    world_after(us > 0 ? us : 1, on_time, p, p->wait_serial, 0);
    reschedule();
    return p->woken;
}

void world_sleep(int64_t us)
{
    for (int64_t until = world.now + us; world.current && world.now < until;)
        world_wait(until - world.now);
}

void world_wake(struct proc *p)
{
    if (p->state == PROC_WAITING && !p->paused && !p->woken) {
        p->woken = true;
        make_ready(p);
    }
}

/* ---- lives ---------------------------------------------------------------------------------- */

static void on_restart(void *context, uint64_t incarnation, uint64_t unused)
{
    struct proc *p = context;
    (void)unused;
    if (p->incarnation == (uint32_t)incarnation)
        proc_start(p);
}

static void live(void)
{
    struct proc *p = world.current;
    coro_entered();
    p->run(p);
    if (!p->outside && heap_blocks(p) > 0)
        violate("%s ended with %zu blocks of memory in use", p->name, heap_blocks(p));
    p->incarnation++;
    broker_gone(p);
    database_gone(p);
    unready(p, p->outside ? PROC_DONE : PROC_DEAD);
    if (!p->outside) {
        SOMETIMES(restarts);
        world_after(100 * MS + (int64_t)chance_under(400 * MS), on_restart, p, p->incarnation, 0);
    }
    switch_to(NULL, true);
    abort();
}

void proc_start(struct proc *p)
{
    world_stir(world.now);
    p->paused = false;
    p->born_us = world.now;
    p->skew_us = world.swarm.skew_ms
                     ? ((int64_t)chance_under(2 * (uint64_t)world.swarm.skew_ms * MS) -
                        world.swarm.skew_ms * MS)
                     : 0;
    atomic_store(&p->stop, false);
    coro_init(&stacks[p->index], live);
    make_ready(p);
}

struct proc *proc_add(const char *name, void (*run)(struct proc *), const void *what, bool outside)
{
    assert(world.procs_count < PROCS_MAX);
    struct proc *p = &world.procs[world.procs_count];
    *p = (struct proc){.index = world.procs_count, .run = run, .what = what, .outside = outside};
    snprintf(p->name, sizeof p->name, "%s", name);
    world.procs_count++;
    proc_start(p);
    return p;
}

static void die(struct proc *p)
{
    p->incarnation++;
    trace(0xdead, (uint64_t)p->index);
    broker_gone(p);
    database_gone(p);
    heap_drop(p);
    if (p->state == PROC_READY)
        unready(p, PROC_DEAD);
    p->state = PROC_DEAD;
}

void proc_kill(struct proc *p)
{
    note("%s is killed", p->name);
    die(p);
}

static void crash(struct proc *p)
{
    SOMETIMES(crashes);
    note("crashes");
    die(p);
    int64_t away = chance_one_in(4) ? 12 * SECOND : 400 * MS;
    world_after(20 * MS + (int64_t)chance_under((uint64_t)away), on_restart, p, p->incarnation, 0);
    switch_to(NULL, true);
    abort();
}

static void on_resume(void *context, uint64_t serial, uint64_t unused)
{
    struct proc *p = context;
    (void)unused;
    if (!p->paused || p->wait_serial != (uint32_t)serial)
        return;
    world_stir(world.now);
    p->paused = false;
    make_ready(p);
}

/* Stands still until somebody resumes it. */
void proc_pause(struct proc *p)
{
    trace(0xbed, (uint64_t)p->index);
    p->paused = true;
    p->wait_serial++;
    broker_paused(p);
    if (p->state == PROC_READY)
        unready(p, PROC_WAITING);
}

void proc_resume(struct proc *p)
{
    if (p->paused)
        on_resume(p, p->wait_serial, 0);
}

void world_stir(int64_t until)
{
    if (world.stirs_until < until)
        world.stirs_until = until;
}

static bool is_unsettled(const struct proc *p)
{
    return p->state == PROC_DEAD || p->paused || (!p->outside && atomic_load(&p->stop));
}

bool world_is_at_rest(int64_t us)
{
    for (int i = 0; i < world.procs_count; i++)
        if (is_unsettled(&world.procs[i]))
            return false;
    return world.now - world.stirs_until > us;
}

static struct pause {
    struct pause *before;
    int64_t from, to;
} * pauses;

bool world_paused_between(int64_t from, int64_t to)
{
    for (const struct pause *p = pauses; p; p = p->before)
        if (p->from <= to && p->to >= from)
            return true;
    return false;
}

static void pause_current(struct proc *p)
{
    static const int64_t lengths[] = {50 * MS, 500 * MS, 4 * SECOND, 10 * SECOND, 25 * SECOND};
    int64_t length = 1 + (int64_t)chance_under((uint64_t)lengths[chance_under(COUNT(lengths))]);
    struct pause *pause = world_alloc(sizeof *pause);
    *pause = (struct pause){pauses, world.now, world.now + length};
    pauses = pause;
    SOMETIMES(pauses);
    note("is paused for %.3f s", (double)length / SECOND);
    proc_pause(p);
    world_after(length, on_resume, p, p->wait_serial, 0);
    reschedule();
    if (length > 6 * SECOND)
        SOMETIMES(zombie_woke);
}

void world_point(void)
{
    struct proc *p = world.current;
    if (!p)
        return;
    world.steps++;
    if (world.steps_at != world.now) {
        world.steps_at = world.now;
        world.steps_here = 0;
    }
    if (world.steps > STEPS_MAX || ++world.steps_here > STEPS_MAX / 20)
        violate("%s goes round in circles", p->name);
    if (world.violation[0])
        switch_to(NULL, false);
    if (!p->outside && fault(world.swarm.crash))
        crash(p);
    if (!p->outside && fault(world.swarm.pause))
        pause_current(p);
    if (!p->outside && !atomic_load(&p->stop) && fault(world.swarm.stop)) {
        SOMETIMES(stops);
        note("is told to stop");
        atomic_store(&p->stop, true);
    }
    if (chance_under(4) == 0)
        reschedule();
}

/* ---- one seed ------------------------------------------------------------------------------- */

void world_begin(uint64_t seed)
{
    bool verbose = world.verbose;
    world_memory_reset();
    heap_count = 0;
    pauses = NULL;
    world.procs_count = world.ready_count = 0;
    world.current = NULL;
    world.seed = seed;
    world.chance = mix(seed * 2 + 1);
    world.hash = mix(seed);
    world.timer_serial = 0;
    world.now = world.stirs_until = 0;
    world.steps = world.steps_here = 0;
    world.steps_at = 0;
    world.faults = false;
    world.verbose = verbose;
    world.violation[0] = 0;
}

void world_run(int64_t until, bool (*done)(void))
{
    while (!world.violation[0] && world.now <= until) {
        if (done && world.ready_count == 0 && done())
            return;
        if (world.ready_count > 0) {
            struct proc *next =
                &world.procs[world.ready[chance_under((uint64_t)world.ready_count)]];
            trace((uint64_t)next->index, (uint64_t)world.now);
            switch_to(next, false);
            continue;
        }
        if (heap_count == 0)
            return;
        struct timer t = timer_pop();
        if (t.at > until) {
            world.now = until;
            world_after(t.at - until, t.fn, t.context, t.a, t.b);
            return;
        }
        world.now = t.at;
        t.fn(t.context, t.a, t.b);
    }
}

void world_end(void)
{
    for (int i = 0; i < world.procs_count; i++) {
        world.procs[i].incarnation++;
        heap_drop(&world.procs[i]);
    }
    world.procs_count = world.ready_count = 0;
}
