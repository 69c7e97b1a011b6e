/* One thread: appends commands, reads the logs back, answers who waits. It alone touches the table
 * of who waits, so that an attempt is in the table before its command is on its way. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/api_internal.h"
#include "runtime/clock.h"
#include "runtime/cursor.h"
#include "runtime/pace.h"
#include "runtime/report.h"

enum {
    BUCKETS = 16384,
    TAILS_MAX = 128,
    FACTS_MAX = 256,
    LOOP_ARENA_BYTES = 2 * 1024 * 1024,
    TICK_MS = 20, /* between looks at deadlines */
    IDLE_MS = 200,
    REOPEN_MS = 1000, /* after a tail broke */
    FEW = 32,         /* waiting commands that do not make others wait for them */
    PACE_US = 16,     /* for each waiting command otherwise: pace.h */
};

struct tail {
    const struct service *service;
    struct log_topic *log;
    int partition;
    bool open;
    int64_t retry_at_ms;
    struct cursor cursor;
};

struct api_loop {
    struct api *api;
    pthread_t thread;
    struct log_reader *reader;
    struct log_producer *producer;
    pthread_mutex_t lock; /* queue */
    struct api_call *queue, **queue_end;
    bool stop, running;
    /* the thread's own */
    struct api_call *refused, **refused_end; /* the producer's queue was full */
    struct api_call *buckets[BUCKETS];
    size_t waiting;
    struct tail tails[TAILS_MAX];
    size_t tails_count;
    struct arena arena, unit;
    int64_t tick_at_ms;
    uint64_t voids;
};

/* ---- who waits ---- */

static uint64_t tag_of(struct uuid attempt)
{
    uint64_t tag;
    memcpy(&tag, attempt.bytes, sizeof tag);
    return tag;
}

static struct api_call **place(struct api_loop *loop, uint64_t tag)
{
    struct api_call **at = &loop->buckets[tag % BUCKETS];
    while (*at && tag_of((*at)->attempt) != tag)
        at = &(*at)->next;
    return at;
}

static void add(struct api_loop *loop, struct api_call *call)
{
    struct api_call **at = place(loop, tag_of(call->attempt));
    assert(!*at);
    call->next = NULL;
    *at = call;
    loop->waiting++;
}

static void take_out(struct api_loop *loop, struct api_call **at)
{
    struct api_call *call = *at;
    *at = call->next;
    loop->waiting--;
    atomic_fetch_sub(&call->service->in_flight, 1);
}

static const char may_be[] =
    "The command may have been accepted; repeat it with the same Idempotency-Key.";

/* ---- appending ---- */

static void reported(void *context, uint64_t tag, int64_t offset, struct err err)
{
    struct api_loop *loop = context;
    struct api_call **at = place(loop, tag), *call = *at;
    if (!call)
        return; /* its decision was read first */
    if (err.code != ERR_OK) {
        take_out(loop, at);
        atomic_fetch_add(&loop->api->append_failed, 1);
        answer_problem(call, PROBLEM_UNAVAILABLE, may_be);
        return;
    }
    call->offset = offset;
    if (call->respond_async || clock_monotonic_ms() > call->deadline_ms) {
        take_out(loop, at);
        answer_accepted(call);
    }
}

/* False: the producer is full. */
static bool append(struct api_loop *loop, struct api_call *call)
{
    add(loop, call);
    struct err e =
        producer_append(loop->producer, call->service->commands, call->partition,
                        (struct text){call->target, call->target_len},
                        (struct text){call->record, call->record_len}, tag_of(call->attempt));
    if (e.code == ERR_OK)
        return true;
    struct api_call **at = place(loop, tag_of(call->attempt));
    assert(*at == call);
    if (e.code == ERR_FULL) {
        *at = call->next;
        loop->waiting--;
        return false;
    }
    take_out(loop, at);
    atomic_fetch_add(&loop->api->append_failed, 1);
    answer_problem(call, PROBLEM_UNAVAILABLE,
                   "The command could not be stored; repeat it with the same Idempotency-Key.");
    return true;
}

