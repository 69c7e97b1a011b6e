/* Puts the parts together. */
#include "tests/sim/check.h"

#include "tests/sim/case.h"
#include "tests/sim/check_parts.h"

static void tell(const struct tape *tape, int64_t offset, const struct decision *d)
{
    char saga[UUID_TEXT_LEN + 1];
    uuid_format(d->saga, saga);
    note("%s[%d]@%lld at %.3f order %.8s %.*s %s%s", tape->log->name, tape->partition,
         (long long)offset, (double)(d->at % 1000000000) / SECOND, saga, (int)d->type.len,
         d->type.at, d->outcome == OUTCOME_REFUSED ? "refused " : "",
         d->replayed ? "replayed" : "");
    for (size_t i = 0; i < d->events_count; i++)
        note("    -> %.*s %.*s", (int)d->events[i].type.len, d->events[i].type.at,
             (int)d->events[i].data.len, d->events[i].data.at);
}

static void fold(struct tape *tape, int64_t offset, const struct decision *decision)
{
    if (world.verbose)
        tell(tape, offset, decision);
    check_log_fold(tape, offset, decision);
    case_fold(tape->service, decision);
    check_timers_fold(tape, offset, decision);
}

/* What had been decided at a moment. */
struct decided {
    struct decided *before;
    int64_t at;
    int64_t next[SIM_SERVICES * SIM_PARTITIONS_MAX];
};
static struct decided *marks;

void check_begin(void)
{
    marks = NULL;
    tapes_begin();
    cases_begin();
    check_log_begin();
    check_owners_begin();
    check_timers_begin();
}

bool check_is_settled(void)
{
    tapes_advance(fold);
    return check_log_is_paid() && check_trade_is_over() && check_views_are_current();
}

/* Kept for KEPT_US after it was decided: production keeps commands for weeks. */
void check_retain(void)
{
    enum { KEPT_US = 30 * SECOND };
    struct decided *mark = world_alloc(sizeof *mark);
    tapes_advance(fold);
    *mark = (struct decided){.before = marks, .at = world.now};
    for (size_t i = 0; i < tapes_count(); i++)
        mark->next[i] = tape_at(i)->commands_next;
    marks = mark;
    while (mark && world.now - mark->at < KEPT_US)
        mark = mark->before;
    for (size_t i = 0; mark && i < tapes_count(); i++) {
        struct part *part = &tape_at(i)->commands->parts[tape_at(i)->partition];
        if (mark->next[i] > part->first && chance_one_in(2)) {
            counters.retention_deleted += mark->next[i] - part->first;
            part->first = mark->next[i];
        }
    }
}

void check_lose(void)
{
    tapes_advance(fold);
    struct tape *t = tape_at(chance_under(tapes_count()));
    struct part *part = &t->commands->parts[t->partition];
    if (t->commands_next >= part->end)
        return;
    SOMETIMES(commands_lost);
    note("%s[%d] loses its commands below %lld", t->commands->name, t->partition,
         (long long)part->end);
    part->first = part->end;
    t->lossy = true;
}

void check_told_of_halt(const char *topic, int partition)
{
    for (size_t i = 0; i < tapes_count(); i++)
        if (strcmp(tape_at(i)->log->name, topic) == 0 && tape_at(i)->partition == partition) {
            tape_at(i)->told = true;
            if (!tape_at(i)->lossy)
                violate("LOSS %s[%d] halts though it has lost nothing", topic, partition);
        }
}

void check_after_loss(void)
{
    tapes_advance(fold);
    for (size_t i = 0; i < tapes_count(); i++) {
        const struct tape *t = tape_at(i);
        bool gap = t->commands_next < t->commands->parts[t->partition].first;
        if (t->lossy && gap && !t->told)
            violate("LOSS %s[%d] has lost commands, and nobody says so", t->commands->name,
                    t->partition);
    }
    check_history();
}

static void count_takeovers(const struct tape *t)
{
    for (int64_t at = 0; at + 1 < t->read; at++) {
        if (t->records[at].kind != TAPE_TAKEOVER)
            continue;
        bool used = t->records[at + 1].kind == TAPE_VALID;
        counters.takeover_unused += !used;
        counters.renewals += used && !check_is_office(t->log->name, t->partition, at);
    }
}

void check_all(void)
{
    tapes_advance(fold);
    for (size_t i = 0; i < tapes_count(); i++)
        count_takeovers(tape_at(i));
    check_log_end();
    check_owners_end();
    check_timers_end();
    check_trade();
    check_history();
    check_views();
}
