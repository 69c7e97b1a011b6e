/* Fold, copy, index, catch up, swap. */
#include "runtime/rebuild.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/read_model.h"

enum {
    JOB_ARENA = 512 * 1024,
    HOLD_TRIES = 20,
    CATCH_UP_CACHE_BYTES = 8 * 1024 * 1024,
    WAIT_MS = 50,
    ADVANCES_MAX = FEED_SOURCES_MAX * PARTITIONS_MAX
};

struct job {
    const struct rebuild_options *options;
    struct rebuild_report *report;
    struct store *store;
    struct arena arena;
    struct refold refold;
    struct rebuild_progress progress;
    int64_t generation;
    struct read_model model;
    struct store_advance advances[ADVANCES_MAX];
};

static void enter(struct job *job, enum rebuild_phase phase)
{
    job->progress.phase = phase;
    if (job->options->progress)
        job->options->progress(job->options->context, &job->progress);
}

static void tell_fold(void *context, const struct refold_progress *progress)
{
    struct job *job = context;
    job->progress.fold = *progress;
    enter(job, REBUILD_FOLD);
}

/* ---- what is there ---- */

/* The live generation, if it is one to compare with. *ret_there: there is a live one at all. */
static struct err find_live(struct job *job, struct generation *ret_live, bool *ret_comparable)
{
    const struct projection *projection = job->options->projection;
    struct generations all;
    *ret_comparable = false;
    *ret_live = (struct generation){0};
    arena_reset(&job->arena);
    TRY(store_generations(job->store, projection->service, &job->arena, &all));
    for (size_t i = 0; i < all.count; i++) {
        const struct generation *g = &all.at[i];
        if (strcmp(g->name, projection->name) != 0 || g->state != GENERATION_LIVE)
            continue;
        *ret_live = *g;
        *ret_comparable = g->table && !g->halted && g->version == projection->version;
    }
    return OK;
}

/* What an earlier rebuild left: nobody else is at it, we hold the lock. */
static struct err clear_leftovers(struct job *job)
{
    const struct projection *projection = job->options->projection;
    struct generations all;
    arena_reset(&job->arena);
    TRY(store_generations(job->store, projection->service, &job->arena, &all));
    for (size_t i = 0; i < all.count; i++)
        if (strcmp(all.at[i].name, projection->name) == 0 && all.at[i].state != GENERATION_LIVE)
            TRY(store_generation_drop(job->store, projection->name, all.at[i].number));
    return OK;
}

/* How far to fold: never past an old one that it will be compared with. */
static struct err aim(struct job *job)
{
    struct generation live;
    struct model_positions positions;
    bool comparable;
    TRY(find_live(job, &live, &comparable));
    if (!comparable)
        return refold_to_ends(&job->refold);
    TRY(store_positions(job->store, live.name, live.number, &job->arena, &positions));
    refold_upto(&job->refold, &positions);
    return OK;
}

/* ---- fold and copy ---- */

static struct err copy_range(struct job *job, struct store_table *table)
{
    const void **rows;
    int64_t count;
    uint64_t digest;
    row_table_digest(&job->refold.rows, &count, &digest);
    size_t sorted = row_table_sorted(&job->refold.rows, &rows);
    struct err err = store_table_copy(table, rows, sorted);
    free(rows);
    job->report->rows += count;
    job->report->digest += digest;
    job->report->passes++;
    job->progress.rows = job->report->rows;
    return err;
}

static struct err fold_and_copy(struct job *job, struct store_table *table)
{
    uint32_t hi = 0;
    for (uint64_t lo = 0; lo <= UINT32_MAX; lo = (uint64_t)hi + 1) {
        TRY(refold_range(&job->refold, (uint32_t)lo, &hi));
        enter(job, REBUILD_COPY);
        TRY(copy_range(job, table));
    }
    row_table_clear(&job->refold.rows);
    return OK;
}

static struct err fill(struct job *job)
{
    struct store_table *table;
    TRY(store_generation_create(job->store, job->options->projection, &job->generation));
    TRY(store_table_open(job->store, job->options->projection, job->generation, &table));
    struct err err = fold_and_copy(job, table);
    store_table_close(table);
    TRY(err);
    enter(job, REBUILD_INDEX);
    return store_generation_index(job->store, job->options->projection, job->generation);
}

/* ---- positions ---- */

static struct refold_place *place_of(struct job *job, size_t source, int partition)
{
    return &job->refold.places[source][partition];
}

static struct err write_unit(struct job *job, const struct store_advance *advances, size_t count,
                             int64_t rows, uint64_t digest)
{
    struct store_table *failed;
    struct store_tally tally = {
        .generation = job->generation, .rows = rows, .digest = (int64_t)digest};
    row_text_set(&tally.name, text_of(job->options->projection->name));
    struct store_fence fence = {.service = job->options->projection->service,
                                .advances = advances,
                                .advances_count = count,
                                .tallies = &tally,
                                .tallies_count = 1};
    TRY(store_unit_begin(job->store, &fence));
    if (job->model.table)
        TRY(read_model_write(&job->model));
    return store_unit_end(job->store, &failed);
}

