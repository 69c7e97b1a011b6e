/* Events to calls to commands: several at once, in order per aggregate, forgotten at every
 * rebalance. */
#include "runtime/effect_worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json_shape.h"
#include "core/mutant.h"
#include "core/partition.h"
#include "runtime/breaker.h"
#include "runtime/clock.h"
#include "runtime/cursor.h"
#include "runtime/http_out.h"
#include "runtime/kafka_offsets.h"
#include "runtime/report.h"

enum {
    FACTS_MAX = 16,
    WAIT_MAX_MS = 200,
    URL_MAX = 2048,
    SLOT_BITS = 9,
    RESUME_RETRY_MS = 1000,
    RESUMES_PER_LINE = 10
};
_Static_assert(EFFECT_JOBS_MAX == 1 << SLOT_BITS, "a tag names a slot");

enum job_state {
    JOB_FREE,
    JOB_WAITING, /* for due_ms, its turn, or the breaker */
    JOB_CALLING,
    JOB_UNTOLD,  /* the result is to be sent at due_ms */
    JOB_TELLING, /* the result is on its way to S.commands */
};

struct job {
    enum job_state state;
    int partition;            /* of the log */
    uint64_t serial;          /* rises in the order of the log */
    struct position position; /* of the group while this is the oldest job unfinished */
    int64_t due_ms;
    int64_t deadline_ms; /* 0: not called yet */
    int pause_ms;
    int calls;   /* made so far */
    bool repeat; /* another process may have begun it, and it may have ended since */
    struct uuid event_id;
    struct uuid saga;
    size_t target_len, trace_len;
    char target[KEY_LEN_MAX];
    char trace[TRACEPARENT_LEN_MAX];
    char *result; /* the command's record, once there is one */
    size_t result_len;
    _Alignas(16) char memory[EFFECT_JOB_BYTES_MAX];
};

/* One partition of the log that this process was given. */
struct feed {
    bool owned, resumed, halted;
    struct cursor cursor;
    struct position done; /* jobs of all decisions before it have been started */
    int64_t committed;
    int64_t repeat_until; /* decisions before it may have been begun by another process */
    int64_t resume_at_ms;
    int resumes; /* tried in vain */
};

struct worker {
    const struct effect_options *options;
    const struct effect *effect;
    struct effect_limits limits;
    struct effect_stats *stats;
    struct log_topic *source, *commands;
    struct log_reader *reader;
    struct log_producer *producer;
    struct log_group *group;
    struct http_out *http;
    struct breaker breaker;
    struct feed feeds[PARTITIONS_MAX];
    struct job jobs[EFFECT_JOBS_MAX];
    int jobs_count;
    int calls_count;
    uint64_t serial;
    int64_t commit_at_ms;
    struct fact facts[FACTS_MAX];
    struct arena unit;    /* facts */
    struct arena scratch; /* the effect's */
};

static bool stopping(const struct worker *w)
{
    return atomic_load(w->options->stop);
}

/* ---- jobs ----------------------------------------------------------------------------------- */

static uint64_t tag_of(const struct worker *w, const struct job *job)
{
    return job->serial << SLOT_BITS | (uint64_t)(job - w->jobs);
}

/* NULL when the job was forgotten meanwhile. */
static struct job *job_of(struct worker *w, uint64_t tag)
{
    struct job *job = &w->jobs[tag & (EFFECT_JOBS_MAX - 1)];
    return job->state != JOB_FREE && job->serial == tag >> SLOT_BITS ? job : NULL;
}

static struct text target_of(const struct job *job)
{
    return (struct text){job->target, job->target_len};
}

static void free_job(struct worker *w, struct job *job)
{
    free(job->result);
    *job = (struct job){.state = JOB_FREE};
    atomic_store(&w->stats->jobs, (uint64_t)--w->jobs_count);
}

static void forget_jobs(struct worker *w)
{
    for (int i = 0; i < EFFECT_JOBS_MAX; i++)
        if (w->jobs[i].state != JOB_FREE)
            free_job(w, &w->jobs[i]);
}

