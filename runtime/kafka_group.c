/* Who owns which partition: a consumer group used for its membership alone. Everything assigned is
 * paused at once; records are read through the shared tails. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/kafka_internal.h"
#include "runtime/report.h"

enum {
    OWNED_MAX = TOPICS_MAX * PARTITIONS_MAX,
    OFFSETS_TIMEOUT_MS = 5000,
    CLOSE_MS = 1000,
    CLOSE_LOCAL_MS = 200, /* for what librdkafka asks of us, and no broker */
    REOPEN_MIN_MS = 500,
    REOPEN_MAX_MS = 8000,
    SEAT_KEPT_MS = 2 * REOPEN_MAX_MS, /* so long, and whoever took it away is gone */
    PRINT_TEXT_LEN = 16,
};

struct log_group {
    struct log *log;
    char name[TOPIC_LEN_MAX];
    struct log_topic *topics[TOPICS_MAX];
    size_t topics_count;
    struct log_reader *waker;
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    bool changed;
    bool closing;
    bool unanswered; /* an assignment that came while closing */
    size_t owned_count;
    struct log_partition owned[OWNED_MAX];
    int64_t reopen_at_ms; /* after a fatal error: when to try again */
    int reopen_ms;
    int64_t seated_at_ms; /* since the client was opened; 0: not yet */
};

static struct log_topic *topic_named(struct log_group *g, const char *name)
{
    for (size_t i = 0; i < g->topics_count; i++)
        if (strcmp(g->topics[i]->name, name) == 0)
            return g->topics[i];
    return NULL;
}

static void take_assignment(struct log_group *g, rd_kafka_topic_partition_list_t *list)
{
    g->owned_count = 0;
    for (int i = 0; i < list->cnt && g->owned_count < OWNED_MAX; i++) {
        struct log_topic *topic = topic_named(g, list->elems[i].topic);
        list->elems[i].offset = RD_KAFKA_OFFSET_END;
        if (topic)
            g->owned[g->owned_count++] = (struct log_partition){topic, list->elems[i].partition};
    }
    rd_kafka_assign(g->client, list);
    rd_kafka_pause_partitions(g->client, list);
}

static void on_rebalance(rd_kafka_t *client, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    struct log_group *g = opaque;
    g->changed = true;
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && g->closing) {
        g->unanswered = true; /* rd_kafka_assign would now and then wait for ever */
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        take_assignment(g, list);
        return;
    }
    g->owned_count = 0;
    rd_kafka_assign(client, NULL);
}

static void on_news(rd_kafka_t *client, void *opaque)
{
    struct log_group *g = opaque;
    (void)client;
    log_reader_poke(g->waker);
}

static struct err group_conf(const struct log_group *g, rd_kafka_conf_t *conf)
{
    char session[16], heartbeat[16];
    snprintf(session, sizeof session, "%d", SESSION_TIMEOUT_MS);
    snprintf(heartbeat, sizeof heartbeat, "%d", HEARTBEAT_MS);
    const char *const settings[] = {
        "group.id",
        g->name,
        "group.instance.id",
        g->log->instance,
        "session.timeout.ms",
        session,
        "heartbeat.interval.ms",
        heartbeat,
        "partition.assignment.strategy",
        "range",
        "enable.auto.commit",
        "false",
        "enable.auto.offset.store",
        "false",
        "auto.offset.reset",
        "latest",
        "queued.max.messages.kbytes",
        "64",
        NULL,
    };
    for (const char *const *s = settings; *s; s += 2)
        TRY(kafka_conf_set(conf, s[0], s[1]));
    return OK;
}

static struct err subscribe(struct log_group *g)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)g->topics_count);
    for (size_t i = 0; i < g->topics_count; i++)
        rd_kafka_topic_partition_list_add(list, g->topics[i]->name, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(g->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? kafka_fail("subscribe", code) : OK;
}

static struct err client_open(struct log_group *g)
{
    rd_kafka_conf_t *conf = kafka_conf(g->log);
    if (!conf)
        return FAIL(ERR_CONFIG, "kafka settings");
    struct err e = group_conf(g, conf);
    if (e.code != ERR_OK) {
        rd_kafka_conf_destroy(conf);
        return e;
    }
    rd_kafka_conf_set_opaque(conf, g);
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    TRY(kafka_new(RD_KAFKA_CONSUMER, conf, &g->client));
    rd_kafka_poll_set_consumer(g->client);
    if (g->waker) {
        g->queue = rd_kafka_queue_get_consumer(g->client);
        rd_kafka_queue_cb_event_enable(g->queue, on_news, g);
    }
    return subscribe(g);
}

/* rd_kafka_consumer_close, but not for ever: with a coordinator that says nothing it waits for what
 * is under way, commits and joins. What it would tell the coordinator is little: a static member
 * keeps its seat. */
static bool consumer_close(struct log_group *g)
{
    enum { STEP_MS = 20 };
    g->closing = true;
    rd_kafka_queue_t *queue = rd_kafka_queue_new(g->client);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(g->client, queue);
    int patience = log_patience(g->log, CLOSE_MS);
    int64_t until = clock_monotonic_ms() + (patience > CLOSE_LOCAL_MS ? patience : CLOSE_LOCAL_MS);
    while (!error && !g->unanswered && !rd_kafka_consumer_closed(g->client) &&
           clock_monotonic_ms() < until) {
        rd_kafka_message_t *m = rd_kafka_consume_queue(queue, STEP_MS); /* calls on_rebalance */
        if (m)
            rd_kafka_message_destroy(m);
    }
    bool closed = !g->unanswered && rd_kafka_consumer_closed(g->client);
    if (error)
        rd_kafka_error_destroy(error);
    rd_kafka_queue_destroy(queue);
    return closed;
}

static void *abandon(void *client)
{
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    return NULL;
}

/* A commit that is under way keeps librdkafka for a whole session, whatever it is told, and so may
 * an assignment that was not answered. It calls nothing of ours any more: nobody serves its queues.
 */
static void abandon_client(rd_kafka_t *client)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, abandon, client) != 0 || pthread_detach(thread) != 0)
        abort();
}