/* Returns whether the loop has been asked to stop. */
static bool append_queued(struct api_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    struct api_call *list = loop->queue;
    bool stop = loop->stop;
    loop->queue = NULL;
    loop->queue_end = &loop->queue;
    pthread_mutex_unlock(&loop->lock);
    *loop->refused_end = list; /* those that did not fit before come first */
    list = loop->refused;
    loop->refused = NULL;
    loop->refused_end = &loop->refused;
    while (list) {
        struct api_call *call = list;
        list = call->next;
        if (append(loop, call))
            continue;
        call->next = list;
        loop->refused = call;
        for (loop->refused_end = &call->next; *loop->refused_end;
             loop->refused_end = &(*loop->refused_end)->next)
            ;
        break;
    }
    return stop;
}

void loop_submit(struct api *api, struct api_call *call)
{
    struct api_loop *loop = api->loop;
    if (!atomic_load(&api->ready)) {
        answer_problem(call, PROBLEM_UNAVAILABLE, "This instance is starting.");
        return;
    }
    if (atomic_fetch_add(&call->service->in_flight, 1) >= API_IN_FLIGHT_MAX) {
        atomic_fetch_sub(&call->service->in_flight, 1);
        answer_problem(call, PROBLEM_OVERLOADED, "Too many commands wait for their decision.");
        return;
    }
    call->offset = -1;
    call->next = NULL;
    call->deadline_ms = clock_monotonic_ms() + call->wait_ms;
    atomic_fetch_add(&api->commands, 1);
    pthread_mutex_lock(&loop->lock);
    bool first = !loop->queue, stop = loop->stop;
    if (!stop) {
        *loop->queue_end = call;
        loop->queue_end = &call->next;
    }
    pthread_mutex_unlock(&loop->lock);
    if (stop) {
        atomic_fetch_sub(&call->service->in_flight, 1);
        answer_problem(call, PROBLEM_UNAVAILABLE, "This instance is stopping.");
    } else if (first) {
        log_wake(loop->reader);
    }
}

/* ---- reading back ---- */

static void answer(struct api_loop *loop, const struct decision *decision)
{
    struct api_call **at = place(loop, tag_of(decision->attempt)), *call = *at;
    if (!call || !uuid_equal(call->attempt, decision->attempt))
        return; /* somebody else's */
    take_out(loop, at);
    if (call->respond_async) {
        call->offset = decision->input.offset;
        answer_accepted(call);
    } else if (call->route->command->settle && decision->outcome == OUTCOME_ACCEPTED) {
        command_settle_later(call, decision);
    } else {
        answer_decision(call, decision);
    }
}

/* The message of event i; NULL when this program cannot read it. */
static const void *read_message(struct api_loop *loop, const struct vocabulary *vocabulary,
                                const struct payload *payload)
{
    struct json_report json = {0};
    arena_reset(&loop->unit);
    void *message = arena_alloc(&loop->unit, vocabulary->size);
    bool read =
        message_tag(vocabulary, payload->type) != 0 &&
        message_decode(vocabulary, payload->type, payload->data, &loop->unit, message, &json);
    return read ? message : NULL;
}

static void tell_cache(struct api_cache *cache, const struct event *event)
{
    if (event->message)
        cache_news(cache, event->decision->target, event);
    else
        cache_unreadable(cache, event->decision->target, event->partition, event->offset);
}

/* Tells the caches that follow this log. */
static void tell_caches(struct api_loop *loop, const struct tail *tail, const struct fact *fact)
{
    const struct decision *d = &fact->decision;
    const struct vocabulary *vocabulary = tail->service->events;
    for (size_t i = 0; i < d->events_count; i++) {
        const struct event event = {.service = tail->service->name,
                                    .vocabulary = vocabulary,
                                    .message = read_message(loop, vocabulary, &d->events[i]),
                                    .version = event_version(d, i),
                                    .decision = d,
                                    .partition = fact->partition,
                                    .index = (int32_t)i,
                                    .offset = fact->offset};
        for (size_t c = 0; c < loop->api->caches_count; c++)
            if (strcmp(cache_catalogue(loop->api->caches[c])->source, tail->service->name) == 0)
                tell_cache(loop->api->caches[c], &event);
    }
}

static bool feeds_a_cache(const struct api_loop *loop, const struct tail *tail)
{
    for (size_t c = 0; c < loop->api->caches_count; c++)
        if (strcmp(cache_catalogue(loop->api->caches[c])->source, tail->service->name) == 0)
            return true;
    return false;
}