static struct job *new_job(struct worker *w)
{
    int i = 0;
    while (w->jobs[i].state != JOB_FREE)
        i++;
    assert(i < EFFECT_JOBS_MAX);
    atomic_store(&w->stats->jobs, (uint64_t)++w->jobs_count);
    w->jobs[i].serial = ++w->serial;
    w->jobs[i].state = JOB_WAITING;
    return &w->jobs[i];
}

static void trace(const struct job *job)
{
    report_trace((struct text){job->trace, job->trace_len});
}

/* Nothing older for the same aggregate is unfinished. */
static bool has_turn(const struct worker *w, const struct job *job)
{
    for (int i = 0; i < EFFECT_JOBS_MAX; i++) {
        const struct job *other = &w->jobs[i];
        if (other->state != JOB_FREE && other->serial < job->serial &&
            text_equal(target_of(other), target_of(job)))
            return false;
    }
    return true;
}

static void pause_job(struct worker *w, struct job *job)
{
    int half = job->pause_ms / 2;
    if (half < w->limits.retry_min_ms / 2)
        half = w->limits.retry_min_ms / 2;
    job->due_ms = clock_monotonic_ms() + half + (int64_t)(random_u64() % (uint64_t)(half + 1));
    job->pause_ms = half * 4 < EFFECT_RETRY_MAX_MS ? half * 4 : EFFECT_RETRY_MAX_MS;
}

/* ---- results -------------------------------------------------------------------------------- */

static struct text encode_result(struct worker *w, const struct job *job,
                                 const struct effect_result *result)
{
    struct json_report report = {0};
    int tag;
    memcpy(&tag, result->message, sizeof tag);
    struct command c = {
        .id = result->id,
        .attempt = result->id,
        .saga = job->saga,
        .cause = job->event_id,
        .actor = {.roles = ROLE_SYSTEM},
        .sent_at = clock_now_us(),
        .expected_version = VERSION_ANY,
        .service = text_of(w->effect->service),
        .target = target_of(job),
        .type = text_of(message_type(w->effect->commands, tag)->name),
        .traceparent = {job->trace, job->trace_len},
        .data = message_encode(w->effect->commands, result->message, &w->scratch, &report),
    };
    assert(c.data.at); /* an effect that makes invalid commands is our bug */
    struct text record = command_encode(&c, &w->scratch);
    assert(record.at);
    return record;
}

static void keep_result(struct worker *w, struct job *job, const struct effect_result *result)
{
    struct text record = encode_result(w, job, result);
    job->result = malloc(record.len);
    assert(job->result);
    memcpy(job->result, record.at, record.len);
    job->result_len = record.len;
    job->state = JOB_UNTOLD;
    job->due_ms = 0;
    job->pause_ms = 0;
}

static void tell(struct worker *w, struct job *job)
{
    int partition = partition_of(target_of(job), log_topic_partitions(w->commands));
    struct err e = producer_append(w->producer, w->commands, partition, target_of(job),
                                   (struct text){job->result, job->result_len}, tag_of(w, job));
    if (e.code == ERR_OK)
        job->state = JOB_TELLING;
    else
        pause_job(w, job);
}

static void on_told(void *context, uint64_t tag, int64_t offset, struct err err)
{
    struct worker *w = context;
    struct job *job = job_of(w, tag);
    (void)offset;
    if (!job)
        return;
    assert(job->state == JOB_TELLING);
    if (err.code != ERR_OK && !MUTANT(result_not_sent_again)) {
        job->state = JOB_UNTOLD;
        pause_job(w, job);
        return;
    }
    atomic_fetch_add(&w->stats->results, 1);
    free_job(w, job);
}

