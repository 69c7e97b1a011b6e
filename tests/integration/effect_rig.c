/* What the payment effect's story needs, as verbs: a private payment service with its real
 * aggregate, the real effect in a process of its own, and somebody who asks for payments, captures
 * and releases until each has come to an end. usage: effect_rig VERB BROKERS SERVICE [ARGUMENT
 * [URL]] */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/aggregates.h"
#include "core/json_shape.h"
#include "core/partition.h"
#include "effects/effects.h"
#include "runtime/clock.h"
#include "runtime/cursor.h"
#include "runtime/effect_worker.h"
#include "runtime/owner_worker.h"
#include "runtime/report.h"
#include "runtime/topics.h"
#include "schemas/payment.h"

enum {
    RIG_PARTITIONS = 3,
    PAYMENTS_MAX = 2000,
    AMOUNT = 1250,
    PACE_MS = 40,         /* between payments */
    PATIENCE_MS = 120000, /* until everything has come to an end */
};

static atomic_bool stop;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

static int fail(const char *what, struct err e)
{
    fprintf(stderr, "rig: %s: %s\n", what, report_err(e));
    return 1;
}

/* ---- the house in small --------------------------------------------------------------------- */

static struct aggregate aggregate;
static struct effect effect;
static struct service service;
static const struct service_list services = {&service, 1};

static void name_all(const char *name)
{
    aggregate = payment_aggregate;
    aggregate.service = name;
    effect = payment_effect;
    effect.service = name;
    effect.name = name;
    service = (struct service){name, &payment_commands, &payment_events, .aggregate = &aggregate};
}

static void tell(void *context, const char *topic, const char *what)
{
    (void)context, (void)topic, (void)what;
}

static int topics_verb(struct log *log, int argc, char **argv)
{
    (void)argc, (void)argv;
    struct err e = topics_apply(&(struct topics_options){.log = log,
                                                         .services = &services,
                                                         .partitions = RIG_PARTITIONS,
                                                         .replication = 1,
                                                         .dev = true},
                                tell, NULL);
    if (e.code == ERR_OK)
        e = effect_offsets_init(log, &effect);
    return e.code == ERR_OK ? 0 : fail("topics", e);
}

static int owner_verb(struct log *log, int argc, char **argv)
{
    (void)argc, (void)argv;
    static struct owner_worker_status status;
    char group[TOPIC_LEN_MAX];
    const struct service *const mine[] = {&service, NULL};
    snprintf(group, sizeof group, "rig.commands.%s", service.name);
    struct err e = owner_worker_run(&(struct owner_worker_options){.group = group,
                                                                   .log = log,
                                                                   .all = &services,
                                                                   .services = mine,
                                                                   .stop = &stop,
                                                                   .status = &status});
    return e.code == ERR_OK ? 0 : fail("owner", e);
}

static int effect_verb(struct log *log, int argc, char **argv)
{
    assert(argc > 5);
    struct effect_stats stats = {0};
    struct err e = effect_worker_run(&(struct effect_options){
        .log = log,
        .effect = &effect,
        .url = argv[5],
        .stop = &stop,
        .stats = &stats,
        .limits = {.calls_max = 16, .call_ms = 500, .deadline_ms = 90000, .retry_min_ms = 40}});
    fprintf(stderr, "rig: %llu calls, %llu unanswered, %llu results, %llu unknown\n",
            (unsigned long long)atomic_load(&stats.calls),
            (unsigned long long)atomic_load(&stats.unanswered),
            (unsigned long long)atomic_load(&stats.results),
            (unsigned long long)atomic_load(&stats.unknown));
    return e.code == ERR_OK ? 0 : fail("effect", e);
}

/* ---- who asks ------------------------------------------------------------------------------- */

/* What is to become of a payment. */
enum plan { PLAN_KEEP, PLAN_REFUND, PLAN_VOID, PLAN_RELEASE_AT_ONCE, PLANS };
static const char *const plan_names[PLANS] = {"keep", "refund", "void", "release_at_once"};

struct payment {
    struct uuid id, order_id;
    enum plan plan;
    const char *method;
    const char *end; /* NULL: not yet */
};

struct asker {
    struct log_topic *log, *commands;
    struct log_producer *producer;
    struct log_reader *reader;
    struct cursor cursors[RIG_PARTITIONS];
    struct arena arena;
    int count, ended;
    struct payment payments[PAYMENTS_MAX];
};

