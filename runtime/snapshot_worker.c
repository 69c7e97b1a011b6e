/* Looks, folds, writes, forgets: one partition after the other, so that there is never more than
 * one in memory. */
#include "runtime/snapshot_worker.h"

#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/report.h"
#include "runtime/snapshot.h"

enum { SCRATCH_BYTES = 3 * UNIT_ARENA_BYTES, WAIT_MS = 200, ASK_MS = 1000 };

/* What is known of a shard's snapshot. */
struct made {
    int64_t reached;    /* where its fold ended */
    int64_t not_before; /* after a failure; monotonic ms */
    int pause_ms;       /* after the last failure; 0: it was none */
};

struct worker {
    const struct snapshot_worker_options *options;
    struct log_reader *reader;
    struct shards shards;
    struct made *made; /* of each shard */
    struct arena scratch;
};

static bool stopping(const struct worker *w)
{
    return atomic_load(w->options->stop);
}

static int look_ms(const struct worker *w)
{
    return w->options->look_ms ? w->options->look_ms : SNAPSHOT_LOOK_MS;
}

/* A fold that comes to nothing, over a log that cannot be passed or for a disk that is full, is not
 * repeated with every look: it may be the fold of a whole log. */
static void put_off(struct worker *w, struct made *made)
{
    made->pause_ms = made->pause_ms ? 2 * made->pause_ms : look_ms(w);
    if (made->pause_ms > SNAPSHOT_PAUSE_MAX_MS)
        made->pause_ms = SNAPSHOT_PAUSE_MAX_MS;
    made->not_before = clock_monotonic_ms() + made->pause_ms;
}

static struct err fold_and_write(struct shard *s)
{
    TRY(shard_remember(s));
    return snapshot_write(s);
}

static void make(struct worker *w, size_t i)
{
    struct shard *s = &w->shards.at[i];
    struct snapshot_worker_status *status = w->options->status;
    int64_t began_ms = clock_monotonic_ms();
    struct err e = fold_and_write(s);
    if (e.code == ERR_OK) {
        w->made[i] = (struct made){.reached = s->owner.tail.next};
        atomic_fetch_add(&status->written, 1);
        report(REPORT_INFO, "snapshot_written", "topic", log_topic_name(s->owner.log), "partition",
               report_number(s->owner.partition), "offset", report_number(s->owner.tail.done),
               "states", report_number((int64_t)states_count(s->states)), "ms",
               report_number(clock_monotonic_ms() - began_ms), NULL);
    } else if (e.code == ERR_CONFLICT) { /* another process makes it just now */
        put_off(w, &w->made[i]);
    } else if (!stopping(w)) {
        atomic_fetch_add(&status->failed, 1);
        put_off(w, &w->made[i]);
        report(REPORT_WARN, "snapshot_failed", "topic", log_topic_name(s->owner.log), "partition",
               report_number(s->owner.partition), "why", report_err(e), "again_in_ms",
               report_number(w->made[i].pause_ms), NULL);
    }
    shard_finish(s);
    log_unfollow(w->reader, s->owner.log, s->owner.partition);
}

/* A log that is shorter than its snapshot was cut back. */
static bool has_grown(const struct worker *w, const struct made *made, int64_t end)
{
    int64_t growth = end - made->reached;
    return growth < 0 || (growth > 0 && growth >= w->options->records);
}

/* A snapshot must not hide that there is no fold from the beginning any more. */
static void forget_lost(struct worker *w, size_t i)
{
    const struct shard *s = &w->shards.at[i];
    snapshot_remove(s);
    put_off(w, &w->made[i]);
    report(REPORT_ERROR, "log_beginning_lost", "topic", log_topic_name(s->owner.log), "partition",
           report_number(s->owner.partition), NULL);
}

/* Another process may have written one since, or taken it away. */
static bool is_due(struct worker *w, size_t i)
{
    const struct owner *o = &w->shards.at[i].owner;
    struct made *made = &w->made[i];
    int64_t first, end;
    if (clock_monotonic_ms() < made->not_before ||
        log_ends_within(o->log, o->partition, ASK_MS, &first, &end).code != ERR_OK)
        return false;
    int64_t there = shard_begins_at(&w->shards.at[i]);
    made->reached = there < 0 ? 0 : there > made->reached ? there : made->reached;
    if (first > 0)
        forget_lost(w, i);
    return first == 0 && has_grown(w, made, end);
}

static void look(struct worker *w)
{
    for (size_t i = 0; i < w->shards.count && !stopping(w); i++)
        if (is_due(w, i))
            make(w, i);
}

/* First a pause: at a start, others need the processors. */
static void serve(struct worker *w)
{
    int64_t due_ms = clock_monotonic_ms() + look_ms(w);
    while (!stopping(w)) {
        int64_t left_ms = due_ms - clock_monotonic_ms();
        if (left_ms > 0) {
            log_wait(w->reader, left_ms < WAIT_MS ? (int)left_ms : WAIT_MS);
            continue;
        }
        look(w);
        due_ms = clock_monotonic_ms() + look_ms(w);
    }
}

static struct err set_up(struct worker *w)
{
    const struct snapshot_worker_options *o = w->options;
    w->scratch = (struct arena){.base = aligned_alloc(16, SCRATCH_BYTES), .size = SCRATCH_BYTES};
    w->made = calloc(SHARDS_MAX, sizeof *w->made);
    if (!w->scratch.base || !w->made)
        return FAIL(ERR_NOMEM, "snapshots");
    TRY(log_reader_open(o->log, &w->reader));
    return shards_open(&(struct shards_options){.log = o->log,
                                                .all = o->all,
                                                .services = o->services,
                                                .reader = w->reader,
                                                .shelf = o->shelf,
                                                .stop = o->stop,
                                                .scratch = &w->scratch},
                       &w->shards);
}

static void tear_down(struct worker *w)
{
    shards_close(&w->shards);
    log_reader_close(w->reader);
    free(w->scratch.base);
    free(w->made);
}

struct err snapshot_worker_run(const struct snapshot_worker_options *options)
{
    struct worker w = {.options = options};
    struct err e = set_up(&w);
    if (e.code == ERR_OK)
        serve(&w);
    tear_down(&w);
    return e;
}