static struct store_advance advance_of(const struct job *job, const struct feed_source *source,
                                       int partition, int64_t from,
                                       const struct refold_place *place)
{
    struct store_advance advance = {.generation = job->generation,
                                    .partition = partition,
                                    .from = from,
                                    .to = place->done.offset,
                                    .print = (int64_t)place->done.print,
                                    .commands_next = place->commands_next,
                                    .seen_to = place->read};
    row_text_set(&advance.name, text_of(job->options->projection->name));
    row_text_set(&advance.topic, text_of(log_topic_name(source->topic)));
    return advance;
}

/* What the fold has reached becomes the new generation's positions. */
static struct err write_positions(struct job *job)
{
    size_t count = 0;
    for (size_t i = 0; i < feed_sources_count(job->refold.feed); i++) {
        const struct feed_source *source = feed_source(job->refold.feed, i);
        TRY(store_positions_add(job->store, job->options->projection, job->generation,
                                log_topic_name(source->topic), source->partitions));
        for (int p = 0; p < source->partitions; p++)
            job->advances[count++] = advance_of(job, source, p, 0, place_of(job, i, p));
    }
    return write_unit(job, job->advances, count, job->report->rows, job->report->digest);
}

/* ---- catching up, as the worker would ---- */

static struct err resume_all(struct job *job)
{
    for (size_t i = 0; i < feed_sources_count(job->refold.feed); i++) {
        struct feed_source *source = feed_source(job->refold.feed, i);
        for (int p = 0; p < source->partitions; p++) {
            const struct refold_place *place = place_of(job, i, p);
            TRY(feed_resume(job->refold.feed, source, p, place->done));
            if (place->done.offset >= place->upto)
                feed_stop(source, p);
        }
    }
    return OK;
}

static struct err fail_at(struct job *job, const char *topic, int partition, int64_t offset,
                          struct err err)
{
    snprintf(job->report->failure, sizeof job->report->failure, "%s[%d]@%lld: %s", topic, partition,
             (long long)offset, err.what);
    return err;
}

/* Adds what counts of a read, and notes how far that goes. */
static struct err take_items(struct job *job, const struct feed_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct feed_item *item = &items[i];
        struct refold_place *place = place_of(
            job, (size_t)(item->source - feed_source(job->refold.feed, 0)), item->partition);
        if (item->offset >= place->upto)
            continue;
        if (item->err.code != ERR_OK)
            return fail_at(job, log_topic_name(item->source->topic), item->partition, item->offset,
                           item->err);
        for (size_t k = 0; k < item->events_count; k++)
            read_model_add(&job->model, &item->events[k]);
        job->report->events += (int64_t)item->events_count - 1;
        place->done = (struct position){item->offset + 1, item->print};
        place->commands_next = item->commands_next;
    }
    return OK;
}

static struct err fold_batch(struct job *job, const struct feed_item *items, size_t items_count)
{
    int64_t from[FEED_SOURCES_MAX][PARTITIONS_MAX] = {0};
    const struct event *at;
    size_t count = 0;
    for (size_t i = 0; i < feed_sources_count(job->refold.feed); i++)
        for (int p = 0; p < feed_source(job->refold.feed, i)->partitions; p++)
            from[i][p] = place_of(job, i, p)->done.offset;
    read_model_begin(&job->model);
    TRY(take_items(job, items, items_count));
    TRY(read_model_load(&job->model));
    struct err err = read_model_fold(&job->model, &at);
    if (err.code != ERR_OK)
        return fail_at(job, at->service, at->partition, at->offset, err);
    for (size_t i = 0; i < feed_sources_count(job->refold.feed); i++) {
        const struct feed_source *source = feed_source(job->refold.feed, i);
        for (int p = 0; p < source->partitions; p++) {
            struct refold_place *place = place_of(job, i, p);
            if (place->done.offset == from[i][p])
                continue;
            place->read = place->done.offset;
            job->advances[count++] = advance_of(job, source, p, from[i][p], place);
        }
    }
    TRY(write_unit(job, job->advances, count, job->model.rows_count, job->model.digest));
    read_model_finish_batch(&job->model);
    return OK;
}

static bool is_there(struct job *job)
{
    for (size_t i = 0; i < feed_sources_count(job->refold.feed); i++) {
        struct feed_source *source = feed_source(job->refold.feed, i);
        for (int p = 0; p < source->partitions; p++) {
            if (source->cursors[p].next < place_of(job, i, p)->upto)
                return false;
            feed_stop(source, p);
        }
    }
    return true;
}

