/* One seeded world: its processes, its time, its chance. Everything random comes from it, and time
 * moves only when everybody waits, so a seed is the same run on every machine. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/text.h"
#include "tests/sim/counters.h"
#include "tests/sim/swarm.h"

enum {
    PROCS_MAX = 48,
    PROC_NAME_MAX = 40,
    MS = 1000, /* of virtual time, which is kept in microseconds */
    SECOND = 1000 * MS,
    STEPS_MAX = 4000000, /* of one seed: whoever needs more goes round in circles */
};

/* Bits of proc.held and proc.spoilt. */
enum wire {
    WIRE_PRODUCE = 1,
    WIRE_FETCH = 2,
    WIRE_HEARTBEAT = 4,
    WIRE_COMMIT = 8, /* of a group's positions */
    WIRE_TWICE = 16, /* a produce request */
};

enum proc_state { PROC_READY, PROC_WAITING, PROC_DEAD, PROC_DONE };

/* A process, or a client outside. */
struct proc {
    int index;
    char name[PROC_NAME_MAX];
    void (*run)(struct proc *proc); /* returns when told to stop, or when it cannot go on */
    const void *what;               /* which service, which customer: run's business */
    bool outside;                   /* a client: never crashes, never pauses */
    enum proc_state state;
    bool paused, woken;
    uint32_t incarnation; /* rises with each crash and each start */
    uint32_t wait_serial;
    int ready_at;
    int64_t skew_us; /* of its wall clock */
    int64_t born_us;
    uint32_t held;   /* by a script: its requests of these kinds do not get through (enum wire) */
    uint32_t spoilt; /* and what becomes of the next of these kinds */
    atomic_bool stop;
    struct heap_block *heap; /* what it has allocated */
};

struct world {
    uint64_t seed, chance, hash, timer_serial;
    int64_t now;         /* microseconds since the world began */
    int64_t stirs_until; /* what went wrong is felt so long */
    int procs_count, ready_count;
    struct proc procs[PROCS_MAX];
    int ready[PROCS_MAX];
    struct proc *current; /* NULL: the scheduler itself, or the checker */
    struct swarm swarm;
    bool faults; /* off: nothing goes wrong any more */
    bool verbose;
    long steps;
    int64_t steps_at; /* the time when steps_here began to count */
    long steps_here;
    char violation[400];
};

extern struct world world;
extern struct counters counters; /* of all seeds */

/* ---- one seed ---- */

void world_begin(uint64_t seed);
/* Runs until `until` (virtual) or until `done` says so, whichever is first. */
void world_run(int64_t until, bool (*done)(void));
/* Kills whoever is left and frees all. */
void world_end(void);

struct proc *proc_add(const char *name, void (*run)(struct proc *), const void *what, bool outside);
/* A script's hand: from outside, at the moment. One that is killed or has ended may start again. */
void proc_kill(struct proc *proc);
void proc_pause(struct proc *proc);
void proc_resume(struct proc *proc);
void proc_start(struct proc *proc);
/* A violation ends the seed; the first one counts. */
void violate(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One line about what happens, when --verbose. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Into the hash of the run. */
void trace(uint64_t a, uint64_t b);

/* Somebody came or went on, was given or lost a seat, or keeps away: it will be felt until then. */
void world_stir(int64_t until);
/* Nobody is dead, stands still or has been told to stop, and so long ago was the last stir. */
bool world_is_at_rest(int64_t us);

/* Did any process stand still at some moment between these? */
bool world_paused_between(int64_t from, int64_t to);

/* ---- chance ---- */

uint64_t chance_u64(void);
uint64_t chance_under(uint64_t bound); /* 0 .. bound - 1 */
bool chance_one_in(uint64_t n);        /* whether or not faults are on */
bool fault(int per_million);           /* never when faults are off */

/* ---- memory of the world: until the seed ends ---- */

void *world_alloc(size_t size); /* zeroed */
struct text world_copy(struct text text);
/* What a process has allocated; called by the scheduler. */
void heap_drop(struct proc *proc);
size_t heap_blocks(const struct proc *proc);

/* ---- what a call into the world does first ---- */

/* Here a process may crash or be paused, and others may come first. */
void world_point(void);
void world_sleep(int64_t us);
/* False: nobody woke it. */
bool world_wait(int64_t us);
void world_wake(struct proc *proc);
/* fn runs at that time, on the scheduler's stack. */
void world_after(int64_t us, void (*fn)(void *context, uint64_t a, uint64_t b), void *context,
                 uint64_t a, uint64_t b);

/* ---- told by the scheduler ---- */

void broker_gone(struct proc *proc);   /* it crashed or ended */
void broker_paused(struct proc *proc); /* it stands still from now on */
void database_gone(struct proc *proc);

#endif
