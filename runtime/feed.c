/* Cursors over all partitions of some logs, and the decoding of what they hand out. */
#include "runtime/feed.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json_shape.h"

enum { READ_MAX = 256 }; /* decisions of one partition before the next has its turn */

struct feed {
    struct log *log;
    struct log_reader *reader;
    struct arena bytes; /* records of the batch */
    struct arena chunks[FEED_CHUNKS_MAX];
    size_t chunk; /* that is being filled */
    struct fact facts[FEED_BATCH];
    struct feed_item items[FEED_BATCH];
    size_t items_count;
    struct feed_source sources[FEED_SOURCES_MAX];
    size_t sources_count;
    size_t turn; /* which partition reads first */
    uint64_t skipped;
};

/* ---- opening ---- */

static const struct vocabulary *vocabulary_find(const struct vocabulary_list *list,
                                                const char *service)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->at[i].service, service) == 0)
            return list->at[i].events;
    return NULL;
}

static struct err add_source(struct feed *feed, const char *service, const char *own,
                             const struct vocabulary_list *vocabularies)
{
    char name[TOPIC_LEN_MAX + 1];
    assert(feed->sources_count < FEED_SOURCES_MAX);
    struct feed_source *source = &feed->sources[feed->sources_count];
    snprintf(name, sizeof name, "%s.log", service);
    *source = (struct feed_source){.service = service,
                                   .own = own && strcmp(own, service) == 0,
                                   .events = vocabulary_find(vocabularies, service)};
    if (!source->events)
        return FAIL(ERR_CONFIG, "no vocabulary for a service whose log is folded");
    TRY(log_topic(feed->log, name, &source->topic));
    source->partitions = log_topic_partitions(source->topic);
    assert(source->partitions <= PARTITIONS_MAX);
    feed->sources_count++;
    return OK;
}

struct err feed_open(struct log *log, const char *const *services, const char *own,
                     const struct vocabulary_list *vocabularies, struct feed **ret_feed)
{
    struct feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return FAIL(ERR_NOMEM, "feed");
    feed->log = log;
    feed->bytes = (struct arena){.base = malloc(FEED_BYTES), .size = FEED_BYTES};
    struct err err =
        feed->bytes.base ? log_reader_open(log, &feed->reader) : FAIL(ERR_NOMEM, "feed");
    for (size_t i = 0; err.code == ERR_OK && services[i]; i++)
        err = add_source(feed, services[i], own, vocabularies);
    if (err.code == ERR_OK)
        *ret_feed = feed;
    else
        feed_close(feed);
    return err;
}

void feed_close(struct feed *feed)
{
    if (!feed)
        return;
    if (feed->reader)
        log_reader_close(feed->reader);
    for (size_t i = 0; i < FEED_CHUNKS_MAX; i++)
        free(feed->chunks[i].base);
    free(feed->bytes.base);
    free(feed);
}

size_t feed_sources_count(const struct feed *feed)
{
    return feed->sources_count;
}

struct feed_source *feed_source(struct feed *feed, size_t i)
{
    assert(i < feed->sources_count);
    return &feed->sources[i];
}

struct feed_source *feed_find(struct feed *feed, const char *topic)
{
    for (size_t i = 0; i < feed->sources_count; i++)
        if (strcmp(log_topic_name(feed->sources[i].topic), topic) == 0)
            return &feed->sources[i];
    return NULL;
}

struct err feed_resume(struct feed *feed, struct feed_source *source, int partition,
                       struct position done)
{
    assert(partition < source->partitions);
    source->stopped[partition] = false;
    return cursor_resume(&source->cursors[partition], feed->reader, source->topic, partition, done);
}

void feed_stop(struct feed_source *source, int partition)
{
    source->stopped[partition] = true;
}

void feed_wait(struct feed *feed, int timeout_ms)
{
    log_wait(feed->reader, timeout_ms);
}

void feed_wake(struct feed *feed)
{
    log_wake(feed->reader);
}

uint64_t feed_skipped(const struct feed *feed)
{
    return feed->skipped;
}

/* ---- decoding ---- */

static struct arena *next_chunk(struct feed *feed)
{
    if (++feed->chunk >= FEED_CHUNKS_MAX)
        return NULL;
    struct arena *chunk = &feed->chunks[feed->chunk];
    if (!chunk->base)
        *chunk = (struct arena){.base = malloc(UNIT_ARENA_BYTES), .size = UNIT_ARENA_BYTES};
    arena_reset(chunk);
    return chunk->base ? chunk : NULL;
}

static void first_chunk(struct feed *feed)
{
    feed->chunk = SIZE_MAX;
    (void)next_chunk(feed);
}

