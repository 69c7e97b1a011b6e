/* The limit: the two records that a command needs, straight through librdkafka with nothing decided
 * in between. A closed loop of N in flight: append to TOPIC.a, an echo thread reads it and appends
 * to TOPIC.b, read back from there. Same settings, record sizes and partitions as the product.
 * Prints one JSON object.
 *
 *   load_raw BROKERS TOPIC-A TOPIC-B PARTITIONS IN-FLIGHT SECONDS COMMAND-BYTES DECISION-BYTES */
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LATENCIES_MAX = 8000000, RECORD_MAX = 16384 };

static const char *brokers;
static int partitions;
static atomic_bool stop;
static float *latencies;
static size_t latencies_count;
static size_t command_bytes, decision_bytes;
static const char *topic_a, *topic_b;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "%s\n", text);
        exit(1);
    }
}

static rd_kafka_t *client(rd_kafka_type_t type)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers);
    set(conf, "socket.nagle.disable", "true");
    if (type == RD_KAFKA_PRODUCER) {
        set(conf, "enable.idempotence", "true");
        set(conf, "acks", "all");
        set(conf, "linger.ms", "0");
        set(conf, "max.in.flight", "1");
        set(conf, "compression.codec", "lz4");
        set(conf, "delivery.report.only.error", "true");
    } else {
        set(conf, "fetch.min.bytes", "1");
        set(conf, "fetch.wait.max.ms", "100");
    }
    rd_kafka_t *k = rd_kafka_new(type, conf, text, sizeof text);
    if (!k) {
        fprintf(stderr, "%s\n", text);
        exit(1);
    }
    return k;
}

static rd_kafka_queue_t *read_all(rd_kafka_t *k, const char *name)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(k);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(k, name, NULL);
    for (int p = 0; p < partitions; p++) {
        int64_t low, high;
        rd_kafka_query_watermark_offsets(k, name, p, &low, &high, 5000);
        rd_kafka_consume_start_queue(topic, p, high, queue);
    }
    return queue;
}

static rd_kafka_topic_t *write_to(rd_kafka_t *k, const char *name)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(k, name, NULL);
    if (rd_kafka_metadata(k, 0, topic, &metadata, 5000) == 0)
        rd_kafka_metadata_destroy(metadata);
    return topic;
}

static void create_topics(void)
{
    char text[256];
    rd_kafka_t *k = client(RD_KAFKA_PRODUCER);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(k);
    rd_kafka_NewTopic_t *topics[] = {
        rd_kafka_NewTopic_new(topic_a, partitions, 1, text, sizeof text),
        rd_kafka_NewTopic_new(topic_b, partitions, 1, text, sizeof text)};
    rd_kafka_CreateTopics(k, topics, 2, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    if (event)
        rd_kafka_event_destroy(event); /* there already, from a run before: fine */
    rd_kafka_NewTopic_destroy_array(topics, 2);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(k);
}

/* Half of a record can be compressed away, as with JSON. */
static void append(rd_kafka_t *k, rd_kafka_topic_t *topic, int partition, double sent, size_t size)
{
    char record[RECORD_MAX];
    memset(record, 'x', size);
    for (size_t i = 0; i < size / 2; i++)
        record[i] = (char)rand();
    memcpy(record, &sent, sizeof sent);
    while (rd_kafka_produce(topic, partition, RD_KAFKA_MSG_F_COPY, record, size, "key", 3, NULL) !=
           0)
        rd_kafka_poll(k, 1);
}

static void *echo(void *context)
{
    rd_kafka_t *reader = client(RD_KAFKA_CONSUMER), *writer = client(RD_KAFKA_PRODUCER);
    rd_kafka_queue_t *queue = read_all(reader, topic_a);
    rd_kafka_topic_t *topic = write_to(writer, topic_b);
    atomic_store((atomic_bool *)context, true);
    while (!atomic_load(&stop)) {
        rd_kafka_message_t *m = rd_kafka_consume_queue(queue, 50);
        if (m && !m->err) {
            double sent;
            memcpy(&sent, m->payload, sizeof sent);
            append(writer, topic, m->partition, sent, decision_bytes);
        }
        if (m)
            rd_kafka_message_destroy(m);
        rd_kafka_poll(writer, 0);
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void loop(rd_kafka_queue_t *queue, rd_kafka_t *writer, rd_kafka_topic_t *topic,
                 double seconds)
{
    double until = now() + seconds;
    int next = 0;
    while (now() < until) {
        rd_kafka_message_t *m = rd_kafka_consume_queue(queue, 50);
        if (m && !m->err) {
            double sent;
            memcpy(&sent, m->payload, sizeof sent);
            if (latencies_count < LATENCIES_MAX)
                latencies[latencies_count++] = (float)(now() - sent);
            append(writer, topic, next++ % partitions, now(), command_bytes);
        }
        if (m)
            rd_kafka_message_destroy(m);
        rd_kafka_poll(writer, 0);
    }
}

int main(int argc, char **argv)
{
    pthread_t thread;
    atomic_bool ready = false;
    if (argc != 9) {
        fprintf(stderr, "usage: load_raw BROKERS A B PARTITIONS IN-FLIGHT SECONDS COMMAND-BYTES "
                        "DECISION-BYTES\n");
        return 2;
    }
    brokers = argv[1];
    topic_a = argv[2];
    topic_b = argv[3];
    partitions = atoi(argv[4]);
    int in_flight = atoi(argv[5]);
    double seconds = atof(argv[6]);
    command_bytes = strtoul(argv[7], NULL, 10);
    decision_bytes = strtoul(argv[8], NULL, 10);
    latencies = malloc(LATENCIES_MAX * sizeof *latencies);
    create_topics();
    pthread_create(&thread, NULL, echo, &ready);
    rd_kafka_t *reader = client(RD_KAFKA_CONSUMER), *writer = client(RD_KAFKA_PRODUCER);
    rd_kafka_queue_t *queue = read_all(reader, topic_b);
    rd_kafka_topic_t *topic = write_to(writer, topic_a);
    while (!atomic_load(&ready))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    for (int i = 0; i < in_flight; i++)
        append(writer, topic, i % partitions, now(), command_bytes);
    loop(queue, writer, topic, seconds / 4);
    latencies_count = 0;
    double began = now();
    loop(queue, writer, topic, seconds);
    double took = now() - began;
    qsort(latencies, latencies_count, sizeof *latencies, by_value);
    printf("{\"in_flight\":%d,\"per_second\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n", in_flight,
           (double)latencies_count / took,
           latencies_count ? 1e3 * (double)latencies[latencies_count / 2] : 0,
           latencies_count ? 1e3 * (double)latencies[latencies_count * 99 / 100] : 0);
    fflush(stdout);
    _Exit(0);
}