static void client_close(struct log_group *g)
{
    if (g->queue) {
        rd_kafka_queue_cb_event_enable(g->queue, NULL, NULL);
        rd_kafka_queue_destroy(g->queue);
    }
    if (g->client && consumer_close(g))
        rd_kafka_destroy(g->client);
    else if (g->client)
        abandon_client(g->client);
    g->client = NULL;
    g->queue = NULL;
    g->owned_count = 0;
    g->closing = g->unanswered = false;
}

struct err group_open(struct log *log, const char *name, struct log_topic *const *topics,
                      size_t count, struct log_reader *waker, struct log_group **ret_group)
{
    struct log_group *g = calloc(1, sizeof *g);
    if (!g)
        return FAIL(ERR_NOMEM, "group");
    g->log = log;
    g->waker = waker;
    g->topics_count = count;
    g->reopen_ms = REOPEN_MIN_MS;
    snprintf(g->name, sizeof g->name, "%s", name);
    for (size_t i = 0; i < count; i++)
        g->topics[i] = topics[i];
    struct err e = client_open(g);
    if (e.code != ERR_OK) {
        client_close(g);
        free(g);
        return e;
    }
    *ret_group = g;
    return OK;
}

void group_close(struct log_group *g)
{
    if (!g)
        return;
    client_close(g);
    free(g);
}

/* Another process took our instance name (fenced), or the client broke: back off, so that two of
 * one name do not throw each other out for ever at full speed. */
static void start_over(struct log_group *g)
{
    g->changed = g->changed || g->owned_count > 0;
    client_close(g);
    if (g->seated_at_ms && clock_monotonic_ms() - g->seated_at_ms > SEAT_KEPT_MS)
        g->reopen_ms = REOPEN_MIN_MS;
    g->seated_at_ms = 0;
    report(REPORT_WARN, "seat_given_up", "group", g->name, "again_in_ms",
           report_number(g->reopen_ms), NULL);
    g->reopen_at_ms = clock_monotonic_ms() + g->reopen_ms;
    g->reopen_ms = g->reopen_ms * 2 < REOPEN_MAX_MS ? g->reopen_ms * 2 : REOPEN_MAX_MS;
}

static void drain(struct log_group *g)
{
    rd_kafka_message_t *m;
    while ((m = rd_kafka_consumer_poll(g->client, 0)) != NULL)
        rd_kafka_message_destroy(m);
    if (rd_kafka_fatal_error(g->client, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR)
        start_over(g);
}

enum group_event group_poll(struct log_group *g, const struct log_partition **ret_owned,
                            size_t *ret_count)
{
    if (g->client)
        drain(g);
    else if (clock_monotonic_ms() >= g->reopen_at_ms && client_open(g).code != ERR_OK)
        start_over(g);
    if (!g->changed)
        return GROUP_NOTHING;
    g->changed = false;
    *ret_owned = g->owned;
    *ret_count = g->owned_count;
    if (g->owned_count == 0)
        return GROUP_REVOKED;
    if (!g->seated_at_ms)
        g->seated_at_ms = clock_monotonic_ms();
    return GROUP_ASSIGNED;
}

/* The print goes as the commit's metadata. */
static uint64_t print_in(const rd_kafka_topic_partition_t *at)
{
    char text[PRINT_TEXT_LEN + 1] = "";
    char *end;
    if (at->metadata_size != PRINT_TEXT_LEN)
        return PRINT_UNKNOWN;
    memcpy(text, at->metadata, PRINT_TEXT_LEN);
    uint64_t print = strtoull(text, &end, 16);
    return *end ? PRINT_UNKNOWN : print;
}

void kafka_position_set(rd_kafka_topic_partition_t *at, struct position position)
{
    at->offset = position.offset;
    if (position.print == PRINT_UNKNOWN)
        return;
    at->metadata = malloc(PRINT_TEXT_LEN + 1); /* the list frees it */
    if (!at->metadata)
        abort();
    snprintf(at->metadata, PRINT_TEXT_LEN + 1, "%016llx", (unsigned long long)position.print);
    at->metadata_size = PRINT_TEXT_LEN;
}

struct err group_committed(struct log_group *g, struct log_partition which,
                           struct position *ret_position)
{
    if (!g->client)
        return FAIL(ERR_UNAVAILABLE, "group has no seat");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, which.topic->name, which.partition);
    rd_kafka_resp_err_t code =
        rd_kafka_committed(g->client, list, log_patience(g->log, OFFSETS_TIMEOUT_MS));
    struct position found = {list->elems[0].offset, print_in(&list->elems[0])};
    if (!code)
        code = list->elems[0].err;
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return kafka_fail("committed offset", code);
    *ret_position = found.offset < 0 ? (struct position){-1, PRINT_UNKNOWN} : found;
    return OK;
}

struct err group_commit(struct log_group *g, struct log_partition which, struct position position)
{
    if (!g->client)
        return FAIL(ERR_UNAVAILABLE, "group has no seat");
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    kafka_position_set(rd_kafka_topic_partition_list_add(list, which.topic->name, which.partition),
                       position);
    rd_kafka_resp_err_t code = rd_kafka_commit(g->client, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? kafka_fail("commit of an offset", code) : OK;
}

rd_kafka_t *group_client(struct log_group *g)
{
    return g->client;
}
