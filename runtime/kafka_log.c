/* The process's connection to Kafka: configuration, topics, the ends of partitions. */
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>

#include "runtime/clock.h"
#include "runtime/kafka_internal.h"
#include "runtime/report.h"

struct err kafka_fail(const char *what, rd_kafka_resp_err_t code)
{
    switch (code) {
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        return FAIL_CAUSE(ERR_LOST, what, code);
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        return FAIL_CAUSE(ERR_TIMEOUT, what, code);
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
        return FAIL_CAUSE(ERR_FULL, what, code);
    default:
        return FAIL_CAUSE(ERR_UNAVAILABLE, what, code);
    }
}

struct err kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[KAFKA_ERROR_LEN];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return OK;
    fprintf(stderr, "kafka.%s: %s\n", name, text);
    return FAIL(ERR_CONFIG, "kafka setting");
}

static struct err set_all(const struct log *log, rd_kafka_conf_t *conf)
{
    static const char *const defaults[] = {
        "socket.nagle.disable",
        "true",
        "reconnect.backoff.ms",
        "20",
        "reconnect.backoff.max.ms",
        "1000",
        "log_level",
        "3",
        "topic.metadata.refresh.interval.ms", /* also so that a connection that nobody needs just
                                                 now is found out before it is needed */
        "3000",
        "socket.timeout.ms", /* of a connection that fell silent; the default is a minute */
        "3000",
        NULL,
    };
    TRY(kafka_conf_set(conf, "bootstrap.servers", log->brokers));
    for (const char *const *s = defaults; *s; s += 2)
        TRY(kafka_conf_set(conf, s[0], s[1]));
    for (const char *const *s = log->settings; s && *s; s += 2)
        TRY(kafka_conf_set(conf, s[0], s[1]));
    return OK;
}

/* While a broker is away every connection of every client says so, each second: SAID_MAX lines of
 * the process in SAID_MS. -1: not this one; else how many were left out before it. */
static int left_out_before(void)
{
    enum { SAID_MAX = 5, SAID_MS = 10000 };
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int64_t since_ms = -SAID_MS;
    static int said, left_out;
    int before = -1;
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&lock);
    if (now_ms - since_ms >= SAID_MS) {
        since_ms = now_ms;
        said = 0;
    }
    if (said < SAID_MAX) {
        said++;
        before = left_out;
        left_out = 0;
    } else {
        left_out++;
    }
    pthread_mutex_unlock(&lock);
    return before;
}

/* What librdkafka has to say goes where everything goes. */
static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    bool whole = level <= LOG_CRIT || report_least == REPORT_DEBUG;
    int left_out = whole ? 0 : left_out_before();
    if (left_out >= 0)
        report(REPORT_WARN, "kafka_says", "client", client ? rd_kafka_name(client) : "", "facility",
               facility, "text", text, "left_out", report_number(left_out), NULL);
}

rd_kafka_conf_t *kafka_conf(const struct log *log)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct err e = set_all(log, conf);
    rd_kafka_conf_set_log_cb(conf, on_log);
    if (e.code == ERR_OK)
        return conf;
    rd_kafka_conf_destroy(conf);
    return NULL;
}

struct err kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_client)
{
    char text[KAFKA_ERROR_LEN];
    rd_kafka_t *client = rd_kafka_new(type, conf, text, sizeof text);
    if (!client) {
        rd_kafka_resp_err_t code = rd_kafka_last_error();
        fprintf(stderr, "kafka: %s\n", text);
        rd_kafka_conf_destroy(conf);
        return code == RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE ? kafka_fail("kafka client", code)
                                                            : FAIL(ERR_CONFIG, "kafka client");
    }
    *ret_client = client;
    return OK;
}

int log_patience(const struct log *log, int timeout_ms)
{
    int64_t end_by = atomic_load(&log->end_by_ms);
    int64_t left = end_by == INT64_MAX ? timeout_ms : end_by - clock_monotonic_ms();
    return left < 1 ? 1 : left < timeout_ms ? (int)left : timeout_ms;
}

rd_kafka_resp_err_t kafka_flush(const struct log *log, rd_kafka_t *client, int timeout_ms)
{
    enum { STEP_MS = 100 };
    rd_kafka_resp_err_t code;
    int64_t left_ms, until = clock_monotonic_ms() + timeout_ms;
    do {
        left_ms = until - clock_monotonic_ms();
        left_ms = left_ms < 0 ? 0 : log_patience(log, (int)left_ms);
        code = rd_kafka_flush(client, left_ms < STEP_MS ? (int)left_ms : STEP_MS);
    } while (code == RD_KAFKA_RESP_ERR__TIMED_OUT && left_ms > STEP_MS);
    return code;
}

void log_end_by(struct log *log, int64_t until_ms)
{
    atomic_store(&log->end_by_ms, until_ms);
}

