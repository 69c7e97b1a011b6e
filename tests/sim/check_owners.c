/* Who took an owner's office away: counted, so that a run says whether it came to that. */
#include "tests/sim/check.h"
#include "tests/sim/check_parts.h"

struct deposition {
    struct deposition *before;
    const struct tape *tape;
    int loser, winner; /* processes; -1: a record that landed a second time */
    int64_t takeover;
};
static struct deposition *depositions;

void check_owners_begin(void)
{
    depositions = NULL;
}

static int64_t latest_takeover(const struct tape *t)
{
    struct takeover takeover;
    int64_t at = t->log->parts[t->partition].end - 1;
    while (at > 0 &&
           takeover_decode(broker_record(t->log, t->partition, at)->value, &takeover).code !=
               ERR_OK)
        at--;
    return at;
}

static const struct deposition *one_before(const struct deposition *d)
{
    const struct deposition *other = d->before;
    while (other && other->tape != d->tape)
        other = other->before;
    return other;
}

static bool strikes_back(const struct deposition *d, const struct deposition *before)
{
    return before && d->loser != d->winner && d->loser == before->winner &&
           d->winner == before->loser;
}

static void was_deposed(const struct tape *t)
{
    int64_t at = latest_takeover(t);
    const struct log_producer *by = t->log->parts[t->partition].by[at];
    struct deposition *d = world_alloc(sizeof *d);
    *d = (struct deposition){.before = depositions,
                             .tape = t,
                             .loser = world.current->index,
                             .winner = by ? producer_owner(by)->index : -1,
                             .takeover = at};
    depositions = d;
    const struct deposition *first = one_before(d);
    bool named_alike = world.swarm.same_names; /* there it is no wonder */
    if (!named_alike && strikes_back(d, first) && strikes_back(first, one_before(first)))
        SOMETIMES(duels);
}

void check_was_deposed(const char *topic, int partition)
{
    for (size_t i = 0; i < tapes_count(); i++)
        if (strcmp(tape_at(i)->log->name, topic) == 0 && tape_at(i)->partition == partition)
            was_deposed(tape_at(i));
}

/* Its sender had died or given it up: it came late, and ended the epoch of an owner that lacked
 * nothing. */
static bool nobody_took_office(const struct deposition *d)
{
    const struct tape *t = d->tape;
    bool used = d->takeover + 1 < t->read && t->records[d->takeover + 1].kind == TAPE_VALID;
    return !used && !check_is_office(t->log->name, t->partition, d->takeover);
}

void check_owners_end(void)
{
    for (const struct deposition *d = depositions; d; d = d->before)
        counters.deposed_by_nobody += nobody_took_office(d);
}
