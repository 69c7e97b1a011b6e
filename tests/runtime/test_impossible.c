/* What must not lie in a log, lies there: the partition halts and says why, and it alone. And what
 * may lie there halts nobody. */
#include <pthread.h>
#include <stdlib.h>

#include "commands/aggregates.h"
#include "core/partition.h"
#include "runtime/clock.h"
#include "runtime/owner_worker.h"
#include "saga/sagas.h"
#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/payment.h"
#include "schemas/product.h"
#include "tests/runtime/run_suite.h"
#include "tests/support/halts.h"
#include "tests/support/memory_worker.h"

enum { PARTITIONS = 2, PATIENCE_MS = 10000, RECORD_MAX = 8192 };

static const struct service list[] = {
    {"fulfilment", &fulfilment_commands, &fulfilment_events, .saga = &fulfilment_saga},
    {"inventory", &inventory_commands, &inventory_events, .aggregate = &inventory_aggregate},
    {"order", &order_commands, &order_events, .aggregate = &order_aggregate},
    {"payment", &payment_commands, &payment_events, .aggregate = &payment_aggregate},
    {"product", &product_commands, &product_events, .aggregate = &product_aggregate}};
static const struct service_list services = {list, COUNT(list)};
static const struct service *const products[] = {&list[4], NULL};
static const struct service *const sagas[] = {&list[0], NULL};

static struct log *kafka;
static struct log_topic *commands, *decisions, *dead_letters, *saga_log, *orders;
static pthread_t worker;
static atomic_bool stop;
static struct owner_worker_status status;

/* ---- the house ------------------------------------------------------------------------------ */

static void open_house(void)
{
    kafka = memory_log_create();
    commands = memory_log_topic(kafka, "product.commands", PARTITIONS);
    decisions = memory_log_topic(kafka, "product.log", PARTITIONS);
    dead_letters = memory_log_topic(kafka, "product.deadletters", PARTITIONS);
    memory_log_topic(kafka, "fulfilment.commands", PARTITIONS);
    saga_log = memory_log_topic(kafka, "fulfilment.log", PARTITIONS);
    memory_log_topic(kafka, "fulfilment.deadletters", PARTITIONS);
    orders = memory_log_topic(kafka, "order.log", 1);
    memory_log_topic(kafka, "payment.log", 1);
    memory_log_topic(kafka, "inventory.log", 1);
    memory_group_begin();
    atomic_store(&stop, false);
    status = (struct owner_worker_status){0};
    halts_begin();
}

static void *run(void *served)
{
    struct err e = owner_worker_run(&(struct owner_worker_options){.group = "owners",
                                                                   .log = kafka,
                                                                   .all = &services,
                                                                   .services = served,
                                                                   .limits = {.step = 60000000},
                                                                   .stop = &stop,
                                                                   .status = &status});
    ck_assert_int_eq(e.code, ERR_OK);
    return NULL;
}

static void start(const struct service *const *served)
{
    ck_assert_int_eq(pthread_create(&worker, NULL, run, (void *)(uintptr_t)served), 0);
}

/* Who has halted does not hold up the end. */
static void close_house(void)
{
    int64_t began = clock_monotonic_ms();
    atomic_store(&stop, true);
    pthread_join(worker, NULL);
    ck_assert_int_lt(clock_monotonic_ms() - began, OWNER_STOP_MS);
    memory_log_destroy(kafka);
}

static int64_t end_of(struct log_topic *topic, int partition)
{
    int64_t first, end;
    ck_assert_int_eq(log_ends(topic, partition, &first, &end).code, ERR_OK);
    return end;
}

/* ---- commands ------------------------------------------------------------------------------- */

/* A SKU that nobody had. */
static const char *new_sku(int partition)
{
    static char sku[16];
    static int n;
    do
        snprintf(sku, sizeof sku, "SKU-%d", n++);
    while (partition_of(text_of(sku), PARTITIONS) != partition);
    return sku;
}

