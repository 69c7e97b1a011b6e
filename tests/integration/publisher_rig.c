/* What the publisher's story needs, as verbs: topics of a private service, a log written as its
 * owner would write it (void records, refusals and empty decisions included), a publisher in a
 * process of its own. usage: publisher_rig VERB BROKERS SERVICE [ARGUMENT] */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "core/envelope.h"
#include "runtime/clock.h"
#include "runtime/event_log.h"
#include "runtime/publisher.h"
#include "runtime/report.h"
#include "runtime/topics.h"

enum { RIG_PARTITIONS = 3, ARENA = 256 * 1024, EPOCH_DECISIONS = 40, ROUND_DECISIONS = 20 };
enum { TAG_DECISION, TAG_TAKEOVER };

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

/* ---- writing a log -------------------------------------------------------------------------- */

struct writer {
    struct log_topic *topic;
    struct log_producer *producer;
    int64_t epoch[RIG_PARTITIONS];
    int64_t old_epoch[RIG_PARTITIONS];
    uint64_t number[RIG_PARTITIONS];
    uint64_t last[RIG_PARTITIONS]; /* print of the last valid decision */
    int64_t version[RIG_PARTITIONS];
    int64_t announced; /* offset of the latest TAKEOVER */
    int64_t count;     /* decisions so far: makes ids differ */
};

static void on_report(void *context, uint64_t tag, int64_t offset, struct err err)
{
    struct writer *w = context;
    if (err.code != ERR_OK)
        exit(fail("append", err));
    if (tag == TAG_TAKEOVER)
        w->announced = offset;
}

static void append(struct writer *w, int partition, struct text key, struct text value,
                   uint64_t tag)
{
    struct err e;
    while ((e = producer_append(w->producer, w->topic, partition, key, value, tag)).code ==
           ERR_FULL)
        producer_poll(w->producer, 10);
    if (e.code != ERR_OK)
        exit(fail("append", e));
}

static void take_over(struct writer *w, int partition, struct arena *arena)
{
    struct takeover t = {.mark = {.kind = RECORD_TAKEOVER},
                         .nonce = random_uuid(),
                         .instance = TEXT("rig"),
                         .at = clock_now_us()};
    append(w, partition, TEXT(""), takeover_encode(&t, arena), TAG_TAKEOVER);
    struct err e = producer_flush(w->producer, 20000);
    if (e.code != ERR_OK)
        exit(fail("flush", e));
    w->old_epoch[partition] = w->epoch[partition];
    w->epoch[partition] = w->announced;
    w->number[partition] = 0;
}

/* Of every eight decisions one is refused, one is empty and one holds three events. */
static size_t events_of(int64_t n)
{
    return n % 8 == 3 || n % 8 == 5 ? 0 : n % 8 == 6 ? 3 : 1;
}

static void fill(struct decision *d, struct payload *events, char *data, size_t size, int64_t n)
{
    static const char *const types[] = {"rig.opened.v1", "rig.moved.v1", "rig.closed.v1"};
    snprintf(data, size, "{\"n\":%lld}", (long long)n);
    d->events_count = events_of(n);
    d->events = events;
    for (size_t i = 0; i < d->events_count; i++)
        events[i] = (struct payload){text_of(types[i]), text_of(data)};
    if (n % 8 == 3) {
        d->outcome = OUTCOME_REFUSED;
        d->problem = PROBLEM_WRONG_STATE;
    }
    if (n % 2)
        d->traceparent = TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    if (n % 3)
        d->saga = d->command_id;
}

/* Says what the world must see. */
static void expect(int partition, const struct decision *d)
{
    char id[UUID_TEXT_LEN + 1], command[UUID_TEXT_LEN + 1];
    uuid_format(d->command_id, command);
    for (size_t i = 0; i < d->events_count; i++) {
        uuid_format(event_id(d, i), id);
        printf("%d %s %lld %.*s %.*s %s %s %lld %d\n", partition, id,
               (long long)event_version(d, i), (int)d->target.len, d->target.at,
               (int)d->events[i].type.len, d->events[i].type.at, command,
               uuid_is_nil(d->saga) ? "-" : command, (long long)d->at, d->traceparent.len > 0);
    }
}

