/* Appends: an idempotent producer, one request in flight, so that batches form by themselves. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/kafka_internal.h"
#include "runtime/report.h"

enum { QUEUE_RECORDS = 100000, CLOSE_MS = 100, LOOK_AGAIN_MS = 1000 };

struct log_producer {
    struct log *log;
    rd_kafka_t *client;
    producer_report reported;
    void *context;
    struct log_reader *waker;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t *handles[TOPICS_MAX]; /* by index of the topic in its log */
    int64_t looked_ms;                     /* when a refused topic was last looked at */
    int polled;
};

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *m, void *opaque)
{
    struct log_producer *producer = opaque;
    (void)client;
    producer->polled++;
    if (producer->reported)
        producer->reported(producer->context, (uint64_t)(uintptr_t)m->_private,
                           m->err ? -1 : m->offset, m->err ? kafka_fail("append", m->err) : OK);
}

static void on_news(rd_kafka_t *client, void *opaque)
{
    struct log_producer *producer = opaque;
    (void)client;
    log_reader_poke(producer->waker);
}

static struct err producer_conf(rd_kafka_conf_t *conf)
{
    char timeout[16], records[16];
    snprintf(timeout, sizeof timeout, "%d", APPEND_TIMEOUT_MS);
    snprintf(records, sizeof records, "%d", QUEUE_RECORDS);
    const char *const settings[] = {
        "enable.idempotence",
        "true",
        "acks",
        "all",
        "linger.ms",
        "0",
        "max.in.flight",
        "1",
        "compression.codec",
        "lz4",
        "message.timeout.ms",
        timeout,
        "queue.buffering.max.messages",
        records,
        "queue.buffering.max.kbytes",
        "65536",
        "retry.backoff.ms",
        "20",
        "socket.timeout.ms", /* a disk may be slow */
        "6000",
        "message.max.bytes",
        "2000000",
        NULL,
    };
    for (const char *const *s = settings; *s; s += 2)
        TRY(kafka_conf_set(conf, s[0], s[1]));
    return OK;
}

static struct err start(struct log_producer *producer)
{
    rd_kafka_conf_t *conf = kafka_conf(producer->log);
    if (!conf)
        return FAIL(ERR_CONFIG, "kafka settings");
    struct err e = producer_conf(conf);
    if (e.code != ERR_OK) {
        rd_kafka_conf_destroy(conf);
        return e;
    }
    rd_kafka_conf_set_opaque(conf, producer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    TRY(kafka_new(RD_KAFKA_PRODUCER, conf, &producer->client));
    if (producer->waker) {
        producer->queue = rd_kafka_queue_get_main(producer->client);
        rd_kafka_queue_cb_event_enable(producer->queue, on_news, producer);
    }
    return OK;
}

/* What was under way is reported as failed: it may land all the same. */
static void stop(struct log_producer *producer)
{
    rd_kafka_purge(producer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                         RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_flush(producer->client, CLOSE_MS);
    if (producer->queue) {
        rd_kafka_queue_cb_event_enable(producer->queue, NULL, NULL);
        rd_kafka_queue_destroy(producer->queue);
    }
    for (int i = 0; i < TOPICS_MAX; i++) {
        if (producer->handles[i])
            rd_kafka_topic_destroy(producer->handles[i]);
        producer->handles[i] = NULL;
    }
    rd_kafka_destroy(producer->client);
    producer->client = NULL;
    producer->queue = NULL;
}

/* An idempotent producer whose sequence the broker does not know any more never recovers: a new one
 * begins anew. Whoever waits for a report gets it, as a failure. */
static struct err renew_if_fatal(struct log_producer *producer)
{
    char text[KAFKA_ERROR_LEN];
    if (producer->client && rd_kafka_fatal_error(producer->client, text, sizeof text)) {
        report(REPORT_WARN, "producer_renewed", "why", text, NULL);
        stop(producer);
    }
    return producer->client ? OK : start(producer);
}

struct err producer_open(struct log *log, producer_report reported, void *context,
                         struct log_reader *waker, struct log_producer **ret_producer)
{
    struct log_producer *producer = calloc(1, sizeof *producer);
    if (!producer)
        return FAIL(ERR_NOMEM, "producer");
    *producer =
        (struct log_producer){.log = log, .reported = reported, .context = context, .waker = waker};
    struct err e = start(producer);
    if (e.code != ERR_OK) {
        free(producer);
        return e;
    }
    *ret_producer = producer;
    return OK;
}

void producer_close(struct log_producer *producer)
{
    if (!producer)
        return;
    producer->reported = NULL;
    if (producer->client)
        stop(producer);
    free(producer);
}

/* The first append to a topic would wait about a second for its metadata: asked for here. */
static rd_kafka_topic_t *handle_of(struct log_producer *producer, struct log_topic *topic)
{
    size_t i = (size_t)(topic - producer->log->topics);
    const struct rd_kafka_metadata *metadata;
    if (!producer->handles[i]) {
        producer->handles[i] = rd_kafka_topic_new(producer->client, topic->name, NULL);
        if (producer->handles[i] &&
            rd_kafka_metadata(producer->client, 0, producer->handles[i], &metadata,
                              log_patience(producer->log, METADATA_TIMEOUT_MS)) == 0)
            rd_kafka_metadata_destroy(metadata);
    }
    return producer->handles[i];
}

/* librdkafka takes a topic that was once refused for refused until its metadata are refreshed, a
 * minute later. Whoever appends again makes it look now. */
static void look_again(struct log_producer *producer, rd_kafka_topic_t *handle)
{
    const struct rd_kafka_metadata *metadata;
    if (clock_monotonic_ms() - producer->looked_ms < LOOK_AGAIN_MS)
        return;
    if (rd_kafka_metadata(producer->client, 0, handle, &metadata, LOOK_AGAIN_MS) == 0)
        rd_kafka_metadata_destroy(metadata);
    producer->looked_ms = clock_monotonic_ms();
}

struct err producer_append(struct log_producer *producer, struct log_topic *topic, int partition,
                           struct text key, struct text value, uint64_t tag)
{
    TRY(renew_if_fatal(producer));
    rd_kafka_topic_t *handle = handle_of(producer, topic);
    if (!handle)
        return FAIL(ERR_NOMEM, "topic handle");
    union { /* librdkafka only reads the payload when it copies, but does not say so in its type */
        const char *is;
        void *as;
    } payload = {.is = value.at};
    if (rd_kafka_produce(handle, partition, RD_KAFKA_MSG_F_COPY, payload.as, value.len, key.at,
                         key.len, (void *)(uintptr_t)tag) == 0)
        return OK;
    rd_kafka_resp_err_t code = rd_kafka_last_error();
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        look_again(producer, handle);
    return kafka_fail("append", code);
}

int producer_poll(struct log_producer *producer, int timeout_ms)
{
    producer->polled = 0;
    if (renew_if_fatal(producer).code == ERR_OK)
        rd_kafka_poll(producer->client, timeout_ms);
    return producer->polled;
}

struct err producer_flush(struct log_producer *producer, int timeout_ms)
{
    TRY(renew_if_fatal(producer));
    rd_kafka_resp_err_t code = kafka_flush(producer->log, producer->client, timeout_ms);
    return code ? kafka_fail("flush", code) : OK;
}
