/* Takes over, appends, reads back, gives up: docs/protocol.md rules 3, 4 and 6. */
#include "runtime/owner.h"

#include <assert.h>
#include <stdlib.h>

#include "core/mutant.h"
#include "runtime/clock.h"
#include "runtime/report.h"

enum { FACTS_MAX = 128, ARENA_BYTES = 2 * UNIT_ARENA_BYTES, FULL_WAIT_MS = 5, ASK_MS = 1000 };

static struct arena new_arena(void)
{
    struct arena arena = {.base = aligned_alloc(16, ARENA_BYTES), .size = ARENA_BYTES};
    assert(arena.base);
    return arena;
}

static uint64_t tag_of(const struct owner *o)
{
    return (uint64_t)o->slot << 32 | o->generation;
}

uint32_t owner_slot_of(uint64_t tag)
{
    return (uint32_t)(tag >> 32);
}

void owner_depose(struct owner *o, struct err why)
{
    bool waits = o->state == OWNER_DEPOSED && clock_monotonic_ms() < o->retake_at_ms;
    if (o->state == OWNER_HALTED || waits)
        return;
    int wait = o->retake_ms ? o->retake_ms : OWNER_RETAKE_MIN_MS;
    o->retake_ms = wait * 2 < OWNER_RETAKE_MAX_MS ? wait * 2 : OWNER_RETAKE_MAX_MS;
    o->retake_at_ms = clock_monotonic_ms() + wait + (int64_t)(random_u64() % (uint64_t)wait);
    o->state = OWNER_DEPOSED;
    o->why = why;
    o->depositions++;
    report(REPORT_WARN, "deposed", "topic", log_topic_name(o->log), "partition",
           report_number(o->partition), "why", report_err(why), "again_in_ms",
           report_number(o->retake_at_ms - clock_monotonic_ms()), NULL);
}

void owner_halt(struct owner *o, struct err why)
{
    o->state = OWNER_HALTED;
    o->why = why;
    report(REPORT_ERROR, "partition_halted", "topic", log_topic_name(o->log), "partition",
           report_number(o->partition), "offset", report_number(o->tail.next), "commands_next",
           report_number(o->commands_next), "why", report_err(why), NULL);
}

/* ---- positions ------------------------------------------------------------------------------ */

static struct owner_source *source_named(struct owner *o, const struct input *input)
{
    for (size_t i = 0; i < o->sources_count; i++)
        if (o->sources[i].partition == input->partition &&
            text_is(input->topic, log_topic_name(o->sources[i].topic)))
            return &o->sources[i];
    return NULL;
}

/* Never backwards: a shared cursor may have been set back for another shard when positions are
 * written. */
static void raise_source(struct owner *o, const struct input *input, int32_t index)
{
    struct owner_source *s = source_named(o, input);
    if (s && (input->offset > s->offset || (input->offset == s->offset && index > s->index))) {
        s->offset = input->offset;
        s->index = index;
        s->print = MUTANT(source_print_not_kept) ? PRINT_UNKNOWN : input->print;
    }
}

int64_t owner_source_read(const struct owner_source *source)
{
    return source->index > 0 ? source->offset : source->offset - 1;
}

bool owner_passes(const struct owner *o, size_t source, int64_t before, const struct fact *fact)
{
    const struct owner_source *s = &o->sources[source];
    int64_t read = owner_source_read(s);
    if (read <= before || read > fact->offset || s->print == PRINT_UNKNOWN ||
        MUTANT(cut_unseen_at_resume))
        return true;
    return read == fact->offset && s->print == fact->decision.mark.print;
}

bool owner_wants(const struct owner *o, size_t source, int64_t offset, int32_t index)
{
    const struct owner_source *s = &o->sources[source];
    return offset > s->offset || (offset == s->offset && index >= s->index);
}

