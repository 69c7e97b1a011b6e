/* Appends on their way. An idempotent producer keeps the order of one partition; what it has given
 * up may still land, long after. */
#include <assert.h>

#include "tests/sim/broker.h"

enum { LATE_US = 20 * SECOND };

struct flight {
    struct log_producer *by;
    struct log_topic *topic;
    int partition;
    struct text key, value;
    uint64_t tag;
    bool drops;    /* it never leaves */
    bool fails;    /* is reported as failed, whatever becomes of it */
    bool reported; /* once */
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
    int64_t busy_until[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX];
    struct report_due *reports, **reports_end;
};

static struct log_producer *producers;
static int flying;

void producers_begin(void)
{
    producers = NULL;
    flying = 0;
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

static void on_land_again(void *context, uint64_t unused, uint64_t unused2)
{
    struct flight *f = context;
    (void)unused;
    (void)unused2;
    SOMETIMES(append_twice);
    broker_land(f->topic, f->partition, f->key, f->value);
    flying--;
}

static void on_land(void *context, uint64_t held, uint64_t unused)
{
    struct flight *f = context;
    struct log_producer *p = f->by;
    (void)unused;
    if (!gone(p) && p->log->proc->paused && (held || chance_one_in(2))) {
        world_after(50 * MS, on_land, f, 1, 0);
        return;
    }
    flying--;
    if (held)
        SOMETIMES(landed_after_pause);
    if (gone(p) && (p->drops_when_gone || f->drops)) {
        SOMETIMES(append_dropped_by_crash);
        return;
    }
    if (gone(p))
        SOMETIMES(landed_after_crash);
    int64_t offset = broker_land(f->topic, f->partition, f->key, f->value);
    if (fault(world.swarm.append_twice)) {
        flying++;
        world_after((int64_t)chance_under(chance_one_in(2) ? 50 * MS : LATE_US), on_land_again, f,
                    0, 0);
    }
    int64_t after = (int64_t)chance_under(2 * MS);
    if (fault(world.swarm.report_late)) {
        SOMETIMES(report_late);
        after = (int64_t)chance_under(3 * SECOND);
    }
    if (!f->fails)
        world_after(after, on_report, f, (uint64_t)offset, 0);
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

static void draw_fate(struct flight *f)
{
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
