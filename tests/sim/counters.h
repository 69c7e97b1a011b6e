/* SOMETIMES: what must have happened at least once in a long enough run, or the simulator does not
 * reach what it is for. */
#ifndef TESTS_SIM_COUNTERS_H
#define TESTS_SIM_COUNTERS_H

// clang-format off
#define COUNTERS(X)                                                                           \
    X(crashes) X(pauses) X(restarts) X(stops) X(zombie_woke)                                  \
    X(append_lost) X(append_lost_report) X(append_late) X(append_stalled) X(append_twice)     \
    X(append_dropped_by_crash) X(landed_after_crash) X(landed_after_pause) X(report_late)     \
    X(producer_full) X(read_lagged) X(broker_unavailable)                                     \
    X(void_epoch) X(void_number) X(takeovers) X(takeover_unused) X(renewals)                  \
    X(deposed) X(deposed_by_nobody) X(duels) X(halted)                                        \
    X(rebalances) X(seats_kept) X(seats_lost) X(seats_fenced) X(coordinator_moves)            \
    X(blind_owners) X(overlapping_owners) X(commits_lost)                                     \
    X(store_40001) X(store_cut) X(store_commit_lost_applied) X(store_commit_lost_dropped)     \
    X(store_failovers) X(store_commits_undone) X(store_backups_restored) X(store_fence_owner)   \
    X(provider_500) X(provider_500_done) X(provider_silent_done) X(provider_silent_undone) X(provider_late) X(provider_last) \
    X(provider_duplicate) X(provider_refused) X(provider_replayed) X(provider_down)           \
    X(charges) X(captures) X(voids) X(refunds) X(payment_unknown)                             \
    X(requests) X(requests_retried) X(requests_unknown) X(requests_replayed) X(requests_refused) \
    X(keys_reused) X(wrong_versions) X(poison_commands) X(poison_refused)                     \
    X(answers_over_5s) X(probes) X(probed_restarts) X(probed_takeovers)                       \
    X(reads) X(reads_behind)                                                                  \
    X(orders) X(orders_confirmed) X(orders_cancelled) X(orders_shipped) X(out_of_stock)       \
    X(declined) X(deadlines) X(cancelled_midway) X(cancelled_after_confirmation) X(restocked) \
    X(released) X(timers_fired) X(compensation_failed) X(operator_retries) \
    X(snapshots_written) X(snapshots_read) X(snapshots_restored) X(snapshots_broken)          \
    X(positions_written) X(retention_deleted) X(commands_lost)
// clang-format on

struct counters {
#define X(name) long name;
    COUNTERS(X)
#undef X
};

#define SOMETIMES(name) ((void)counters.name++)

#endif
