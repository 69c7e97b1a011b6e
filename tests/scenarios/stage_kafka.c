/* A real broker. Processes, networks and the broker itself are in the hands of scenarios.py, which
 * is asked line by line over standard output and answers over standard input. */
#include "tests/scenarios/stage_kafka.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

#include "runtime/report.h"
#include "runtime/topics.h"
#include "tests/scenarios/stage.h"

enum { ANSWER_BYTES = 400, ADMIN_MS = 20000 };

const char *stage_brokers;
static const struct scenario *scenario;
static const char *topics_suffix;
static char answer[ANSWER_BYTES];

static void die(const char *what)
{
    fprintf(stderr, "stage: %s\n", what);
    exit(2);
}

static const char *ask(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *ask(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin))
        die("nobody answers");
    answer[strcspn(answer, "\n")] = 0;
    return answer;
}

static void must(const char *what, struct err e)
{
    if (e.code == ERR_OK)
        return;
    fprintf(stderr, "stage: %s: %s\n", what, report_err(e));
    exit(2);
}

/* ---- topics and logs ------------------------------------------------------------------------ */

static void quiet(void *context, const char *topic, const char *what)
{
    (void)context;
    (void)topic;
    (void)what;
}

static void make_topics(struct log *log, const struct service *service, int partitions)
{
    const struct service_list one = {service, 1};
    must("topics", topics_apply(&(struct topics_options){.log = log,
                                                         .services = &one,
                                                         .partitions = partitions,
                                                         .replication = 1,
                                                         .dev = true},
                                quiet, NULL));
}

static struct log *open_at(const char *brokers, const char *instance)
{
    struct log *log;
    must("log", log_open(&(struct log_options){.brokers = brokers, .instance = instance}, &log));
    return log;
}

struct log *stage_log(const char *instance)
{
    return open_at(stage_brokers, instance);
}

struct log *stage_log_of(char who)
{
    char brokers[40];
    snprintf(brokers, sizeof brokers, "127.0.0.1:%s", ask("port %c", who));
    return open_at(brokers, (char[]){who, 0});
}

void stage_log_close(struct log *log)
{
    log_close(log);
}

void stage_begin(const struct scenario *s, const struct cast *cast, const char *suffix)
{
    scenario = s;
    topics_suffix = suffix;
    ask("begin -");
    struct log *log = stage_log("stage");
    make_topics(log, &cast->services[0], s->partitions ? s->partitions : 1);
    if (s->with_saga)
        make_topics(log, &cast->services[1], 1);
    log_close(log);
}

/* ---- actors and their networks -------------------------------------------------------------- */

void stage_start(char who, enum duty duty)
{
    ask("start %c %d %s %d %d", who, duty, topics_suffix, scenario->with_saga, scenario->renew);
}

void stage_stop(char who)
{
    ask("stop %c", who);
}

void stage_kill(char who)
{
    ask("kill %c", who);
}

void stage_pause(char who)
{
    ask("pause %c", who);
}

void stage_resume(char who)
{
    ask("resume %c", who);
}

void stage_hold(char who, enum api api)
{
    ask("hold %c %d", who, api);
}

void stage_release(char who, enum api api)
{
    ask("release %c %d", who, api);
}

void stage_lose_answer(char who)
{
    ask("lose_answer %c", who);
}

void stage_double(char who)
{
    ask("double %c", who);
}

int stage_held(char who)
{
    return atoi(ask("held %c", who));
}

bool stage_halt(char who, int i, struct stage_halt *ret_halt)
{
    return sscanf(ask("halt %c %d", who, i), "%63s %d %199[^\n]", ret_halt->topic,
                  &ret_halt->partition, ret_halt->why) == 3;
}

/* ---- the broker ----------------------------------------------------------------------------- */

void stage_delete(struct log_topic *topic, int partition, int64_t before)
{
    char why[200];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", stage_brokers, why, sizeof why);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, log_topic_name(topic), partition)->offset = before;
    rd_kafka_DeleteRecords_t *what = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(client, &what, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_MS);
    if (!event || rd_kafka_event_error(event))
        die("records are not deleted");
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(what);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
}

void stage_broker_down(void)
{
    ask("down");
}

void stage_cut(const char *topic, int partition, int records)
{
    ask("cut %s %d %d", topic, partition, records);
}

void stage_broker_up(void)
{
    ask("up");
}