/* The message in the current chunk; *ret_message NULL: passed over. */
static struct err decode_message(struct feed *feed, struct arena *chunk,
                                 const struct feed_source *source, const struct payload *payload,
                                 const void **ret_message)
{
    struct json_report report = {0};
    if (message_tag(source->events, payload->type) == 0) {
        if (source->own || message_is_known_otherwise(source->events, payload->type))
            return FAIL(ERR_UNKNOWN_TYPE, "event of an unknown type or version");
        feed->skipped++;
        *ret_message = NULL;
        return OK;
    }
    void *message = arena_alloc(chunk, source->events->size);
    if (!message)
        return FAIL(ERR_NOMEM, "events of a decision");
    if (!message_decode(source->events, payload->type, payload->data, chunk, message, &report)) {
        bool full = report.count > 0 && strcmp(report.faults[0].keyword, "memory") == 0;
        return full ? FAIL(ERR_NOMEM, "events of a decision")
                    : FAIL(ERR_MALFORMED, "event that does not fit its schema");
    }
    *ret_message = message;
    return OK;
}

static struct event event_of(const struct feed_source *source, const struct fact *fact)
{
    return (struct event){.service = source->service,
                          .vocabulary = source->events,
                          .version = fact->decision.version,
                          .decision = &fact->decision,
                          .partition = fact->partition,
                          .index = -1,
                          .offset = fact->offset};
}

static struct err decode_into(struct feed *feed, struct arena *chunk,
                              const struct feed_source *source, const struct fact *fact,
                              struct feed_item *item)
{
    struct event *events = arena_alloc(chunk, (fact->decision.events_count + 1) * sizeof *events);
    size_t count = 0;
    if (!events)
        return FAIL(ERR_NOMEM, "events of a decision");
    events[count++] = event_of(source, fact);
    for (size_t i = 0; i < fact->decision.events_count; i++) {
        struct event event = event_of(source, fact);
        TRY(decode_message(feed, chunk, source, &fact->decision.events[i], &event.message));
        if (!event.message)
            continue;
        event.id = event_id(&fact->decision, i);
        event.version = event_version(&fact->decision, i);
        event.index = (int32_t)i;
        events[count++] = event;
    }
    item->events = events;
    item->events_count = count;
    return OK;
}

/* An error stays in the item: whoever folds this log must stop there. */
static void decode(struct feed *feed, const struct feed_source *source, const struct fact *fact)
{
    struct feed_item *item = &feed->items[feed->items_count++];
    *item = (struct feed_item){.source = source,
                               .partition = fact->partition,
                               .offset = fact->offset,
                               .print = fact->decision.mark.print,
                               .commands_next = fact->decision.mark.commands_next};
    item->err = decode_into(feed, &feed->chunks[feed->chunk], source, fact, item);
    if (item->err.code != ERR_NOMEM)
        return;
    struct arena *fresh = next_chunk(feed);
    if (fresh)
        item->err = decode_into(feed, fresh, source, fact, item);
}

/* ---- reading ---- */

static void stop_with(struct feed *feed, struct feed_source *source, int partition, struct err err)
{
    struct feed_item *item = &feed->items[feed->items_count++];
    *item = (struct feed_item){.source = source,
                               .partition = partition,
                               .offset = source->cursors[partition].next,
                               .err = err};
    source->stopped[partition] = true;
}

static struct err read_partition(struct feed *feed, struct feed_source *source, int partition,
                                 bool *ret_moved)
{
    struct cursor *cursor = &source->cursors[partition];
    struct fact *facts = &feed->facts[feed->items_count];
    size_t room = FEED_BATCH - feed->items_count, count = 0;
    int64_t from = cursor->next;
    if (source->stopped[partition])
        return OK;
    struct err err = cursor_read(cursor, feed->reader, &feed->bytes, facts,
                                 room < READ_MAX ? room : READ_MAX, &count);
    if (err_class(err) == ERR_CLASS_HALT) {
        stop_with(feed, source, partition, err);
        return OK;
    }
    TRY(err);
    for (size_t i = 0; i < count; i++)
        decode(feed, source, &facts[i]);
    *ret_moved |= cursor->next != from;
    return OK;
}

struct err feed_read(struct feed *feed, const struct feed_item **ret_items, size_t *ret_count,
                     bool *ret_moved)
{
    size_t total = 0;
    bool moved = false;
    for (size_t i = 0; i < feed->sources_count; i++)
        total += (size_t)feed->sources[i].partitions;
    arena_reset(&feed->bytes);
    first_chunk(feed);
    feed->items_count = 0;
    for (size_t n = 0; n < total; n++) {
        size_t source = 0, partition = (feed->turn + n) % total;
        while (partition >= (size_t)feed->sources[source].partitions)
            partition -= (size_t)feed->sources[source++].partitions;
        if (feed->items_count == FEED_BATCH ||
            feed->bytes.size - feed->bytes.used < FEED_BYTES_LEAST)
            break;
        TRY(read_partition(feed, &feed->sources[source], (int)partition, &moved));
    }
    feed->turn++;
    *ret_items = feed->items;
    *ret_count = feed->items_count;
    *ret_moved = moved;
    return OK;
}
