/* What became of a command: pending, accepted or refused. */
#include "api/body.h"
#include "api/page.h"
#include "api/routes.h"

#include <stdio.h>

enum { POSITION_BYTES = 64 };
enum { ID, STATUS, PROBLEM, DETAIL, RESOURCE, VERSION, TYPE, ACTOR, AT, PARTITION, COMMAND_OFFSET };
#define SELECT_COMMAND                                                                    \
    "SELECT command_id, status, problem, detail, resource, version, type, actor_id, at, " \
    "\"partition\","                                                                      \
    " command_offset FROM commands WHERE command_id = $1"
/* How far the live read model has come; asked before the row, so that "passed" cannot be newer than
 * the row. */
#define SELECT_POSITION                                                           \
    "SELECT p.commands_next FROM projection_position p JOIN projection_version v" \
    " ON v.projection = p.projection AND v.generation = p.generation"             \
    " WHERE v.state = 2 AND p.projection = 'commands' AND p.\"partition\" = $1"

struct token {
    int64_t partition, offset;
};

static bool digits(struct text *text, char end, int64_t *ret_value)
{
    int64_t value = 0;
    size_t i = 0;
    for (; i < text->len && i < 18 && text->at[i] >= '0' && text->at[i] <= '9'; i++)
        value = value * 10 + (text->at[i] - '0');
    if (i == 0 || (end ? i == text->len || text->at[i] != end : i != text->len))
        return false;
    *ret_value = value;
    *text = (struct text){text->at + i + (end != 0), text->len - i - (end != 0)};
    return true;
}

/* S:p:o, of the service that is asked. */
static bool read_token(struct text text, const char *service, struct token *ret_token)
{
    size_t len = strlen(service);
    if (text.len <= len || memcmp(text.at, service, len) != 0 || text.at[len] != ':')
        return false;
    struct text rest = {text.at + len + 1, text.len - len - 1};
    return digits(&rest, ':', &ret_token->partition) && digits(&rest, 0, &ret_token->offset) &&
           ret_token->partition < PARTITIONS_MAX;
}

/* A user's key is not for the public; who registers is told the id that was made for them. */
static void write_resource(struct json_write *out, const struct query_rows *rows)
{
    static const char lead[] = "user.";
    struct text type = query_at(rows, 0, TYPE)->text;
    if (type.len < sizeof lead || memcmp(type.at, lead, sizeof lead - 1) != 0)
        json_write_text(out, "id", query_at(rows, 0, RESOURCE)->text);
    else if (text_is(type, "user.register.v1"))
        json_write_uuid(out, "id", user_id_of(query_at(rows, 0, ID)->uuid));
}

static void write_outcome(struct json_write *out, const struct query_rows *rows)
{
    struct text code = query_at(rows, 0, PROBLEM)->text;
    enum problem problem = problem_find(code);
    json_write_begin(out, "outcome", '{');
    if (code.len) {
        json_write_text(out, "problem", code);
        if (problem < PROBLEMS) {
            json_write_text(out, "title", text_of(problem_rows[problem].title));
            json_write_number(out, "status", problem_rows[problem].status);
        }
        write_text_if(out, "detail", query_at(rows, 0, DETAIL)->text);
    } else {
        write_resource(out, rows);
        json_write_number(out, "version", query_at(rows, 0, VERSION)->number);
    }
    json_write_end(out, '}');
}

static void write_command(struct json_write *out, const char *service,
                          const struct query_rows *rows)
{
    char position[POSITION_BYTES];
    int len = snprintf(position, sizeof position, "%s:%lld:%lld", service,
                       (long long)query_at(rows, 0, PARTITION)->number,
                       (long long)query_at(rows, 0, COMMAND_OFFSET)->number);
    json_write_begin(out, NULL, '{');
    json_write_uuid(out, "command_id", query_at(rows, 0, ID)->uuid);
    json_write_text(out, "status", query_at(rows, 0, STATUS)->text);
    json_write_text(out, "type", query_at(rows, 0, TYPE)->text);
    write_outcome(out, rows);
    json_write_time(out, "decided_at", query_at(rows, 0, AT)->number);
    json_write_text(out, "position", (struct text){position, (size_t)len});
    json_write_end(out, '}');
}

static void write_pending(struct json_write *out, struct uuid id)
{
    json_write_begin(out, NULL, '{');
    json_write_uuid(out, "command_id", id);
    json_write_text(out, "status", TEXT("pending"));
    json_write_end(out, '}');
}

/* Who registers is nobody yet; the user that was made may look back. */
static bool may_see(const struct actor *actor, const struct query_rows *rows)
{
    return (actor->roles & ROLE_ADMIN) || uuid_equal(actor->id, query_at(rows, 0, ACTOR)->uuid) ||
           uuid_equal(actor->id, user_id_of(query_at(rows, 0, ID)->uuid));
}

static enum inquiry_step unknown(struct refusal *refusal)
{
    refuse(refusal, PROBLEM_NOT_FOUND, "There is no such command of yours.");
    return INQUIRY_REFUSED;
}

static enum inquiry_step ask(struct inquiry *inquiry, struct uuid id, const struct token *token)
{
    struct question *q = inquiry_ask(inquiry, SELECT_POSITION);
    q->values[q->count++] = QUERY_NUMBER(token->partition);
    q = inquiry_ask(inquiry, SELECT_COMMAND);
    q->values[q->count++] = QUERY_UUID(id);
    return INQUIRY_ASK;
}

/* With a token the command stands at its offset: it is pending until the read model has passed
 * that. */
static enum inquiry_step step(struct inquiry *inquiry, struct refusal *refusal)
{
    struct uuid id;
    struct token token = {.offset = -1};
    struct text at = request_parameter(inquiry->request, "at");
    if (!path_uuid(inquiry->request, 0, &id, refusal))
        return INQUIRY_REFUSED;
    if (at.at && !read_token(at, inquiry->service, &token)) {
        refuse_parameter(refusal, "at", "must be service:partition:offset");
        return INQUIRY_REFUSED;
    }
    if (inquiry->round == 0)
        return ask(inquiry, id, &token);
    const struct query_rows *position = &inquiry->answers[0], *rows = &inquiry->answers[1];
    if (rows->count && may_see(&inquiry->request->actor, rows)) {
        write_command(&inquiry->out, inquiry->service, rows);
        return INQUIRY_DONE;
    }
    bool passed = position->count && query_at(position, 0, 0)->number > token.offset;
    if (rows->count || !at.at || passed)
        return unknown(refusal);
    write_pending(&inquiry->out, id);
    return INQUIRY_DONE;
}

static const struct query_route status = {.step = step};

const struct route command_routes[] = {
    {"GET", "/v1/commands/{id}", ROUTE_OF_ANY, ROLE_CUSTOMER | ROLE_MERCHANT | ROLE_ADMIN,
     .query = &status},
};
const size_t command_routes_count = COUNT(command_routes);
