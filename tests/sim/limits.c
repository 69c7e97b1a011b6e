/* Limits on answers. */
#include "tests/sim/limits.h"

static int64_t healed_at, answers_from, answer_us, missed_until;

static void limit_from(int64_t from, int64_t limit_ms)
{
    answers_from = from;
    answer_us = limit_ms * MS;
}

void limits_begin(void)
{
    healed_at = INT64_MAX;
    limit_from(world.swarm.calm ? 0 : INT64_MAX, QUIET_ANSWER_MS);
    missed_until = BEGIN_MS * MS;
}

void limits_heal(void)
{
    healed_at = world.now;
    if (!world.swarm.calm)
        limit_from(healed_at + (int64_t)HEAL_GRACE_MS * MS, HEAL_ANSWER_MS);
}

void limits_quiet(void)
{
    if (!world.swarm.calm)
        limit_from(world.now, QUIET_ANSWER_MS);
}

void limits_miss(int64_t us)
{
    missed_until = world.now + us;
}

void limit_answer(const struct request *r)
{
    bool unknown = r->answer == ANSWER_UNKNOWN;
    int64_t answered = unknown ? world.now : r->answered;
    int64_t until = r->invoked + answer_us;
    if (until < missed_until)
        until = missed_until;
    if (answered - r->invoked > 5 * SECOND)
        SOMETIMES(answers_over_5s);
    if (world.swarm.lossy || r->invoked < answers_from)
        return;
    if (unknown || answered > until)
        violate("LIVENESS a request to %s[%d] at %.3f s took %.3f s, %.3f s too long", r->service,
                r->partition, (double)r->invoked / SECOND, (double)(answered - r->invoked) / SECOND,
                (double)(answered - until) / SECOND);
}

void limit_read(const struct request *r)
{
    bool graced = healed_at == INT64_MAX || r->invoked < healed_at + (int64_t)HEAL_GRACE_MS * MS;
    if (world.swarm.calm || !graced)
        violate("LIVENESS the read model of %s[%d] is behind", r->service, r->partition);
}
