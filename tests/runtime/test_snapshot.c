/* A shard that begins from a snapshot remembers what one remembers that has folded the whole log;
 * and whatever else lies where a snapshot should lie costs a fold, and nothing else. */
#include "runtime/snapshot.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "commands/aggregates.h"
#include "core/json_shape.h"
#include "core/owned.h"
#include "runtime/build_id.h"
#include "runtime/clock.h"
#include "runtime/file_shelf.h"
#include "runtime/report.h"
#include "runtime/shards.h"
#include "saga/sagas.h"
#include "schemas/fulfilment.h"
#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/payment.h"
#include "schemas/product.h"
#include "schemas/user.h"
#include "tests/runtime/run_suite.h"
#include "tests/support/memory_worker.h"
#include "tests/support/people.h"
#include "tests/support/wrapped_log.h"

enum { PARTITIONS = 2, EVENTS_MAX = 8, FILE_MAX = 64 * 1024, PATH_LEN = 256, MERCHANTS = 4 };

static const struct service list[] = {
    {"fulfilment", &fulfilment_commands, &fulfilment_events, .saga = &fulfilment_saga},
    {"inventory", &inventory_commands, &inventory_events, .aggregate = &inventory_aggregate},
    {"order", &order_commands, &order_events, .aggregate = &order_aggregate},
    {"payment", &payment_commands, &payment_events, .aggregate = &payment_aggregate},
    {"product", &product_commands, &product_events, .aggregate = &product_aggregate},
    {"user", &user_commands, &user_events, .aggregate = &user_aggregate}};
static const struct service_list services = {list, COUNT(list)};

/* ---- the house: one service, and three that could own its partitions ------------------------- */

static struct log *kafka;
static struct log_reader *reader;
static struct log_topic *commands, *decisions;
static struct arena scratch;
static struct shelf *shelf;
static atomic_bool stop;
static char folder[PATH_LEN];
static struct shards writing, beginning, folding; /* the last one without a shelf */
static int64_t next_command, now;

/* What was said of a snapshot. */
static int ignored;
static char ignored_why[PATH_LEN];

static void add_topic(const char *service, const char *suffix, int partitions)
{
    char name[TOPIC_LEN_MAX];
    snprintf(name, sizeof name, "%s.%s", service, suffix);
    memory_log_topic(kafka, name, partitions);
}

static void open_shards(const struct service *s, struct shelf *where, struct shards *ret_shards)
{
    const struct service *const only[] = {s, NULL};
    *ret_shards = (struct shards){0};
    struct err e = shards_open(&(struct shards_options){.log = kafka,
                                                        .all = &services,
                                                        .services = only,
                                                        .reader = reader,
                                                        .shelf = where,
                                                        .stop = &stop,
                                                        .scratch = &scratch},
                               ret_shards);
    ck_assert_int_eq(e.code, ERR_OK);
}

static void open_log(const struct service *s, int partitions)
{
    static const char *const of_aggregates[] = {"fulfilment", NULL};
    kafka = memory_log_create();
    add_topic(s->name, "commands", partitions);
    add_topic(s->name, "log", partitions);
    add_topic(s->name, "deadletters", partitions);
    for (const char *const *source = s->saga ? s->saga->sources : of_aggregates; *source; source++)
        add_topic(*source, "log", PARTITIONS);
    ck_assert_int_eq(log_reader_open(kafka, &reader).code, ERR_OK);
    open_shards(s, shelf, &writing);
    open_shards(s, shelf, &beginning);
    open_shards(s, NULL, &folding);
    commands = writing.at[0].owner.commands;
    decisions = writing.at[0].owner.log;
    next_command = 0;
    for (int p = 0; p < partitions; p++)
        memory_announce(decisions, p);
}

static void close_log(void)
{
    shards_close(&writing);
    shards_close(&beginning);
    shards_close(&folding);
    log_reader_close(reader);
    memory_log_destroy(kafka);
}

