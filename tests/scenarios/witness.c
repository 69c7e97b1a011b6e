/* Valid: it names the latest TAKEOVER before it, bears the next number and follows the last valid
 * one. */
#include "tests/scenarios/witness.h"

#include <assert.h>
#include <stdio.h>

#include "runtime/clock.h"

enum { BATCH = 64, ARENA_BYTES = 1 << 20, PATIENCE_MS = 20000 };

void witness_init(struct witness *w, struct log_topic *topic, int partition)
{
    *w = (struct witness){.topic = topic, .partition = partition, .epoch = -1};
}

static char first_letter(struct text instance)
{
    if (instance.len == 0)
        return '?';
    return instance.at[0];
}

static char author_of(const struct witness *w, int64_t epoch)
{
    for (size_t i = 0; i < w->takeovers_count; i++)
        if (w->takeovers[i].offset == epoch)
            return w->takeovers[i].author;
    return '?';
}

char witness_owner(const struct witness *w)
{
    if (w->takeovers_count == 0)
        return 0;
    return w->takeovers[w->takeovers_count - 1].author;
}

static struct err take(struct witness *w, const struct log_record *r, struct arena *arena,
                       witness_tell tell, void *context)
{
    struct takeover t;
    struct decision d;
    assert(r->offset == w->next);
    w->next++;
    if (takeover_decode(r->value, &t).code == ERR_OK) {
        assert(w->takeovers_count < WITNESS_TAKEOVERS_MAX);
        w->takeovers[w->takeovers_count].offset = r->offset;
        w->takeovers[w->takeovers_count++].author = first_letter(t.instance);
        w->epoch = r->offset;
        w->number = 0;
        return OK;
    }
    TRY(decision_decode(r->value, arena, &d));
    bool valid =
        d.mark.epoch == w->epoch && d.mark.number == w->number + 1 && d.mark.follows == w->last;
    w->number += valid;
    w->last = valid ? print_of(r->value) : w->last;
    if (d.outcome == OUTCOME_POSITION)
        return OK;
    w->decided += valid;
    w->voids += !valid;
    if (tell)
        tell(context, author_of(w, d.mark.epoch), valid, &d);
    return OK;
}

struct err witness_read(struct witness *w, struct log_reader *reader, witness_tell tell,
                        void *context)
{
    static _Alignas(16) char memory[ARENA_BYTES];
    struct log_record records[BATCH];
    int64_t first, end, until = clock_monotonic_ms() + PATIENCE_MS;
    TRY(log_ends(w->topic, w->partition, &first, &end));
    while (w->next < end) {
        struct arena arena = {memory, 0, ARENA_BYTES / 2}, unit = {memory + ARENA_BYTES / 2, 0, 0};
        size_t n;
        TRY(log_read(reader, w->topic, w->partition, w->next, &arena, records, BATCH, &n));
        for (size_t i = 0; i < n; i++) {
            unit = (struct arena){unit.base, 0, ARENA_BYTES / 2};
            TRY(take(w, &records[i], &unit, tell, context));
        }
        if (n == 0 && clock_monotonic_ms() > until)
            return FAIL(ERR_TIMEOUT, "the log cannot be read to its end");
        if (n == 0)
            log_wait(reader, 10);
    }
    return OK;
}

const char *witness_answer(const struct decision *d)
{
    static char text[100];
    if (d->outcome == OUTCOME_REFUSED)
        snprintf(text, sizeof text, "refused %s", problem_rows[d->problem].code);
    else
        snprintf(text, sizeof text, "accepted %lld", (long long)d->version);
    if (d->replayed)
        strcat(text, " again");
    return text;
}