static void give_up(struct worker *w, struct job *job)
{
    struct effect_result result;
    char id[UUID_TEXT_LEN + 1];
    uuid_format(job->event_id, id);
    arena_reset(&w->scratch);
    if (!w->effect->give_up(job->memory, "no answer within the time limit", &w->scratch, &result)) {
        report(REPORT_WARN, "effect_goes_on", "effect", w->effect->name, "event", id, NULL);
        job->deadline_ms = clock_monotonic_ms() + w->limits.deadline_ms;
        return;
    }
    report(REPORT_WARN, "effect_unknown", "effect", w->effect->name, "event", id, NULL);
    keep_result(w, job, &result);
    atomic_fetch_add(&w->stats->unknown, 1);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static void learn(struct worker *w, struct job *job, const struct effect_answer *answer)
{
    struct effect_result result;
    arena_reset(&w->scratch);
    job->state = JOB_WAITING;
    switch (w->effect->learn(job->memory, answer, &w->scratch, &result)) {
    case EFFECT_NEXT:
        job->due_ms = 0;
        break;
    case EFFECT_RETRY:
        pause_job(w, job);
        report(REPORT_INFO, "effect_retries", "effect", w->effect->name, "call",
               report_number(job->calls), "status", report_number(answer->status), "again_in_ms",
               report_number(job->due_ms - clock_monotonic_ms()), NULL);
        break;
    case EFFECT_DONE:
        keep_result(w, job, &result);
        break;
    }
}

static void on_answer(void *context, uint64_t tag, const struct http_response *response)
{
    struct worker *w = context;
    struct job *job = job_of(w, tag);
    w->calls_count--;
    if (response->trouble == HTTP_FINE)
        breaker_answered(&w->breaker);
    else
        breaker_failed(&w->breaker, clock_monotonic_ms(), response->trouble == HTTP_NO_ANSWER);
    if (response->trouble != HTTP_FINE)
        atomic_fetch_add(&w->stats->unanswered, 1);
    atomic_store(&w->stats->breaker_open, breaker_open(&w->breaker));
    if (!job)
        return;
    trace(job);
    report(REPORT_DEBUG, "effect_answered", "effect", w->effect->name, "call",
           report_number(job->calls), "status", report_number(response->status), NULL);
    learn(w, job, &(struct effect_answer){response->status, response->body});
    report_trace(REPORT_UNTRACED);
}

static void make_call(struct worker *w, struct job *job)
{
    struct effect_call call;
    char url[URL_MAX];
    arena_reset(&w->scratch);
    w->effect->call(job->memory, &w->scratch, &call);
    int len = snprintf(url, sizeof url, "%s%s", w->options->url, call.path);
    assert(len > 0 && (size_t)len < sizeof url);
    struct err e = http_out_send(w->http,
                                 &(struct http_request){.method = call.method,
                                                        .url = url,
                                                        .key = call.key,
                                                        .body = call.body,
                                                        .traceparent = {job->trace, job->trace_len},
                                                        .timeout_ms = w->limits.call_ms},
                                 tag_of(w, job));
    if (e.code != ERR_OK) {
        breaker_failed(&w->breaker, clock_monotonic_ms(), true); /* had it been the probe */
        pause_job(w, job);
        return;
    }
    job->state = JOB_CALLING;
    job->calls++;
    w->calls_count++;
    report(REPORT_DEBUG, "effect_calls", "effect", w->effect->name, "call",
           report_number(job->calls), "method", call.method, NULL);
    atomic_fetch_add(&w->stats->calls, 1);
}

static size_t facts_that_fit(const struct worker *w)
{
    size_t fit = (size_t)(EFFECT_JOBS_MAX - w->jobs_count) / DECISION_EVENTS_MAX;
    return fit < FACTS_MAX ? fit : FACTS_MAX;
}

/* Its answer may stand in what is still to be read. */
static bool may_be_answered(const struct worker *w, const struct job *job)
{
    const struct feed *feed = &w->feeds[job->partition];
    return job->repeat && feed->cursor.next < feed->repeat_until && !feed->halted &&
           facts_that_fit(w) > 0;
}

/* A job whose turn it is: called, given up, or left for later. */
static void advance(struct worker *w, struct job *job, int64_t now_ms)
{
    if (may_be_answered(w, job))
        return;
    if (job->deadline_ms == 0)
        job->deadline_ms = now_ms + w->limits.deadline_ms;
    if (now_ms >= job->deadline_ms)
        give_up(w, job);
    else if (w->calls_count < w->limits.calls_max && !stopping(w) &&
             breaker_allows(&w->breaker, now_ms))
        make_call(w, job);
}

static void advance_all(struct worker *w)
{
    int64_t now_ms = clock_monotonic_ms();
    for (int i = 0; i < EFFECT_JOBS_MAX; i++) {
        struct job *job = &w->jobs[i];
        bool late = job->deadline_ms != 0 && now_ms >= job->deadline_ms;
        if (job->state == JOB_WAITING && (late || now_ms >= job->due_ms) && has_turn(w, job)) {
            trace(job);
            advance(w, job, now_ms);
            report_trace(REPORT_UNTRACED);
        }
        if (job->state == JOB_UNTOLD && now_ms >= job->due_ms)
            tell(w, job);
    }
}

/* ---- reading -------------------------------------------------------------------------------- */

static void halt(struct worker *w, int partition, struct err why)
{
    w->feeds[partition].halted = true;
    atomic_fetch_add(&w->stats->halted, 1);
    report(REPORT_ERROR, "effect_halted", "effect", w->effect->name, "partition",
           report_number(partition), "position", report_number(w->feeds[partition].cursor.next),
           "why", report_err(why), NULL);
}

/* What the log says has ended is not asked for once more: the world may have moved on since, and
 * what was given back would be taken again. */
static void drop_answered(struct worker *w, const struct event *event)
{
    for (int i = 0; i < EFFECT_JOBS_MAX && !MUTANT(answers_in_log_ignored); i++) {
        struct job *job = &w->jobs[i];
        if (job->state == JOB_WAITING && text_equal(target_of(job), event->decision->target) &&
            w->effect->is_answered(job->memory, event))
            free_job(w, job);
    }
}

static struct err start_job(struct worker *w, const struct fact *fact, size_t i,
                            struct position position)
{
    struct json_report faults = {0};
    const struct decision *d = &fact->decision;
    struct event event = {.service = w->effect->service,
                          .vocabulary = w->effect->events,
                          .id = event_id(d, i),
                          .version = event_version(d, i),
                          .decision = d,
                          .partition = fact->partition,
                          .index = (int32_t)i,
                          .offset = fact->offset};
    void *message = arena_alloc(&w->unit, w->effect->events->size);
    if (!message)
        return FAIL(ERR_NOMEM, "a decision needs more memory than it may");
    if (message_tag(w->effect->events, d->events[i].type) == 0)
        return FAIL(ERR_UNKNOWN_TYPE, "a newer program wrote this event");
    if (!message_decode(w->effect->events, d->events[i].type, d->events[i].data, &w->unit, message,
                        &faults))
        return FAIL(ERR_MALFORMED, "event");
    event.message = message;
    drop_answered(w, &event);
    struct job *job = new_job(w);
    bool repeat = fact->offset < w->feeds[fact->partition].repeat_until;
    if (!w->effect->start(job->memory, &event, repeat)) {
        free_job(w, job);
        return OK;
    }
    job->repeat = repeat;
    job->partition = fact->partition;
    job->position = position;
    job->event_id = event.id;
    job->saga = d->saga;
    job->target_len = d->target.len;
    job->trace_len = d->traceparent.len;
    memcpy(job->target, d->target.at, d->target.len);
    memcpy(job->trace, d->traceparent.at, d->traceparent.len);
    return OK;
}

/* position: of the group if nothing from this decision on were finished. */
static struct err start_jobs(struct worker *w, const struct fact *fact, struct position position)
{
    for (size_t i = 0; i < fact->decision.events_count; i++)
        TRY(start_job(w, fact, i, position));
    return OK;
}

/* What is there, as far as there is room for jobs. */
static void read_feed(struct worker *w, int partition)
{
    struct feed *feed = &w->feeds[partition];
    int64_t before = -1;
    while (!feed->halted && facts_that_fit(w) > 0 && feed->cursor.next != before) {
        size_t n;
        struct position position = feed->done;
        before = feed->cursor.next;
        arena_reset(&w->unit);
        struct err e =
            cursor_read(&feed->cursor, w->reader, &w->unit, w->facts, facts_that_fit(w), &n);
        for (size_t i = 0; e.code == ERR_OK && i < n; i++) {
            report_trace(w->facts[i].decision.traceparent);
            e = start_jobs(w, &w->facts[i], position);
            if (e.code != ERR_OK) {
                feed->cursor.next = w->facts[i].offset;
                break;
            }
            position = (struct position){w->facts[i].offset + 1, w->facts[i].decision.mark.print};
        }
        feed->done = position;
        if (err_is_final(e))
            halt(w, partition, e);
        report_trace(REPORT_UNTRACED);
    }
}

/* ---- the group ------------------------------------------------------------------------------ */

static struct err resume(struct worker *w, int partition)
{
    struct feed *feed = &w->feeds[partition];
    struct position from;
    TRY(group_committed(w->group, (struct log_partition){w->source, partition}, &from));
    feed->committed = from.offset;
    feed->done = from;
    feed->cursor = (struct cursor){.next = feed->committed, .done = feed->committed};
    if (feed->committed < 0)
        return FAIL(ERR_LOST, "no position: `topics apply` sets the first one");
    TRY(log_ends(w->source, partition, NULL, &feed->repeat_until));
    return cursor_resume(&feed->cursor, w->reader, w->source, partition, from);
}

static void resume_feed(struct worker *w, int partition)
{
    struct feed *feed = &w->feeds[partition];
    if (clock_monotonic_ms() < feed->resume_at_ms)
        return;
    struct err e = resume(w, partition);
    if (e.code == ERR_OK) {
        feed->resumed = true;
    } else if (err_is_final(e)) {
        halt(w, partition, e);
    } else {
        feed->resume_at_ms = clock_monotonic_ms() + RESUME_RETRY_MS;
        if (feed->resumes++ % RESUMES_PER_LINE == 0)
            report(REPORT_WARN, "effect_waits", "effect", w->effect->name, "partition",
                   report_number(partition), "why", report_err(e), NULL);
    }
}

/* Nothing survives a rebalance: the next owner may be at work already. */
static void watch_group(struct worker *w)
{
    const struct log_partition *owned;
    size_t count = 0;
    if (group_poll(w->group, &owned, &count) == GROUP_NOTHING)
        return;
    forget_jobs(w);
    for (int p = 0; p < log_topic_partitions(w->source); p++)
        if (w->feeds[p].resumed)
            log_unfollow(w->reader, w->source, p);
    memset(w->feeds, 0, sizeof w->feeds);
    atomic_store(&w->stats->halted, 0);
    for (size_t i = 0; i < count; i++)
        w->feeds[owned[i].partition].owned = true;
}

static void read_all(struct worker *w)
{
    for (int p = 0; p < log_topic_partitions(w->source); p++) {
        if (w->feeds[p].owned && !w->feeds[p].halted && !w->feeds[p].resumed)
            resume_feed(w, p);
        if (w->feeds[p].resumed)
            read_feed(w, p);
    }
}

/* After the last decision all of whose jobs are finished. */
static struct position position_of(const struct worker *w, int partition)
{
    struct position position = w->feeds[partition].done;
    for (int i = 0; i < EFFECT_JOBS_MAX; i++) {
        const struct job *job = &w->jobs[i];
        bool told = MUTANT(committed_before_delivery) && job->state == JOB_TELLING;
        if (job->state != JOB_FREE && !told && job->partition == partition &&
            job->position.offset < position.offset)
            position = job->position;
    }
    return position;
}

static void commit(struct worker *w)
{
    for (int p = 0; p < log_topic_partitions(w->source); p++) {
        struct feed *feed = &w->feeds[p];
        if (!feed->resumed)
            continue;
        struct position position = position_of(w, p);
        if (position.offset <= feed->committed)
            continue;
        struct err e = group_commit(w->group, (struct log_partition){w->source, p}, position);
        if (e.code == ERR_OK)
            feed->committed = position.offset;
    }
    w->commit_at_ms = clock_monotonic_ms() + EFFECT_COMMIT_MS;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static int wait_ms(const struct worker *w)
{
    int64_t now_ms = clock_monotonic_ms(), until_ms = now_ms + WAIT_MAX_MS;
    for (int i = 0; i < EFFECT_JOBS_MAX; i++) {
        const struct job *job = &w->jobs[i];
        bool timed = job->state == JOB_WAITING || job->state == JOB_UNTOLD;
        if (timed && job->due_ms > now_ms && job->due_ms < until_ms)
            until_ms = job->due_ms;
    }
    return (int)(until_ms - now_ms);
}

static bool busy(const struct worker *w)
{
    for (int i = 0; i < EFFECT_JOBS_MAX; i++)
        if (w->jobs[i].state > JOB_WAITING)
            return true;
    return false;
}

static void turn(struct worker *w, bool reading)
{
    /* 1. Which partitions are ours? */
    watch_group(w);
    /* 2. What has been decided since? */
    if (reading)
        read_all(w);
    /* 3. What became of calls and results? */
    http_out_poll(w->http);
    producer_poll(w->producer, 0);
    /* 4. Next calls, results to send. */
    advance_all(w);
    /* 5. What is finished need not be read again. */
    if (clock_monotonic_ms() >= w->commit_at_ms)
        commit(w);
    log_wait(w->reader, wait_ms(w));
}

/* Commits do not wait; an answer that the broker gives after them means that they have arrived. */
static void confirm_commit(struct worker *w)
{
    struct position position;
    int p = 0;
    while (p < log_topic_partitions(w->source) && !w->feeds[p].resumed)
        p++;
    if (p == log_topic_partitions(w->source))
        return;
    struct err e = group_committed(w->group, (struct log_partition){w->source, p}, &position);
    if (e.code != ERR_OK)
        report(REPORT_WARN, "effect_position_unconfirmed", "effect", w->effect->name, "why",
               report_err(e), NULL);
}

static void run(struct worker *w)
{
    while (!stopping(w))
        turn(w, true);
    int64_t until_ms = clock_monotonic_ms() + log_patience(w->options->log, EFFECT_DRAIN_MS);
    while (busy(w) && clock_monotonic_ms() < until_ms)
        turn(w, false);
    commit(w);
    confirm_commit(w);
}

/* ---- opening -------------------------------------------------------------------------------- */

static struct err find_topics(struct log *log, const struct effect *effect,
                              struct log_topic **ret_source, struct log_topic **ret_commands)
{
    char name[TOPIC_LEN_MAX];
    snprintf(name, sizeof name, "%s.log", effect->service);
    TRY(log_topic(log, name, ret_source));
    snprintf(name, sizeof name, "%s.commands", effect->service);
    return log_topic(log, name, ret_commands);
}

static struct err open_all(struct worker *w)
{
    char group[EFFECT_GROUP_MAX];
    struct log *log = w->options->log;
    effect_group(w->effect, group);
    TRY(log_reader_open(log, &w->reader));
    TRY(find_topics(log, w->effect, &w->source, &w->commands));
    TRY(producer_open(log, on_told, w, w->reader, &w->producer));
    TRY(http_out_open(on_answer, w, w->reader, &w->http));
    return group_open(log, group, &w->source, 1, w->reader, &w->group);
}

static void close_all(struct worker *w)
{
    forget_jobs(w);
    group_close(w->group);
    http_out_close(w->http);
    producer_close(w->producer);
    log_reader_close(w->reader);
    free(w->unit.base);
    free(w->scratch.base);
    free(w);
}

static struct effect_limits or_default(struct effect_limits given)
{
    if (given.calls_max <= 0)
        given.calls_max = EFFECT_CALLS_DEFAULT;
    if (given.calls_max > HTTP_OUT_CALLS_MAX)
        given.calls_max = HTTP_OUT_CALLS_MAX;
    if (given.call_ms <= 0)
        given.call_ms = EFFECT_CALL_MS;
    if (given.deadline_ms <= 0)
        given.deadline_ms = EFFECT_DEADLINE_MS;
    if (given.retry_min_ms <= 0)
        given.retry_min_ms = EFFECT_RETRY_MIN_MS;
    return given;
}

void effect_group(const struct effect *effect, char out[EFFECT_GROUP_MAX])
{
    int len = snprintf(out, EFFECT_GROUP_MAX, "foldlog.effects.%s", effect->name);
    assert(len > 0 && len < EFFECT_GROUP_MAX);
    (void)len;
}

struct err effect_worker_run(const struct effect_options *options)
{
    struct effect_stats unseen = {0};
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL(ERR_NOMEM, "effect worker");
    assert(options->effect->job_size <= EFFECT_JOB_BYTES_MAX);
    w->options = options;
    w->effect = options->effect;
    w->limits = or_default(options->limits);
    w->stats = options->stats ? options->stats : &unseen;
    w->breaker = (struct breaker){.failures_max = EFFECT_BREAKER_FAILURES,
                                  .pause_min_ms = EFFECT_BREAKER_MIN_MS,
                                  .pause_max_ms = EFFECT_BREAKER_MAX_MS};
    w->unit = (struct arena){malloc(UNIT_ARENA_BYTES), 0, UNIT_ARENA_BYTES};
    w->scratch = (struct arena){malloc(UNIT_ARENA_BYTES), 0, UNIT_ARENA_BYTES};
    struct err e = w->unit.base && w->scratch.base ? open_all(w) : FAIL(ERR_NOMEM, "effect worker");
    atomic_store(&w->stats->begun, e.code == ERR_OK);
    if (e.code == ERR_OK)
        run(w);
    close_all(w);
    return e;
}

/* ---- the first position --------------------------------------------------------------------- */

static struct err last_valid(struct log_reader *reader, struct log_topic *topic, int partition,
                             struct arena *arena, int64_t *ret_done)
{
    struct cursor cursor;
    struct fact facts[FACTS_MAX];
    int64_t first, end;
    TRY(log_ends(topic, partition, &first, &end));
    TRY(cursor_resume(&cursor, reader, topic, partition, (struct position){first, PRINT_UNKNOWN}));
    while (cursor.next < end) {
        size_t n;
        arena_reset(arena);
        TRY(cursor_read(&cursor, reader, arena, facts, FACTS_MAX, &n));
    }
    *ret_done = cursor.done;
    return OK;
}

static struct err ends_of(struct log *log, struct log_topic *topic, int64_t *ret_offsets)
{
    struct log_reader *reader;
    struct arena arena = {malloc(UNIT_ARENA_BYTES), 0, UNIT_ARENA_BYTES};
    struct err e = arena.base ? log_reader_open(log, &reader) : FAIL(ERR_NOMEM, "arena");
    if (e.code == ERR_OK) {
        for (int p = 0; p < log_topic_partitions(topic) && e.code == ERR_OK; p++)
            e = last_valid(reader, topic, p, &arena, &ret_offsets[p]);
        log_reader_close(reader);
    }
    free(arena.base);
    return e;
}

static struct err init_offsets(struct log *log, const struct effect *effect)
{
    char group[EFFECT_GROUP_MAX];
    int64_t offsets[PARTITIONS_MAX];
    struct log_topic *source, *commands;
    int known = 0;
    effect_group(effect, group);
    TRY(find_topics(log, effect, &source, &commands));
    TRY(offsets_read(log, group, source, offsets));
    for (int p = 0; p < log_topic_partitions(source); p++)
        known += offsets[p] >= 0;
    if (known == log_topic_partitions(source))
        return OK;
    if (known > 0)
        return FAIL(ERR_LOST, "some of the effect's positions are lost");
    TRY(ends_of(log, source, offsets));
    return offsets_write(log, group, source, offsets);
}

/* A topic just made has no leader for a moment. */
struct err effect_offsets_init(struct log *log, const struct effect *effect)
{
    int64_t until = clock_monotonic_ms() + EFFECT_RETRY_MAX_MS;
    struct err e = init_offsets(log, effect);
    while (err_class(e) == ERR_CLASS_RETRY && clock_monotonic_ms() < until)
        e = init_offsets(log, effect);
    return e;
}
