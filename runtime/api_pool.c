/* Query threads: each with its own connections and memory, fed by one bounded queue. What waits for
 * a read model to reach a position is parked meanwhile, and looked at again and again. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/api_internal.h"
#include "runtime/clock.h"
#include "runtime/report.h"
#include "runtime/store.h"

enum { PARK_MIN_MS = 4, PARK_MAX_MS = 50, POLL_MS = 10 };

struct api_reader {
    struct api *api;
    struct api_pool *pool;
    pthread_t thread;
    struct arena arena;
    struct vault_link *vault;
    struct {
        const char *service;
        struct query_connection *connection;
    } databases[API_SERVICES_MAX];
    size_t databases_count;
};

struct api_pool {
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct api_call *queue[API_QUERY_QUEUE_MAX]; /* ring */
    size_t first, count, max;
    struct api_call *parked; /* by parked_until_ms */
    size_t parked_count;
    bool stop;
    struct api_reader readers[API_QUERY_THREADS];
    size_t readers_count;
};

_Static_assert(API_HASH_THREADS <= API_QUERY_THREADS && API_HASH_QUEUE_MAX <= API_QUERY_QUEUE_MAX,
               "both pools fit");

/* ---- asking ---- */

struct arena *reader_arena(struct api_reader *reader)
{
    return &reader->arena;
}

struct vault_link *reader_vault(struct api_reader *reader)
{
    return reader->vault;
}

static struct err connection_of(struct api_reader *reader, const char *service,
                                struct query_connection **ret_connection)
{
    char conninfo[STORE_CONNINFO_MAX];
    for (size_t i = 0; i < reader->databases_count; i++)
        if (strcmp(reader->databases[i].service, service) == 0) {
            *ret_connection = reader->databases[i].connection;
            return OK;
        }
    assert(reader->databases_count < API_SERVICES_MAX);
    TRY(store_conninfo(reader->api->options.databases, service, conninfo, sizeof conninfo));
    TRY(query_open(conninfo, ret_connection));
    reader->databases[reader->databases_count].service = service;
    reader->databases[reader->databases_count++].connection = *ret_connection;
    return OK;
}

struct err reader_ask(struct api_reader *reader, const char *service, const char *sql,
                      const struct query_value *values, size_t count, struct query_rows *ret_rows)
{
    struct query_connection *connection;
    TRY(connection_of(reader, service, &connection));
    struct err e = query_run(connection, sql, values, count, &reader->arena, ret_rows);
    if (e.code == ERR_REFUSED)
        report(REPORT_ERROR, "query_refused", "service", service, "why", query_message(connection),
               NULL);
    return e;
}

struct err reader_position(struct api_reader *reader, const struct projection *model,
                           const struct api_position *position, int64_t *ret_commands_next,
                           enum model_status *ret_status)
{
    struct query_connection *connection;
    char service[TOPIC_LEN_MAX];
    snprintf(service, sizeof service, "%.*s", (int)position->service.len, position->service.at);
    TRY(connection_of(reader, model->service, &connection));
    return query_position(connection, model->name, service, position->partition, &reader->arena,
                          ret_commands_next, ret_status);
}

enum problem reader_problem(struct err e)
{
    if (e.code == ERR_NOT_FOUND) /* no such view: dropped, not yet built anew */
        return PROBLEM_READ_MODEL_REBUILDING;
    switch (err_class(e)) {
    case ERR_CLASS_NONE:
        return PROBLEM_NONE;
    case ERR_CLASS_RETRY:
        return PROBLEM_UNAVAILABLE;
    case ERR_CLASS_FATAL:
        return e.code == ERR_NOMEM ? PROBLEM_OVERLOADED : PROBLEM_INTERNAL;
    case ERR_CLASS_REJECT:
    case ERR_CLASS_ABORT:
    case ERR_CLASS_HALT:
        return PROBLEM_INTERNAL;
    }
    return PROBLEM_INTERNAL;
}

/* ---- how far a read model has come ---- */

static const char positions_sql[] =
    "SELECT p.\"partition\"::bigint, p.seen_to FROM projection_position p JOIN projection_version v"
    " ON v.projection = p.projection AND v.generation = p.generation"
    " WHERE v.state = 2 AND p.projection = $1 AND p.topic = $2";

struct err reader_reached(struct api_reader *reader, const char *service, const char *model,
                          const struct log_topic *source, const int64_t *ends, bool *ret_reached)
{
    const struct query_value values[] = {QUERY_TEXT(text_of(model)),
                                         QUERY_TEXT(text_of(log_topic_name(source)))};
    struct query_rows rows;
    int partitions = log_topic_partitions(source), seen = 0;
    TRY(reader_ask(reader, service, positions_sql, values, COUNT(values), &rows));
    for (size_t i = 0; i < rows.count; i++) {
        int64_t p = query_at(&rows, i, 0)->number;
        seen += p >= 0 && p < partitions && query_at(&rows, i, 1)->number >= ends[p];
    }
    *ret_reached = seen == partitions;
    return OK;
}

