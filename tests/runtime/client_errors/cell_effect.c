/* The worker of an effect: whatever befalls it while it begins, it acts on every event in the end.
 * Its provider is not there; what is counted is what it takes up. */
#include <pthread.h>
#include <stdlib.h>

#include "core/json_shape.h"
#include "runtime/clock.h"
#include "runtime/effect_worker.h"
#include "runtime/kafka_offsets.h"
#include "schemas/product.h"
#include "tests/runtime/client_errors/cells.h"

enum {
    FIRST_LOT = 5,
    EVENTS = 10,
    LASTS_MS = 20000, /* the seat is given anew only when the session of the first start is over */
    REFUSED_MS = 3000,
    ARRIVES_MS = 8000,
    STEP_MS = 20
};

struct story {
    struct mock mock;
    struct log_topic *source;
    struct log_producer *producer;
    pthread_t thread;
    bool runs;
    atomic_bool stop;
    atomic_bool taken[1 + EVENTS]; /* by offset: since the worker was started */
    struct effect_stats stats;
    struct err result;
    const struct effect *effect;
    char group[EFFECT_GROUP_MAX];
    uint64_t last; /* print of the last decision */
    int written;
};

/* ---- an effect that takes everything and never comes to an end ------------------------------ */

static _Thread_local struct story *mine;

static bool start_any(void *job, const struct event *event, bool repeat)
{
    (void)job, (void)repeat;
    atomic_store(&mine->taken[event->offset], true);
    return true;
}

static bool never_answered(const void *job, const struct event *event)
{
    (void)job, (void)event;
    return false;
}

static void call_nobody(const void *job, struct arena *arena, struct effect_call *ret_call)
{
    (void)job, (void)arena;
    *ret_call = (struct effect_call){.method = "GET", .path = "/"};
}

static enum effect_verdict learn_nothing(void *job, const struct effect_answer *answer,
                                         struct arena *arena, struct effect_result *ret_result)
{
    (void)job, (void)answer, (void)arena, (void)ret_result;
    return EFFECT_RETRY;
}

static bool give_up_nothing(void *job, const char *reason, struct arena *arena,
                            struct effect_result *ret_result)
{
    (void)job, (void)reason, (void)arena, (void)ret_result;
    return false;
}

static const struct effect effect = {.name = "things",
                                     .service = "things",
                                     .events = &product_events,
                                     .commands = &product_commands,
                                     .job_size = 1,
                                     .start = start_any,
                                     .is_answered = never_answered,
                                     .call = call_nobody,
                                     .learn = learn_nothing,
                                     .give_up = give_up_nothing};

static bool nothing_to_do(void *job, const struct event *event, bool repeat)
{
    start_any(job, event, repeat);
    return false;
}

/* Its position follows at once. */
static const struct effect idle_effect = {.name = "things",
                                          .service = "things",
                                          .events = &product_events,
                                          .commands = &product_commands,
                                          .job_size = 1,
                                          .start = nothing_to_do};

static void *run(void *context)
{
    mine = context;
    mine->result = effect_worker_run(&(struct effect_options){.log = mine->mock.log,
                                                              .effect = mine->effect,
                                                              .url = "http://127.0.0.1:1",
                                                              .stop = &mine->stop,
                                                              .stats = &mine->stats});
    return NULL;
}

static void start(struct story *s)
{
    for (int i = 0; i <= EVENTS; i++)
        atomic_store(&s->taken[i], false);
    atomic_store(&s->stop, false);
    s->runs = pthread_create(&s->thread, NULL, run, s) == 0;
}

static void stop(struct story *s)
{
    if (!s->runs)
        return;
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    s->runs = false;
}

/* ---- the log -------------------------------------------------------------------------------- */

static struct text decision(const struct story *s, struct arena *arena)
{
    struct json_report report = {0};
    const struct product_event event = {
        .tag = PRODUCT_EVENT_STATUS_CHANGED_V1,
        .as.status_changed_v1 = {TEXT("THING"), PRODUCT_STATUS_ACTIVE}};
    struct payload payload = {text_of(message_type(&product_events, (int)event.tag)->name),
                              message_encode(&product_events, &event, arena, &report)};
    return decision_encode(
        &(struct decision){
            .mark = {.kind = RECORD_DECISION, .number = (uint64_t)s->written, .follows = s->last},
            .input = {.partition = -1, .offset = -1},
            .outcome = OUTCOME_ACCEPTED,
            .first_offset = -1,
            .command_id = random_uuid(),
            .at = clock_now_us(),
            .target = TEXT("THING"),
            .type = TEXT("product.change_status.v1"),
            .version = s->written,
            .events_count = 1,
            .events = &payload},
        arena);
}

