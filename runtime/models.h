/* What operators may ask of read models: which there are, whether they are right, and to drop one.
 */
#ifndef RUNTIME_MODELS_H
#define RUNTIME_MODELS_H

#include "runtime/refold.h"

struct models_options {
    struct log *log;
    const char *conninfo; /* of the service's database */
    const struct vocabulary_list *vocabularies;
    size_t max_rows; /* models_verify: in memory; 0: what REFOLD_BYTES hold */
    void (*progress)(void *context, const struct refold_progress *progress); /* or NULL */
    void *context;
};

enum model_state {
    MODEL_STATE_LIVE,
    MODEL_STATE_HALTED,
    MODEL_STATE_DROPPED,
    MODEL_STATE_OUTDATED,
    MODEL_STATE_UNKNOWN
};
const char *model_state_text(enum model_state state);

struct model_info {
    const struct projection *projection;
    enum model_state state; /* UNKNOWN: not migrated */
    bool rebuilding;
    struct generation generation; /* the live one */
    int64_t decided;              /* sum of next_offset over the partitions */
    int64_t lag;                  /* records not read yet, of all its logs */
};

/* Fills one info per projection, all of one service's database. */
NODISCARD struct err models_list(const struct models_options *options,
                                 const struct projection *const *projections, size_t count,
                                 struct model_info *ret_infos);

/* Reads the whole table: rows and digest as they really are, not as the catalogue has them.
 * ERR_NOT_FOUND: no table. */
NODISCARD struct err models_digest(const struct models_options *options,
                                   const struct projection *projection, int64_t *ret_rows,
                                   uint64_t *ret_digest);

struct verify_report {
    bool equal;
    int64_t rows, expected_rows;
    uint64_t digest, expected_digest;
    int64_t differing;                  /* rows that are missing, left over or different */
    char difference[600];               /* the first of them */
    char failure[MODEL_REASON_MAX + 1]; /* after an error: which record could not be folded; may be
                                           empty */
};

/* Folds the logs up to the position of the live table, in memory, and compares row by row, while
 * the worker goes on. ERR_CONFLICT: the table was made by another version of the fold. */
NODISCARD struct err models_verify(const struct models_options *options,
                                   const struct projection *projection,
                                   struct verify_report *ret_report);

/* Drops the view and the table. The worker halts this read model until it is rebuilt. */
NODISCARD struct err models_drop(const struct models_options *options,
                                 const struct projection *projection);

#endif
