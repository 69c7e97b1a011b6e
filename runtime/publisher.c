/* From the private log to the public events, exactly once. */
#include "runtime/publisher.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "runtime/cloud_event.h"
#include "runtime/cursor.h"
#include "runtime/kafka_offsets.h"
#include "runtime/kafka_transaction.h"
#include "runtime/report.h"

enum {
    FACTS_MAX = 128,
    ARENA_BYTES = 4 * 1024 * 1024,
    POLL_MS = 200,
    STARTS_EXPECTED = 6,
    RESUME_RETRY_MS = 1000,
    RESUMES_PER_LINE = 10
};

/* One partition of the log. */
struct feed {
    struct position from; /* where the cursor begins */
    struct cursor cursor;
    int64_t committed; /* position of the group */
    bool resumed, halted;
    int resumes; /* tried in vain */
    int64_t resume_at_ms;
};

struct publisher {
    const char *service;
    struct log *log;
    const atomic_bool *stop;
    struct publisher_stats *stats;
    struct log_topic *source, *target;
    struct log_reader *reader;
    struct transactor *transactor;
    bool started;
    int starts; /* tried in vain since it last ran */
    int turn;   /* partition to read first */
    int retry_ms;
    size_t events;        /* put and not committed */
    int64_t due_ms;       /* when to commit what has been put */
    int64_t quiet_due_ms; /* when to commit a position that moved without events */
    struct feed feeds[PARTITIONS_MAX];
    struct arena arena;
    struct fact facts[FACTS_MAX];
};

static bool stopping(const struct publisher *p)
{
    return atomic_load(p->stop);
}

static int partitions(const struct publisher *p)
{
    return log_topic_partitions(p->source);
}

/* ---- trouble -------------------------------------------------------------------------------- */

static void halt(struct publisher *p, int partition, struct err why)
{
    p->feeds[partition].halted = true;
    atomic_fetch_add(&p->stats->halted, 1);
    report(REPORT_ERROR, "publisher_halted", "service", p->service, "partition",
           report_number(partition), "position", report_number(p->feeds[partition].cursor.next),
           "why", report_err(why), NULL);
}

/* Everything in memory is forgotten; the next start reads from the group's position. */
static void start_over(struct publisher *p)
{
    p->started = false;
    p->events = 0;
    atomic_store(&p->stats->halted, 0);
}

static void wait_a_little(struct publisher *p)
{
    int half = p->retry_ms / 2;
    log_wait(p->reader, half + (int)(random_u64() % (uint64_t)(half + 1)));
    p->retry_ms =
        p->retry_ms * 2 < PUBLISHER_RETRY_MAX_MS ? p->retry_ms * 2 : PUBLISHER_RETRY_MAX_MS;
}

static void stumble(struct publisher *p, struct err why)
{
    /* the first tries of a start are short: a transaction that is open, or a coordinator that has
     * just begun, needs several */
    bool expected = !p->started && p->starts++ < STARTS_EXPECTED;
    report(expected ? REPORT_INFO : REPORT_WARN, "publisher_restarts", "service", p->service, "why",
           report_err(why), NULL);
    report_trace(REPORT_UNTRACED);
    atomic_fetch_add(&p->stats->restarts, 1);
    start_over(p);
    wait_a_little(p);
}

/* ---- starting ------------------------------------------------------------------------------- */

static void begin_feed(struct publisher *p, int partition, struct position from)
{
    p->feeds[partition] = (struct feed){.from = from,
                                        .committed = from.offset,
                                        .cursor = {.next = from.offset, .done = from.offset}};
    atomic_store(&p->stats->position[partition], from.offset);
}

/* A partition that cannot be read for a while holds up no other. */
static void resume_feed(struct publisher *p, int partition)
{
    struct feed *feed = &p->feeds[partition];
    if (clock_monotonic_ms() < feed->resume_at_ms)
        return;
    struct err e = feed->from.offset < 0
                       ? FAIL(ERR_LOST, "no position: `topics apply` sets the first one")
                       : cursor_resume(&feed->cursor, p->reader, p->source, partition, feed->from);
    feed->resumed = e.code == ERR_OK;
    feed->resume_at_ms = clock_monotonic_ms() + RESUME_RETRY_MS;
    if (err_is_final(e))
        halt(p, partition, e);
    else if (!feed->resumed && feed->resumes++ % RESUMES_PER_LINE == 0)
        report(REPORT_WARN, "publisher_waits", "service", p->service, "partition",
               report_number(partition), "why", report_err(e), NULL);
}

