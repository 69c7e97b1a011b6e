/* The worker of an effect over logs in memory: what it cannot read, or a position that is none,
 * halts its partition and no other. */
#include <pthread.h>
#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/effect_worker.h"
#include "runtime/kafka_offsets.h"
#include "schemas/product.h"
#include "tests/runtime/run_suite.h"
#include "tests/support/halts.h"
#include "tests/support/memory_worker.h"

enum { PARTITIONS = 2, PATIENCE_MS = 10000, OFFSETS_MAX = 32 };

static struct log *kafka;
static struct log_topic *source;
static pthread_t worker;
static atomic_bool stop;
static struct effect_stats stats;
static atomic_bool taken[PARTITIONS][OFFSETS_MAX];

/* ---- positions from outside: asked by `topics apply` alone ---------------------------------- */

struct err offsets_read(struct log *log, const char *group, const struct log_topic *topic,
                        int64_t *ret_offsets)
{
    (void)log, (void)group, (void)topic, (void)ret_offsets;
    return FAIL(ERR_UNAVAILABLE, "not here");
}

struct err offsets_write(struct log *log, const char *group, const struct log_topic *topic,
                         const int64_t *offsets)
{
    (void)log, (void)group, (void)topic, (void)offsets;
    return FAIL(ERR_UNAVAILABLE, "not here");
}

/* ---- an effect that looks at everything and has nothing to do ------------------------------- */

static bool see(void *job, const struct event *event, bool repeat)
{
    (void)job, (void)repeat;
    atomic_store(&taken[event->partition][event->offset], true);
    return false;
}

static const struct effect effect = {.name = "things",
                                     .service = "product",
                                     .events = &product_events,
                                     .commands = &product_commands,
                                     .job_size = 1,
                                     .start = see};

static void *run(void *context)
{
    (void)context;
    struct err e = effect_worker_run(&(struct effect_options){.log = kafka,
                                                              .effect = &effect,
                                                              .url = "http://127.0.0.1:1",
                                                              .stop = &stop,
                                                              .stats = &stats});
    ck_assert_int_eq(e.code, ERR_OK);
    return NULL;
}

/* ---- the log -------------------------------------------------------------------------------- */

static int64_t put(int partition, const char *type, const char *data)
{
    struct payload event = {text_of(type), text_of(data)};
    return memory_decide(kafka, source, partition,
                         &(struct decision){.input = {.partition = -1, .offset = -1},
                                            .outcome = OUTCOME_ACCEPTED,
                                            .first_offset = -1,
                                            .command_id = random_uuid(),
                                            .target = TEXT("THING"),
                                            .type = TEXT("product.change_status.v1"),
                                            .version = 1,
                                            .events = &event,
                                            .events_count = 1});
}

static int64_t put_good(int partition)
{
    return put(partition, "product.status_changed.v1", "{\"sku\":\"THING\",\"status\":\"active\"}");
}

static void open_house(void)
{
    kafka = memory_log_create();
    memory_log_topic(kafka, "product.commands", PARTITIONS);
    source = memory_log_topic(kafka, "product.log", PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++) {
        memory_announce(source, p);
        for (int i = 0; i < OFFSETS_MAX; i++)
            atomic_store(&taken[p][i], false);
    }
    memory_group_begin();
    atomic_store(&stop, false);
    halts_begin();
}

static void start(void)
{
    ck_assert_int_eq(pthread_create(&worker, NULL, run, NULL), 0);
}

static void close_house(void)
{
    int64_t began = clock_monotonic_ms();
    atomic_store(&stop, true);
    pthread_join(worker, NULL);
    ck_assert_int_lt(clock_monotonic_ms() - began, EFFECT_DRAIN_MS);
    memory_log_destroy(kafka);
}

static void expect_halted_alone(size_t times, int64_t position, const char *why)
{
    AWAIT(halts_said() == times && atomic_load(&stats.halted) == 1);
    ck_assert_int_eq(halt_said(times - 1)->partition, 0);
    ck_assert_int_eq(halt_said(times - 1)->offset, position);
    ck_assert_msg(strstr(halt_said(times - 1)->why, why), "%s: %s", why, halt_said(times - 1)->why);
    int64_t next = put_good(0);
    int64_t others = put_good(1);
    AWAIT(atomic_load(&taken[1][others]));
    AWAIT(memory_group_position(1).offset == others + 1);
    ck_assert(!atomic_load(&taken[0][next]));
    ck_assert_uint_eq(halts_said(), times);
}

/* Partition 0: TAKEOVER, one that is good, one that is not, one that is good. */
static void halts(int64_t (*put_bad)(void), const char *why)
{
    open_house();
    int64_t good = put_good(0), bad = put_bad();
    start();
    expect_halted_alone(1, bad, why);
    ck_assert(atomic_load(&taken[0][good]));
    AWAIT(memory_group_position(0).offset == bad); /* what is before it needs no second look */
    memory_group_tell(2);
    expect_halted_alone(2, bad, why);
    ck_assert_int_eq(memory_group_position(0).offset, bad);
    close_house();
}

static int64_t put_unknown_type(void)
{
    return put(0, "product.invented.v1", "{}");
}

static int64_t put_malformed(void)
{
    return put(0, "product.status_changed.v1", "{\"sku\":7}");
}

static int64_t put_garbage(void)
{
    return memory_log_append(source, 0, TEXT("THING"), TEXT("no record of a log"));
}

START_TEST(an_event_of_unknown_type_in_its_own_services_log_halts_an_effect)
{
    halts(put_unknown_type, "unknown message type: a newer program wrote this event");
}
END_TEST

START_TEST(an_event_that_breaks_its_schema_halts_an_effect)
{
    halts(put_malformed, "malformed record: event");
}
END_TEST

START_TEST(what_is_no_record_of_a_log_halts_an_effect)
{
    halts(put_garbage, "malformed record: not a log record");
}
END_TEST

/* What stands before it may have been acted upon, or not: nobody guesses. */
static void halts_at(struct position position, const char *why)
{
    open_house();
    put_good(0);
    memory_group_place(0, position);
    start();
    expect_halted_alone(1, position.offset, why);
    ck_assert_int_eq(memory_group_position(0).offset, position.offset);
    close_house();
}

START_TEST(a_position_that_is_none_halts_an_effect)
{
    halts_at((struct position){-1, PRINT_UNKNOWN}, "position lies outside the log: no position");
    halts_at((struct position){7, PRINT_UNKNOWN}, "position lies outside the log");
    halts_at((struct position){2, 12345}, "position lies outside the log: the log was cut back");
    halts_at((struct position){1, PRINT_UNKNOWN}, "broken sequence: position does not follow");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_event_of_unknown_type_in_its_own_services_log_halts_an_effect,
        an_event_that_breaks_its_schema_halts_an_effect,
        what_is_no_record_of_a_log_halts_an_effect,
        a_position_that_is_none_halts_an_effect,
    };
    return run_suite("effect_halts", tests, COUNT(tests));
}
