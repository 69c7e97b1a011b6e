/* The envelope's bytes: fixed little-endian fields, then texts and lists each behind its length. */
#include "core/envelope.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <string.h>

enum { COMMAND_FORMAT = 1, LOG_FORMAT = 2, COMMAND_MAGIC = 0xC1, LOG_MAGIC = 0xD1 };
enum { FLAG_REPLAYED = 1 };

/* ---- writing ------------------------------------------------------------------------------ */

struct out {
    char *at;
    char *end;
    bool full;
};

static void put(struct out *o, const void *bytes, size_t len)
{
    if (o->full || (size_t)(o->end - o->at) < len) {
        o->full = true;
        return;
    }
    if (len)
        memcpy(o->at, bytes, len);
    o->at += len;
}

static void put_uint(struct out *o, uint64_t value, int bytes)
{
    uint8_t b[8];
    for (int i = 0; i < bytes; i++)
        b[i] = (uint8_t)(value >> (8 * i));
    put(o, b, (size_t)bytes);
}

static void put_i64(struct out *o, int64_t value)
{
    put_uint(o, (uint64_t)value, 8);
}

static void put_uuid(struct out *o, struct uuid id)
{
    put(o, id.bytes, sizeof id.bytes);
}

static void put_text(struct out *o, struct text text)
{
    put_uint(o, text.len, 4);
    put(o, text.at, text.len);
}

static void put_actor(struct out *o, struct actor actor)
{
    put_uuid(o, actor.id);
    put_uint(o, actor.roles, 1);
}

static void put_input(struct out *o, const struct input *input)
{
    put_text(o, input->topic);
    put_uint(o, (uint32_t)input->partition, 4);
    put_uint(o, (uint32_t)input->index, 4);
    put_i64(o, input->offset);
    put_uint(o, input->print, 8);
}

static void put_command(struct out *o, const struct command *c)
{
    put_uuid(o, c->id);
    put_uuid(o, c->attempt);
    put_uuid(o, c->saga);
    put_uuid(o, c->cause);
    put_actor(o, c->actor);
    put_uint(o, c->fingerprint, 8);
    put_i64(o, c->sent_at);
    put_i64(o, c->expected_version);
    put_text(o, c->service);
    put_text(o, c->target);
    put_text(o, c->type);
    put_text(o, c->traceparent);
    put_text(o, c->data);
}

static void put_mark(struct out *o, const struct mark *mark)
{
    put_uint(o, LOG_MAGIC, 1);
    put_uint(o, LOG_FORMAT, 1);
    put_uint(o, mark->kind, 1);
    put_i64(o, mark->epoch);
    put_uint(o, mark->number, 8);
    put_i64(o, mark->commands_next);
    put_uint(o, mark->follows, 8);
}

static struct out open_out(struct arena *arena)
{
    size_t start = (arena->used + 15) & ~(size_t)15;
    if (start > arena->size)
        start = arena->size;
    return (struct out){.at = arena->base + start, .end = arena->base + arena->size};
}

static struct text close_out(struct out *o, struct arena *arena)
{
    char *start = arena->base + ((arena->used + 15) & ~(size_t)15);
    if (o->full)
        return (struct text){NULL, 0};
    size_t used = ((size_t)(o->at - arena->base) + 15) & ~(size_t)15;
    arena->used = used < arena->size ? used : arena->size;
    return (struct text){start, (size_t)(o->at - start)};
}

struct text command_encode(const struct command *command, struct arena *arena)
{
    struct out o = open_out(arena);
    put_uint(&o, COMMAND_MAGIC, 1);
    put_uint(&o, COMMAND_FORMAT, 1);
    put_command(&o, command);
    return close_out(&o, arena);
}

struct text takeover_encode(const struct takeover *takeover, struct arena *arena)
{
    struct out o = open_out(arena);
    put_mark(&o, &takeover->mark);
    put_uuid(&o, takeover->nonce);
    put_text(&o, takeover->instance);
    put_i64(&o, takeover->at);
    return close_out(&o, arena);
}

static void put_answer(struct out *o, const struct decision *d)
{
    put_uint(o, d->outcome, 1);
    put_uint(o, d->replayed ? FLAG_REPLAYED : 0, 1);
    put_i64(o, d->first_offset);
    put_text(o, text_of(problem_rows[d->problem].code));
    put_text(o, d->detail);
    put_text(o, d->pointer);
    put_text(o, d->target);
    put_i64(o, d->version);
    put_text(o, d->type);
    put_text(o, d->traceparent);
}

