/* Snapshots are made as logs grow, and not again and again of a log that makes trouble. */
#include "runtime/snapshot_worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands/aggregates.h"
#include "runtime/clock.h"
#include "runtime/file_shelf.h"
#include "saga/sagas.h"
#include "schemas/fulfilment.h"
#include "schemas/product.h"
#include "tests/runtime/run_suite.h"
#include "tests/support/memory_worker.h"
#include "tests/support/wrapped_log.h"

enum { PARTITIONS = 2, PATIENCE_MS = 10000, RECORDS = 5, LOOK_MS = 20, STOP_MS = 1000 };

static const struct service list[] = {
    {"fulfilment", &fulfilment_commands, &fulfilment_events, .saga = &fulfilment_saga},
    {"product", &product_commands, &product_events, .aggregate = &product_aggregate}};
static const struct service_list services = {list, COUNT(list)};
static const struct service *const products[] = {&list[1], NULL};

static struct log *kafka;
static struct log_topic *decisions;
static struct shelf *shelf;
static char folder[64];
static pthread_t worker;
static atomic_bool stop;
static atomic_int begun; /* how often the log was read from its beginning */
static struct snapshot_worker_status status;

struct err __wrap_log_read(struct log_reader *by, struct log_topic *topic, int partition,
                           int64_t from, struct arena *arena, struct log_record *records,
                           size_t max, size_t *ret_count)
{
    if (pthread_equal(pthread_self(), worker) && topic == decisions && partition == 0 && from == 0)
        atomic_fetch_add(&begun, 1);
    return __real_log_read(by, topic, partition, from, arena, records, max, ret_count);
}

static void *run(void *context)
{
    (void)context;
    struct err e = snapshot_worker_run(&(struct snapshot_worker_options){.log = kafka,
                                                                         .all = &services,
                                                                         .services = products,
                                                                         .shelf = shelf,
                                                                         .records = RECORDS,
                                                                         .look_ms = LOOK_MS,
                                                                         .stop = &stop,
                                                                         .status = &status});
    ck_assert_int_eq(e.code, ERR_OK);
    return NULL;
}

static void start(void)
{
    atomic_store(&stop, false);
    ck_assert_int_eq(pthread_create(&worker, NULL, run, NULL), 0);
}

static void end(void)
{
    int64_t began_ms = clock_monotonic_ms();
    atomic_store(&stop, true);
    pthread_join(worker, NULL);
    ck_assert_int_lt(clock_monotonic_ms() - began_ms, STOP_MS);
}

static void open_house(void)
{
    kafka = memory_log_create();
    memory_log_topic(kafka, "product.commands", PARTITIONS);
    decisions = memory_log_topic(kafka, "product.log", PARTITIONS);
    memory_log_topic(kafka, "product.deadletters", PARTITIONS);
    memory_log_topic(kafka, "fulfilment.log", 1);
    snprintf(folder, sizeof folder, "%s", "/tmp/test_snapshot_worker.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(shelf_open(folder, &shelf).code, ERR_OK);
    memory_announce(decisions, 0);
}

static const char *file_of_it(void)
{
    static char path[sizeof folder + SHELF_NAME_MAX];
    snprintf(path, sizeof path, "%s/product.log-0.snapshot", folder);
    return path;
}

static void close_house(void)
{
    unlink(file_of_it());
    ck_assert_int_eq(rmdir(folder), 0);
    shelf_close(shelf);
    memory_log_destroy(kafka);
}

static void decide(const char *type, int64_t version)
{
    struct payload event = {text_of(type),
                            TEXT("{\"sku\":\"A\",\"price\":{\"amount\":1,\"currency\":\"EUR\"}}")};
    struct decision d = {.input = {.partition = -1, .offset = -1},
                         .outcome = OUTCOME_ACCEPTED,
                         .first_offset = -1,
                         .command_id = random_uuid(),
                         .target = TEXT("A"),
                         .type = TEXT("product.change_price.v1"),
                         .version = version,
                         .events = &event,
                         .events_count = 1};
    memory_decide(kafka, decisions, 0, &d);
}

static int64_t grow(int64_t version, int count)
{
    for (int i = 0; i < count; i++)
        decide("product.price_changed.v1", ++version);
    return version;
}

/* Long enough for many looks. */
static void look_on(void)
{
    clock_sleep_us(20 * LOOK_MS * 1000);
}

START_TEST(one_is_made_when_the_log_has_grown_enough)
{
    open_house();
    int64_t version = grow(0, RECORDS - 2); /* and the TAKEOVER */
    start();
    look_on();
    ck_assert_uint_eq(atomic_load(&status.written), 0);
    version = grow(version, 1);
    AWAIT(atomic_load(&status.written) == 1);
    version = grow(version, RECORDS - 1);
    look_on();
    ck_assert_uint_eq(atomic_load(&status.written), 1);
    version = grow(version, 1);
    AWAIT(atomic_load(&status.written) == 2);
    ck_assert_int_eq(atomic_load(&begun), 1); /* the second began where the first ends */
    for (int i = 0; i < RECORDS; i++)
        memory_announce(decisions, 0);
    AWAIT(atomic_load(&status.written) == 3);
    look_on(); /* what follows the last decision is not folded for ever */
    ck_assert_uint_eq(atomic_load(&status.written), 3);
    end();
    start();
    look_on();
    grow(version, RECORDS);
    AWAIT(atomic_load(&status.written) >= 4);
    ck_assert_int_eq(atomic_load(&begun), 1);
    ck_assert_uint_eq(atomic_load(&status.failed), 0);
    end();
    close_house();
}
END_TEST

START_TEST(a_log_that_was_cut_back_gets_another_one)
{
    open_house();
    grow(0, 3 * RECORDS);
    start();
    AWAIT(atomic_load(&status.written) == 1);
    end();
    memory_log_cut(decisions, 0, 3);
    start();
    AWAIT(atomic_load(&status.written) == 2);
    end();
    close_house();
}
END_TEST

START_TEST(a_log_that_cannot_be_passed_is_not_folded_without_end)
{
    open_house();
    int64_t version = grow(0, RECORDS);
    decide("product.of_tomorrow.v1", version + 1);
    start();
    AWAIT(atomic_load(&status.failed) >= 2);
    look_on(); /* 20 looks: it is tried again after 2, 4 and 8 of them */
    look_on();
    ck_assert_uint_le(atomic_load(&status.failed), 7);
    ck_assert_uint_eq(atomic_load(&status.written), 0);
    end();
    close_house();
}
END_TEST

START_TEST(one_that_was_taken_away_is_made_again)
{
    open_house();
    grow(0, RECORDS);
    start();
    AWAIT(atomic_load(&status.written) == 1);
    ck_assert_int_eq(unlink(file_of_it()), 0);
    AWAIT(atomic_load(&status.written) == 2);
    end();
    close_house();
}
END_TEST

START_TEST(none_hides_that_the_beginning_of_the_log_is_gone)
{
    open_house();
    grow(0, RECORDS);
    start();
    AWAIT(atomic_load(&status.written) == 1);
    memory_log_forget(decisions, 0, 1);
    AWAIT(access(file_of_it(), F_OK) != 0);
    look_on();
    ck_assert_uint_eq(atomic_load(&status.written), 1);
    end();
    close_house();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        one_is_made_when_the_log_has_grown_enough, a_log_that_was_cut_back_gets_another_one,
        a_log_that_cannot_be_passed_is_not_folded_without_end,
        one_that_was_taken_away_is_made_again, none_hides_that_the_beginning_of_the_log_is_gone};
    return run_suite("snapshot_worker", tests, COUNT(tests));
}
