/* Requests come in, find their route, and are handed to whoever answers them. */
#include "runtime/api_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/report.h"

enum { ALLOW_BYTES = 128, INTERNAL = 500 };

/* ---- memory of a thread ---- */

static pthread_key_t arena_key;
static pthread_once_t arena_once = PTHREAD_ONCE_INIT;

static void free_arena(void *memory)
{
    struct arena *arena = memory;
    free(arena->base);
    free(arena);
}

static void make_key(void)
{
    if (pthread_key_create(&arena_key, free_arena) != 0)
        abort();
}

struct arena *api_arena(void)
{
    pthread_once(&arena_once, make_key);
    struct arena *arena = pthread_getspecific(arena_key);
    if (!arena) {
        arena = malloc(sizeof *arena);
        if (!arena)
            abort();
        *arena = (struct arena){aligned_alloc(16, API_ARENA_BYTES), 0, API_ARENA_BYTES};
        if (!arena->base || pthread_setspecific(arena_key, arena) != 0)
            abort();
    }
    arena_reset(arena);
    return arena;
}

const int64_t api_bucket_us[API_BUCKETS] = {1000,    2500,    5000,    10000,  25000,
                                            50000,   100000,  250000,  500000, 1000000,
                                            2500000, 5000000, 10000000};

static void count_duration(struct api *api, enum api_kind kind, int64_t us)
{
    int bucket = 0;
    while (bucket < API_BUCKETS && us > api_bucket_us[bucket])
        bucket++;
    atomic_fetch_add(&api->durations[kind].buckets[bucket], 1);
    atomic_fetch_add(&api->durations[kind].total_us, (uint64_t)us);
}

/* By the route, not by the path: that may hold anything; and the request is gone. */
static void tell_answered(const struct api_call *call, int status)
{
    report_trace(text_of(call->traceparent));
    report(status == INTERNAL ? REPORT_ERROR : REPORT_DEBUG, "answered", "method",
           call->route ? call->route->method : "", "route", call->route ? call->route->path : "",
           "status", report_number(status), "us",
           report_number(clock_monotonic_us() - call->began_us), NULL);
    report_trace(REPORT_UNTRACED);
}

void api_call_done(struct api_call *call, int status)
{
    assert(status > 0 && status < API_STATUSES);
    if (status == INTERNAL || report_least == REPORT_DEBUG)
        tell_answered(call, status);
    atomic_fetch_add(&call->api->answers[status], 1);
    if (call->route)
        count_duration(call->api, call->route->command ? API_COMMANDS : API_QUERIES,
                       clock_monotonic_us() - call->began_us);
    free(call->record);
    free(call);
}

/* ---- one request ---- */

struct api_service *api_service_find(struct api *api, const char *name)
{
    for (size_t i = 0; i < api->services_count; i++)
        if (strcmp(api->services[i].service->name, name) == 0)
            return &api->services[i];
    return NULL;
}

static void submit(struct api_call *call, struct api_pool *pool, const char *otherwise)
{
    if (!pool_submit(pool, call))
        answer_problem(call, PROBLEM_OVERLOADED, otherwise);
}

static void submit_to(struct api_call *call, bool hashes)
{
    if (hashes)
        submit(call, call->api->hashers, "Too many requests wait for their passwords.");
    else
        submit(call, call->api->pool, "Too many requests wait for the read models.");
}

static void start_command(struct api_call *call)
{
    if (!header_command(call) || !header_media_type(call, false))
        return;
    bool waits = call->positions_count && call->route->command->catalogue;
    if (waits || call->route->command->thread != ROUTE_ANYWHERE || !command_try(call))
        submit_to(call, call->route->command->thread == ROUTE_HASHES);
}

static void start_query(struct api_call *call)
{
    atomic_fetch_add(&call->api->queries, 1);
    submit_to(call, false);
}

static void start_errand(struct api_call *call)
{
    if (!atomic_load(&call->api->ready))
        answer_problem(call, PROBLEM_UNAVAILABLE, "This instance is starting.");
    else if (header_media_type(call, call->route->errand->form))
        submit_to(call, call->route->errand->hashes);
}

static const char not_served[] = "This service is not served here.";

/* False: this service is served neither here nor anywhere that is known. */
static bool hand_to(struct api_call *call, const char *service)
{
    call->service = api_service_find(call->api, service);
    const char *peer = gateway_peer(call->api, service);
    if (!call->service && !peer)
        return false;
    if (!call->service)
        gateway_forward(call, peer);
    else if (call->route->command)
        start_command(call);
    else if (call->route->query)
        start_query(call);
    else
        start_errand(call);
    return true;
}