struct text decision_encode(const struct decision *d, struct arena *arena)
{
    struct out o = open_out(arena);
    put_mark(&o, &d->mark);
    put_input(&o, &d->input);
    put_uuid(&o, d->command_id);
    put_uuid(&o, d->attempt);
    put_uuid(&o, d->saga);
    put_uuid(&o, d->cause);
    put_actor(&o, d->actor);
    put_uint(&o, d->fingerprint, 8);
    put_i64(&o, d->at);
    put_answer(&o, d);
    put_uint(&o, d->events_count, 2);
    for (size_t i = 0; i < d->events_count; i++) {
        put_text(&o, d->events[i].type);
        put_text(&o, d->events[i].data);
    }
    put_uint(&o, d->commands_count, 2);
    for (size_t i = 0; i < d->commands_count; i++)
        put_command(&o, &d->commands[i]);
    put_uint(&o, d->positions_count, 2);
    for (size_t i = 0; i < d->positions_count; i++)
        put_input(&o, &d->positions[i]);
    return close_out(&o, arena);
}

/* ---- reading ------------------------------------------------------------------------------ */

struct in {
    const uint8_t *at;
    const uint8_t *end;
    bool bad; /* sticky */
};

static const uint8_t *take(struct in *in, size_t len)
{
    static const uint8_t zeros[16];
    if (in->bad || (size_t)(in->end - in->at) < len) {
        in->bad = true;
        return len <= sizeof zeros ? zeros : NULL;
    }
    const uint8_t *p = in->at;
    in->at += len;
    return p;
}