static const char *data_of(const char *sku)
{
    static char data[300];
    snprintf(data, sizeof data,
             "{\"sku\":\"%s\",\"name\":\"n\",\"price\":{\"amount\":1,\"currency\":\"EUR\"},"
             "\"merchant_id\":\"00000000-0000-4000-8000-000000000001\"}",
             sku);
    return data;
}

static struct text encode(const char *sku, const char *type, const char *data, struct arena *arena)
{
    struct text record = command_encode(&(struct command){.id = random_uuid(),
                                                          .attempt = random_uuid(),
                                                          .actor = {.roles = ROLE_ADMIN},
                                                          .fingerprint = 7,
                                                          .expected_version = VERSION_ANY,
                                                          .service = TEXT("product"),
                                                          .target = text_of(sku),
                                                          .type = text_of(type),
                                                          .data = text_of(data)},
                                        arena);
    ck_assert_ptr_nonnull(record.at);
    return record;
}

static void send(int partition, const char *type, const char *data)
{
    _Alignas(16) char memory[2048];
    struct arena arena = {memory, 0, sizeof memory};
    const char *sku = new_sku(partition);
    struct text record = encode(sku, type, data ? data : data_of(sku), &arena);
    memory_log_append(commands, partition, text_of(sku), record);
}

static void send_good(int partition)
{
    send(partition, "product.add.v1", NULL);
}

static size_t decided(int partition)
{
    return memory_decided(kafka, decisions, partition, "product.commands");
}

static struct decision last_decision(int partition, struct arena *arena)
{
    struct decision d = {0};
    ck_assert_uint_gt(
        memory_decided_last(kafka, decisions, partition, "product.commands", arena, &d), 0);
    return d;
}

/* ---- one that halts ------------------------------------------------------------------------- */

/* Partition 0 says so once, its neighbour goes on, and nothing more is written to the log of the
 * one that has halted. */
static void expect_halted_alone(int64_t offset, const char *why)
{
    AWAIT(atomic_load(&status.halted) > 0);
    ck_assert_uint_eq(halts_said(), 1);
    ck_assert_str_eq(halt_said(0)->topic, "product.log");
    ck_assert_int_eq(halt_said(0)->partition, 0);
    ck_assert_int_eq(halt_said(0)->offset, offset);
    ck_assert_msg(strstr(halt_said(0)->why, why), "%s: %s", why, halt_said(0)->why);
    int64_t end = end_of(decisions, 0);
    for (int i = 0; i < 2; i++) {
        size_t before = decided(1);
        send_good(0);
        send_good(1);
        AWAIT(decided(1) == before + 1);
    }
    size_t before = decided(1);
    memory_group_tell(2); /* a seat that is given anew mends nothing */
    send_good(1);
    AWAIT(decided(1) == before + 1);
    ck_assert_int_eq(atomic_load(&status.halted), 1);
    ck_assert_int_eq(end_of(decisions, 0), end);
    ck_assert_uint_eq(halts_said(), 1);
}

/* The log of partition 0 has been read, and one command of each partition decided. */
static void start_well(void)
{
    start(products);
    send_good(0);
    send_good(1);
    AWAIT(decided(0) == 1 && decided(1) == 1);
}

/* Writes what is impossible to partition 0, after a TAKEOVER; returns where. */
typedef int64_t (*impossible)(void);

/* It lies there before anybody reads it, between decisions that are good. */
static void halts_who_begins(impossible put, const char *why)
{
    open_house();
    memory_announce(decisions, 0);
    int64_t at = put();
    memory_announce(decisions, 0);
    start(products);
    expect_halted_alone(at, why);
    close_house();
}

/* It was written while somebody else had the seat. */
static void halts_who_comes_back(impossible put, const char *why)
{
    open_house();
    start_well();
    memory_group_tell(1);
    AWAIT(atomic_load(&status.owned) == 0);
    memory_announce(decisions, 0);
    int64_t at = put();
    memory_group_tell(1);
    expect_halted_alone(at, why);
    close_house();
}

