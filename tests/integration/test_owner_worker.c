/* The owners on a real broker: takeovers, foreign announcements, zombies' records, repeats,
 * hand-over. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands/aggregates.h"
#include "core/partition.h"
#include "runtime/clock.h"
#include "runtime/owner_worker.h"
#include "runtime/topics.h"
#include "schemas/product.h"
#include "tests/runtime/run_suite.h"

enum { PARTITIONS = 2, FACTS_MAX = 4096, ARENA_BYTES = 4 << 20, PATIENCE_MS = 20000 };

/* A service of its own per test: fresh topics. */
static char service_name[32];
static struct service service;
static struct service_list services = {&service, 1};
static const struct service *const served[] = {&service, NULL};
static struct log *kafka;
static struct log_topic *commands_topic, *decisions_topic;
static struct log_producer *producer;
static struct log_reader *reader;
static char arena_memory[ARENA_BYTES] __attribute__((aligned(16)));

struct worker {
    pthread_t thread;
    struct log *log;
    atomic_bool stop;
    struct owner_worker_status status;
    struct err result;
};

static void *run(void *context)
{
    struct worker *w = context;
    w->result = owner_worker_run(&(struct owner_worker_options){.group = service_name,
                                                                .log = w->log,
                                                                .all = &services,
                                                                .services = served,
                                                                .stop = &w->stop,
                                                                .status = &w->status});
    return NULL;
}

static void ok(struct err e)
{
    ck_assert_msg(e.code == ERR_OK, "%s: %s (%d)", err_text(e), e.what, e.cause);
}

static void start(struct worker *w, const char *instance)
{
    *w = (struct worker){0};
    ok(log_open(
        &(struct log_options){.brokers = getenv("FOLDLOG_TEST_KAFKA"), .instance = instance},
        &w->log));
    ck_assert_int_eq(pthread_create(&w->thread, NULL, run, w), 0);
}

static void stop(struct worker *w)
{
    atomic_store(&w->stop, true);
    pthread_join(w->thread, NULL);
    ok(w->result);
    log_close(w->log);
}

static void quiet(void *context, const char *topic, const char *what)
{
    (void)context;
    (void)topic;
    (void)what;
}

static void set_up(void)
{
    char name[64];
    snprintf(service_name, sizeof service_name, "t%llx",
             (unsigned long long)random_u64() & 0xffffffffff);
    service = (struct service){service_name, &product_commands, &product_events,
                               .aggregate = &product_aggregate};
    ok(log_open(&(struct log_options){.brokers = getenv("FOLDLOG_TEST_KAFKA"), .instance = "test"},
                &kafka));
    struct topics_options topics = {.log = kafka,
                                    .services = &services,
                                    .partitions = PARTITIONS,
                                    .replication = 1,
                                    .dev = true};
    ok(topics_apply(&topics, quiet, NULL));
    ok(topics_check(&topics, quiet, NULL));
    snprintf(name, sizeof name, "%s.commands", service_name);
    ok(log_topic(kafka, name, &commands_topic));
    snprintf(name, sizeof name, "%s.log", service_name);
    ok(log_topic(kafka, name, &decisions_topic));
    ok(log_reader_open(kafka, &reader));
    ok(producer_open(kafka, NULL, NULL, NULL, &producer));
}

static void tear_down(void)
{
    producer_close(producer);
    log_reader_close(reader);
    log_close(kafka);
}

/* ---- what tests do -------------------------------------------------------------------------- */

static void append(struct log_topic *topic, int partition, struct text key, struct text value)
{
    ok(producer_append(producer, topic, partition, key, value, 0));
    ok(producer_flush(producer, 10000));
}

static struct uuid id_of(int n)
{
    char name[16];
    int len = snprintf(name, sizeof name, "%d", n);
    return uuid_derive((struct uuid){{9}}, (struct text){name, (size_t)len});
}

static void add_product(int n, int command, uint64_t fingerprint)
{
    char sku[16], data[300];
    _Alignas(16) char memory[2048];
    struct arena arena = {memory, 0, sizeof memory};
    snprintf(sku, sizeof sku, "SKU-%d", n);
    snprintf(data, sizeof data,
             "{\"sku\":\"%s\",\"name\":\"n\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},"
             "\"merchant_id\":\"00000000-0000-4000-8000-000000000001\"}",
             sku);
    struct command c = {.id = id_of(command),
                        .attempt = random_uuid(),
                        .actor = {id_of(1), ROLE_MERCHANT | ROLE_ADMIN},
                        .fingerprint = fingerprint,
                        .expected_version = VERSION_ANY,
                        .service = text_of(service_name),
                        .target = text_of(sku),
                        .type = TEXT("product.add.v1"),
                        .data = text_of(data)};
    append(commands_topic, partition_of(c.target, PARTITIONS), c.target,
           command_encode(&c, &arena));
}

/* All valid decisions that are no position records, judged from the start by a reader of its own.
 */
struct seen {
    size_t count, accepted, refused, replayed;
    uint64_t voids;
    struct fact last;
};

