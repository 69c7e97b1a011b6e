/* Looking at read models. */
#include "runtime/models.h"

#include <stdio.h>
#include <stdlib.h>

enum { MODELS_ARENA = 512 * 1024 };

const char *model_state_text(enum model_state state)
{
    static const char *const texts[] = {
        [MODEL_STATE_LIVE] = "live",       [MODEL_STATE_HALTED] = "halted",
        [MODEL_STATE_DROPPED] = "dropped", [MODEL_STATE_OUTDATED] = "outdated",
        [MODEL_STATE_UNKNOWN] = "unknown",
    };
    return texts[state];
}

struct look { /* at one service's database */
    const struct models_options *options;
    struct store *store;
    struct arena arena;
};

static struct err look_open(struct look *look, const struct models_options *options)
{
    *look = (struct look){.options = options,
                          .arena = {.base = malloc(MODELS_ARENA), .size = MODELS_ARENA}};
    if (!look->arena.base)
        return FAIL(ERR_NOMEM, "read models");
    return store_open(options->conninfo, "foldlog projections", &look->store);
}

static void look_close(struct look *look)
{
    store_close(look->store);
    free(look->arena.base);
}

static struct err find_live(struct look *look, const struct projection *projection,
                            struct generation *ret_live)
{
    struct generations all;
    arena_reset(&look->arena);
    TRY(store_generations(look->store, projection->service, &look->arena, &all));
    for (size_t i = 0; i < all.count; i++)
        if (strcmp(all.at[i].name, projection->name) == 0 && all.at[i].state == GENERATION_LIVE) {
            *ret_live = all.at[i];
            return OK;
        }
    return FAIL(ERR_NOT_FOUND, "read model");
}

/* ---- list ---- */

static enum model_state state_of(const struct projection *projection, const struct generation *g)
{
    if (!g->table)
        return MODEL_STATE_DROPPED;
    if (g->version != projection->version)
        return MODEL_STATE_OUTDATED;
    return g->halted ? MODEL_STATE_HALTED : MODEL_STATE_LIVE;
}

static const struct model_position *position_of(const struct model_positions *positions,
                                                const char *topic, int partition)
{
    for (size_t i = 0; i < positions->count; i++)
        if (positions->at[i].partition == partition && strcmp(positions->at[i].topic, topic) == 0)
            return &positions->at[i];
    return NULL;
}

static struct err add_lag(struct look *look, const char *service,
                          const struct model_positions *positions, struct model_info *info)
{
    char name[TOPIC_LEN_MAX + 1];
    struct log_topic *topic;
    snprintf(name, sizeof name, "%s.log", service);
    TRY(log_topic(look->options->log, name, &topic));
    for (int p = 0; p < log_topic_partitions(topic); p++) {
        int64_t end;
        const struct model_position *at = position_of(positions, name, p);
        int64_t read = !at ? 0 : at->seen_to > at->done.offset ? at->seen_to : at->done.offset;
        TRY(log_ends(topic, p, NULL, &end));
        info->decided += at ? at->done.offset : 0;
        info->lag += end > read ? end - read : 0;
    }
    return OK;
}

static struct err describe(struct look *look, const struct generations *all,
                           struct model_info *info)
{
    struct model_positions positions;
    bool live = false;
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->at[i].name, info->projection->name) != 0)
            continue;
        info->rebuilding |= all->at[i].state == GENERATION_BUILDING;
        if (all->at[i].state != GENERATION_LIVE)
            continue;
        live = true;
        info->generation = all->at[i];
        info->state = state_of(info->projection, &all->at[i]);
    }
    if (!live)
        return OK;
    TRY(store_positions(look->store, info->projection->name, info->generation.number, &look->arena,
                        &positions));
    for (size_t i = 0; info->projection->sources[i]; i++)
        TRY(add_lag(look, info->projection->sources[i], &positions, info));
    return OK;
}

static struct err list(struct look *look, const struct projection *const *projections, size_t count,
                       struct model_info *infos)
{
    struct generations all;
    if (count == 0)
        return OK;
    TRY(store_generations(look->store, projections[0]->service, &look->arena, &all));
    for (size_t i = 0; i < count; i++) {
        infos[i] = (struct model_info){.projection = projections[i], .state = MODEL_STATE_UNKNOWN};
        TRY(describe(look, &all, &infos[i]));
    }
    return OK;
}

struct err models_list(const struct models_options *options,
                       const struct projection *const *projections, size_t count,
                       struct model_info *ret_infos)
{
    struct look look;
    struct err err = look_open(&look, options);
    if (err.code == ERR_OK)
        err = list(&look, projections, count, ret_infos);
    look_close(&look);
    return err;
}

/* ---- digest ---- */

struct tally {
    const struct projection *projection;
    int64_t rows;
    uint64_t digest;
};

static void tally_row(void *context, const void *row)
{
    struct tally *tally = context;
    tally->rows++;
    tally->digest += row_digest(tally->projection, row);
}

static struct err scan(struct look *look, const struct projection *projection, int64_t generation,
                       store_row found, void *context)
{
    struct store_table *table;
    TRY(store_table_open(look->store, projection, generation, &table));
    struct err err = store_table_scan(table, found, context);
    store_table_close(table);
    return err;
}

static struct err digest(struct look *look, const struct projection *projection,
                         struct tally *tally)
{
    struct generation live;
    TRY(find_live(look, projection, &live));
    return scan(look, projection, live.number, tally_row, tally);
}