/* A TAKEOVER at offset 0, then a decision of one event at each. */
static bool write_to(struct story *s, int count)
{
    for (; s->written <= count; s->written++) {
        _Alignas(16) char memory[4096];
        struct arena arena = {memory, 0, sizeof memory};
        const struct takeover takeover = {.mark = {.kind = RECORD_TAKEOVER, .epoch = -1},
                                          .nonce = random_uuid(),
                                          .instance = TEXT("somebody"),
                                          .at = clock_now_us()};
        struct text value = s->written ? decision(s, &arena) : takeover_encode(&takeover, &arena);
        if (!value.at ||
            producer_append(s->producer, s->source, 0, TEXT("THING"), value, 0).code != ERR_OK)
            return false;
        s->last = s->written ? print_of(value) : PRINT_NONE;
    }
    return producer_flush(s->producer, CELL_MS).code == ERR_OK;
}

static bool await_taken(struct story *s, int count)
{
    int at = 1;
    for (int64_t until = clock_monotonic_ms() + CELL_MS;
         at <= count && clock_monotonic_ms() < until && !atomic_load(&s->stats.halted);)
        if (atomic_load(&s->taken[at]))
            at++;
        else
            clock_sleep_us(STEP_MS * 1000);
    return at > count;
}

/* ---- the story ------------------------------------------------------------------------------ */

static struct finding tell(struct story *s, const struct cell *cell)
{
    start(s);
    if (!write_to(s, FIRST_LOT) || !await_taken(s, FIRST_LOT))
        return broken("the first events");
    stop(s);
    mock_trouble(&s->mock, cell->api, cell->error, cell->how);
    start(s);
    if (how_lasts(cell->how)) {
        clock_sleep_us(LASTS_MS * 1000);
        mock_heal(&s->mock, cell->api, cell->how);
    }
    bool all = write_to(s, EVENTS) && await_taken(s, EVENTS);
    if (atomic_load(&s->stats.halted))
        return found(V_HALTED);
    stop(s);
    return all ? found(V_ONCE) : broken("not all were taken up: %s", err_text(s->result));
}

static bool open_all(struct story *s)
{
    static const int64_t zero[] = {0};
    effect_group(s->effect, s->group);
    mock_open(&s->mock, "effect");
    mock_topic(&s->mock, "things.commands", 1);
    s->source = mock_topic(&s->mock, "things.log", 1);
    return offsets_write(s->mock.log, s->group, s->source, zero).code == ERR_OK &&
           producer_open(s->mock.log, NULL, NULL, NULL, &s->producer).code == ERR_OK;
}

static struct finding close_all(struct story *s, struct finding f)
{
    stop(s);
    producer_close(s->producer);
    mock_close(&s->mock);
    return f;
}

struct finding cell_effect(const struct cell *cell)
{
    struct story s = {.effect = &effect};
    struct finding f = open_all(&s) ? tell(&s, cell) : broken("cannot open");
    return close_all(&s, f);
}

/* ---- its position --------------------------------------------------------------------------- */

/* As `foldlog doctor` would ask. */
static bool await_position(struct story *s, int64_t wanted, int64_t ms)
{
    int64_t found = -1;
    for (int64_t until = clock_monotonic_ms() + ms; found != wanted && clock_monotonic_ms() < until;
         clock_sleep_us(STEP_MS * 1000))
        if (offsets_read(s->mock.log, s->group, s->source, &found).code != ERR_OK)
            found = -1;
    return found == wanted;
}

/* What is not asked for again is committed when more has been done. */
static struct finding position_arrives(struct story *s, const struct cell *cell)
{
    if (await_position(s, EVENTS, cell->wanted == V_NEXT ? ARRIVES_MS : CELL_MS))
        return found(V_ONCE);
    if (!write_to(s, EVENTS) || !await_taken(s, EVENTS) || !await_position(s, EVENTS + 1, CELL_MS))
        return broken("its position does not arrive");
    return found(V_NEXT);
}

static struct finding tell_position(struct story *s, const struct cell *cell)
{
    start(s);
    if (!write_to(s, FIRST_LOT) || !await_taken(s, FIRST_LOT) ||
        !await_position(s, FIRST_LOT + 1, CELL_MS))
        return broken("the first position");
    mock_trouble(&s->mock, cell->api, cell->error, cell->how);
    if (!write_to(s, EVENTS - 1) || !await_taken(s, EVENTS - 1))
        return broken("not all were taken up");
    if (how_lasts(cell->how)) {
        clock_sleep_us(REFUSED_MS * 1000);
        mock_heal(&s->mock, cell->api, cell->how);
    }
    struct finding f = position_arrives(s, cell);
    return atomic_load(&s->stats.halted) ? found(V_HALTED) : f;
}

struct finding cell_commit(const struct cell *cell)
{
    struct story s = {.effect = &idle_effect};
    struct finding f = open_all(&s) ? tell_position(&s, cell) : broken("cannot open");
    return close_all(&s, f);
}