static void look(struct seen *seen, int partition)
{
    struct cursor cursor;
    static struct fact facts[FACTS_MAX];
    int64_t first, end;
    ok(log_ends(decisions_topic, partition, &first, &end));
    ok(cursor_resume(&cursor, reader, decisions_topic, partition, (struct position){0}));
    while (cursor.next < end) {
        struct arena arena = {arena_memory, 0, sizeof arena_memory};
        size_t n;
        ok(cursor_read(&cursor, reader, &arena, facts, FACTS_MAX, &n));
        for (size_t i = 0; i < n; i++) {
            if (facts[i].decision.outcome == OUTCOME_POSITION)
                continue;
            seen->count++;
            seen->accepted +=
                facts[i].decision.outcome == OUTCOME_ACCEPTED && !facts[i].decision.replayed;
            seen->refused += facts[i].decision.outcome == OUTCOME_REFUSED;
            seen->replayed += facts[i].decision.replayed;
            seen->last = facts[i];
        }
    }
    seen->voids += cursor.voids;
}

static struct seen look_all(void)
{
    struct seen seen = {0};
    for (int p = 0; p < PARTITIONS; p++)
        look(&seen, p);
    return seen;
}

static struct seen await(size_t count)
{
    struct seen seen = look_all();
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         seen.count < count && clock_monotonic_ms() < until;) {
        log_wait(reader, 20);
        seen = look_all();
    }
    ck_assert_uint_eq(seen.count, count);
    return seen;
}

static int64_t announce_from_outside(int partition)
{
    _Alignas(16) char memory[512];
    struct arena arena = {memory, 0, sizeof memory};
    int64_t first, end;
    struct takeover t = {.mark = {.kind = RECORD_TAKEOVER, .epoch = -1},
                         .nonce = random_uuid(),
                         .instance = TEXT("thief")};
    append(decisions_topic, partition, TEXT(""), takeover_encode(&t, &arena));
    ok(log_ends(decisions_topic, partition, &first, &end));
    return end - 1;
}

/* ---- stories -------------------------------------------------------------------------------- */

START_TEST(each_command_is_decided_once)
{
    struct worker a;
    start(&a, "a");
    for (int i = 0; i < 100; i++)
        add_product(i, i, 7);
    struct seen seen = await(100);
    ck_assert_uint_eq(seen.accepted, 100);
    stop(&a);
}
END_TEST

START_TEST(a_restart_goes_on_where_the_log_ends)
{
    struct worker a;
    for (int round = 0; round < 4; round++) {
        start(&a, "a");
        for (int i = 0; i < 25; i++)
            add_product(25 * round + i, 25 * round + i, 7);
        await(25 * ((size_t)round + 1));
        stop(&a);
    }
    struct seen seen = look_all();
    ck_assert_uint_eq(seen.accepted, 100);
    ck_assert_uint_eq(seen.voids, 0);
}
END_TEST

START_TEST(the_same_command_is_answered_again_and_has_no_second_effect)
{
    struct worker a;
    for (int i = 0; i < 3; i++)
        add_product(1, 1, 7);
    start(&a, "a");
    struct seen seen = await(3);
    ck_assert_uint_eq(seen.accepted, 1);
    ck_assert_uint_eq(seen.replayed, 2);
    ck_assert_int_eq(seen.last.decision.version, 1);
    ck_assert_uint_eq(seen.last.decision.events_count, 0);
    add_product(1, 1, 8); /* another body under the same key */
    seen = await(4);
    ck_assert_int_eq(seen.last.decision.problem, PROBLEM_KEY_REUSED);
    stop(&a);
    start(&a, "a"); /* the window is rebuilt from the log */
    add_product(1, 1, 7);
    seen = await(5);
    ck_assert_uint_eq(seen.accepted, 1);
    ck_assert(seen.last.decision.replayed);
    stop(&a);
}
END_TEST

START_TEST(a_refusal_is_remembered_as_the_first_answer)
{
    struct worker a;
    start(&a, "a");
    add_product(1, 1, 7);
    add_product(1, 2, 7); /* exists already */
    add_product(1, 2, 7);
    struct seen seen = await(3);
    ck_assert_uint_eq(seen.accepted, 1);
    ck_assert_int_eq(seen.last.decision.problem, PROBLEM_ALREADY_EXISTS);
    ck_assert(seen.last.decision.replayed);
    stop(&a);
}
END_TEST

START_TEST(what_cannot_be_read_is_refused_and_the_next_goes_on)
{
    struct worker a;
    start(&a, "a");
    append(commands_topic, partition_of(TEXT("SKU-1"), PARTITIONS), TEXT("SKU-1"),
           TEXT("not a command"));
    add_product(1, 1, 7);
    struct seen seen = await(2);
    ck_assert_uint_eq(seen.refused, 1);
    ck_assert_uint_eq(seen.accepted, 1);
    stop(&a);
}
END_TEST

