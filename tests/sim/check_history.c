/* What clients were told stands in the log; what they were refused changed nothing; who comes later
 * is decided later. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/check_parts.h"
#include "tests/sim/history.h"
#include "tests/sim/map.h"

#define BAD(r, ...)                                                                               \
    do {                                                                                          \
        char said_[240];                                                                          \
        snprintf(said_, sizeof said_, __VA_ARGS__);                                               \
        violate("HISTORY client %d to %s %s: %s", (r)->client, (r)->service, (r)->target, said_); \
    } while (0)

static void check_told(const struct request *r)
{
    const struct tape *t = tape_of(text_of(r->service), r->partition);
    const struct decision *d = tape_decision(t, r->decision);
    if (!d || !uuid_equal(d->command_id, r->command_id) || !uuid_equal(d->attempt, r->attempt)) {
        BAD(r, "was answered, but the log does not hold it");
        return;
    }
    bool ok = d->outcome == OUTCOME_ACCEPTED;
    if (ok != (r->answer == ANSWER_OK) || d->version != r->version || d->problem != r->problem)
        BAD(r, "was told otherwise than the log says");
    if (r->answer == ANSWER_REFUSED && d->events_count + d->commands_count > 0)
        BAD(r, "was refused, but it happened");
}

/* ---- one effect per idempotency key --------------------------------------------------------- */

struct first { /* final decision of a command id by clients or effects */
    const struct decision *decision;
    int64_t offset;
};

static bool is_final(const struct decision *d)
{
    return d->outcome == OUTCOME_ACCEPTED || problem_rows[d->problem].final;
}

static void check_repeat(const struct tape *t, int64_t offset, const struct decision *d,
                         const struct first *first)
{
    const struct decision *was = first->decision;
    if (d->problem == PROBLEM_KEY_REUSED && d->fingerprint != was->fingerprint)
        return;
    if (d->fingerprint != was->fingerprint)
        violate("KEY %s[%d]@%lld: another request under the same key was not refused", t->log->name,
                t->partition, (long long)offset);
    else if (!d->replayed || d->events_count || d->first_offset != first->offset ||
             d->outcome != was->outcome || d->problem != was->problem ||
             d->version != was->version || !text_equal(d->detail, was->detail))
        violate("KEY %s[%d]@%lld: the same command was not answered as at %lld", t->log->name,
                t->partition, (long long)offset, (long long)first->offset);
}

static void check_keys(const struct tape *t, struct map *firsts)
{
    for (int64_t offset = 0; offset < t->read; offset++) {
        const struct decision *d = tape_decision(t, offset);
        if (!d || !text_is(d->input.topic, t->commands->name))
            continue;
        void **at = map_at(firsts, key_of_uuid(d->command_id));
        if (*at) {
            check_repeat(t, offset, d, *at);
        } else if (d->replayed) {
            violate("KEY %s[%d]@%lld: repeats what was never decided", t->log->name, t->partition,
                    (long long)offset);
        } else if (is_final(d)) {
            struct first *first = world_alloc(sizeof *first);
            *first = (struct first){d, offset};
            *at = first;
        }
    }
}

/* ---- real time ------------------------------------------------------------------------------ */

static int by_target(const void *a, const void *b)
{
    const struct request *x = *(const struct request *const *)a;
    const struct request *y = *(const struct request *const *)b;
    int order = strcmp(x->service, y->service);
    if (order == 0)
        order = strcmp(x->target, y->target);
    return order ? order : (x->invoked > y->invoked) - (x->invoked < y->invoked);
}

static bool same_target(const struct request *a, const struct request *b)
{
    return strcmp(a->service, b->service) == 0 && strcmp(a->target, b->target) == 0;
}

/* Who was answered before another asked was decided before it. */
static void check_real_time(const struct request **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count && same_target(list[i], list[k]); k++)
            if (list[i]->answered < list[k]->invoked && list[k]->decision >= 0 &&
                list[i]->decision >= list[k]->decision)
                BAD(list[k], "was decided at %lld, before %lld that was answered earlier",
                    (long long)list[k]->decision, (long long)list[i]->decision);
}

static void check_order_of_time(void)
{
    size_t count = 0, n = 0;
    for (const struct request *r = history_first(); r; r = r->next)
        count += r->answer != ANSWER_UNKNOWN;
    const struct request **list = world_alloc((count + 1) * sizeof(struct request *));
    for (const struct request *r = history_first(); r; r = r->next)
        if (r->answer != ANSWER_UNKNOWN)
            list[n++] = r;
    qsort(list, n, sizeof(struct request *), by_target);
    check_real_time(list, n);
}

void check_history(void)
{
    for (const struct request *r = history_first(); r; r = r->next)
        if (r->answer != ANSWER_UNKNOWN)
            check_told(r);
    for (size_t i = 0; i < tapes_count(); i++) {
        struct map firsts = {0};
        check_keys(tape_at(i), &firsts);
    }
    check_order_of_time();
}