static void open_house(const struct service *s)
{
    now = 1700000000000000;
    ignored = 0;
    snprintf(folder, sizeof folder, "%s", "/tmp/test_snapshot.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(shelf_open(folder, &shelf).code, ERR_OK);
    scratch = (struct arena){.base = aligned_alloc(16, UNIT_ARENA_BYTES), .size = UNIT_ARENA_BYTES};
    ck_assert_ptr_nonnull(scratch.base);
    open_log(s, PARTITIONS);
}

static void path_of(const struct shard *s, char out[PATH_LEN])
{
    char name[SHELF_NAME_MAX];
    snapshot_name(s, name);
    ck_assert_int_lt(snprintf(out, PATH_LEN, "%s/%s", folder, name), PATH_LEN);
}

static void take_away(const struct shard *s)
{
    char path[PATH_LEN];
    path_of(s, path);
    unlink(path);
}

static void close_house(void)
{
    for (size_t i = 0; i < writing.count; i++)
        take_away(&writing.at[i]);
    close_log();
    shelf_close(shelf);
    free(scratch.base);
    ck_assert_int_eq(rmdir(folder), 0); /* nothing else was left there */
}

/* ---- what others do ------------------------------------------------------------------------- */

static int64_t read_from; /* the lowest offset of the log that was read; INT64_MAX: none */
static enum err_code trouble;
static bool another_build, unknown_build, first_state_again;
static size_t largest; /* that was allocated */

void __wrap_report_line(enum report_level level, const char *fact, ...);

void __wrap_report_line(enum report_level level, const char *fact, ...)
{
    (void)level;
    if (strcmp(fact, "snapshot_ignored") != 0)
        return;
    ignored++;
    va_list pairs;
    va_start(pairs, fact);
    for (const char *name; (name = va_arg(pairs, const char *)) != NULL;) {
        const char *value = va_arg(pairs, const char *);
        if (strcmp(name, "why") == 0)
            snprintf(ignored_why, sizeof ignored_why, "%s", value);
    }
    va_end(pairs);
}

struct err __wrap_log_read(struct log_reader *by, struct log_topic *topic, int partition,
                           int64_t from, struct arena *arena, struct log_record *records,
                           size_t max, size_t *ret_count)
{
    if (topic == decisions && from < read_from)
        read_from = from;
    return __real_log_read(by, topic, partition, from, arena, records, max, ret_count);
}

struct err __wrap_log_read_again(struct log_reader *by, struct log_topic *topic, int partition,
                                 int64_t offset, struct arena *arena, struct log_record *ret_record,
                                 size_t *ret_count)
{
    if (trouble)
        return FAIL(trouble, "as told");
    return __real_log_read_again(by, topic, partition, offset, arena, ret_record, ret_count);
}

struct build_id __real_build_id(void);
struct build_id __wrap_build_id(void);

struct build_id __wrap_build_id(void)
{
    struct build_id id = __real_build_id();
    id.bytes[0] ^= another_build;
    id.len = unknown_build ? 0 : id.len;
    return id;
}

/* One state is written twice. */
struct state *__real_states_next(const struct states *states, size_t *at);
struct state *__wrap_states_next(const struct states *states, size_t *at);
size_t __real_states_count(const struct states *states);
size_t __wrap_states_count(const struct states *states);

struct state *__wrap_states_next(const struct states *states, size_t *at)
{
    static bool again;
    struct state *state = __real_states_next(states, at);
    again = !state && first_state_again && !again;
    if (!again)
        return state;
    size_t from = 0;
    return __real_states_next(states, &from);
}

size_t __wrap_states_count(const struct states *states)
{
    return __real_states_count(states) + first_state_again;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    if (size > largest)
        largest = size;
    return __real_malloc(size);
}

/* ---- what is decided ------------------------------------------------------------------------ */

static _Alignas(16) char event_memory[UNIT_ARENA_BYTES];
static struct arena event_arena = {event_memory, 0, sizeof event_memory};
static struct payload events[EVENTS_MAX];
static size_t events_count;

static void add_event(const struct vocabulary *vocabulary, const void *event)
{
    struct json_report json = {0};
    int tag;
    memcpy(&tag, event, sizeof tag);
    struct text data = message_encode(vocabulary, event, &event_arena, &json);
    ck_assert_msg(data.at, "%s: %s", json.faults[0].pointer, json.faults[0].detail);
    ck_assert_uint_lt(events_count, EVENTS_MAX);
    events[events_count++] = (struct payload){text_of(message_type(vocabulary, tag)->name), data};
}

/* Of the next decision. */
#define EVENT(service, TAG, name, ...) \
    add_event(&service##_events, &(struct service##_event){.tag = TAG, .as.name = {__VA_ARGS__}})

static struct decision decision_of(struct text target, int64_t version)
{
    return (struct decision){.input = {.partition = -1, .offset = -1},
                             .outcome = OUTCOME_ACCEPTED,
                             .first_offset = -1,
                             .command_id = random_uuid(),
                             .fingerprint = random_u64(),
                             .at = now++,
                             .target = target,
                             .type = TEXT("a.command.v1"),
                             .version = version,
                             .events = events,
                             .events_count = events_count};
}

static void append(struct decision *d)
{
    memory_decide(kafka, decisions, 0, d);
    events_count = 0;
    event_arena.used = 0;
}

/* By a command of a client. */
static void decided(struct text target, int64_t version)
{
    struct decision d = decision_of(target, version);
    d.input = (struct input){text_of(log_topic_name(commands)), 0, 0, next_command, 0};
    d.mark.commands_next = ++next_command;
    append(&d);
}

static void refused(struct text target, int64_t version, enum problem problem)
{
    struct decision d = decision_of(target, version);
    d.outcome = OUTCOME_REFUSED;
    d.problem = problem;
    d.input = (struct input){text_of(log_topic_name(commands)), 0, 0, next_command, 0};
    d.mark.commands_next = ++next_command;
    append(&d);
}

/* By what lies in another log. */
static void decided_from(size_t source, int64_t offset, int32_t index, struct text target,
                         int64_t version)
{
    const struct owner_source *s = &writing.at[0].owner.sources[source];
    struct decision d = decision_of(target, version);
    d.input = (struct input){text_of(log_topic_name(s->topic)), s->partition, index, offset,
                             (uint64_t)offset + 77};
    append(&d);
}

static void positioned(size_t source, int64_t offset)
{
    const struct owner_source *s = &writing.at[0].owner.sources[source];
    struct input position = {text_of(log_topic_name(s->topic)), s->partition, 0, offset,
                             (uint64_t)offset + 78};
    struct decision d = decision_of(TEXT(""), 0);
    d.outcome = OUTCOME_POSITION;
    d.command_id = (struct uuid){0};
    d.positions = &position;
    d.positions_count = 1;
    append(&d);
}

static struct text key_of(struct uuid id)
{
    static char keys[4][UUID_TEXT_LEN + 1];
    static size_t n;
    char *key = keys[n++ % COUNT(keys)];
    uuid_format(id, key);
    return text_of(key);
}

#define EUROS(cents)                                       \
    {                                                      \
        .amount = (cents), .currency = COMMON_CURRENCY_EUR \
    }

/* ---- a story of each service: what comes before the snapshot, what comes after it ------------ */

static void product_before(void)
{
    for (int i = 0; i < 300; i++) { /* the table of states grows */
        char sku[16];
        snprintf(sku, sizeof sku, "SKU-%d", i);
        EVENT(product, PRODUCT_EVENT_ADDED_V1, added_v1, .sku = text_of(sku), .name = TEXT("n"),
              .price = EUROS(100 + i), .merchant_id = id_of((uint64_t)i));
        decided(text_of(sku), 1);
    }
}

static void product_after(void)
{
    EVENT(product, PRODUCT_EVENT_PRICE_CHANGED_V1, price_changed_v1, .sku = TEXT("SKU-7"),
          .price = EUROS(1));
    decided(TEXT("SKU-7"), 2);
}

static void reserve(struct text sku, uint64_t order, int64_t lines, int64_t version)
{
    for (int64_t line = 0; line < lines; line++) {
        EVENT(inventory, INVENTORY_EVENT_RESERVED_V1, reserved_v1, .sku = sku,
              .order_id = id_of(order), .line = line, .quantity = line + 1);
        decided_from(0, (int64_t)order, (int32_t)line, sku, version + line);
    }
}

static void receive(struct text sku)
{
    EVENT(inventory, INVENTORY_EVENT_RECEIVED_V1, received_v1, .sku = sku, .quantity = 1000);
    decided(sku, 1);
}

static void inventory_before(void)
{
    receive(TEXT("NONE-RESERVED"));
    receive(TEXT("MANY"));
    for (uint64_t order = 0; order < 10; order++)
        reserve(TEXT("MANY"), order, 3, 2 + (int64_t)order * 3);
    EVENT(inventory, INVENTORY_EVENT_COMMITTED_V1, committed_v1, .sku = TEXT("MANY"),
          .order_id = id_of(4), .line = 1, .quantity = 2);
    decided_from(1, 20, 0, TEXT("MANY"), 32);
}

static void inventory_after(void)
{
    EVENT(inventory, INVENTORY_EVENT_RELEASED_V1, released_v1, .sku = TEXT("MANY"),
          .order_id = id_of(9), .line = 2, .quantity = 3);
    decided_from(1, 21, 0, TEXT("MANY"), 33);
    reserve(TEXT("NONE-RESERVED"), 11, 5, 2);
}

static void place(uint64_t order, uint32_t merchants)
{
    struct order_line lines[MERCHANTS];
    for (uint32_t i = 0; i < merchants; i++)
        lines[i] = (struct order_line){.sku = TEXT("A-SKU"),
                                       .quantity = 1,
                                       .unit_price = EUROS(5),
                                       .merchant_id = id_of(100 + i)};
    EVENT(order, ORDER_EVENT_PLACED_V1, placed_v1, .order_id = id_of(order), .customer_id = ADA,
          .items = {lines, merchants}, .total = EUROS(20), .payment_method = TEXT("pm_1"),
          .shipping_address = TEXT("c2VhbGVk"));
    decided(key_of(id_of(order)), 1);
}

static void order_before(void)
{
    place(1, 1);
    place(2, MERCHANTS);
}

static void order_after(void)
{
    EVENT(order, ORDER_EVENT_CONFIRMED_V1, confirmed_v1, .order_id = id_of(2));
    decided_from(1, 3, 0, key_of(id_of(2)), 2);
    place(3, 2);
}

static void request(uint64_t payment)
{
    EVENT(payment, PAYMENT_EVENT_REQUESTED_V1, requested_v1, .payment_id = id_of(payment),
          .order_id = id_of(payment + 1), .customer_id = ADA, .amount = EUROS(20),
          .payment_method = TEXT("pm_card"));
    decided_from(0, (int64_t)payment, 0, key_of(id_of(payment)), 1);
}

static void authorize(uint64_t payment)
{
    EVENT(payment, PAYMENT_EVENT_AUTHORIZED_V1, authorized_v1, .payment_id = id_of(payment),
          .order_id = id_of(payment + 1), .provider_reference = TEXT("ch_123456"));
    decided(key_of(id_of(payment)), 2);
}

static void payment_before(void)
{
    request(10); /* has a method */
    request(20);
    authorize(20); /* has a reference */
}

static void payment_after(void)
{
    authorize(10);
    request(30);
}

static void user_before(void)
{
    enum user_role roles[] = {USER_ROLE_CUSTOMER, USER_ROLE_MERCHANT};
    EVENT(user, USER_EVENT_REGISTERED_V1, registered_v1, .user_id = ADA, .email = TEXT("c2VhbGVk"),
          .name = TEXT("c2VhbGVk"), .password_hash = TEXT("c2VhbGVk"),
          .roles = {roles, COUNT(roles)});
    decided(TEXT("ada"), 1);
    EVENT(user, USER_EVENT_PASSWORD_CHANGED_V1, password_changed_v1, .user_id = ADA,
          .password_hash = TEXT("c2VhbGVk"));
    decided(TEXT("ada"), 2);
}

static void user_after(void)
{
    EVENT(user, USER_EVENT_ERASED_V1, erased_v1, .user_id = ADA);
    decided(TEXT("ada"), 3);
}

/* Begun; its first step has a time limit. */
static void fulfil(uint64_t order, uint32_t lines, int64_t due)
{
    struct fulfilment_item items[8];
    ck_assert_uint_le(lines, COUNT(items));
    for (uint32_t i = 0; i < lines; i++)
        items[i] = (struct fulfilment_item){.sku = TEXT("A-SKU"), .quantity = i + 1};
    EVENT(fulfilment, FULFILMENT_EVENT_STARTED_V1, started_v1, .order_id = id_of(order),
          .customer_id = ADA, .payment_id = id_of(order + 1000), .total = EUROS(20),
          .payment_method = TEXT("pm_card"), .items = {items, lines});
    EVENT(fulfilment, FULFILMENT_EVENT_TIMER_SET_V1, timer_set_v1, .order_id = id_of(order),
          .step = FULFILMENT_STEP_AUTHORIZE, .due_at = due);
    decided_from(order % 2, (int64_t)order, 0, key_of(id_of(order)), 2);
}

static void fulfilment_before(void)
{
    for (uint64_t order = 0; order < 20; order++)
        fulfil(order, 1 + order % 8, now + 1000000 * (int64_t)(order * 7 % 20));
    EVENT(fulfilment, FULFILMENT_EVENT_TIMER_FIRED_V1, timer_fired_v1, .order_id = id_of(3),
          .step = FULFILMENT_STEP_AUTHORIZE);
    decided(key_of(id_of(3)), 3);
}

static void fulfilment_after(void)
{
    EVENT(fulfilment, FULFILMENT_EVENT_AUTHORIZED_V1, authorized_v1, .order_id = id_of(4));
    EVENT(fulfilment, FULFILMENT_EVENT_TIMER_SET_V1, timer_set_v1, .order_id = id_of(4),
          .step = FULFILMENT_STEP_RESERVE, .due_at = now + 1);
    decided_from(2, 4, 0, key_of(id_of(4)), 4);
    fulfil(21, 2, now + 5000000);
}

static const struct story {
    const struct service *service;
    void (*before)(void), (*after)(void);
} stories[] = {
    {&list[0], fulfilment_before, fulfilment_after}, {&list[1], inventory_before, inventory_after},
    {&list[2], order_before, order_after},           {&list[3], payment_before, payment_after},
    {&list[4], product_before, product_after},       {&list[5], user_before, user_after}};

/* What no service has for itself: what is refused for good or not, positions, a TAKEOVER. */
static void tell(void (*story)(void))
{
    story();
    refused(TEXT("nobody"), 0, PROBLEM_FORBIDDEN);
    refused(TEXT("nobody"), 0, PROBLEM_NOT_FOUND);
    memory_announce(decisions, 0);
    positioned(1, 1000 + next_command);
}

/* ---- the same ------------------------------------------------------------------------------- */

/* A state without what its pointers are. */
static void bytes_of(const struct service *s, const struct state *state, char *out, size_t size)
{
    memcpy(out, state->data, size);
    for (const struct owned *o = s->saga ? s->saga->owned : s->aggregate->owned; o && o->element;
         o++)
        memset(out + o->pointer, 0, sizeof(void *));
}

static void expect_same_state(const struct service *s, const struct state *a, const struct state *b)
{
    char ours[512], theirs[512];
    size_t size = s->saga ? s->saga->state_size : s->aggregate->state_size;
    ck_assert_uint_le(size, sizeof ours);
    ck_assert_int_eq(a->version, b->version);
    bytes_of(s, a, ours, size);
    bytes_of(s, b, theirs, size);
    ck_assert_mem_eq(ours, theirs, size);
    for (const struct owned *o = s->saga ? s->saga->owned : s->aggregate->owned; o && o->element;
         o++) {
        size_t len = owned_bytes(o, a->data);
        ck_assert_uint_eq(len, owned_bytes(o, b->data));
        ck_assert((owned_array(o, a->data) != NULL) == (owned_array(o, b->data) != NULL));
        if (len > 0)
            ck_assert_mem_eq(owned_array(o, a->data), owned_array(o, b->data), len);
    }
    ck_assert((a->timer != NULL) == (b->timer != NULL));
    if (a->timer) {
        ck_assert_int_eq(a->timer->due, b->timer->due);
        ck_assert_ptr_eq(a->timer->holder, (const void *)&a->timer);
        ck_assert_ptr_eq(a->timer->key.at, a->key.at);
    }
}

static void expect_same_states(const struct shard *a, const struct shard *b)
{
    const struct state *state;
    size_t at = 0, met = 0;
    ck_assert_uint_eq(states_count(a->states), states_count(b->states));
    for (; (state = states_next(a->states, &at)); met++) {
        const struct state *other = states_find(b->states, state->key);
        ck_assert_ptr_nonnull(other);
        expect_same_state(a->service, state, other);
    }
    ck_assert_uint_eq(met, states_count(a->states));
    ck_assert_uint_eq(a->timers.count, b->timers.count);
    if (a->timers.count > 0)
        ck_assert_int_eq(timers_first(&a->timers)->due, timers_first(&b->timers)->due);
}

static void expect_same_window(const struct dedup *a, const struct dedup *b)
{
    ck_assert_uint_eq(dedup_count(a), dedup_count(b));
    for (size_t i = 0; i < dedup_count(a); i++)
        ck_assert_mem_eq(dedup_entry(a, i), dedup_entry(b, i), sizeof(struct dedup_entry));
}

static void expect_same_positions(const struct owner *a, const struct owner *b)
{
    ck_assert_int_eq(a->commands_next, b->commands_next);
    ck_assert_int_eq(a->tail.next, b->tail.next);
    ck_assert_int_eq(a->tail.done, b->tail.done);
    ck_assert_int_eq(a->tail.last, b->tail.last);
    ck_assert_int_eq(a->tail.commands_next, b->tail.commands_next);
    ck_assert_mem_eq(&a->tail.judge, &b->tail.judge, sizeof a->tail.judge);
    ck_assert_uint_eq(a->sources_count, b->sources_count);
    for (size_t i = 0; i < a->sources_count; i++) {
        ck_assert_int_eq(a->sources[i].offset, b->sources[i].offset);
        ck_assert_int_eq(a->sources[i].index, b->sources[i].index);
        ck_assert_uint_eq(a->sources[i].print, b->sources[i].print);
    }
}

static void expect_same(const struct shard *a, const struct shard *b)
{
    expect_same_states(a, b);
    expect_same_window(a->dedup, b->dedup);
    expect_same_positions(&a->owner, &b->owner);
}

static void remember(struct shards *shards, int partition)
{
    read_from = INT64_MAX;
    ck_assert_int_eq(shard_remember(&shards->at[partition]).code, ERR_OK);
}

/* Folds and writes. */
static void write_snapshot(int partition)
{
    remember(&writing, partition);
    ck_assert_int_eq(snapshot_write(&writing.at[partition]).code, ERR_OK);
}

static void expect_as_folded(int partition)
{
    int64_t from = read_from;
    remember(&folding, partition);
    expect_same(&beginning.at[partition], &folding.at[partition]);
    read_from = from;
}

/* From the snapshot: nothing that lies before its end is read. */
static void expect_begun_from_snapshot(void)
{
    int64_t end = shard_begins_at(&beginning.at[0]);
    ck_assert_int_gt(end, 0);
    remember(&beginning, 0);
    ck_assert_int_ge(read_from, end - 1); /* the record before is looked at */
    ck_assert_int_eq(ignored, 0);
    expect_as_folded(0);
}

/* Ignored so many times in all; begun from the beginning. */
static void expect_ignored(int partition, int times, const char *why)
{
    remember(&beginning, partition);
    ck_assert_int_eq(ignored, times);
    if (why)
        ck_assert_msg(strstr(ignored_why, why), "%s: %s", why, ignored_why);
    ck_assert_int_eq(shard_begins_at(&beginning.at[partition]), -1); /* so that another is made */
    if (beginning.at[partition].owner.tail.next > 0)
        ck_assert_int_eq(read_from, 0);
    expect_as_folded(partition);
}

START_TEST(what_was_written_is_what_was_folded)
{
    const struct story *story = &stories[_i];
    open_house(story->service);
    tell(story->before);
    write_snapshot(0);
    expect_begun_from_snapshot();
    ck_assert_uint_gt(states_count(beginning.at[0].states), 0);
    ck_assert_uint_gt(dedup_count(beginning.at[0].dedup), 0);
    if (story->service->saga)
        ck_assert_uint_gt(beginning.at[0].timers.count, 10);
    tell(story->after);
    expect_begun_from_snapshot();
    write_snapshot(0); /* which has itself begun from one */
    expect_begun_from_snapshot();
    close_house();
}
END_TEST

START_TEST(a_log_without_decisions_has_a_snapshot_of_nothing)
{
    open_house(&list[4]);
    write_snapshot(0);
    remember(&beginning, 0);
    ck_assert_int_eq(ignored, 0);
    expect_as_folded(0);
    close_house();
}
END_TEST

/* ---- what is ignored ------------------------------------------------------------------------ */

static size_t load(const struct shard *s, char bytes[FILE_MAX])
{
    char path[PATH_LEN];
    path_of(s, path);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    size_t len = fread(bytes, 1, FILE_MAX, file);
    ck_assert_uint_lt(len, FILE_MAX);
    fclose(file);
    return len;
}

static void store(const struct shard *s, const char *bytes, size_t len)
{
    char path[PATH_LEN];
    path_of(s, path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
    ck_assert_int_eq(fclose(file), 0);
}

/* Some of everything, but little of it. */
static void little(void)
{
    receive(TEXT("MANY"));
    reserve(TEXT("MANY"), 1, 2, 2);
    receive(TEXT("ANOTHER"));
}

static void open_with_little(void)
{
    open_house(&list[1]);
    tell(little);
    write_snapshot(0);
}

START_TEST(where_there_is_none_nothing_is_said)
{
    open_house(&list[1]);
    tell(little);
    expect_ignored(0, 0, NULL);
    ck_assert_int_eq(shard_begins_at(&beginning.at[0]), -1);
    close_house();
}
END_TEST

START_TEST(of_one_that_lacks_bytes_nothing_is_believed)
{
    static char bytes[FILE_MAX];
    open_with_little();
    size_t len = load(&writing.at[0], bytes);
    for (size_t n = 0; n < len; n++) {
        store(&writing.at[0], bytes, n);
        expect_ignored(0, (int)n + 1, NULL);
    }
    store(&writing.at[0], bytes, len + 1); /* one too many */
    expect_ignored(0, (int)len + 1, NULL);
    store(&writing.at[0], bytes, len);
    remember(&beginning, 0);
    ck_assert_int_eq(ignored, (int)len + 1);
    close_house();
}
END_TEST

static void flip(char *bytes, size_t bit)
{
    bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
}

/* Among them are the high bits of every length: none of them is allocated. */
START_TEST(no_bit_is_another_one)
{
    static char bytes[FILE_MAX];
    open_with_little();
    size_t len = load(&writing.at[0], bytes);
    largest = 0;
    for (size_t bit = 0; bit < len * 8; bit++) {
        flip(bytes, bit);
        store(&writing.at[0], bytes, len);
        expect_ignored(0, (int)bit + 1, NULL);
        ck_assert_int_ge(shard_begins_at(&beginning.at[0]), -1);
        flip(bytes, bit);
    }
    ck_assert_uint_le(largest, len);
    close_house();
}
END_TEST

START_TEST(another_program_has_its_own)
{
    open_house(&list[1]);
    tell(little);
    another_build = true;
    write_snapshot(0);
    another_build = false;
    ck_assert_int_eq(shard_begins_at(&beginning.at[0]), -1);
    expect_ignored(0, 1, "another program");
    close_house();
}
END_TEST

START_TEST(a_program_that_does_not_know_itself_has_none)
{
    open_with_little();
    unknown_build = true;
    ck_assert_int_eq(snapshot_write(&writing.at[0]).code, ERR_CONFIG);
    ck_assert_int_eq(shard_begins_at(&beginning.at[0]), -1);
    expect_ignored(0, 1, "another program");
    close_house();
}
END_TEST

/* More than a stream keeps back. */
START_TEST(a_full_disk_is_named)
{
    struct rlimit before;
    open_with_little();
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    for (int64_t i = 0; i < 2000; i++)
        dedup_add(writing.at[0].dedup, &(struct dedup_entry){random_uuid(), 1, i, i});
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, before.rlim_max}), 0);
    struct err e = snapshot_write(&writing.at[0]);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(e.code, ERR_UNAVAILABLE);
    ck_assert_int_eq(e.cause, EFBIG);
    expect_begun_from_snapshot(); /* the old one */
    close_house();
}
END_TEST

