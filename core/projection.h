/* The contract of a read model: a pure fold (row, event) -> row over typed rows. The runtime loads
 * rows, folds batches, writes them with the position in one transaction, rebuilds, verifies and
 * swaps. */
#ifndef CORE_PROJECTION_H
#define CORE_PROJECTION_H

#include "core/event.h"

enum { PROJECTION_KEYS_MAX = 64, PROJECTION_SOURCES_MAX = 8, ROW_TEXT_MAX = 6000 };

/* Kinds of column. Each has one C type:
 *   BIGINT int64_t; INTEGER int32_t; BOOLEAN bool; UUID struct uuid; TIME int64_t microseconds
 * (timestamptz); MAYBE_TIME struct maybe_time; TEXT struct row_text(N): char at[N] zero-padded
 * behind a length. */
enum column_kind {
    COLUMN_BIGINT,
    COLUMN_INTEGER,
    COLUMN_BOOLEAN,
    COLUMN_UUID,
    COLUMN_TIME,
    COLUMN_MAYBE_TIME,
    COLUMN_TEXT
};

struct maybe_time {
    int64_t us;
    bool set;
};

/* Text of at most N bytes; the rest is zero, so rows can be compared byte by byte. */
#define ROW_TEXT(n)   \
    struct {          \
        uint16_t len; \
        char at[n];   \
    }
/* Longer text than the column holds is a bug of the projection: asserted, never cut. */
#define row_text_set(column, value) \
    row_text_set_(&(column)->len, (column)->at, sizeof(column)->at, (value))
void row_text_set_(uint16_t *len, char *at, size_t size, struct text value);
static inline struct text row_text_get_(uint16_t len, const char *at)
{
    return (struct text){at, len};
}
#define row_text_get(column) row_text_get_((column)->len, (column)->at)

struct column {
    const char *name;
    enum column_kind kind;
    bool key;
    uint16_t offset; /* in the row struct */
    uint16_t size;   /* of the C value */
};
#define COLUMN(row, kind_, name_)                                                      \
    {                                                                                  \
        .name = #name_, .kind = COLUMN_##kind_, .offset = offsetof(struct row, name_), \
        .size = sizeof(((struct row *)0)->name_)                                       \
    }
#define KEY_COLUMN(row, kind_, name_)                                                   \
    {                                                                                   \
        .name = #name_, .kind = COLUMN_##kind_, .key = true,                            \
        .offset = offsetof(struct row, name_), .size = sizeof(((struct row *)0)->name_) \
    }

/* GAP: the event does not follow what the row has seen (its version is not the row's + 1): the
 * runtime halts this projection loudly and writes nothing. */
enum row_fate { ROW_KEEP, ROW_REMOVE, ROW_GAP };

struct projection {
    const char *name;    /* orders: the view's name */
    const char *service; /* order: whose database */
    int version; /* raised whenever the fold or the columns change: the runtime rebuilds beside and
                    swaps */
    const char *const *sources; /* services whose logs it folds; NULL-terminated */
    bool decisions; /* also called once per decision (also refused ones), with event->message ==
                       NULL */
    const struct column *columns; /* keys first */
    size_t columns_count;
    size_t row_size;
    const char *const *indexes; /* column lists, such as "customer_id, placed_at"; NULL-terminated
                                   or NULL */
    const char *shown; /* SQL condition of the view, for rows that only half exist yet; NULL: all
                          rows */

    /* Writes the key columns of every row this event touches into zeroed rows of row_size each;
     * returns how many, at most PROJECTION_KEYS_MAX; 0 = the event does not concern it. */
    size_t (*keys)(const struct event *event, void *rows);
    /* Called once per key in the order of keys. A new row is zero but for its key. Rows shared by
     * partitions must not depend on the order in which those are read. */
    enum row_fate (*apply)(void *row, const struct event *event, size_t nth);
};

#endif
