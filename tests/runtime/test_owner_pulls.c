/* An owner of two partitions over logs in memory: one of them cannot go back to where it stood in a
 * log that both read; its log is cut back; it is deposed, and then given its seat anew; it has
 * slept for longer than commands are kept. */
#include <pthread.h>
#include <stdlib.h>

#include "commands/aggregates.h"
#include "core/partition.h"
#include "runtime/clock.h"
#include "runtime/owner_worker.h"
#include "saga/sagas.h"
#include "schemas/fulfilment.h"
#include "schemas/product.h"
#include "tests/runtime/run_suite.h"
#include "tests/support/memory_worker.h"
#include "tests/support/wrapped_log.h"

enum { PARTITIONS = 2, PATIENCE_MS = 10000 };

static const struct service list[] = {
    {"fulfilment", &fulfilment_commands, &fulfilment_events, .saga = &fulfilment_saga},
    {"product", &product_commands, &product_events, .aggregate = &product_aggregate}};
static const struct service_list services = {list, COUNT(list)};
static const struct service *const served[] = {&list[1], NULL};

static struct log *kafka;
static struct log_topic *commands, *decisions, *saga_log;
static atomic_bool rewind_fails;
static atomic_int rewinds_failed;
static pthread_t worker;
static atomic_bool deaf;               /* the worker does not read back what it has written */
static atomic_bool starved;            /* nor any command */
static atomic_int_least64_t read_to;   /* by the worker, of partition 0 of its log */
static atomic_int_least64_t frozen_ms; /* 0: time goes on */
static atomic_bool stop;
static struct owner_worker_status status;

/* ---- reads that fail ------------------------------------------------------------------------ */

/* By whoever goes back to a place. */
struct err __wrap_log_read_again(struct log_reader *reader, struct log_topic *topic, int partition,
                                 int64_t offset, struct arena *arena, struct log_record *ret_record,
                                 size_t *ret_count)
{
    if (topic == saga_log && atomic_load(&rewind_fails)) {
        atomic_fetch_add(&rewinds_failed, 1);
        return FAIL(ERR_UNAVAILABLE, "as told");
    }
    return __real_log_read_again(reader, topic, partition, offset, arena, ret_record, ret_count);
}

struct err __wrap_log_read(struct log_reader *reader, struct log_topic *topic, int partition,
                           int64_t from, struct arena *arena, struct log_record *records,
                           size_t max, size_t *ret_count)
{
    bool mine = partition == 0 && pthread_equal(pthread_self(), worker), own = topic == decisions;
    *ret_count = 0;
    if (mine && own)
        atomic_store(&read_to, from);
    return mine && ((own && atomic_load(&deaf)) || (topic == commands && atomic_load(&starved)))
               ? OK
               : __real_log_read(reader, topic, partition, from, arena, records, max, ret_count);
}

int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
    int64_t frozen = atomic_load(&frozen_ms);
    return frozen && pthread_equal(pthread_self(), worker) ? frozen : __real_clock_monotonic_ms();
}

/* ---- what the story needs ------------------------------------------------------------------- */

static void *run(void *context)
{
    (void)context;
    struct err e = owner_worker_run(&(struct owner_worker_options){.group = "owners",
                                                                   .log = kafka,
                                                                   .all = &services,
                                                                   .services = served,
                                                                   .stop = &stop,
                                                                   .status = &status});
    ck_assert_int_eq(e.code, ERR_OK);
    return NULL;
}

/* The saga decides that a product of this partition is to be added. */
static void saga_sends(int partition)
{
    static int n;
    char sku[16];
    do
        snprintf(sku, sizeof sku, "SKU-%d", n++);
    while (partition_of(text_of(sku), PARTITIONS) != partition);
    struct uuid order = random_uuid();
    struct command command = {.id = random_uuid(),
                              .attempt = random_uuid(),
                              .saga = order,
                              .actor = {.roles = ROLE_SYSTEM},
                              .expected_version = VERSION_ANY,
                              .service = TEXT("product"),
                              .target = text_of(sku),
                              .type = TEXT("product.add.v1"),
                              .data = TEXT("{}")};
    memory_decide(kafka, saga_log, 0,
                  &(struct decision){.outcome = OUTCOME_ACCEPTED,
                                     .first_offset = -1,
                                     .command_id = random_uuid(),
                                     .saga = order,
                                     .target = TEXT("order"),
                                     .type = TEXT("order.place.v1"),
                                     .commands = &command,
                                     .commands_count = 1});
}

/* How many commands of the saga this partition has decided. */
static size_t decided(int partition)
{
    return memory_decided(kafka, decisions, partition, "fulfilment.log");
}

static void await_decided(int partition, size_t wanted)
{
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         decided(partition) < wanted && clock_monotonic_ms() < until;)
        memory_nap();
    ck_assert_uint_eq(decided(partition), wanted);
}

