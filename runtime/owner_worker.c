/* Reads top to bottom as the steps of one round: membership, takeovers, inputs, timers, reading
 * back. */
#include "runtime/owner_worker.h"

#include <assert.h>
#include <stdlib.h>

#include "core/mutant.h"
#include "core/partition.h"
#include "runtime/clock.h"
#include "runtime/pace.h"
#include "runtime/report.h"

enum {
    FACTS_MAX = 64,
    ARENA_BYTES = 3 * UNIT_ARENA_BYTES,
    FLUSH_STEP_MS = 10,
    REWIND_RETRY_MS = 200
};

/* A source, read once for all shards. */
struct pull {
    const struct service *from;
    struct log_topic *topic;
    struct cursor cursor;
    bool open;
    int64_t barrier; /* timers wait until the cursor has come this far */
};

struct worker {
    const struct owner_worker_options *options;
    struct log_reader *reader;
    struct log_producer *producer;
    struct log_group *group;
    struct shards shards; /* what could be ours */
    struct pull pulls[OWNER_SOURCES_MAX];
    size_t pulls_count;
    struct arena batch;   /* facts of a pull */
    struct arena unit;    /* one decision */
    struct arena scratch; /* of the shards */
    bool seated;          /* the group has answered at least once */
    bool barrier_due;     /* take the ends of the sources before the next timer */
    int64_t round_ms;     /* when the last round began */
    uint64_t foreign;     /* facts read since positions were last written */
    int64_t positions_ms;
};

static bool stopping(const struct worker *w)
{
    return atomic_load(w->options->stop);
}

/* ---- setting up ----------------------------------------------------------------------------- */

static void on_report(void *context, uint64_t tag, int64_t offset, struct err err)
{
    struct worker *w = context;
    uint32_t slot = owner_slot_of(tag);
    if (slot < w->shards.count)
        owner_reported(&w->shards.at[slot].owner, tag, offset, err);
}

static struct err join(struct worker *w)
{
    struct log_topic *topics[SHARDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < w->shards.count; i++)
        if (w->shards.at[i].owner.partition == 0)
            topics[n++] = w->shards.at[i].owner.commands;
    return group_open(w->options->log, w->options->group, topics, n, w->reader, &w->group);
}

static void begin_pulls(struct worker *w)
{
    for (size_t k = 0; k < w->shards.sources_count; k++) {
        const struct source *source = &w->shards.sources[k];
        struct pull *pull = &w->pulls[w->pulls_count++];
        *pull = (struct pull){.from = source->from, .topic = source->topic};
        pull->cursor.partition = source->partition;
    }
}

static struct err set_up(struct worker *w)
{
    const struct owner_worker_options *o = w->options;
    w->batch = (struct arena){.base = aligned_alloc(16, ARENA_BYTES), .size = ARENA_BYTES};
    w->unit = (struct arena){.base = aligned_alloc(16, ARENA_BYTES), .size = ARENA_BYTES};
    w->scratch = (struct arena){.base = aligned_alloc(16, ARENA_BYTES), .size = ARENA_BYTES};
    if (!w->batch.base || !w->unit.base || !w->scratch.base)
        return FAIL(ERR_NOMEM, "worker");
    TRY(log_reader_open(o->log, &w->reader));
    TRY(producer_open(o->log, on_report, w, w->reader, &w->producer));
    TRY(shards_open(&(struct shards_options){.log = o->log,
                                             .all = o->all,
                                             .services = o->services,
                                             .limits = o->limits,
                                             .reader = w->reader,
                                             .producer = w->producer,
                                             .shelf = o->shelf,
                                             .stop = o->stop,
                                             .scratch = &w->scratch},
                    &w->shards));
    begin_pulls(w);
    return join(w);
}

static void tear_down(struct worker *w)
{
    group_close(w->group);
    producer_close(w->producer);
    shards_close(&w->shards);
    log_reader_close(w->reader);
    free(w->batch.base);
    free(w->unit.base);
    free(w->scratch.base);
}

/* ---- 1. membership -------------------------------------------------------------------------- */

static bool owns(const struct log_partition *owned, size_t count, const struct owner *o)
{
    for (size_t i = 0; i < count; i++)
        if (owned[i].topic == o->commands && owned[i].partition == o->partition)
            return true;
    return false;
}

