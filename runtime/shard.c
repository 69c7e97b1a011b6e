/* Inputs in, decisions out: speculative state ahead of the log, rebuilt from the log whenever it is
 * not ours. */
#include "runtime/shard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json_shape.h"
#include "core/mutant.h"
#include "core/partition.h"
#include "runtime/clock.h"
#include "runtime/report.h"
#include "runtime/snapshot.h"

static void evolve(const struct shard *s, struct state *state, const void *event)
{
    assert(state); /* only what is accepted has events */
    if (s->service->saga)
        s->service->saga->evolve(state->data, event);
    else
        s->service->aggregate->evolve(state->data, event);
    state->version++;
}

static int64_t due_of(const struct shard *s, const struct state *state)
{
    return s->service->saga ? s->service->saga->due(state->data) : TIMER_NEVER;
}

/* Sets the timer that the saga now asks for; what has fired and is asked for still, not again. */
static void arm(struct shard *s, struct state *state, int64_t before)
{
    int64_t due = due_of(s, state);
    if (due != before && !(state->timer && MUTANT(stale_timer_fires)))
        timers_set(&s->timers, &state->timer, due, state->key);
}

/* ---- memory --------------------------------------------------------------------------------- */

void shard_finish(struct shard *s)
{
    states_destroy(s->states);
    dedup_destroy(s->dedup);
    timers_finish(&s->timers);
    free(s->blank);
    s->states = NULL;
    s->dedup = NULL;
    s->blank = NULL;
}

static bool remembered(const struct shard *s, const struct decision *d)
{
    bool final = d->outcome == OUTCOME_ACCEPTED || problem_rows[d->problem].final ||
                 MUTANT(every_refusal_remembered);
    return final && !d->replayed && d->outcome != OUTCOME_POSITION &&
           text_is(d->input.topic, log_topic_name(s->owner.commands));
}

static void remember(struct shard *s, const struct decision *d, int64_t offset)
{
    if (remembered(s, d))
        dedup_add(s->dedup, &(struct dedup_entry){d->command_id, d->fingerprint, offset, d->at});
}

/* ---- the fold ------------------------------------------------------------------------------- */

static struct err fold_event(struct shard *s, struct state *state, const struct payload *p)
{
    struct json_report json = {0};
    arena_reset(s->scratch);
    void *event = arena_alloc(s->scratch, s->service->events->size);
    assert(event);
    if (message_tag(s->service->events, p->type) == 0)
        return FAIL(ERR_UNKNOWN_TYPE, "event type in own log: written by a newer version");
    if (!message_decode(s->service->events, p->type, p->data, s->scratch, event, &json))
        return FAIL(ERR_MALFORMED, "event in own log");
    evolve(s, state, event);
    return OK;
}

static struct err fold_fact(void *context, const struct fact *fact)
{
    struct shard *s = context;
    const struct decision *d = &fact->decision;
    if (!MUTANT(dedup_forgotten_at_takeover))
        remember(s, d, fact->offset);
    if (d->events_count == 0)
        return OK;
    struct state *state = states_at(s->states, d->target);
    int64_t before = due_of(s, state);
    if (state->version + (int64_t)d->events_count != d->version)
        return FAIL(ERR_GAP, "versions of an aggregate are not contiguous");
    for (size_t i = 0; i < d->events_count; i++)
        TRY(fold_event(s, state, &d->events[i]));
    if (!MUTANT(timers_forgotten_at_takeover))
        arm(s, state, before);
    return OK;
}

static void begin_memory(struct shard *s)
{
    shard_finish(s);
    owner_forget(&s->owner);
    s->states = states_create(service_state_size(s->service), service_owned(s->service));
    s->dedup = dedup_create();
    s->blank = calloc(1, service_state_size(s->service) + 1);
    if (!s->blank)
        abort();
}

static void arm_all(struct shard *s)
{
    struct state *state;
    for (size_t at = 0; !MUTANT(snapshot_without_timers) && (state = states_next(s->states, &at));)
        arm(s, state, TIMER_NEVER);
}

static struct err resume_from_snapshot(struct shard *s)
{
    struct position position;
    TRY(snapshot_read(s, &position));
    arm_all(s);
    return owner_resume(&s->owner, position);
}

