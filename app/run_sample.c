/* Lag of read models and publishers, fulfilments by state; and what is done as seldom. */
#include "app/run_sample.h"

#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/database.h"
#include "app/settings.h"
#include "runtime/query.h"
#include "runtime/report.h"
#include "runtime/store.h"

enum { ENDS_MS = 1000, SAMPLES_MAX = 128, ARENA_BYTES = 256 * 1024, LABELS_MAX = 96 };

struct sample {
    enum sample_kind { SAMPLE_MODEL_LAG, SAMPLE_PUBLISHER_LAG, SAMPLE_SAGAS, SAMPLE_KINDS } kind;
    char labels[LABELS_MAX];
    long long value;
};

struct samples {
    struct sample at[SAMPLES_MAX];
    size_t count;
};

static const struct {
    const char *name, *help;
} metrics[SAMPLE_KINDS] = {
    [SAMPLE_MODEL_LAG] = {"foldlog_projection_lag_records",
                          "Records of its logs a read model has not seen"},
    [SAMPLE_PUBLISHER_LAG] = {"foldlog_publisher_lag_records",
                              "Records of its log a publisher has not seen"},
    [SAMPLE_SAGAS] = {"foldlog_sagas", "Fulfilments under way, by state"},
};

static struct {
    pthread_t thread;
    pthread_mutex_t lock; /* shown, stop */
    pthread_cond_t news;
    bool stop, running;
    struct samples shown;
    /* the thread's own */
    const struct part_list *parts;
    const char *const *databases; /* from the first that has not let us in yet */
    struct log *log;
    struct arena arena;
    struct samples fresh;
    uint64_t takeovers; /* as of the last sample */
    bool given_back;
} sampler = {.lock = PTHREAD_MUTEX_INITIALIZER};

__attribute__((format(printf, 3, 4))) static void add(enum sample_kind kind, long long value,
                                                      const char *labels, ...)
{
    va_list args;
    if (sampler.fresh.count == SAMPLES_MAX)
        return;
    struct sample *s = &sampler.fresh.at[sampler.fresh.count++];
    *s = (struct sample){.kind = kind, .value = value};
    va_start(args, labels);
    vsnprintf(s->labels, sizeof s->labels, labels, args);
    va_end(args);
}

static bool stopping(void)
{
    pthread_mutex_lock(&sampler.lock);
    bool stop = sampler.stop;
    pthread_mutex_unlock(&sampler.lock);
    return stop;
}

/* How many records of partition `p` of `topic` lie at or after `offset`. */
static long long behind(struct text topic, int p, int64_t offset)
{
    char name[TOPIC_LEN_MAX];
    struct log_topic *log;
    int64_t end;
    snprintf(name, sizeof name, "%.*s", (int)topic.len, topic.at);
    if (stopping() || log_topic(sampler.log, name, &log).code != ERR_OK ||
        log_ends_within(log, p, ENDS_MS, NULL, &end).code != ERR_OK || end < offset)
        return 0;
    return end - offset;
}

static void sample_publisher(const struct part *part)
{
    char topic[TOPIC_LEN_MAX];
    struct log_topic *log;
    long long lag = 0;
    snprintf(topic, sizeof topic, "%s.log", part->service);
    if (!atomic_load(&part->published.active) || log_topic(sampler.log, topic, &log).code != ERR_OK)
        return;
    for (int p = 0; p < log_topic_partitions(log); p++) {
        int64_t position = atomic_load(&part->published.position[p]);
        lag += position < 0 ? 0 : behind(text_of(topic), p, position);
    }
    add(SAMPLE_PUBLISHER_LAG, lag, "service=\"%s\"", part->service);
}

static struct err open_database(const char *service, struct query_connection **ret_connection)
{
    char conninfo[STORE_CONNINFO_MAX];
    TRY(store_conninfo(settings_databases(), service, conninfo, sizeof conninfo));
    return query_open(conninfo, ret_connection);
}

static void sample_models(struct query_connection *connection, const char *service)
{
    struct query_rows rows;
    long long lag = 0;
    if (query_run(connection,
                  "SELECT p.projection, p.topic, p.\"partition\"::bigint, p.seen_to"
                  " FROM projection_position p JOIN projection_version v"
                  " ON v.projection = p.projection AND v.generation = p.generation AND v.state = 2"
                  " ORDER BY 1",
                  NULL, 0, &sampler.arena, &rows)
            .code != ERR_OK)
        return;
    for (size_t i = 0; i < rows.count; i++) {
        struct text model = query_at(&rows, i, 0)->text;
        lag += behind(query_at(&rows, i, 1)->text, (int)query_at(&rows, i, 2)->number,
                      query_at(&rows, i, 3)->number);
        if (i + 1 < rows.count && text_equal(model, query_at(&rows, i + 1, 0)->text))
            continue;
        add(SAMPLE_MODEL_LAG, lag, "service=\"%s\",projection=\"%.*s\"", service, (int)model.len,
            model.at);
        lag = 0;
    }
}