static void on_report(void *context, uint64_t tag, int64_t offset, struct err err)
{
    (void)context, (void)tag, (void)offset;
    if (err.code != ERR_OK)
        exit(fail("command", err));
}

static void ask(struct asker *a, const struct payment *payment,
                const struct payment_command *message)
{
    static _Alignas(16) char memory[64 * 1024];
    struct arena arena = {memory, 0, sizeof memory};
    struct json_report report = {0};
    char target[UUID_TEXT_LEN + 1];
    uuid_format(payment->id, target);
    struct command c = {.id = random_uuid(),
                        .saga = payment->order_id,
                        .actor = {.roles = ROLE_SYSTEM},
                        .sent_at = clock_now_us(),
                        .expected_version = VERSION_ANY,
                        .service = text_of(service.name),
                        .target = text_of(target),
                        .type = text_of(message_type(&payment_commands, (int)message->tag)->name),
                        .data = message_encode(&payment_commands, message, &arena, &report)};
    c.attempt = c.id;
    assert(c.data.at);
    struct err e = producer_append(a->producer, a->commands, partition_of(c.target, RIG_PARTITIONS),
                                   c.target, command_encode(&c, &arena), 0);
    if (e.code != ERR_OK)
        exit(fail("command", e));
}

static void release(struct asker *a, const struct payment *p)
{
    ask(a, p,
        &(struct payment_command){.tag = PAYMENT_COMMAND_RELEASE_V1,
                                  .as.release_v1 = {.payment_id = p->id}});
}

static void capture(struct asker *a, const struct payment *p)
{
    ask(a, p,
        &(struct payment_command){.tag = PAYMENT_COMMAND_CAPTURE_V1,
                                  .as.capture_v1 = {.payment_id = p->id}});
}

static void request(struct asker *a, const struct payment *p)
{
    ask(a, p,
        &(struct payment_command){.tag = PAYMENT_COMMAND_REQUEST_V1,
                                  .as.request_v1 = {.payment_id = p->id,
                                                    .order_id = p->order_id,
                                                    .customer_id = p->order_id,
                                                    .amount = {AMOUNT, COMMON_CURRENCY_EUR},
                                                    .payment_method = text_of(p->method)}});
    if (p->plan == PLAN_RELEASE_AT_ONCE)
        release(a, p);
}

static void open_payment(struct asker *a)
{
    static const char *const methods[] = {"ok",
                                          "slow:80",
                                          "error:2",
                                          "timeout-after-charge",
                                          "duplicate-response",
                                          "declined",
                                          "capture-declined",
                                          "refund-error:2",
                                          "refund-refused",
                                          "void-refused",
                                          "no-such-method"};
    int n = a->count++;
    a->payments[n] = (struct payment){.id = random_uuid(),
                                      .order_id = random_uuid(),
                                      .plan = (enum plan)(n % PLANS),
                                      .method = methods[(size_t)(n / PLANS) % COUNT(methods)]};
    request(a, &a->payments[n]);
}

static struct payment *payment_of(struct asker *a, struct text target)
{
    struct uuid id;
    bool read = uuid_read(target, &id);
    for (int i = 0; read && i < a->count; i++)
        if (uuid_equal(a->payments[i].id, id))
            return &a->payments[i];
    return NULL;
}

static void end(struct asker *a, struct payment *p, const char *how)
{
    if (p->end)
        fprintf(stderr, "rig: a payment that was %s is %s\n", p->end, how), exit(1);
    p->end = how;
    a->ended++;
}

static void authorized(struct asker *a, const struct payment *p)
{
    if (p->plan == PLAN_VOID)
        release(a, p);
    else if (p->plan != PLAN_RELEASE_AT_ONCE)
        capture(a, p);
}

static void captured(struct asker *a, struct payment *p)
{
    if (p->plan == PLAN_KEEP)
        end(a, p, "captured");
    else
        release(a, p);
}

