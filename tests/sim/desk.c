/* One request at a time. */
#include "tests/sim/desk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json_shape.h"
#include "core/mutant.h"
#include "core/partition.h"
#include "runtime/clock.h"
#include "tests/sim/limits.h"

enum { FACTS_MAX = 32 };

static void on_report(void *context, uint64_t tag, int64_t offset, struct err err)
{
    struct desk *d = context;
    if (tag == d->tag && err.code != ERR_OK)
        d->append_failed = true;
    else if (tag == d->tag && MUTANT(answer_from_delivery_report))
        d->delivered = offset;
}

void desk_open(struct desk *d, struct proc *proc, int client)
{
    *d = (struct desk){.proc = proc, .client = client};
    struct log *log = broker_log(proc, proc->name);
    d->arena = (struct arena){malloc(DESK_ARENA), 0, DESK_ARENA};
    d->facts = (struct arena){malloc(DESK_ARENA), 0, DESK_ARENA};
    struct err e = log_reader_open(log, &d->reader);
    if (e.code == ERR_OK)
        e = producer_open(log, on_report, d, d->reader, &d->producer);
    assert(e.code == ERR_OK);
}

void desk_close(struct desk *d)
{
    producer_close(d->producer);
    log_reader_close(d->reader);
    free(d->arena.base);
    free(d->facts.base);
}

static int tail_of(struct desk *d, struct log_topic *log, int partition)
{
    int i = 0;
    while (d->tails[i].log &&
           !(d->tails[i].log == log && d->tails[i].cursor.partition == partition))
        i++;
    d->tails[i].log = log;
    d->tails[i].cursor.partition = partition;
    return i;
}

/* From the end, as an api that has just started. */
static void open_tail(struct desk *d, int tail, int partition)
{
    while (!d->tails[tail].open) {
        struct cursor fresh;
        struct err e = cursor_from_end(&fresh, d->reader, d->tails[tail].log, partition);
        if (e.code == ERR_OK) {
            d->tails[tail].cursor = fresh;
            d->tails[tail].open = true;
        } else if (err_class(e) != ERR_CLASS_RETRY) {
            violate("a reader cannot start at the end of %s: %s",
                    log_topic_name(d->tails[tail].log), e.what);
            return;
        } else {
            world_sleep(200 * MS);
        }
    }
}

static void take_answer(struct request *r, const struct fact *fact)
{
    const struct decision *decision = &fact->decision;
    r->answered = world.now;
    r->answer = decision->outcome == OUTCOME_ACCEPTED ? ANSWER_OK : ANSWER_REFUSED;
    r->problem = decision->problem;
    r->replayed = decision->replayed;
    r->version = decision->version;
    r->decision = fact->offset;
    r->command = decision->input.offset;
}

/* What is there to be read now; true when the answer was among it. */
static bool read_tail(struct desk *d, int tail, struct request *r)
{
    struct fact facts[FACTS_MAX];
    size_t n;
    bool found = false;
    int64_t from;
    do {
        from = d->tails[tail].cursor.next;
        arena_reset(&d->facts);
        struct err e =
            cursor_read(&d->tails[tail].cursor, d->reader, &d->facts, facts, FACTS_MAX, &n);
        if (e.code != ERR_OK) {
            if (err_class(e) != ERR_CLASS_RETRY)
                violate("a reader of %s stops: %s", log_topic_name(d->tails[tail].log), e.what);
            return found;
        }
        for (size_t i = 0; i < n; i++)
            if (uuid_equal(facts[i].decision.attempt, r->attempt) && !found) {
                take_answer(r, &facts[i]);
                found = true;
            }
    } while (d->tails[tail].cursor.next > from);
    return found;
}

static void wait_for(struct desk *d, int tail, struct request *r)
{
    int64_t until = world.now + DESK_WAIT_MS * MS;
    for (;;) {
        producer_poll(d->producer, 0);
        if (MUTANT(answer_from_delivery_report) && d->delivered >= 0) {
            r->answer = ANSWER_OK;
            r->answered = world.now;
            r->command = d->delivered;
            return;
        }
        if (read_tail(d, tail, r) || d->append_failed || world.now >= until || world.violation[0])
            return;
        log_wait(d->reader, (int)((until - world.now) / MS) + 1);
    }
}

