/* The loop that folds. A session begins with the lease and ends with the first thing that is not as
 * expected: then everything is forgotten, also the cache, and a new session reads from the database
 * where to go on. */
#include "runtime/projection_worker.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/mutant.h"
#include "runtime/clock.h"
#include "runtime/read_model.h"
#include "runtime/report.h"

enum {
    SESSION_ARENA = 512 * 1024,
    ADVANCES_MAX = SERVICE_MODELS_MAX * FEED_SOURCES_MAX * 4,
    NAP_STEP_MS = 20, /* the longest until a stop is noticed */
};

struct place { /* of one read model in one partition */
    struct position done;
    int64_t commands;
    int64_t seen;
    bool known; /* the decision before it has been seen to lie there */
};

struct folding { /* a read model that runs */
    struct read_model model;
    struct place places[FEED_SOURCES_MAX][PARTITIONS_MAX];
};

struct worker {
    const struct projection_worker_options *options;
    struct uuid owner;
    bool has_held; /* the lease: once only is it taken from a former process of this name */
    struct store *store;
    struct feed *feed;
    struct folding *folding[SERVICE_MODELS_MAX];
    size_t folding_count;
    struct generations generations;
    struct arena arena;
    struct store_advance advances[ADVANCES_MAX];
    size_t advances_count;
    int64_t fenced_ms; /* monotonic: when the lease was last renewed */
    bool worked;       /* in this session */
};

static bool stopping(const struct worker *w)
{
    return atomic_load(w->options->stop);
}

static void set_status(const struct worker *w, bool leader, int halted)
{
    struct projection_worker_status *status = w->options->status;
    if (!status)
        return;
    atomic_store(&status->leader, leader);
    atomic_store(&status->running, (int)w->folding_count);
    atomic_store(&status->halted, halted);
    atomic_store(&status->caught_up, false);
}

static void set_seated(const struct worker *w)
{
    if (w->options->status)
        atomic_store(&w->options->status->seated, true);
}

static void nap(const struct worker *w, int ms)
{
    for (int64_t end = clock_monotonic_ms() + ms; !stopping(w) && clock_monotonic_ms() < end;)
        clock_sleep_us(NAP_STEP_MS * 1000);
}

/* ---- halting ---- */

/* Stops this read model alone; the session ends, and the next one goes on without it. */
static struct err halt(struct worker *w, const char *name, int64_t generation, const char *reason)
{
    TRY(store_halt(w->store, w->options->service, w->owner, w->generations.catalogue, name,
                   generation, reason));
    report(REPORT_ERROR, "projection_halted", "service", w->options->service, "projection", name,
           "why", reason, NULL);
    return FAIL(ERR_DEPOSED, "a read model was halted");
}

static struct err halt_at(struct worker *w, const struct read_model *model, const char *topic,
                          int partition, int64_t offset, const char *type, const char *why)
{
    char reason[MODEL_REASON_MAX];
    snprintf(reason, sizeof reason, "%s[%d]@%" PRId64 "%s%.64s: %s", topic, partition, offset,
             *type ? " " : "", type, why);
    return halt(w, model->projection->name, model->generation, reason);
}

static bool halts(struct err err)
{
    return err_class(err) == ERR_CLASS_HALT || err.code == ERR_NOT_FOUND;
}

static const char *why_refused(const struct worker *w, struct err err)
{
    return err.code == ERR_NOT_FOUND ? "its table is gone: rebuild it" : store_message(w->store);
}

/* ---- a session begins ---- */

static const struct projection *find_projection(const struct worker *w, const char *name)
{
    const struct projection_worker_options *o = w->options;
    for (size_t i = 0; i < o->projections_count; i++)
        if (strcmp(o->projections[i]->service, o->service) == 0 &&
            strcmp(o->projections[i]->name, name) == 0)
            return o->projections[i];
    return NULL;
}

static struct err wait_for_lease(struct worker *w)
{
    bool held = false, told = false;
    while (!stopping(w)) {
        TRY(store_lease_take(w->store, w->options->service, w->owner, w->options->instance,
                             !w->has_held, PROJECTION_LEASE_MS, &held));
        if (held)
            break;
        set_seated(w);
        if (!told)
            report(REPORT_INFO, "projections_standby", "service", w->options->service, NULL);
        told = true;
        nap(w, PROJECTION_STANDBY_MS);
    }
    w->has_held |= held;
    w->fenced_ms = clock_monotonic_ms();
    return held ? OK : FAIL(ERR_STOPPING, "waiting for the lease");
}