static void release(struct worker *w, struct shard *s)
{
    log_unfollow(w->reader, s->owner.commands, s->owner.partition);
    shard_finish(s);
    if (s->owner.state != OWNER_HALTED)
        s->owner.state = OWNER_IDLE;
}

/* What stays ours keeps its memory: the log itself says whether somebody else came in between. */
static bool take_membership(struct worker *w)
{
    const struct log_partition *owned;
    size_t count;
    enum group_event event = group_poll(w->group, &owned, &count);
    if (event == GROUP_NOTHING)
        return false;
    w->seated = true;
    for (size_t i = 0; i < w->shards.count; i++) {
        struct shard *s = &w->shards.at[i];
        bool before = s->assigned;
        s->assigned = event == GROUP_ASSIGNED && owns(owned, count, &s->owner);
        if (s->assigned && !before) {
            /* the shared cursors went on without it */
            s->rewind = s->rewind || !MUTANT(no_rewind_after_rebalance);
            /* whoever deposed it has no seat any more */
            s->owner.retake_at_ms = MUTANT(successor_waits) ? clock_monotonic_ms() + 5000 : 0;
        }
        if (event == GROUP_ASSIGNED && !s->assigned)
            release(w, s);
    }
    return true;
}

/* ---- 2. takeovers --------------------------------------------------------------------------- */

/* Where this shard goes on, after what this shard read last. */
static bool stands_at(const struct pull *pull, const struct owner_source *from)
{
    return from->index == 0 && from->offset == pull->cursor.done &&
           (from->print == pull->cursor.judge.last || from->print == PRINT_UNKNOWN);
}

static bool must_rewind(const struct pull *pull, const struct owner_source *from)
{
    return !pull->open || (!stands_at(pull, from) && owner_source_read(from) < pull->cursor.next);
}

/* The shared cursor goes back to where this shard must go on; one that cannot stays where it is,
 * for the others. */
static struct err rewind_pull(struct worker *w, struct pull *pull, const struct owner_source *from)
{
    int partition = pull->cursor.partition;
    if (!must_rewind(pull, from))
        return OK;
    if (from->index > 0)
        TRY(cursor_resume_at(&pull->cursor, w->reader, pull->topic, partition, from->offset,
                             from->print));
    else
        TRY(cursor_resume(&pull->cursor, w->reader, pull->topic, partition,
                          (struct position){from->offset, from->print}));
    pull->open = true;
    return OK;
}

/* Where each begins is asked for before the first is waited for. */
static struct err rewind_pulls(struct worker *w, const struct shard *s)
{
    const struct owner_source *from = s->owner.sources;
    UNZEROED struct log_partition again[OWNER_SOURCES_MAX];
    size_t n = 0;
    for (size_t k = 0; k < w->pulls_count; k++)
        if (must_rewind(&w->pulls[k], &from[k]))
            again[n++] = (struct log_partition){w->pulls[k].topic, w->pulls[k].cursor.partition};
    TRY(log_follow_all(w->reader, again, n));
    for (size_t k = 0; k < w->pulls_count; k++)
        if (must_rewind(&w->pulls[k], &from[k])) {
            bool after_one = from[k].index == 0 && from[k].offset > 0;
            log_prefetch(w->reader, w->pulls[k].topic, w->pulls[k].cursor.partition,
                         from[k].offset - after_one, from[k].offset > 0);
        }
    for (size_t k = 0; k < w->pulls_count; k++)
        TRY(rewind_pull(w, &w->pulls[k], &s->owner.sources[k]));
    return OK;
}

/* What could not be read yet is read in a later round: nothing has moved. */
static bool may_wait(struct err e)
{
    return err_class(e) == ERR_CLASS_RETRY;
}

static void fail(struct shard *s, struct err e)
{
    if (err_class(e) == ERR_CLASS_HALT)
        owner_halt(&s->owner, e);
    else
        owner_depose(&s->owner, e);
}

/* Those that have not failed yet, together: of these, as a rule, all can be asked. */
static void follow_fresh(struct worker *w, const bool due[])
{
    UNZEROED struct log_partition both[2 * SHARDS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < w->shards.count; i++) {
        const struct owner *o = &w->shards.at[i].owner;
        if (!due[i] || o->state != OWNER_IDLE)
            continue;
        both[n++] = (struct log_partition){o->commands, o->partition};
        both[n++] = (struct log_partition){o->log, o->partition};
    }
    struct err e = log_follow_all(w->reader, both, n);
    (void)e; /* then each is asked for alone */
}

