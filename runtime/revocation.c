/* One thread appends and reads the topic; a table of open addressing is what the others ask. */
#include "runtime/revocation.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/partition.h"
#include "runtime/clock.h"
#include "runtime/report.h"
#include "schemas/platform.h"

enum {
    SLOTS = 2 * REVOCATIONS_MAX, /* half of them stay free */
    RECORDS_MAX = 256,
    ARENA_BYTES = 512 * 1024,
    RECORD_MAX = 512,
    IDLE_MS = 500,
    REOPEN_MS = 1000,
    PULSE_TIMEOUT_MS = 2000, /* of one question */
    PULSE_RETRY_MS = 500,
    LIFE_S = TOKEN_SECONDS + 60,
};

struct publication {
    struct publication *next;
    uint64_t tag;
    int partition;
    char key[UUID_TEXT_LEN + 1];
    char record[RECORD_MAX];
    size_t len;
    bool done;
    struct err result;
};

struct slot {
    struct revocation what;    /* kind 0: free */
    int64_t spared_not_before; /* what holds for the spared session: an earlier revocation */
};

struct follow {
    int64_t next;  /* offset */
    int64_t start; /* the end when following began */
    int64_t told;  /* the end at the last pulse */
    bool open;
};

struct revocations {
    struct log_topic *topic;
    struct log_reader *reader;
    struct log_producer *producer;
    void (*subject)(void *context, struct uuid subject);
    void *context;
    pthread_t thread;
    bool running;
    atomic_bool stop, ready;
    _Atomic int64_t known_ms; /* monotonic: all that was revoked until then is known */
    int64_t pulse_ms;         /* when the ends told last were asked for; 0: not yet */
    int64_t pulse_due_ms;
    struct follow follow[PARTITIONS_MAX];
    int64_t retry_at_ms;
    struct arena arena;
    pthread_mutex_t queue_lock;
    pthread_cond_t news; /* a publication is done */
    struct publication *queue, *under_way;
    size_t queued;
    uint64_t tags;
    pthread_rwlock_t lock; /* the table */
    struct slot *slots;
    size_t used;
    int64_t floor_us; /* no token issued until then counts */
};

/* ---- the table, under its lock ---- */

static size_t place(const struct revocations *r, enum revocation_kind kind, struct uuid id)
{
    size_t at;
    memcpy(&at, id.bytes + 8, sizeof at);
    for (at %= SLOTS; r->slots[at].what.kind; at = (at + 1) % SLOTS)
        if (r->slots[at].what.kind == kind && uuid_equal(r->slots[at].what.id, id))
            break;
    return at;
}

/* Leaves out what has expired by itself. Too much is left: whoever is older must log in again. */
static void sweep(struct revocations *r)
{
    struct slot *old = r->slots;
    int64_t now = clock_now_us(), dead = now - (int64_t)LIFE_S * 1000000;
    r->slots = calloc(SLOTS, sizeof *r->slots);
    assert(r->slots);
    r->used = 0;
    for (size_t i = 0; i < SLOTS; i++)
        if (old[i].what.kind && old[i].what.not_before > dead) {
            r->slots[place(r, old[i].what.kind, old[i].what.id)] = old[i];
            r->used++;
        }
    free(old);
    if (r->used < REVOCATIONS_MAX)
        return;
    memset(r->slots, 0, SLOTS * sizeof *r->slots);
    r->used = 0;
    r->floor_us = now;
}

static int64_t bound_of(const struct slot *slot, struct uuid session)
{
    if (!slot->what.kind)
        return 0;
    return !uuid_is_nil(slot->what.spared) && uuid_equal(slot->what.spared, session)
               ? slot->spared_not_before
               : slot->what.not_before;
}

/* The later one says whom it spares; from the earlier one it spares nobody. In either order. */
static void merge(struct slot *slot, const struct slot *other)
{
    bool later = !slot->what.kind || other->what.not_before >= slot->what.not_before;
    struct slot merged = later ? *other : *slot;
    int64_t earlier = bound_of(later ? slot : other, merged.what.spared);
    if (earlier > merged.spared_not_before)
        merged.spared_not_before = earlier;
    *slot = merged;
}

static void add(struct revocations *r, const struct revocation *what)
{
    pthread_rwlock_wrlock(&r->lock);
    if (r->used >= REVOCATIONS_MAX)
        sweep(r);
    struct slot *slot = &r->slots[place(r, what->kind, what->id)];
    r->used += !slot->what.kind;
    merge(slot, &(struct slot){.what = *what});
    pthread_rwlock_unlock(&r->lock);
}

bool revocations_hit(struct revocations *r, const struct token_claims *claims)
{
    pthread_rwlock_rdlock(&r->lock);
    const struct slot *user = &r->slots[place(r, REVOKE_USER, claims->user_id)];
    const struct slot *session = &r->slots[place(r, REVOKE_SESSION, claims->session)];
    bool hit = claims->issued_us <= r->floor_us || session->what.kind ||
               claims->issued_us <= bound_of(user, claims->session);
    pthread_rwlock_unlock(&r->lock);
    return hit;
}

/* ---- records ---- */

