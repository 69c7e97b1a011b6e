/* A Kafka of librdkafka's own, in this process, that answers as it is told to. It proves nothing
 * about exactly-once: it knows no sequence numbers, aborts nothing, keeps no offsets of a
 * transaction. What it can do is say every error at the moment we choose. */
#ifndef TESTS_CLIENT_ERRORS_MOCK_H
#define TESTS_CLIENT_ERRORS_MOCK_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "runtime/event_log.h"

/* ApiKeys (https://kafka.apache.org/protocol#protocol_api_keys). */
enum api {
    API_PRODUCE = 0,
    API_FETCH = 1,
    API_LIST_OFFSETS = 2,
    API_METADATA = 3,
    API_OFFSET_COMMIT = 8,
    API_OFFSET_FETCH = 9,
    API_FIND_COORDINATOR = 10,
    API_JOIN_GROUP = 11,
    API_HEARTBEAT = 12,
    API_SYNC_GROUP = 14,
    API_INIT_PRODUCER_ID = 22,
    API_ADD_PARTITIONS_TO_TXN = 24,
    API_ADD_OFFSETS_TO_TXN = 25,
    API_END_TXN = 26,
    API_TXN_OFFSET_COMMIT = 28,
};

/* How a request is answered: with an error so often, or by something that befalls the broker. */
enum how {
    HOW_ONCE,
    HOW_FIVE_TIMES,
    HOW_LASTING,     /* until healed */
    HOW_SLOW,        /* no error: answers come 700 ms late */
    HOW_BROKER_DOWN, /* all of them, connections cut, until healed */
    HOW_ANSWER_LOST, /* carried out, but the connection is cut before the answer */
    HOW_LEADERLESS,  /* the first three partitions of the log have no leader, and are not healed */
    HOW_UNLED,       /* the log has no leader until healed, as while a broker is fenced */
    HOWS
};

enum { LEADERLESS = 3 };

/* Until mock_heal. */
static inline bool how_lasts(enum how how)
{
    return how == HOW_LASTING || how == HOW_BROKER_DOWN || how == HOW_UNLED;
}

struct mock {
    rd_kafka_t *keeper;
    rd_kafka_mock_cluster_t *cluster;
    struct log *log;   /* the product's */
    const char *topic; /* the one that trouble of metadata and of leaders is about */
    int partitions;    /* of it */
    int leader;        /* 0; or the broker that alone fails to write: it leads partition 0 of topic,
                          and healing makes the next one lead */
};

/* Three brokers and the product's connection to them, as `instance`. */
void mock_open(struct mock *mock, const char *instance);
void mock_close(struct mock *mock);
struct log_topic *mock_topic(struct mock *mock, const char *name, int partitions);
/* From now on. error is not looked at where `how` says all. */
void mock_trouble(struct mock *mock, enum api api, rd_kafka_resp_err_t error, enum how how);
/* Makes this broker lead partition 0, and have all trouble of writing. */
void mock_lead(struct mock *mock, const char *topic, int broker);
/* What lasts, ends. */
void mock_heal(struct mock *mock, enum api api, enum how how);

/* Clients of librdkafka that this thread has made so far. */
int mock_clients(void);

#endif
