/* One input, one decision, in the order of the inputs. */
#include <stdio.h>

#include "core/partition.h"
#include "tests/sim/check_parts.h"
#include "tests/sim/map.h"

struct source { /* how far a partition has decided what it reads elsewhere */
    int64_t offset, index;
};

struct paid { /* an input that has been decided */
    const struct decision *by;
    int64_t offset;
};

static struct map versions; /* of aggregates */
static struct map sources, inputs;
static int64_t owed, paid;

void check_log_begin(void)
{
    versions = sources = inputs = (struct map){0};
    owed = paid = 0;
}

#define BAD(tape, offset, ...)                                                                    \
    do {                                                                                          \
        char said_[200];                                                                          \
        snprintf(said_, sizeof said_, __VA_ARGS__);                                               \
        violate("LOG %s[%d]@%lld: %s", (tape)->log->name, (tape)->partition, (long long)(offset), \
                said_);                                                                           \
    } while (0)

/* ---- versions ------------------------------------------------------------------------------- */

/* Returns the version before. */
static int64_t fold_version(struct tape *t, int64_t offset, const struct decision *d)
{
    if (d->outcome == OUTCOME_POSITION || d->replayed)
        return 0;
    void **at = map_at(&versions, key_of(t->service->name, d->target, 0, 0));
    int64_t before = (int64_t)(intptr_t)*at;
    if (d->version != before + (int64_t)d->events_count)
        BAD(t, offset, "version %lld after %lld and %zu events", (long long)d->version,
            (long long)before, d->events_count);
    *at = (void *)(intptr_t)d->version;
    if (d->outcome == OUTCOME_REFUSED && d->events_count + d->commands_count > 0)
        BAD(t, offset, "a refusal with events");
    return before;
}

/* ---- inputs --------------------------------------------------------------------------------- */

static void check_poison(struct tape *t, int64_t offset, const struct decision *d)
{
    SOMETIMES(poison_refused);
    if (d->outcome != OUTCOME_REFUSED)
        BAD(t, offset, "what nobody can read was not refused");
}

/* Nothing of S.commands is left out, nothing comes twice. */
static void take_command(struct tape *t, int64_t offset, const struct decision *d, int64_t before)
{
    if (d->input.offset != t->commands_next)
        BAD(t, offset, "command %lld decided when %lld was next", (long long)d->input.offset,
            (long long)t->commands_next);
    t->commands_next = d->input.offset + 1;
    if (d->mark.commands_next != t->commands_next)
        BAD(t, offset, "commands_next is %lld, not %lld", (long long)d->mark.commands_next,
            (long long)t->commands_next);
    struct command c = {.expected_version = VERSION_ANY};
    if (d->input.offset >= t->commands->parts[t->partition].end)
        BAD(t, offset, "a command that nobody sent");
    else if (command_decode(broker_record(t->commands, t->partition, d->input.offset)->value, &c)
                 .code != ERR_OK)
        check_poison(t, offset, d);
    else if ((!uuid_equal(c.id, d->command_id) || !uuid_equal(c.attempt, d->attempt) ||
              !text_equal(c.target, d->target)))
        BAD(t, offset, "the decision is about another command");
    else if (d->outcome == OUTCOME_ACCEPTED && !d->replayed && c.expected_version != VERSION_ANY &&
             c.expected_version != before)
        BAD(t, offset, "accepted at version %lld though %lld was expected", (long long)before,
            (long long)c.expected_version);
}

static uint64_t input_key(const struct tape *t, struct text topic, int64_t partition,
                          int64_t offset, int64_t index)
{
    return key_of(t->service->name, topic, t->partition << 8 | partition, offset << 10 | index);
}

static void take_foreign(struct tape *t, int64_t offset, const struct decision *d)
{
    const struct input *in = &d->input;
    void **at = map_at(&sources, key_of(t->service->name, in->topic, t->partition, in->partition));
    if (!*at)
        *at = world_alloc(sizeof(struct source));
    struct source *s = *at;
    bool follows = in->offset > s->offset || (in->offset == s->offset && in->index >= s->index);
    if (!follows)
        BAD(t, offset, "input %.*s[%d]@%lld/%d decided after %lld/%lld", (int)in->topic.len,
            in->topic.at, in->partition, (long long)in->offset, in->index, (long long)s->offset,
            (long long)s->index);
    *s = (struct source){in->offset, in->index + 1};
    void **once = map_at(&inputs, input_key(t, in->topic, in->partition, in->offset, in->index));
    if (*once)
        BAD(t, offset, "one input decided twice");
    struct paid *p = world_alloc(sizeof *p);
    *p = (struct paid){d, offset};
    *once = p;
    paid++;
}

