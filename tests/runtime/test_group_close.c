/* A seat that is given back while it is being given: closing ends. About once in a hundred and
 * sixty librdkafka waits for ever when it is told of an assignment then; so it must never be told.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "tests/runtime/client_errors/mock.h"
#include "tests/runtime/run_suite.h"

/* The mock coordinator lets members wait 3 s for others; the news of the seat are not looked at. */
enum { MEMBERS = 32, SEATED_MS = 2990, SPREAD_MS = 200, BLIND_MS = 150, LIMIT_S = 50 };

static _Thread_local bool closing;
static atomic_int told;

rd_kafka_error_t *__real_rd_kafka_consumer_close_queue(rd_kafka_t *client, rd_kafka_queue_t *queue);
rd_kafka_error_t *__wrap_rd_kafka_consumer_close_queue(rd_kafka_t *client, rd_kafka_queue_t *queue);
rd_kafka_error_t *__wrap_rd_kafka_consumer_close_queue(rd_kafka_t *client, rd_kafka_queue_t *queue)
{
    closing = true;
    return __real_rd_kafka_consumer_close_queue(client, queue);
}

rd_kafka_resp_err_t __real_rd_kafka_assign(rd_kafka_t *client,
                                           const rd_kafka_topic_partition_list_t *list);
rd_kafka_resp_err_t __wrap_rd_kafka_assign(rd_kafka_t *client,
                                           const rd_kafka_topic_partition_list_t *list);
rd_kafka_resp_err_t __wrap_rd_kafka_assign(rd_kafka_t *client,
                                           const rd_kafka_topic_partition_list_t *list)
{
    if (closing && list)
        atomic_fetch_add(&told, 1);
    return __real_rd_kafka_assign(client, list);
}

static void *close_at(void *context)
{
    const int *nth = context;
    const struct log_partition *owned;
    struct mock mock = {0};
    struct log_reader *waker;
    struct log_group *group;
    size_t count;
    mock_open(&mock, "member");
    struct log_topic *topic = mock_topic(&mock, "things.log", 2);
    if (log_reader_open(mock.log, &waker).code != ERR_OK ||
        group_open(mock.log, "seats", &topic, 1, waker, &group).code != ERR_OK)
        abort();
    int64_t at_ms = clock_monotonic_ms() + SEATED_MS + *nth * SPREAD_MS / MEMBERS;
    for (int64_t now; (now = clock_monotonic_ms()) < at_ms; clock_sleep_us(1000))
        if (now < at_ms - BLIND_MS)
            (void)group_poll(group, &owned, &count);
    group_close(group);
    log_reader_close(waker);
    mock_close(&mock);
    return NULL;
}

START_TEST(closing_ends_at_whatever_moment)
{
    pthread_t threads[MEMBERS];
    int nth[MEMBERS];
    alarm(LIMIT_S);
    for (int i = 0; i < MEMBERS; i++) {
        nth[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, close_at, &nth[i]), 0);
    }
    for (int i = 0; i < MEMBERS; i++)
        pthread_join(threads[i], NULL);
    alarm(0);
    ck_assert_int_eq(atomic_load(&told), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {closing_ends_at_whatever_moment};
    return run_suite("group_close", tests, COUNT(tests));
}