static void decide(struct writer *w, int partition, struct arena *arena)
{
    char key[16], data[40];
    struct payload events[3];
    int64_t n = w->count++;
    snprintf(key, sizeof key, "agg-%d", partition);
    struct decision d = {
        .mark = {RECORD_DECISION, w->epoch[partition], ++w->number[partition], n,
                 w->last[partition], 0},
        .input = {.topic = TEXT("rig.commands"), .partition = partition, .offset = n},
        .outcome = OUTCOME_ACCEPTED,
        .first_offset = -1,
        .command_id = random_uuid(),
        .at = clock_now_us(),
        .target = text_of(key),
        .type = TEXT("rig.go.v1"),
    };
    d.attempt = d.command_id;
    fill(&d, events, data, sizeof data, n);
    w->version[partition] += (int64_t)d.events_count;
    d.version = w->version[partition];
    struct text record = decision_encode(&d, arena);
    w->last[partition] = print_of(record);
    append(w, partition, d.target, record, TAG_DECISION);
    expect(partition, &d);
    if (n % 7 == 0) { /* a zombie's, and a number left out: both void */
        d.mark.epoch = w->old_epoch[partition];
        append(w, partition, d.target, decision_encode(&d, arena), TAG_DECISION);
        d.mark.epoch = w->epoch[partition];
        d.mark.number += 5;
        append(w, partition, d.target, decision_encode(&d, arena), TAG_DECISION);
    }
}

static int append_verb(struct log *log, const char *service, const char *argument)
{
    static _Alignas(16) char memory[ARENA];
    struct writer w = {.old_epoch = {-1, -1, -1}, .epoch = {-1, -1, -1}};
    char name[TOPIC_LEN_MAX];
    long decisions = atol(argument), pause_us = 0;
    const char *colon = strchr(argument, ':');
    if (colon)
        pause_us = atol(colon + 1); /* DECISIONS:PAUSE between rounds */
    snprintf(name, sizeof name, "%s.log", service);
    struct err e = log_topic(log, name, &w.topic);
    if (e.code == ERR_OK)
        e = producer_open(log, on_report, &w, NULL, &w.producer);
    if (e.code != ERR_OK)
        return fail("open", e);
    for (long i = 0; i < decisions; i++) {
        struct arena arena = {memory, 0, sizeof memory};
        int partition = (int)(i % RIG_PARTITIONS);
        if (w.epoch[partition] < 0 || w.number[partition] == EPOCH_DECISIONS)
            take_over(&w, partition, &arena);
        decide(&w, partition, &arena);
        if (i % ROUND_DECISIONS == 0 && pause_us)
            usleep((useconds_t)pause_us);
    }
    e = producer_flush(w.producer, 20000);
    producer_close(w.producer);
    return e.code == ERR_OK ? 0 : fail("flush", e);
}

/* ---- the other verbs ------------------------------------------------------------------------ */

static void tell(void *context, const char *topic, const char *what)
{
    (void)context;
    fprintf(stderr, "rig: %s: %s\n", topic, what);
}

static int topics_verb(struct log *log, const char *service, const char *argument)
{
    (void)argument;
    const struct service one = {.name = service};
    const struct service_list list = {&one, 1};
    struct err e = topics_apply(&(struct topics_options){.log = log,
                                                         .services = &list,
                                                         .partitions = RIG_PARTITIONS,
                                                         .replication = 1,
                                                         .dev = true},
                                tell, NULL);
    return e.code == ERR_OK ? 0 : fail("topics", e);
}

static int init_verb(struct log *log, const char *service, const char *argument)
{
    (void)argument;
    struct err e = publisher_offsets_init(log, service);
    return e.code == ERR_OK ? 0 : fail("init", e);
}

static int run_verb(struct log *log, const char *service, const char *argument)
{
    (void)argument;
    struct publisher_stats stats = {0};
    signal(SIGTERM, on_signal);
    struct err e = publisher_run(&(struct publisher_options){
        .log = log, .service = service, .stop = &stop, .stats = &stats});
    fprintf(stderr, "rig: %llu events in %llu transactions, %llu restarts\n",
            (unsigned long long)atomic_load(&stats.events),
            (unsigned long long)atomic_load(&stats.transactions),
            (unsigned long long)atomic_load(&stats.restarts));
    return e.code == ERR_OK ? 0 : fail("run", e);
}

