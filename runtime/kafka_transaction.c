/* Kafka transactions driven so that they cannot lie: see decision 007. */
#include "runtime/kafka_transaction.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/kafka_internal.h"

enum { QUEUE_WAIT_MS = 5, CLOSE_PURGE_MS = 100 };

/* ApiKeys of the transaction protocol: a failure below librdkafka's API leaves a late request
 * behind. */
enum {
    API_PRODUCE = 0,
    API_ADD_PARTITIONS_TO_TXN = 24,
    API_ADD_OFFSETS_TO_TXN = 25,
    API_END_TXN = 26,
    API_TXN_OFFSET_COMMIT = 28,
};

struct transactor {
    struct log *log;
    char group_name[TOPIC_LEN_MAX];
    struct log_topic *source;
    struct log_topic *target;
    struct log_group *group;
    bool active;
    rd_kafka_consumer_group_metadata_t *membership; /* as it was when the assignment was given */
    rd_kafka_t *client;                             /* NULL: to be started */
    rd_kafka_topic_t *handle;
    bool begun;
    int init_ms;
    atomic_bool tainted; /* set by the client's threads */
    atomic_bool lost;    /* a record was not delivered */
};

/* ---- the producer --------------------------------------------------------------------------- */

/* librdkafka repeats a request that timed out silently; the first copy may still be under way and
 * would then act upon the next transaction. This interceptor is the only place where that can be
 * seen. */
static rd_kafka_resp_err_t note_response(rd_kafka_t *client, int fd, const char *broker,
                                         int32_t broker_id, int16_t api_key, int16_t version,
                                         int32_t correlation, size_t size, int64_t rtt,
                                         rd_kafka_resp_err_t code, void *opaque)
{
    struct transactor *t = opaque;
    (void)client, (void)fd, (void)broker, (void)broker_id, (void)version, (void)correlation;
    (void)size, (void)rtt;
    bool ours = api_key == API_PRODUCE || api_key == API_ADD_PARTITIONS_TO_TXN ||
                api_key == API_ADD_OFFSETS_TO_TXN || api_key == API_END_TXN ||
                api_key == API_TXN_OFFSET_COMMIT;
    if (ours && code && code != RD_KAFKA_RESP_ERR__DESTROY)
        atomic_store(&t->tainted, true);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *client, const rd_kafka_conf_t *conf, void *opaque,
                                  char *text, size_t size)
{
    (void)conf, (void)text, (void)size;
    return rd_kafka_interceptor_add_on_response_received(client, "taint", note_response, opaque);
}

/* Without a delivery callback rd_kafka_flush polls in steps of 10 ms. */
static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *m, void *opaque)
{
    struct transactor *t = opaque;
    (void)client;
    if (m->err)
        atomic_store(&t->lost, true);
}

static struct err producer_conf(struct transactor *t, rd_kafka_conf_t *conf)
{
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%d", TRANSACTION_TIMEOUT_MS);
    const char *const settings[] = {
        "transactional.id",
        t->group_name,
        "transaction.timeout.ms",
        timeout,
        "message.timeout.ms",
        timeout,
        "retry.backoff.ms",
        "10",
        "linger.ms",
        "5",
        "compression.codec",
        "lz4",
        "message.max.bytes",
        "2000000",
        "queue.buffering.max.messages",
        "100000",
        "socket.timeout.ms",
        "5000",
        NULL,
    };
    for (const char *const *s = settings; *s; s += 2)
        TRY(kafka_conf_set(conf, s[0], s[1]));
    return OK;
}

static struct err producer_create(struct transactor *t)
{
    rd_kafka_conf_t *conf = kafka_conf(t->log);
    if (!conf)
        return FAIL(ERR_CONFIG, "kafka settings");
    struct err e = producer_conf(t, conf);
    if (e.code != ERR_OK) {
        rd_kafka_conf_destroy(conf);
        return e;
    }
    rd_kafka_conf_set_opaque(conf, t);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_interceptor_add_on_new(conf, "taint", on_new, t);
    return kafka_new(RD_KAFKA_PRODUCER, conf, &t->client);
}

static void producer_destroy(struct transactor *t)
{
    if (t->handle)
        rd_kafka_topic_destroy(t->handle);
    t->handle = NULL;
    if (t->client) {
        rd_kafka_purge(t->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                      RD_KAFKA_PURGE_F_NON_BLOCKING);
        rd_kafka_flush(t->client, CLOSE_PURGE_MS);
        rd_kafka_destroy(t->client);
    }
    t->client = NULL;
    t->begun = false;
    atomic_store(&t->tainted, false);
    atomic_store(&t->lost, false);
}

/* Throws the producer away: what it left open is settled by the next start. */
static struct err broken(struct transactor *t, struct err why)
{
    producer_destroy(t);
    return why;
}