/* One that does not fit is taken away, so that another is made: the log has it all. */
static struct err begin(struct shard *s)
{
    begin_memory(s);
    struct err e = s->shelf ? resume_from_snapshot(s) : FAIL(ERR_NOT_FOUND, "snapshot");
    if (e.code == ERR_OK || err_class(e) == ERR_CLASS_RETRY)
        return e;
    if (e.code != ERR_NOT_FOUND) {
        report(REPORT_WARN, "snapshot_ignored", "topic", log_topic_name(s->owner.log), "partition",
               report_number(s->owner.partition), "why", report_err(e), NULL);
        snapshot_remove(s);
    }
    begin_memory(s);
    return owner_resume(&s->owner, (struct position){0});
}

struct err shard_remember(struct shard *s)
{
    s->owner.began_ms = clock_monotonic_ms();
    TRY(begin(s));
    return owner_catch_up(&s->owner, fold_fact, s);
}

int64_t shard_begins_at(const struct shard *s)
{
    return s->shelf ? snapshot_begins_at(s) : -1;
}

struct err shard_announce(struct shard *s)
{
    TRY(shard_remember(s));
    return owner_announce(&s->owner);
}

struct err shard_take_over(struct shard *s)
{
    return owner_take_over(&s->owner, fold_fact, s);
}

/* ---- appending ------------------------------------------------------------------------------ */

static void refuse(struct decision *d, enum problem problem, const char *detail,
                   const char *pointer)
{
    d->outcome = OUTCOME_REFUSED;
    d->problem = problem;
    d->detail = text_of(detail);
    d->pointer = text_of(pointer);
    if (d->detail.len > DETAIL_LEN_MAX)
        d->detail.len = DETAIL_LEN_MAX;
    if (d->pointer.len > POINTER_LEN_MAX)
        d->pointer.len = POINTER_LEN_MAX;
    d->events_count = 0;
    d->commands_count = 0;
}

/* Draft to decision: encodes the events. A draft that breaks its own schema or the bounds is
 * refused. */
static void fill(struct shard *s, const struct draft *draft, struct decision *d,
                 struct arena *arena)
{
    struct json_report json = {0};
    size_t bytes = 0;
    if (draft->problem != PROBLEM_NONE) {
        refuse(d, draft->problem, draft->detail, draft->pointer);
        return;
    }
    d->events = arena_alloc(arena, (draft->count + 1) * sizeof *d->events);
    assert(d->events);
    for (size_t i = 0; i < draft->count; i++) {
        const void *event = draft_event(draft, i);
        struct text data = message_encode(s->service->events, event, arena, &json);
        if (!data.at) {
            report(REPORT_ERROR, "event_breaks_its_schema", "service", s->service->name, "pointer",
                   json.faults[0].pointer, "detail", json.faults[0].detail, NULL);
            refuse(d, PROBLEM_LIMIT_EXCEEDED, "the result would exceed a limit of its schema",
                   NULL);
            return;
        }
        d->events[i] = (struct payload){
            text_of(message_type(s->service->events, *(const int *)event)->name), data};
        bytes += data.len;
    }
    d->events_count = draft->count;
    d->commands = draft->commands;
    d->commands_count = draft->commands_count;
    for (size_t i = 0; i < d->commands_count; i++) {
        struct command *c = &d->commands[i];
        c->saga = d->saga;
        c->cause = d->command_id;
        c->actor = (struct actor){.roles = ROLE_SYSTEM};
        c->sent_at = d->at;
        c->traceparent = d->traceparent;
        bytes += c->data.len + c->target.len;
    }
    if (bytes > DECISION_BYTES_MAX - 16 * 1024)
        refuse(d, PROBLEM_LIMIT_EXCEEDED, "the decision would be too large", NULL);
}

/* Appends, then moves the speculative state ahead. */
static struct err commit(struct shard *s, struct decision *d, const struct draft *draft,
                         struct state *state, struct arena *arena)
{
    if (d->outcome == OUTCOME_ACCEPTED && d->events_count > 0 && !state)
        state = states_at(s->states, d->target);
    d->version = (state ? state->version : 0) + (int64_t)d->events_count;
    TRY(owner_append(&s->owner, d, arena));
    int64_t before = state ? due_of(s, state) : TIMER_NEVER;
    for (size_t i = 0; i < d->events_count && !MUTANT(state_lags_behind); i++)
        evolve(s, state, draft_event(draft, i));
    if (state)
        arm(s, state, before);
    remember(s, d, -1);
    if (MUTANT(snapshot_is_speculative) && s->shelf)
        TRY(snapshot_write(s));
    s->accepted += d->outcome == OUTCOME_ACCEPTED;
    s->refused += d->outcome == OUTCOME_REFUSED;
    s->events += d->events_count;
    return OK;
}