START_TEST(a_foreign_announcement_costs_a_takeover_and_nothing_else)
{
    struct worker a;
    int n = 0;
    start(&a, "a");
    for (; n < 20; n++)
        add_product(n, n, 7);
    await(20);
    for (int p = 0; p < PARTITIONS; p++)
        announce_from_outside(p);
    for (; n < 60; n++)
        add_product(n, n, 7);
    struct seen seen = await(60);
    ck_assert_uint_eq(seen.accepted, 60);
    ck_assert_uint_ge(atomic_load(&a.status.depositions), PARTITIONS);
    stop(&a);
}
END_TEST

START_TEST(records_of_a_former_owner_are_void_for_everybody)
{
    struct worker a;
    _Alignas(16) char memory[4096];
    struct arena arena = {memory, 0, sizeof memory};
    start(&a, "a");
    add_product(1, 1, 7);
    struct seen before = await(1);
    int partition = before.last.partition;
    int64_t epoch = before.last.decision.mark.epoch;
    stop(&a);
    start(&a, "b"); /* another instance takes over */
    add_product(1, 2, 7);
    await(2);
    struct decision zombie = {
        .mark = {.kind = RECORD_DECISION, .epoch = epoch, .number = 2, .commands_next = 99},
        .outcome = OUTCOME_ACCEPTED,
        .target = TEXT("SKU-1")};
    append(decisions_topic, partition, TEXT("SKU-1"), decision_encode(&zombie, &arena));
    add_product(2, 3, 7);
    struct seen seen = await(3);
    ck_assert_uint_eq(seen.voids, 1);
    stop(&a);
}
END_TEST

START_TEST(two_instances_share_the_partitions_and_hand_them_over)
{
    struct worker a, b;
    int n = 0;
    start(&a, "a");
    for (; n < 50; n++)
        add_product(n, n, 7);
    start(&b, "b");
    for (; n < 100; n++)
        add_product(n, n, 7);
    await(100);
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (atomic_load(&b.status.active) == 0 && clock_monotonic_ms() < until)
        log_wait(reader, 50);
    ck_assert_int_eq(atomic_load(&a.status.active) + atomic_load(&b.status.active), PARTITIONS);
    stop(&a); /* keeps its seat: b takes over after the session */
    for (; n < 150; n++)
        add_product(n, n, 7);
    struct seen seen = await(150);
    ck_assert_uint_eq(seen.accepted, 150);
    stop(&b);
}
END_TEST

START_TEST(a_reader_that_starts_at_the_end_judges_like_one_from_the_start)
{
    struct worker a;
    struct cursor end[PARTITIONS];
    static struct fact facts[FACTS_MAX];
    start(&a, "a");
    for (int i = 0; i < 30; i++)
        add_product(i, i, 7);
    await(30);
    for (int p = 0; p < PARTITIONS; p++)
        ok(cursor_from_end(&end[p], reader, decisions_topic, p));
    for (int p = 0; p < PARTITIONS; p++)
        announce_from_outside(p);
    for (int i = 30; i < 60; i++)
        add_product(i, i, 7);
    await(60);
    size_t count = 0;
    for (int p = 0; p < PARTITIONS; p++)
        for (size_t n = 1; n > 0 || count == 0;) {
            struct arena arena = {arena_memory, 0, sizeof arena_memory};
            int64_t at = end[p].next;
            ok(cursor_read(&end[p], reader, &arena, facts, FACTS_MAX, &n));
            count += n;
            if (n == 0 && end[p].next > at)
                n = 1;
        }
    ck_assert_uint_eq(count, 30);
    stop(&a);
}
END_TEST

START_TEST(a_position_outside_the_log_is_refused)
{
    struct cursor cursor;
    ck_assert_int_eq(
        cursor_resume(&cursor, reader, decisions_topic, 0, (struct position){5, PRINT_UNKNOWN})
            .code,
        ERR_LOST);
    announce_from_outside(0);
    ck_assert_int_eq(
        cursor_resume(&cursor, reader, decisions_topic, 0, (struct position){1, PRINT_UNKNOWN})
            .code,
        ERR_GAP);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {each_command_is_decided_once,
                                  a_restart_goes_on_where_the_log_ends,
                                  the_same_command_is_answered_again_and_has_no_second_effect,
                                  a_refusal_is_remembered_as_the_first_answer,
                                  what_cannot_be_read_is_refused_and_the_next_goes_on,
                                  a_foreign_announcement_costs_a_takeover_and_nothing_else,
                                  records_of_a_former_owner_are_void_for_everybody,
                                  two_instances_share_the_partitions_and_hand_them_over,
                                  a_reader_that_starts_at_the_end_judges_like_one_from_the_start,
                                  a_position_outside_the_log_is_refused};
    if (!getenv("FOLDLOG_TEST_KAFKA")) {
        fprintf(stderr, "FOLDLOG_TEST_KAFKA is not set\n");
        return 77;
    }
    Suite *suite = suite_create("owner_worker");
    for (size_t i = 0; i < COUNT(tests); i++) {
        TCase *tcase = tcase_create(tests[i]->name);
        tcase_add_checked_fixture(tcase, set_up, tear_down);
        tcase_set_timeout(tcase, 90);
        tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
