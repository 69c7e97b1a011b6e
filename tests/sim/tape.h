/* The logs as the checker reads them: with a rule of its own for what is valid. */
#ifndef TESTS_SIM_TAPE_H
#define TESTS_SIM_TAPE_H

#include "core/service.h"
#include "tests/sim/broker.h"

enum tape_kind { TAPE_TAKEOVER, TAPE_VOID, TAPE_VALID };

struct tape_record {
    enum tape_kind kind;
    const struct decision *decision; /* of VALID */
};

struct tape { /* one partition of one service's log */
    const struct service *service;
    struct log_topic *log, *commands;
    int partition;
    int64_t read; /* records read so far */
    int64_t room;
    struct tape_record *records;
    int64_t takeover; /* the latest; -1 */
    uint64_t next_number;
    uint64_t last;         /* print of the last valid decision */
    int64_t after_valid;   /* offset after the last valid decision */
    int64_t commands_next; /* as it says */
    bool lossy, told;      /* commands were lost before they were decided; its owner has said so */
};

typedef void (*tape_fold)(struct tape *tape, int64_t offset, const struct decision *decision);

void tapes_begin(void);
/* Reads on in all logs; fold is called with each valid decision, partition by partition. */
void tapes_advance(tape_fold fold);
size_t tapes_count(void);
struct tape *tape_at(size_t i);
struct tape *tape_of(struct text service, int partition);
/* The valid decision there, or NULL. */
const struct decision *tape_decision(const struct tape *tape, int64_t offset);

#endif
