/* What can go wrong in this seed, and how often: each seed draws its own subset and rates. */
#ifndef TESTS_SIM_SWARM_H
#define TESTS_SIM_SWARM_H

#include <stdbool.h>

enum { SIM_SERVICES = 8 /* at most */ };

struct swarm {
    /* per million calls */
    int crash, pause, stop;
    int append_lost, append_lost_report, append_late, append_stalled, append_twice, producer_full;
    int read_lag, report_late, broker_error;
    int kick, commit_lost;
    int store_cut, store_40001, store_commit_lost, store_failover;
    int provider;
    /* shape */
    int partitions[SIM_SERVICES]; /* in the order of the services' names */
    int workers;                  /* of each kind */
    int clients;
    int commands; /* of all clients */
    int skus;
    int skew_ms;
    bool same_names;  /* two processes under one instance name */
    bool scarce;      /* little stock */
    bool short_steps; /* deadlines that do fire */
    bool mean_provider;
    bool poison;
    bool retention;
    unsigned renew_decisions;  /* of an owner's epoch */
    int position_ms;           /* between positions written */
    int calls_deadline_ms;     /* of all calls of one operation */
    unsigned snapshot_records; /* by which a log grows until its next snapshot; 0: there are none */
    bool lossy;                /* commands are lost that nobody has decided: must be told, loudly */
    bool calm;                 /* nothing goes wrong at all */
    unsigned projections;      /* bit per service whose read models are kept */
};

void swarm_draw(struct swarm *swarm, int commands);

#endif