static struct err follow(struct worker *w, const struct owner *o)
{
    TRY(log_follow(w->reader, o->commands, o->partition));
    return log_follow(w->reader, o->log, o->partition);
}

static void prefetch(struct worker *w, const struct shard *s)
{
    int64_t begins = shard_begins_at(s), from = begins > 0 ? begins : 0;
    log_prefetch(w->reader, s->owner.log, s->owner.partition, from - (from > 0), from > 0);
}

/* All logs are asked for before the first is folded. Who cannot be asked holds up no other. */
static void prepare(struct worker *w, bool due[])
{
    follow_fresh(w, due);
    for (size_t i = 0; i < w->shards.count && !stopping(w); i++) {
        struct shard *s = &w->shards.at[i];
        struct err e = due[i] ? follow(w, &s->owner) : OK;
        if (e.code != ERR_OK) {
            fail(s, e);
            due[i] = false;
        } else if (due[i]) {
            prefetch(w, s);
        }
    }
}

static bool announce(struct shard *s)
{
    struct err e = shard_announce(s);
    if (e.code != ERR_OK && e.code != ERR_STOPPING)
        fail(s, e);
    return e.code == ERR_OK;
}

/* Until the sources can be read again the shard waits, with its memory kept. */
static void catch_up(struct worker *w, struct shard *s)
{
    struct err e = rewind_pulls(w, s);
    s->rewind = may_wait(e);
    s->rewind_at_ms = clock_monotonic_ms() + REWIND_RETRY_MS;
    if (s->rewind)
        report(REPORT_WARN, "sources_wait", "topic", log_topic_name(s->owner.log), "partition",
               report_number(s->owner.partition), "why", report_err(e), NULL);
    else if (e.code != ERR_OK)
        fail(s, e);
}

static void take_over(struct worker *w, struct shard *s)
{
    struct err e = shard_take_over(s);
    s->rewind = false;
    if (e.code == ERR_OK && !(MUTANT(no_rewind_after_takeover) && w->pulls[0].open))
        catch_up(w, s);
    else if (e.code != ERR_OK && e.code != ERR_STOPPING)
        fail(s, e);
    w->barrier_due = true;
    atomic_fetch_add(&w->options->status->takeovers, 1);
}

/* One that must be rewound would miss inputs that the shared cursors have passed. */
static bool active(const struct shard *s)
{
    return s->assigned && s->owner.state == OWNER_ACTIVE && !s->rewind;
}

static bool takeover_due(const struct shard *s)
{
    return s->assigned && (s->owner.state == OWNER_IDLE || s->owner.state == OWNER_DEPOSED) &&
           clock_monotonic_ms() >= s->owner.retake_at_ms;
}

static bool rewind_due(const struct shard *s)
{
    return s->assigned && s->owner.state == OWNER_ACTIVE && s->rewind &&
           clock_monotonic_ms() >= s->rewind_at_ms;
}

/* All announce themselves before the first waits for its TAKEOVER. */
static void take_overs(struct worker *w)
{
    bool due[SHARDS_MAX] = {false};
    for (size_t i = 0; i < w->shards.count && !stopping(w); i++) {
        due[i] = takeover_due(&w->shards.at[i]);
        if (rewind_due(&w->shards.at[i]))
            catch_up(w, &w->shards.at[i]);
    }
    prepare(w, due);
    for (size_t i = 0; i < w->shards.count; i++)
        due[i] = due[i] && !stopping(w) && announce(&w->shards.at[i]);
    for (size_t i = 0; i < w->shards.count; i++)
        if (due[i])
            take_over(w, &w->shards.at[i]);
}

/* ---- 3. inputs ------------------------------------------------------------------------------ */

static struct arena *unit(struct worker *w)
{
    arena_reset(&w->unit);
    return &w->unit;
}

/* Somebody else may have decided them, while this process stood still for so long that they are no
 * longer kept. A takeover tells. */
static void commands_lost(struct shard *s, struct err e)
{
    if (s->commands_lost == s->owner.takeovers) {
        owner_halt(&s->owner, e);
        return;
    }
    s->commands_lost = s->owner.takeovers + 1;
    owner_depose(&s->owner, e);
}

