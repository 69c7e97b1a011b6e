/* Shared tails: two threads per process, one for commands and one for logs, fetch every followed
 * partition once and keep the newest records in bounded rings; readers copy out of those, or fetch
 * for themselves while further behind. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/clock.h"
#include "runtime/kafka_internal.h"

enum {
    BATCH = 1000,
    TAIL_POLL_MS = 100,
    RESTART_MS = 1000,
    PATIENCE_MIN_MS = 20, /* of a fetch that has just been started */
    PATIENCE_MAX_MS = 1000,
    FOLLOW_STEP = 64, /* partitions that are asked for together */
};

/* Records of one partition, newest kept. Bytes and slots are rings; [first, next) are the offsets
 * held. */
struct slot {
    uint32_t at; /* where its bytes start in the ring, modulo its size */
    uint32_t key_len;
    uint32_t value_len;
};

struct follower {
    struct log_reader *reader;
    int64_t reached; /* it has read up to here */
    int64_t cut_to;  /* and then the partition was cut back to here; INT64_MAX: it was not */
};

struct tail {
    struct log_topic *topic;
    int partition;
    pthread_mutex_t lock;
    int64_t first, next;
    uint64_t head;   /* bytes ever written */
    uint64_t oldest; /* bytes ever dropped */
    char *bytes;
    struct slot *slots;
    struct follower followers[FOLLOWERS_MAX];
    int followers_count;
    rd_kafka_topic_t *handle;
    bool is_stopped; /* it stands in its fetcher's list */
    struct tail *next_stopped;
    int64_t restarted_ms; /* when it was last started again */
};

struct fetcher {
    struct tail *stopped; /* of the thread: librdkafka gave up on them, and they could not be
                             restarted yet */
    int64_t restart_at_ms;
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    pthread_t thread;
    atomic_bool stop;
};

/* A private fetch of one partition by a reader that is behind the tail. */
struct fetch {
    struct log_topic *topic;
    int partition;
    int64_t next; /* offset it delivers next; -1: not running */
    int in_vain;  /* starts since it last delivered a record */
    rd_kafka_topic_t *handle;
    rd_kafka_queue_t *queue; /* its own: librdkafka keeps what a stopped partition has in its queue,
                                ten megabytes, until the queue ends */
};

struct log_reader {
    struct log *log;
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool woken;
    rd_kafka_t *client; /* private fetches; NULL until needed */
    struct fetch *fetches;
    size_t fetches_count;
};

/* ---- rings ---------------------------------------------------------------------------------- */

static struct slot *slot_of(struct tail *t, int64_t offset)
{
    return &t->slots[(uint64_t)offset % TAIL_RING_RECORDS];
}

static void drop_oldest(struct tail *t)
{
    const struct slot *s = slot_of(t, t->first);
    t->oldest += (uint64_t)s->key_len + s->value_len;
    t->first++;
}

static void ring_write(struct tail *t, const void *bytes, size_t len)
{
    size_t at = (size_t)(t->head % TAIL_RING_BYTES);
    size_t run = len < TAIL_RING_BYTES - at ? len : TAIL_RING_BYTES - at;
    if (run)
        memcpy(t->bytes + at, bytes, run);
    if (len > run)
        memcpy(t->bytes, (const char *)bytes + run, len - run);
    t->head += len;
}

static void ring_read(const struct tail *t, uint32_t at, void *out, size_t len)
{
    size_t run = len < TAIL_RING_BYTES - at ? len : TAIL_RING_BYTES - at;
    if (run)
        memcpy(out, t->bytes + at, run);
    if (len > run)
        memcpy((char *)out + run, t->bytes, len - run);
}

static void ring_append(struct tail *t, const rd_kafka_message_t *m)
{
    size_t len = m->key_len + m->len;
    if (len >= TAIL_RING_BYTES) { /* readers fetch it for themselves */
        t->first = t->next = m->offset + 1;
        t->oldest = t->head;
        return;
    }
    if (m->offset != t->next) { /* a gap: what came before is of no use to readers in order */
        t->first = t->next = m->offset;
        t->oldest = t->head;
    }
    while (t->next - t->first >= TAIL_RING_RECORDS || t->head - t->oldest + len > TAIL_RING_BYTES)
        drop_oldest(t);
    *slot_of(t, t->next) = (struct slot){.at = (uint32_t)(t->head % TAIL_RING_BYTES),
                                         .key_len = (uint32_t)m->key_len,
                                         .value_len = (uint32_t)m->len};
    ring_write(t, m->key, m->key_len);
    ring_write(t, m->payload, m->len);
    t->next = m->offset + 1;
}

