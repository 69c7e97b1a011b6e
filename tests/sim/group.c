/* Consumer groups: seats by instance name (KIP-345), eager rebalances, sessions that run out; and
 * owners that do not learn of it in time. */
#include <assert.h>
#include <stdio.h>

#include "runtime/kafka_offsets.h"
#include "tests/sim/broker.h"

enum { SEATS_MAX = 8, REBALANCE_MS = 6000, OWNED_MAX = SIM_TOPICS_MAX * SIM_PARTITIONS_MAX };

struct seat {
    char instance[PROC_NAME_MAX];
    struct log_group *holder;
    bool joined; /* the rebalance under way */
};

struct group {
    char name[TOPIC_LEN_MAX];
    int topics_count, seats_count;
    struct log_topic *topics[SIM_TOPICS_MAX];
    struct seat seats[SEATS_MAX];
    int generation;
    bool preparing;
    uint64_t attempt;
    struct position committed[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
};

struct log_group { /* a member's side */
    struct group *group;
    struct log *log;
    struct log_reader *waker;
    bool closed, changed, must_join, out;
    int generation;
    int64_t blind_until, back_at;
    size_t owned_count;
    struct log_partition owned[OWNED_MAX];
};

static struct group groups[SIM_GROUPS_MAX];
static int groups_count;

void groups_begin(void)
{
    groups_count = 0;
}

static struct group *group_named(const char *name)
{
    for (int i = 0; i < groups_count; i++)
        if (strcmp(groups[i].name, name) == 0)
            return &groups[i];
    assert(groups_count < SIM_GROUPS_MAX);
    struct group *g = &groups[groups_count++];
    *g = (struct group){0};
    snprintf(g->name, sizeof g->name, "%s", name);
    for (int t = 0; t < SIM_TOPICS_MAX; t++)
        for (int p = 0; p < SIM_PARTITIONS_MAX; p++)
            g->committed[t][p] = (struct position){-1, PRINT_UNKNOWN};
    return g;
}

void group_set_start(const char *name, const struct log_topic *topic)
{
    struct group *g = group_named(name);
    for (int p = 0; p < topic->partitions; p++)
        g->committed[topic->index][p] = (struct position){0};
}

static bool holds(const struct seat *seat)
{
    return seat->holder && !seat->holder->closed && log_alive(seat->holder->log);
}

static struct seat *seat_of(struct group *g, const struct log_group *member)
{
    for (int i = 0; i < g->seats_count; i++)
        if (g->seats[i].holder == member)
            return &g->seats[i];
    return NULL;
}

/* ---- rebalancing ---------------------------------------------------------------------------- */

/* Range by topic: partition p of every topic goes to the same member as far as counts allow. */
static void assign(struct group *g, struct seat *seat)
{
    struct log_group *member = seat->holder;
    int mine = (int)(seat - g->seats);
    member->owned_count = 0;
    for (int t = 0; t < g->topics_count; t++)
        for (int p = 0; p < g->topics[t]->partitions; p++)
            if ((p + g->generation) % g->seats_count == mine)
                member->owned[member->owned_count++] = (struct log_partition){g->topics[t], p};
    member->generation = g->generation;
    member->changed = true;
    world_stir(world.now);
    member->must_join = false;
    member->out = false;
    reader_poke(member->waker);
}

static void on_assigned(void *context, uint64_t generation, uint64_t unused)
{
    struct log_group *member = context;
    (void)unused;
    struct seat *seat = member->closed ? NULL : seat_of(member->group, member);
    if (seat && !member->group->preparing && (uint64_t)member->group->generation == generation)
        assign(member->group, seat);
}

static void finish(struct group *g)
{
    int kept = 0;
    for (int i = 0; i < g->seats_count; i++) {
        if (g->seats[i].joined) {
            g->seats[kept++] = g->seats[i];
        } else {
            SOMETIMES(seats_lost);
            counters.overlapping_owners += holds(&g->seats[i]);
            g->seats[i].holder->out = true;
        }
    }
    g->seats_count = kept;
    g->generation++;
    g->preparing = false;
    SOMETIMES(rebalances);
    for (int i = 0; i < kept; i++)
        world_after((int64_t)chance_under(50 * MS), on_assigned, g->seats[i].holder,
                    (uint64_t)g->generation, 0);
}

static void on_deadline(void *context, uint64_t attempt, uint64_t unused)
{
    struct group *g = context;
    (void)unused;
    if (g->preparing && g->attempt == attempt)
        finish(g);
}

static void try_finish(struct group *g)
{
    for (int i = 0; i < g->seats_count; i++)
        if (!g->seats[i].joined)
            return;
    if (g->preparing)
        finish(g);
}

static void start_rebalance(struct group *g)
{
    world_stir(world.now + REBALANCE_MS * MS);
    for (int i = 0; i < g->seats_count; i++) {
        g->seats[i].joined = false;
        g->seats[i].holder->must_join = true;
        reader_poke(g->seats[i].holder->waker);
    }
    if (!g->preparing) {
        g->preparing = true;
        world_after(REBALANCE_MS * MS, on_deadline, g, ++g->attempt, 0);
    }
}

static void take_seat_away(struct group *g, struct log_group *member)
{
    struct seat *seat = seat_of(g, member);
    if (!seat)
        return;
    *seat = g->seats[--g->seats_count];
    member->out = true;
    SOMETIMES(seats_lost);
    if (fault(400000)) {
        SOMETIMES(blind_owners);
        member->blind_until = world.now + (int64_t)chance_under(10 * SECOND);
        world_stir(member->blind_until);
    }
    start_rebalance(g);
    try_finish(g);
}

static void on_session_end(void *context, uint64_t incarnation, uint64_t unused)
{
    struct log_group *member = context;
    (void)unused;
    if (incarnation != member->log->incarnation || !seat_of(member->group, member))
        return;
    bool silent = member->log->proc->paused || member->log->proc->held & WIRE_HEARTBEAT;
    if (log_alive(member->log) && !member->closed && !silent)
        return;
    counters.overlapping_owners += log_alive(member->log);
    take_seat_away(member->group, member);
}

/* Whoever falls silent loses its seat when the session is over. */
static void watch_silence(struct proc *proc)
{
    for (int k = 0; k < groups_count; k++)
        for (int i = 0; i < groups[k].seats_count; i++) {
            struct log_group *member = groups[k].seats[i].holder;
            if (member->log->proc == proc)
                world_after(SESSION_TIMEOUT_MS * MS, on_session_end, member,
                            member->log->incarnation, 0);
        }
}

void groups_gone(struct proc *proc)
{
    watch_silence(proc);
}

void groups_paused(struct proc *proc)
{
    watch_silence(proc);
}

void groups_silent(struct proc *proc)
{
    watch_silence(proc);
}

void groups_kick(void)
{
    if (groups_count == 0)
        return;
    struct group *g = &groups[chance_under((uint64_t)groups_count)];
    if (g->seats_count == 0)
        return;
    if (chance_one_in(3)) {
        SOMETIMES(coordinator_moves);
        start_rebalance(g);
        return;
    }
    take_seat_away(g, g->seats[chance_under((uint64_t)g->seats_count)].holder);
}

/* ---- the contract --------------------------------------------------------------------------- */

static void sit_down(struct group *g, struct log_group *member)
{
    for (int i = 0; i < g->seats_count; i++) {
        struct seat *seat = &g->seats[i];
        if (strcmp(seat->instance, member->log->instance) != 0)
            continue;
        SOMETIMES(seats_kept);
        if (holds(seat) && seat->holder != member) {
            SOMETIMES(seats_fenced);
            seat->holder->out = true;
            seat->holder->back_at = world.now + 500 * MS + (int64_t)chance_under(8 * SECOND);
            world_stir(seat->holder->back_at);
            reader_poke(seat->holder->waker);
        }
        seat->holder = member;
        member->out = false;
        member->must_join = g->preparing;
        if (!g->preparing)
            world_after(10 * MS + (int64_t)chance_under(100 * MS), on_assigned, member,
                        (uint64_t)g->generation, 0);
        return;
    }
    assert(g->seats_count < SEATS_MAX);
    struct seat *seat = &g->seats[g->seats_count++];
    *seat = (struct seat){.holder = member};
    snprintf(seat->instance, sizeof seat->instance, "%s", member->log->instance);
    member->out = false;
    start_rebalance(g);
    if (member->log->proc->held & WIRE_HEARTBEAT)
        watch_silence(member->log->proc);
}

struct err group_open(struct log *log, const char *name, struct log_topic *const *topics,
                      size_t count, struct log_reader *waker, struct log_group **ret_group)
{
    world_point();
    struct group *g = group_named(name);
    struct log_group *member = world_alloc(sizeof *member);
    member->group = g;
    member->log = log;
    member->waker = waker;
    member->generation = -1;
    g->topics_count = (int)count;
    for (size_t i = 0; i < count; i++)
        g->topics[i] = topics[i];
    sit_down(g, member);
    *ret_group = member;
    return OK;
}

void group_close(struct log_group *member)
{
    if (!member)
        return;
    member->closed = true;
    watch_silence(member->log->proc);
}

/* Learns what has become of the seat. */
static void hear(struct log_group *member)
{
    struct group *g = member->group;
    if (member->out && world.now < member->blind_until)
        return;
    if (member->out) {
        member->changed |= member->owned_count > 0;
        member->owned_count = 0;
        if (world.now >= member->back_at)
            sit_down(g, member);
        return;
    }
    struct seat *seat = seat_of(g, member);
    if (!seat || !member->must_join || !g->preparing)
        return;
    member->changed |= member->owned_count > 0;
    member->owned_count = 0;
    member->must_join = false;
    seat->joined = true;
    try_finish(g);
}

enum group_event group_poll(struct log_group *member, const struct log_partition **ret_owned,
                            size_t *ret_count)
{
    hear(member);
    if (!member->changed)
        return GROUP_NOTHING;
    world_point();
    member->changed = false;
    *ret_owned = member->owned;
    *ret_count = member->owned_count;
    return member->owned_count ? GROUP_ASSIGNED : GROUP_REVOKED;
}

struct err group_committed(struct log_group *member, struct log_partition which,
                           struct position *ret_position)
{
    world_point();
    if (fault(world.swarm.broker_error)) {
        SOMETIMES(broker_unavailable);
        world_sleep((int64_t)chance_under(2 * SECOND));
        return FAIL(ERR_TIMEOUT, "committed offset");
    }
    *ret_position = member->group->committed[which.topic->index][which.partition];
    return OK;
}

struct commit {
    struct log_group *member;
    struct log_partition which;
    struct position position;
    int generation;
};

static void on_commit(void *context, uint64_t unused, uint64_t unused2)
{
    const struct commit *c = context;
    struct group *g = c->member->group;
    (void)unused;
    (void)unused2;
    struct seat *seat = seat_of(g, c->member);
    if (!seat || c->generation != g->generation) {
        SOMETIMES(commits_lost);
        return;
    }
    g->committed[c->which.topic->index][c->which.partition] = c->position;
}

struct err group_commit(struct log_group *member, struct log_partition which,
                        struct position position)
{
    world_point();
    if (member->out)
        return FAIL(ERR_UNAVAILABLE, "group has no seat");
    if (member->log->proc->held & WIRE_COMMIT || fault(world.swarm.commit_lost)) {
        SOMETIMES(commits_lost);
        return OK;
    }
    struct commit *c = world_alloc(sizeof *c);
    *c = (struct commit){member, which, position, member->generation};
    world_after((int64_t)chance_under(5 * MS), on_commit, c, 0, 0);
    return OK;
}

struct err offsets_read(struct log *log, const char *group, const struct log_topic *topic,
                        int64_t *ret_offsets)
{
    (void)log;
    struct group *g = group_named(group);
    for (int p = 0; p < topic->partitions; p++)
        ret_offsets[p] = g->committed[topic->index][p].offset;
    return OK;
}

struct err offsets_write(struct log *log, const char *group, const struct log_topic *topic,
                         const int64_t *offsets)
{
    (void)log;
    struct group *g = group_named(group);
    for (int p = 0; p < topic->partitions; p++)
        g->committed[topic->index][p] = (struct position){offsets[p], PRINT_UNKNOWN};
    return OK;
}