enum problem reader_reach_end(struct api_reader *reader, const char *service, const char *model,
                              struct log_topic *source)
{
    int64_t ends[PARTITIONS_MAX], until = clock_monotonic_ms() + API_NEGATIVE_WAIT_MS;
    bool there = false;
    for (int p = 0; p < log_topic_partitions(source); p++)
        if (log_ends_within(source, p, API_NEGATIVE_WAIT_MS, NULL, &ends[p]).code != ERR_OK)
            return PROBLEM_UNAVAILABLE;
    for (;;) {
        struct err e = reader_reached(reader, service, model, source, ends, &there);
        if (e.code != ERR_OK)
            return reader_problem(e);
        if (there)
            return PROBLEM_NONE;
        if (clock_monotonic_ms() > until)
            return PROBLEM_READ_MODEL_BEHIND;
        nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    }
}

/* ---- one query ---- */

static enum problem ask_all(struct api_reader *reader, struct inquiry *inquiry)
{
    struct query_rows answers[ROUTE_QUESTIONS_MAX];
    for (size_t i = 0; i < inquiry->questions_count; i++) {
        const struct question *q = &inquiry->questions[i];
        struct err e =
            reader_ask(reader, inquiry->service, q->sql, q->values, q->count, &answers[i]);
        if (e.code != ERR_OK)
            return reader_problem(e);
    }
    memcpy(inquiry->answers, answers, inquiry->questions_count * sizeof *answers);
    inquiry->questions_count = 0;
    inquiry->round++;
    return PROBLEM_NONE;
}

/* An answer is written beside the reader's arena, which goes on growing meanwhile. */
static struct arena out_arena(const struct api_reader *reader)
{
    return (struct arena){reader->arena.base + reader->arena.size, 0, API_QUERY_ARENA_BYTES};
}

static void run_query(struct api_call *call, struct api_reader *reader)
{
    struct request request;
    struct refusal refusal = {0};
    enum inquiry_step step = INQUIRY_ASK;
    enum problem problem = PROBLEM_NONE;
    struct arena out = out_arena(reader);
    struct desk desk = {call, reader, &reader->arena, false};
    if (!header_request(call, &desk, &request))
        return;
    struct inquiry inquiry = {.request = &request,
                              .service = call->service->service->name,
                              .sequence = -1,
                              .out = json_write_start(&out)};
    while (problem == PROBLEM_NONE &&
           (step = call->route->query->step(&inquiry, &refusal)) == INQUIRY_ASK) {
        assert(inquiry.round < ROUTE_ROUNDS_MAX);
        problem = ask_all(reader, &inquiry);
    }
    struct text body = json_write_finish(&inquiry.out, &out);
    if (problem != PROBLEM_NONE)
        answer_problem(call, problem, "The read models cannot be read at present.");
    else if (step == INQUIRY_REFUSED && refusal.problem == PROBLEM_NOT_FOUND && call->asked)
        api_seek(call);
    else if (step == INQUIRY_REFUSED)
        answer_refusal(call, &refusal);
    else if (!body.at)
        answer_problem(call, PROBLEM_INTERNAL, "The answer is too large.");
    else
        answer_query(call, &inquiry, body);
}

/* ---- one errand ---- */

/* Refused: a wrong password, an unknown address, somebody disabled. Failed: by us, or no log-in at
 * all. */
static void count_login(struct api *api, bool done, const struct refusal *refusal)
{
    bool judged =
        refusal->problem == PROBLEM_UNAUTHENTICATED || refusal->problem == PROBLEM_FORBIDDEN;
    enum api_login outcome = done     ? API_LOGIN_ACCEPTED
                             : judged ? API_LOGIN_REFUSED
                                      : API_LOGIN_FAILED;
    atomic_fetch_add(&api->logins[outcome], 1);
}

static void run_errand(struct api_call *call, struct api_reader *reader)
{
    struct request request;
    struct refusal refusal = {0};
    struct arena out = out_arena(reader);
    struct desk desk = {call, reader, &reader->arena, false};
    if (!header_request(call, &desk, &request))
        return;
    struct errand errand = {.request = &request, .status = 200, .out = json_write_start(&out)};
    bool done = call->route->errand->run(&errand, &refusal);
    if (call->route->errand->logs_in)
        count_login(call->api, done, &refusal);
    struct text body = json_write_finish(&errand.out, &out);
    if (!done)
        answer_refusal(call, &refusal);
    else if (!body.at)
        answer_problem(call, PROBLEM_INTERNAL, "The answer is too large.");
    else
        answer_errand(call, &errand, body);
}

/* ---- what waits for a position ---- */