/* Copies record `offset` into the arena; false when it does not fit. */
static bool ring_copy(struct tail *t, int64_t offset, struct arena *arena,
                      struct log_record *record)
{
    const struct slot *s = slot_of(t, offset);
    size_t len = (size_t)s->key_len + s->value_len;
    char *copy = arena_alloc(arena, len + 1);
    if (!copy)
        return false;
    ring_read(t, s->at, copy, len);
    *record = (struct log_record){offset, {copy, s->key_len}, {copy + s->key_len, s->value_len}};
    return true;
}

/* ---- the thread ----------------------------------------------------------------------------- */

static void poke_followers(struct tail *t)
{
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < t->followers_count; i++)
        log_reader_poke(t->followers[i].reader);
    pthread_mutex_unlock(&t->lock);
}

/* The ring is empty and goes on at `next`. Whoever had read more than the partition holds now is
 * marked. */
static void move_tail(struct tail *t, int64_t next)
{
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < t->followers_count; i++)
        if (next < t->followers[i].reached && next < t->next && next < t->followers[i].cut_to)
            t->followers[i].cut_to = next;
    t->first = t->next = next;
    t->oldest = t->head;
    pthread_mutex_unlock(&t->lock);
    poke_followers(t);
}

/* Starts the tail again in its place, or at the nearest record where retention deleted that or the
 * log was cut back. A broker may say "out of range" of a place that is there: what lies between it
 * and the end must not be passed over. Stopped and started: librdkafka ignores a seek after it has
 * given up. */
static bool restart(const struct fetcher *fetcher, struct tail *t)
{
    int64_t first, end;
    if (log_ends_within(t->topic, t->partition, RESTART_MS, &first, &end).code != ERR_OK)
        return false;
    int64_t place = t->next < first ? first : t->next > end ? end : t->next;
    rd_kafka_consume_stop(t->handle, t->partition);
    if (rd_kafka_consume_start_queue(t->handle, t->partition, place, fetcher->queue) != 0)
        return false;
    if (place != t->next)
        move_tail(t, place);
    return true;
}

/* At most once per second: who is out of range again at once would ask without a pause. */
static void restart_or_note(struct fetcher *fetcher, struct tail *t)
{
    if (t->is_stopped)
        return;
    if (!atomic_load(&fetcher->stop) && clock_monotonic_ms() - t->restarted_ms >= RESTART_MS &&
        restart(fetcher, t)) {
        t->restarted_ms = clock_monotonic_ms();
        return;
    }
    t->is_stopped = true;
    t->next_stopped = fetcher->stopped;
    fetcher->stopped = t;
    fetcher->restart_at_ms = clock_monotonic_ms() + RESTART_MS;
}

static void restart_stopped(struct fetcher *fetcher)
{
    if (!fetcher->stopped || clock_monotonic_ms() < fetcher->restart_at_ms)
        return;
    struct tail *list = fetcher->stopped;
    fetcher->stopped = NULL;
    while (list) {
        struct tail *t = list;
        list = t->next_stopped;
        t->is_stopped = false;
        restart_or_note(fetcher, t);
    }
}

/* NULL for an error that concerns no partition. */
static struct tail *tail_of_message(const rd_kafka_message_t *m)
{
    struct log_topic *topic = m->rkt ? rd_kafka_topic_opaque(m->rkt) : NULL;
    return topic && m->partition >= 0 ? atomic_load(&topic->tails[m->partition]) : NULL;
}

static void take_message(struct fetcher *fetcher, struct tail *t, const rd_kafka_message_t *m)
{
    if (!m->err) {
        pthread_mutex_lock(&t->lock);
        ring_append(t, m);
        pthread_mutex_unlock(&t->lock);
    } else if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
               m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        restart_or_note(fetcher, t);
    }
}

static void take_batch(struct fetcher *fetcher, rd_kafka_message_t **batch, ssize_t n)
{
    struct tail *last = NULL;
    for (ssize_t i = 0; i < n; i++) {
        struct tail *t = tail_of_message(batch[i]);
        if (last && t != last)
            poke_followers(last);
        if (t)
            take_message(fetcher, t, batch[i]);
        last = t;
        rd_kafka_message_destroy(batch[i]);
    }
    if (last)
        poke_followers(last);
}