struct err models_digest(const struct models_options *options, const struct projection *projection,
                         int64_t *ret_rows, uint64_t *ret_digest)
{
    struct look look;
    struct tally tally = {.projection = projection};
    struct err err = look_open(&look, options);
    if (err.code == ERR_OK)
        err = digest(&look, projection, &tally);
    look_close(&look);
    if (err.code == ERR_OK) {
        *ret_rows = tally.rows;
        *ret_digest = tally.digest;
    }
    return err;
}

/* ---- verify ---- */

struct comparison {
    struct refold *refold;
    struct verify_report *report;
    bool count; /* the first range: rows of the table are counted once */
};

enum { SEEN = 1 }; /* in row_slot.batch: the table has it */

static void differ(struct comparison *c, const void *row, const char *what,
                   const struct column *column, const void *expected)
{
    char key[200], found[160] = "", want[160] = "";
    if (c->report->differing++ > 0)
        return;
    row_key_print(c->refold->projection, row, key, sizeof key);
    if (column) {
        row_value_print(column, row, found, sizeof found);
        row_value_print(column, expected, want, sizeof want);
        snprintf(c->report->difference, sizeof c->report->difference,
                 "%s: %s is '%s', the log says '%s'", key, column->name, found, want);
    } else {
        snprintf(c->report->difference, sizeof c->report->difference, "%s: %s", key, what);
    }
}

static void compare_row(void *context, const void *row)
{
    struct comparison *c = context;
    const struct projection *projection = c->refold->projection;
    uint32_t hash = row_key_hash(projection, row);
    if (c->count) {
        c->report->rows++;
        c->report->digest += row_digest(projection, row);
    }
    if (hash < c->refold->lo || hash > c->refold->hi)
        return;
    uint32_t found = row_table_find(&c->refold->rows, row, hash);
    if (found == ROW_SLOT_NONE) {
        differ(c, row, "is in the table, the log has no such row", NULL, NULL);
        return;
    }
    struct row_slot *slot = row_table_at(&c->refold->rows, found);
    slot->batch = SEEN;
    for (size_t i = 0; i < projection->columns_count; i++)
        if (!row_value_equal(&projection->columns[i], row, slot->row)) {
            differ(c, row, "", &projection->columns[i], slot->row);
            return;
        }
}

static void note_missing(struct comparison *c)
{
    const struct row_table *rows = &c->refold->rows;
    for (uint32_t i = 0; i < rows->top; i++) {
        const struct row_slot *slot = row_table_at(rows, i);
        if (slot->used && slot->exists && slot->batch != SEEN)
            differ(c, slot->row, "is missing from the table", NULL, NULL);
    }
}

static struct err compare_range(struct comparison *c, struct store_table *table)
{
    int64_t rows;
    uint64_t digest;
    TRY(store_table_scan(table, compare_row, c));
    note_missing(c);
    row_table_digest(&c->refold->rows, &rows, &digest);
    c->report->expected_rows += rows;
    c->report->expected_digest += digest;
    c->count = false;
    return OK;
}

static struct err compare_all(struct comparison *c, struct store_table *table)
{
    uint32_t hi = 0;
    for (uint64_t lo = 0; lo <= UINT32_MAX; lo = (uint64_t)hi + 1) {
        TRY(refold_range(c->refold, (uint32_t)lo, &hi));
        TRY(compare_range(c, table));
    }
    c->report->equal = c->report->differing == 0;
    return OK;
}

/* Positions and rows of one moment, however the worker goes on. */
static struct err verify_moment(struct look *look, struct refold *refold,
                                struct verify_report *report)
{
    struct generation live;
    struct model_positions positions;
    struct store_table *table;
    struct comparison c = {.refold = refold, .report = report, .count = true};
    TRY(find_live(look, refold->projection, &live));
    if (live.version != refold->projection->version)
        return FAIL(ERR_CONFLICT, "made by another version of the fold: rebuild it");
    TRY(store_positions(look->store, live.name, live.number, &look->arena, &positions));
    refold_upto(refold, &positions);
    TRY(store_table_open(look->store, refold->projection, live.number, &table));
    struct err err = compare_all(&c, table);
    store_table_close(table);
    return err;
}

static struct err verify(struct look *look, const struct projection *projection,
                         struct verify_report *report)
{
    struct refold refold;
    TRY(refold_open(&refold, look->options->log, look->options->vocabularies, projection,
                    look->options->max_rows));
    refold.progress = look->options->progress;
    refold.context = look->options->context;
    struct err err = store_snapshot(look->store);
    if (err.code == ERR_OK)
        err = verify_moment(look, &refold, report);
    store_rollback(look->store);
    snprintf(report->failure, sizeof report->failure, "%s", refold.failure);
    refold_close(&refold);
    return err;
}

struct err models_verify(const struct models_options *options, const struct projection *projection,
                         struct verify_report *ret_report)
{
    struct look look;
    *ret_report = (struct verify_report){0};
    struct err err = look_open(&look, options);
    if (err.code == ERR_OK)
        err = verify(&look, projection, ret_report);
    look_close(&look);
    return err;
}

/* ---- drop ---- */

struct err models_drop(const struct models_options *options, const struct projection *projection)
{
    struct look look;
    struct generation live;
    struct err err = look_open(&look, options);
    if (err.code == ERR_OK)
        err = find_live(&look, projection, &live);
    if (err.code == ERR_OK)
        err = store_model_drop(look.store, live.name, live.number);
    look_close(&look);
    return err;
}
