/* foldlog trace: all that belongs to an order, a payment, a user, a command, an event or an HTTP
 * trace, as the logs have it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/house.h"
#include "app/log_scan.h"
#include "app/verbs.h"
#include "runtime/traceparent.h"

enum { SERVICES_MAX = 32, ENTRIES_MAX = 4096, LINE_BYTES = 512, TRACE_ID_LEN = 32 };

struct entry {
    int64_t at;
    size_t seen; /* as it was read, where times are equal */
    char line[LINE_BYTES];
};

struct trace {
    struct text given;          /* the id as typed */
    struct uuid id;             /* nil: it is no UUID */
    struct uuid saga;           /* the order it belongs to; nil: of none */
    char user[KEY_LEN_MAX + 1]; /* the key of the user it is; empty: of none */
    bool other_life;            /* of that key */
    bool found, cut, json;
    struct entry *entries;
    size_t count;
};

/* ---- what belongs to it --------------------------------------------------------------------- */

static bool is_in_trace(const struct trace *t, struct text traceparent)
{
    return t->given.len == TRACE_ID_LEN && traceparent.len > 3 + TRACE_ID_LEN &&
           memcmp(traceparent.at + 3, t->given.at, TRACE_ID_LEN) == 0;
}

static bool names_it(const struct trace *t, const struct feed_item *item)
{
    const struct decision *d = item->events[0].decision;
    if (text_equal(d->target, t->given) || is_in_trace(t, d->traceparent))
        return true;
    if (uuid_is_nil(t->id))
        return false;
    for (size_t i = 1; i < item->events_count; i++)
        if (uuid_equal(item->events[i].id, t->id))
            return true;
    return uuid_equal(d->command_id, t->id) || uuid_equal(d->attempt, t->id) ||
           uuid_equal(d->cause, t->id) || uuid_equal(d->saga, t->id);
}

static void find(void *context, const struct feed_item *item)
{
    struct trace *t = context;
    const struct decision *d = item->events[0].decision;
    bool is_user = !uuid_is_nil(t->id) && uuid_equal(registered_user(item), t->id);
    if (is_user)
        snprintf(t->user, sizeof t->user, "%.*s", (int)d->target.len, d->target.at);
    if (!is_user && !names_it(t, item))
        return;
    t->found = true;
    if (uuid_is_nil(t->saga))
        t->saga = d->saga;
}

/* ---- what is printed ------------------------------------------------------------------------ */

static void time_text(int64_t at_us, char out[32])
{
    _Alignas(16) char memory[128];
    struct arena arena = {memory, 0, sizeof memory};
    struct json_write w = json_write_start(&arena);
    json_write_time(&w, NULL, at_us);
    struct text text = json_write_finish(&w, &arena);
    snprintf(out, 32, "%.*s", text.len > 2 ? (int)text.len - 2 : 0, text.at ? text.at + 1 : "");
}

static void add(struct trace *t, const struct feed_item *item, struct text type, int64_t version)
{
    const struct decision *d = item->events[0].decision;
    char at[32], command[UUID_TEXT_LEN + 1], saga[UUID_TEXT_LEN + 1];
    if (t->count == ENTRIES_MAX) {
        t->cut = true;
        return;
    }
    struct entry *e = &t->entries[t->count];
    *e = (struct entry){.at = d->at, .seen = t->count};
    t->count++;
    time_text(d->at, at);
    uuid_format(d->command_id, command);
    uuid_format(d->saga, saga);
    bool refused = d->outcome == OUTCOME_REFUSED;
    const char *problem = refused ? problem_rows[d->problem].code : "";
    if (t->json)
        snprintf(e->line, sizeof e->line,
                 "{\"at\":\"%s\",\"service\":\"%s\",\"target\":\"%.*s\",\"type\":\"%.*s\","
                 "\"version\":%lld,"
                 "\"problem\":\"%s\",\"replayed\":%s,\"command_id\":\"%s\",\"order_id\":\"%s\","
                 "\"partition\":%d,\"offset\":%lld}",
                 at, item->source->service, (int)d->target.len, d->target.at, (int)type.len,
                 type.at, (long long)version, problem, d->replayed ? "true" : "false", command,
                 saga, item->partition, (long long)item->offset);
    else
        snprintf(e->line, sizeof e->line, "%s  %-10s %-36.*s %-32.*s %s%s%s  %s.log[%d]@%lld", at,
                 item->source->service, (int)d->target.len, d->target.at, (int)type.len, type.at,
                 refused ? "refused: " : "", problem, d->replayed ? "repeated" : "",
                 item->source->service, item->partition, (long long)item->offset);
}

static void take(void *context, const struct feed_item *item)
{
    struct trace *t = context;
    const struct decision *d = item->events[0].decision;
    bool ours =
        (!uuid_is_nil(t->saga) && uuid_equal(d->saga, t->saga)) ||
        (*t->user && text_is(d->target, t->user) && is_of_life(item, t->id, &t->other_life));
    if (!ours && !names_it(t, item))
        return;
    if (d->outcome == OUTCOME_REFUSED || d->replayed)
        add(t, item, d->type, d->version);
    for (size_t i = 1; i < item->events_count; i++)
        add(t, item, d->events[item->events[i].index].type, item->events[i].version);
}

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->seen < y->seen ? -1 : x->seen > y->seen;
}

static void print(struct trace *t)
{
    qsort(t->entries, t->count, sizeof *t->entries, by_time);
    for (size_t i = 0; i < t->count; i++)
        puts(t->entries[i].line);
    if (t->cut)
        fprintf(stderr, "foldlog: only the first %d entries that were read are shown\n",
                ENTRIES_MAX);
}

/* Twice over the logs: which order or user is it, and what belongs to that. */
static struct err read_logs(struct trace *t)
{
    const char *services[SERVICES_MAX + 1] = {0};
    struct log *log;
    for (size_t i = 0; i < house_services.count && i < SERVICES_MAX; i++)
        services[i] = house_services.at[i].name;
    TRY(log_scan_open(&log));
    struct log_scan scan = {.log = log, .services = services, .take = find, .context = t};
    struct err e = log_scan(&scan);
    scan.take = take;
    if (e.code == ERR_OK && t->found)
        e = log_scan(&scan);
    log_close(log);
    return e;
}

int verb_trace(int argc, char **argv, const struct verb_options *options)
{
    struct trace t = {.json = options->json};
    if (argc != 1)
        return verb_usage("trace ORDER|PAYMENT|USER|COMMAND|EVENT|TRACE [--json]");
    t.given = text_of(argv[0]);
    if (t.given.len == TRACEPARENT_LEN && memcmp(argv[0], "00-", 3) == 0)
        t.given = (struct text){argv[0] + 3, TRACE_ID_LEN};
    (void)uuid_read(t.given, &t.id);
    t.entries = calloc(ENTRIES_MAX, sizeof *t.entries);
    if (!t.entries)
        return verb_failed("trace", FAIL(ERR_NOMEM, "entries"));
    struct err e = read_logs(&t);
    if (e.code == ERR_OK)
        print(&t);
    free(t.entries);
    if (e.code != ERR_OK)
        return verb_failed("trace", e);
    if (t.found)
        return EXIT_OK;
    fprintf(stderr, "foldlog: nothing in the logs is called %s\n", argv[0]);
    return EXIT_NOT_FOUND;
}