/* What this decision says about how far the inputs have been decided. */
static void note(struct owner *o, const struct decision *d)
{
    struct input input = d->input;
    if (MUTANT(rest_of_decision_skipped))
        input = (struct input){input.topic, input.partition, -1, input.offset + 1, input.print};
    raise_source(o, &input, input.index + !MUTANT(decided_twice_after_takeover));
    for (size_t i = 0; i < d->positions_count; i++)
        raise_source(o, &d->positions[i], d->positions[i].index);
    if (d->mark.commands_next > o->commands_next)
        o->commands_next = d->mark.commands_next;
}

/* ---- taking over ---------------------------------------------------------------------------- */

static struct err append(struct owner *o, struct text key, struct text value)
{
    struct err e;
    while ((e = producer_append(o->producer, o->log, o->partition, key, value, tag_of(o))).code ==
           ERR_FULL) {
        producer_poll(o->producer, FULL_WAIT_MS);
        if (o->append_failed)
            return FAIL(ERR_DEPOSED, "append failed");
    }
    return e;
}

static struct err announce(struct owner *o, struct arena *arena)
{
    o->nonce = o->tail.awaited = random_uuid();
    struct takeover t = {
        .mark = {.kind = RECORD_TAKEOVER, .epoch = -1, .commands_next = o->commands_next},
        .nonce = o->nonce,
        .instance = text_of(o->instance),
        .at = clock_now_us()};
    struct text value = takeover_encode(&t, arena);
    assert(value.at);
    return append(o, TEXT(""), value);
}

/* Reads and folds one batch. */
static struct err fold_batch(struct owner *o, owner_fold fold, void *context, struct arena *arena,
                             size_t *ret_count)
{
    UNZEROED struct fact facts[FACTS_MAX];
    arena_reset(arena);
    TRY(cursor_read(&o->tail, o->reader, arena, facts, FACTS_MAX, ret_count));
    for (size_t i = 0; i < *ret_count; i++) {
        if (!MUTANT(sources_not_remembered) || facts[i].decision.input.topic.len == 0)
            note(o, &facts[i].decision);
        struct err e = fold(context, &facts[i]);
        if (e.code == ERR_OK)
            continue;
        o->tail.next = facts[i].offset; /* whoever halts names the record that he cannot pass */
        return e;
    }
    return OK;
}

/* What was seen may have been cut off since: where nothing comes any more, the broker is asked. One
 * that says nothing holds up nobody who stops. */
static void wait_for_more(struct owner *o, int64_t *end)
{
    int64_t now;
    if (log_ends_within(o->log, o->partition, ASK_MS, NULL, &now).code == ERR_OK && now < *end)
        *end = now;
    else
        log_wait(o->reader, 20);
}

static struct err fold_to(struct owner *o, int64_t end, owner_fold fold, void *context,
                          struct arena *arena)
{
    int64_t moved_at_ms = clock_monotonic_ms(), at = o->tail.next;
    while (o->tail.next < end) {
        size_t n;
        struct err e = fold_batch(o, fold, context, arena, &n);
        if (err_class(e) != ERR_CLASS_RETRY) /* a broker that is away for a while is waited for */
            TRY(e);
        if (atomic_load(o->stop))
            return FAIL(ERR_STOPPING, "takeover");
        if (o->tail.next > at) {
            at = o->tail.next;
            moved_at_ms = clock_monotonic_ms();
            continue;
        }
        if (clock_monotonic_ms() - moved_at_ms > OWNER_TAKEOVER_STALL_MS)
            return FAIL(ERR_TIMEOUT, "takeover makes no progress");
        wait_for_more(o, &end);
    }
    return OK;
}

static struct err nothing_settles(void *context, const struct fact *fact)
{
    (void)context;
    (void)fact;
    return FAIL(ERR_DEPOSED, "somebody else decided while the epoch was renewed");
}

/* Of a mutant. */
static struct err everything_is_forgotten(void *context, const struct fact *fact)
{
    (void)context;
    (void)fact;
    return OK;
}