static void halts(impossible put, const char *why)
{
    halts_who_begins(put, why);
    halts_who_comes_back(put, why);
}

static struct decision of_events(const char *target, struct payload *events, size_t count)
{
    return (struct decision){.input = {.partition = -1, .offset = -1},
                             .outcome = OUTCOME_ACCEPTED,
                             .first_offset = -1,
                             .command_id = random_uuid(),
                             .target = text_of(target),
                             .type = TEXT("product.add.v1"),
                             .version = (int64_t)count,
                             .events = events,
                             .events_count = count};
}

static int64_t put_event(const char *sku, const char *type, const char *data, int64_t version)
{
    struct payload event = {text_of(type), text_of(data)};
    struct decision d = of_events(sku, &event, 1);
    d.version = version;
    return memory_decide(kafka, decisions, 0, &d);
}

static void put_good(void)
{
    const char *sku = new_sku(0);
    put_event(sku, "product.added.v1", data_of(sku), 1);
}

static int64_t put_unknown_type(void)
{
    put_good();
    int64_t at = put_event(new_sku(0), "product.invented.v1", "{}", 1);
    put_good();
    return at;
}

static int64_t put_unknown_version(void)
{
    put_good();
    int64_t at = put_event(new_sku(0), "product.added.v2", "{}", 1);
    put_good();
    return at;
}

static int64_t put_malformed_data(void)
{
    put_good();
    int64_t at = put_event(new_sku(0), "product.added.v1", "{\"sku\":7", 1);
    put_good();
    return at;
}

static int64_t put_gap(void)
{
    put_good();
    const char *sku = new_sku(0);
    put_event(sku, "product.added.v1", data_of(sku), 1);
    int64_t at = put_event(sku, "product.added.v1", data_of(sku), 3);
    put_good();
    return at;
}

static int64_t put_version_twice(void)
{
    const char *sku = new_sku(0);
    put_event(sku, "product.added.v1", data_of(sku), 1);
    return put_event(sku, "product.added.v1", data_of(sku), 1);
}

/* The bytes of a decision that would be valid, of them so many. */
static int64_t put_bytes_of_next(size_t cut)
{
    _Alignas(16) char memory[RECORD_MAX];
    struct arena arena = {memory, 0, sizeof memory};
    struct decision d = of_events(new_sku(0), NULL, 0);
    struct text record = memory_next_decision(kafka, decisions, 0, &d, &arena);
    return memory_log_append(decisions, 0, d.target, (struct text){record.at, record.len - cut});
}

static int64_t put_torn(void)
{
    put_good();
    return put_bytes_of_next(3);
}

static int64_t put_garbage(void)
{
    put_good();
    return memory_log_append(decisions, 0, TEXT("SKU"), TEXT("no record of a log at all"));
}

static int64_t put_empty(void)
{
    return memory_log_append(decisions, 0, TEXT("SKU"), TEXT(""));
}

static int64_t put_torn_takeover(void)
{
    _Alignas(16) char memory[512];
    struct arena arena = {memory, 0, sizeof memory};
    struct takeover t = {.mark = {.kind = RECORD_TAKEOVER, .epoch = -1}, .nonce = random_uuid()};
    struct text record = takeover_encode(&t, &arena);
    return memory_log_append(decisions, 0, TEXT(""), (struct text){record.at, record.len - 1});
}

START_TEST(an_event_of_unknown_type_in_its_own_log_halts_an_owner)
{
    halts(put_unknown_type, "unknown message type: event type in own log");
}
END_TEST

START_TEST(an_event_of_unknown_version_in_its_own_log_halts_an_owner)
{
    halts(put_unknown_version, "unknown message type: event type in own log");
}
END_TEST

