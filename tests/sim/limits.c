/* Limits on answers. */
#include "tests/sim/limits.h"

static int64_t healed_at;

void limits_begin(void)
{
    healed_at = INT64_MAX;
}

void limits_heal(void)
{
    healed_at = world.now;
}

void limit_answer(const struct request *r)
{
    int64_t took = (r->answered == INT64_MAX ? world.now : r->answered) - r->invoked;
    if (took > 5 * SECOND)
        SOMETIMES(answers_over_5s);
    if (healed_at == INT64_MAX || world.swarm.lossy ||
        r->invoked < healed_at + (int64_t)HEAL_GRACE_MS * MS)
        return;
    if (r->answer == ANSWER_UNKNOWN || took > HEAL_ANSWER_MS * MS)
        violate("LIVENESS a request to %s[%d] made %.1f s after healing took %.3f s", r->service,
                r->partition, (double)(r->invoked - healed_at) / SECOND, (double)took / SECOND);
}

bool limits_are_strict(void)
{
    return healed_at != INT64_MAX && world.now > healed_at + (int64_t)HEAL_GRACE_MS * MS;
}

void limit_read(const struct request *r)
{
    if (limits_are_strict() && r->invoked > healed_at + (int64_t)HEAL_GRACE_MS * MS)
        violate("LIVENESS the read model of %s[%d] is behind", r->service, r->partition);
}