static struct err catch_up(struct job *job)
{
    TRY(aim(job));
    TRY(resume_all(job));
    while (!is_there(job)) {
        const struct feed_item *items;
        size_t count;
        bool moved;
        TRY(feed_read(job->refold.feed, &items, &count, &moved));
        if (count > 0)
            TRY(fold_batch(job, items, count));
        else if (!moved)
            feed_wait(job->refold.feed, WAIT_MS);
    }
    return OK;
}

/* ---- the swap ---- */

/* The worker stands still: the last steps to where it stands, the comparison, and the view. */
static struct err swap_held(struct job *job)
{
    struct generation live;
    bool comparable;
    struct rebuild_report *report = job->report;
    TRY(find_live(job, &live, &comparable));
    if (comparable)
        TRY(catch_up(job));
    report->rows = job->model.rows_count;
    report->digest = job->model.digest;
    report->compared = comparable;
    report->old_rows = live.rows;
    report->old_digest = live.digest;
    report->equal = comparable && live.rows == report->rows && live.digest == report->digest;
    if (comparable && !report->equal && job->options->must_equal)
        return FAIL(ERR_CONFLICT, "differs from the one that is shown");
    TRY(store_generation_show(job->store, job->options->projection, job->generation));
    return store_commit(job->store);
}

static struct err swap(struct job *job)
{
    struct err err = OK;
    for (int tries = 0; tries < HOLD_TRIES; tries++) {
        TRY(catch_up(job));
        err = store_hold(job->store, job->options->projection->service);
        if (err.code == ERR_OK)
            break;
        if (err.code != ERR_UNAVAILABLE)
            return err;
    }
    TRY(err);
    enter(job, REBUILD_SWAP);
    int64_t began = clock_monotonic_ms();
    err = swap_held(job);
    job->report->held_ms = (double)(clock_monotonic_ms() - began);
    if (err.code != ERR_OK)
        store_rollback(job->store);
    return err;
}

static struct err catch_up_and_swap(struct job *job)
{
    struct generation generation = {
        .number = job->generation, .rows = job->report->rows, .digest = job->report->digest};
    enter(job, REBUILD_CATCH_UP);
    TRY(read_model_open(&job->model, job->store, job->options->projection, &generation,
                        CATCH_UP_CACHE_BYTES));
    struct err err = swap(job);
    read_model_close(&job->model);
    return err;
}

/* ---- all of it ---- */

static struct err run(struct job *job)
{
    const struct projection *projection = job->options->projection;
    TRY(store_open(job->options->conninfo, "foldlog rebuild", &job->store));
    TRY(store_rebuild_lock(job->store, projection->name));
    TRY(clear_leftovers(job));
    TRY(aim(job));
    TRY(fill(job));
    TRY(write_positions(job));
    job->report->events = job->refold.told.events;
    TRY(catch_up_and_swap(job));
    job->report->generation = job->generation;
    /* Readers may still be at the old table: what cannot be dropped now is dropped by the next
     * rebuild. */
    struct err ignored = clear_leftovers(job);
    (void)ignored;
    return OK;
}

static void give_up(struct job *job)
{
    if (!job->store || job->generation == 0)
        return;
    struct err ignored =
        store_generation_drop(job->store, job->options->projection->name, job->generation);
    (void)ignored; /* else the next rebuild drops it */
}

static void explain(struct job *job, struct err err)
{
    struct rebuild_report *report = job->report;
    if (report->failure[0])
        return;
    if (job->refold.failure[0])
        snprintf(report->failure, sizeof report->failure, "%.*s", MODEL_REASON_MAX,
                 job->refold.failure);
    else if (job->store && err.code == ERR_REFUSED)
        snprintf(report->failure, sizeof report->failure, "%.*s", MODEL_REASON_MAX,
                 store_message(job->store));
}

struct err rebuild(const struct rebuild_options *options, struct rebuild_report *ret_report)
{
    struct job *job = calloc(1, sizeof *job);
    int64_t began = clock_monotonic_ms();
    *ret_report = (struct rebuild_report){0};
    if (!job)
        return FAIL(ERR_NOMEM, "rebuild");
    job->options = options;
    job->report = ret_report;
    job->arena = (struct arena){.base = malloc(JOB_ARENA), .size = JOB_ARENA};
    struct err err = job->arena.base
                         ? refold_open(&job->refold, options->log, options->vocabularies,
                                       options->projection, options->max_rows)
                         : FAIL(ERR_NOMEM, "rebuild");
    if (err.code == ERR_OK) {
        job->refold.progress = tell_fold;
        job->refold.context = job;
        err = run(job);
        explain(job, err);
        if (err.code != ERR_OK)
            give_up(job);
        ret_report->seconds = (double)(clock_monotonic_ms() - began) / 1000;
        if (err.code == ERR_OK)
            enter(job, REBUILD_DONE);
        refold_close(&job->refold);
    }
    store_close(job->store);
    free(job->arena.base);
    free(job);
    return err;
}
