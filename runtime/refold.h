/* A read model folded in memory from the beginning of its logs, one range of key hashes at a time,
 * so that memory stays bounded: the logs are read again for each range. */
#ifndef RUNTIME_REFOLD_H
#define RUNTIME_REFOLD_H

#include "runtime/feed.h"
#include "runtime/row_table.h"
#include "runtime/store.h"

enum { REFOLD_BYTES = 512 * 1024 * 1024 }; /* of rows in memory */

struct refold_progress {
    int pass;        /* from 1 */
    double share;    /* of the whole work, 0..1; an estimate when there are several passes */
    int64_t records; /* read, all passes */
    int64_t events;  /* folded or passed over, all passes */
    double seconds;  /* since the beginning */
};

struct refold_place {
    int64_t upto;         /* only decisions below this offset count */
    struct position done; /* after the last valid decision below it */
    int64_t commands_next;
    int64_t read; /* every record below has been read */
};

struct refold {
    const struct projection *projection;
    struct feed *feed;
    struct row_table rows; /* of the last range */
    struct refold_place places[FEED_SOURCES_MAX][PARTITIONS_MAX];
    size_t max_rows;
    char *keys;                         /* PROJECTION_KEYS_MAX zeroed rows */
    char failure[MODEL_REASON_MAX + 1]; /* which record could not be folded, and why */
    struct refold_progress told;
    int64_t began_ms, told_ms, records_before;
    uint32_t lo, hi;
    void (*progress)(void *context, const struct refold_progress *progress); /* about ten times a
                                                                                second; or NULL */
    void *context;
};

/* max_rows 0: what REFOLD_BYTES hold. upto is 0 everywhere. */
NODISCARD struct err refold_open(struct refold *refold, struct log *log,
                                 const struct vocabulary_list *vocabularies,
                                 const struct projection *projection, size_t max_rows);
void refold_close(struct refold *refold);
/* Up to these positions; or to the present ends of the logs. */
void refold_upto(struct refold *refold, const struct model_positions *positions);
NODISCARD struct err refold_to_ends(struct refold *refold);
/* Leaves in refold->rows what the fold gives for keys whose hash lies in [lo, *ret_hi]; lowers
 * *ret_hi from UINT32_MAX until that fits in max_rows. */
NODISCARD struct err refold_range(struct refold *refold, uint32_t lo, uint32_t *ret_hi);

#endif