static struct err start(struct publisher *p)
{
    struct position positions[PARTITIONS_MAX];
    TRY(transactor_start(p->transactor, positions));
    start_over(p);
    for (int i = 0; i < partitions(p); i++)
        begin_feed(p, i, positions[i]);
    p->started = true;
    p->starts = 0;
    p->retry_ms = PUBLISHER_RETRY_MIN_MS;
    p->quiet_due_ms = clock_monotonic_ms() + PUBLISHER_QUIET_MS;
    report(REPORT_INFO, "publisher_started", "service", p->service, NULL);
    return OK;
}

/* The seat decides who may start; what the previous holder had open is void either way. */
static void watch_seat(struct publisher *p)
{
    if (transactor_poll(p->transactor)) {
        start_over(p);
        for (int i = 0; i < partitions(p); i++)
            log_unfollow(p->reader, p->source, i);
    }
    atomic_store(&p->stats->active, transactor_active(p->transactor));
}

/* ---- publishing ----------------------------------------------------------------------------- */

static struct err put_event(struct publisher *p, const struct fact *fact, size_t i)
{
    struct cloud_event event;
    const struct decision *d = &fact->decision;
    cloud_event_init(&event, p->service, d, i);
    TRY(transaction_put(p->transactor,
                        &(struct transaction_record){.partition = fact->partition,
                                                     .key = d->target,
                                                     .value = d->events[i].data,
                                                     .headers = event.headers,
                                                     .headers_count = event.headers_count}));
    if (p->events++ == 0)
        p->due_ms = clock_monotonic_ms() + PUBLISHER_BATCH_MS;
    return OK;
}

static struct err put_facts(struct publisher *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct decision *d = &p->facts[i].decision;
        report_trace(d->traceparent);
        for (size_t k = 0; k < d->events_count; k++)
            TRY(put_event(p, &p->facts[i], k));
        if (d->events_count)
            report(REPORT_DEBUG, "published", "service", p->service, "type", report_text(d->type),
                   "events", report_number((int64_t)d->events_count), NULL);
    }
    report_trace(REPORT_UNTRACED);
    return OK;
}

/* What a partition has, up to a full transaction. */
static struct err drain_feed(struct publisher *p, int partition)
{
    struct feed *feed = &p->feeds[partition];
    int64_t before;
    do {
        size_t n;
        before = feed->cursor.next;
        arena_reset(&p->arena);
        struct err e = cursor_read(&feed->cursor, p->reader, &p->arena, p->facts, FACTS_MAX, &n);
        if (err_is_final(e))
            halt(p, partition, e);
        if (e.code != ERR_OK)
            return OK;
        TRY(put_facts(p, n));
    } while (feed->cursor.next != before && p->events < PUBLISHER_BATCH_EVENTS && !stopping(p));
    return OK;
}

static bool moved(const struct feed *feed)
{
    return feed->cursor.done > feed->committed;
}

static bool due(const struct publisher *p)
{
    int64_t now = clock_monotonic_ms();
    if (p->events > 0)
        return p->events >= PUBLISHER_BATCH_EVENTS || now >= p->due_ms || stopping(p);
    if (now < p->quiet_due_ms)
        return false;
    for (int i = 0; i < partitions(p); i++)
        if (moved(&p->feeds[i]))
            return true;
    return false;
}

static struct err commit(struct publisher *p)
{
    struct position positions[PARTITIONS_MAX];
    const int count = partitions(p);
    for (int i = 0; i < count; i++)
        positions[i] = moved(&p->feeds[i]) ? cursor_position(&p->feeds[i].cursor)
                                           : (struct position){-1, PRINT_UNKNOWN};
    TRY(transaction_commit(p->transactor, positions));
    for (int i = 0; i < count; i++)
        if (positions[i].offset >= 0) {
            p->feeds[i].committed = positions[i].offset;
            atomic_store(&p->stats->position[i], positions[i].offset);
        }
    atomic_fetch_add(&p->stats->events, p->events);
    atomic_fetch_add(&p->stats->transactions, 1);
    p->events = 0;
    p->quiet_due_ms = clock_monotonic_ms() + PUBLISHER_QUIET_MS;
    return OK;
}

static struct err publish(struct publisher *p)
{
    p->turn = (p->turn + 1) % partitions(p); /* so that a long backlog starves no other partition */
    for (int i = 0; i < partitions(p) && p->events < PUBLISHER_BATCH_EVENTS; i++) {
        int partition = (p->turn + i) % partitions(p);
        struct feed *feed = &p->feeds[partition];
        if (!feed->halted && !feed->resumed)
            resume_feed(p, partition);
        if (!feed->halted && feed->resumed)
            TRY(drain_feed(p, partition));
    }
    return due(p) ? commit(p) : OK;
}

static int wait_ms(const struct publisher *p)
{
    if (p->events == 0)
        return POLL_MS;
    int64_t left = p->due_ms - clock_monotonic_ms();
    return left < 1 ? 1 : left < POLL_MS ? (int)left : POLL_MS;
}