static void take_positions(struct tape *t, int64_t offset, const struct decision *d)
{
    SOMETIMES(positions_written);
    for (size_t i = 0; i < d->positions_count; i++) {
        const struct input *in = &d->positions[i];
        void **at =
            map_at(&sources, key_of(t->service->name, in->topic, t->partition, in->partition));
        if (!*at)
            *at = world_alloc(sizeof(struct source));
        struct source *s = *at;
        if (in->offset > s->offset)
            *s = (struct source){in->offset, in->index};
    }
    if (d->events_count + d->commands_count > 0)
        BAD(t, offset, "a position with events");
}

static int64_t debts_of(const struct tape *t, const struct decision *d)
{
    if (t->service->saga)
        return (int64_t)d->commands_count;
    bool source = strcmp(t->service->name, "product") != 0;
    return source && !uuid_is_nil(d->saga) && !d->replayed && d->outcome != OUTCOME_POSITION;
}

void check_log_fold(struct tape *t, int64_t offset, const struct decision *d)
{
    int64_t before = fold_version(t, offset, d);
    owed += debts_of(t, d);
    if (d->outcome == OUTCOME_POSITION)
        take_positions(t, offset, d);
    else if (text_is(d->input.topic, t->commands->name))
        take_command(t, offset, d, before);
    else if (d->input.topic.len > 0)
        take_foreign(t, offset, d);
    if (d->mark.commands_next < t->commands_next)
        BAD(t, offset, "commands_next goes back to %lld", (long long)d->mark.commands_next);
}

bool check_log_is_paid(void)
{
    for (size_t i = 0; i < tapes_count(); i++) {
        const struct tape *t = tape_at(i);
        if (t->commands_next != t->commands->parts[t->partition].end)
            return false;
    }
    return owed == paid;
}

/* ---- at the end ----------------------------------------------------------------------------- */

static const struct paid *paid_by(const struct tape *by, const struct tape *from, int64_t offset,
                                  int64_t index)
{
    uint64_t key = input_key(by, text_of(from->log->name), from->partition, offset, index);
    return map_get(&inputs, key);
}

int64_t check_log_decided_at(const struct tape *by, const struct tape *from, int64_t offset)
{
    const struct paid *p = paid_by(by, from, offset, 0);
    return p ? p->offset : -1;
}

static void check_commands_of(struct tape *t, int64_t offset, const struct decision *d)
{
    for (size_t i = 0; i < d->commands_count; i++) {
        const struct command *c = &d->commands[i];
        const struct tape *first = tape_of(c->service, 0);
        if (!first) {
            BAD(t, offset, "a command to nobody");
            continue;
        }
        const struct tape *by =
            tape_of(c->service, partition_of(c->target, first->log->partitions));
        const struct paid *p = paid_by(by, t, offset, (int64_t)i);
        if (!p)
            BAD(t, offset, "command %zu (%.*s) was never decided", i, (int)c->type.len, c->type.at);
        else if (!uuid_equal(p->by->command_id, c->id) || !text_equal(p->by->target, c->target))
            BAD(by, p->offset, "another command than the one that was sent");
    }
}

static void check_seen_by_saga(struct tape *t, int64_t offset, const struct decision *d)
{
    char key[UUID_TEXT_LEN + 1];
    uuid_format(d->saga, key);
    const struct tape *first = tape_of(TEXT("fulfilment"), 0);
    const struct tape *by =
        tape_of(TEXT("fulfilment"),
                partition_of((struct text){key, UUID_TEXT_LEN}, first->log->partitions));
    const struct paid *p = paid_by(by, t, offset, 0);
    if (!p)
        BAD(t, offset, "the saga has not met this decision");
    else if (!uuid_equal(p->by->saga, d->saga))
        BAD(by, p->offset, "the saga took the decision for another order's");
}

/* Every input of the sagas and from the sagas is a valid decision of the log it is said to be in.
 */
static void check_inputs_exist(struct tape *t, int64_t offset, const struct decision *d)
{
    if (d->input.topic.len == 0 || text_is(d->input.topic, t->commands->name))
        return;
    struct text service = {d->input.topic.at, d->input.topic.len - sizeof ".log" + 1};
    const struct tape *from = tape_of(service, d->input.partition);
    const struct decision *source = from ? tape_decision(from, d->input.offset) : NULL;
    if (!source)
        BAD(t, offset, "decides a record that is not valid");
}

void check_log_end(void)
{
    for (size_t i = 0; i < tapes_count(); i++) {
        struct tape *t = tape_at(i);
        int64_t end = t->commands->parts[t->partition].end;
        if (t->commands_next != end)
            violate("LIVENESS %s[%d]: %lld of %lld commands decided", t->commands->name,
                    t->partition, (long long)t->commands_next, (long long)end);
        for (int64_t offset = 0; offset < t->read; offset++) {
            const struct decision *d = tape_decision(t, offset);
            if (!d)
                continue;
            check_inputs_exist(t, offset, d);
            if (t->service->saga)
                check_commands_of(t, offset, d);
            else if (debts_of(t, d))
                check_seen_by_saga(t, offset, d);
        }
    }
}
