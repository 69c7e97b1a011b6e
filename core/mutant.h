/* Planted bugs, one at a time, to see whether the simulator catches them. Only a build for tests
 * (FOLDLOG_MUTANTS) has them; in all others MUTANT(x) is false and leaves nothing behind. */
#ifndef CORE_MUTANT_H
#define CORE_MUTANT_H

#include <stdbool.h>

#ifdef FOLDLOG_MUTANTS
// clang-format off
#define MUTANTS(X)                                                                              \
    /* the rule of the log, and reading by it */                                                \
    X(no_epoch_check) X(no_number_check) X(void_is_handed_out) X(reader_starts_blind)           \
    X(resume_without_context)                                                                   \
    /* owners */                                                                                \
    X(replay_to_stale_end) X(owner_does_not_watch) X(failed_append_ignored)                     \
    X(own_renewal_deposes) X(epoch_never_renewed) X(renewal_keeps_counting)                     \
    X(commands_next_not_carried) X(resume_from_end_of_commands) X(lost_commands_skipped)                                 \
    X(decided_twice_after_takeover) X(rest_of_decision_skipped) X(sources_not_remembered)       \
    X(positions_at_raw_end) X(no_rewind_after_takeover) X(no_rewind_after_rebalance)            \
    X(timers_do_not_wait) X(timers_forgotten_at_takeover) X(stale_timer_fires)                  \
    X(owner_is_not_woken) X(successor_waits)                                                    \
    /* snapshots */                                                                             \
    X(snapshot_is_speculative) X(snapshot_without_window) X(snapshot_without_sources)           \
    X(snapshot_without_timers) X(snapshot_sum_ignored) X(snapshot_decides_anew)                 \
    /* deciding */                                                                              \
    X(no_dedup) X(dedup_forgotten_at_takeover) X(every_refusal_remembered)                      \
    X(fingerprint_ignored) X(repeat_answered_anew) X(if_match_ignored) X(state_lags_behind)     \
    X(poison_skipped) X(operator_names_no_order)                                                \
    /* effects */                                                                               \
    X(committed_before_delivery) X(result_not_sent_again)                 \
    X(key_per_attempt) X(result_named_by_key) X(silence_is_a_no) X(miss_believed)         \
    X(answer_of_another_call) X(answers_in_log_ignored)                                                                   \
    /* the shop */                                                                              \
    X(oversell) X(partial_reservation_not_released) X(void_after_capture) X(refund_after_void)  \
    X(cancel_before_given_back) X(retry_asks_everybody) X(confirms_the_cancelled)               \
    X(ships_the_unconfirmed) X(captures_early) X(late_answer_counts) X(over_needs_attention)    \
    X(undo_sent_twice)                                                                          \
    /* read models */                                                                           \
    X(owner_not_in_fence) X(read_your_writes_off_by_one)               \
    X(views_resume_at_raw_end) X(session_keeps_owner)                                           \
    /* answers */                                                                               \
    X(answer_from_delivery_report)
/* what only a log that is cut back shows: caught by the scenarios, random seeds have none */
#define MUTANTS_OF_CUTS(X)                                                                      \
    X(no_history_check) X(cut_unseen_by_readers) X(cut_unseen_at_resume) X(source_print_not_kept)
// clang-format on
enum mutant {
    MUTANT_NONE,
#define X(name) MUTANT_##name,
    MUTANTS(X) MUTANTS_OF_CUTS(X)
#undef X
};
extern enum mutant mutant;
#define MUTANT(name) __builtin_expect(mutant == MUTANT_##name, false)
#else
#define MUTANT(name) false
#endif

#endif