static uint64_t take_uint(struct in *in, int bytes)
{
    const uint8_t *p = take(in, (size_t)bytes);
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static int64_t take_i64(struct in *in)
{
    return (int64_t)take_uint(in, 8);
}

static struct uuid take_uuid(struct in *in)
{
    struct uuid id;
    memcpy(id.bytes, take(in, sizeof id.bytes), sizeof id.bytes);
    return id;
}

static struct text take_text(struct in *in, size_t max)
{
    size_t len = (size_t)take_uint(in, 4);
    if (len > max)
        in->bad = true;
    const uint8_t *p = in->bad ? NULL : take(in, len);
    return in->bad ? (struct text){"", 0} : (struct text){(const char *)p, len};
}

static struct actor take_actor(struct in *in)
{
    struct actor actor = {.id = take_uuid(in)};
    actor.roles = (uint8_t)take_uint(in, 1);
    return actor;
}

static struct input take_input(struct in *in)
{
    struct input input = {.topic = take_text(in, TOPIC_LEN_MAX)};
    input.partition = (int32_t)take_uint(in, 4);
    input.index = (int32_t)take_uint(in, 4);
    input.offset = take_i64(in);
    input.print = take_uint(in, 8);
    return input;
}

static struct command take_command(struct in *in)
{
    struct command c = {.id = take_uuid(in)};
    c.attempt = take_uuid(in);
    c.saga = take_uuid(in);
    c.cause = take_uuid(in);
    c.actor = take_actor(in);
    c.fingerprint = take_uint(in, 8);
    c.sent_at = take_i64(in);
    c.expected_version = take_i64(in);
    c.service = take_text(in, TOPIC_LEN_MAX);
    c.target = take_text(in, KEY_LEN_MAX);
    c.type = take_text(in, TYPE_LEN_MAX);
    c.traceparent = take_text(in, TRACEPARENT_LEN_MAX);
    c.data = take_text(in, COMMAND_BYTES_MAX);
    return c;
}

static struct in open_in(struct text record)
{
    const uint8_t *at = (const uint8_t *)record.at;
    return (struct in){.at = at, .end = at + record.len};
}

struct err command_decode(struct text record, struct command *ret_command)
{
    struct in in = open_in(record);
    if (take_uint(&in, 1) != COMMAND_MAGIC || take_uint(&in, 1) != COMMAND_FORMAT)
        return FAIL(ERR_MALFORMED, "not a command record");
    struct command c = take_command(&in);
    if (in.bad || in.at != in.end)
        return FAIL(ERR_MALFORMED, "command record is torn");
    *ret_command = c;
    return OK;
}

static uint64_t print_step(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * 0x9fb21c651e98df25u;
    return sum ^ sum >> 32;
}

uint64_t print_of(struct text record)
{
    uint64_t sum = record.len, word = 0;
    size_t at = 0;
    for (; at + sizeof word <= record.len; at += sizeof word) {
        memcpy(&word, record.at + at, sizeof word);
        sum = print_step(sum, le64toh(word));
    }
    word = 0;
    if (at < record.len) {
        memcpy(&word, record.at + at, record.len - at);
        sum = print_step(sum, le64toh(word));
    }
    return sum == PRINT_NONE || sum == PRINT_UNKNOWN ? 1 : sum;
}

static struct mark take_mark(struct in *in)
{
    struct mark mark = {
        .print = print_of((struct text){(const char *)in->at, (size_t)(in->end - in->at)})};
    if (take_uint(in, 1) != LOG_MAGIC || take_uint(in, 1) != LOG_FORMAT)
        in->bad = true;
    uint64_t kind = take_uint(in, 1);
    if (kind != RECORD_TAKEOVER && kind != RECORD_DECISION)
        in->bad = true;
    mark.kind = (enum record_kind)kind;
    mark.epoch = take_i64(in);
    mark.number = take_uint(in, 8);
    mark.commands_next = take_i64(in);
    mark.follows = take_uint(in, 8);
    return mark;
}

struct err mark_decode(struct text record, struct mark *ret_mark)
{
    struct in in = open_in(record);
    struct mark mark = take_mark(&in);
    if (in.bad)
        return FAIL(ERR_MALFORMED, "not a log record");
    *ret_mark = mark;
    return OK;
}

struct err takeover_decode(struct text record, struct takeover *ret_takeover)
{
    struct in in = open_in(record);
    struct takeover t = {.mark = take_mark(&in)};
    t.nonce = take_uuid(&in);
    t.instance = take_text(&in, TOPIC_LEN_MAX * 4);
    t.at = take_i64(&in);
    if (in.bad || in.at != in.end || t.mark.kind != RECORD_TAKEOVER)
        return FAIL(ERR_MALFORMED, "not a takeover record");
    *ret_takeover = t;
    return OK;
}

static void take_answer(struct in *in, struct decision *d)
{
    uint64_t outcome = take_uint(in, 1);
    if (outcome < OUTCOME_ACCEPTED || outcome > OUTCOME_POSITION)
        in->bad = true;
    d->outcome = (enum outcome)outcome;
    d->replayed = (take_uint(in, 1) & FLAG_REPLAYED) != 0;
    d->first_offset = take_i64(in);
    d->problem = problem_find(take_text(in, TYPE_LEN_MAX));
    if (d->problem == PROBLEMS)
        in->bad = true;
    d->detail = take_text(in, DETAIL_LEN_MAX);
    d->pointer = take_text(in, POINTER_LEN_MAX);
    d->target = take_text(in, KEY_LEN_MAX);
    d->version = take_i64(in);
    d->type = take_text(in, TYPE_LEN_MAX);
    d->traceparent = take_text(in, TRACEPARENT_LEN_MAX);
}

/* A list's length, and room for it; NULL (and bad) when it cannot be. */
static void *take_list(struct in *in, struct arena *arena, size_t max, size_t size,
                       size_t *ret_count)
{
    size_t count = (size_t)take_uint(in, 2);
    void *list = count <= max ? arena_alloc(arena, count * size) : NULL;
    if (!list || in->bad) {
        in->bad = true;
        count = 0;
    }
    *ret_count = count;
    return list;
}

static void take_lists(struct in *in, struct arena *arena, struct decision *d)
{
    d->events = take_list(in, arena, DECISION_EVENTS_MAX, sizeof *d->events, &d->events_count);
    for (size_t i = 0; i < d->events_count; i++) {
        d->events[i].type = take_text(in, TYPE_LEN_MAX);
        d->events[i].data = take_text(in, DECISION_BYTES_MAX);
    }
    d->commands =
        take_list(in, arena, DECISION_COMMANDS_MAX, sizeof *d->commands, &d->commands_count);
    for (size_t i = 0; i < d->commands_count; i++)
        d->commands[i] = take_command(in);
    d->positions =
        take_list(in, arena, DECISION_POSITIONS_MAX, sizeof *d->positions, &d->positions_count);
    for (size_t i = 0; i < d->positions_count; i++)
        d->positions[i] = take_input(in);
}

struct err decision_decode(struct text record, struct arena *arena, struct decision *ret_decision)
{
    struct in in = open_in(record);
    struct decision d = {.mark = take_mark(&in)};
    d.input = take_input(&in);
    d.command_id = take_uuid(&in);
    d.attempt = take_uuid(&in);
    d.saga = take_uuid(&in);
    d.cause = take_uuid(&in);
    d.actor = take_actor(&in);
    d.fingerprint = take_uint(&in, 8);
    d.at = take_i64(&in);
    take_answer(&in, &d);
    take_lists(&in, arena, &d);
    if (in.bad || in.at != in.end || d.mark.kind != RECORD_DECISION)
        return FAIL(ERR_MALFORMED, "decision record is torn");
    *ret_decision = d;
    return OK;
}

/* ---- derived ids -------------------------------------------------------------------------- */

struct uuid event_id(const struct decision *decision, size_t i)
{
    char name[24];
    int len = snprintf(name, sizeof name, "%zu", i);
    return uuid_derive(decision->command_id, (struct text){name, (size_t)len});
}

int64_t event_version(const struct decision *decision, size_t i)
{
    return decision->version - (int64_t)decision->events_count + 1 + (int64_t)i;
}

struct uuid input_id(const struct input *input)
{
    char name[TOPIC_LEN_MAX + 64];
    int len = snprintf(name, sizeof name, "%.*s/%d/%lld/%d", (int)input->topic.len, input->topic.at,
                       input->partition, (long long)input->offset, input->index);
    assert(len > 0 && (size_t)len < sizeof name);
    return uuid_derive((struct uuid){{0}}, (struct text){name, (size_t)len});
}