/* Folds on until the own TAKEOVER is read back: its offset is the epoch. */
static struct err fold_to_own(struct owner *o, owner_fold fold, void *context, struct arena *arena)
{
    int64_t began_ms = clock_monotonic_ms();
    if (MUTANT(replay_to_stale_end) && fold != nothing_settles)
        fold = everything_is_forgotten;
    while (!uuid_equal(o->tail.nonce, o->nonce)) {
        size_t n;
        int64_t at = o->tail.next;
        TRY(fold_batch(o, fold, context, arena, &n));
        if (o->tail.next > at)
            continue;
        producer_poll(o->producer, 0);
        if (o->append_failed)
            return FAIL(ERR_DEPOSED, "append of the takeover failed");
        if (atomic_load(o->stop))
            return FAIL(ERR_STOPPING, "takeover");
        if (clock_monotonic_ms() - began_ms > OWNER_TAKEOVER_SEEN_MS)
            return FAIL(ERR_TIMEOUT, "own takeover does not appear");
        log_wait(o->reader, 20);
    }
    if (!MUTANT(own_renewal_deposes) || fold != nothing_settles)
        o->epoch = o->tail.judge.epoch;
    if (!MUTANT(renewal_keeps_counting) || fold != nothing_settles)
        o->number = 0;
    o->last = o->tail.judge.last;
    return OK;
}

void owner_forget(struct owner *o)
{
    o->state = OWNER_IDLE;
    o->generation++;
    o->append_failed = false;
    o->landed = -1;
    o->cut = false;
    o->commands_next = 0;
    for (size_t i = 0; i < o->sources_count; i++) {
        o->sources[i].offset = 0;
        o->sources[i].index = 0;
        o->sources[i].print = PRINT_NONE;
    }
}

static struct err take_over(struct owner *o, owner_fold fold, void *context, struct arena *arena)
{
    TRY(fold_to_own(o, fold, context, arena));
    int64_t end = log_seen_end(o->reader, o->commands, o->partition);
    if (MUTANT(resume_from_end_of_commands))
        o->commands_next = end;
    if (o->commands_next > end)
        TRY(log_ends(o->commands, o->partition, NULL, &end));
    if (o->commands_next > end)
        return FAIL(ERR_LOST, "next command lies outside its topic");
    return OK; /* one that is kept no more is met when it is read */
}

struct err owner_resume(struct owner *o, struct position from)
{
    o->from = from.offset;
    return cursor_resume(&o->tail, o->reader, o->log, o->partition, from);
}

struct err owner_catch_up(struct owner *o, owner_fold fold, void *context)
{
    struct arena arena = new_arena();
    int64_t end = log_seen_end(o->reader, o->log, o->partition);
    struct err e = fold_to(o, end, fold, context, &arena);
    free(arena.base);
    return e;
}

struct err owner_announce(struct owner *o)
{
    struct arena arena = new_arena();
    o->landed = o->tail.next - 1;
    struct err e = announce(o, &arena);
    free(arena.base);
    return e;
}

struct err owner_take_over(struct owner *o, owner_fold fold, void *context)
{
    struct arena arena = new_arena();
    struct err e = take_over(o, fold, context, &arena);
    free(arena.base);
    if (e.code != ERR_OK)
        return e;
    o->state = OWNER_ACTIVE;
    o->takeovers++;
    report(REPORT_INFO, "took_over", "topic", log_topic_name(o->log), "partition",
           report_number(o->partition), "from", report_number(o->from), "epoch",
           report_number(o->epoch), "commands_next", report_number(o->commands_next), "ms",
           report_number(clock_monotonic_ms() - o->began_ms), NULL);
    return OK;
}

/* ---- owning --------------------------------------------------------------------------------- */