START_TEST(an_event_that_breaks_its_schema_halts_an_owner)
{
    halts(put_malformed_data, "malformed record: event in own log");
}
END_TEST

START_TEST(versions_that_do_not_follow_halt_an_owner)
{
    halts(put_gap, "broken sequence: versions of an aggregate");
    halts(put_version_twice, "broken sequence: versions of an aggregate");
}
END_TEST

START_TEST(a_torn_record_halts_an_owner)
{
    halts(put_torn, "malformed record: decision record is torn");
    halts(put_torn_takeover, "malformed record: not a takeover record");
}
END_TEST

START_TEST(what_is_no_record_of_a_log_halts_an_owner)
{
    halts(put_garbage, "malformed record: not a log record");
    halts(put_empty, "malformed record: not a log record");
}
END_TEST

/* Nobody announced it, and whoever owns the log is reading it back. */
START_TEST(garbage_in_the_log_of_a_running_owner_halts_it)
{
    open_house();
    start_well();
    expect_halted_alone(put_empty(), "malformed record: not a log record");
    close_house();
}
END_TEST

/* The rule looks at the mark alone: what is void is not there, whatever the rest says. */
START_TEST(what_is_impossible_in_a_void_record_halts_nobody)
{
    open_house();
    memory_announce(decisions, 0);
    put_good();
    _Alignas(16) char memory[RECORD_MAX];
    struct arena arena = {memory, 0, sizeof memory};
    struct payload event = {TEXT("product.invented.v1"), TEXT("{}")};
    struct decision d = of_events(new_sku(0), &event, 1);
    struct text late = memory_next_decision(kafka, decisions, 0, &d, &arena);
    memory_announce(decisions, 0);
    memory_log_append(decisions, 0, d.target, late);
    memory_log_append(decisions, 0, d.target, (struct text){late.at, late.len - 3});
    start_well();
    AWAIT(atomic_load(&status.voids) == 2);
    ck_assert_int_eq(atomic_load(&status.halted), 0);
    close_house();
}
END_TEST

/* ---- what may lie in S.commands ------------------------------------------------------------- */

/* It takes over once more first: another may have decided them. */
START_TEST(commands_that_are_deleted_undecided_halt_an_owner)
{
    open_house();
    send_good(0);
    send_good(0);
    memory_log_forget(commands, 0, 1);
    start(products);
    expect_halted_alone(2, "position lies outside the log");
    ck_assert_uint_eq(decided(0), 0);
    close_house();

    open_house();
    start_well();
    memory_log_forget(commands, 0, 2);
    expect_halted_alone(3, "position lies outside the log");
    close_house();
}
END_TEST

/* As it was, in its partition of the dead letters. */
static void expect_dead_letter(int64_t offset, struct text key, struct text value)
{
    _Alignas(16) char memory[RECORD_MAX];
    struct arena arena = {memory, 0, sizeof memory};
    struct log_reader *reader;
    struct log_record record;
    size_t n;
    ck_assert_int_eq(log_reader_open(kafka, &reader).code, ERR_OK);
    ck_assert_int_eq(log_read(reader, dead_letters, partition_of(key, PARTITIONS), offset, &arena,
                              &record, 1, &n)
                         .code,
                     ERR_OK);
    ck_assert_uint_eq(n, 1);
    ck_assert(text_equal(record.key, key));
    ck_assert(text_equal(record.value, value));
    log_reader_close(reader);
}

static void expect_refused_as_undecodable(const char *type)
{
    _Alignas(16) char memory[RECORD_MAX];
    struct arena arena = {memory, 0, sizeof memory};
    struct decision d = last_decision(0, &arena);
    ck_assert_int_eq(d.outcome, OUTCOME_REFUSED);
    ck_assert_int_eq(d.problem, PROBLEM_UNDECODABLE);
    ck_assert(text_is(d.type, type));
    ck_assert_int_eq(d.mark.commands_next, d.input.offset + 1);
}

