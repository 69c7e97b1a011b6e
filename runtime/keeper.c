/* One loop: read the valid decisions of user.log, do what they ask for, keep the position. */
#include "runtime/keeper.h"

#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/cursor.h"
#include "runtime/report.h"
#include "runtime/revocation.h"
#include "runtime/vault.h"
#include "schemas/user.h"

enum { FACTS_MAX = 128, READ_BYTES = 1024 * 1024, IDLE_MS = 200, RETRY_MS = 1000 };

struct keeper {
    const struct keeper_options *options;
    struct vault *vault;
    struct vault_link *link;
    struct revocations *revocations;
    struct log_topic *topic;
    struct log_reader *reader;
    struct cursor cursors[PARTITIONS_MAX];
    struct arena reading, unit;
};

/* Tokens of long ago have expired by themselves. */
static struct err publish(struct keeper *k, enum revocation_kind kind, struct uuid id, int64_t at,
                          struct uuid spared)
{
    if (kind != REVOKE_SUBJECT && at < clock_now_us() - (int64_t)2 * TOKEN_SECONDS * 1000000)
        return OK;
    return revocations_publish(
        k->revocations,
        &(struct revocation){.kind = kind, .id = id, .not_before = at, .spared = spared});
}

static struct err end_sessions(struct keeper *k, struct uuid user_id, int64_t at,
                               struct uuid spared)
{
    int64_t count;
    TRY(vault_sessions_end(k->link, user_id, at, spared, &count));
    return publish(k, REVOKE_USER, user_id, at, spared);
}

static struct err erase(struct keeper *k, struct uuid user_id, int64_t at)
{
    bool was;
    TRY(vault_erase(k->link, user_id, &was));
    TRY(publish(k, REVOKE_SUBJECT, user_id, at, (struct uuid){{0}}));
    return end_sessions(k, user_id, at, (struct uuid){{0}});
}

static struct err act(struct keeper *k, const struct user_event *e, int64_t at)
{
    const struct uuid none = {{0}};
    switch (e->tag) {
    case USER_EVENT_REGISTERED_V1:
    case USER_EVENT_PROFILE_CHANGED_V1:
        return OK;
    case USER_EVENT_PASSWORD_CHANGED_V1:
        return end_sessions(
            k, e->as.password_changed_v1.user_id, at,
            e->as.password_changed_v1.has_session ? e->as.password_changed_v1.session : none);
    case USER_EVENT_ROLES_CHANGED_V1:
        return publish(k, REVOKE_USER, e->as.roles_changed_v1.user_id, at, none);
    case USER_EVENT_STATUS_CHANGED_V1:
        return end_sessions(k, e->as.status_changed_v1.user_id, at, none);
    case USER_EVENT_ERASED_V1:
        return erase(k, e->as.erased_v1.user_id, at);
    }
    return OK;
}

static struct err act_on(struct keeper *k, const struct decision *decision)
{
    for (size_t i = 0; i < decision->events_count; i++) {
        struct json_report json = {0};
        struct user_event event;
        arena_reset(&k->unit);
        if (!message_decode(&user_events, decision->events[i].type, decision->events[i].data,
                            &k->unit, &event, &json))
            return FAIL(ERR_UNKNOWN_TYPE, "event of user.log");
        TRY(act(k, &event, decision->at));
    }
    return OK;
}

/* The position moves when all of a batch is done. */
static struct err read_one(struct keeper *k, int partition, size_t *ret_count)
{
    struct cursor *cursor = &k->cursors[partition];
    struct fact facts[FACTS_MAX];
    *ret_count = 0;
    arena_reset(&k->reading);
    TRY(cursor_read(cursor, k->reader, &k->reading, facts, FACTS_MAX, ret_count));
    for (size_t i = 0; i < *ret_count; i++)
        TRY(act_on(k, &facts[i].decision));
    return *ret_count ? vault_position_set(k->link, partition, cursor_position(cursor)) : OK;
}

static struct err follow(struct keeper *k)
{
    struct position from;
    for (int i = 0; i < log_topic_partitions(k->topic); i++) {
        TRY(vault_position(k->link, i, &from));
        TRY(cursor_resume(&k->cursors[i], k->reader, k->topic, i, from));
    }
    while (!atomic_load(k->options->stop)) {
        size_t all = 0, n;
        for (int i = 0; i < log_topic_partitions(k->topic); i++, all += n)
            TRY(read_one(k, i, &n));
        if (all == 0)
            log_wait(k->reader, IDLE_MS);
    }
    return OK;
}

/* What has been erased elsewhere is not remembered here. */
static void forget(void *context, struct uuid subject)
{
    (void)context, (void)subject;
}

static struct err open_keeper(struct keeper *k)
{
    const struct keeper_options *o = k->options;
    k->reading = (struct arena){aligned_alloc(16, READ_BYTES), 0, READ_BYTES};
    k->unit = (struct arena){aligned_alloc(16, UNIT_ARENA_BYTES), 0, UNIT_ARENA_BYTES};
    if (!k->reading.base || !k->unit.base)
        return FAIL(ERR_NOMEM, "keeper");
    TRY(seal_init());
    TRY(vault_create(&o->master_key, &k->vault));
    TRY(vault_link_open(k->vault, o->databases, &k->link));
    TRY(log_topic(o->log, "user.log", &k->topic));
    TRY(log_reader_open(o->log, &k->reader));
    return revocations_start(o->log, forget, NULL, &k->revocations);
}

static void close_keeper(struct keeper *k)
{
    revocations_stop(k->revocations);
    if (k->reader)
        log_reader_close(k->reader);
    vault_link_close(k->link);
    vault_destroy(k->vault);
    free(k->reading.base);
    free(k->unit.base);
}

/* Trouble is waited out, and told: nothing is skipped. */
struct err keeper_run(const struct keeper_options *options)
{
    struct keeper k = {.options = options};
    struct err e = open_keeper(&k);
    atomic_store(options->begun, e.code == ERR_OK);
    while (e.code == ERR_OK && !atomic_load(options->stop)) {
        struct err trouble = follow(&k);
        if (trouble.code == ERR_OK)
            break;
        report(REPORT_WARN, "keeper_waits", "why", report_err(trouble), NULL);
        log_wait(k.reader, RETRY_MS);
    }
    close_keeper(&k);
    return e;
}