struct err owner_append(struct owner *o, struct decision *d, struct arena *arena)
{
    assert(o->state == OWNER_ACTIVE);
    if (text_is(d->input.topic, log_topic_name(o->commands)))
        o->commands_next = d->input.offset + 1;
    d->mark = (struct mark){.kind = RECORD_DECISION,
                            .epoch = o->epoch,
                            .number = o->number + 1,
                            .commands_next = o->commands_next,
                            .follows = o->last};
    if (MUTANT(commands_next_not_carried) && d->input.topic.len > 0 &&
        !text_is(d->input.topic, log_topic_name(o->commands)))
        d->mark.commands_next = 0;
    struct text value = decision_encode(d, arena);
    assert(value.at);
    TRY(append(o, d->target, value));
    o->number++;
    o->last = print_of(value);
    note(o, d);
    report(REPORT_DEBUG, "decides", "topic", log_topic_name(o->log), "partition",
           report_number(o->partition), "number", report_number((int64_t)o->number), "type",
           report_text(d->type), "problem", d->problem ? problem_rows[d->problem].code : "",
           "events", report_number((int64_t)d->events_count), "commands",
           report_number((int64_t)d->commands_count), NULL);
    return OK;
}

uint64_t owner_unsettled(const struct owner *o)
{
    return o->number - (o->tail.judge.epoch == o->epoch ? o->tail.judge.number : 0);
}

/* What was read says whether the log is still ours. */
static void depose_if_lost(struct owner *o, struct err e, uint64_t gaps)
{
    if (e.code != ERR_OK)
        owner_depose(o, e);
    else if (o->tail.judge.epoch != o->epoch)
        owner_depose(o, FAIL(ERR_DEPOSED, "another owner announced itself"));
    else if (o->tail.gaps != gaps)
        owner_depose(o, FAIL(ERR_DEPOSED, "an own decision is void"));
}

static void depose_if_append_failed(struct owner *o)
{
    if (o->append_failed)
        owner_depose(o, o->cut ? FAIL(ERR_LOST, "the log was cut back: an append landed too low")
                               : FAIL(ERR_DEPOSED, "an append failed"));
}

void owner_watch(struct owner *o, owner_fold settled, void *context, struct arena *arena)
{
    UNZEROED struct fact facts[FACTS_MAX];
    int64_t at = -1;
    while (o->state == OWNER_ACTIVE && o->tail.next > at) {
        size_t n = 0;
        at = o->tail.next;
        uint64_t gaps = o->tail.gaps;
        arena_reset(arena);
        struct err e = cursor_read(&o->tail, o->reader, arena, facts, FACTS_MAX, &n);
        if (err_class(e) == ERR_CLASS_RETRY)
            break; /* nothing has moved: later */
        for (size_t i = 0; e.code == ERR_OK && i < n && o->tail.judge.epoch == o->epoch; i++)
            e = settled(context, &facts[i]);
        if (e.code == ERR_OK && MUTANT(owner_does_not_watch))
            continue;
        depose_if_lost(o, e, gaps);
        if (n > 0)
            o->retake_ms = 0;
    }
    if (o->state == OWNER_ACTIVE)
        depose_if_append_failed(o);
}

struct err owner_renew(struct owner *o)
{
    assert(o->state == OWNER_ACTIVE && owner_unsettled(o) == 0);
    struct arena arena = new_arena();
    struct err e = announce(o, &arena);
    if (e.code == ERR_OK)
        e = fold_to_own(o, nothing_settles, NULL, &arena);
    if (e.code == ERR_OK) /* a TAKEOVER says nothing of what it follows */
        e = cursor_check(&o->tail, o->reader);
    free(arena.base);
    return e;
}

/* What lands below is not read back by a tail that has come further: nobody else would tell. */
void owner_reported(struct owner *o, uint64_t tag, int64_t offset, struct err err)
{
    if (tag != tag_of(o))
        return;
    if (err.code != ERR_OK) {
        o->append_failed |= !MUTANT(failed_append_ignored);
    } else if (offset > o->landed) {
        o->landed = offset;
    } else if (offset >= 0) {
        o->append_failed = o->cut = true;
        log_forget(o->log, o->partition);
    }
}