static struct err start_folding(struct worker *w, const struct projection *projection,
                                const struct generation *generation)
{
    assert(w->folding_count < SERVICE_MODELS_MAX);
    struct folding *folding = calloc(1, sizeof *folding);
    if (!folding)
        return FAIL(ERR_NOMEM, "read model");
    size_t cache = w->options->cache_bytes ? w->options->cache_bytes : PROJECTION_CACHE_BYTES;
    struct err err = read_model_open(&folding->model, w->store, projection, generation, cache);
    if (err.code == ERR_OK) {
        w->folding[w->folding_count++] = folding;
        return OK;
    }
    free(folding);
    return halts(err) ? halt(w, generation->name, generation->number, why_refused(w, err)) : err;
}

/* Every live generation that this program knows how to fold. */
static struct err start_models(struct worker *w, int *ret_halted)
{
    int halted = 0;
    arena_reset(&w->arena);
    TRY(store_generations(w->store, w->options->service, &w->arena, &w->generations));
    for (size_t i = 0; i < w->generations.count; i++) {
        const struct generation *g = &w->generations.at[i];
        const struct projection *projection = find_projection(w, g->name);
        if (g->state != GENERATION_LIVE || !projection)
            continue;
        if (g->halted) {
            halted++;
        } else if (!g->table) {
            return halt(w, g->name, g->number, "its table is gone: rebuild it");
        } else if (g->version != projection->version) {
            report(REPORT_WARN, "projection_outdated", "service", w->options->service, "projection",
                   g->name, NULL);
            halted++;
        } else {
            TRY(start_folding(w, projection, g));
        }
    }
    *ret_halted = halted;
    return OK;
}

static size_t list_sources(const struct worker *w, const char *services[FEED_SOURCES_MAX + 1])
{
    size_t count = 0;
    for (size_t i = 0; i < w->folding_count; i++) {
        const char *const *sources = w->folding[i]->model.projection->sources;
        for (size_t k = 0; sources[k]; k++) {
            size_t seen = 0;
            while (seen < count && strcmp(services[seen], sources[k]) != 0)
                seen++;
            if (seen < count)
                continue;
            assert(count < FEED_SOURCES_MAX);
            services[count++] = sources[k];
        }
    }
    services[count] = NULL;
    return count;
}

static size_t source_index(struct worker *w, const struct feed_source *source)
{
    return (size_t)(source - feed_source(w->feed, 0));
}

static struct err read_places(struct worker *w, struct folding *f)
{
    struct model_positions positions;
    const struct projection *projection = f->model.projection;
    for (size_t i = 0; i < feed_sources_count(w->feed); i++) {
        const struct feed_source *source = feed_source(w->feed, i);
        if (projection_folds(projection, source->service))
            TRY(store_positions_add(w->store, projection, f->model.generation,
                                    log_topic_name(source->topic), source->partitions));
    }
    arena_reset(&w->arena);
    TRY(store_positions(w->store, projection->name, f->model.generation, &w->arena, &positions));
    for (size_t i = 0; i < positions.count; i++) {
        const struct model_position *p = &positions.at[i];
        const struct feed_source *source = feed_find(w->feed, p->topic);
        if (!source)
            continue;
        if (p->partition >= source->partitions)
            return FAIL(ERR_CONFIG, "a log has fewer partitions than before");
        f->places[source_index(w, source)][p->partition] =
            (struct place){.done = p->done, .commands = p->commands_next, .seen = p->seen_to};
    }
    return OK;
}

/* Each partition is read from where the read model that is furthest behind goes on. */
static struct position start_of(struct worker *w, size_t source, int partition)
{
    struct position start = {INT64_MAX, PRINT_UNKNOWN};
    for (size_t i = 0; i < w->folding_count; i++) {
        const struct folding *f = w->folding[i];
        if (projection_folds(f->model.projection, feed_source(w->feed, source)->service) &&
            f->places[source][partition].done.offset < start.offset)
            start = f->places[source][partition].done;
    }
    assert(start.offset != INT64_MAX);
    return start;
}

/* A partition that does not hold the position any more halts those who fold it. */
static struct err halt_folders_of(struct worker *w, const struct feed_source *source, int partition,
                                  int64_t offset, struct err why)
{
    struct err err = OK;
    for (size_t i = 0; i < w->folding_count; i++)
        if (projection_folds(w->folding[i]->model.projection, source->service)) {
            err = halt_at(w, &w->folding[i]->model, log_topic_name(source->topic), partition,
                          offset, "", why.what);
            if (err.code != ERR_DEPOSED)
                return err;
        }
    return err;
}