/* Takes what is there without waiting for a full batch: rd_kafka_consume_batch_queue would wait out
 * its timeout. */
static void *fetcher_run(void *context)
{
    struct fetcher *fetcher = context;
    rd_kafka_message_t *batch[BATCH];
    while (!atomic_load(&fetcher->stop)) {
        restart_stopped(fetcher);
        rd_kafka_message_t *first = rd_kafka_consume_queue(fetcher->queue, TAIL_POLL_MS);
        if (!first)
            continue;
        ssize_t n = 0;
        do
            batch[n++] = first;
        while (n < BATCH && (first = rd_kafka_consume_queue(fetcher->queue, 0)) != NULL);
        take_batch(fetcher, batch, n);
    }
    return NULL;
}

static struct err fetcher_start(struct log *log, struct fetcher **ret_fetcher)
{
    struct fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (!fetcher)
        return FAIL(ERR_NOMEM, "fetcher");
    struct err e = kafka_reader_client(log, "1024", "100", &fetcher->client);
    if (e.code != ERR_OK) {
        free(fetcher);
        return e;
    }
    fetcher->queue = rd_kafka_queue_new(fetcher->client);
    if (pthread_create(&fetcher->thread, NULL, fetcher_run, fetcher) != 0)
        abort();
    *ret_fetcher = fetcher;
    return OK;
}

static void tail_destroy(struct tail *t)
{
    rd_kafka_consume_stop(t->handle, t->partition);
    rd_kafka_topic_destroy(t->handle);
    pthread_mutex_destroy(&t->lock);
    free(t->bytes);
    free(t->slots);
    free(t);
}

static void fetcher_join(struct fetcher *fetcher)
{
    if (!fetcher)
        return;
    atomic_store(&fetcher->stop, true);
    rd_kafka_queue_yield(fetcher->queue);
    pthread_join(fetcher->thread, NULL);
}

static void fetcher_destroy(struct fetcher *fetcher)
{
    if (!fetcher)
        return;
    rd_kafka_queue_destroy(fetcher->queue);
    rd_kafka_destroy(fetcher->client);
    free(fetcher);
}

void tails_stop(struct log *log)
{
    for (int i = 0; i < FETCHERS; i++)
        fetcher_join(log->fetchers[i]);
    for (int i = 0; i < log->topics_count; i++)
        for (int p = 0; p < PARTITIONS_MAX; p++)
            if (log->topics[i].tails[p])
                tail_destroy(log->topics[i].tails[p]);
    for (int i = 0; i < FETCHERS; i++)
        fetcher_destroy(log->fetchers[i]);
}

/* ---- following ------------------------------------------------------------------------------ */

/* From `end` on. */
static struct err tail_start(struct log *log, struct log_topic *topic, int partition, int64_t end)
{
    struct fetcher **fetcher = &log->fetchers[topic->fetcher];
    if (!*fetcher)
        TRY(fetcher_start(log, fetcher));
    struct tail *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(ERR_NOMEM, "tail");
    *t = (struct tail){.topic = topic,
                       .partition = partition,
                       .first = end,
                       .next = end,
                       .bytes = malloc(TAIL_RING_BYTES),
                       .slots = malloc(TAIL_RING_RECORDS * sizeof(struct slot))};
    if (!t->bytes || !t->slots)
        abort();
    pthread_mutex_init(&t->lock, NULL);
    rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
    rd_kafka_topic_conf_set_opaque(conf, topic); /* one per topic: its handles share the first one's
                                                  */
    char text[KAFKA_ERROR_LEN];
    rd_kafka_topic_conf_set(conf, "auto.offset.reset", "error", text, sizeof text);
    t->handle = rd_kafka_topic_new((*fetcher)->client, topic->name, conf);
    assert(t->handle);
    atomic_store(&topic->tails[partition], t);
    if (rd_kafka_consume_start_queue(t->handle, partition, end, (*fetcher)->queue) != 0)
        abort();
    return OK;
}

static struct follower *follower_of(struct tail *t, const struct log_reader *reader)
{
    for (int i = 0; i < t->followers_count; i++)
        if (t->followers[i].reader == reader)
            return &t->followers[i];
    return NULL;
}