/* The group's positions expire or are deleted by mistake. */
static int forget_verb(const char *brokers, const char *service)
{
    char why[256], group[PUBLISHER_GROUP_MAX], topic[TOPIC_LEN_MAX];
    publisher_group(service, group);
    snprintf(topic, sizeof topic, "%s.log", service);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(RIG_PARTITIONS);
    for (int p = 0; p < RIG_PARTITIONS; p++)
        rd_kafka_topic_partition_list_add(list, topic, p);
    rd_kafka_DeleteConsumerGroupOffsets_t *what =
        rd_kafka_DeleteConsumerGroupOffsets_new(group, list);
    rd_kafka_DeleteConsumerGroupOffsets(client, &what, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    int code = event ? (int)rd_kafka_event_error(event) : -1;
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(what);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    return code;
}

/* ---- as anybody would write it -------------------------------------------------------------- */

enum { NAIVE_TRANSACTIONS = 120, NAIVE_RECORDS = 20, NAIVE_MS = 10000 };

static rd_kafka_t *naive_open(const char *brokers, const char *service)
{
    static const char *const settings[] = {
        "transaction.timeout.ms", "60000", "socket.timeout.ms", "5000", "linger.ms", "5"};
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why);
    rd_kafka_conf_set(conf, "transactional.id", service, why, sizeof why);
    for (size_t i = 0; i < COUNT(settings); i += 2)
        rd_kafka_conf_set(conf, settings[i], settings[i + 1], why, sizeof why);
    return rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
}

static bool naive_failed(rd_kafka_error_t *error)
{
    if (!error)
        return false;
    fprintf(stderr, "rig: naive: %s\n", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    return true;
}

/* The records of one transaction, over a fifth of a second. True: it is committed, it says. */
static bool naive_transaction(rd_kafka_t *client, const char *topic, int n)
{
    char value[24];
    if (naive_failed(rd_kafka_begin_transaction(client)))
        return false;
    for (int i = 0; i < NAIVE_RECORDS; i++) {
        int len = snprintf(value, sizeof value, "%d", n * NAIVE_RECORDS + i);
        rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(0),
                          RD_KAFKA_V_VALUE(value, (size_t)len),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        rd_kafka_poll(client, 0);
        usleep(10000);
    }
    if (!naive_failed(rd_kafka_commit_transaction(client, NAIVE_MS)))
        return true;
    naive_failed(rd_kafka_abort_transaction(client, NAIVE_MS));
    return false;
}

/* Numbers in transactions, each repeated until it is committed: what publisher_run would be without
 * its precautions. */
static int naive_verb(const char *brokers, const char *service)
{
    char topic[TOPIC_LEN_MAX];
    snprintf(topic, sizeof topic, "%s.events", service);
    rd_kafka_t *client = NULL;
    for (int n = 0; n < NAIVE_TRANSACTIONS;) {
        if (client && rd_kafka_fatal_error(client, NULL, 0)) {
            rd_kafka_destroy(client);
            client = NULL;
        }
        if (!client) {
            client = naive_open(brokers, service);
            naive_failed(rd_kafka_init_transactions(client, NAIVE_MS));
        }
        n += naive_transaction(client, topic, n);
    }
    rd_kafka_destroy(client);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*act)(struct log *log, const char *service, const char *argument);
    } verbs[] = {
        {"topics", topics_verb}, {"init", init_verb}, {"append", append_verb}, {"run", run_verb}};
    struct log *log;
    if (argc < 4)
        return 2;
    if (strcmp(argv[1], "forget") == 0)
        return forget_verb(argv[2], argv[3]);
    if (strcmp(argv[1], "naive") == 0)
        return naive_verb(argv[2], argv[3]);
    const char *argument = argc > 4 ? argv[4] : "rig";
    struct err e = log_open(&(struct log_options){.brokers = argv[2], .instance = argument}, &log);
    if (e.code != ERR_OK)
        return fail("open", e);
    int code = 2;
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            code = verbs[i].act(log, argv[3], argument);
    log_close(log);
    return code;
}