static struct err check(rd_kafka_error_t *error, const char *what)
{
    if (!error)
        return OK;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return kafka_fail(what, code);
}

/* A record for a topic that the client does not know yet waits about a second. */
static struct err learn_target(struct transactor *t)
{
    const struct rd_kafka_metadata *metadata;
    t->handle = rd_kafka_topic_new(t->client, t->target->name, NULL);
    if (!t->handle)
        return FAIL(ERR_CONFIG, "topic name");
    rd_kafka_resp_err_t code = rd_kafka_metadata(t->client, 0, t->handle, &metadata,
                                                 log_patience(t->log, METADATA_TIMEOUT_MS));
    if (code)
        return kafka_fail("topic metadata", code);
    rd_kafka_metadata_destroy(metadata);
    return OK;
}

/* ---- the group ------------------------------------------------------------------------------ */

static void forget_membership(struct transactor *t)
{
    if (t->membership)
        rd_kafka_consumer_group_metadata_destroy(t->membership);
    t->membership = NULL;
}

/* A generation below zero fences nothing: the seat was lost again before we could look. In
 * librdkafka 2.x the serialised form is "CGMDv2:" and the generation as an int32. */
static bool has_generation(const rd_kafka_consumer_group_metadata_t *membership)
{
    static const char magic[] = "CGMDv2:";
    enum { MAGIC_LEN = sizeof magic - 1 };
    void *bytes;
    size_t size;
    int32_t generation = 0;
    rd_kafka_error_t *error = rd_kafka_consumer_group_metadata_write(membership, &bytes, &size);
    if (error) {
        rd_kafka_error_destroy(error);
        return false;
    }
    if (size >= MAGIC_LEN + sizeof generation && memcmp(bytes, magic, MAGIC_LEN) == 0)
        memcpy(&generation, (const char *)bytes + MAGIC_LEN, sizeof generation);
    free(bytes);
    return generation >= 0;
}

static void remember_membership(struct transactor *t)
{
    rd_kafka_t *client = group_client(t->group);
    forget_membership(t);
    if (client)
        t->membership = rd_kafka_consumer_group_metadata(client);
    if (t->membership && !has_generation(t->membership))
        forget_membership(t);
}

bool transactor_poll(struct transactor *t)
{
    const struct log_partition *owned;
    size_t count = 0;
    if (group_poll(t->group, &owned, &count) == GROUP_NOTHING)
        return false;
    producer_destroy(t);
    forget_membership(t);
    t->active = false;
    for (size_t i = 0; i < count; i++)
        t->active = t->active || owned[i].partition == 0;
    if (t->active)
        remember_membership(t);
    t->init_ms = TRANSACTION_INIT_MIN_MS;
    return true;
}

bool transactor_active(const struct transactor *t)
{
    return t->active && t->membership;
}

/* ---- opening and starting ------------------------------------------------------------------- */

struct err transactor_open(struct log *log, const char *group, struct log_topic *source,
                           struct log_topic *target, struct log_reader *waker,
                           struct transactor **ret_transactor)
{
    if (source->partitions != target->partitions)
        return FAIL(ERR_CONFIG, "a log and its events topic must have equally many partitions");
    struct transactor *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(ERR_NOMEM, "transactor");
    *t = (struct transactor){
        .log = log, .source = source, .target = target, .init_ms = TRANSACTION_INIT_MIN_MS};
    int len = snprintf(t->group_name, sizeof t->group_name, "%s", group);
    assert(len > 0 && (size_t)len < sizeof t->group_name);
    struct err e = group_open(log, group, &source, 1, waker, &t->group);
    if (e.code != ERR_OK) {
        free(t);
        return e;
    }
    *ret_transactor = t;
    return OK;
}

void transactor_close(struct transactor *t)
{
    if (!t)
        return;
    producer_destroy(t);
    forget_membership(t);
    group_close(t->group);
    free(t);
}

/* Over an open transaction the first InitProducerId starts the abort and is answered "in progress";
 * librdkafka asks again only after a fixed 500 ms, a new handle at once. So each try is short, and
 * the next one twice as long. */
static struct err initialise(struct transactor *t)
{
    TRY(producer_create(t));
    struct err e = check(rd_kafka_init_transactions(t->client, log_patience(t->log, t->init_ms)),
                         "init_transactions");
    if (e.code != ERR_OK)
        t->init_ms =
            t->init_ms < TRANSACTION_INIT_MAX_MS / 2 ? 2 * t->init_ms : TRANSACTION_INIT_MAX_MS;
    return e;
}

/* Only now: before the predecessor is fenced this would wait for its transaction, or miss it. The
 * group's consumer reads committed only, so the broker answers with stable offsets. */