START_TEST(another_partition_has_its_own)
{
    static char bytes[FILE_MAX];
    open_with_little();
    size_t len = load(&writing.at[0], bytes);
    store(&writing.at[1], bytes, len);
    ck_assert_int_eq(shard_begins_at(&beginning.at[1]), -1);
    expect_ignored(1, 1, "partition");
    close_house();
}
END_TEST

START_TEST(a_topic_that_has_more_partitions_begins_anew)
{
    open_with_little();
    close_log();
    open_log(&list[1], PARTITIONS + 1);
    tell(little);
    expect_ignored(0, 1, "partition");
    close_house();
}
END_TEST

START_TEST(a_source_that_is_not_told_of_would_be_read_twice)
{
    open_house(&list[1]);
    tell(little);
    writing.at[0].owner.sources_count--;
    write_snapshot(0);
    writing.at[0].owner.sources_count++;
    expect_ignored(0, 1, "sources");
    close_house();
}
END_TEST

/* Whoever wrote it was wrong: its sum is right. */
START_TEST(no_key_comes_twice)
{
    open_house(&list[1]);
    tell(little);
    remember(&writing, 0);
    first_state_again = true;
    ck_assert_int_eq(snapshot_write(&writing.at[0]).code, ERR_OK);
    first_state_again = false;
    expect_ignored(0, 1, "broken");
    size_t at = 0;
    for (struct state *state; (state = states_next(writing.at[0].states, &at));)
        state->version = 0;
    first_state_again = true;
    ck_assert_int_eq(snapshot_write(&writing.at[0]).code, ERR_OK);
    first_state_again = false;
    expect_ignored(0, 2, "broken");
    close_house();
}
END_TEST