static struct err reader_conf(rd_kafka_conf_t *conf, const char *queued_kbytes, const char *wait_ms)
{
    static const char *const settings[] = {
        "fetch.min.bytes",
        "1",
        "fetch.error.backoff.ms",
        "5",
        "fetch.message.max.bytes", /* of a partition at once, compressed */
        "65536",
        "queued.min.messages",
        "100000",
        "isolation.level",
        "read_uncommitted",
        "enable.auto.commit",
        "false",
        "auto.offset.reset",
        "error",
        "enable.partition.eof",
        "false",
        NULL,
    };
    for (const char *const *s = settings; *s; s += 2)
        TRY(kafka_conf_set(conf, s[0], s[1]));
    TRY(kafka_conf_set(conf, "fetch.wait.max.ms", wait_ms));
    return kafka_conf_set(conf, "queued.max.messages.kbytes", queued_kbytes);
}

struct err kafka_reader_client(const struct log *log, const char *queued_kbytes,
                               const char *wait_ms, rd_kafka_t **ret_client)
{
    rd_kafka_conf_t *conf = kafka_conf(log);
    if (!conf)
        return FAIL(ERR_CONFIG, "kafka settings");
    struct err e = reader_conf(conf, queued_kbytes, wait_ms);
    if (e.code != ERR_OK) {
        rd_kafka_conf_destroy(conf);
        return e;
    }
    return kafka_new(RD_KAFKA_CONSUMER, conf, ret_client);
}

struct err log_open(const struct log_options *options, struct log **ret_log)
{
    struct log *log = calloc(1, sizeof *log);
    if (!log)
        return FAIL(ERR_NOMEM, "log");
    snprintf(log->brokers, sizeof log->brokers, "%s", options->brokers);
    snprintf(log->instance, sizeof log->instance, "%s", options->instance);
    log->settings = options->kafka_settings;
    atomic_store(&log->end_by_ms, INT64_MAX);
    pthread_mutex_init(&log->lock, NULL);
    struct err e = kafka_reader_client(log, "64", "100", &log->client);
    if (e.code != ERR_OK) {
        free(log);
        return e;
    }
    *ret_log = log;
    return OK;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    tails_stop(log);
    rd_kafka_destroy(log->client);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

const char *log_instance(const struct log *log)
{
    return log->instance;
}

static bool is_unknown(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
           code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/* Only of a topic that nobody has seen yet is it told that it is not there. */
static struct err topic_fail(rd_kafka_resp_err_t code)
{
    return is_unknown(code) ? FAIL_CAUSE(ERR_NOT_FOUND, "topic metadata", code)
                            : kafka_fail("topic metadata", code);
}

static struct err ask_partitions(struct log *log, const char *name, int timeout_ms,
                                 int *ret_partitions)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(log->client, name, NULL);
    if (!topic)
        return FAIL(ERR_CONFIG, "topic name");
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(log->client, 0, topic, &metadata, log_patience(log, timeout_ms));
    rd_kafka_topic_destroy(topic);
    if (code)
        return topic_fail(code);
    struct err e = OK;
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                    : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (code)
        e = topic_fail(code);
    else if (metadata->topics[0].partition_cnt == 0)
        e = FAIL(ERR_NOT_FOUND, "topic does not exist");
    else if (metadata->topics[0].partition_cnt > PARTITIONS_MAX)
        e = FAIL(ERR_CONFIG, "topic has too many partitions");
    else
        *ret_partitions = metadata->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(metadata);
    return e;
}

static struct log_topic *find_topic(struct log *log, const char *name)
{
    for (int i = 0; i < log->topics_count; i++)
        if (strcmp(log->topics[i].name, name) == 0)
            return &log->topics[i];
    return NULL;
}

static bool is_commands(const char *name)
{
    static const char suffix[] = ".commands";
    size_t len = strlen(name);
    return len >= sizeof suffix && strcmp(name + len - (sizeof suffix - 1), suffix) == 0;
}

static struct err intern_topic(struct log *log, const char *name, struct log_topic **ret_topic)
{
    int partitions = 0;
    struct log_topic *topic = find_topic(log, name);
    if (!topic) {
        if (log->topics_count == TOPICS_MAX || strlen(name) >= TOPIC_LEN_MAX)
            return FAIL(ERR_CONFIG, "too many topics");
        TRY(ask_partitions(log, name, METADATA_TIMEOUT_MS, &partitions));
        topic = &log->topics[log->topics_count++];
        topic->log = log;
        topic->partitions = partitions;
        topic->fetcher = is_commands(name) ? FETCH_COMMANDS : FETCH_LOGS;
        snprintf(topic->name, sizeof topic->name, "%s", name);
    }
    *ret_topic = topic;
    return OK;
}

struct err log_topic(struct log *log, const char *name, struct log_topic **ret_topic)
{
    pthread_mutex_lock(&log->lock);
    struct err e = intern_topic(log, name, ret_topic);
    pthread_mutex_unlock(&log->lock);
    return e;
}

const char *log_topic_name(const struct log_topic *topic)
{
    return topic->name;
}

int log_topic_partitions(const struct log_topic *topic)
{
    return topic->partitions;
}

/* Once it has heard of a partition without leader, librdkafka tells so, or "unknown partition",
 * for seconds without asking anybody. */
static bool is_hearsay(rd_kafka_resp_err_t code)
{
    return is_unknown(code) || code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
}

/* A topic that we know and a broker does not, or a partition without leader, is one that is being
 * made or moved, or its broker is fenced: it will be there. A question that a silent connection
 * swallowed is asked again. */
static bool is_moving(rd_kafka_resp_err_t code)
{
    return is_hearsay(code) || code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           code == RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE ||
           code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
           code == RD_KAFKA_RESP_ERR__TIMED_OUT;
}

/* Not rd_kafka_query_watermark_offsets: it sends two requests, and when one is answered with an
 * error it may tell the other's answer for both ends; nor does it keep to its timeout (librdkafka
 * 2.0.2). */
static rd_kafka_resp_err_t ask_offsets(struct log *log, const struct log_partition *of,
                                       size_t count, int64_t which, int timeout_ms,
                                       int64_t *ret_offsets)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, of[i].topic->name, of[i].partition)->offset = which;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(log->client, list, timeout_ms);
    for (size_t i = 0; !code && i < count; i++) {
        const rd_kafka_topic_partition_t *found =
            rd_kafka_topic_partition_list_find(list, of[i].topic->name, of[i].partition);
        code = found->err          ? found->err
               : found->offset < 0 ? RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE
                                   : RD_KAFKA_RESP_ERR_NO_ERROR;
        ret_offsets[i] = found->offset;
    }
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* Makes librdkafka ask about the topics of these partitions. */
static void renew_metadata(struct log *log, const struct log_partition *of, size_t count,
                           int64_t until_ms)
{
    for (size_t i = 0; i < count; i++) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        size_t earlier = 0;
        int partitions;
        while (of[earlier].topic != of[i].topic)
            earlier++;
        if (earlier < i)
            continue;
        if (left_ms <= 0)
            return;
        struct err e = ask_partitions(log, of[i].topic->name, (int)left_ms, &partitions);
        (void)e; /* the next answer will tell */
    }
}