/* ---- commands ------------------------------------------------------------------------------- */

static struct decision decision_of(const struct command *c, const struct input *input, int64_t at)
{
    return (struct decision){
        .input = *input,
        .outcome = OUTCOME_ACCEPTED,
        .first_offset = -1,
        .command_id = c->id,
        .attempt = c->attempt,
        .saga = c->saga,
        .cause = c->cause,
        .actor = c->actor,
        .fingerprint = c->fingerprint,
        .at = at,
        .target = c->target,
        .type = c->type,
        .traceparent = c->traceparent,
    };
}

/* Copies the answer of the first decision, which must have been read back: nothing else is known to
 * be true. */
static struct err replay(struct shard *s, const struct command *c, struct decision *d,
                         struct arena *arena)
{
    const struct dedup_entry *entry = dedup_find(s->dedup, c->id, d->at);
    struct decision first;
    while (entry && entry->offset < 0) {
        producer_poll(s->owner.producer, 0);
        shard_watch(s, s->scratch);
        if (s->owner.state != OWNER_ACTIVE || atomic_load(s->owner.stop))
            return FAIL(ERR_DEPOSED, "the first answer is not settled");
        entry = dedup_find(s->dedup, c->id, d->at);
        if (entry && entry->offset < 0)
            log_wait(s->owner.reader, 10);
    }
    assert(entry);
    TRY(cursor_fetch(&s->owner.tail, s->owner.reader, entry->offset, arena, &first));
    d->outcome = first.outcome;
    d->problem = first.problem;
    d->detail = first.detail;
    d->pointer = first.pointer;
    if (!MUTANT(repeat_answered_anew))
        d->version = first.version;
    d->replayed = true;
    d->first_offset = entry->offset;
    TRY(owner_append(&s->owner, d, arena));
    s->replayed++;
    return OK;
}

static void react_to_command(struct shard *s, const struct command *c, struct decision *d,
                             const void *message, const struct state *state, struct draft *draft)
{
    const struct saga_input input = {
        .kind = SAGA_COMMAND, .at = d->at, .id = c->saga, .limits = s->limits, .command = message};
    struct uuid order;
    if (!state || !uuid_read(c->target, &order)) {
        draft_refuse(draft, PROBLEM_NOT_FOUND, "there is no such saga");
        return;
    }
    if (!MUTANT(operator_names_no_order))
        d->saga = order; /* what it sends belongs to it, whether or not the command named it */
    struct saga_input with_id = input;
    with_id.id = order;
    s->service->saga->react(state->data, &with_id, draft);
}

static bool is_version(const struct command *c, const struct state *state)
{
    return c->expected_version == VERSION_ANY || MUTANT(if_match_ignored) ||
           c->expected_version == (state ? state->version : 0);
}

/* Whoever may not see it must not learn its version either. */
static bool is_hidden(enum problem problem)
{
    return problem == PROBLEM_NOT_FOUND || problem == PROBLEM_FORBIDDEN ||
           problem == PROBLEM_UNDECODABLE;
}

static struct err decide(struct shard *s, const struct command *c, struct decision *d,
                         struct arena *arena)
{
    struct json_report json = {0};
    struct draft draft;
    struct state *state = states_find(s->states, c->target);
    void *message = arena_alloc(arena, s->service->commands->size);
    draft_init(&draft, arena, s->service->events);
    assert(message);
    if (!message_decode(s->service->commands, c->type, c->data, arena, message, &json)) {
        s->undecodable++;
        draft_refuse(&draft, PROBLEM_UNDECODABLE, json.faults[0].detail);
    } else if (s->service->saga) {
        react_to_command(s, c, d, message, state, &draft);
    } else {
        const struct context context = {.at = d->at,
                                        .version = state ? state->version : 0,
                                        .command_id = c->id,
                                        .saga = c->saga,
                                        .actor = c->actor,
                                        .target = c->target};
        s->service->aggregate->decide(state ? state->data : s->blank, &context, message, &draft);
    }
    if (!is_version(c, state) && !is_hidden(draft.problem)) {
        draft_init(&draft, arena, s->service->events);
        draft_refuse(&draft, PROBLEM_VERSION_MISMATCH,
                     "the resource has another version than If-Match expects");
    }
    fill(s, &draft, d, arena);
    return commit(s, d, &draft, state, arena);
}

