/* Positions of a group by a consumer that is no member of it. */
#include "runtime/kafka_offsets.h"

#include <unistd.h>

#include "runtime/kafka_internal.h"

enum { OFFSETS_ASK_MS = 10000, OFFSETS_WRITE_TRIES = 30, OFFSETS_WRITE_PAUSE_US = 500000 };

static struct err open_client(struct log *log, const char *group, rd_kafka_t **ret_client)
{
    const char *const settings[] = {
        "group.id",         group, "enable.auto.commit", "false",
        "isolation.level", /* else a transaction that a killed publisher left open is waited for */
        "read_uncommitted", NULL,
    };
    rd_kafka_conf_t *conf = kafka_conf(log);
    if (!conf)
        return FAIL(ERR_CONFIG, "kafka settings");
    for (const char *const *s = settings; *s; s += 2) {
        struct err e = kafka_conf_set(conf, s[0], s[1]);
        if (e.code != ERR_OK) {
            rd_kafka_conf_destroy(conf);
            return e;
        }
    }
    return kafka_new(RD_KAFKA_CONSUMER, conf, ret_client);
}

/* It has no seat to give back, and whoever asks for one after a fatal answer waits for ever. */
static void close_client(rd_kafka_t *client)
{
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static rd_kafka_topic_partition_list_t *list_of(const struct log_topic *topic)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(topic->partitions);
    for (int p = 0; p < topic->partitions; p++)
        rd_kafka_topic_partition_list_add(list, topic->name, p);
    return list;
}

static struct err first_error(const rd_kafka_topic_partition_list_t *list, const char *what,
                              rd_kafka_resp_err_t code)
{
    for (int i = 0; i < list->cnt && !code; i++)
        code = list->elems[i].err;
    return code ? kafka_fail(what, code) : OK;
}

static struct err ask(rd_kafka_t *client, const struct log_topic *topic, int64_t *ret_offsets)
{
    rd_kafka_topic_partition_list_t *list = list_of(topic);
    rd_kafka_resp_err_t code = rd_kafka_committed(client, list, OFFSETS_ASK_MS);
    struct err e = first_error(list, "committed offsets", code);
    for (int i = 0; i < list->cnt && e.code == ERR_OK; i++)
        ret_offsets[list->elems[i].partition] =
            list->elems[i].offset < 0 ? -1 : list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    return e;
}

static struct err tell(rd_kafka_t *client, const struct log_topic *topic, const int64_t *offsets)
{
    rd_kafka_topic_partition_list_t *list = list_of(topic);
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = offsets[list->elems[i].partition];
    rd_kafka_resp_err_t code = rd_kafka_commit(client, list, 0);
    struct err e = first_error(list, "commit of offsets", code);
    rd_kafka_topic_partition_list_destroy(list);
    return e;
}

/* The seats of static members stay taken until their session ends, so a refusal is asked again. */
static struct err tell_patiently(rd_kafka_t *client, const struct log_topic *topic,
                                 const int64_t *offsets)
{
    int64_t now[PARTITIONS_MAX] = {0};
    struct err e = OK;
    for (int i = 0; i < OFFSETS_WRITE_TRIES; i++) {
        e = tell(client, topic, offsets);
        if (e.code == ERR_OK)
            break;
        usleep(OFFSETS_WRITE_PAUSE_US);
    }
    if (e.cause == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID)
        return FAIL_CAUSE(ERR_CONFLICT, "the group has members: stop them first", e.cause);
    TRY(e);
    TRY(ask(client, topic, now));
    for (int p = 0; p < topic->partitions; p++)
        if (now[p] != offsets[p])
            return FAIL(ERR_CONFLICT, "somebody else moved the group's offsets");
    return OK;
}

struct err offsets_read(struct log *log, const char *group, const struct log_topic *topic,
                        int64_t *ret_offsets)
{
    rd_kafka_t *client;
    TRY(open_client(log, group, &client));
    struct err e = ask(client, topic, ret_offsets);
    close_client(client);
    return e;
}

struct err offsets_write(struct log *log, const char *group, const struct log_topic *topic,
                         const int64_t *offsets)
{
    rd_kafka_t *client;
    TRY(open_client(log, group, &client));
    struct err e = tell_patiently(client, topic, offsets);
    close_client(client);
    return e;
}
