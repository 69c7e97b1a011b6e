/* Folding batches of events into rows, and telling what changed. */
#include "runtime/read_model.h"

#include <assert.h>
#include <stdlib.h>

enum { ROOM_FIRST = 1024 };

static void *grown(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (!memory)
        abort();
    return memory;
}

bool projection_folds(const struct projection *projection, const char *service)
{
    for (size_t i = 0; projection->sources[i]; i++)
        if (strcmp(projection->sources[i], service) == 0)
            return true;
    return false;
}

size_t projection_keys(const struct projection *projection, const struct event *event, char *keys)
{
    if (!event->message && !projection->decisions)
        return 0;
    size_t count = projection->keys(event, keys);
    assert(count <= PROJECTION_KEYS_MAX);
    return count;
}

enum row_fate row_slot_apply(const struct projection *projection, struct row_slot *slot,
                             const struct event *event, size_t nth)
{
    UNZEROED char key[8192];
    enum row_fate fate = projection->apply(slot->row, event, nth);
    slot->exists = fate == ROW_KEEP;
    if (fate == ROW_REMOVE) {
        assert(projection->row_size <= sizeof key);
        memcpy(key, slot->row, projection->row_size);
        row_key_only(projection, slot->row, key);
    }
    return fate;
}

/* ---- opening ---- */

static void remember(void *context, const void *row)
{
    struct read_model *model = context;
    uint32_t slot = row_table_add(&model->rows, row, row_key_hash(model->projection, row));
    struct row_slot *at = row_table_at(&model->rows, slot);
    memcpy(at->row, row, model->projection->row_size);
    at->known = at->exists = true;
}

static void make_room(struct read_model *model, size_t room)
{
    model->touched_room = room;
    model->touched = grown(model->touched, room * sizeof *model->touched);
    model->before = grown(model->before, room * model->projection->row_size);
    model->inserts = grown(model->inserts, room * sizeof *model->inserts);
    model->updates = grown(model->updates, room * sizeof *model->updates);
    model->removes = grown(model->removes, room * sizeof *model->removes);
}

struct err read_model_open(struct read_model *model, struct store *store,
                           const struct projection *projection, const struct generation *generation,
                           size_t cache_bytes)
{
    struct store_table *table;
    TRY(store_table_open(store, projection, generation->number, &table));
    *model = (struct read_model){
        .projection = projection,
        .table = table,
        .generation = generation->number,
        .rows_count = generation->rows,
        .digest = generation->digest,
        .keys = calloc(PROJECTION_KEYS_MAX, projection->row_size),
    };
    if (!model->keys)
        abort();
    row_table_init(&model->rows, projection);
    model->cache_rows = cache_bytes / model->rows.stride;
    make_room(model, ROOM_FIRST);
    /* A table that fits is loaded whole: no more load queries while it fits. */
    if ((uint64_t)model->rows_count > model->cache_rows / 2)
        return OK;
    struct err err = store_table_scan(table, remember, model);
    if (err.code != ERR_OK)
        read_model_close(model);
    else
        model->complete = true;
    return err;
}

void read_model_close(struct read_model *model)
{
    store_table_close(model->table);
    row_table_finish(&model->rows);
    free(model->keys);
    free(model->routes);
    free(model->touched);
    free(model->before);
    free(model->inserts);
    free(model->updates);
    free(model->removes);
    *model = (struct read_model){0};
}

/* ---- a batch ---- */

void read_model_begin(struct read_model *model)
{
    model->batch++;
    model->routes_count = model->touched_count = 0;
    model->inserts_count = model->updates_count = model->removes_count = 0;
}

static void touch(struct read_model *model, uint32_t slot)
{
    struct row_slot *at = row_table_at(&model->rows, slot);
    if (at->batch == model->batch)
        return;
    at->batch = model->batch;
    row_table_touch(&model->rows, slot);
    if (model->touched_count == model->touched_room)
        make_room(model, model->touched_room * 2);
    model->touched[model->touched_count++].slot = slot;
}

void read_model_add(struct read_model *model, const struct event *event)
{
    size_t row_size = model->projection->row_size;
    size_t count = projection_keys(model->projection, event, model->keys);
    if (model->routes_count + count > model->routes_room) {
        model->routes_room = (model->routes_count + count) * 2;
        model->routes = grown(model->routes, model->routes_room * sizeof *model->routes);
    }
    for (size_t i = 0; i < count; i++) {
        char *key = model->keys + i * row_size;
        uint32_t slot = row_table_add(&model->rows, key, row_key_hash(model->projection, key));
        touch(model, slot);
        model->routes[model->routes_count++] = (struct read_model_route){event, slot, (uint32_t)i};
        memset(key, 0, row_size);
    }
}

struct err read_model_load(struct read_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->touched_count; i++) {
        struct row_slot *slot = row_table_at(&model->rows, model->touched[i].slot);
        if (!slot->known && !model->complete)
            model->updates[count++] = slot->row;
        slot->known = true;
    }
    if (count == 0)
        return OK;
    return store_table_load(model->table, model->updates, count, remember, model);
}

static int by_key(const void *a, const void *b, void *projection)
{
    return row_key_compare(projection, *(void *const *)a, *(void *const *)b);
}

/* What the fold changed, in the same lock order for everyone. */
static void list_changes(struct read_model *model)
{
    struct projection projection = *model->projection;
    for (size_t i = 0; i < model->touched_count; i++) {
        const struct row_slot *slot = row_table_at(&model->rows, model->touched[i].slot);
        const char *before = model->before + i * projection.row_size;
        bool existed = model->touched[i].existed;
        if (existed == slot->exists && (!existed || row_equal(&projection, before, slot->row)))
            continue;
        if (existed)
            model->digest -= row_digest(&projection, before);
        if (slot->exists)
            model->digest += row_digest(&projection, slot->row);
        model->rows_count += slot->exists - existed;
        if (!slot->exists)
            model->removes[model->removes_count++] = slot->row;
        else if (existed)
            model->updates[model->updates_count++] = slot->row;
        else
            model->inserts[model->inserts_count++] = slot->row;
    }
    qsort_r(model->inserts, model->inserts_count, sizeof *model->inserts, by_key, &projection);
    qsort_r(model->updates, model->updates_count, sizeof *model->updates, by_key, &projection);
    qsort_r(model->removes, model->removes_count, sizeof *model->removes, by_key, &projection);
}

struct err read_model_fold(struct read_model *model, const struct event **ret_at)
{
    for (size_t i = 0; i < model->touched_count; i++) {
        const struct row_slot *slot = row_table_at(&model->rows, model->touched[i].slot);
        model->touched[i].existed = slot->exists;
        memcpy(model->before + i * model->projection->row_size, slot->row,
               model->projection->row_size);
    }
    for (size_t i = 0; i < model->routes_count; i++) {
        const struct read_model_route *route = &model->routes[i];
        struct row_slot *slot = row_table_at(&model->rows, route->slot);
        if (row_slot_apply(model->projection, slot, route->event, route->nth) == ROW_GAP) {
            *ret_at = route->event;
            return FAIL(ERR_GAP, "event does not follow what the row has seen");
        }
    }
    list_changes(model);
    return OK;
}

struct err read_model_write(struct read_model *model)
{
    return store_unit_write(model->table, model->inserts, model->inserts_count, model->updates,
                            model->updates_count, model->removes, model->removes_count);
}

void read_model_finish_batch(struct read_model *model)
{
    while (model->rows.count > model->cache_rows) {
        row_table_remove(&model->rows, model->rows.oldest);
        model->complete = false;
    }
}