static void break_off(struct tail *tail, struct err e)
{
    tail->open = false;
    tail->retry_at_ms = clock_monotonic_ms() + REOPEN_MS;
    report(REPORT_WARN, "answers_broken_off", "topic", log_topic_name(tail->log), "partition",
           report_number(tail->partition), "why", report_err(e), NULL);
}

/* Goes on from the end: who waited for something in between is told 202. */
static void open_tail(struct api_loop *loop, struct tail *tail)
{
    struct err e = cursor_from_end(&tail->cursor, loop->reader, tail->log, tail->partition);
    if (e.code != ERR_OK) {
        break_off(tail, e);
        return;
    }
    tail->open = true;
    for (size_t c = 0; c < loop->api->caches_count; c++)
        if (strcmp(cache_catalogue(loop->api->caches[c])->source, tail->service->name) == 0)
            cache_restart(loop->api->caches[c], tail->partition, tail->cursor.next);
}

static bool must_open(const struct tail *tail)
{
    return !tail->open && clock_monotonic_ms() >= tail->retry_at_ms;
}

/* The last records of all are asked for before the first is waited for. */
static void prepare_tails(struct api_loop *loop)
{
    UNZEROED struct log_partition due[TAILS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < loop->tails_count; i++)
        if (must_open(&loop->tails[i]))
            due[n++] = (struct log_partition){loop->tails[i].log, loop->tails[i].partition};
    if (n == 0 || log_follow_all(loop->reader, due, n).code != ERR_OK)
        return; /* whoever opens meets it again */
    for (size_t i = 0; i < n; i++) {
        int64_t end = log_seen_end(loop->reader, due[i].topic, due[i].partition);
        if (end > 0)
            log_prefetch(loop->reader, due[i].topic, due[i].partition, end - 1, false);
    }
}

/* Returns how many decisions it met. */
static size_t read_tail(struct api_loop *loop, struct tail *tail)
{
    UNZEROED struct fact facts[FACTS_MAX];
    size_t n;
    uint64_t voids = tail->cursor.voids;
    arena_reset(&loop->arena);
    struct err e = cursor_read(&tail->cursor, loop->reader, &loop->arena, facts, FACTS_MAX, &n);
    if (e.code != ERR_OK) {
        if (err_class(e) != ERR_CLASS_RETRY)
            break_off(tail, e);
        return 0;
    }
    loop->voids += tail->cursor.voids - voids;
    bool feeds = n && feeds_a_cache(loop, tail);
    for (size_t i = 0; i < n; i++) {
        if (feeds)
            tell_caches(loop, tail, &facts[i]);
        answer(loop, &facts[i].decision);
    }
    return n;
}

static void read_all(struct api_loop *loop)
{
    bool ready = keys_ready(loop->api->keys) && revocations_ready(loop->api->revocations);
    prepare_tails(loop);
    for (size_t i = 0; i < loop->tails_count; i++) {
        struct tail *tail = &loop->tails[i];
        if (must_open(tail))
            open_tail(loop, tail);
        while (tail->open && read_tail(loop, tail) > 0)
            ;
        ready &= tail->open;
    }
    if (ready != atomic_load(&loop->api->ready))
        atomic_store(&loop->api->ready, ready);
    atomic_store(&loop->api->voids, loop->voids);
}

/* ---- deadlines ---- */

/* Not decided in time is no error: it is stored and will be. Not known to be stored: wait on for
 * the report. */
static void look_at_deadlines(struct api_loop *loop, bool stopping)
{
    int64_t now = clock_monotonic_ms();
    if (loop->waiting == 0 || (now < loop->tick_at_ms && !stopping))
        return;
    loop->tick_at_ms = now + TICK_MS;
    for (size_t b = 0; b < BUCKETS; b++)
        for (struct api_call **at = &loop->buckets[b]; *at;) {
            struct api_call *call = *at;
            if ((now <= call->deadline_ms || call->offset < 0) && !stopping) {
                at = &call->next;
                continue;
            }
            take_out(loop, at);
            if (call->offset >= 0)
                answer_accepted(call);
            else
                answer_problem(call, PROBLEM_UNAVAILABLE, may_be);
        }
}

/* ---- the thread ---- */

