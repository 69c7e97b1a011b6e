/* Asks both, compares, folds. */
#include "tests/support/twin.h"

#include <check.h>
#include <stdlib.h>

#include "core/json_shape.h"

static void twin_init(struct twin *twin, const struct vocabulary *events, size_t state_size,
                      void (*evolve)(void *, const void *), const struct owned *owned)
{
    *twin = (struct twin){
        .events = events,
        .evolve = evolve,
        .owned = owned,
        .direct = calloc(1, state_size),
        .reread = calloc(1, state_size),
    };
    if (!twin->direct || !twin->reread)
        ck_abort_msg("out of memory");
}

void twin_init_aggregate(struct twin *twin, const struct aggregate *aggregate)
{
    twin_init(twin, aggregate->events, aggregate->state_size, aggregate->evolve, aggregate->owned);
}

void twin_init_saga(struct twin *twin, const struct saga *saga)
{
    twin_init(twin, saga->events, saga->state_size, saga->evolve, saga->owned);
}

void twin_finish(struct twin *twin)
{
    owned_free(twin->owned, twin->direct);
    owned_free(twin->owned, twin->reread);
    free(twin->direct);
    free(twin->reread);
}

static struct payload write_event(const struct vocabulary *events, const void *event,
                                  struct arena *arena)
{
    struct json_report report = {0};
    int tag;
    memcpy(&tag, event, sizeof tag);
    struct text data = message_encode(events, event, arena, &report);
    if (!data.at)
        ck_abort_msg("%s cannot be written: %s %s", message_type(events, tag)->name,
                     report.faults[0].pointer, report.faults[0].detail);
    return (struct payload){.type = text_of(message_type(events, tag)->name), .data = data};
}

static void *read_event(const struct vocabulary *events, const struct payload *payload,
                        struct arena *arena)
{
    struct json_report report = {0};
    void *event = arena_alloc(arena, events->size);
    if (!event || !message_decode(events, payload->type, payload->data, arena, event, &report))
        ck_abort_msg("cannot be read: %.*s", (int)payload->data.len, payload->data.at);
    return event;
}

void twin_fold(struct twin *twin, const void *event, struct arena *arena)
{
    struct payload payload = write_event(twin->events, event, arena);
    twin->evolve(twin->direct, event);
    twin->evolve(twin->reread, read_event(twin->events, &payload, arena));
    twin->version++;
}

static void check_same_commands(const struct draft *a, const struct draft *b)
{
    if (a->commands_count != b->commands_count)
        ck_abort_msg("the twins send %zu and %zu commands", a->commands_count, b->commands_count);
    for (size_t i = 0; i < a->commands_count; i++) {
        const struct command *one = &a->commands[i];
        const struct command *other = &b->commands[i];
        if (!text_equal(one->data, other->data) || !text_equal(one->type, other->type) ||
            !text_equal(one->target, other->target) || !uuid_equal(one->id, other->id))
            ck_abort_msg("the twins differ in command %zu", i);
    }
}

/* Folds what both drafts hold, which must be the same. */
static void take(struct twin *twin, const struct draft *direct, struct arena *arena,
                 struct told *told)
{
    if (direct->problem != told->draft.problem || direct->count != told->draft.count)
        ck_abort_msg("the twins differ: %zu and %zu events", direct->count, told->draft.count);
    check_same_commands(direct, &told->draft);
    for (size_t i = 0; i < direct->count; i++) {
        const void *event = draft_event(direct, i);
        struct payload payload = write_event(twin->events, event, arena);
        told->payloads[i] = write_event(twin->events, draft_event(&told->draft, i), arena);
        if (!text_equal(payload.data, told->payloads[i].data) ||
            !text_equal(payload.type, told->payloads[i].type))
            ck_abort_msg("the twins differ: %.*s", (int)payload.data.len, payload.data.at);
        told->messages[i] = read_event(twin->events, &payload, arena);
        twin->evolve(twin->direct, event);
        twin->evolve(twin->reread, told->messages[i]);
        twin->version++;
    }
}

void twin_decide(struct twin *twin, const struct aggregate *aggregate,
                 const struct context *context, const void *command, struct arena *arena,
                 struct told *ret_told)
{
    struct draft direct;
    draft_init(&direct, arena, twin->events);
    draft_init(&ret_told->draft, arena, twin->events);
    aggregate->decide(twin->direct, context, command, &direct);
    aggregate->decide(twin->reread, context, command, &ret_told->draft);
    take(twin, &direct, arena, ret_told);
}

void twin_react(struct twin *twin, const struct saga *saga, const struct saga_input *input,
                struct arena *arena, struct told *ret_told)
{
    struct draft direct;
    draft_init(&direct, arena, twin->events);
    draft_init(&ret_told->draft, arena, twin->events);
    saga->react(twin->direct, input, &direct);
    saga->react(twin->reread, input, &ret_told->draft);
    take(twin, &direct, arena, ret_told);
    if (saga->due(twin->direct) != saga->due(twin->reread))
        ck_abort_msg("the twins differ in when they are due");
}
