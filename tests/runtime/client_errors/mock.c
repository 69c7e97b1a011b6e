/* Tells the mock brokers what to answer. */
#include "tests/runtime/client_errors/mock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BROKERS = 3, LASTING = 20000, SLOW_MS = 700, ANSWER_LOST_MS = 5000 };

static _Thread_local int clients;

rd_kafka_t *__real_rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *text,
                                size_t size);
rd_kafka_t *__wrap_rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *text,
                                size_t size);

/* The linker calls this one instead (-Wl,--wrap). */
rd_kafka_t *__wrap_rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *text,
                                size_t size)
{
    clients++;
    return __real_rd_kafka_new(type, conf, text, size);
}

int mock_clients(void)
{
    return clients;
}

/* A topic's own trouble does not pass by itself: it is taken back after so many questions of this
 * thread. */
static _Thread_local struct {
    struct mock *mock;
    size_t left;
} questions;

rd_kafka_resp_err_t __real_rd_kafka_metadata(rd_kafka_t *client, int all, rd_kafka_topic_t *only,
                                             const struct rd_kafka_metadata **ret_metadata,
                                             int timeout_ms);
rd_kafka_resp_err_t __wrap_rd_kafka_metadata(rd_kafka_t *client, int all, rd_kafka_topic_t *only,
                                             const struct rd_kafka_metadata **ret_metadata,
                                             int timeout_ms);

rd_kafka_resp_err_t __wrap_rd_kafka_metadata(rd_kafka_t *client, int all, rd_kafka_topic_t *only,
                                             const struct rd_kafka_metadata **ret_metadata,
                                             int timeout_ms)
{
    rd_kafka_resp_err_t code =
        __real_rd_kafka_metadata(client, all, only, ret_metadata, timeout_ms);
    bool ours =
        only && questions.mock && strcmp(rd_kafka_topic_name(only), questions.mock->topic) == 0;
    if (ours && --questions.left == 0)
        mock_heal(questions.mock, API_METADATA, HOW_ONCE);
    return code;
}

static void must(struct err e)
{
    if (e.code == ERR_OK)
        return;
    fprintf(stderr, "mock: %s: %s (%d)\n", err_text(e), e.what, e.cause);
    abort();
}

void mock_open(struct mock *mock, const char *instance)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", text, sizeof text);
    *mock = (struct mock){0};
    mock->keeper = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert(mock->keeper);
    mock->cluster = rd_kafka_mock_cluster_new(mock->keeper, BROKERS);
    must(log_open(&(struct log_options){.brokers = rd_kafka_mock_cluster_bootstraps(mock->cluster),
                                        .instance = instance},
                  &mock->log));
}

void mock_close(struct mock *mock)
{
    log_close(mock->log);
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->keeper);
}

struct log_topic *mock_topic(struct mock *mock, const char *name, int partitions)
{
    struct log_topic *topic;
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(mock->cluster, name, partitions, 1);
    assert(!code);
    (void)code;
    must(log_topic(mock->log, name, &topic));
    mock->topic = log_topic_name(topic);
    mock->partitions = partitions;
    return topic;
}

void mock_lead(struct mock *mock, const char *topic, int broker)
{
    mock->topic = topic;
    mock->leader = broker;
    rd_kafka_mock_partition_set_leader(mock->cluster, topic, 0, broker);
}

static void push(struct mock *mock, enum api api, rd_kafka_resp_err_t error, size_t times)
{
    for (size_t i = 0; i < times; i++)
        if (mock->leader && api == API_PRODUCE)
            rd_kafka_mock_broker_push_request_error_rtts(mock->cluster, mock->leader, (int16_t)api,
                                                         1, error, 0);
        else
            rd_kafka_mock_push_request_errors(mock->cluster, (int16_t)api, 1, error);
}

static void slow(struct mock *mock, enum api api, int ms)
{
    for (int broker = 1; broker <= BROKERS; broker++)
        if (!mock->leader || mock->leader == broker)
            rd_kafka_mock_broker_push_request_error_rtts(mock->cluster, broker, (int16_t)api, 1,
                                                         RD_KAFKA_RESP_ERR_NO_ERROR, ms);
}

static void lead_all(struct mock *mock, int partitions, int broker)
{
    for (int p = 0; p < partitions; p++)
        rd_kafka_mock_partition_set_leader(mock->cluster, mock->topic, p, broker);
}

static void say(struct mock *mock, enum api api, rd_kafka_resp_err_t error, size_t times)
{
    if (api != API_METADATA) {
        push(mock, api, error, times);
        return;
    }
    questions.mock = times < LASTING ? mock : NULL;
    questions.left = times;
    rd_kafka_mock_topic_set_error(mock->cluster, mock->topic, error);
}

void mock_trouble(struct mock *mock, enum api api, rd_kafka_resp_err_t error, enum how how)
{
    switch (how) {
    case HOW_BROKER_DOWN:
        rd_kafka_mock_broker_set_down(mock->cluster, -1);
        break;
    case HOW_LEADERLESS:
        lead_all(mock, LEADERLESS, -1);
        break;
    case HOW_UNLED:
        lead_all(mock, mock->partitions, -1);
        break;
    case HOW_SLOW:
        slow(mock, api, SLOW_MS);
        break;
    case HOW_ANSWER_LOST:
        slow(mock, api, ANSWER_LOST_MS);
        break;
    case HOW_ONCE:
        say(mock, api, error, 1);
        break;
    case HOW_FIVE_TIMES:
        say(mock, api, error, 5);
        break;
    case HOW_LASTING:
        say(mock, api, error, LASTING);
        break;
    case HOWS:
        abort();
    }
}

static void forgive(struct mock *mock)
{
    questions.mock = NULL;
    rd_kafka_mock_topic_set_error(mock->cluster, mock->topic, RD_KAFKA_RESP_ERR_NO_ERROR);
}

void mock_heal(struct mock *mock, enum api api, enum how how)
{
    if (how == HOW_BROKER_DOWN || how == HOW_ANSWER_LOST)
        rd_kafka_mock_broker_set_up(mock->cluster, -1);
    else if (how == HOW_UNLED)
        lead_all(mock, mock->partitions, 1);
    else if (api == API_METADATA)
        forgive(mock);
    else if (mock->leader && api == API_PRODUCE) /* a broker's own errors cannot be taken back */
        mock_lead(mock, mock->topic, mock->leader % BROKERS + 1);
    else
        rd_kafka_mock_clear_request_errors(mock->cluster, (int16_t)api);
}
