/* A read model made anew: its logs are folded from the beginning in memory, copied into a new
 * generation of its table, which then catches up and takes the old one's place behind the view. The
 * service's worker, here or in another process, goes on with the old one until then, and with the
 * new one after. */
#ifndef RUNTIME_REBUILD_H
#define RUNTIME_REBUILD_H

#include "runtime/refold.h"

enum rebuild_phase {
    REBUILD_FOLD,
    REBUILD_COPY,
    REBUILD_INDEX,
    REBUILD_CATCH_UP,
    REBUILD_SWAP,
    REBUILD_DONE
};

struct rebuild_progress {
    enum rebuild_phase phase;
    struct refold_progress fold; /* up to now */
    int64_t rows;                /* written */
};

struct rebuild_options {
    const struct projection *projection;
    struct log *log;
    const char *conninfo; /* of the service's database */
    const struct vocabulary_list *vocabularies;
    size_t max_rows; /* in memory; 0: what REFOLD_BYTES hold */
    bool must_equal; /* refuse to replace what it differs from: ERR_CONFLICT */
    void (*progress)(void *context, const struct rebuild_progress *progress); /* or NULL */
    void *context;
};

struct rebuild_report {
    int64_t generation;
    int64_t rows;
    uint64_t digest;
    int64_t events;
    int passes;
    bool compared; /* there was an old one of the same version at the same positions: */
    bool equal;    /* and it was the same */
    int64_t old_rows;
    uint64_t old_digest;
    double seconds;
    double held_ms;                     /* how long the worker stood still */
    char failure[MODEL_REASON_MAX + 1]; /* after an error: what happened where; may be empty */
};

/* ERR_CONFLICT: somebody else is rebuilding it. On any error the old one stays as it is. */
NODISCARD struct err rebuild(const struct rebuild_options *options,
                             struct rebuild_report *ret_report);

#endif
