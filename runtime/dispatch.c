/* Follow the log, append the command, read until its decision. */
#include "runtime/dispatch.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json_shape.h"
#include "core/partition.h"
#include "runtime/clock.h"
#include "runtime/cursor.h"
#include "runtime/traceparent.h"

enum { FACTS_MAX = 64, READ_BYTES = 1024 * 1024, STEP_MS = 50 };

struct dispatcher {
    struct log_topic *commands, *decisions;
    struct log_reader *reader;
    struct log_producer *producer;
    struct cursor cursor;
    struct arena reading;
    struct err appended; /* ERR_TIMEOUT: not known yet */
};

static void reported(void *context, uint64_t tag, int64_t offset, struct err err)
{
    struct dispatcher *d = context;
    (void)tag, (void)offset;
    d->appended = err;
}

static struct err topic_of(struct log *log, const char *service, const char *kind,
                           struct log_topic **ret_topic)
{
    char name[TOPIC_LEN_MAX];
    snprintf(name, sizeof name, "%s.%s", service, kind);
    return log_topic(log, name, ret_topic);
}

static struct err open_dispatcher(struct dispatcher *d, struct log *log,
                                  const struct service *service, struct text target)
{
    d->reading = (struct arena){aligned_alloc(16, READ_BYTES), 0, READ_BYTES};
    if (!d->reading.base)
        return FAIL(ERR_NOMEM, "dispatch");
    TRY(topic_of(log, service->name, "commands", &d->commands));
    TRY(topic_of(log, service->name, "log", &d->decisions));
    TRY(log_reader_open(log, &d->reader));
    TRY(producer_open(log, reported, d, d->reader, &d->producer));
    return cursor_from_end(&d->cursor, d->reader, d->decisions,
                           partition_of(target, log_topic_partitions(d->decisions)));
}

static void close_dispatcher(struct dispatcher *d)
{
    producer_close(d->producer);
    if (d->reader)
        log_reader_close(d->reader);
    free(d->reading.base);
}

static struct text record_of(const struct service *service, struct text target,
                             struct uuid command_id, const void *message, struct arena *arena)
{
    struct json_report report = {0};
    char traceparent[TRACEPARENT_LEN + 1];
    struct text data = message_encode(service->commands, message, arena, &report);
    if (!data.at)
        return data;
    traceparent_new(traceparent);
    return command_encode(
        &(struct command){
            .id = command_id,
            .attempt = command_id,
            .actor = {.id = uuid_derive((struct uuid){{0}}, TEXT("house")), .roles = ROLE_SYSTEM},
            .sent_at = clock_now_us(),
            .expected_version = VERSION_ANY,
            .service = text_of(service->name),
            .target = target,
            .type = text_of(message_type(service->commands, *(const int *)message)->name),
            .traceparent = text_of(traceparent),
            .data = data,
        },
        arena);
}

/* *ret_found false: nothing of it in what could be read now. */
static struct err look(struct dispatcher *d, struct uuid command_id, struct arena *arena,
                       struct decision *ret_decision, bool *ret_found)
{
    struct fact facts[FACTS_MAX];
    size_t n = 0;
    arena_reset(&d->reading);
    TRY(cursor_read(&d->cursor, d->reader, &d->reading, facts, FACTS_MAX, &n));
    for (size_t i = 0; i < n && !*ret_found; i++)
        if (uuid_equal(facts[i].decision.attempt, command_id)) {
            *ret_decision = facts[i].decision;
            ret_decision->detail = arena_copy(arena, facts[i].decision.detail);
            ret_decision->target = arena_copy(arena, facts[i].decision.target);
            *ret_found = true;
        }
    if (n == 0 && !*ret_found)
        log_wait(d->reader, STEP_MS);
    return OK;
}

static struct err wait_for(struct dispatcher *d, struct uuid command_id, struct arena *arena,
                           struct decision *ret_decision)
{
    int64_t until = clock_monotonic_ms() + DISPATCH_TIMEOUT_MS;
    bool found = false;
    while (!found) {
        producer_poll(d->producer, 0);
        if (d->appended.code != ERR_OK && d->appended.code != ERR_TIMEOUT)
            return d->appended;
        TRY(look(d, command_id, arena, ret_decision, &found));
        if (!found && clock_monotonic_ms() > until)
            return FAIL(ERR_TIMEOUT, "decision: does `foldlog run` serve this service?");
    }
    return OK;
}

struct err dispatch(struct log *log, const struct service *service, struct text target,
                    struct uuid command_id, const void *message, struct arena *arena,
                    struct decision *ret_decision)
{
    struct dispatcher d = {.appended = FAIL(ERR_TIMEOUT, "append")};
    struct text record = record_of(service, target, command_id, message, arena);
    struct err e =
        record.at ? open_dispatcher(&d, log, service, target) : FAIL(ERR_INVALID, "command");
    if (e.code == ERR_OK)
        e = producer_append(d.producer, d.commands,
                            partition_of(target, log_topic_partitions(d.commands)), target, record,
                            1);
    if (e.code == ERR_OK)
        e = wait_for(&d, command_id, arena, ret_decision);
    close_dispatcher(&d);
    return e;
}
