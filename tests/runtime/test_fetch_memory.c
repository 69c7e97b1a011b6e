/* Who was behind the tail and is no more has no queue any more with what it fetched. librdkafka
 * frees its own queue of a stopped partition only when that is asked again. */
#include <stdatomic.h>
#include <string.h>

#include "tests/runtime/client_errors/mock.h"
#include "tests/runtime/run_suite.h"

enum {
    PARTITIONS = 8,
    RECORDS = TAIL_RING_RECORDS + 1000, /* of each: the first are behind the tail */
    RECORD_BYTES = 400,
    FLUSH_MS = 20000,
    READ_MAX = 16,
};

static atomic_int queues; /* that are there */

rd_kafka_queue_t *__real_rd_kafka_queue_new(rd_kafka_t *client);
rd_kafka_queue_t *__wrap_rd_kafka_queue_new(rd_kafka_t *client);
rd_kafka_queue_t *__wrap_rd_kafka_queue_new(rd_kafka_t *client)
{
    atomic_fetch_add(&queues, 1);
    return __real_rd_kafka_queue_new(client);
}

void __real_rd_kafka_queue_destroy(rd_kafka_queue_t *queue);
void __wrap_rd_kafka_queue_destroy(rd_kafka_queue_t *queue);
void __wrap_rd_kafka_queue_destroy(rd_kafka_queue_t *queue)
{
    atomic_fetch_sub(&queues, 1);
    __real_rd_kafka_queue_destroy(queue);
}

static void fill(struct mock *mock, struct log_topic *topic)
{
    char bytes[RECORD_BYTES];
    struct log_producer *producer;
    memset(bytes, 'x', sizeof bytes);
    ck_assert_int_eq(producer_open(mock->log, NULL, NULL, NULL, &producer).code, ERR_OK);
    for (int p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < RECORDS; i++)
            ck_assert_int_eq(producer_append(producer, topic, p, TEXT("key"),
                                             (struct text){bytes, sizeof bytes}, 0)
                                 .code,
                             ERR_OK);
    ck_assert_int_eq(producer_flush(producer, FLUSH_MS).code, ERR_OK);
    producer_close(producer);
}

static size_t read_some(struct log_reader *reader, struct log_topic *topic, int p, int64_t from)
{
    static _Alignas(16) char memory[2 * READ_MAX * RECORD_BYTES];
    struct arena arena = {memory, 0, sizeof memory};
    struct log_record records[READ_MAX];
    size_t n;
    ck_assert_int_eq(log_read(reader, topic, p, from, &arena, records, READ_MAX, &n).code, ERR_OK);
    return n;
}

START_TEST(what_was_fetched_is_given_back)
{
    struct mock mock;
    struct log_reader *reader;
    mock_open(&mock, "reader");
    struct log_topic *topic = mock_topic(&mock, "things.log", PARTITIONS);
    fill(&mock, topic);
    ck_assert_int_eq(log_reader_open(mock.log, &reader).code, ERR_OK);
    for (int p = 0; p < PARTITIONS; p++)
        ck_assert_int_eq(log_follow(reader, topic, p).code, ERR_OK);
    int before = atomic_load(&queues);
    for (int p = 0; p < PARTITIONS; p++)
        ck_assert_uint_gt(read_some(reader, topic, p, 0), 0);
    ck_assert_int_eq(atomic_load(&queues), before + PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++)
        ck_assert_uint_eq(read_some(reader, topic, p, RECORDS), 0);
    ck_assert_int_eq(atomic_load(&queues), before);
    log_reader_close(reader);
    mock_close(&mock);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_was_fetched_is_given_back};
    return run_suite("fetch_memory", tests, COUNT(tests));
}
