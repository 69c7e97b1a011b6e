/* Reads one log partition and hands out its valid decisions only: how everybody but the owner reads
 * a log. */
#ifndef RUNTIME_CURSOR_H
#define RUNTIME_CURSOR_H

#include "core/judge.h"
#include "runtime/event_log.h"

struct cursor {
    struct log_topic *topic;
    int partition;
    int64_t next; /* offset of the next record to read */
    int64_t done; /* offset after the last valid decision handed out: the only position worth
                     keeping */
    int64_t commands_next; /* as told by the last valid record read; 0: none yet */
    struct judge judge;
    int64_t last; /* where the decision lies whose print the judge holds; -1: it was not read */
    int64_t fetched, vouched; /* records up to the first are here; a void one below the second is
                                 void indeed */
    struct uuid nonce;        /* of the latest TAKEOVER read here; nil before the first */
    struct uuid awaited;      /* a batch ends after the TAKEOVER with this nonce; nil: none is */
    uint64_t voids;           /* void records met */
    uint64_t gaps; /* of those: of the epoch in force, so that its writer must take over again */
};

struct fact {
    int64_t offset;
    int32_t partition;
    struct decision decision; /* its mark holds the print to keep with a position after it */
};

/* What a reader keeps, to resume from. */
static inline struct position cursor_position(const struct cursor *cursor)
{
    return (struct position){cursor->done, cursor->done > 0 ? cursor->judge.last : PRINT_NONE};
}
/* Goes on after the valid decision that ends at this position (0: from the start). Follows the
 * partition. ERR_LOST when the log does not reach it (what was deleted before it is met by
 * reading), or another decision lies there: the log was cut back and has grown again; ERR_GAP when
 * there is no decision before it. Blocks while reading one record. */
NODISCARD struct err cursor_resume(struct cursor *cursor, struct log_reader *reader,
                                   struct log_topic *topic, int partition, struct position done);
/* Goes on with the valid decision at `offset` itself, to hand it out once more; `done` is 0 until
 * then. Errors as above. */
NODISCARD struct err cursor_resume_at(struct cursor *cursor, struct log_reader *reader,
                                      struct log_topic *topic, int partition, int64_t offset,
                                      uint64_t print);
/* What was read last lies where it lay; else ERR_LOST. Reads one record of the broker. */
NODISCARD struct err cursor_check(struct cursor *cursor, struct log_reader *reader);
/* The record at `offset`, which is known to be a decision that has been read before. */
NODISCARD struct err cursor_fetch(struct cursor *cursor, struct log_reader *reader, int64_t offset,
                                  struct arena *arena, struct decision *ret_decision);
/* Goes on with the first valid decision at or after the present end: finds its context by the epoch
 * of the last record, and reads forward from there (protocol.md, 6). */
NODISCARD struct err cursor_from_end(struct cursor *cursor, struct log_reader *reader,
                                     struct log_topic *topic, int partition);
/* The next valid decisions, decoded into the arena (which also holds their bytes); *ret_count 0
 * with cursor->next unmoved: nothing new. Void records are passed over. ERR_LOST when the log is
 * not the one that was read so far. */
NODISCARD struct err cursor_read(struct cursor *cursor, struct log_reader *reader,
                                 struct arena *arena, struct fact *facts, size_t max,
                                 size_t *ret_count);

#endif
