/* The two records everything is made of: commands (S.commands, and inside saga decisions) and the
 * TAKEOVER and DECISION records of S.log. See docs/protocol.md. Text points into the record it was
 * read from. Integers on the wire are little-endian. */
#ifndef CORE_ENVELOPE_H
#define CORE_ENVELOPE_H

#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/position.h"
#include "core/problem.h"
#include "core/uuid.h"

enum role { ROLE_CUSTOMER = 1, ROLE_MERCHANT = 2, ROLE_ADMIN = 4, ROLE_SYSTEM = 8 }; /* a set */
/* What users may have: the rest is for the parts of the house. */
enum { ROLES_OF_USERS = ROLE_CUSTOMER | ROLE_MERCHANT | ROLE_ADMIN };

/* On whose behalf: what decide judges ownership by. */
struct actor {
    struct uuid id;
    uint8_t roles;
};

enum { VERSION_ANY = -1 };

struct command {
    struct uuid id;      /* what it is, across retries */
    struct uuid attempt; /* this try of it; the id itself where nobody retries by hand */
    struct uuid saga;    /* the order it belongs to; nil outside fulfilment */
    struct uuid cause;   /* id of the event or command that led to it; nil for a client's */
    struct actor actor;
    uint64_t fingerprint;     /* of the client's body; 0 where the id alone says everything */
    int64_t sent_at;          /* microseconds, the sender's clock */
    int64_t expected_version; /* VERSION_ANY or the version the aggregate must have */
    struct text service;      /* order */
    struct text target;       /* aggregate id; the record's key */
    struct text type;         /* order.place.v1 */
    struct text traceparent;  /* W3C; may be empty */
    struct text data;         /* JSON */
};

/* Where an input of an owner was read. topic is empty for a timer and for position-only decisions.
 */
struct input {
    struct text topic;
    int32_t partition;
    int32_t index; /* which command of the decision at offset; 0 for a plain record */
    int64_t offset;
    uint64_t print; /* of the decision at offset; in a position with index 0, of the one before it;
                       PRINT_NONE for what is not in a log */
};

enum record_kind { RECORD_TAKEOVER = 1, RECORD_DECISION = 2 };
enum outcome { OUTCOME_ACCEPTED = 1, OUTCOME_REFUSED = 2, OUTCOME_POSITION = 3 };

/* What log_judge looks at, first in every log record. */
struct mark {
    enum record_kind kind;
    int64_t epoch;         /* DECISION: offset of its writer's TAKEOVER */
    uint64_t number;       /* DECISION: how manieth of that epoch, from 1 */
    int64_t commands_next; /* offset after the last record of S.commands decided so far */
    uint64_t follows;      /* DECISION: print of the last valid decision its writer had read or made
                            */
    uint64_t print;        /* of this record; not written in it */
};

struct takeover {
    struct mark mark;
    struct uuid nonce;
    struct text instance; /* who wrote it: for people only */
    int64_t at;           /* microseconds */
};

struct payload {
    struct text type;
    struct text data; /* JSON */
};

struct decision {
    struct mark mark;
    struct input input;
    enum outcome outcome;
    bool replayed;        /* repeats the answer of the decision at first_offset; holds no events */
    int64_t first_offset; /* -1 when not replayed */
    struct uuid command_id;
    struct uuid attempt;
    struct uuid saga;
    struct uuid cause;
    struct actor actor;
    uint64_t fingerprint;
    int64_t at;           /* microseconds, the owner's clock: the time of its events */
    enum problem problem; /* PROBLEM_NONE when accepted */
    struct text detail;   /* of the problem; at most DETAIL_LEN_MAX */
    struct text pointer;  /* JSON pointer into the client's body; may be empty */
    struct text target;   /* aggregate id; the record's key */
    int64_t version;      /* of the aggregate after this decision */
    struct text type;     /* of the command */
    struct text traceparent;
    size_t events_count;
    struct payload *events; /* event i has version `version - events_count + 1 + i` */
    size_t commands_count;
    struct command *commands; /* a saga's: what it sends */
    size_t positions_count;
    struct input *positions; /* next (offset, index) per source partition; on position-only
                                decisions */
};

/* Append to arena memory; .at is NULL when it does not fit. */
struct text command_encode(const struct command *command, struct arena *arena);
struct text decision_encode(const struct decision *decision, struct arena *arena);
struct text takeover_encode(const struct takeover *takeover, struct arena *arena);

/* ERR_MALFORMED when the bytes are not what they should be: never trusts a length. */
NODISCARD struct err command_decode(struct text record, struct command *ret_command);
/* Of a whole record: any other has another, neither PRINT_NONE nor PRINT_UNKNOWN. */
uint64_t print_of(struct text record);
NODISCARD struct err mark_decode(struct text record, struct mark *ret_mark);
NODISCARD struct err takeover_decode(struct text record, struct takeover *ret_takeover);
/* The lists of *ret_decision live in the arena. */
NODISCARD struct err decision_decode(struct text record, struct arena *arena,
                                     struct decision *ret_decision);

/* The id of event i of a decision: UUIDv5(command id, i). */
struct uuid event_id(const struct decision *decision, size_t i);
int64_t event_version(const struct decision *decision, size_t i);
/* The id of a command that came as (topic, partition, offset, index) instead of with an id of its
 * own. */
struct uuid input_id(const struct input *input);

#endif