/* Another owner has decided all commands so far, and they are deleted. */
static void decided_by_another(int64_t commands_next)
{
    memory_announce(decisions, 0);
    memory_decide(kafka, decisions, 0,
                  &(struct decision){.mark = {.commands_next = commands_next},
                                     .outcome = OUTCOME_ACCEPTED,
                                     .first_offset = -1,
                                     .command_id = random_uuid(),
                                     .target = TEXT("SKU"),
                                     .type = TEXT("product.add.v1")});
    for (int64_t i = 0; i < commands_next; i++)
        memory_log_append(commands, 0, TEXT("SKU"), TEXT("a command"));
    memory_log_forget(commands, 0, commands_next);
}

static void await_deposition(uint64_t before)
{
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         atomic_load(&status.depositions) == before && clock_monotonic_ms() < until;)
        memory_nap();
    ck_assert_uint_gt(atomic_load(&status.depositions), before);
}

static void open_house(void)
{
    kafka = memory_log_create();
    commands = memory_log_topic(kafka, "product.commands", PARTITIONS);
    decisions = memory_log_topic(kafka, "product.log", PARTITIONS);
    memory_log_topic(kafka, "product.deadletters", PARTITIONS);
    saga_log = memory_log_topic(kafka, "fulfilment.log", 1);
    memory_group_begin();
    atomic_store(&stop, false);
    memory_announce(saga_log, 0);
    ck_assert_int_eq(pthread_create(&worker, NULL, run, NULL), 0);
}

static void close_house(void)
{
    atomic_store(&stop, true);
    pthread_join(worker, NULL);
    memory_log_destroy(kafka);
}

START_TEST(one_that_cannot_go_back_stands_in_nobodys_way)
{
    open_house();
    saga_sends(0);
    saga_sends(1);
    await_decided(0, 1);
    await_decided(1, 1);

    atomic_store(&rewind_fails, true);
    memory_announce(decisions, 0); /* somebody else's: the owner must take over again, and go back
                                    */
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         atomic_load(&rewinds_failed) == 0 && clock_monotonic_ms() < until;)
        memory_nap();
    ck_assert_int_gt(atomic_load(&rewinds_failed), 0);
    saga_sends(1);
    await_decided(1, 2);
    saga_sends(0);

    atomic_store(&rewind_fails, false);
    await_decided(0, 2);
    await_decided(1, 2);
    close_house();
}
END_TEST

START_TEST(an_owner_whose_append_lands_below_what_it_has_read_begins_anew)
{
    int64_t at = 0, landed;
    open_house();
    saga_sends(0);
    await_decided(0, 1);
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         atomic_load(&read_to) < 2 && clock_monotonic_ms() < until;)
        memory_nap();
    ck_assert_int_eq(atomic_load(&read_to), 2); /* TAKEOVER and decision */
    atomic_store(&deaf, true);
    memory_log_cut(decisions, 0, 1);
    saga_sends(0); /* lies where the first decision was, and is void */
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS; at < 2 && clock_monotonic_ms() < until;
         memory_nap())
        ck_assert_int_eq(log_ends(decisions, 0, &landed, &at).code, ERR_OK);
    atomic_store(&deaf, false);
    await_decided(0, 2);
    close_house();
}
END_TEST

START_TEST(one_who_is_given_its_seat_anew_does_not_keep_out_of_the_way)
{
    open_house();
    saga_sends(0);
    await_decided(0, 1);
    uint64_t before = atomic_load(&status.depositions);
    atomic_store(&frozen_ms, clock_monotonic_ms());
    memory_announce(decisions, 0); /* whoever had the seat meanwhile */
    await_deposition(before);
    memory_group_tell(2);
    saga_sends(0);
    await_decided(0, 2);
    atomic_store(&frozen_ms, 0);
    close_house();
}
END_TEST

START_TEST(one_that_slept_longer_than_commands_are_kept_goes_on)
{
    open_house();
    saga_sends(0);
    await_decided(0, 1);
    uint64_t before = atomic_load(&status.depositions);
    atomic_store(&deaf, true);
    atomic_store(&starved, true);
    decided_by_another(3);
    atomic_store(&starved, false);
    await_deposition(before);
    atomic_store(&deaf, false);
    saga_sends(0);
    await_decided(0, 2);
    ck_assert_int_eq(atomic_load(&status.halted), 0);
    close_house();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {one_that_cannot_go_back_stands_in_nobodys_way,
                                  an_owner_whose_append_lands_below_what_it_has_read_begins_anew,
                                  one_who_is_given_its_seat_anew_does_not_keep_out_of_the_way,
                                  one_that_slept_longer_than_commands_are_kept_goes_on};
    return run_suite("owner_pulls", tests, COUNT(tests));
}
