/* From a request to a command: parse, look up, build, sign, submit. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/partition.h"
#include "runtime/api_internal.h"
#include "runtime/clock.h"

/* HMAC-SHA256 of the client's body; never 0, which means "none". */
static uint64_t fingerprint(const struct api *api, struct text canonical)
{
    unsigned char hash[SEAL_HASH_BYTES];
    uint64_t value = 0;
    seal_mac(api->options.secret, canonical, hash);
    for (size_t i = 0; i < sizeof value; i++)
        value |= (uint64_t)hash[i] << 8 * i;
    return value ? value : 1;
}

/* Principal + route + target + Idempotency-Key. */
static struct uuid command_id(const struct api_call *call, struct text target)
{
    const struct text parts[] = {text_of(call->route->method), text_of(call->route->path), target,
                                 call->key};
    return uuid_derive_parts(call->actor.id, parts, COUNT(parts));
}

/* Where the server chooses the aggregate's id, a repeated request must meet the same partition. */
static struct uuid choose_target(struct api_call *call, struct text target)
{
    struct uuid id = {{0}};
    call->command_id = command_id(call, target);
    if (target.len == 0) {
        id = uuid_derive(call->command_id, TEXT("id"));
        uuid_format(id, call->target);
        call->target_len = UUID_TEXT_LEN;
        return id;
    }
    assert(target.len <= KEY_LEN_MAX);
    memcpy(call->target, target.at, target.len);
    call->target_len = target.len;
    (void)uuid_read(target, &id);
    return id;
}

/* The record, in memory of its own. */
static bool encode(struct api_call *call, const struct command *command, struct arena *arena)
{
    struct text record = command_encode(command, arena);
    if (!record.at || record.len > COMMAND_BYTES_MAX)
        return false;
    call->record = malloc(record.len);
    if (!call->record)
        abort();
    memcpy(call->record, record.at, record.len);
    call->record_len = record.len;
    return true;
}

static bool write_record(struct api_call *call, const struct intake *intake, const void *message,
                         struct uuid id, struct arena *arena)
{
    const struct command_route *route = call->route->command;
    struct json_report report;
    struct text data = message_encode(route->vocabulary, message, arena, &report);
    if (!data.at)
        return false;
    call->attempt = random_uuid();
    return encode(call,
                  &(struct command){
                      .id = call->command_id,
                      .attempt = call->attempt,
                      .saga = route->saga ? id : (struct uuid){{0}},
                      .actor = call->actor,
                      .fingerprint = fingerprint(call->api, intake->canonical),
                      .sent_at = clock_now_us(),
                      .expected_version = call->expected_version,
                      .service = text_of(call->route->service),
                      .target = {call->target, call->target_len},
                      .type = text_of(message_type(route->vocabulary, *(const int *)message)->name),
                      .traceparent = text_of(call->traceparent),
                      .data = data,
                  },
                  arena);
}

/* What one try to make a command of a request stands on. */
struct attempt {
    struct desk desk;
    struct request request;
    struct intake intake;
    struct catalogue_fact facts[ROUTE_LOOKUPS_MAX];
    char actor_key[UUID_TEXT_LEN + 1];
};

/* Everything is known: the command becomes a record and goes on its way. False: building it needs a
 * thread that may block. */
static bool submit(struct api_call *call, struct attempt *a)
{
    const struct command_route *route = call->route->command;
    struct refusal refusal = {0};
    struct uuid id = choose_target(call, a->intake.target);
    void *message = arena_alloc(a->request.arena, route->vocabulary->size);
    a->intake.command_id = call->command_id;
    if (!message) {
        answer_problem(call, PROBLEM_BODY_TOO_LARGE, "The body needs too much memory.");
        return true;
    }
    if (!route->build(&a->request, &a->intake, id, a->facts, message, &refusal)) {
        if (a->desk.deferred)
            return false;
        answer_refusal(call, &refusal);
        return true;
    }
    if (!write_record(call, &a->intake, message, id, a->request.arena)) {
        answer_problem(call, PROBLEM_BODY_TOO_LARGE, "The command would be too large.");
        return true;
    }
    call->partition = partition_of((struct text){call->target, call->target_len},
                                   log_topic_partitions(call->service->commands));
    loop_submit(call->api, call);
    return true;
}