/* ---- the log -------------------------------------------------------------------------------- */

static int64_t end_of_log(void)
{
    int64_t end;
    ck_assert_int_eq(log_ends(decisions, 0, NULL, &end).code, ERR_OK);
    return end;
}

START_TEST(a_log_that_ends_before_the_snapshot_is_another_one)
{
    open_with_little();
    memory_log_cut(decisions, 0, 3);
    expect_ignored(0, 1, NULL);
    ck_assert_int_eq(beginning.at[0].owner.tail.next, 3);
    close_house();
}
END_TEST

START_TEST(a_log_that_was_cut_back_and_grew_again_is_another_one)
{
    open_with_little();
    int64_t end = end_of_log();
    memory_log_cut(decisions, 0, 3);
    next_command = 1;
    while (end_of_log() < end + 3)
        refused(TEXT("nobody"), 0, PROBLEM_FORBIDDEN);
    expect_ignored(0, 1, "cut back");
    write_snapshot(0); /* over the other one */
    ignored = 0;
    expect_begun_from_snapshot();
    close_house();
}
END_TEST

/* Nothing that the snapshot knows is gone. */
START_TEST(a_log_that_was_cut_back_above_the_snapshot_is_the_same)
{
    open_with_little();
    int64_t end = end_of_log();
    refused(TEXT("nobody"), 0, PROBLEM_FORBIDDEN);
    memory_log_cut(decisions, 0, end);
    expect_begun_from_snapshot();
    close_house();
}
END_TEST

