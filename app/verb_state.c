/* foldlog state: one aggregate as the fold of its log, now, at a version or at a time. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/house.h"
#include "app/log_scan.h"
#include "app/print.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "core/json_shape.h"

enum { STATE_JSON_MAX = 64 * 1024 };

struct look {
    const struct service *service;
    struct text id;                 /* the aggregate's key */
    struct uuid user_id;            /* the id is this user's, not a key; nil: it is a key */
    char user_key[KEY_LEN_MAX + 1]; /* found for it; empty: there is none */
    bool other_life;                /* what comes now is another user's, of the same address */
    int64_t version_max;            /* fold no event after this one */
    int64_t at_max;                 /* microseconds; no decision after this time */
    void *state;
    int64_t version, at;
    int64_t newest; /* version */
};

static void evolve(const struct look *look, const void *event)
{
    if (look->service->saga)
        look->service->saga->evolve(look->state, event);
    else
        look->service->aggregate->evolve(look->state, event);
}

static void take(void *context, const struct feed_item *item)
{
    struct look *look = context;
    const struct decision *d = item->events[0].decision;
    if (!text_equal(d->target, look->id) || d->at > look->at_max ||
        (!uuid_is_nil(look->user_id) && !is_of_life(item, look->user_id, &look->other_life)))
        return;
    for (size_t i = 1; i < item->events_count; i++) {
        look->newest = item->events[i].version;
        if (look->newest > look->version_max)
            continue;
        evolve(look, item->events[i].message);
        look->version = item->events[i].version;
        look->at = d->at;
    }
}

/* 2026-01-31T12:00:00Z, by the format of the schemas. */
static bool read_time(const char *text, int64_t *ret_us)
{
    static const struct json_shape instant = {.kind = SHAPE_INSTANT, .size = sizeof(int64_t)};
    _Alignas(16) char memory[256];
    struct arena arena = {memory, 0, sizeof memory};
    struct json_report report;
    char quoted[64];
    int len = snprintf(quoted, sizeof quoted, "\"%s\"", text);
    return len < (int)sizeof quoted &&
           json_decode(&instant, (struct text){quoted, (size_t)len}, &arena, ret_us, &report);
}

static bool read_version(const char *text, int64_t *ret_version)
{
    char *end;
    *ret_version = strtoll(text, &end, 10);
    return *text && !*end && *ret_version > 0;
}

/* --version N, --at TIME, in any order, after SERVICE and ID. */
static bool read_limits(int argc, char **argv, struct look *look)
{
    for (int i = 0; i + 1 < argc; i += 2) {
        bool good = strcmp(argv[i], "--version") == 0
                        ? read_version(argv[i + 1], &look->version_max)
                    : strcmp(argv[i], "--at") == 0 ? read_time(argv[i + 1], &look->at_max)
                                                   : false;
        if (!good)
            return false;
    }
    return argc % 2 == 0;
}

static bool print(const struct look *look, bool json)
{
    static _Alignas(16) char memory[STATE_JSON_MAX];
    struct arena arena = {memory, 0, sizeof memory};
    struct json_write w = json_write_start(&arena);
    json_write_begin(&w, NULL, '{');
    json_write_text(&w, "service", text_of(look->service->name));
    json_write_text(&w, "id", look->id);
    json_write_number(&w, "version", look->version);
    json_write_time(&w, "at", look->at);
    json_write_begin(&w, "state", '{');
    if (look->service->saga)
        look->service->saga->show(look->state, &w);
    else
        look->service->aggregate->show(look->state, &w);
    json_write_end(&w, '}');
    json_write_end(&w, '}');
    struct text text = json_write_finish(&w, &arena);
    return text.at && print_document(text, json);
}

static void find_user(void *context, const struct feed_item *item)
{
    struct look *look = context;
    struct text key = item->events[0].decision->target;
    if (!uuid_equal(registered_user(item), look->user_id))
        return;
    snprintf(look->user_key, sizeof look->user_key, "%.*s", (int)key.len, key.at);
}

static struct err fold(struct look *look)
{
    const char *services[] = {look->service->name, NULL};
    struct log *log;
    TRY(log_scan_open(&log));
    struct log_scan scan = {
        .log = log, .services = services, .key = look->id, .take = take, .context = look};
    struct err e = OK;
    if (!uuid_is_nil(look->user_id)) {
        e = log_scan(&(struct log_scan){
            .log = log, .services = services, .take = find_user, .context = look});
        if (*look->user_key)
            scan.key = look->id = text_of(look->user_key);
        else
            look->user_id = (struct uuid){0}; /* then it is a key, which looks the same */
    }
    if (e.code == ERR_OK)
        e = log_scan(&scan);
    log_close(log);
    return e;
}

static int show(struct look *look, const char *given, bool json)
{
    struct err e = fold(look);
    if (e.code != ERR_OK)
        return verb_failed("state", e);
    bool asked_version = look->version_max != INT64_MAX;
    if (look->version > 0 && (!asked_version || look->version == look->version_max))
        return print(look, json) ? EXIT_OK : EXIT_FAILED;
    if (look->newest == 0)
        fprintf(stderr, "foldlog: %s has no event of %s%s\n", look->service->name, given,
                look->at_max == INT64_MAX ? "" : " until then");
    else
        fprintf(stderr, "foldlog: %s %s has no version %lld%s; the newest is %lld\n",
                look->service->name, given, (long long)look->version_max,
                look->at_max == INT64_MAX ? "" : " until then", (long long)look->newest);
    return EXIT_NOT_FOUND;
}

int verb_state(int argc, char **argv, const struct verb_options *options)
{
    struct look look = {.version_max = INT64_MAX, .at_max = INT64_MAX};
    if (argc < 2 || !read_limits(argc - 2, argv + 2, &look))
        return verb_usage("state SERVICE ID [--version N] [--at 2026-01-31T12:00:00Z] [--json]");
    look.service = service_find(&house_services, text_of(argv[0]));
    if (!look.service) {
        fprintf(stderr, "foldlog: there is no service \"%s\"\n", argv[0]);
        return EXIT_USAGE;
    }
    look.id = text_of(argv[1]);
    if (strcmp(look.service->name, "user") == 0)
        (void)uuid_read(look.id, &look.user_id);
    look.state = calloc(1, service_state_size(look.service));
    if (!look.state)
        return verb_failed("state", FAIL(ERR_NOMEM, "state"));
    int code = show(&look, argv[1], options->json);
    owned_free(service_owned(look.service), look.state);
    free(look.state);
    return code;
}
