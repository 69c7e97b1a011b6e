/* Puts the parts together. */
#include "tests/sim/check.h"

#include "tests/sim/case.h"
#include "tests/sim/check_parts.h"

static void fold(struct tape *tape, int64_t offset, const struct decision *decision)
{
    check_log_fold(tape, offset, decision);
    case_fold(tape->service, decision);
}

void check_begin(void)
{
    tapes_begin();
    cases_begin();
    check_log_begin();
}

bool check_is_settled(void)
{
    tapes_advance(fold);
    return check_log_is_paid() && check_trade_is_over() && check_views_are_current();
}

/* Not all of it: some of what has been decided is kept a little longer. */
void check_retain(void)
{
    tapes_advance(fold);
    for (size_t i = 0; i < tapes_count(); i++) {
        const struct tape *t = tape_at(i);
        struct part *part = &t->commands->parts[t->partition];
        int64_t gone = t->commands_next - (int64_t)chance_under(4);
        if (gone > part->first && chance_one_in(2)) {
            counters.retention_deleted += gone - part->first;
            part->first = gone;
        }
    }
}

void check_all(void)
{
    tapes_advance(fold);
    for (size_t i = 0; i < tapes_count(); i++)
        for (int64_t at = 0; at < tape_at(i)->read; at++)
            if (tape_at(i)->records[at].kind == TAPE_TAKEOVER && at + 1 < tape_at(i)->read &&
                tape_at(i)->records[at + 1].kind == TAPE_TAKEOVER)
                SOMETIMES(takeover_unused);
    check_log_end();
    check_trade();
    check_history();
    check_views();
}