/* Those at rest are as many as there ever were orders: not counted. */
static void sample_sagas(struct query_connection *connection)
{
    static const char *const states[] = {"authorizing", "reserving", "capturing", "confirming",
                                         "compensating"};
    struct query_rows rows;
    for (size_t i = 0; i < COUNT(states); i++) {
        const struct query_value state = QUERY_TEXT(text_of(states[i]));
        if (query_run(connection, "SELECT count(*) FROM fulfilments WHERE state = $1", &state, 1,
                      &sampler.arena, &rows)
                .code == ERR_OK)
            add(SAMPLE_SAGAS, query_at(&rows, 0, 0)->number, "state=\"%s\"", states[i]);
    }
    if (query_run(connection, "SELECT count(*) FROM fulfilments WHERE needs_attention", NULL, 0,
                  &sampler.arena, &rows)
            .code == ERR_OK)
        add(SAMPLE_SAGAS, query_at(&rows, 0, 0)->number, "state=\"needs_attention\"");
}

static void sample_projections(const struct part *part)
{
    struct query_connection *connection;
    if (!atomic_load(&part->projected.leader) ||
        open_database(part->service, &connection).code != ERR_OK)
        return;
    sample_models(connection, part->service);
    if (strcmp(part->service, "fulfilment") == 0)
        sample_sagas(connection);
    query_close(connection);
}

/* One after the other: while the server is away they would all say the same. */
static void try_databases(void)
{
    char said[DATABASE_SAID_MAX];
    for (; *sampler.databases && !stopping(); sampler.databases++)
        if (database_try(*sampler.databases, said).code != ERR_OK) {
            report(REPORT_ERROR, "database_not_entered", "service", *sampler.databases, "why", said,
                   NULL);
            return;
        }
}

static void sample_all(void)
{
    sampler.fresh.count = 0;
    for (size_t i = 0; i < sampler.parts->count && !stopping(); i++) {
        const struct part *part = &sampler.parts->at[i];
        arena_reset(&sampler.arena);
        if (part->kind == PART_PUBLISHER)
            sample_publisher(part);
        else if (part->kind == PART_PROJECTIONS)
            sample_projections(part);
    }
}

/* A takeover reads whole logs, more at a time than is ever read again: glibc keeps what was freed
 * of that between what is still needed. Not while there are more: others wait for their memory
 * then. */
static void give_back_memory(void)
{
    uint64_t takeovers = 0;
    for (size_t i = 0; i < sampler.parts->count; i++)
        takeovers += atomic_load(&sampler.parts->at[i].owners.takeovers);
    bool at_rest = takeovers == sampler.takeovers;
    if (at_rest && !sampler.given_back)
        malloc_trim(0);
    sampler.given_back = at_rest;
    sampler.takeovers = takeovers;
}

static void *run(void *context)
{
    (void)context;
    pthread_mutex_lock(&sampler.lock);
    while (!sampler.stop) {
        struct timespec until;
        pthread_mutex_unlock(&sampler.lock);
        try_databases();
        sample_all();
        give_back_memory();
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += SAMPLE_SECONDS;
        pthread_mutex_lock(&sampler.lock);
        sampler.shown = sampler.fresh;
        if (!sampler.stop)
            pthread_cond_timedwait(&sampler.news, &sampler.lock, &until);
    }
    pthread_mutex_unlock(&sampler.lock);
    return NULL;
}

void sampler_start(const struct part_list *parts, const char *const *databases, struct log *log)
{
    sampler.parts = parts;
    sampler.databases = databases;
    sampler.log = log;
    sampler.arena = (struct arena){aligned_alloc(16, ARENA_BYTES), 0, ARENA_BYTES};
    pthread_cond_init(&sampler.news, NULL);
    if (!sampler.arena.base || pthread_create(&sampler.thread, NULL, run, NULL) != 0)
        abort();
    sampler.running = true;
}

void sampler_tell_stop(void)
{
    pthread_mutex_lock(&sampler.lock);
    sampler.stop = true;
    if (sampler.running)
        pthread_cond_signal(&sampler.news);
    pthread_mutex_unlock(&sampler.lock);
}

void sampler_stop(void)
{
    if (!sampler.running)
        return;
    sampler_tell_stop();
    pthread_join(sampler.thread, NULL);
    pthread_cond_destroy(&sampler.news);
    free(sampler.arena.base);
}

void sampler_print(struct admin_page *page)
{
    pthread_mutex_lock(&sampler.lock);
    for (int kind = 0; kind < SAMPLE_KINDS; kind++) {
        bool first = true;
        for (size_t i = 0; i < sampler.shown.count; i++) {
            const struct sample *s = &sampler.shown.at[i];
            if ((int)s->kind != kind)
                continue;
            if (first)
                admin_print(page, "# HELP %s %s\n# TYPE %s gauge\n", metrics[kind].name,
                            metrics[kind].help, metrics[kind].name);
            first = false;
            admin_print(page, "%s{%s} %lld\n", metrics[kind].name, s->labels, s->value);
        }
    }
    pthread_mutex_unlock(&sampler.lock);
}