static void *run(void *context)
{
    struct api_loop *loop = context;
    bool stopping;
    do {
        int64_t began_us = clock_monotonic_us();
        stopping = append_queued(loop);    /* 1. commands go out */
        producer_poll(loop->producer, 0);  /* 2. their offsets come back */
        read_all(loop);                    /* 3. decisions are read, who waits is answered */
        look_at_deadlines(loop, stopping); /* 4. who waited long enough is told 202 */
        if (!stopping) {
            pace_keep(began_us, loop->waiting, FEW, PACE_US);
            log_wait(loop->reader, loop->refused ? 1 : loop->waiting ? TICK_MS : IDLE_MS);
        }
    } while (!stopping);
    while (loop->refused) {
        struct api_call *call = loop->refused;
        loop->refused = call->next;
        atomic_fetch_sub(&call->service->in_flight, 1);
        answer_problem(call, PROBLEM_UNAVAILABLE, "This instance is stopping.");
    }
    return NULL;
}

static struct err follow(struct api_loop *loop, const struct service *service,
                         struct log_topic *log)
{
    for (size_t i = 0; i < loop->tails_count; i++)
        if (loop->tails[i].log == log)
            return OK;
    if (loop->tails_count + (size_t)log_topic_partitions(log) > TAILS_MAX)
        return FAIL(ERR_CONFIG, "too many partitions to follow");
    for (int p = 0; p < log_topic_partitions(log); p++)
        loop->tails[loop->tails_count++] =
            (struct tail){.service = service, .log = log, .partition = p};
    return OK;
}

static bool takes_commands(const struct api *api, const struct service *service)
{
    for (size_t i = 0; i < api->options.routes.count; i++)
        if (api->options.routes.at[i].command &&
            strcmp(api->options.routes.at[i].service, service->name) == 0)
            return true;
    return false;
}

static struct err follow_all(struct api_loop *loop)
{
    struct api *api = loop->api;
    for (size_t i = 0; i < api->services_count; i++)
        if (takes_commands(api, api->services[i].service))
            TRY(follow(loop, api->services[i].service, api->services[i].log));
    for (size_t i = 0; i < api->caches_count; i++) {
        const char *source = cache_catalogue(api->caches[i])->source;
        char name[TOPIC_LEN_MAX];
        struct log_topic *log;
        const struct service *service = service_find(api->options.all, text_of(source));
        if (!service)
            return FAIL(ERR_CONFIG, "source of a catalogue");
        snprintf(name, sizeof name, "%s.log", source);
        TRY(log_topic(api->options.log, name, &log));
        TRY(follow(loop, service, log));
    }
    return OK;
}

struct err loop_start(struct api *api)
{
    struct api_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return FAIL(ERR_NOMEM, "api loop");
    api->loop = loop;
    loop->api = api;
    loop->queue_end = &loop->queue;
    loop->refused_end = &loop->refused;
    pthread_mutex_init(&loop->lock, NULL);
    loop->arena = (struct arena){aligned_alloc(16, LOOP_ARENA_BYTES), 0, LOOP_ARENA_BYTES};
    loop->unit = (struct arena){aligned_alloc(16, UNIT_ARENA_BYTES), 0, UNIT_ARENA_BYTES};
    if (!loop->arena.base || !loop->unit.base)
        return FAIL(ERR_NOMEM, "api loop");
    TRY(log_reader_open(api->options.log, &loop->reader));
    TRY(producer_open(api->options.log, reported, loop, loop->reader, &loop->producer));
    TRY(follow_all(loop));
    if (pthread_create(&loop->thread, NULL, run, loop) != 0)
        abort();
    loop->running = true;
    return OK;
}

void loop_stop(struct api_loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_lock(&loop->lock);
    loop->stop = true;
    pthread_mutex_unlock(&loop->lock);
    if (!loop->running)
        return;
    log_wake(loop->reader);
    pthread_join(loop->thread, NULL);
}

void loop_destroy(struct api_loop *loop)
{
    if (!loop)
        return;
    producer_close(loop->producer);
    if (loop->reader)
        log_reader_close(loop->reader);
    pthread_mutex_destroy(&loop->lock);
    free(loop->arena.base);
    free(loop->unit.base);
    free(loop);
}
