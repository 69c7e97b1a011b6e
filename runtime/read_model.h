/* One read model while it is folded into its table: the rows of a batch are found, loaded when
 * unknown, folded in memory and written as one unit with others. A bounded cache keeps rows between
 * batches. */
#ifndef RUNTIME_READ_MODEL_H
#define RUNTIME_READ_MODEL_H

#include "runtime/row_table.h"
#include "runtime/store.h"

struct read_model_touched {
    uint32_t slot;
    bool existed;
};

struct read_model_route { /* what is to be folded: nth key of an event */
    const struct event *event;
    uint32_t slot;
    uint32_t nth;
};

struct read_model {
    const struct projection *projection;
    struct store_table *table;
    int64_t generation;
    int64_t rows_count; /* in the table, after the batches written */
    uint64_t digest;
    struct row_table rows;
    size_t cache_rows;
    bool complete; /* the cache holds every row: a miss means that there is none */
    uint32_t batch;
    char *keys;                      /* PROJECTION_KEYS_MAX zeroed rows */
    struct read_model_route *routes; /* of the batch */
    size_t routes_count, routes_room;
    struct read_model_touched *touched;
    size_t touched_count, touched_room;
    char *before;                               /* the touched rows as they were */
    const void **inserts, **updates, **removes; /* touched_room each */
    size_t inserts_count, updates_count, removes_count;
};

/* rows_count and digest as the catalogue has them. cache_bytes bounds the rows kept between
 * batches. */
NODISCARD struct err read_model_open(struct read_model *model, struct store *store,
                                     const struct projection *projection,
                                     const struct generation *generation, size_t cache_bytes);
void read_model_close(struct read_model *model);

/* One batch: begin; add each event (which must live until the fold); load; fold; then, inside a
 * store unit, write; then finish once the unit is committed. After any error the model is closed
 * and opened again. */
void read_model_begin(struct read_model *model);
void read_model_add(struct read_model *model, const struct event *event);
NODISCARD struct err read_model_load(struct read_model *model);
/* ERR_GAP: *ret_at is the event that does not follow. */
NODISCARD struct err read_model_fold(struct read_model *model, const struct event **ret_at);
NODISCARD struct err read_model_write(struct read_model *model);
void read_model_finish_batch(struct read_model *model);

/* Does this projection fold the log of this service? */
bool projection_folds(const struct projection *projection, const char *service);
/* Applies one event to a slot; the row is zeroed but for its key when it is removed. */
enum row_fate row_slot_apply(const struct projection *projection, struct row_slot *slot,
                             const struct event *event, size_t nth);
/* The key rows the event touches, in `keys` (PROJECTION_KEYS_MAX zeroed rows). */
size_t projection_keys(const struct projection *projection, const struct event *event, char *keys);

#endif