static void join_tail(struct log_reader *reader, struct tail *t)
{
    pthread_mutex_lock(&t->lock);
    struct follower *f = follower_of(t, reader);
    if (!f) {
        assert(t->followers_count < FOLLOWERS_MAX);
        f = &t->followers[t->followers_count++];
    }
    *f = (struct follower){reader, 0, INT64_MAX};
    pthread_mutex_unlock(&t->lock);
}

/* Another may have started the tail while we asked. */
static struct err start_missing(struct log *log, const struct log_partition *missing, size_t count,
                                const int64_t *ends)
{
    struct err e = OK;
    pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < count && e.code == ERR_OK; i++)
        if (!atomic_load(&missing[i].topic->tails[missing[i].partition]))
            e = tail_start(log, missing[i].topic, missing[i].partition, ends[i]);
    pthread_mutex_unlock(&log->lock);
    return e;
}

struct err log_follow_all(struct log_reader *reader, const struct log_partition *partitions,
                          size_t count)
{
    UNZEROED struct log_partition missing[FOLLOW_STEP];
    UNZEROED int64_t ends[FOLLOW_STEP];
    for (size_t from = 0; from < count; from += FOLLOW_STEP) {
        size_t step = count - from < FOLLOW_STEP ? count - from : FOLLOW_STEP, n = 0;
        const struct log_partition *p = partitions + from;
        for (size_t i = 0; i < step; i++) {
            assert(p[i].partition >= 0 && p[i].partition < p[i].topic->partitions);
            if (!atomic_load(&p[i].topic->tails[p[i].partition]))
                missing[n++] = p[i];
        }
        TRY(kafka_ends(reader->log, missing, n, ends));
        TRY(start_missing(reader->log, missing, n, ends));
        for (size_t i = 0; i < step; i++)
            join_tail(reader, atomic_load(&p[i].topic->tails[p[i].partition]));
    }
    return OK;
}

struct err log_follow(struct log_reader *reader, struct log_topic *topic, int partition)
{
    return log_follow_all(reader, &(struct log_partition){topic, partition}, 1);
}

int64_t log_seen_end(struct log_reader *reader, struct log_topic *topic, int partition)
{
    (void)reader; /* tails are shared */
    struct tail *t = atomic_load(&topic->tails[partition]);
    assert(t);
    pthread_mutex_lock(&t->lock);
    int64_t end = t->next;
    pthread_mutex_unlock(&t->lock);
    return end;
}

static void unfollow(struct log_reader *reader, struct tail *t)
{
    pthread_mutex_lock(&t->lock);
    struct follower *f = follower_of(t, reader);
    if (f)
        *f = t->followers[--t->followers_count];
    pthread_mutex_unlock(&t->lock);
}

/* ---- private fetches ------------------------------------------------------------------------ */

static struct fetch *fetch_of(struct log_reader *reader, struct log_topic *topic, int partition)
{
    for (size_t i = 0; i < reader->fetches_count; i++)
        if (reader->fetches[i].topic == topic && reader->fetches[i].partition == partition)
            return &reader->fetches[i];
    return NULL;
}

static void fetch_free(const struct fetch *f)
{
    rd_kafka_queue_destroy(f->queue);
    rd_kafka_topic_destroy(f->handle);
}

static void fetch_stop(struct fetch *f)
{
    if (!f || f->next < 0)
        return;
    rd_kafka_consume_stop(f->handle, f->partition);
    fetch_free(f);
    f->next = -1;
}

void log_unfollow(struct log_reader *reader, struct log_topic *topic, int partition)
{
    struct tail *t = atomic_load(&topic->tails[partition]);
    if (t)
        unfollow(reader, t);
    fetch_stop(fetch_of(reader, topic, partition));
}

static struct err fetch_start(struct log_reader *reader, struct fetch *f, int64_t from)
{
    if (!reader->client)
        TRY(kafka_reader_client(reader->log, "1024", "5", &reader->client));
    f->handle = rd_kafka_topic_new(reader->client, f->topic->name, NULL);
    f->queue = rd_kafka_queue_new(reader->client);
    assert(f->handle && f->queue);
    if (rd_kafka_consume_start_queue(f->handle, f->partition, from, f->queue) != 0) {
        struct err e = kafka_fail("start of a fetch", rd_kafka_last_error());
        fetch_free(f);
        return e;
    }
    f->next = from;
    return OK;
}

