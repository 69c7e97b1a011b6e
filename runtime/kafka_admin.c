/* Creates and checks topics through Kafka's admin interface. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/kafka_internal.h"
#include "runtime/revocation.h"
#include "runtime/topics.h"

enum { ADMIN_TIMEOUT_MS = 30000, ADMIN_TOPICS_MAX = 64, STEP_MS = 50 };

#define RETENTION_COMMANDS_MS "2592000000"  /* 30 days */
#define RETENTION_REVOCATIONS_MS "86400000" /* a day; they matter for minutes */

struct topic_plan {
    char name[TOPIC_LEN_MAX];
    bool forever;   /* a log or a public contract: never deleted, never compacted */
    int partitions; /* of the platform's topics one: they are small, and the same for everybody */
    const char *retention_ms;
};

struct admin {
    const struct topics_options *options;
    topics_tell tell;
    void *context;
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    struct topic_plan plans[ADMIN_TOPICS_MAX];
    size_t count;
    size_t faults;
};

static void plan(struct admin *a)
{
    static const struct {
        const char *suffix;
        bool forever;
    } kinds[] = {{"commands", false}, {"log", true}, {"events", true}, {"deadletters", false}};
    for (size_t i = 0; i < a->options->services->count; i++)
        for (size_t k = 0; k < COUNT(kinds) && a->count < ADMIN_TOPICS_MAX; k++) {
            struct topic_plan *p = &a->plans[a->count++];
            p->forever = kinds[k].forever;
            p->partitions = a->options->partitions;
            p->retention_ms = p->forever ? "-1" : RETENTION_COMMANDS_MS;
            snprintf(p->name, sizeof p->name, "%s.%s", a->options->services->at[i].name,
                     kinds[k].suffix);
        }
    assert(a->count < ADMIN_TOPICS_MAX);
    a->plans[a->count++] = (struct topic_plan){
        .name = REVOCATIONS_TOPIC, .partitions = 1, .retention_ms = RETENTION_REVOCATIONS_MS};
}

static struct err open_client(struct admin *a)
{
    rd_kafka_conf_t *conf = kafka_conf(a->options->log);
    if (!conf)
        return FAIL(ERR_CONFIG, "kafka settings");
    TRY(kafka_new(RD_KAFKA_PRODUCER, conf, &a->client));
    a->queue = rd_kafka_queue_new(a->client);
    return OK;
}

static void close_client(struct admin *a)
{
    if (a->queue)
        rd_kafka_queue_destroy(a->queue);
    if (a->client)
        rd_kafka_destroy(a->client);
}

static struct err begin(struct admin *a)
{
    plan(a);
    return open_client(a);
}

/* ---- apply ---------------------------------------------------------------------------------- */

static rd_kafka_NewTopic_t *new_topic(const struct admin *a, const struct topic_plan *p)
{
    char text[KAFKA_ERROR_LEN], isr[16];
    rd_kafka_NewTopic_t *t =
        rd_kafka_NewTopic_new(p->name, p->partitions, a->options->replication, text, sizeof text);
    if (!t)
        return NULL;
    snprintf(isr, sizeof isr, "%d", a->options->replication > 1 ? a->options->replication - 1 : 1);
    rd_kafka_NewTopic_set_config(t, "cleanup.policy", "delete");
    rd_kafka_NewTopic_set_config(t, "retention.ms", p->retention_ms);
    rd_kafka_NewTopic_set_config(t, "retention.bytes", "-1");
    rd_kafka_NewTopic_set_config(t, "min.insync.replicas", isr);
    rd_kafka_NewTopic_set_config(t, "unclean.leader.election.enable", "false");
    rd_kafka_NewTopic_set_config(t, "max.message.bytes", "2000000");
    return t;
}

static void tell_created(struct admin *a, rd_kafka_event_t *event)
{
    size_t n;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        const char *name = rd_kafka_topic_result_name(results[i]);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            a->tell(a->context, name, "created");
        } else if (code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            a->tell(a->context, name, rd_kafka_topic_result_error_string(results[i]));
            a->faults++;
        }
    }
}

static struct err create_all(struct admin *a)
{
    rd_kafka_NewTopic_t *topics[ADMIN_TOPICS_MAX];
    for (size_t i = 0; i < a->count; i++)
        if (!(topics[i] = new_topic(a, &a->plans[i])))
            return FAIL(ERR_CONFIG, "topic settings");
    rd_kafka_CreateTopics(a->client, topics, a->count, NULL, a->queue);
    rd_kafka_NewTopic_destroy_array(topics, a->count);
    rd_kafka_event_t *event = rd_kafka_queue_poll(a->queue, ADMIN_TIMEOUT_MS);
    if (!event)
        return FAIL(ERR_TIMEOUT, "creating topics");
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (!code)
        tell_created(a, event);
    rd_kafka_event_destroy(event);
    return code ? kafka_fail("creating topics", code) : OK;
}

static bool has_leaders(const struct rd_kafka_metadata_topic *t)
{
    for (int p = 0; p < t->partition_cnt; p++)
        if (t->partitions[p].leader < 0)
            return false;
    return !t->err && t->partition_cnt > 0;
}

static size_t count_seen(const struct admin *a, const struct rd_kafka_metadata *m)
{
    size_t seen = 0;
    for (size_t i = 0; i < a->count; i++)
        for (int k = 0; k < m->topic_cnt; k++)
            seen += strcmp(m->topics[k].topic, a->plans[i].name) == 0 && has_leaders(&m->topics[k]);
    return seen;
}