struct err shard_command(struct shard *s, const struct command *c, const struct input *input,
                         struct arena *arena)
{
    report_trace(c->traceparent);
    struct decision d = decision_of(c, input, clock_now_us());
    bool from_client = text_is(input->topic, log_topic_name(s->owner.commands));
    const struct dedup_entry *entry = from_client ? dedup_find(s->dedup, c->id, d.at) : NULL;
    if (MUTANT(no_dedup))
        entry = NULL;
    if (entry && (entry->fingerprint == c->fingerprint || MUTANT(fingerprint_ignored)))
        return replay(s, c, &d, arena);
    if (entry) {
        const struct state *state = states_find(s->states, c->target);
        refuse(&d, PROBLEM_KEY_REUSED, "this Idempotency-Key was used with another request", NULL);
        d.version = state ? state->version : 0;
        TRY(owner_append(&s->owner, &d, arena));
        s->refused++;
        return OK;
    }
    return decide(s, c, &d, arena);
}

enum { DEAD_LETTER_WAIT_MS = 5 };

/* What nobody can read is decided as refused, so that the numbering stays whole, and kept for
 * people to see: at least once, also when this decision turns out void. */
static struct err undecodable(struct shard *s, const struct log_record *record,
                              const struct input *input, struct arena *arena)
{
    struct text key =
        record->key.len <= KEY_LEN_MAX ? record->key : (struct text){record->key.at, KEY_LEN_MAX};
    struct command c = {
        .id = input_id(input), .attempt = input_id(input), .target = key, .type = TEXT("unknown")};
    struct decision d = decision_of(&c, input, clock_now_us());
    const struct state *state = states_find(s->states, key);
    d.version = state ? state->version : 0;
    refuse(&d, PROBLEM_UNDECODABLE, "the command record cannot be read", NULL);
    s->undecodable++;
    if (s->dead_letters) {
        int partition = partition_of(key, log_topic_partitions(s->dead_letters));
        struct err e;
        while ((e = producer_append(s->owner.producer, s->dead_letters, partition, record->key,
                                    record->value, 0))
                   .code == ERR_FULL)
            producer_poll(s->owner.producer, DEAD_LETTER_WAIT_MS);
        TRY(e);
    }
    return owner_append(&s->owner, &d, arena);
}

struct err shard_command_record(struct shard *s, const struct log_record *record,
                                struct arena *arena)
{
    struct command c;
    const struct input input = {.topic = text_of(log_topic_name(s->owner.commands)),
                                .partition = s->owner.partition,
                                .offset = record->offset};
    bool poison = command_decode(record->value, &c).code != ERR_OK;
    if (poison && MUTANT(poison_skipped)) {
        s->owner.commands_next++;
        return OK;
    }
    if (poison)
        return undecodable(s, record, &input, arena);
    return shard_command(s, &c, &input, arena);
}

/* ---- sagas ---------------------------------------------------------------------------------- */

static struct err react(struct shard *s, const struct saga_input *input, struct decision *d,
                        struct arena *arena)
{
    struct draft draft;
    struct state *state = states_find(s->states, d->target);
    draft_init(&draft, arena, s->service->events);
    s->service->saga->react(state ? state->data : s->blank, input, &draft);
    fill(s, &draft, d, arena);
    return commit(s, d, &draft, state, arena);
}

/* Decodes the events of a foreign decision. Those of unknown type are passed over: the services
 * deploy apart. Of a known type in another version nothing may be passed over: it would be missed.
 */