static size_t decide_commands(struct worker *w, struct shard *s)
{
    UNZEROED struct log_record records[OWNER_BATCH];
    size_t n, i;
    if (!active(s))
        return 0;
    arena_reset(&w->batch);
    struct err e = log_read(w->reader, s->owner.commands, s->owner.partition,
                            s->owner.commands_next, &w->batch, records, OWNER_BATCH, &n);
    if (may_wait(e))
        return 0;
    if (MUTANT(lost_commands_skipped) && e.code == ERR_LOST) {
        s->owner.commands_next++;
        return 1;
    }
    for (i = 0; e.code == ERR_OK && i < n && s->owner.state == OWNER_ACTIVE; i++)
        e = records[i].offset == s->owner.commands_next
                ? shard_command_record(s, &records[i], unit(w))
                : FAIL(ERR_LOST, "commands were deleted before they were decided");
    if (e.code == ERR_LOST)
        commands_lost(s, e);
    else if (e.code != ERR_OK)
        fail(s, e);
    report_trace(REPORT_UNTRACED);
    return i;
}

static struct shard *shard_of(struct worker *w, struct text service, struct text key)
{
    for (size_t i = 0; i < w->shards.count; i++) {
        struct shard *s = &w->shards.at[i];
        if (s->owner.partition == 0 && text_is(service, s->service->name))
            return s + partition_of(key, log_topic_partitions(s->owner.log));
    }
    return NULL;
}

/* What halts because of a source says where it stands in its own log: here is the record it cannot
 * pass. */
static void name_record(const struct pull *pull, int64_t offset, struct err e)
{
    if (err_class(e) == ERR_CLASS_HALT)
        report(REPORT_ERROR, "source_halts", "topic", log_topic_name(pull->topic), "partition",
               report_number(pull->cursor.partition), "offset", report_number(offset), "why",
               report_err(e), NULL);
}

static void decide_one(struct worker *w, size_t source, const struct fact *fact,
                       const struct command *command, int32_t index, struct shard *s)
{
    const struct pull *pull = &w->pulls[source];
    const struct input input = {text_of(log_topic_name(pull->topic)), fact->partition, index,
                                fact->offset, fact->decision.mark.print};
    if (!active(s) || !owner_wants(&s->owner, source, fact->offset, index))
        return;
    struct err e = command ? shard_command(s, command, &input, unit(w))
                           : shard_fact(s, pull->from, fact, &input, unit(w));
    name_record(pull, fact->offset, e);
    if (e.code != ERR_OK)
        fail(s, e);
    report_trace(REPORT_UNTRACED);
}

/* Which saga instance, if any, a foreign decision is an input of: a pure function of the record. */
static bool concerns_saga(const struct decision *d)
{
    return !uuid_is_nil(d->saga) && !d->replayed && d->outcome != OUTCOME_POSITION;
}

static void feed_sagas(struct worker *w, size_t source, const struct fact *fact)
{
    char key[UUID_TEXT_LEN + 1];
    if (!concerns_saga(&fact->decision))
        return;
    uuid_format(fact->decision.saga, key);
    for (size_t i = 0; i < w->shards.count; i++) {
        struct shard *s = &w->shards.at[i];
        if (s->owner.partition != 0 || !s->service->saga)
            continue;
        s += partition_of((struct text){key, UUID_TEXT_LEN}, log_topic_partitions(s->owner.log));
        decide_one(w, source, fact, NULL, 0, s);
    }
}

static void feed_aggregates(struct worker *w, size_t source, const struct fact *fact)
{
    for (size_t i = 0; i < fact->decision.commands_count; i++) {
        const struct command *c = &fact->decision.commands[i];
        struct shard *s = shard_of(w, c->service, c->target);
        if (s)
            decide_one(w, source, fact, c, (int32_t)i, s);
    }
}

static void fail_all(struct worker *w, struct err e)
{
    for (size_t i = 0; i < w->shards.count; i++)
        if (active(&w->shards.at[i]))
            fail(&w->shards.at[i], e);
}

/* Fails every shard that has read something else where this record, which comes after offset
 * `before`, now is. */