static enum revocation_kind kind_of(enum platform_revocation_kind kind)
{
    switch (kind) {
    case PLATFORM_REVOCATION_KIND_SESSION:
        return REVOKE_SESSION;
    case PLATFORM_REVOCATION_KIND_USER:
        return REVOKE_USER;
    case PLATFORM_REVOCATION_KIND_SUBJECT:
        return REVOKE_SUBJECT;
    }
    return 0;
}

static bool encode(const struct revocation *what, struct publication *p)
{
    struct json_report report = {0};
    struct json_out out = {.at = p->record, .size = sizeof p->record};
    const struct platform_revocation value = {
        .kind = (enum platform_revocation_kind)what->kind,
        .id = what->id,
        .not_before = what->not_before,
        .has_spared_session = !uuid_is_nil(what->spared),
        .spared_session = what->spared,
    };
    if (!json_encode(&platform_revocation_shape, &value, JSON_WHOLE, &out, &report) ||
        out.used > sizeof p->record)
        return false;
    p->len = out.used;
    uuid_format(what->id, p->key);
    return true;
}

static void learn(struct revocations *r, struct text record)
{
    _Alignas(16) char memory[RECORD_MAX * 4];
    struct arena arena = {memory, 0, sizeof memory};
    struct json_report json = {0};
    struct platform_revocation value;
    if (!json_decode(&platform_revocation_shape, record, &arena, &value, &json)) {
        report(REPORT_ERROR, "revocation_undecodable", NULL);
        return;
    }
    const struct revocation what = {.kind = kind_of(value.kind),
                                    .id = value.id,
                                    .not_before = value.not_before,
                                    .spared = value.has_spared_session ? value.spared_session
                                                                       : (struct uuid){{0}}};
    if (what.kind == REVOKE_SUBJECT)
        r->subject(r->context, what.id);
    else if (what.not_before > clock_now_us() - (int64_t)LIFE_S * 1000000)
        add(r, &what);
}

/* ---- publishing ---- */

static void settle(struct revocations *r, struct publication *p, struct err result)
{
    pthread_mutex_lock(&r->queue_lock);
    p->done = true;
    p->result = result;
    r->queued--;
    pthread_cond_broadcast(&r->news);
    pthread_mutex_unlock(&r->queue_lock);
}

static void reported(void *context, uint64_t tag, int64_t offset, struct err err)
{
    struct revocations *r = context;
    (void)offset;
    for (struct publication **at = &r->under_way; *at; at = &(*at)->next)
        if ((*at)->tag == tag) {
            struct publication *p = *at;
            *at = p->next;
            settle(r, p, err);
            return;
        }
}

static void append_queued(struct revocations *r)
{
    pthread_mutex_lock(&r->queue_lock);
    struct publication *list = r->queue;
    r->queue = NULL;
    pthread_mutex_unlock(&r->queue_lock);
    while (list) {
        struct publication *p = list;
        list = p->next;
        p->tag = ++r->tags;
        p->next = r->under_way;
        r->under_way = p;
        struct err e = producer_append(r->producer, r->topic, p->partition, text_of(p->key),
                                       (struct text){p->record, p->len}, p->tag);
        if (e.code != ERR_OK)
            reported(r, p->tag, -1, e);
    }
}

struct err revocations_publish(struct revocations *r, const struct revocation *what)
{
    struct publication *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL(ERR_NOMEM, "revocation");
    if (!encode(what, p)) {
        free(p);
        return FAIL(ERR_INVALID, "revocation");
    }
    p->partition = partition_of(text_of(p->key), log_topic_partitions(r->topic));
    pthread_mutex_lock(&r->queue_lock);
    bool room = r->queued < REVOCATION_QUEUE_MAX && !atomic_load(&r->stop);
    if (room) {
        r->queued++;
        p->next = r->queue;
        r->queue = p;
        log_wake(r->reader);
        while (!p->done) /* the producer gives up by itself */
            pthread_cond_wait(&r->news, &r->queue_lock);
    }
    pthread_mutex_unlock(&r->queue_lock);
    struct err result = room ? p->result : FAIL(ERR_FULL, "revocations");
    free(p);
    if (result.code == ERR_OK && what->kind != REVOKE_SUBJECT)
        add(r, what);
    return result;
}

/* ---- reading ---- */

static void open_all(struct revocations *r)
{
    for (int i = 0; i < log_topic_partitions(r->topic); i++) {
        struct follow *f = &r->follow[i];
        if (f->open)
            continue;
        struct err e = log_ends(r->topic, i, &f->next, &f->start);
        if (e.code == ERR_OK)
            e = log_follow(r->reader, r->topic, i);
        f->open = e.code == ERR_OK;
        if (!f->open) {
            report(REPORT_WARN, "revocations_not_read", "why", report_err(e), NULL);
            r->retry_at_ms = clock_monotonic_ms() + REOPEN_MS;
            return;
        }
    }
}