/* Asks until the partitions have come to rest, or until `until_ms`; but one that has no leader, on
 * the broker's own word, is not waited for: whoever asks has others to look after. */
static struct err find_offsets(struct log *log, const struct log_partition *of, size_t count,
                               int64_t which, int64_t until_ms, int64_t *ret_offsets)
{
    enum { STEP_MS = 50 };
    for (bool renewed = false;;) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        rd_kafka_resp_err_t code =
            ask_offsets(log, of, count, which, left_ms > 0 ? (int)left_ms : 0, ret_offsets);
        if (!code)
            return OK;
        if (!is_moving(code))
            return kafka_fail("ends of a partition", code);
        if (until_ms - clock_monotonic_ms() <= STEP_MS || (is_hearsay(code) && renewed))
            return FAIL_CAUSE(ERR_UNAVAILABLE, "ends of a partition", code);
        if (is_hearsay(code)) {
            renew_metadata(log, of, count, until_ms);
            renewed = true;
        }
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
    }
}

static int64_t wait_until(const struct log *log, int timeout_ms)
{
    return clock_monotonic_ms() + log_patience(log, timeout_ms);
}

struct err kafka_ends(struct log *log, const struct log_partition *partitions, size_t count,
                      int64_t *ret_ends)
{
    if (count == 0)
        return OK;
    return find_offsets(log, partitions, count, RD_KAFKA_OFFSET_END,
                        wait_until(log, METADATA_TIMEOUT_MS), ret_ends);
}

struct err log_ends_within(struct log_topic *topic, int partition, int timeout_ms,
                           int64_t *ret_first, int64_t *ret_end)
{
    const struct log_partition of = {topic, partition};
    int64_t first, end, until_ms = wait_until(topic->log, timeout_ms);
    if (ret_first)
        TRY(find_offsets(topic->log, &of, 1, RD_KAFKA_OFFSET_BEGINNING, until_ms, &first));
    TRY(find_offsets(topic->log, &of, 1, RD_KAFKA_OFFSET_END, until_ms, &end));
    if (ret_first)
        *ret_first = first;
    *ret_end = end;
    return OK;
}

struct err log_ends(struct log_topic *topic, int partition, int64_t *ret_first, int64_t *ret_end)
{
    return log_ends_within(topic, partition, METADATA_TIMEOUT_MS, ret_first, ret_end);
}