/* The next command is decided on top of it. */
static void expect_going_on(void)
{
    _Alignas(16) char memory[RECORD_MAX];
    struct arena arena = {memory, 0, sizeof memory};
    size_t before = decided(0);
    send_good(0);
    AWAIT(decided(0) == before + 1);
    ck_assert_int_eq(last_decision(0, &arena).outcome, OUTCOME_ACCEPTED);
    ck_assert_int_eq(atomic_load(&status.halted), 0);
    ck_assert_uint_eq(halts_said(), 0);
}

START_TEST(what_is_no_command_record_is_refused_and_kept_as_a_dead_letter)
{
    _Alignas(16) char memory[2048];
    struct arena arena = {memory, 0, sizeof memory};
    open_house();
    start_well();
    char sku[16];
    snprintf(sku, sizeof sku, "%s", new_sku(0));
    struct text whole = encode(sku, "product.add.v1", data_of(sku), &arena);
    const struct text bad[] = {TEXT("no command"), TEXT(""), {whole.at, whole.len - 1}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        size_t before = decided(0);
        memory_log_append(commands, 0, text_of(sku), bad[i]);
        AWAIT(decided(0) == before + 1);
        expect_refused_as_undecodable("unknown");
        expect_dead_letter((int64_t)i, text_of(sku), bad[i]);
        expect_going_on();
    }
    AWAIT(atomic_load(&status.undecodable) == COUNT(bad));
    ck_assert_int_eq(end_of(dead_letters, 0), COUNT(bad));
    close_house();
}
END_TEST

/* Its decision says whose it was, so whoever sent it is told, and its bytes are in S.commands. */
START_TEST(a_command_that_nobody_knows_or_that_breaks_its_schema_is_refused)
{
    static const struct {
        const char *type, *data;
    } bad[] = {{"product.invent.v1", "{}"},
               {"product.add.v2", "{}"},
               {"product.add.v1", "{}"},
               {"product.add.v1", "{\"sku\":7"},
               {"product.add.v1", ""}};
    open_house();
    start_well();
    for (size_t i = 0; i < COUNT(bad); i++) {
        size_t before = decided(0);
        send(0, bad[i].type, bad[i].data);
        AWAIT(decided(0) == before + 1);
        expect_refused_as_undecodable(bad[i].type);
        expect_going_on();
    }
    AWAIT(atomic_load(&status.undecodable) == COUNT(bad));
    ck_assert_int_eq(end_of(dead_letters, 0), 0);
    close_house();
}
END_TEST

/* ---- what may lie in a source --------------------------------------------------------------- */

/* An order whose saga is of this partition. */
static struct uuid new_order(int partition)
{
    char key[UUID_TEXT_LEN + 1];
    struct uuid order;
    do {
        order = random_uuid();
        uuid_format(order, key);
    } while (partition_of((struct text){key, UUID_TEXT_LEN}, PARTITIONS) != partition);
    return order;
}

static int64_t order_says(int partition, const char *type, const char *data)
{
    struct payload event = {text_of(type), text_of(data)};
    struct decision d = of_events("order", &event, 1);
    d.saga = new_order(partition);
    d.type = TEXT("order.place.v1");
    return memory_decide(kafka, orders, 0, &d);
}

static void expect_named(int64_t offset, const char *why)
{
    ck_assert_str_eq(halt_source()->topic, "order.log");
    ck_assert_int_eq(halt_source()->partition, 0);
    ck_assert_int_eq(halt_source()->offset, offset);
    ck_assert_msg(strstr(halt_source()->why, why), "%s: %s", why, halt_source()->why);
}

static size_t sagas_decided(int partition)
{
    return memory_decided(kafka, saga_log, partition, "order.log");
}

static void start_sagas(void)
{
    open_house();
    memory_announce(orders, 0);
    start(sagas);
    AWAIT(atomic_load(&status.active) == PARTITIONS);
}