static struct text parameter(const struct http_request *http, const char *name)
{
    for (size_t i = 0; i < http->parameters_count; i++)
        if (text_is(http->parameters[i].name, name))
            return http->parameters[i].value;
    return (struct text){NULL, 0};
}

/* ?at=service:partition:offset names one. */
static bool is_meant(struct text at, const char *service)
{
    size_t len = strlen(service);
    return !at.at || (at.len > len && at.at[len] == ':' && memcmp(at.at, service, len) == 0);
}

static void answer_unknown_service(struct api_call *call)
{
    struct refusal refusal = {0};
    refuse_parameter(&refusal, "at", "must be service:partition:offset");
    answer_refusal(call, &refusal);
}

void api_seek(struct api_call *call)
{
    const struct service_list *all = call->api->options.all;
    struct text at = parameter(call->http, "at");
    bool meant = false;
    while (call->sought < all->count) {
        const struct service *s = &all->at[call->sought++];
        if (s->saga || !is_meant(at, s->name))
            continue;
        meant = true;
        bool asked = call->asked;
        call->asked = true;
        if (hand_to(call, s->name))
            return;
        call->asked = asked;
    }
    if (call->asked)
        answer_problem(call, PROBLEM_NOT_FOUND, "Nobody knows of it.");
    else if (meant)
        answer_problem(call, PROBLEM_UNAVAILABLE, not_served);
    else
        answer_unknown_service(call);
}

static void dispatch(struct api *api, struct http_request *http, struct api_call *call)
{
    char allow[ALLOW_BYTES];
    switch (route_find(&api->options.routes, http->method, http->path, &call->route, call->parts,
                       allow, sizeof allow)) {
    case ROUTE_OTHER_PATH:
        answer_problem(call, PROBLEM_NOT_FOUND, "There is nothing at this path.");
        return;
    case ROUTE_OTHER_METHOD:
        answer_not_allowed(call, allow);
        return;
    case ROUTE_MATCH:
        break;
    }
    if (!authenticate(call) || !header_common(call))
        return;
    if (strcmp(call->route->service, ROUTE_OF_ANY) == 0)
        api_seek(call);
    else if (!hand_to(call, call->route->service))
        answer_problem(call, PROBLEM_UNAVAILABLE, not_served);
}

static void handle(void *context, struct http_request *http)
{
    struct api_call *call = calloc(1, sizeof *call);
    if (!call)
        abort();
    call->api = context;
    call->http = http;
    call->began_us = clock_monotonic_us();
    header_trace(call);
    report_trace(text_of(call->traceparent));
    dispatch(context, http, call);
    report_trace(REPORT_UNTRACED);
}

/* ---- starting and stopping ---- */

static struct err open_services(struct api *api)
{
    char name[TOPIC_LEN_MAX];
    for (const struct service *const *s = api->options.services; *s; s++) {
        struct api_service *service = &api->services[api->services_count++];
        assert(api->services_count <= API_SERVICES_MAX);
        service->service = *s;
        snprintf(name, sizeof name, "%s.commands", (*s)->name);
        TRY(log_topic(api->options.log, name, &service->commands));
        snprintf(name, sizeof name, "%s.log", (*s)->name);
        TRY(log_topic(api->options.log, name, &service->log));
    }
    return OK;
}

static struct err open_cache(struct api *api, const struct catalogue *catalogue)
{
    char name[TOPIC_LEN_MAX];
    struct log_topic *source;
    if (!catalogue || cache_of(api, catalogue))
        return OK;
    if (api->caches_count == API_CATALOGUES_MAX)
        return FAIL(ERR_CONFIG, "too many catalogues");
    snprintf(name, sizeof name, "%s.log", catalogue->source);
    TRY(log_topic(api->options.log, name, &source));
    TRY(cache_create(catalogue, source, &api->caches[api->caches_count]));
    api->caches_count++;
    return OK;
}

/* No service reads another's database. */
static bool is_of(const struct catalogue *catalogue, const struct route *route)
{
    return !catalogue || strcmp(catalogue->service, route->service) == 0;
}

/* One cache for each catalogue that a route of a served service looks things up in. */
static struct err open_caches(struct api *api)
{
    for (size_t i = 0; i < api->options.routes.count; i++) {
        const struct route *route = &api->options.routes.at[i];
        if (!route->command || !api_service_find(api, route->service))
            continue;
        assert(is_of(route->command->catalogue, route) && is_of(route->command->actors, route));
        TRY(open_cache(api, route->command->catalogue));
        TRY(open_cache(api, route->command->actors));
    }
    return OK;
}

static void subject_erased(void *context, struct uuid subject)
{
    struct api *api = context;
    vault_drop(api->vault, subject);
}

