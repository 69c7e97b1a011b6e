/* The one rule of the log (docs/protocol.md, 2): which decisions are true. Pure, shared by all
 * readers. */
#ifndef CORE_JUDGE_H
#define CORE_JUDGE_H

#include "core/envelope.h"
#include "core/mutant.h"

enum verdict { VERDICT_VOID, VERDICT_TAKEOVER, VERDICT_VALID };

/* What a reader must know of a log partition to judge its next record. */
struct judge {
    int64_t epoch;   /* offset of the latest TAKEOVER; -1 before the first */
    uint64_t number; /* of the last valid decision of that epoch */
    uint64_t last;   /* print of the last valid decision of any epoch */
};

#define JUDGE_START ((struct judge){.epoch = -1})

/* Judges the record at `offset` and remembers what follows from it. Records must come in order,
 * none left out. */
static inline enum verdict log_judge(struct judge *judge, int64_t offset, const struct mark *mark)
{
    if (mark->kind == RECORD_TAKEOVER) {
        *judge = (struct judge){.epoch = offset, .last = judge->last};
        return VERDICT_TAKEOVER;
    }
    if (judge->epoch < 0 || (mark->epoch != judge->epoch && !MUTANT(no_epoch_check)) ||
        (mark->number != judge->number + 1 && !MUTANT(no_number_check)) ||
        (mark->follows != judge->last && judge->last != PRINT_UNKNOWN && !MUTANT(no_history_check)))
        return VERDICT_VOID;
    judge->number = mark->number;
    judge->last = mark->print;
    return VERDICT_VALID;
}

/* The judge as it stood just before a decision that is known to be valid: how a reader resumes
 * there. */
static inline struct judge judge_before(const struct mark *valid)
{
    return (struct judge){
        .epoch = valid->epoch, .number = valid->number - 1, .last = valid->follows};
}

#endif