/* The controller's word is not yet the brokers': a topic just created may be unknown to them. */
static struct err await_all(struct admin *a)
{
    const struct rd_kafka_metadata *m;
    size_t seen = 0;
    for (int waited_ms = 0; seen < a->count && waited_ms < ADMIN_TIMEOUT_MS; waited_ms += STEP_MS) {
        rd_kafka_resp_err_t code = rd_kafka_metadata(a->client, 1, NULL, &m, METADATA_TIMEOUT_MS);
        if (code)
            return kafka_fail("topic metadata", code);
        seen = count_seen(a, m);
        rd_kafka_metadata_destroy(m);
        if (seen < a->count)
            nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
    return seen == a->count ? OK : FAIL(ERR_TIMEOUT, "created topics do not appear");
}

struct err topics_apply(const struct topics_options *options, topics_tell tell, void *context)
{
    struct admin a = {.options = options, .tell = tell, .context = context};
    struct err e = begin(&a);
    if (e.code == ERR_OK)
        e = create_all(&a);
    if (e.code == ERR_OK && a.faults)
        e = FAIL(ERR_CONFIG, "some topics could not be created");
    if (e.code == ERR_OK)
        e = await_all(&a);
    close_client(&a);
    return e;
}

/* ---- check ---------------------------------------------------------------------------------- */

static void fault(struct admin *a, const char *topic, const char *what)
{
    a->faults++;
    a->tell(a->context, topic, what);
}

static void check_layout(struct admin *a, const struct topic_plan *plan,
                         const struct rd_kafka_metadata_topic *t)
{
    char what[160];
    if (t->partition_cnt != plan->partitions) {
        snprintf(what, sizeof what, "has %d partitions, not %d: a partition count may never change",
                 t->partition_cnt, plan->partitions);
        fault(a, t->topic, what);
    }
    for (int p = 0; p < t->partition_cnt && !a->options->dev; p++)
        if (t->partitions[p].replica_cnt < 3) {
            snprintf(what, sizeof what,
                     "partition %d has %d replicas, not 3 (allowed only with --dev)", p,
                     t->partitions[p].replica_cnt);
            fault(a, t->topic, what);
            return;
        }
}

static void check_metadata(struct admin *a, const struct rd_kafka_metadata *m)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct rd_kafka_metadata_topic *found = NULL;
        for (int k = 0; k < m->topic_cnt; k++)
            if (strcmp(m->topics[k].topic, a->plans[i].name) == 0 && !m->topics[k].err)
                found = &m->topics[k];
        if (found)
            check_layout(a, &a->plans[i], found);
        else
            fault(a, a->plans[i].name, "is missing: run `foldlog topics apply`");
    }
}

static void check_entry(struct admin *a, const struct topic_plan *p, const char *name,
                        const char *value)
{
    char what[200];
    bool wrong = false;
    if (p->forever && strcmp(name, "cleanup.policy") == 0)
        wrong = strcmp(value, "delete") != 0;
    if (p->forever && (strcmp(name, "retention.ms") == 0 || strcmp(name, "retention.bytes") == 0))
        wrong = strcmp(value, "-1") != 0;
    if (!a->options->dev && strcmp(name, "min.insync.replicas") == 0)
        wrong = atoi(value) < 2;
    if (!a->options->dev && strcmp(name, "unclean.leader.election.enable") == 0)
        wrong = strcmp(value, "false") != 0;
    if (!wrong)
        return;
    snprintf(what, sizeof what, "%s is %s: its records would not be kept for ever or not survive",
             name, value);
    fault(a, p->name, what);
}

static const struct topic_plan *plan_named(const struct admin *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->plans[i].name, name) == 0)
            return &a->plans[i];
    return NULL;
}

static void check_configs(struct admin *a, rd_kafka_event_t *event)
{
    size_t n, entries;
    const rd_kafka_ConfigResource_t **r =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        const struct topic_plan *p = plan_named(a, rd_kafka_ConfigResource_name(r[i]));
        const rd_kafka_ConfigEntry_t **e = rd_kafka_ConfigResource_configs(r[i], &entries);
        for (size_t k = 0; p && !rd_kafka_ConfigResource_error(r[i]) && k < entries; k++)
            if (rd_kafka_ConfigEntry_value(e[k]))
                check_entry(a, p, rd_kafka_ConfigEntry_name(e[k]),
                            rd_kafka_ConfigEntry_value(e[k]));
    }
}

static struct err describe(struct admin *a)
{
    rd_kafka_ConfigResource_t *r[ADMIN_TOPICS_MAX];
    for (size_t i = 0; i < a->count; i++)
        r[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, a->plans[i].name);
    rd_kafka_DescribeConfigs(a->client, r, a->count, NULL, a->queue);
    rd_kafka_ConfigResource_destroy_array(r, a->count);
    rd_kafka_event_t *event = rd_kafka_queue_poll(a->queue, ADMIN_TIMEOUT_MS);
    if (!event)
        return FAIL(ERR_TIMEOUT, "describing topics");
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (!code)
        check_configs(a, event);
    rd_kafka_event_destroy(event);
    return code ? kafka_fail("describing topics", code) : OK;
}

static struct err check_all(struct admin *a)
{
    const struct rd_kafka_metadata *m;
    rd_kafka_resp_err_t code = rd_kafka_metadata(a->client, 1, NULL, &m, METADATA_TIMEOUT_MS);
    if (code)
        return kafka_fail("topic metadata", code);
    check_metadata(a, m);
    rd_kafka_metadata_destroy(m);
    return describe(a);
}

struct err topics_check(const struct topics_options *options, topics_tell tell, void *context)
{
    struct admin a = {.options = options, .tell = tell, .context = context};
    struct err e = begin(&a);
    if (e.code == ERR_OK)
        e = check_all(&a);
    close_client(&a);
    if (e.code == ERR_OK && a.faults)
        e = FAIL(ERR_CONFIG, "topics are not as they must be");
    return e;
}