/* Resuming there has found the decision of those who go on there. */
static void know(struct worker *w, size_t source, int partition, struct position start)
{
    for (size_t i = 0; i < w->folding_count; i++) {
        struct place *place = &w->folding[i]->places[source][partition];
        place->known |= place->done.offset == start.offset && place->done.print == start.print;
    }
}

static struct err start_reading(struct worker *w)
{
    const char *services[FEED_SOURCES_MAX + 1];
    if (list_sources(w, services) == 0)
        return OK;
    TRY(feed_open(w->options->log, services, w->options->service, w->options->vocabularies,
                  &w->feed));
    for (size_t i = 0; i < w->folding_count; i++)
        TRY(read_places(w, w->folding[i]));
    for (size_t i = 0; i < feed_sources_count(w->feed); i++) {
        struct feed_source *source = feed_source(w->feed, i);
        for (int p = 0; p < source->partitions; p++) {
            struct position start = start_of(w, i, p);
            struct err err = feed_resume(w->feed, source, p, start);
            if (err_class(err) == ERR_CLASS_HALT)
                return halt_folders_of(w, source, p, start.offset, err);
            TRY(err);
            know(w, i, p, start);
        }
    }
    return OK;
}

/* ---- a batch ---- */

/* Has this read model had it already? Whoever is ahead of the others waits until they come past the
 * decision that it had last: that one must still be there. */
static bool is_had(struct place *place, const struct feed_item *item)
{
    place->known |= item->offset + 1 == place->done.offset && item->print == place->done.print;
    return item->offset < place->done.offset;
}

static struct err collect(struct worker *w, struct folding *f, const struct feed_item *items,
                          size_t count)
{
    read_model_begin(&f->model);
    for (size_t i = 0; i < count; i++) {
        const struct feed_item *item = &items[i];
        if (!projection_folds(f->model.projection, item->source->service))
            continue;
        struct place *place = &f->places[source_index(w, item->source)][item->partition];
        if (is_had(place, item))
            continue;
        const char *why = item->err.code != ERR_OK ? item->err.what
                          : !place->known && !MUTANT(cut_unseen_at_resume)
                              ? "the log was cut back: another record lies at the position"
                              : NULL;
        if (why)
            return halt_at(w, &f->model, log_topic_name(item->source->topic), item->partition,
                           item->offset, "", why);
        for (size_t k = 0; k < item->events_count; k++)
            read_model_add(&f->model, &item->events[k]);
    }
    return OK;
}