static struct err foreign_events(const struct service *from, const struct fact *fact,
                                 struct arena *arena, struct event **ret_events, size_t *ret_count)
{
    const struct decision *d = &fact->decision;
    struct event *events = arena_alloc(arena, (d->events_count + 1) * sizeof *events);
    size_t n = 0;
    assert(events);
    for (size_t i = 0; i < d->events_count; i++) {
        struct json_report json = {0};
        void *message = arena_alloc(arena, from->events->size);
        assert(message);
        if (message_tag(from->events, d->events[i].type) == 0) {
            if (message_is_known_otherwise(from->events, d->events[i].type))
                return FAIL(ERR_UNKNOWN_TYPE, "a newer version of another service's event");
            continue;
        }
        if (!message_decode(from->events, d->events[i].type, d->events[i].data, arena, message,
                            &json))
            return FAIL(ERR_MALFORMED, "event of another service");
        events[n++] = (struct event){.service = from->name,
                                     .vocabulary = from->events,
                                     .message = message,
                                     .id = event_id(d, i),
                                     .version = event_version(d, i),
                                     .decision = d,
                                     .partition = fact->partition,
                                     .index = (int32_t)i,
                                     .offset = fact->offset};
    }
    *ret_events = events;
    *ret_count = n;
    return OK;
}

static struct decision saga_decision(struct uuid saga, const struct input *input,
                                     struct arena *arena)
{
    char *key = arena_alloc(arena, UUID_TEXT_LEN + 1);
    assert(key);
    uuid_format(saga, key);
    return (struct decision){.input = *input,
                             .outcome = OUTCOME_ACCEPTED,
                             .first_offset = -1,
                             .saga = saga,
                             .actor = {.roles = ROLE_SYSTEM},
                             .at = clock_now_us(),
                             .target = {key, UUID_TEXT_LEN}};
}

struct err shard_fact(struct shard *s, const struct service *from, const struct fact *fact,
                      const struct input *input, struct arena *arena)
{
    struct event *events;
    size_t n;
    report_trace(fact->decision.traceparent);
    struct decision d = saga_decision(fact->decision.saga, input, arena);
    d.command_id = d.attempt = input_id(input);
    d.cause = fact->decision.command_id;
    d.type = TEXT("decision");
    d.traceparent = fact->decision.traceparent;
    TRY(foreign_events(from, fact, arena, &events, &n));
    const struct saga_input in = {.kind = SAGA_DECISION,
                                  .at = d.at,
                                  .id = d.saga,
                                  .limits = s->limits,
                                  .decision = &fact->decision,
                                  .service = from->name,
                                  .events_count = n,
                                  .events = events};
    return react(s, &in, &d, arena);
}

struct err shard_timer(struct shard *s, struct arena *arena, bool *ret_fired)
{
    const struct timer *timer = timers_first(&s->timers);
    struct uuid saga;
    char name[40];
    *ret_fired = timer && timer->due <= clock_now_us();
    if (!*ret_fired)
        return OK;
    if (!uuid_read(timer->key, &saga))
        return FAIL(ERR_MALFORMED, "id of a saga");
    int len = snprintf(name, sizeof name, "timer/%lld", (long long)timer->due);
    timers_set(&s->timers, timer->holder, TIMER_NEVER, timer->key);
    struct decision d = saga_decision(saga, &(struct input){.partition = -1, .offset = -1}, arena);
    d.command_id = d.attempt = uuid_derive(saga, (struct text){name, (size_t)len});
    d.type = TEXT("timer");
    return react(
        s, &(struct saga_input){.kind = SAGA_TIMER, .at = d.at, .id = saga, .limits = s->limits},
        &d, arena);
}

/* ---- housekeeping --------------------------------------------------------------------------- */

struct err shard_position(struct shard *s, struct input *positions, size_t count,
                          struct arena *arena)
{
    struct decision d = {.input = {.partition = -1, .offset = -1},
                         .outcome = OUTCOME_POSITION,
                         .first_offset = -1,
                         .at = clock_now_us(),
                         .type = TEXT("position"),
                         .positions = positions,
                         .positions_count = count};
    return owner_append(&s->owner, &d, arena);
}

static struct err settle(void *context, const struct fact *fact)
{
    struct shard *s = context;
    if (remembered(s, &fact->decision))
        dedup_settle(s->dedup, fact->decision.command_id, fact->offset);
    return OK;
}

void shard_watch(struct shard *s, struct arena *arena)
{
    owner_watch(&s->owner, settle, s, arena);
}