static uint64_t sum_of(struct text bytes)
{
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ (unsigned char)bytes.at[i]) * 0x100000001b3u;
    return sum;
}

static struct command command_of(struct desk *d, const struct order_of_work *work)
{
    struct json_report report = {0};
    int tag;
    memcpy(&tag, work->message, sizeof tag);
    struct command c = {
        .id = work->id,
        .attempt = random_uuid(),
        .saga = work->saga,
        .actor = work->actor,
        .sent_at = clock_now_us(),
        .expected_version = work->expected_version,
        .service = text_of(work->service),
        .target = work->target,
        .type = text_of(message_type(work->commands, tag)->name),
        .data = message_encode(work->commands, work->message, &d->arena, &report),
    };
    assert(c.data.at);
    c.fingerprint = work->fingerprint ? work->fingerprint : sum_of(c.data);
    return c;
}

struct request *desk_send(struct desk *d, const struct order_of_work *work)
{
    arena_reset(&d->arena);
    struct command c = command_of(d, work);
    struct text record = command_encode(&c, &d->arena);
    struct log_topic *log = broker_topic(work->service, "log");
    struct log_topic *commands = broker_topic(work->service, "commands");
    int partition = partition_of(work->target, commands->partitions);
    int tail = tail_of(d, log, partition);
    assert(record.at);
    if (chance_one_in(16))
        d->tails[tail].open = false;
    open_tail(d, tail, partition);
    struct request *r = history_add();
    *r = (struct request){.next = r->next,
                          .client = d->client,
                          .service = work->service,
                          .partition = partition,
                          .command_id = c.id,
                          .attempt = c.attempt,
                          .fingerprint = c.fingerprint,
                          .invoked = world.now,
                          .answered = INT64_MAX,
                          .decision = -1,
                          .command = -1};
    snprintf(r->target, sizeof r->target, "%.*s", (int)work->target.len, work->target.at);
    SOMETIMES(requests);
    d->tag++;
    d->append_failed = false;
    d->delivered = -1;
    while (producer_append(d->producer, commands, partition, work->target, record, d->tag).code ==
           ERR_FULL)
        world_sleep(5 * MS);
    return r;
}

void desk_await(struct desk *d, struct request *r)
{
    wait_for(d, tail_of(d, broker_topic(r->service, "log"), r->partition), r);
    limit_answer(r);
}

static struct request *try_once(struct desk *d, const struct order_of_work *work)
{
    struct request *r = desk_send(d, work);
    desk_await(d, r);
    return r;
}

const struct request *desk_ask(struct desk *d, const struct order_of_work *work)
{
    for (;;) {
        struct request *r = try_once(d, work);
        counters.requests_replayed += r->replayed;
        counters.requests_refused += r->answer == ANSWER_REFUSED;
        counters.keys_reused += r->problem == PROBLEM_KEY_REUSED;
        counters.wrong_versions += r->problem == PROBLEM_VERSION_MISMATCH;
        if (r->answer != ANSWER_UNKNOWN || world.violation[0])
            return r;
        SOMETIMES(requests_unknown);
        if (chance_one_in(30) || world.swarm.lossy)
            return r;
        SOMETIMES(requests_retried);
        world_sleep((int64_t)chance_under(2 * SECOND));
    }
}

void desk_poison(struct desk *d, const char *service, struct text key)
{
    struct log_topic *commands = broker_topic(service, "commands");
    char bytes[48];
    size_t len = chance_under(sizeof bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)chance_under(256);
    SOMETIMES(poison_commands);
    struct err e = producer_append(d->producer, commands, partition_of(key, commands->partitions),
                                   key, (struct text){bytes, len}, ++d->tag);
    if (e.code != ERR_OK)
        note("poison not sent");
}
