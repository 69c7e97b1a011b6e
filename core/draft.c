#include "core/draft.h"

#include <assert.h>

#include "core/json_shape.h"

void draft_init(struct draft *draft, struct arena *arena, const struct vocabulary *events)
{
    *draft = (struct draft){.arena = arena, .events = events};
}

void *draft_add(struct draft *draft)
{
    assert(draft->problem == PROBLEM_NONE && draft->count < DECISION_EVENTS_MAX);
    if (!draft->list)
        draft->list = arena_alloc(draft->arena, DECISION_EVENTS_MAX * draft->events->size);
    assert(draft->list);
    return (char *)draft->list + draft->events->size * draft->count++;
}

const void *draft_event(const struct draft *draft, size_t i)
{
    assert(i < draft->count);
    return (const char *)draft->list + draft->events->size * i;
}

void draft_refuse(struct draft *draft, enum problem problem, const char *detail)
{
    assert(problem != PROBLEM_NONE && draft->commands_count == 0);
    draft->problem = problem;
    draft->detail = detail;
    draft->count = 0;
}

void draft_send(struct draft *draft, const char *service, struct text target,
                struct uuid command_id, const struct vocabulary *vocabulary, const void *message)
{
    struct json_report report = {0};
    assert(draft->commands_count < DECISION_COMMANDS_MAX);
    if (!draft->commands)
        draft->commands =
            arena_alloc(draft->arena, DECISION_COMMANDS_MAX * sizeof *draft->commands);
    assert(draft->commands);
    int tag = *(const int *)message;
    struct text data = message_encode(vocabulary, message, draft->arena, &report);
    assert(data.at);
    draft->commands[draft->commands_count++] = (struct command){
        .id = command_id,
        .attempt = command_id,
        .expected_version = VERSION_ANY,
        .service = text_of(service),
        .target = arena_copy(draft->arena, target),
        .type = text_of(message_type(vocabulary, tag)->name),
        .data = data,
    };
}
