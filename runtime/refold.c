/* Folding from the beginning. */
#include "runtime/refold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/read_model.h"

enum { TELL_MS = 100, WAIT_MS = 50 };

struct err refold_open(struct refold *refold, struct log *log,
                       const struct vocabulary_list *vocabularies,
                       const struct projection *projection, size_t max_rows)
{
    struct feed *feed;
    row_check(projection);
    TRY(feed_open(log, projection->sources, NULL, vocabularies, &feed));
    *refold = (struct refold){.projection = projection,
                              .feed = feed,
                              .began_ms = clock_monotonic_ms(),
                              .keys = calloc(PROJECTION_KEYS_MAX, projection->row_size)};
    if (!refold->keys)
        abort();
    row_table_init(&refold->rows, projection);
    refold->max_rows = max_rows ? max_rows : REFOLD_BYTES / refold->rows.stride;
    return OK;
}

void refold_close(struct refold *refold)
{
    feed_close(refold->feed);
    row_table_finish(&refold->rows);
    free(refold->keys);
    *refold = (struct refold){0};
}

static struct refold_place *place_of(struct refold *refold, const struct feed_source *source,
                                     int partition)
{
    return &refold->places[source - feed_source(refold->feed, 0)][partition];
}

void refold_upto(struct refold *refold, const struct model_positions *positions)
{
    for (size_t i = 0; i < positions->count; i++) {
        const struct model_position *p = &positions->at[i];
        const struct feed_source *source = feed_find(refold->feed, p->topic);
        if (source && p->partition < source->partitions)
            place_of(refold, source, p->partition)->upto = p->done.offset;
    }
}

struct err refold_to_ends(struct refold *refold)
{
    for (size_t i = 0; i < feed_sources_count(refold->feed); i++) {
        struct feed_source *source = feed_source(refold->feed, i);
        for (int p = 0; p < source->partitions; p++) {
            int64_t end;
            TRY(log_ends(source->topic, p, NULL, &end));
            place_of(refold, source, p)->upto = end;
        }
    }
    return OK;
}

/* ---- one pass over the logs ---- */

static struct err start_pass(struct refold *refold)
{
    row_table_clear(&refold->rows);
    for (size_t i = 0; i < feed_sources_count(refold->feed); i++) {
        struct feed_source *source = feed_source(refold->feed, i);
        for (int p = 0; p < source->partitions; p++) {
            struct refold_place *place = place_of(refold, source, p);
            TRY(feed_resume(refold->feed, source, p, (struct position){0}));
            *place = (struct refold_place){.upto = place->upto};
            if (place->upto == 0)
                feed_stop(source, p);
        }
    }
    refold->told.pass++;
    return OK;
}

static void drop_above(struct row_table *rows, uint32_t hi)
{
    for (uint32_t i = 0; i < rows->top; i++)
        if (row_table_at(rows, i)->used && row_table_at(rows, i)->hash > hi)
            row_table_remove(rows, i);
}

static struct err note_failure(struct refold *refold, const struct feed_item *item, struct err err)
{
    snprintf(refold->failure, sizeof refold->failure, "%s[%d]@%" PRId64 ": %s",
             log_topic_name(item->source->topic), item->partition, item->offset, err.what);
    return err;
}

static struct err fold_event(struct refold *refold, const struct event *event)
{
    const struct projection *projection = refold->projection;
    size_t count = projection_keys(projection, event, refold->keys);
    struct err err = OK;
    for (size_t i = 0; i < count; i++) {
        char *key = refold->keys + i * projection->row_size;
        uint32_t hash = row_key_hash(projection, key);
        if (err.code == ERR_OK && hash >= refold->lo && hash <= refold->hi) {
            uint32_t slot = row_table_add(&refold->rows, key, hash);
            struct row_slot *at = row_table_at(&refold->rows, slot);
            if (row_slot_apply(projection, at, event, i) == ROW_GAP)
                err = FAIL(ERR_GAP, "event does not follow what the row has seen");
            else if (!at->exists)
                row_table_remove(&refold->rows, slot);
        }
        memset(key, 0, projection->row_size);
    }
    /* A range of one hash cannot be halved: then it is as large as it is. */
    while (refold->rows.count > refold->max_rows && refold->hi > refold->lo) {
        refold->hi = refold->lo + (refold->hi - refold->lo) / 2;
        drop_above(&refold->rows, refold->hi);
    }
    return err;
}

static struct err fold_item(struct refold *refold, const struct feed_item *item)
{
    struct refold_place *place = place_of(refold, item->source, item->partition);
    if (item->offset >= place->upto)
        return OK;
    if (item->err.code != ERR_OK)
        return note_failure(refold, item, item->err);
    for (size_t i = 0; i < item->events_count; i++) {
        struct err err = fold_event(refold, &item->events[i]);
        if (err.code != ERR_OK)
            return note_failure(refold, item, err);
    }
    refold->told.events += (int64_t)item->events_count - 1;
    place->done = (struct position){item->offset + 1, item->print};
    place->commands_next = item->commands_next;
    return OK;
}

/* Has every partition been read as far as it counts? */
static bool pass_is_done(struct refold *refold, int64_t *ret_read, int64_t *ret_total)
{
    bool done = true;
    *ret_read = *ret_total = 0;
    for (size_t i = 0; i < feed_sources_count(refold->feed); i++) {
        struct feed_source *source = feed_source(refold->feed, i);
        for (int p = 0; p < source->partitions; p++) {
            struct refold_place *place = place_of(refold, source, p);
            int64_t next = source->cursors[p].next;
            place->read = next < place->upto ? next : place->upto;
            *ret_read += place->read;
            *ret_total += place->upto;
            if (next < place->upto)
                done = false;
            else
                feed_stop(source, p);
        }
    }
    return done;
}

static void tell(struct refold *refold, int64_t read, int64_t total, bool now)
{
    struct refold_progress *told = &refold->told;
    int64_t ms = clock_monotonic_ms();
    double pass = total > 0 ? (double)read / (double)total : 1;
    double width = (double)refold->hi - (double)refold->lo + 1;
    double share = ((double)refold->lo + width * pass) / 4294967296.0;
    told->records = refold->records_before + read;
    told->seconds = (double)(ms - refold->began_ms) / 1000;
    told->share = share > told->share ? share : told->share;
    if (!refold->progress || (!now && ms - refold->told_ms < TELL_MS))
        return;
    refold->told_ms = ms;
    refold->progress(refold->context, told);
}

struct err refold_range(struct refold *refold, uint32_t lo, uint32_t *ret_hi)
{
    int64_t read, total;
    refold->lo = lo;
    refold->hi = UINT32_MAX;
    TRY(start_pass(refold));
    while (!pass_is_done(refold, &read, &total)) {
        const struct feed_item *items;
        size_t count;
        bool moved;
        TRY(feed_read(refold->feed, &items, &count, &moved));
        for (size_t i = 0; i < count; i++)
            TRY(fold_item(refold, &items[i]));
        if (!moved && count == 0)
            feed_wait(refold->feed, WAIT_MS);
        tell(refold, read, total, false);
    }
    tell(refold, read, total, true);
    refold->records_before += total;
    *ret_hi = refold->hi;
    return OK;
}
