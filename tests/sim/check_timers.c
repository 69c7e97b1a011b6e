/* Timers fire when they are due, not before what was there to be read has been, and not never. */
#include <stdio.h>

#include "core/partition.h"
#include "tests/sim/case.h"
#include "tests/sim/check.h"
#include "tests/sim/check_parts.h"
#include "tests/sim/map.h"

enum {
    OVERDUE_US = 10 * SECOND, /* an owner in office for so long leaves no timer overdue by more */
    /* At two decisions, made and landed so far apart, and nobody paused between them. One that was
     * appended before a pause may land after it. */
    APART_US = 3 * SECOND,
};

struct watch { /* of one order's timer that was seen to be overdue */
    struct watch *next;
    const struct order_case *order;
    int64_t due, seen_at, landed, epoch;
};
static struct watch *watches;
static struct map offices; /* TAKEOVERs that were more than renewals */

void check_timers_begin(void)
{
    watches = NULL;
    offices = (struct map){0};
}

void check_took_office(const char *topic, int partition, int64_t epoch)
{
    *map_at(&offices, key_of(topic, (struct text){NULL, 0}, partition, epoch)) = &offices;
}

bool check_is_office(const char *topic, int partition, int64_t epoch)
{
    return map_get(&offices, key_of(topic, (struct text){NULL, 0}, partition, epoch)) != NULL;
}

/* When whoever decided in this epoch took over; renewals go on from the epoch before. */
static int64_t took_office_at(const struct tape *t, int64_t epoch)
{
    while (epoch > 0 && !(t->records[epoch].kind == TAPE_TAKEOVER &&
                          check_is_office(t->log->name, t->partition, epoch)))
        epoch--;
    return t->log->parts[t->partition].landed[epoch];
}

static bool lies_in(const struct order_case *c, const struct tape *t)
{
    char key[UUID_TEXT_LEN + 1];
    uuid_format(c->id, key);
    return partition_of((struct text){key, UUID_TEXT_LEN}, t->log->partitions) == t->partition;
}

static struct watch *watch_of(const struct order_case *c)
{
    struct watch *w = watches;
    while (w && w->order != c)
        w = w->next;
    if (!w) {
        w = world_alloc(sizeof *w);
        w->order = c;
        w->next = watches;
        watches = w;
    }
    return w;
}

static void see_overdue(struct tape *t, int64_t offset, const struct decision *d,
                        const struct order_case *c)
{
    int64_t landed = t->log->parts[t->partition].landed[offset];
    struct watch *w = watch_of(c);
    if (w->due != c->due || w->epoch != d->mark.epoch)
        *w = (struct watch){w->next, c, c->due, d->at, landed, d->mark.epoch};
    if (d->at - w->seen_at > APART_US && landed - w->landed > APART_US &&
        !world_paused_between(w->landed, landed))
        violate("LIVENESS %s[%d]@%lld: a timer is overdue by %.1f s and does not fire",
                t->log->name, t->partition, (long long)offset, (double)(d->at - c->due) / SECOND);
}

void check_timers_fold(struct tape *t, int64_t offset, const struct decision *d)
{
    const int64_t *landed = t->log->parts[t->partition].landed;
    if (!t->service->saga || landed[offset] - landed[d->mark.epoch] < OVERDUE_US)
        return;
    for (const struct order_case *c = case_first(); c; c = c->next)
        if (c->due && d->at > c->due + OVERDUE_US && lies_in(c, t))
            see_overdue(t, offset, d, c);
}

/* ---- at the end ----------------------------------------------------------------------------- */

/* What had landed in `from` for this order when the owner took office was decided before. */
static void check_inputs_first(struct tape *t, int64_t offset, const struct decision *timer,
                               const struct tape *from)
{
    int64_t took_office = took_office_at(t, timer->mark.epoch);
    for (int64_t at = 0; at < from->read; at++) {
        const struct decision *d = tape_decision(from, at);
        if (!d || !uuid_equal(d->saga, timer->saga) || d->replayed ||
            from->log->parts[from->partition].landed[at] >= took_office)
            continue;
        int64_t decided = check_log_decided_at(t, from, at);
        if (decided > offset)
            violate("TIMER %s[%d]@%lld fired before %s[%d]@%lld was read, which lay there",
                    t->log->name, t->partition, (long long)offset, from->log->name, from->partition,
                    (long long)at);
    }
}

static void check_timer(struct tape *t, int64_t offset, const struct decision *d)
{
    for (size_t i = 0; i < tapes_count(); i++) {
        const struct tape *from = tape_at(i);
        if (!from->service->saga && strcmp(from->service->name, "product") != 0)
            check_inputs_first(t, offset, d, from);
    }
}

void check_timers_end(void)
{
    for (size_t i = 0; i < tapes_count(); i++) {
        struct tape *t = tape_at(i);
        for (int64_t offset = 0; t->service->saga && offset < t->read; offset++) {
            const struct decision *d = tape_decision(t, offset);
            if (d && text_is(d->type, "timer") && d->events_count > 0)
                check_timer(t, offset, d);
        }
    }
}
