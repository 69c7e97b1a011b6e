/* Appends on their way. An idempotent producer keeps the order of one partition; what it has given
 * up may still land, long after. The broker knows a request that comes again, unless it has lost
 * what it knew of its producer. */
#include <assert.h>

#include "tests/sim/broker.h"

enum { LATE_US = 20 * SECOND, RETRY_US = 20 * MS };

struct flight {
    struct log_producer *by;
    struct log_topic *topic;
    int partition;
    struct text key, value;
    uint64_t tag;
    bool drops;    /* it never leaves */
    bool fails;    /* is reported as failed, whatever becomes of it */
    bool reported; /* once */
    bool wired;    /* it has left its process: nothing there can call it back */
    uint32_t life; /* of the producer, when it was appended */
    struct flight *next;
};

struct report_due {
    uint64_t tag;
    int64_t offset;
    struct err err;
    struct report_due *next;
};

struct log_producer {
    struct log *log;
    producer_report report;
    void *context;
    struct log_reader *waker;
    struct log_producer *next;
    bool closed, drops_when_gone;
    int under_way;
    uint32_t life; /* rises when the broker finds its sequence broken: a new client */
    uint32_t broken[SIM_TOPICS_MAX]; /* bit per partition */
    int64_t busy_until[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
    int64_t told_until[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX]; /* answers come in order, too */
    struct report_due *reports, **reports_end;
};

static struct log_producer *producers;
static int flying;
static struct flight *held, **held_end; /* by a script */

void producers_begin(void)
{
    producers = NULL;
    flying = 0;
    held = NULL;
    held_end = &held;
}

int broker_flying(void)
{
    return flying;
}

static bool gone(const struct log_producer *p)
{
    return p->closed || !log_alive(p->log);
}

void producers_gone(struct proc *proc)
{
    for (struct log_producer **at = &producers; *at;) {
        if ((*at)->log->proc == proc)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

struct proc *producer_owner(const struct log_producer *p)
{
    return p->log->proc;
}

static void report(struct flight *f, int64_t offset)
{
    struct log_producer *p = f->by;
    if (f->reported)
        return;
    f->reported = true;
    if (gone(p))
        return;
    struct report_due *due = world_alloc(sizeof *due);
    *due = (struct report_due){.tag = f->tag,
                               .offset = f->fails ? -1 : offset,
                               .err = f->fails ? FAIL(ERR_TIMEOUT, "append") : OK};
    *p->reports_end = due;
    p->reports_end = &due->next;
    reader_poke(p->waker);
}

static void on_report(void *context, uint64_t offset, uint64_t unused)
{
    (void)unused;
    report(context, (int64_t)offset);
}

static void on_land_again(void *context, uint64_t known, uint64_t unused)
{
    struct flight *f = context;
    (void)unused;
    flying--;
    if (known)
        return;
    SOMETIMES(append_twice);
    broker_land(f->topic, f->partition, f->key, f->value);
}

static void fly(struct flight *f, int64_t delay);

/* As a broker does that misses what came before: the client is of no more use, and with it all that
 * it had under way. */
static bool out_of_order(struct flight *f)
{
    struct log_producer *p = f->by;
    if (p->broken[f->topic->index] & 1u << f->partition) {
        memset(p->broken, 0, sizeof p->broken);
        p->life++;
    }
    if (f->life == p->life)
        return false;
    f->fails = true;
    report(f, -1);
    return true;
}

static bool spoil(struct log_producer *p, uint32_t kind)
{
    struct proc *proc = p->log->proc;
    bool spoilt = proc->spoilt & kind;
    proc->spoilt &= ~kind;
    return spoilt;
}

/* When its answer comes: after those before it. */
static int64_t answered_after(const struct flight *f, int64_t delay)
{
    int64_t *told = &f->by->told_until[f->topic->index][f->partition];
    if (*told < world.now + delay)
        *told = world.now + delay;
    return *told - world.now;
}

static void land(struct flight *f)
{
    struct log_producer *p = f->by;
    int64_t offset = broker_land(f->topic, f->partition, f->key, f->value);
    f->topic->parts[f->partition].by[offset] = p;
    bool known = spoil(p, WIRE_TWICE);
    if (known || fault(world.swarm.append_twice)) {
        flying++;
        world_after((int64_t)chance_under(chance_one_in(2) ? 50 * MS : LATE_US), on_land_again, f,
                    known, 0);
    }
    int64_t after = (int64_t)chance_under(2 * MS);
    if (spoil(p, WIRE_PRODUCE)) /* its answer is lost: the client asks again, on a new connection */
        after += 100 * MS;
    if (fault(world.swarm.report_late)) {
        SOMETIMES(report_late);
        after = (int64_t)chance_under(3 * SECOND);
    }
    if (!f->fails)
        world_after(answered_after(f, after), on_report, f, (uint64_t)offset, 0);
}

static void on_land(void *context, uint64_t kept, uint64_t unused)
{
    struct flight *f = context;
    struct log_producer *p = f->by;
    (void)unused;
    if (!f->wired && !gone(p) && p->log->proc->paused && (kept || chance_one_in(2))) {
        world_after(50 * MS, on_land, f, 1, 0);
        return;
    }
    flying--;
    if (broker_away()) { /* all who wait try at the same moments, so that none overtakes */
        fly(f, RETRY_US - world.now % RETRY_US);
        return;
    }
    if (out_of_order(f))
        return;
    if (kept)
        SOMETIMES(landed_after_pause);
    if (!f->wired && gone(p) && (p->drops_when_gone || f->drops)) {
        SOMETIMES(append_dropped_by_crash);
        return;
    }
    if (gone(p))
        SOMETIMES(landed_after_crash);
    land(f);
}

/* In order behind what this producer has under way for the partition. */
static void fly(struct flight *f, int64_t delay)
{
    int64_t *busy = &f->by->busy_until[f->topic->index][f->partition];
    int64_t at = world.now + delay;
    if (at < *busy)
        at = *busy;
    *busy = at;
    flying++;
    world_after(at - world.now, on_land, f, 0, 0);
}

/* ---- held by a script: one request is on the wire, the rest waits behind it -------------------
 */

static bool on_the_wire(const struct log_producer *p)
{
    for (const struct flight *f = held; f; f = f->next)
        if (f->by == p && f->wired && !f->reported)
            return true;
    return false;
}

static void wire_next(const struct log_producer *p)
{
    for (struct flight *f = held; f && !on_the_wire(p); f = f->next)
        if (f->by == p && !f->reported)
            f->wired = true;
}

static void on_given_up(void *context, uint64_t unused, uint64_t unused2)
{
    struct flight *f = context;
    (void)unused;
    (void)unused2;
    if (!(f->by->log->proc->held & WIRE_PRODUCE) || f->reported)
        return;
    f->fails = true;
    report(f, -1);
    wire_next(f->by);
}

static void hold(struct flight *f)
{
    flying++;
    *held_end = f;
    held_end = &f->next;
    wire_next(f->by);
    world_after(APPEND_TIMEOUT_MS * MS, on_given_up, f, 0, 0);
}

int producers_held(const struct proc *proc)
{
    int n = 0;
    for (const struct flight *f = held; f; f = f->next)
        n += f->by->log->proc == proc && f->wired;
    return n;
}

void producers_release(const struct proc *proc)
{
    struct flight *all = held;
    held = NULL;
    held_end = &held;
    for (struct flight *f = all, *next; f; f = next) {
        next = f->next;
        f->next = NULL;
        if (f->by->log->proc != proc) {
            *held_end = f;
            held_end = &f->next;
            continue;
        }
        flying--;
        if (f->wired || (!f->fails && !gone(f->by)))
            fly(f, (int64_t)chance_under(3 * MS));
    }
}

void producers_cut(const struct log_topic *topic, int partition, int64_t end, int64_t end_before)
{
    const struct part *part = &topic->parts[partition];
    for (struct log_producer *p = producers; p; p = p->next) {
        bool before = false, after = false;
        for (int64_t at = part->first; at < end_before; at++) {
            before |= at < end && part->by[at] == p;
            after |= at >= end && part->by[at] == p;
        }
        if (before && after)
            p->broken[topic->index] |= 1u << partition;
    }
}

/* ---- fates ---------------------------------------------------------------------------------- */

static void draw_fate(struct flight *f)
{
    if (f->by->log->proc->held & WIRE_PRODUCE) {
        hold(f);
        return;
    }
    const struct swarm *s = &world.swarm;
    int64_t given_up = (int64_t)chance_under(chance_one_in(2) ? 100 * MS : APPEND_TIMEOUT_MS * MS);
    if (fault(s->append_lost)) {
        SOMETIMES(append_lost);
        f->fails = true;
    } else if (fault(s->append_lost_report)) {
        SOMETIMES(append_lost_report);
        f->fails = true;
        fly(f, (int64_t)chance_under(3 * MS));
    } else if (fault(s->append_late)) {
        SOMETIMES(append_late);
        f->fails = true;
        flying++;
        world_after(given_up + (int64_t)chance_under(chance_one_in(2) ? 300 * MS : LATE_US),
                    on_land, f, 0, 0);
    } else {
        bool stalls = fault(s->append_stalled);
        counters.append_stalled += stalls;
        fly(f, (int64_t)chance_under(stalls ? 5 * SECOND : 2 * MS));
        return;
    }
    world_after(given_up, on_report, f, 0, 0);
    world_stir(world.now + given_up);
}

struct err producer_open(struct log *log, producer_report report_to, void *context,
                         struct log_reader *waker, struct log_producer **ret_producer)
{
    world_point();
    struct log_producer *p = world_alloc(sizeof *p);
    p->log = log;
    p->report = report_to;
    p->context = context;
    p->waker = waker;
    p->drops_when_gone = chance_one_in(2);
    p->reports_end = &p->reports;
    p->next = producers;
    producers = p;
    *ret_producer = p;
    return OK;
}

void producer_close(struct log_producer *p)
{
    if (p)
        p->closed = true;
}

struct err producer_append(struct log_producer *p, struct log_topic *topic, int partition,
                           struct text key, struct text value, uint64_t tag)
{
    world_point();
    if (fault(world.swarm.producer_full)) {
        SOMETIMES(producer_full);
        return FAIL(ERR_FULL, "producer");
    }
    struct flight *f = world_alloc(sizeof *f);
    *f = (struct flight){.by = p,
                         .topic = topic,
                         .partition = partition,
                         .key = world_copy(key),
                         .value = world_copy(value),
                         .tag = tag,
                         .life = p->life,
                         .drops = chance_one_in(2)};
    p->under_way++;
    draw_fate(f);
    return OK;
}

int producer_poll(struct log_producer *p, int timeout_ms)
{
    int n = 0;
    if (!p->reports && timeout_ms > 0)
        world_sleep(chance_under(2) ? MS : timeout_ms * MS);
    while (p->reports) {
        struct report_due *due = p->reports;
        p->reports = due->next;
        if (!p->reports)
            p->reports_end = &p->reports;
        p->under_way--;
        n++;
        if (p->report)
            p->report(p->context, due->tag, due->offset, due->err);
    }
    return n;
}

struct err producer_flush(struct log_producer *p, int timeout_ms)
{
    int64_t until = world.now + (int64_t)timeout_ms * MS;
    world_point();
    while (p->under_way > 0 && world.now < until) {
        producer_poll(p, 0);
        if (p->under_way > 0)
            world_sleep(5 * MS);
    }
    return p->under_way > 0 ? FAIL(ERR_TIMEOUT, "flush") : OK;
}