/* False: too many are parked, or the pool is being stopped. */
static bool park(struct api_pool *pool, struct api_call *call)
{
    call->park_ms = call->park_ms == 0                ? PARK_MIN_MS
                    : call->park_ms < PARK_MAX_MS / 2 ? call->park_ms * 2
                                                      : PARK_MAX_MS;
    call->parked_until_ms = clock_monotonic_ms() + call->park_ms;
    pthread_mutex_lock(&pool->lock);
    bool room = pool->parked_count < API_PARKED_MAX && !pool->stop;
    if (room) {
        struct api_call **at = &pool->parked;
        while (*at && (*at)->parked_until_ms <= call->parked_until_ms)
            at = &(*at)->next;
        call->next = *at;
        *at = call;
        pool->parked_count++;
        pthread_cond_signal(&pool->news); /* whoever sleeps must know of the new time */
    }
    pthread_mutex_unlock(&pool->lock);
    return room;
}

static struct api_call *take_parked(struct api_pool *pool)
{
    struct api_call *call = pool->parked;
    if (!call || (call->parked_until_ms > clock_monotonic_ms() && !pool->stop))
        return NULL;
    pool->parked = call->next;
    pool->parked_count--;
    return call;
}

/* True: go on. Otherwise the call is parked, or answered. */
static bool reached(struct api_call *call, struct api_reader *reader)
{
    bool wait;
    enum problem problem = positions_reached(call, reader, &wait);
    if (problem == PROBLEM_NONE)
        return true;
    if (call->deadline_ms == 0)
        call->deadline_ms = clock_monotonic_ms() + call->wait_ms;
    if (wait && clock_monotonic_ms() < call->deadline_ms && park(call->api->pool, call))
        return false;
    answer_problem(call, problem, "The read model has not reached the position asked for.");
    return false;
}

/* ---- threads ---- */

/* Until there is something to do, or a parked call is due. */
static void doze(struct api_pool *pool)
{
    if (!pool->parked) {
        pthread_cond_wait(&pool->news, &pool->lock);
        return;
    }
    int64_t at = pool->parked->parked_until_ms;
    struct timespec until = {.tv_sec = at / 1000, .tv_nsec = at % 1000 * 1000000};
    pthread_cond_timedwait(&pool->news, &pool->lock, &until);
}

static struct api_call *take(struct api_pool *pool)
{
    struct api_call *call = NULL;
    pthread_mutex_lock(&pool->lock);
    while ((call = take_parked(pool)) == NULL && pool->count == 0 && !pool->stop)
        doze(pool);
    if (!call && pool->count) {
        call = pool->queue[pool->first];
        pool->first = (pool->first + 1) % pool->max;
        pool->count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return call;
}

static void handle(struct api_call *call, struct api_reader *reader)
{
    if (call->route->query)
        run_query(call, reader);
    else if (call->route->errand)
        run_errand(call, reader);
    else if (call->settled.is)
        command_settle(call, reader);
    else
        command_with_reader(call, reader);
}

static void *serve(void *context)
{
    struct api_reader *reader = context;
    struct api_call *call;
    while ((call = take(reader->pool)) != NULL) {
        arena_reset(&reader->arena);
        report_trace(text_of(call->traceparent));
        if (reached(call, reader))
            handle(call, reader);
        report_trace(REPORT_UNTRACED);
        if (reader->pool != reader->api->pool) /* passwords have been there */
            seal_wipe(reader->arena.base, reader->arena.used);
    }
    return NULL;
}

bool pool_submit(struct api_pool *pool, struct api_call *call)
{
    pthread_mutex_lock(&pool->lock);
    bool room = pool->count < pool->max && !pool->stop;
    if (room) {
        pool->queue[(pool->first + pool->count++) % pool->max] = call;
        pthread_cond_signal(&pool->news);
    }
    pthread_mutex_unlock(&pool->lock);
    return room;
}

static struct err start_reader(struct api_pool *pool, struct api *api)
{
    struct api_reader *r = &pool->readers[pool->readers_count];
    r->api = api;
    r->pool = pool;
    r->arena = (struct arena){aligned_alloc(16, (size_t)2 * API_QUERY_ARENA_BYTES), 0,
                              API_QUERY_ARENA_BYTES};
    TRY(vault_link_open(api->vault, api->options.databases, &r->vault));
    if (!r->arena.base || pthread_create(&r->thread, NULL, serve, r) != 0)
        abort();
    pool->readers_count++;
    return OK;
}

struct err pool_start(struct api *api, size_t threads, size_t queue_max, struct api_pool **ret_pool)
{
    struct api_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return FAIL(ERR_NOMEM, "query threads");
    *ret_pool = pool; /* before its threads run */
    pool->max = queue_max;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (size_t i = 0; i < threads; i++)
        TRY(start_reader(pool, api));
    return OK;
}

void pool_stop(struct api_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->news);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->readers_count; i++) {
        struct api_reader *r = &pool->readers[i];
        pthread_join(r->thread, NULL);
        vault_link_close(r->vault);
        for (size_t j = 0; j < r->databases_count; j++)
            query_close(r->databases[j].connection);
    }
}

void pool_destroy(struct api_pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->readers_count; i++)
        free(pool->readers[i].arena.base);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->news);
    free(pool);
}