static void happened(struct asker *a, struct payment *p, enum payment_event_tag tag)
{
    switch (tag) {
    case PAYMENT_EVENT_AUTHORIZED_V1:
        authorized(a, p);
        break;
    case PAYMENT_EVENT_CAPTURED_V1:
        captured(a, p);
        break;
    case PAYMENT_EVENT_CAPTURE_FAILED_V1:
        release(a, p);
        break;
    case PAYMENT_EVENT_DECLINED_V1:
        end(a, p, "declined");
        break;
    case PAYMENT_EVENT_VOIDED_V1:
        end(a, p, "voided");
        break;
    case PAYMENT_EVENT_REFUNDED_V1:
        end(a, p, "refunded");
        break;
    case PAYMENT_EVENT_RELEASE_FAILED_V1:
        end(a, p, "release_failed");
        break;
    case PAYMENT_EVENT_UNKNOWN_V1:
        end(a, p, "unknown");
        break;
    case PAYMENT_EVENT_REQUESTED_V1:
    case PAYMENT_EVENT_CAPTURE_REQUESTED_V1:
    case PAYMENT_EVENT_RELEASE_REQUESTED_V1:
    case PAYMENT_EVENT_VOID_REQUESTED_V1:
    case PAYMENT_EVENT_REFUND_REQUESTED_V1:
        break;
    }
}

static void follow(struct asker *a, int partition)
{
    struct fact facts[64];
    size_t n;
    arena_reset(&a->arena);
    struct err e =
        cursor_read(&a->cursors[partition], a->reader, &a->arena, facts, COUNT(facts), &n);
    if (e.code != ERR_OK)
        exit(fail("log", e));
    for (size_t i = 0; i < n; i++) {
        const struct decision *d = &facts[i].decision;
        struct payment *p = payment_of(a, d->target);
        for (size_t k = 0; p && k < d->events_count; k++)
            happened(a, p, (enum payment_event_tag)message_tag(&payment_events, d->events[k].type));
    }
}

static struct err open_asker(struct asker *a, struct log *log)
{
    char name[TOPIC_LEN_MAX];
    a->arena = (struct arena){malloc(UNIT_ARENA_BYTES), 0, UNIT_ARENA_BYTES};
    snprintf(name, sizeof name, "%s.log", service.name);
    TRY(log_topic(log, name, &a->log));
    snprintf(name, sizeof name, "%s.commands", service.name);
    TRY(log_topic(log, name, &a->commands));
    TRY(log_reader_open(log, &a->reader));
    TRY(producer_open(log, on_report, a, a->reader, &a->producer));
    for (int p = 0; p < RIG_PARTITIONS; p++)
        TRY(cursor_resume(&a->cursors[p], a->reader, a->log, p, (struct position){0}));
    return OK;
}

static void tell_ends(const struct asker *a)
{
    char order[UUID_TEXT_LEN + 1];
    for (int i = 0; i < a->count; i++) {
        const struct payment *p = &a->payments[i];
        uuid_format(p->order_id, order);
        printf("%s %s %s %s\n", order, p->method, plan_names[p->plan], p->end ? p->end : "-");
    }
}

/* ARGUMENT payments, opened one by one, each followed to its end. */
static int ask_verb(struct log *log, int argc, char **argv)
{
    static struct asker a;
    assert(argc > 5);
    int wanted = atoi(argv[5]);
    assert(wanted <= PAYMENTS_MAX);
    struct err e = open_asker(&a, log);
    if (e.code != ERR_OK)
        return fail("open", e);
    int64_t began_ms = clock_monotonic_ms(), until_ms = began_ms + PATIENCE_MS;
    while (a.ended < wanted && clock_monotonic_ms() < until_ms) {
        if (a.count < wanted && clock_monotonic_ms() >= began_ms + (int64_t)a.count * PACE_MS)
            open_payment(&a);
        for (int p = 0; p < RIG_PARTITIONS; p++)
            follow(&a, p);
        producer_poll(a.producer, 0);
        log_wait(a.reader, PACE_MS / 2);
    }
    tell_ends(&a);
    producer_close(a.producer);
    log_reader_close(a.reader);
    free(a.arena.base);
    return a.ended == wanted ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*act)(struct log *log, int argc, char **argv);
    } verbs[] = {
        {"topics", topics_verb}, {"owner", owner_verb}, {"effect", effect_verb}, {"ask", ask_verb}};
    struct log *log;
    if (argc < 4)
        return 2;
    signal(SIGTERM, on_signal);
    name_all(argv[3]);
    struct err e = log_open(
        &(struct log_options){.brokers = argv[2], .instance = argc > 4 ? argv[4] : "rig"}, &log);
    if (e.code != ERR_OK)
        return fail("open", e);
    int code = 2;
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            code = verbs[i].act(log, argc, argv);
    log_close(log);
    return code;
}