static struct err fold(struct worker *w, struct folding *f)
{
    const struct event *at;
    struct err err = read_model_load(&f->model);
    if (halts(err))
        return halt(w, f->model.projection->name, f->model.generation, why_refused(w, err));
    TRY(err);
    err = read_model_fold(&f->model, &at);
    if (err.code == ERR_OK)
        return OK;
    report_trace(at->decision->traceparent);
    char topic[TOPIC_LEN_MAX + 1], type[TYPE_LEN_MAX + 1] = "";
    snprintf(topic, sizeof topic, "%s.log", at->service);
    if (at->message)
        snprintf(type, sizeof type, "%.*s", (int)at->decision->events[at->index].type.len,
                 at->decision->events[at->index].type.at);
    return halt_at(w, &f->model, topic, at->partition, at->offset, type, err.what);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static struct place place_after(const struct place *before, const struct cursor *cursor)
{
    struct position done = cursor_position(cursor);
    if (MUTANT(views_resume_at_raw_end))
        done.offset = cursor->next;
    return (struct place){.done = done.offset > before->done.offset ? done : before->done,
                          .known = before->known,
                          .commands = later(before->commands, cursor->commands_next),
                          .seen = later(before->seen, cursor->next)};
}

/* The positions that move by what has been read. */
static void list_advances(struct worker *w, const struct folding *f)
{
    for (size_t i = 0; i < feed_sources_count(w->feed); i++) {
        const struct feed_source *source = feed_source(w->feed, i);
        if (!projection_folds(f->model.projection, source->service))
            continue;
        for (int p = 0; p < source->partitions; p++) {
            struct place before = f->places[i][p],
                         after = place_after(&before, &source->cursors[p]);
            if (before.done.offset == after.done.offset && before.commands == after.commands &&
                before.seen == after.seen)
                continue;
            assert(w->advances_count < ADVANCES_MAX);
            struct store_advance *advance = &w->advances[w->advances_count++];
            *advance = (struct store_advance){.generation = f->model.generation,
                                              .partition = p,
                                              .from = before.done.offset,
                                              .to = after.done.offset,
                                              .print = (int64_t)after.done.print,
                                              .commands_next = after.commands +
                                                               MUTANT(read_your_writes_off_by_one),
                                              .seen_to = after.seen};
            row_text_set(&advance->name, text_of(f->model.projection->name));
            row_text_set(&advance->topic, text_of(log_topic_name(source->topic)));
        }
    }
}

static struct err send(struct worker *w, struct store_fence *fence)
{
    TRY(store_unit_begin(w->store, fence));
    for (size_t i = 0; i < w->folding_count; i++)
        TRY(read_model_write(&w->folding[i]->model));
    if (w->options->before_commit)
        w->options->before_commit(w->options->context);
    struct store_table *failed;
    struct err err = store_unit_end(w->store, &failed);
    for (size_t i = 0; halts(err) && failed && i < w->folding_count; i++)
        if (w->folding[i]->model.table == failed)
            return halt(w, w->folding[i]->model.projection->name, w->folding[i]->model.generation,
                        why_refused(w, err));
    return err;
}

static struct err commit(struct worker *w)
{
    struct store_tally tallies[SERVICE_MODELS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < w->folding_count; i++) {
        const struct read_model *model = &w->folding[i]->model;
        if (model->inserts_count + model->updates_count + model->removes_count == 0)
            continue;
        tallies[count] = (struct store_tally){.generation = model->generation,
                                              .rows = model->rows_count,
                                              .digest = (int64_t)model->digest};
        row_text_set(&tallies[count].name, text_of(model->projection->name));
        count++;
    }
    struct store_fence fence = {.service = w->options->service,
                                .owner = MUTANT(owner_not_in_fence) ? (struct uuid){{0}} : w->owner,
                                .catalogue = w->generations.catalogue,
                                .lease_ms = PROJECTION_LEASE_MS,
                                .advances = w->advances,
                                .advances_count = w->advances_count,
                                .tallies = tallies,
                                .tallies_count = count};
    TRY(send(w, &fence));
    w->fenced_ms = clock_monotonic_ms();
    return OK;
}

static void tell_progress(const struct worker *w)
{
    if (!w->options->progress)
        return;
    for (size_t i = 0; i < w->advances_count; i++) {
        char topic[TOPIC_LEN_MAX + 1];
        struct text name = row_text_get(&w->advances[i].topic);
        snprintf(topic, sizeof topic, "%.*s", (int)name.len, name.at);
        w->options->progress(w->options->context, w->options->service, topic,
                             w->advances[i].partition);
    }
}

static void note_done(struct worker *w, size_t decisions)
{
    struct projection_worker_status *status = w->options->status;
    for (size_t m = 0; m < w->folding_count; m++) {
        struct folding *f = w->folding[m];
        for (size_t i = 0; i < feed_sources_count(w->feed); i++)
            for (int p = 0; p < feed_source(w->feed, i)->partitions; p++)
                f->places[i][p] =
                    place_after(&f->places[i][p], &feed_source(w->feed, i)->cursors[p]);
        read_model_finish_batch(&f->model);
    }
    w->worked = true;
    tell_progress(w);
    if (!status)
        return;
    atomic_fetch_add(&status->decisions, (long long)decisions);
    atomic_fetch_add(&status->batches, 1);
    atomic_store(&status->skipped, (long long)feed_skipped(w->feed));
}

/* The trace of a unit that one decision caused. */
static struct text only_cause(const struct feed_item *items, size_t count)
{
    bool one = count == 1 && items[0].err.code == ERR_OK;
    return one ? items[0].events[0].decision->traceparent : REPORT_UNTRACED;
}

static struct err apply(struct worker *w, const struct feed_item *items, size_t count)
{
    w->advances_count = 0;
    report_trace(only_cause(items, count));
    for (size_t i = 0; i < w->folding_count; i++)
        TRY(collect(w, w->folding[i], items, count));
    for (size_t i = 0; i < w->folding_count; i++)
        TRY(fold(w, w->folding[i]));
    for (size_t i = 0; i < w->folding_count; i++)
        list_advances(w, w->folding[i]);
    if (w->advances_count == 0)
        return OK;
    TRY(commit(w));
    note_done(w, count);
    report(REPORT_DEBUG, "folded", "service", w->options->service, "decisions",
           report_number((int64_t)count), NULL);
    return OK;
}

/* Keeps the lease, and learns by the way whether the catalogue has changed. */
static struct err idle(struct worker *w)
{
    if (w->options->status && w->feed)
        atomic_store(&w->options->status->caught_up, true);
    if (clock_monotonic_ms() - w->fenced_ms > PROJECTION_RENEW_MS) {
        w->advances_count = 0;
        for (size_t i = 0; i < w->folding_count; i++)
            read_model_begin(&w->folding[i]->model);
        TRY(commit(w));
    }
    if (w->feed)
        feed_wait(w->feed, PROJECTION_WAIT_MS);
    else
        nap(w, PROJECTION_WAIT_MS);
    return OK;
}

/* What comes first after a pause is committed at once; what follows closely, together. */
static void keep_pace(const struct worker *w)
{
    int64_t since = clock_monotonic_ms() - w->fenced_ms;
    if (since < PROJECTION_PACE_MS)
        clock_sleep_us((PROJECTION_PACE_MS - since) * 1000);
}

static struct err work(struct worker *w)
{
    while (!stopping(w)) {
        keep_pace(w);
        const struct feed_item *items = NULL;
        size_t count = 0;
        bool moved = false;
        if (w->feed)
            TRY(feed_read(w->feed, &items, &count, &moved));
        if (count > 0 || moved)
            TRY(apply(w, items, count));
        else
            TRY(idle(w));
    }
    return OK;
}

/* ---- sessions ---- */

/* What the last session sent may still be under way in the database, on a connection that we lost.
 * It must not be committed while this session reads rows and positions: so it is another owner. */
static struct err disown_last_session(struct worker *w)
{
    if (MUTANT(session_keeps_owner))
        return OK;
    TRY(store_lease_return(w->store, w->options->service, w->owner));
    w->owner = random_uuid();
    return OK;
}

static struct err hold_session(struct worker *w)
{
    int halted = 0;
    TRY(store_open(w->options->conninfo, w->options->instance, &w->store));
    TRY(disown_last_session(w));
    TRY(wait_for_lease(w));
    TRY(start_models(w, &halted));
    TRY(start_reading(w));
    set_status(w, true, halted);
    set_seated(w);
    report(REPORT_INFO, "projections_running", "service", w->options->service, "running",
           report_number((int64_t)w->folding_count), "halted", report_number(halted), NULL);
    TRY(work(w));
    return store_lease_return(w->store, w->options->service, w->owner);
}

static void end_session(struct worker *w)
{
    for (size_t i = 0; i < w->folding_count; i++) {
        read_model_close(&w->folding[i]->model);
        free(w->folding[i]);
    }
    w->folding_count = 0;
    report_trace(REPORT_UNTRACED);
    feed_close(w->feed);
    w->feed = NULL;
    store_close(w->store);
    w->store = NULL;
    set_status(w, false, 0);
}

static void run_sessions(struct worker *w, struct err *ret_err)
{
    int backoff = PROJECTION_BACKOFF_FIRST_MS;
    while (!stopping(w)) {
        w->worked = false;
        struct err err = hold_session(w);
        const char *said = w->store ? store_message(w->store) : "";
        if (err.code != ERR_OK && err.code != ERR_STOPPING)
            report(err.code == ERR_DEPOSED ? REPORT_INFO : REPORT_WARN, "projections_session_ended",
                   "service", w->options->service, "why", report_err(err), "database", said, NULL);
        end_session(w);
        *ret_err = err_class(err) == ERR_CLASS_FATAL ? err : OK;
        if (ret_err->code != ERR_OK)
            return;
        if (w->worked || err.code == ERR_DEPOSED)
            backoff = PROJECTION_BACKOFF_FIRST_MS;
        nap(w, backoff);
        backoff = backoff * 2 < PROJECTION_BACKOFF_MAX_MS ? backoff * 2 : PROJECTION_BACKOFF_MAX_MS;
    }
}

struct err projection_worker_run(const struct projection_worker_options *options)
{
    struct err err = OK;
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL(ERR_NOMEM, "projection worker");
    w->options = options;
    w->owner = random_uuid();
    w->arena = (struct arena){.base = malloc(SESSION_ARENA), .size = SESSION_ARENA};
    if (w->arena.base)
        run_sessions(w, &err);
    else
        err = FAIL(ERR_NOMEM, "projection worker");
    free(w->arena.base);
    free(w);
    return err;
}