static void run(struct publisher *p)
{
    while (!stopping(p)) {
        /* 1. Whose turn is it? */
        watch_seat(p);
        if (!transactor_active(p->transactor)) {
            log_wait(p->reader, POLL_MS);
            continue;
        }
        /* 2. Fence the predecessor, go on where the last committed transaction ended. */
        struct err e = p->started ? OK : start(p);
        /* 3. Write what has been decided since; commit it with the position. */
        if (e.code == ERR_OK)
            e = publish(p);
        /* 4. Any doubt: forget everything and ask the broker how it ended. */
        if (e.code != ERR_OK)
            stumble(p, e);
        else
            log_wait(p->reader, wait_ms(p));
    }
    if (p->started && p->events > 0) {
        struct err e = commit(p);
        if (e.code != ERR_OK)
            report(REPORT_WARN, "publisher_stopped_open", "service", p->service, "why",
                   report_err(e), NULL);
    }
}

/* ---- opening -------------------------------------------------------------------------------- */

static struct err find_topics(struct log *log, const char *service, struct log_topic **ret_source,
                              struct log_topic **ret_target)
{
    char name[TOPIC_LEN_MAX];
    snprintf(name, sizeof name, "%s.log", service);
    TRY(log_topic(log, name, ret_source));
    snprintf(name, sizeof name, "%s.events", service);
    return log_topic(log, name, ret_target);
}

static struct err open_all(struct publisher *p)
{
    char group[PUBLISHER_GROUP_MAX];
    publisher_group(p->service, group);
    TRY(log_reader_open(p->log, &p->reader));
    TRY(find_topics(p->log, p->service, &p->source, &p->target));
    return transactor_open(p->log, group, p->source, p->target, p->reader, &p->transactor);
}

static void close_all(struct publisher *p)
{
    transactor_close(p->transactor);
    log_reader_close(p->reader);
    free(p->arena.base);
    free(p);
}

void publisher_group(const char *service, char out[PUBLISHER_GROUP_MAX])
{
    int len = snprintf(out, PUBLISHER_GROUP_MAX, "foldlog.publisher.%s", service);
    assert(len > 0 && len < PUBLISHER_GROUP_MAX);
    (void)len;
}

struct err publisher_run(const struct publisher_options *options)
{
    struct publisher_stats unseen = {0};
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL(ERR_NOMEM, "publisher");
    p->service = options->service;
    p->log = options->log;
    p->stop = options->stop;
    p->stats = options->stats ? options->stats : &unseen;
    p->retry_ms = PUBLISHER_RETRY_MIN_MS;
    p->arena = (struct arena){malloc(ARENA_BYTES), 0, ARENA_BYTES};
    for (int i = 0; i < PARTITIONS_MAX; i++)
        atomic_store(&p->stats->position[i], -1);
    struct err e = p->arena.base ? open_all(p) : FAIL(ERR_NOMEM, "publisher");
    atomic_store(&p->stats->begun, e.code == ERR_OK);
    if (e.code == ERR_OK)
        run(p);
    atomic_store(&p->stats->active, false);
    close_all(p);
    return e;
}

/* ---- the first position --------------------------------------------------------------------- */

static struct err is_empty(struct log_topic *topic, bool *ret_empty)
{
    bool empty = true;
    for (int p = 0; p < log_topic_partitions(topic); p++) {
        int64_t end;
        TRY(log_ends(topic, p, NULL, &end));
        empty = empty && end == 0;
    }
    *ret_empty = empty;
    return OK;
}

static struct err init_offsets(struct log *log, const char *service)
{
    char group[PUBLISHER_GROUP_MAX];
    int64_t offsets[PARTITIONS_MAX], zeros[PARTITIONS_MAX] = {0};
    struct log_topic *source, *target;
    bool empty;
    int known = 0;
    publisher_group(service, group);
    TRY(find_topics(log, service, &source, &target));
    TRY(offsets_read(log, group, source, offsets));
    for (int p = 0; p < log_topic_partitions(source); p++)
        known += offsets[p] >= 0;
    if (known == log_topic_partitions(source))
        return OK;
    TRY(is_empty(target, &empty));
    if (known > 0 || !empty)
        return FAIL(ERR_LOST, "the publisher's position is lost, but not what it published");
    return offsets_write(log, group, source, zeros);
}

/* A topic just made has no leader for a moment. */
struct err publisher_offsets_init(struct log *log, const char *service)
{
    int64_t until = clock_monotonic_ms() + PUBLISHER_INIT_MS;
    struct err e = init_offsets(log, service);
    while (err_class(e) == ERR_CLASS_RETRY && clock_monotonic_ms() < until) {
        usleep(PUBLISHER_RETRY_MIN_MS * 1000);
        e = init_offsets(log, service);
    }
    return e;
}