/* Services are deployed apart: what a newer one says is an input without events. */
START_TEST(an_event_of_unknown_type_in_a_source_is_passed_over)
{
    start_sagas();
    order_says(0, "order.invented.v1", "{}");
    order_says(1, "order.invented.v9", "{}");
    AWAIT(sagas_decided(0) == 1 && sagas_decided(1) == 1);
    order_says(0, "order.invented.v1", "{}");
    AWAIT(sagas_decided(0) == 2);
    ck_assert_int_eq(atomic_load(&status.halted), 0);
    close_house();
}
END_TEST

/* Of the saga partition that it concerns, and of no other. */
static void expect_source_halts(const char *type, const char *why)
{
    start_sagas();
    int64_t at = order_says(0, type, "{}");
    AWAIT(atomic_load(&status.halted) == 1);
    expect_named(at, why);
    int64_t end = end_of(saga_log, 0);
    for (size_t i = 1; i <= 2; i++) {
        order_says(0, "order.invented.v1", "{}");
        order_says(1, "order.invented.v1", "{}");
        AWAIT(sagas_decided(1) == i);
    }
    ck_assert_uint_eq(halts_said(), 1);
    ck_assert_int_eq(halt_said(0)->partition, 0);
    ck_assert_str_eq(halt_said(0)->topic, "fulfilment.log");
    ck_assert_msg(strstr(halt_said(0)->why, why), "%s", halt_said(0)->why);
    ck_assert_int_eq(end_of(saga_log, 0), end);
    close_house();
}

START_TEST(an_event_of_a_source_that_breaks_its_schema_halts_the_saga_partition_it_concerns)
{
    expect_source_halts("order.placed.v1", "malformed record: event of another service");
}
END_TEST

/* Passed over, its order would never be made. */
START_TEST(a_newer_version_of_an_event_that_a_saga_reads_halts_it)
{
    expect_source_halts("order.placed.v9", "a newer version of another service's event");
}
END_TEST

/* Nobody can tell whom it concerns. */
START_TEST(a_record_of_a_source_that_nobody_can_read_halts_all_who_read_it)
{
    start_sagas();
    order_says(0, "order.invented.v1", "{}");
    AWAIT(sagas_decided(0) == 1);
    int64_t at = memory_log_append(orders, 0, TEXT("order"), TEXT("no record of a log"));
    AWAIT(atomic_load(&status.halted) == PARTITIONS);
    expect_named(at, "malformed record: not a log record");
    ck_assert_uint_eq(halts_said(), PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++) {
        ck_assert_int_eq(halt_said((size_t)p)->partition, p);
        ck_assert_msg(strstr(halt_said((size_t)p)->why, "malformed record: not a log record"), "%s",
                      halt_said((size_t)p)->why);
    }
    close_house();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        an_event_of_unknown_type_in_its_own_log_halts_an_owner,
        an_event_of_unknown_version_in_its_own_log_halts_an_owner,
        an_event_that_breaks_its_schema_halts_an_owner,
        versions_that_do_not_follow_halt_an_owner,
        a_torn_record_halts_an_owner,
        what_is_no_record_of_a_log_halts_an_owner,
        garbage_in_the_log_of_a_running_owner_halts_it,
        what_is_impossible_in_a_void_record_halts_nobody,
        commands_that_are_deleted_undecided_halt_an_owner,
        what_is_no_command_record_is_refused_and_kept_as_a_dead_letter,
        a_command_that_nobody_knows_or_that_breaks_its_schema_is_refused,
        an_event_of_unknown_type_in_a_source_is_passed_over,
        an_event_of_a_source_that_breaks_its_schema_halts_the_saga_partition_it_concerns,
        a_newer_version_of_an_event_that_a_saga_reads_halts_it,
        a_record_of_a_source_that_nobody_can_read_halts_all_who_read_it,
    };
    return run_suite("impossible", tests, COUNT(tests));
}
