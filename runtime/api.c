/* Requests come in, find their route, and are handed to whoever answers them. */
#include "runtime/api_internal.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/report.h"

enum { ALLOW_BYTES = 128 };

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

void api_call_done(struct api_call *call, int status)
{
    assert(status > 0 && status < API_STATUSES);
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

static void start_command(struct api_call *call)
{
    if (!header_command(call) || !header_media_type(call))
        return;
    bool waits = call->positions_count && call->route->command->catalogue;
    if ((waits || !command_try(call)) && !pool_submit(call->api, call))
        answer_problem(call, PROBLEM_OVERLOADED, "Too many requests wait for the read models.");
}

static void start_query(struct api_call *call)
{
    atomic_fetch_add(&call->api->queries, 1);
    if (!pool_submit(call->api, call))
        answer_problem(call, PROBLEM_OVERLOADED, "Too many requests wait for the read models.");
}

/* Everybody is the developer, until there are identities. */
static bool authenticate(struct api_call *call)
{
    if (call->api->options.behind_gateway) {
        if (gateway_believe(call))
            return true;
        answer_problem(call, PROBLEM_UNAUTHENTICATED, "This port serves gateways only.");
        return false;
    }
    call->actor = call->api->options.developer;
    if (call->route->roles == 0 || (call->actor.roles & call->route->roles))
        return true;
    answer_problem(call, PROBLEM_FORBIDDEN, "Your roles do not allow this.");
    return false;
}

static void handle(void *context, struct http_request *http)
{
    struct api *api = context;
    char allow[ALLOW_BYTES];
    struct api_call *call = calloc(1, sizeof *call);
    if (!call)
        abort();
    call->api = api;
    call->http = http;
    call->began_us = clock_monotonic_us();
    header_trace(call);
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
    call->service = api_service_find(api, call->route->service);
    const char *peer = gateway_peer(api, call->route->service);
    if (!call->service && peer)
        gateway_forward(call, peer);
    else if (!call->service)
        answer_problem(call, PROBLEM_UNAVAILABLE, "This service is not served here.");
    else if (call->route->command)
        start_command(call);
    else
        start_query(call);
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

/* One cache for each catalogue that a route of a served service looks things up in. */
static struct err open_caches(struct api *api)
{
    char name[TOPIC_LEN_MAX];
    for (size_t i = 0; i < api->options.routes.count; i++) {
        const struct route *route = &api->options.routes.at[i];
        const struct catalogue *catalogue = route->command ? route->command->catalogue : NULL;
        struct log_topic *source;
        if (!catalogue || !api_service_find(api, route->service) || cache_of(api, catalogue))
            continue;
        if (api->caches_count == API_CATALOGUES_MAX)
            return FAIL(ERR_CONFIG, "too many catalogues");
        snprintf(name, sizeof name, "%s.log", catalogue->source);
        TRY(log_topic(api->options.log, name, &source));
        TRY(cache_create(catalogue, source, &api->caches[api->caches_count]));
        api->caches_count++;
    }
    return OK;
}

static struct err start(struct api *api)
{
    const struct api_options *o = &api->options;
    TRY(open_services(api));
    TRY(open_caches(api));
    TRY(loop_start(api));
    TRY(pool_start(api));
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
    if (sodium_init() < 0)
        return FAIL(ERR_CONFIG, "libsodium");
    if (options->secret.len == 0)
        return FAIL(ERR_CONFIG, "the secret of the request fingerprints is not set");
    struct api *api = calloc(1, sizeof *api);
    if (!api)
        return FAIL(ERR_NOMEM, "api");
    api->options = *options;
    struct err e = start(api);
    if (e.code != ERR_OK) {
        api_stop(api);
        return e;
    }
    *ret_api = api;
    return OK;
}

void api_stop(struct api *api)
{
    if (!api)
        return;
    if (api->http && http_server_drain(api->http, API_DRAIN_MS).code != ERR_OK)
        report(REPORT_WARN, "requests_cut_short", NULL);
    pool_stop(api->pool); /* what stood in its queue goes on to the loop */
    loop_stop(api->loop); /* answers all that still waits */
    relay_close(api->relay);
    if (api->http && http_server_drain(api->http, API_DRAIN_MS).code != ERR_OK)
        abort(); /* a request was lost by us: see http_server_stop */
    http_server_stop(api->http);
    pool_destroy(api->pool);
    loop_destroy(api->loop);
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
    };
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