static struct err start_identity(struct api *api)
{
    const struct api_options *o = &api->options;
    TRY(seal_init());
    TRY(vault_create(&o->master_key, &api->vault));
    TRY(token_ring_create(&api->ring));
    TRY(tokens_create(&api->tokens));
    TRY(revocations_start(o->log, subject_erased, api, &api->revocations));
    return keys_start(&(struct keys_options){.vault = api->vault,
                                             .databases = o->databases,
                                             .ring = api->ring,
                                             .rotation_us = o->key_rotation_us,
                                             .ahead_us = o->key_ahead_us},
                      &api->keys);
}

static struct err start(struct api *api)
{
    const struct api_options *o = &api->options;
    TRY(start_identity(api));
    TRY(open_services(api));
    TRY(open_caches(api));
    TRY(loop_start(api));
    TRY(pool_start(api, API_QUERY_THREADS, API_QUERY_QUEUE_MAX, &api->pool));
    TRY(pool_start(api, API_HASH_THREADS, API_HASH_QUEUE_MAX, &api->hashers));
    TRY(gateway_open(api));
    return http_server_start(&(struct http_server_options){.address = o->address,
                                                           .port = o->port,
                                                           .threads = o->threads,
                                                           .connections_max = o->connections_max,
                                                           .body_max = BODY_BYTES_MAX,
                                                           .handle = handle,
                                                           .refuse = answer_refused_request,
                                                           .context = api},
                             &api->http);
}

struct err api_start(const struct api_options *options, struct api **ret_api)
{
    if (options->secret.len == 0 || options->email_secret.len == 0)
        return FAIL(ERR_CONFIG, "a secret is not set");
    struct api *api = calloc(1, sizeof *api);
    if (!api)
        return FAIL(ERR_NOMEM, "api");
    api->options = *options;
    struct err e = start(api);
    if (e.code != ERR_OK) {
        api_drain(api);
        api_stop(api);
        return e;
    }
    *ret_api = api;
    return OK;
}

void api_drain(struct api *api)
{
    if (api && api->http && http_server_drain(api->http, API_DRAIN_MS).code != ERR_OK)
        report(REPORT_WARN, "requests_cut_short", NULL);
}

void api_stop(struct api *api)
{
    if (!api)
        return;
    pool_stop(api->hashers); /* what stood in their queues goes on to the loop */
    loop_stop(api->loop);    /* answers all that still waits, or hands it on to be settled */
    pool_stop(api->pool);
    relay_close(api->relay);
    if (api->http && http_server_drain(api->http, API_DRAIN_MS).code != ERR_OK)
        abort(); /* a request was lost by us: see http_server_stop */
    http_server_stop(api->http);
    pool_destroy(api->pool);
    pool_destroy(api->hashers);
    loop_destroy(api->loop);
    keys_stop(api->keys);
    revocations_stop(api->revocations);
    token_ring_destroy(api->ring);
    tokens_destroy(api->tokens);
    vault_destroy(api->vault);
    for (size_t i = 0; i < api->caches_count; i++)
        cache_destroy(api->caches[i]);
    free(api);
}

int api_port(const struct api *api)
{
    return http_server_port(api->http);
}

struct api_counts api_counts(const struct api *api)
{
    struct http_server_counts http = http_server_counts(api->http);
    struct api_counts c = {
        .ready = atomic_load(&api->ready),
        .requests = http.requests,
        .refused = atomic_load(&api->refused) + http.refused,
        .commands = atomic_load(&api->commands),
        .decided = atomic_load(&api->decided),
        .replayed = atomic_load(&api->replayed),
        .undecided = atomic_load(&api->undecided),
        .overloaded = atomic_load(&api->overloaded),
        .append_failed = atomic_load(&api->append_failed),
        .queries = atomic_load(&api->queries),
        .catalogue_hits = atomic_load(&api->hits),
        .catalogue_misses = atomic_load(&api->misses),
        .voids = atomic_load(&api->voids),
        .connections = (int64_t)http.connections_open,
        .revocations_silence_ms = revocations_silence_ms(api->revocations),
    };
    for (size_t i = 0; i < API_LOGINS; i++)
        c.logins[i] = atomic_load(&api->logins[i]);
    for (size_t i = 0; i < API_STATUSES; i++)
        c.answers[i] = atomic_load(&api->answers[i]);
    for (size_t k = 0; k < API_KINDS; k++) {
        for (size_t i = 0; i <= API_BUCKETS; i++)
            c.durations[k].buckets[i] = atomic_load(&api->durations[k].buckets[i]);
        c.durations[k].total_us = atomic_load(&api->durations[k].total_us);
    }
    for (size_t i = 0; i < api->services_count; i++)
        c.in_flight += atomic_load(&api->services[i].in_flight);
    return c;
}