/* Returns how many records it met. */
static size_t read_one(struct revocations *r, int partition)
{
    struct follow *f = &r->follow[partition];
    struct log_record records[RECORDS_MAX];
    size_t n = 0;
    arena_reset(&r->arena);
    struct err e =
        log_read(r->reader, r->topic, partition, f->next, &r->arena, records, RECORDS_MAX, &n);
    if (e.code != ERR_OK && err_class(e) != ERR_CLASS_RETRY) {
        report(REPORT_WARN, "revocations_broken_off", "why", report_err(e), NULL);
        log_unfollow(r->reader, r->topic, partition);
        f->open = false;
        r->retry_at_ms = clock_monotonic_ms() + REOPEN_MS;
    }
    if (e.code != ERR_OK)
        return 0;
    for (size_t i = 0; i < n; i++)
        learn(r, records[i].value);
    if (n)
        f->next = records[n - 1].offset + 1;
    return n;
}

/* Asks for the ends of the topic: whoever has read to them knows all that was revoked before. A
 * broker that is cut off says nothing to a reader, as one with no news. */
static void feel_pulse(struct revocations *r)
{
    int64_t began_ms = clock_monotonic_ms();
    if (began_ms < r->pulse_due_ms)
        return;
    for (int i = 0; i < log_topic_partitions(r->topic); i++) {
        struct follow *f = &r->follow[i];
        if (!f->open || atomic_load(&r->stop) ||
            log_ends_within(r->topic, i, PULSE_TIMEOUT_MS, NULL, &f->told).code != ERR_OK) {
            r->pulse_due_ms = clock_monotonic_ms() + PULSE_RETRY_MS;
            return;
        }
    }
    r->pulse_ms = began_ms;
    r->pulse_due_ms = began_ms + REVOCATION_PULSE_MS;
}

/* Has everything been read that the last pulse told of? */
static void note_known(struct revocations *r)
{
    for (int i = 0; i < log_topic_partitions(r->topic); i++)
        if (!r->follow[i].open || r->follow[i].next < r->follow[i].told)
            return;
    if (r->pulse_ms > atomic_load(&r->known_ms))
        atomic_store(&r->known_ms, r->pulse_ms);
}

static void read_all(struct revocations *r)
{
    bool ready = true;
    if (clock_monotonic_ms() >= r->retry_at_ms)
        open_all(r);
    feel_pulse(r);
    for (int i = 0; i < log_topic_partitions(r->topic); i++) {
        while (r->follow[i].open && read_one(r, i) > 0)
            ;
        ready &= r->follow[i].open && r->follow[i].next >= r->follow[i].start;
    }
    note_known(r);
    atomic_store(&r->ready, ready);
}

/* ---- the thread ---- */

static void *run(void *context)
{
    struct revocations *r = context;
    while (!atomic_load(&r->stop)) {
        append_queued(r);
        producer_poll(r->producer, 0);
        read_all(r);
        log_wait(r->reader, r->under_way || !atomic_load(&r->ready) ? 5 : IDLE_MS);
    }
    append_queued(r);
    while (r->under_way)
        producer_poll(r->producer, IDLE_MS);
    return NULL;
}

static struct err start(struct revocations *r, struct log *log)
{
    TRY(log_topic(log, REVOCATIONS_TOPIC, &r->topic));
    TRY(log_reader_open(log, &r->reader));
    TRY(producer_open(log, reported, r, r->reader, &r->producer));
    if (pthread_create(&r->thread, NULL, run, r) != 0)
        abort();
    r->running = true;
    return OK;
}

struct err revocations_start(struct log *log, void (*subject)(void *context, struct uuid subject),
                             void *context, struct revocations **ret_revocations)
{
    struct revocations *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL(ERR_NOMEM, "revocations");
    r->subject = subject;
    r->context = context;
    atomic_store(&r->known_ms, clock_monotonic_ms());
    r->slots = calloc(SLOTS, sizeof *r->slots);
    r->arena = (struct arena){aligned_alloc(16, ARENA_BYTES), 0, ARENA_BYTES};
    pthread_mutex_init(&r->queue_lock, NULL);
    pthread_cond_init(&r->news, NULL);
    pthread_rwlock_init(&r->lock, NULL);
    struct err e = r->slots && r->arena.base ? start(r, log) : FAIL(ERR_NOMEM, "revocations");
    if (e.code != ERR_OK) {
        revocations_stop(r);
        return e;
    }
    *ret_revocations = r;
    return OK;
}

void revocations_stop(struct revocations *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->queue_lock);
    atomic_store(&r->stop, true);
    pthread_mutex_unlock(&r->queue_lock);
    if (r->running) {
        log_wake(r->reader);
        pthread_join(r->thread, NULL);
    }
    producer_close(r->producer);
    if (r->reader)
        log_reader_close(r->reader);
    pthread_mutex_destroy(&r->queue_lock);
    pthread_cond_destroy(&r->news);
    pthread_rwlock_destroy(&r->lock);
    free(r->slots);
    free(r->arena.base);
    free(r);
}

int64_t revocations_silence_ms(const struct revocations *r)
{
    return clock_monotonic_ms() - atomic_load(&r->known_ms);
}

bool revocations_ready(struct revocations *r)
{
    return atomic_load(&r->ready) && revocations_silence_ms(r) < REVOCATION_SILENCE_MS;
}
