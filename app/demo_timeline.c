/* Polls, keeps, sorts and shows entries. */
#include "app/demo_timeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/demo_screen.h"

/* RFC 3339 in UTC with a fraction. 0: it is no such time. */
static int64_t read_time(const char *text)
{
    struct tm tm = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    if (!rest)
        return 0;
    return (int64_t)timegm(&tm) * 1000000 +
           (int64_t)(strtod(*rest == '.' ? rest : "0", NULL) * 1e6 + 0.5);
}

static const char *word(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static bool known(const struct demo_timeline *timeline, const char *key)
{
    for (int i = 0; i < timeline->count; i++)
        if (strcmp(timeline->entries[i].key, key) == 0)
            return true;
    return false;
}

static int take(struct demo_timeline *timeline, const json_t *item)
{
    struct demo_entry e = {.poll = timeline->polls};
    snprintf(e.key, sizeof e.key, "%s/%lld/%lld/%lld", word(item, "service"),
             json_integer_value(json_object_get(item, "partition")),
             json_integer_value(json_object_get(item, "offset")),
             json_integer_value(json_object_get(item, "index")));
    if (known(timeline, e.key) || timeline->count == DEMO_ENTRIES_MAX)
        return 0;
    snprintf(e.type, sizeof e.type, "%s", word(item, "type"));
    snprintf(e.detail, sizeof e.detail, "%s%s",
             strcmp(word(item, "kind"), "refused") == 0 ? "refused: " : "", word(item, "detail"));
    e.command = strcmp(word(item, "kind"), "command") == 0;
    e.at_us = read_time(word(item, "at"));
    if (timeline->count == 0 || e.at_us < timeline->began_us)
        timeline->began_us = e.at_us;
    timeline->entries[timeline->count++] = e;
    return 1;
}

int demo_timeline_poll(struct demo_timeline *timeline, struct demo_http *api, const char *order_id)
{
    char path[DEMO_URL_MAX];
    json_t *answer, *item;
    size_t i;
    int fresh = 0;
    snprintf(path, sizeof path, "/v1/orders/%s/timeline", order_id);
    int status = demo_http_call(api, "GET", path, NULL, NULL, &answer);
    timeline->polls++;
    if (status == 200 && json_is_array(json_object_get(answer, "items"))) {
        json_array_foreach(json_object_get(answer, "items"), i, item) fresh += take(timeline, item);
    } else if (status != 404 && status != 503) {
        fprintf(stderr, "foldlog demo: GET %s answered %d\n", path, status);
        fresh = -1;
    }
    json_decref(answer);
    return fresh;
}

/* The oldest that is ready to be shown. */
static struct demo_entry *next(struct demo_timeline *timeline, bool flush)
{
    struct demo_entry *oldest = NULL;
    for (struct demo_entry *e = timeline->entries; e < timeline->entries + timeline->count; e++)
        if (!e->shown && (!oldest || e->at_us < oldest->at_us))
            oldest = e;
    return oldest && (flush || oldest->poll < timeline->polls) ? oldest : NULL;
}

void demo_timeline_show(struct demo_timeline *timeline, bool flush)
{
    for (struct demo_entry *e; (e = next(timeline, flush)); e->shown = true)
        if (strncmp(e->type, "fulfilment.timer_set.", 21) != 0) /* bookkeeping */
            demo_event(e->at_us - timeline->began_us, e->type, e->detail);
}

bool demo_timeline_has(const struct demo_timeline *timeline, const char *type)
{
    for (int i = 0; i < timeline->count; i++)
        if (strcmp(timeline->entries[i].type, type) == 0)
            return true;
    return false;
}
