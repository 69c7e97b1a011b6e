/* The parts of the checker, for check.c. */
#ifndef TESTS_SIM_CHECK_PARTS_H
#define TESTS_SIM_CHECK_PARTS_H

#include "tests/sim/tape.h"

/* ---- check_log.c: every input decided once and in order, versions without gaps ---- */
void check_log_begin(void);
void check_log_fold(struct tape *tape, int64_t offset, const struct decision *decision);
/* Every command and every consequence that lies in a log has been decided. */
bool check_log_is_paid(void);
void check_log_end(void);

/* Where `by` has decided that record of `from`; -1: nowhere. */
int64_t check_log_decided_at(const struct tape *by, const struct tape *from, int64_t offset);

/* ---- check_owners.c: who deposed whom ---- */
void check_owners_begin(void);
void check_owners_end(void);

/* ---- check_timers.c ---- */
void check_timers_begin(void);
void check_timers_fold(struct tape *tape, int64_t offset, const struct decision *decision);
void check_timers_end(void);

/* ---- check_history.c: what clients were told ---- */
void check_history(void);

/* ---- check_trade.c: orders, stock, money ---- */
bool check_trade_is_over(void);
void check_trade(void);

/* ---- check_views.c: read models ---- */
bool check_views_are_current(void);
void check_views(void);

#endif
