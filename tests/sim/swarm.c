/* Draws. */
#include "tests/sim/swarm.h"

#include "tests/sim/world.h"

/* Off in half of the seeds; else anything up to `most`, small rates more often. */
static int rate(int most)
{
    if (chance_one_in(2))
        return 0;
    int shift = (int)chance_under(5);
    return 1 + (int)chance_under((uint64_t)(most >> shift) + 1);
}

void swarm_draw(struct swarm *s, int commands)
{
    *s = (struct swarm){
        .crash = rate(4000),
        .pause = rate(3000),
        .stop = rate(1000),
        .append_lost = rate(20000),
        .append_lost_report = rate(20000),
        .append_late = rate(20000),
        .append_stalled = rate(20000),
        .append_twice = rate(40000),
        .producer_full = rate(10000),
        .read_lag = rate(20000),
        .report_late = rate(50000),
        .broker_error = rate(20000),
        .kick = rate(400000),
        .commit_lost = rate(300000),
        .store_cut = rate(10000),
        .store_40001 = rate(60000),
        .store_commit_lost = rate(60000),
        .store_failover = rate(300000),
        .provider = rate(500000),
        .workers = 1 + (int)chance_under(3),
        .clients = 2 + (int)chance_under(5),
        .commands = commands,
        .skus = 1 + (int)chance_under(4),
        .skew_ms = chance_one_in(3) ? (int)chance_under(3000) : 0,
        .same_names = chance_one_in(10),
        .scarce = chance_one_in(3),
        .short_steps = chance_one_in(3),
        .mean_provider = chance_one_in(2),
        .poison = chance_one_in(3),
        .retention = chance_one_in(3),
        .calls_deadline_ms = chance_one_in(3) ? 1600 + (int)chance_under(1500) : 12000,
        .position_ms = 200 + (int)chance_under(20000),
        .renew_decisions = 5 + (unsigned)chance_under(chance_one_in(2) ? 40 : 4000),
    };
    if (s->commit_lost > 75000)
        s->commit_lost = 970000; /* the coordinator is away for long */
    s->lossy = chance_one_in(40);
    if (chance_one_in(16))
        *s = (struct swarm){.calm = true,
                            .workers = 1,
                            .clients = s->clients,
                            .commands = s->commands,
                            .skus = s->skus,
                            .renew_decisions = s->renew_decisions,
                            .calls_deadline_ms = s->calls_deadline_ms,
                            .position_ms = s->position_ms};
    if (!s->calm && world.seed % 2 == 0) /* of the seed itself: all else is as without */
        s->snapshot_records = 3 + (unsigned)(world.seed / 2 % 40);
    for (int i = 0; i < SIM_SERVICES; i++)
        s->partitions[i] = 1 + (int)chance_under(3);
    for (int i = 0; i < SIM_SERVICES; i++)
        s->projections |= (unsigned)chance_one_in(3) << i;
}