static void check_passage(struct worker *w, size_t source, int64_t before, const struct fact *fact)
{
    for (size_t i = 0; i < w->shards.count; i++)
        if (active(&w->shards.at[i]) && !owner_passes(&w->shards.at[i].owner, source, before, fact))
            fail(&w->shards.at[i], FAIL(ERR_LOST, "a source was cut back"));
}

static size_t read_pull(struct worker *w, size_t source)
{
    struct pull *pull = &w->pulls[source];
    UNZEROED struct fact facts[FACTS_MAX];
    size_t n;
    if (!pull->open)
        return 0;
    arena_reset(&w->batch);
    int64_t before = pull->cursor.next - 1;
    struct err e = cursor_read(&pull->cursor, w->reader, &w->batch, facts, FACTS_MAX, &n);
    if (may_wait(e))
        return 0;
    if (e.code != ERR_OK) {
        name_record(pull, pull->cursor.next, e);
        fail_all(w, e);
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        check_passage(w, source, before, &facts[i]);
        before = facts[i].offset;
        /* Positions must not lead to positions, or idle workers would write to each other for ever.
         */
        w->foreign += facts[i].decision.outcome != OUTCOME_POSITION;
        if (pull->from->saga)
            feed_aggregates(w, source, &facts[i]);
        else
            feed_sagas(w, source, &facts[i]);
    }
    return n;
}

/* ---- 4. timers and positions ---------------------------------------------------------------- */

/* An outage must not compensate healthy orders: after a takeover or a stall the inputs are read
 * first. */
static bool timers_may_fire(struct worker *w)
{
    if (MUTANT(timers_do_not_wait))
        return true;
    for (size_t k = 0; w->barrier_due && k < w->pulls_count; k++) {
        if (log_ends(w->pulls[k].topic, w->pulls[k].cursor.partition, NULL, &w->pulls[k].barrier)
                .code != ERR_OK)
            return false;
    }
    w->barrier_due = false;
    for (size_t k = 0; k < w->pulls_count; k++)
        if (!w->pulls[k].open || w->pulls[k].cursor.next < w->pulls[k].barrier)
            return false;
    return true;
}

static size_t fire_timers(struct worker *w, struct shard *s)
{
    const struct timer *first = active(s) ? timers_first(&s->timers) : NULL;
    size_t fired = 0;
    bool more = first && first->due <= clock_now_us() && timers_may_fire(w);
    while (more && fired < OWNER_BATCH && s->owner.state == OWNER_ACTIVE) {
        struct err e = shard_timer(s, unit(w), &more);
        if (e.code != ERR_OK)
            fail(s, e);
        fired += more;
    }
    return fired;
}

static void write_positions(struct worker *w)
{
    int64_t now = clock_monotonic_ms();
    int64_t pause = w->options->position_ms ? w->options->position_ms : OWNER_POSITION_MS;
    bool due =
        w->foreign > 0 && (w->foreign >= OWNER_POSITION_FACTS || now - w->positions_ms >= pause);
    UNZEROED struct input positions[OWNER_SOURCES_MAX];
    size_t n = 0;
    if (!due)
        return;
    for (size_t k = 0; k < w->pulls_count; k++)
        if (w->pulls[k].open)
            positions[n++] = (struct input){
                text_of(log_topic_name(w->pulls[k].topic)), w->pulls[k].cursor.partition, 0,
                MUTANT(positions_at_raw_end) ? w->pulls[k].cursor.next : w->pulls[k].cursor.done,
                w->pulls[k].cursor.judge.last};
    for (size_t i = 0; i < w->shards.count; i++) {
        struct shard *s = &w->shards.at[i];
        struct err e = active(s) ? shard_position(s, positions, n, unit(w)) : OK;
        if (e.code != ERR_OK)
            fail(s, e);
    }
    w->foreign = 0;
    w->positions_ms = now;
}

/* ---- 5. reading back ------------------------------------------------------------------------ */

static void renew(struct worker *w, struct shard *s)
{
    while (active(s) && owner_unsettled(&s->owner) > 0 && !stopping(w)) {
        producer_poll(w->producer, 0);
        shard_watch(s, unit(w));
        if (active(s) && owner_unsettled(&s->owner) > 0)
            log_wait(w->reader, FLUSH_STEP_MS);
    }
    if (!active(s) || owner_unsettled(&s->owner) > 0)
        return;
    struct err e = owner_renew(&s->owner);
    if (e.code != ERR_OK)
        fail(s, e);
}

