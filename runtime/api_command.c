/* From a request to a command: parse, look up, build, sign, submit. */
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/partition.h"
#include "runtime/api_internal.h"
#include "runtime/clock.h"

/* HMAC-SHA256 of the client's body; never 0, which means "none". */
static uint64_t fingerprint(const struct api *api, struct text canonical)
{
    crypto_auth_hmacsha256_state state;
    unsigned char hash[crypto_auth_hmacsha256_BYTES];
    struct text secret = api->options.secret;
    uint64_t value = 0;
    union {
        const char *text;
        const unsigned char *bytes;
    } key = {.text = secret.at}, body = {.text = canonical.at};
    crypto_auth_hmacsha256_init(&state, key.bytes, secret.len);
    crypto_auth_hmacsha256_update(&state, body.bytes, canonical.len);
    crypto_auth_hmacsha256_final(&state, hash);
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

/* Everything is known: the command becomes a record and goes on its way. */
static void submit(struct api_call *call, const struct request *request,
                   const struct intake *intake, const struct product_fact *facts)
{
    const struct command_route *route = call->route->command;
    struct refusal refusal = {0};
    struct uuid id = choose_target(call, intake->target);
    void *message = arena_alloc(request->arena, route->vocabulary->size);
    if (!message) {
        answer_problem(call, PROBLEM_BODY_TOO_LARGE, "The body needs too much memory.");
        return;
    }
    if (!route->build(request, intake, id, facts, message, &refusal)) {
        answer_refusal(call, &refusal);
        return;
    }
    if (!write_record(call, intake, message, id, request->arena)) {
        answer_problem(call, PROBLEM_BODY_TOO_LARGE, "The command would be too large.");
        return;
    }
    call->partition = partition_of((struct text){call->target, call->target_len},
                                   log_topic_partitions(call->service->commands));
    loop_submit(call->api, call);
}

/* False: answered already. */
static bool parse(struct api_call *call, struct arena *arena, struct request *request,
                  struct intake *intake)
{
    struct refusal refusal = {0};
    if (!header_request(call, arena, request))
        return false;
    if (call->route->command->parse(request, intake, &refusal)) {
        assert(intake->keys_count <= ROUTE_LOOKUPS_MAX && intake->canonical.at);
        return true;
    }
    answer_refusal(call, &refusal);
    return false;
}

bool command_try(struct api_call *call)
{
    struct request request;
    struct intake intake = {0};
    struct product_fact facts[ROUTE_LOOKUPS_MAX];
    struct arena *arena = api_arena();
    if (!parse(call, arena, &request, &intake))
        return true;
    if (intake.keys_count && !cache_find(cache_of(call->api, call->route->command->catalogue),
                                         intake.keys, intake.keys_count, facts)) {
        atomic_fetch_add(&call->api->misses, 1);
        return false;
    }
    if (intake.keys_count)
        atomic_fetch_add(&call->api->hits, 1);
    submit(call, &request, &intake, facts);
    return true;
}

void command_with_reader(struct api_call *call, struct api_reader *reader)
{
    struct request request;
    struct intake intake = {0};
    struct product_fact facts[ROUTE_LOOKUPS_MAX];
    if (!parse(call, reader_arena(reader), &request, &intake))
        return;
    enum problem problem = cache_load(cache_of(call->api, call->route->command->catalogue), reader,
                                      intake.keys, intake.keys_count, facts);
    if (problem != PROBLEM_NONE)
        answer_problem(call, problem, "What is known of the products cannot be read at present.");
    else
        submit(call, &request, &intake, facts);
}