/* False: answered already. */
static bool parse(struct api_call *call, struct attempt *a)
{
    struct refusal refusal = {0};
    if (!header_request(call, &a->desk, &a->request))
        return false;
    if (call->route->command->parse(&a->request, &a->intake, &refusal)) {
        assert(a->intake.keys_count <= ROUTE_LOOKUPS_MAX && a->intake.canonical.at);
        return true;
    }
    answer_refusal(call, &refusal);
    return false;
}

/* The developer of --insecure-dev has no key: nothing is known against him. */
static bool asks_for_actor(const struct api_call *call, struct attempt *a)
{
    uuid_format(call->actor_key, a->actor_key);
    a->intake.actor = (struct catalogue_fact){.known = true};
    return call->route->command->actors && !uuid_is_nil(call->actor_key);
}

static bool know_from_memory(struct api_call *call, struct attempt *a)
{
    const struct command_route *route = call->route->command;
    struct text key = {a->actor_key, UUID_TEXT_LEN};
    bool known =
        (a->intake.keys_count == 0 || cache_find(cache_of(call->api, route->catalogue),
                                                 a->intake.keys, a->intake.keys_count, a->facts)) &&
        (!asks_for_actor(call, a) ||
         cache_find(cache_of(call->api, route->actors), &key, 1, &a->intake.actor));
    if (route->catalogue)
        atomic_fetch_add(known ? &call->api->hits : &call->api->misses, 1);
    return known;
}

bool command_try(struct api_call *call)
{
    struct arena *arena = api_arena();
    struct attempt a;
    a.desk = (struct desk){call, NULL, arena, false};
    a.intake = (struct intake){0};
    if (!parse(call, &a))
        return true;
    return know_from_memory(call, &a) && submit(call, &a);
}

static enum problem know(struct api_call *call, struct attempt *a, struct api_reader *reader)
{
    const struct command_route *route = call->route->command;
    struct text key = {a->actor_key, UUID_TEXT_LEN};
    enum problem problem = PROBLEM_NONE;
    if (a->intake.keys_count)
        problem = cache_load(cache_of(call->api, route->catalogue), reader, a->intake.keys,
                             a->intake.keys_count, a->facts);
    if (problem == PROBLEM_NONE && asks_for_actor(call, a))
        problem = cache_load(cache_of(call->api, route->actors), reader, &key, 1, &a->intake.actor);
    return problem;
}

void command_with_reader(struct api_call *call, struct api_reader *reader)
{
    struct attempt a;
    a.desk = (struct desk){call, reader, reader_arena(reader), false};
    a.intake = (struct intake){0};
    if (!parse(call, &a))
        return;
    enum problem problem = know(call, &a, reader);
    if (problem != PROBLEM_NONE)
        answer_problem(call, problem, "What is known of the products cannot be read at present.");
    else
        (void)submit(call, &a);
}

/* ---- after the decision ---- */

static const char unsettled[] =
    "It is decided, but not everything it leads to is done; repeat with the same Idempotency-Key.";

void command_settle_later(struct api_call *call, const struct decision *decision)
{
    call->offset = decision->input.offset;
    call->settled.is = true;
    call->settled.replayed = decision->replayed;
    call->settled.version = decision->version;
    call->settled.at = decision->at;
    if (!pool_submit(call->api->pool, call))
        answer_problem(call, PROBLEM_UNAVAILABLE, unsettled);
}

void command_settle(struct api_call *call, struct api_reader *reader)
{
    struct desk desk = {call, reader, reader_arena(reader), false};
    struct request request;
    struct refusal refusal = {0};
    if (!header_request(call, &desk, &request))
        return;
    if (!call->route->command->settle(&request, call->settled.at, &refusal)) {
        answer_problem(call, PROBLEM_UNAVAILABLE, unsettled);
        return;
    }
    answer_decision(call, &(struct decision){.outcome = OUTCOME_ACCEPTED,
                                             .input = {.offset = call->offset},
                                             .replayed = call->settled.replayed,
                                             .command_id = call->command_id,
                                             .target = {call->target, call->target_len},
                                             .version = call->settled.version});
}