static uint64_t renew_after(const struct worker *w)
{
    if (MUTANT(epoch_never_renewed))
        return UINT64_MAX;
    return w->options->renew_decisions ? w->options->renew_decisions : OWNER_RENEW_DECISIONS;
}

static void read_back(struct worker *w)
{
    producer_poll(w->producer, 0);
    for (size_t i = 0; i < w->shards.count; i++) {
        struct shard *s = &w->shards.at[i];
        if (s->owner.state == OWNER_ACTIVE)
            shard_watch(s, unit(w));
        if (active(s) && s->owner.number >= renew_after(w))
            renew(w, s);
    }
}

static void publish_status(struct worker *w)
{
    struct owner_worker_status *status = w->options->status;
    uint64_t decisions = 0, refused = 0, replayed = 0, voids = 0, depositions = 0, undecodable = 0;
    int owned = 0, running = 0, halted = 0;
    for (size_t i = 0; i < w->shards.count; i++) {
        const struct shard *s = &w->shards.at[i];
        decisions += s->accepted + s->refused + s->replayed;
        refused += s->refused;
        replayed += s->replayed;
        voids += s->owner.tail.voids;
        depositions += s->owner.depositions;
        undecodable += s->undecodable;
        owned += s->assigned;
        running += active(s);
        halted += s->owner.state == OWNER_HALTED;
    }
    atomic_store(&status->decisions, decisions);
    atomic_store(&status->refused, refused);
    atomic_store(&status->replayed, replayed);
    atomic_store(&status->voids, voids);
    atomic_store(&status->depositions, depositions);
    atomic_store(&status->undecodable, undecodable);
    atomic_store(&status->owned, owned);
    atomic_store(&status->active, running);
    atomic_store(&status->halted, halted);
    atomic_store(&status->seated, w->seated); /* last: until then nothing is known to be owned */
}

/* ---- the round ------------------------------------------------------------------------------ */

static size_t round_of(struct worker *w)
{
    size_t done = 0;
    int64_t now = clock_monotonic_ms();
    w->barrier_due = w->barrier_due || (w->round_ms && now - w->round_ms > OWNER_STALL_MS);
    w->round_ms = now;
    if (take_membership(w))
        publish_status(w); /* /readyz is red during the takeovers that follow */
    take_overs(w);
    for (size_t i = 0; i < w->shards.count; i++)
        done += decide_commands(w, &w->shards.at[i]);
    for (size_t k = 0; k < w->pulls_count; k++)
        done += read_pull(w, k);
    for (size_t i = 0; i < w->shards.count; i++)
        done += fire_timers(w, &w->shards.at[i]);
    write_positions(w);
    read_back(w);
    return done;
}

/* What was appended is waited for: its answer may already be on the way to a client. */
static void settle_all(struct worker *w)
{
    int64_t until = clock_monotonic_ms() + log_patience(w->options->log, OWNER_STOP_MS);
    struct err e = producer_flush(w->producer, OWNER_STOP_MS);
    if (e.code != ERR_OK)
        report(REPORT_WARN, "stopped_with_appends_under_way", "group", w->options->group, NULL);
    for (size_t i = 0; i < w->shards.count; i++)
        while (w->shards.at[i].owner.state == OWNER_ACTIVE &&
               owner_unsettled(&w->shards.at[i].owner) > 0 && clock_monotonic_ms() < until) {
            shard_watch(&w->shards.at[i], unit(w));
            log_wait(w->reader, FLUSH_STEP_MS);
        }
}

static void serve(struct worker *w)
{
    w->positions_ms = clock_monotonic_ms();
    while (!stopping(w)) {
        int64_t began_us = clock_monotonic_us();
        size_t done = round_of(w);
        publish_status(w);
        if (done == 0 && MUTANT(owner_is_not_woken))
            clock_sleep_us(1000000);
        else if (done == 0)
            log_wait(w->reader, OWNER_IDLE_WAIT_MS);
        else
            pace_keep(began_us, done, OWNER_FEW, OWNER_PACE_US);
    }
    settle_all(w);
}

struct err owner_worker_run(const struct owner_worker_options *options)
{
    struct worker w = {.options = options};
    struct err e = set_up(&w);
    if (e.code == ERR_OK)
        serve(&w);
    tear_down(&w);
    return e;
}
