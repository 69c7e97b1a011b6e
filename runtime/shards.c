/* Lays out shards by services and partitions. */
#include "runtime/shards.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/report.h"

static struct err topic_of(struct log *log, const char *service, const char *suffix,
                           struct log_topic **ret_topic)
{
    char name[TOPIC_LEN_MAX];
    snprintf(name, sizeof name, "%s.%s", service, suffix);
    struct err e = log_topic(log, name, ret_topic);
    if (e.code == ERR_NOT_FOUND)
        report(REPORT_ERROR, "topic_missing", "topic", name, "why", report_err(e), NULL);
    return e;
}

static struct err add_source(struct shards *shards, const struct shards_options *o,
                             const char *service)
{
    struct log_topic *topic;
    for (size_t i = 0; i < shards->sources_count; i++)
        if (strcmp(shards->sources[i].from->name, service) == 0)
            return OK;
    TRY(topic_of(o->log, service, "log", &topic));
    for (int p = 0; p < log_topic_partitions(topic); p++) {
        assert(shards->sources_count < OWNER_SOURCES_MAX);
        struct source *source = &shards->sources[shards->sources_count++];
        *source = (struct source){service_find(o->all, text_of(service)), topic, p};
        assert(source->from);
    }
    return OK;
}

/* A saga reads the services it names; an aggregate reads every saga that may send it commands. */
static struct err add_sources(struct shards *shards, const struct shards_options *o,
                              const struct service *s)
{
    if (s->saga) {
        for (const char *const *source = s->saga->sources; *source; source++)
            TRY(add_source(shards, o, *source));
        return OK;
    }
    for (size_t i = 0; i < o->all->count; i++)
        if (o->all->at[i].saga)
            TRY(add_source(shards, o, o->all->at[i].name));
    return OK;
}

static struct err add_shards(struct shards *shards, const struct shards_options *o,
                             const struct service *s)
{
    struct log_topic *commands, *log, *dead;
    TRY(topic_of(o->log, s->name, "commands", &commands));
    TRY(topic_of(o->log, s->name, "log", &log));
    TRY(topic_of(o->log, s->name, "deadletters", &dead));
    if (log_topic_partitions(commands) != log_topic_partitions(log))
        return FAIL(ERR_CONFIG, "commands and log must have the same partitions");
    for (int p = 0; p < log_topic_partitions(log); p++) {
        assert(shards->count < SHARDS_MAX);
        uint32_t slot = (uint32_t)shards->count++;
        shards->at[slot] = (struct shard){
            .service = s,
            .services = o->all,
            .limits = o->limits,
            .dead_letters = dead,
            .shelf = o->shelf,
            .scratch = o->scratch,
            .owner = {.log = log,
                      .commands = commands,
                      .partition = p,
                      .reader = o->reader,
                      .producer = o->producer,
                      .stop = o->stop,
                      .instance = log_instance(o->log),
                      .slot = slot},
        };
    }
    return OK;
}

static void give_sources(struct shards *shards)
{
    for (size_t i = 0; i < shards->count; i++) {
        struct owner *o = &shards->at[i].owner;
        o->sources_count = shards->sources_count;
        for (size_t k = 0; k < shards->sources_count; k++)
            o->sources[k] = (struct owner_source){.topic = shards->sources[k].topic,
                                                  .partition = shards->sources[k].partition};
    }
}

struct err shards_open(const struct shards_options *options, struct shards *ret_shards)
{
    ret_shards->at = calloc(SHARDS_MAX, sizeof *ret_shards->at);
    if (!ret_shards->at)
        return FAIL(ERR_NOMEM, "shards");
    for (const struct service *const *s = options->services; *s; s++) {
        TRY(add_shards(ret_shards, options, *s));
        TRY(add_sources(ret_shards, options, *s));
    }
    give_sources(ret_shards);
    return OK;
}

void shards_close(struct shards *shards)
{
    for (size_t i = 0; i < shards->count; i++)
        shard_finish(&shards->at[i]);
    free(shards->at);
}