START_TEST(trouble_says_nothing_of_the_snapshot)
{
    static const enum err_code codes[] = {ERR_TIMEOUT, ERR_UNAVAILABLE, ERR_STOPPING};
    open_with_little();
    trouble = codes[_i];
    read_from = INT64_MAX;
    ck_assert_int_eq(shard_remember(&beginning.at[0]).code, codes[_i]);
    ck_assert_int_eq(ignored, 0);
    ck_assert_int_eq(read_from, INT64_MAX); /* not folded from the beginning */
    trouble = ERR_OK;
    expect_begun_from_snapshot();
    close_house();
}
END_TEST

START_TEST(a_program_knows_itself)
{
    struct build_id one = __real_build_id(), two = __real_build_id();
    ck_assert_uint_gt(one.len, 0);
    ck_assert_uint_le(one.len, BUILD_ID_MAX);
    ck_assert_mem_eq(&one, &two, sizeof one);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("snapshot");
    const TTest *const tests[] = {a_log_without_decisions_has_a_snapshot_of_nothing,
                                  where_there_is_none_nothing_is_said,
                                  of_one_that_lacks_bytes_nothing_is_believed,
                                  no_bit_is_another_one,
                                  another_program_has_its_own,
                                  a_program_that_does_not_know_itself_has_none,
                                  a_full_disk_is_named,
                                  another_partition_has_its_own,
                                  a_topic_that_has_more_partitions_begins_anew,
                                  a_source_that_is_not_told_of_would_be_read_twice,
                                  no_key_comes_twice,
                                  a_log_that_ends_before_the_snapshot_is_another_one,
                                  a_log_that_was_cut_back_and_grew_again_is_another_one,
                                  a_log_that_was_cut_back_above_the_snapshot_is_the_same,
                                  a_program_knows_itself};
    tcase_add_loop_test(tcase, what_was_written_is_what_was_folded, 0, COUNT(stories));
    tcase_add_loop_test(tcase, trouble_says_nothing_of_the_snapshot, 0, 3);
    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_test(tcase, tests[i]);
    tcase_set_timeout(tcase, 120);
    return run_case("snapshot", tcase);
}