static struct err read_positions(struct transactor *t, struct position *ret_positions)
{
    for (int p = 0; p < t->source->partitions; p++)
        TRY(group_committed(t->group, (struct log_partition){t->source, p}, &ret_positions[p]));
    return OK;
}

struct err transactor_start(struct transactor *t, struct position *ret_positions)
{
    assert(transactor_active(t));
    producer_destroy(t);
    struct err e = initialise(t);
    if (e.code == ERR_OK)
        e = learn_target(t);
    if (e.code == ERR_OK)
        e = read_positions(t, ret_positions);
    if (e.code != ERR_OK)
        return broken(t, e);
    t->init_ms = TRANSACTION_INIT_MIN_MS;
    return OK;
}

/* ---- one transaction ------------------------------------------------------------------------ */

static struct err begin(struct transactor *t)
{
    if (t->begun)
        return OK;
    if (atomic_load(&t->tainted))
        return FAIL(ERR_UNAVAILABLE, "a request of the transaction before is still under way");
    TRY(check(rd_kafka_begin_transaction(t->client), "begin_transaction"));
    t->begun = true;
    return OK;
}

static rd_kafka_headers_t *headers_of(const struct transaction_record *record)
{
    assert(record->headers_count <= TRANSACTION_HEADERS_MAX);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->headers_count);
    for (size_t i = 0; i < record->headers_count; i++) {
        const struct transaction_header *h = &record->headers[i];
        rd_kafka_resp_err_t code =
            rd_kafka_header_add(headers, h->name, -1, h->value.at, (ssize_t)h->value.len);
        assert(!code);
        (void)code;
    }
    return headers;
}

/* librdkafka only reads what it copies, but does not say so in its types. */
static void *only_read(const char *bytes)
{
    union {
        const char *is;
        void *as;
    } value = {.is = bytes};
    return value.as;
}

static rd_kafka_resp_err_t produce(struct transactor *t, const struct transaction_record *record)
{
    rd_kafka_headers_t *headers = headers_of(record);
    rd_kafka_resp_err_t code = rd_kafka_producev(
        t->client, RD_KAFKA_V_RKT(t->handle), RD_KAFKA_V_PARTITION(record->partition),
        RD_KAFKA_V_KEY(only_read(record->key.at), record->key.len),
        RD_KAFKA_V_VALUE(only_read(record->value.at), record->value.len),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (code)
        rd_kafka_headers_destroy(headers);
    return code;
}

struct err transaction_put(struct transactor *t, const struct transaction_record *record)
{
    assert(t->client);
    struct err e = begin(t);
    if (e.code != ERR_OK)
        return broken(t, e);
    rd_kafka_resp_err_t code = produce(t, record);
    for (int waited = 0; code == RD_KAFKA_RESP_ERR__QUEUE_FULL &&
                         waited < log_patience(t->log, TRANSACTION_TIMEOUT_MS);
         waited += QUEUE_WAIT_MS) {
        rd_kafka_poll(t->client, QUEUE_WAIT_MS);
        code = produce(t, record);
    }
    return code ? broken(t, kafka_fail("produce", code)) : OK;
}

static int step_patience(const struct transactor *t)
{
    return log_patience(t->log, TRANSACTION_STEP_MS);
}

static struct err send_positions(struct transactor *t, const struct position *positions)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(t->source->partitions);
    for (int p = 0; p < t->source->partitions; p++)
        if (positions[p].offset >= 0)
            kafka_position_set(rd_kafka_topic_partition_list_add(list, t->source->name, p),
                               positions[p]);
    assert(list->cnt > 0);
    struct err e = check(
        rd_kafka_send_offsets_to_transaction(t->client, list, t->membership, step_patience(t)),
        "send_offsets_to_transaction");
    rd_kafka_topic_partition_list_destroy(list);
    return e;
}

/* Flushed first: a zombie that passes the group's fence must have no record that can land later. */
static struct err carry_out(struct transactor *t, const struct position *positions)
{
    TRY(begin(t));
    rd_kafka_resp_err_t code = kafka_flush(t->log, t->client, TRANSACTION_TIMEOUT_MS);
    if (code)
        return kafka_fail("flush", code);
    if (atomic_load(&t->lost))
        return FAIL(ERR_UNAVAILABLE, "a record was not delivered");
    TRY(send_positions(t, positions));
    TRY(check(rd_kafka_commit_transaction(t->client, step_patience(t)), "commit_transaction"));
    if (atomic_load(&t->tainted))
        return FAIL(ERR_UNAVAILABLE, "a request of the transaction was repeated");
    return OK;
}

struct err transaction_commit(struct transactor *t, const struct position *positions)
{
    assert(t->client);
    struct err e = carry_out(t, positions);
    if (e.code != ERR_OK)
        return broken(t, e);
    t->begun = false;
    return OK;
}
