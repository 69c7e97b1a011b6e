/* Load, make the next, drop the old; a few times within the time a key is shown ahead. */
#include "runtime/keys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "runtime/clock.h"
#include "runtime/report.h"

enum { LOOKS_AHEAD = 4, LOOK_MAX_MS = 5000, LOOK_MIN_MS = 250, RETRY_MS = 1000 };

struct keys {
    struct keys_options options;
    struct vault_link *link;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool running, stop;
    atomic_bool ready;
};

/* Is it time to show another key? The first signs at once. */
static bool next_is_due(const struct keys_options *o, const struct vault_signing_keys *known,
                        int64_t now, struct vault_signing_key *ret_next)
{
    const struct vault_signing_key *last = known->count ? &known->at[known->count - 1] : NULL;
    if (last && last->signs_from_us + o->rotation_us - o->ahead_us > now)
        return false;
    ret_next->number = last ? last->number + 1 : 1;
    ret_next->signs_from_us = last ? now + o->ahead_us : now;
    return true;
}

/* The first that may still be needed: what signed before the one after it is over with that. */
static int64_t first_needed(const struct vault_signing_keys *known, int64_t now)
{
    const int64_t over = now - (int64_t)(TOKEN_SECONDS + 60) * 1000000;
    size_t i = 0;
    while (i + 1 < known->count && known->at[i + 1].signs_from_us < over)
        i++;
    return known->count ? known->at[i].number : 0;
}

static struct err look(struct keys *keys)
{
    struct vault_signing_keys known;
    struct vault_signing_key next;
    int64_t now = clock_now_us();
    TRY(vault_signing_keys(keys->link, &known));
    if (next_is_due(&keys->options, &known, now, &next)) {
        TRY(token_key_make(next.jwk, sizeof next.jwk));
        TRY(vault_signing_key_add(keys->link, &next));
        seal_wipe(&next, sizeof next);
        TRY(vault_signing_keys_drop(keys->link, first_needed(&known, now)));
        TRY(vault_signing_keys(keys->link, &known));
    }
    struct err e = token_ring_set(keys->options.ring, &known);
    seal_wipe(&known, sizeof known);
    TRY(e);
    TRY(vault_sessions_expire(keys->link));
    atomic_store(&keys->ready, true);
    return OK;
}

static int64_t pause_of(const struct keys *keys, struct err e)
{
    int64_t ms = keys->options.ahead_us / 1000 / LOOKS_AHEAD;
    if (e.code != ERR_OK)
        return RETRY_MS;
    return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : ms;
}

static void *run(void *context)
{
    struct keys *keys = context;
    bool stop = false;
    while (!stop) {
        struct err e = look(keys);
        if (e.code != ERR_OK)
            report(REPORT_WARN, "signing_keys_not_read", "why", report_err(e), NULL);
        struct timespec until;
        int64_t ms = pause_of(keys, e);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += ms % 1000 * 1000000;
        until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&keys->lock);
        if (!keys->stop)
            pthread_cond_timedwait(&keys->news, &keys->lock, &until);
        stop = keys->stop;
        pthread_mutex_unlock(&keys->lock);
    }
    return NULL;
}

struct err keys_start(const struct keys_options *options, struct keys **ret_keys)
{
    struct keys *keys = calloc(1, sizeof *keys);
    if (!keys)
        return FAIL(ERR_NOMEM, "signing keys");
    keys->options = *options;
    pthread_mutex_init(&keys->lock, NULL);
    pthread_cond_init(&keys->news, NULL);
    struct err e = vault_link_open(options->vault, options->databases, &keys->link);
    if (e.code != ERR_OK) {
        keys_stop(keys);
        return e;
    }
    if (pthread_create(&keys->thread, NULL, run, keys) != 0)
        abort();
    keys->running = true;
    *ret_keys = keys;
    return OK;
}

void keys_stop(struct keys *keys)
{
    if (!keys)
        return;
    pthread_mutex_lock(&keys->lock);
    keys->stop = true;
    pthread_cond_broadcast(&keys->news);
    pthread_mutex_unlock(&keys->lock);
    if (keys->running)
        pthread_join(keys->thread, NULL);
    vault_link_close(keys->link);
    pthread_mutex_destroy(&keys->lock);
    pthread_cond_destroy(&keys->news);
    free(keys);
}

bool keys_ready(const struct keys *keys)
{
    return atomic_load(&keys->ready);
}