static struct err fetch_at(struct log_reader *reader, struct log_topic *topic, int partition,
                           int64_t from, struct fetch **ret_fetch)
{
    struct fetch *f = fetch_of(reader, topic, partition);
    if (!f) {
        reader->fetches =
            realloc(reader->fetches, (reader->fetches_count + 1) * sizeof *reader->fetches);
        assert(reader->fetches);
        f = &reader->fetches[reader->fetches_count++];
        *f = (struct fetch){.topic = topic, .partition = partition, .next = -1};
    }
    if (f->next != from) {
        fetch_stop(f);
        TRY(fetch_start(reader, f, from));
    }
    *ret_fetch = f;
    return OK;
}

static bool keep_message(const rd_kafka_message_t *m, struct arena *arena,
                         struct log_record *record)
{
    struct text key = arena_copy(arena, (struct text){m->key, m->key_len});
    struct text value = arena_copy(arena, (struct text){m->payload, m->len});
    *record = (struct log_record){m->offset, key, value};
    return key.at && value.at;
}

static int patience_ms(const struct fetch *f)
{
    int ms = PATIENCE_MIN_MS;
    for (int i = 4; i <= f->in_vain && ms < PATIENCE_MAX_MS; i += 4)
        ms *= 2;
    return ms < PATIENCE_MAX_MS ? ms : PATIENCE_MAX_MS;
}

/* A compressed batch comes whole, also what lies before `from`. */
static rd_kafka_message_t *consume_from(const struct fetch *f, int64_t from)
{
    rd_kafka_message_t *m;
    while ((m = rd_kafka_consume_queue(f->queue, patience_ms(f))) != NULL && !m->err &&
           m->offset < from)
        rd_kafka_message_destroy(m);
    return m;
}

/* The first record at `from`. librdkafka 2.0 stops fetching while its queue is full and may then
 * sleep for a second over an empty one: starting the fetch again wakes it. But an answer of a
 * fetch that was stopped is thrown away, so every fourth start is given twice the patience. */
static struct err fetch_first(struct log_reader *reader, struct log_topic *topic, int partition,
                              int64_t from, struct fetch **ret_fetch,
                              rd_kafka_message_t **ret_message)
{
    int64_t until = clock_monotonic_ms() + log_patience(reader->log, CATCH_UP_WAIT_MS);
    do {
        TRY(fetch_at(reader, topic, partition, from, ret_fetch));
        struct fetch *f = *ret_fetch;
        *ret_message = consume_from(f, from);
        f->in_vain = *ret_message ? 0 : f->in_vain + 1;
        if (!*ret_message)
            fetch_stop(f);
    } while (!*ret_message && clock_monotonic_ms() < until);
    return OK;
}

/* Nothing came, or the broker said "out of range", which it may say of a place that is there: then
 * there is nothing yet. Fails when the broker cannot be asked either. */
static struct err check_there(struct log_topic *topic, int partition, int64_t from, int timeout_ms)
{
    int64_t first, end;
    TRY(log_ends_within(topic, partition, timeout_ms, &first, &end));
    if (from < first || from > end)
        return FAIL(ERR_LOST, "offset is no longer in the log");
    return OK;
}

/* Copies what the fetch has into the arena; stops early, and begins the fetch anew, when the arena
 * is full. */
static struct err fetch_read(struct log_reader *reader, struct log_topic *topic, int partition,
                             int64_t from, struct arena *arena, struct log_record *records,
                             size_t max, size_t *ret_count)
{
    struct fetch *f;
    rd_kafka_message_t *m;
    size_t n = 0;
    struct err e = OK;
    TRY(fetch_first(reader, topic, partition, from, &f, &m));
    while (m) {
        bool kept = !m->err && keep_message(m, arena, &records[n]);
        if (m->err)
            e = kafka_fail("fetch", m->err);
        else if (!kept && n == 0)
            e = FAIL(ERR_MALFORMED, "a record is larger than any of ours");
        if (kept) {
            f->next = m->offset + 1;
            n++;
        }
        rd_kafka_message_destroy(m);
        if (!kept) {
            fetch_stop(f);
            break;
        }
        m = n < max ? rd_kafka_consume_queue(f->queue, 0) : NULL;
    }
    *ret_count = n;
    if (n > 0)
        return OK;
    if (e.code == ERR_LOST)
        return check_there(topic, partition, from, METADATA_TIMEOUT_MS);
    return e.code == ERR_OK ? check_there(topic, partition, from, PATIENCE_MAX_MS) : e;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct err log_reader_open(struct log *log, struct log_reader **ret_reader)
{
    struct log_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return FAIL(ERR_NOMEM, "reader");
    pthread_condattr_t attr;
    reader->log = log;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&reader->news, &attr);
    pthread_condattr_destroy(&attr);
    *ret_reader = reader;
    return OK;
}

