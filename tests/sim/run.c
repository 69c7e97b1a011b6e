/* The phases. */
#include "tests/sim/run.h"

#include "tests/sim/bank.h"
#include "tests/sim/broker.h"
#include "tests/sim/check.h"
#include "tests/sim/database.h"
#include "tests/sim/history.h"
#include "tests/sim/limits.h"
#include "tests/sim/probe.h"
#include "tests/sim/reads.h"
#include "tests/sim/shopper.h"
#include "tests/sim/staff.h"

enum { SAFETY_MAX_MS = 60000, QUIET_MS = 3000, MISCHIEF_MS = 500, PROBE_MAX_MS = 60000 };

static bool settled(void)
{
    return shoppers_done() && broker_quiet_us() > QUIET_MS * MS && check_is_settled();
}

static bool quiet(void)
{
    return world_is_at_rest(QUIET_MS * MS) && settled();
}

static bool probed(void)
{
    return probe_done() && settled();
}

/* What no single process calls for: seats taken away, a database that fails over, old commands
 * deleted. */
static void on_mischief(void *context, uint64_t unused, uint64_t unused2)
{
    (void)context;
    (void)unused;
    (void)unused2;
    if (!world.faults)
        return;
    if (fault(world.swarm.kick))
        groups_kick();
    if (fault(world.swarm.store_failover))
        database_fail_over();
    if (world.swarm.retention && chance_one_in(4))
        check_retain();
    if (world.swarm.lossy && chance_one_in(8))
        check_lose();
    world_after(MISCHIEF_MS * MS, on_mischief, NULL, 0, 0);
}

static void prepare(uint64_t seed, int commands)
{
    world_begin(seed);
    swarm_draw(&world.swarm, commands);
    broker_begin();
    database_begin();
    bank_begin();
    http_begin();
    history_begin();
    limits_begin();
    reads_begin();
    staff_prepare();
    check_begin();
    shoppers_begin();
    shoppers_hire();
    staff_hire();
}

/* Several processes of one instance name take the seat from each other for ever. No moment there is
 * quiet, and whoever dies has no successor that is sure to stay: only answers have a limit. */
static bool fights(void)
{
    return world.swarm.same_names && world.swarm.workers > 1;
}

static void run_probe(void)
{
    world_run(world.now + (int64_t)HEAL_GRACE_MS * MS, quiet);
    if (!fights() && !quiet())
        violate("LIVENESS there is no rest, though everything is settled");
    if (!fights())
        limits_quiet();
    probe_begin(!fights());
    world_run(world.now + (int64_t)PROBE_MAX_MS * MS, probed);
}

void run_seed(uint64_t seed, int commands)
{
    prepare(seed, commands);
    world.faults = true;
    world_after(MISCHIEF_MS * MS, on_mischief, NULL, 0, 0);
    world_run(SAFETY_MAX_MS * MS, settled);
    note("healing begins");
    world.faults = false;
    bank_heal();
    limits_heal();
    int64_t deadline = world.now + (int64_t)(world.swarm.lossy ? 60000 : HEAL_DEADLINE_MS) * MS;
    world_run(deadline, settled);
    if (!world.violation[0] && !world.swarm.lossy && settled())
        run_probe();
    world.current = NULL;
    http_deliver();
    if (!world.violation[0] && world.swarm.lossy)
        check_after_loss();
    else if (!world.violation[0])
        check_all();
    world_end();
}
