/* commands: what became of each client's command. One read model per service: a command's decisions
 * stand in one partition of its service's log. */
#include "projections/projections.h"

struct command_row {
    struct uuid command_id;
    struct uuid actor_id;
    ROW_TEXT(16) status;
    ROW_TEXT(40) problem; /* code; empty when accepted */
    ROW_TEXT(DETAIL_LEN_MAX) detail;
    ROW_TEXT(KEY_LEN_MAX) resource;
    ROW_TEXT(TYPE_LEN_MAX) type;
    int64_t version; /* of the resource after the decision */
    int64_t at;
    int64_t log_offset;     /* of the decision in the service's log */
    int64_t command_offset; /* of the command in the service's commands, as in position tokens */
    int32_t partition;      /* of both */
};

static const struct column columns[] = {
    KEY_COLUMN(command_row, UUID, command_id),
    COLUMN(command_row, TEXT, status),
    COLUMN(command_row, TEXT, problem),
    COLUMN(command_row, TEXT, detail),
    COLUMN(command_row, TEXT, resource),
    COLUMN(command_row, BIGINT, version),
    COLUMN(command_row, TEXT, type),
    COLUMN(command_row, UUID, actor_id),
    COLUMN(command_row, TIME, at),
    COLUMN(command_row, INTEGER, partition),
    COLUMN(command_row, BIGINT, command_offset),
    COLUMN(command_row, BIGINT, log_offset),
};

/* Neither a repeated answer nor the refusal of another request under the same key changes what
 * became of the first. */
static bool tells_what_became(const struct decision *decision)
{
    return decision->outcome != OUTCOME_POSITION && decision->fingerprint != 0 &&
           !decision->replayed && decision->problem != PROBLEM_KEY_REUSED;
}

static size_t keys(const struct event *event, void *rows)
{
    if (event->message || !tells_what_became(event->decision))
        return 0;
    ((struct command_row *)rows)->command_id = event->decision->command_id;
    return 1;
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct command_row *row = state;
    const struct decision *decision = event->decision;
    bool accepted = decision->outcome == OUTCOME_ACCEPTED;
    (void)nth;
    row->actor_id = decision->actor.id;
    row_text_set(&row->status, accepted ? TEXT("accepted") : TEXT("refused"));
    row_text_set(&row->problem,
                 accepted ? TEXT("") : text_of(problem_rows[decision->problem].code));
    row_text_set(&row->detail, decision->detail);
    row_text_set(&row->resource, decision->target);
    row_text_set(&row->type, decision->type);
    row->version = decision->version;
    row->at = decision->at;
    row->log_offset = event->offset;
    row->command_offset = decision->input.offset;
    row->partition = event->partition;
    return ROW_KEEP;
}

#define COMMANDS_OF(service_name)                                              \
    static const char *const service_name##_sources[] = {#service_name, NULL}; \
    const struct projection service_name##_commands_projection = {             \
        .name = "commands",                                                    \
        .service = #service_name,                                              \
        .version = 1,                                                          \
        .sources = service_name##_sources,                                     \
        .decisions = true,                                                     \
        .columns = columns,                                                    \
        .columns_count = COUNT(columns),                                       \
        .row_size = sizeof(struct command_row),                                \
        .keys = keys,                                                          \
        .apply = apply,                                                        \
    }

COMMANDS_OF(inventory);
COMMANDS_OF(order);
COMMANDS_OF(payment);
COMMANDS_OF(product);
COMMANDS_OF(user);
