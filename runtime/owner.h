/* Owning one partition of a log by the rules of docs/protocol.md: take over, append without
 * waiting, read back, notice when somebody else came, renew. What the decisions mean is the
 * caller's business. Single thread. */
#ifndef RUNTIME_OWNER_H
#define RUNTIME_OWNER_H

#include <stdatomic.h>

#include "runtime/cursor.h"

enum {
    OWNER_SOURCES_MAX = DECISION_POSITIONS_MAX,
    OWNER_TAKEOVER_SEEN_MS = 15000,  /* own TAKEOVER not read back by then: a new nonce, again */
    OWNER_TAKEOVER_STALL_MS = 60000, /* no progress in a takeover */
    OWNER_RETAKE_MIN_MS = 200,       /* after a deposition: 200-400 ms, doubling */
    OWNER_RETAKE_MAX_MS = 10000,
    OWNER_RENEW_DECISIONS = 50000, /* so that a reader starting at the end has a bounded way to its
                                      context */
};

enum owner_state { OWNER_IDLE, OWNER_ACTIVE, OWNER_DEPOSED, OWNER_HALTED };

/* What it reads beside its own commands: the next input to decide is the first at or after (offset,
 * index). */
struct owner_source {
    struct log_topic *topic;
    int partition;
    int32_t index;
    int64_t offset;
    uint64_t print; /* as in struct input */
};

struct owner {
    /* given */
    struct log_topic *log;
    struct log_topic *commands;
    int partition;
    struct log_reader *reader;
    struct log_producer *producer;
    const atomic_bool *stop;
    const char *instance; /* who we are, for people who read the log */
    uint32_t slot;        /* comes back in the producer's tags */
    /* kept */
    enum owner_state state;
    int64_t epoch;
    uint64_t last;         /* print of the last decision appended, by whomever */
    uint64_t number;       /* of the last decision appended in this epoch */
    int64_t commands_next; /* offset of the next record of commands to decide */
    struct cursor tail;    /* own log, read back */
    struct uuid nonce;     /* of the TAKEOVER awaited or in force */
    uint32_t generation;   /* rises with each takeover: tells late reports apart */
    bool append_failed;
    int64_t landed; /* below the next append of this generation; -1: nothing is known */
    bool cut;       /* an append landed there or lower: the log was cut back */
    int retake_ms;
    int64_t retake_at_ms; /* monotonic */
    int64_t began_ms;     /* the takeover; monotonic */
    int64_t from;         /* offset at which its fold began */
    struct err why;       /* of a halt or the last deposition */
    uint64_t takeovers, depositions;
    struct owner_source sources[OWNER_SOURCES_MAX];
    size_t sources_count;
};

/* Called with each valid decision in the order of the log, while taking over (the fold). */
typedef struct err (*owner_fold)(void *context, const struct fact *fact);

/* Forgets everything: nothing has been folded. */
void owner_forget(struct owner *owner);
/* What has been folded ends at `from`, and commands_next and the sources say so. Errors as
 * cursor_resume. */
NODISCARD struct err owner_resume(struct owner *owner, struct position from);
/* Folds what the log is known to hold. ERR_STOPPING when *stop became true. A HALT-class error must
 * halt this partition. */
NODISCARD struct err owner_catch_up(struct owner *owner, owner_fold fold, void *context);
/* A takeover, after that, is two steps, so that one who takes over many waits for their TAKEOVERs
 * once, not one by one. The first announces itself. */
NODISCARD struct err owner_announce(struct owner *owner);
/* The second folds on to its own TAKEOVER; `commands` must be followed. On success the owner is
 * ACTIVE. Errors as above. */
NODISCARD struct err owner_take_over(struct owner *owner, owner_fold fold, void *context);
/* Appends the decision: sets its mark, remembers its input as decided. Waits while the producer's
 * queue is full. */
NODISCARD struct err owner_append(struct owner *owner, struct decision *decision,
                                  struct arena *arena);
/* Reads back what was appended, calling `settled` with each; finds out whether the log is still its
 * own. */
void owner_watch(struct owner *owner, owner_fold settled, void *context, struct arena *arena);
/* Number of own decisions appended and not yet read back as valid. */
uint64_t owner_unsettled(const struct owner *owner);
/* A new epoch of its own, keeping all state. Call when nothing is unsettled. */
NODISCARD struct err owner_renew(struct owner *owner);
/* From the producer's report, in the order of the appends. */
void owner_reported(struct owner *owner, uint64_t tag, int64_t offset, struct err err);
/* The slot in a producer's tag. */
uint32_t owner_slot_of(uint64_t tag);
void owner_depose(struct owner *owner, struct err why);
void owner_halt(struct owner *owner, struct err why);
/* Where the last decision lies that was read from this source; -1: none was. */
int64_t owner_source_read(const struct owner_source *source);
/* Does a source that holds `fact` as the next valid decision after `before` still hold what was
 * read from it last? */
bool owner_passes(const struct owner *owner, size_t source, int64_t before,
                  const struct fact *fact);
/* Is (offset, index) of this source still to be decided? */
bool owner_wants(const struct owner *owner, size_t source, int64_t offset, int32_t index);

#endif