void log_reader_close(struct log_reader *reader)
{
    if (!reader)
        return;
    for (int i = 0; i < reader->log->topics_count; i++)
        for (int p = 0; p < reader->log->topics[i].partitions; p++)
            log_unfollow(reader, &reader->log->topics[i], p);
    if (reader->client)
        rd_kafka_destroy(reader->client);
    pthread_cond_destroy(&reader->news);
    pthread_mutex_destroy(&reader->lock);
    free(reader->fetches);
    free(reader);
}

static void reach(struct follower *f, int64_t offset)
{
    if (offset > f->reached)
        f->reached = offset;
}

/* For itself, behind the tail. */
static struct err read_behind(struct log_reader *reader, struct tail *t, int64_t from,
                              struct arena *arena, struct log_record *records, size_t max,
                              size_t *ret_count)
{
    TRY(fetch_read(reader, t->topic, t->partition, from, arena, records, max, ret_count));
    pthread_mutex_lock(&t->lock);
    struct follower *f = follower_of(t, reader);
    if (f)
        reach(f, from + (int64_t)*ret_count);
    pthread_mutex_unlock(&t->lock);
    return OK;
}

struct err log_read(struct log_reader *reader, struct log_topic *topic, int partition, int64_t from,
                    struct arena *arena, struct log_record *records, size_t max, size_t *ret_count)
{
    struct tail *t = atomic_load(&topic->tails[partition]);
    assert(t);
    size_t n = 0;
    pthread_mutex_lock(&t->lock);
    struct follower *f = follower_of(t, reader);
    assert(f);
    bool cut = from > f->cut_to, behind = !cut && from < t->first;
    while (!cut && !behind && n < max && from + (int64_t)n < t->next &&
           ring_copy(t, from + (int64_t)n, arena, &records[n]))
        n++;
    if (!cut && !behind)
        reach(f, from + (int64_t)n);
    bool crowded = !cut && !behind && n == 0 && max > 0 && from < t->next;
    pthread_mutex_unlock(&t->lock);
    assert(!crowded); /* the arena must hold at least one record */
    if (cut)
        return FAIL(ERR_LOST, "the partition was cut back");
    if (behind)
        return read_behind(reader, t, from, arena, records, max, ret_count);
    fetch_stop(fetch_of(reader, topic, partition));
    *ret_count = n;
    return OK;
}

struct err log_read_again(struct log_reader *reader, struct log_topic *topic, int partition,
                          int64_t offset, struct arena *arena, struct log_record *ret_record,
                          size_t *ret_count)
{
    return fetch_read(reader, topic, partition, offset, arena, ret_record, 1, ret_count);
}

void log_forget(struct log_topic *topic, int partition)
{
    struct tail *t = atomic_load(&topic->tails[partition]);
    assert(t);
    pthread_mutex_lock(&t->lock);
    t->first = t->next;
    t->oldest = t->head;
    pthread_mutex_unlock(&t->lock);
}

void log_prefetch(struct log_reader *reader, struct log_topic *topic, int partition, int64_t from,
                  bool again)
{
    struct tail *t = atomic_load(&topic->tails[partition]);
    struct fetch *f;
    assert(t);
    pthread_mutex_lock(&t->lock);
    bool behind = from < t->first;
    pthread_mutex_unlock(&t->lock);
    if (!behind && !again)
        return;
    struct err e = fetch_at(reader, topic, partition, from, &f);
    (void)e; /* whoever reads meets it again */
}

void log_reader_poke(struct log_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    if (!reader->woken) {
        reader->woken = true;
        pthread_cond_signal(&reader->news);
    }
    pthread_mutex_unlock(&reader->lock);
}

void log_wake(struct log_reader *reader)
{
    log_reader_poke(reader);
}

void log_wait(struct log_reader *reader, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&reader->lock);
    while (!reader->woken &&
           pthread_cond_timedwait(&reader->news, &reader->lock, &until) != ETIMEDOUT)
        ;
    reader->woken = false;
    pthread_mutex_unlock(&reader->lock);
}
