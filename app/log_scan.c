/* One feed over the logs, until every partition has been read up to where it ended at the start. */
#include "app/log_scan.h"

#include "app/house.h"
#include "app/instance.h"
#include "app/settings.h"
#include "core/partition.h"
#include "schemas/user.h"

enum { WAIT_MS = 100 };

struct ends {
    int64_t at[FEED_SOURCES_MAX][PARTITIONS_MAX];
};

struct err log_scan_open(struct log **ret_log)
{
    return instance_log("foldlog-verb", ret_log);
}

static struct err start(const struct log_scan *scan, struct feed *feed, struct ends *ends)
{
    for (size_t s = 0; s < feed_sources_count(feed); s++) {
        struct feed_source *source = feed_source(feed, s);
        for (int p = 0; p < source->partitions; p++) {
            TRY(feed_resume(feed, source, p, (struct position){0}));
            TRY(log_ends(source->topic, p, NULL, &ends->at[s][p]));
            if (scan->key.at && partition_of(scan->key, source->partitions) != p)
                ends->at[s][p] = 0;
            if (ends->at[s][p] == 0)
                feed_stop(source, p);
        }
    }
    return OK;
}

static bool all_read(struct feed *feed, const struct ends *ends)
{
    for (size_t s = 0; s < feed_sources_count(feed); s++) {
        struct feed_source *source = feed_source(feed, s);
        for (int p = 0; p < source->partitions; p++)
            if (!source->stopped[p] && source->cursors[p].next < ends->at[s][p])
                return false;
    }
    return true;
}

static struct err read_all(const struct log_scan *scan, struct feed *feed, const struct ends *ends)
{
    while (!all_read(feed, ends)) {
        const struct feed_item *items;
        size_t count;
        bool moved;
        TRY(feed_read(feed, &items, &count, &moved));
        for (size_t i = 0; i < count; i++) {
            TRY(items[i].err);
            scan->take(scan->context, &items[i]);
        }
        if (!moved)
            feed_wait(feed, WAIT_MS);
    }
    return OK;
}

struct uuid registered_user(const struct feed_item *item)
{
    for (size_t i = 1; i < item->events_count; i++) {
        const struct user_event *event = event_as(&item->events[i], user);
        if (event && event->tag == USER_EVENT_REGISTERED_V1)
            return event->as.registered_v1.user_id;
    }
    return (struct uuid){0};
}

bool is_of_life(const struct feed_item *item, struct uuid user_id, bool *other_life)
{
    struct uuid begun = registered_user(item);
    if (!uuid_is_nil(begun))
        *other_life = !uuid_equal(begun, user_id);
    return !*other_life;
}

struct err log_scan(const struct log_scan *scan)
{
    struct feed *feed;
    struct ends ends = {0};
    TRY(feed_open(scan->log, scan->services, NULL, &house_vocabularies, &feed));
    struct err e = start(scan, feed, &ends);
    if (e.code == ERR_OK)
        e = read_all(scan, feed, &ends);
    feed_close(feed);
    return e;
}
