/* A bounded memory of catalogue rows, in sets of a few entries. An entry knows the newest version
 * of its product that the log has told; a row older than that is not kept. What is evicted is
 * forgotten with its version, so a row that was read while something was evicted is not kept
 * either. Nothing is kept before the read model has reached the place from which on the log is
 * followed. */
#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "core/partition.h"
#include "runtime/api_internal.h"
#include "runtime/clock.h"

enum { WAYS = 4, SETS = API_CATALOGUE_ENTRIES_MAX / WAYS, POLL_MS = 10 };

struct entry {
    struct catalogue_fact fact; /* fact.version < seen: stale, or never read */
    int64_t seen;               /* newest version the log has told; 0 with key_len 0: free */
    bool told;                  /* by the log: the row in the database may be older */
    uint64_t used;
    uint8_t key_len;
    char key[KEY_LEN_MAX];
};

struct api_cache {
    const struct catalogue *catalogue;
    struct log_topic *source;
    pthread_mutex_t lock;
    struct entry *entries; /* SETS * WAYS */
    uint64_t clock;
    uint64_t forgotten;               /* rises with each eviction and restart */
    int64_t followed[PARTITIONS_MAX]; /* the log has told everything below */
    int64_t from[PARTITIONS_MAX];     /* what was told below is forgotten in part */
    bool started[PARTITIONS_MAX];
    bool primed; /* the read model has passed all of these: its rows may be kept */
};

struct err cache_create(const struct catalogue *catalogue, struct log_topic *source,
                        struct api_cache **ret_cache)
{
    struct api_cache *cache = calloc(1, sizeof *cache);
    struct entry *entries = calloc((size_t)SETS * WAYS, sizeof *entries);
    if (!cache || !entries) {
        free(cache);
        free(entries);
        return FAIL(ERR_NOMEM, "catalogue cache");
    }
    *cache = (struct api_cache){.catalogue = catalogue, .source = source, .entries = entries};
    pthread_mutex_init(&cache->lock, NULL);
    *ret_cache = cache;
    return OK;
}

void cache_destroy(struct api_cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_destroy(&cache->lock);
    free(cache->entries);
    free(cache);
}

const struct catalogue *cache_catalogue(const struct api_cache *cache)
{
    return cache->catalogue;
}

struct api_cache *cache_of(struct api *api, const struct catalogue *catalogue)
{
    for (size_t i = 0; i < api->caches_count; i++)
        if (api->caches[i]->catalogue == catalogue)
            return api->caches[i];
    return NULL;
}

/* ---- under the lock ---- */

static struct entry *set_of(struct api_cache *cache, struct text key)
{
    return &cache->entries[(size_t)(murmur2(key) % SETS) * WAYS];
}

static struct entry *find(struct api_cache *cache, struct text key)
{
    struct entry *set = set_of(cache, key);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].key_len && text_equal(key, (struct text){set[i].key, set[i].key_len}))
            return &set[i];
    return NULL;
}

/* What was told so far is forgotten in part, so rows are kept again only when the read model has
 * passed it. */
static void forget_told(struct api_cache *cache)
{
    memcpy(cache->from, cache->followed, sizeof cache->from);
    cache->primed = false;
    cache->forgotten++;
}

static struct entry *make(struct api_cache *cache, struct text key)
{
    struct entry *set = set_of(cache, key), *oldest = set;
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < oldest->used)
            oldest = &set[i];
    if (oldest->told)
        forget_told(cache);
    else
        cache->forgotten += oldest->key_len > 0;
    *oldest = (struct entry){.key_len = (uint8_t)key.len, .used = ++cache->clock};
    memcpy(oldest->key, key.at, key.len);
    return oldest;
}

static bool fresh(const struct entry *entry)
{
    return entry && entry->fact.known && entry->fact.version >= entry->seen;
}

/* ---- news ---- */

bool cache_find(struct api_cache *cache, const struct text *keys, size_t count,
                struct catalogue_fact *ret_facts)
{
    bool all = true;
    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = find(cache, keys[i]);
        bool hit = fresh(entry);
        ret_facts[i] = hit ? entry->fact : (struct catalogue_fact){0};
        if (hit)
            entry->used = ++cache->clock;
        all &= hit;
    }
    pthread_mutex_unlock(&cache->lock);
    return all;
}

static void follow(struct api_cache *cache, int partition, int64_t offset)
{
    if (offset >= cache->followed[partition])
        cache->followed[partition] = offset + 1;
}

void cache_unreadable(struct api_cache *cache, struct text key, int partition, int64_t offset)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key);
    follow(cache, partition, offset);
    if (entry)
        *entry = (struct entry){0};
    forget_told(cache);
    pthread_mutex_unlock(&cache->lock);
}

void cache_news(struct api_cache *cache, struct text key, const struct event *event)
{
    struct catalogue_fact next;
    if (key.len == 0 || key.len > KEY_LEN_MAX)
        return;
    pthread_mutex_lock(&cache->lock);
    follow(cache, event->partition, event->offset);
    struct entry *entry = find(cache, key);
    next = entry ? entry->fact : (struct catalogue_fact){0};
    if (cache->catalogue->apply(&next, event)) {
        if (!entry)
            entry = make(cache, key);
        if (next.version == entry->fact.version + 1) /* also the first: from nothing to 1 */
            entry->fact = next;
        if (next.version > entry->seen)
            entry->seen = next.version;
        entry->told = true;
    }
    pthread_mutex_unlock(&cache->lock);
}

void cache_restart(struct api_cache *cache, int partition, int64_t offset)
{
    pthread_mutex_lock(&cache->lock);
    memset(cache->entries, 0, (size_t)SETS * WAYS * sizeof *cache->entries);
    cache->followed[partition] = offset;
    cache->from[partition] = offset;
    cache->started[partition] = true;
    cache->primed = false;
    cache->forgotten++;
    pthread_mutex_unlock(&cache->lock);
}

/* ---- reading rows ---- */

/* Rows may be kept from when the read model has passed where following began. */
static struct err prime(struct api_cache *cache, struct api_reader *reader)
{
    int64_t from[PARTITIONS_MAX];
    bool started = true, passed;
    pthread_mutex_lock(&cache->lock);
    bool primed = cache->primed;
    uint64_t forgotten = cache->forgotten;
    memcpy(from, cache->from, sizeof from);
    for (int p = 0; p < log_topic_partitions(cache->source); p++)
        started &= cache->started[p];
    pthread_mutex_unlock(&cache->lock);
    if (primed || !started)
        return OK;
    TRY(reader_reached(reader, cache->catalogue->service, cache->catalogue->model, cache->source,
                       from, &passed));
    pthread_mutex_lock(&cache->lock);
    if (passed && cache->forgotten == forgotten)
        cache->primed = true;
    pthread_mutex_unlock(&cache->lock);
    return OK;
}

/* What the cache was like before a row was read. */
struct before {
    bool primed;
    uint64_t forgotten;
};

static struct before look(struct api_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    struct before before = {cache->primed, cache->forgotten};
    pthread_mutex_unlock(&cache->lock);
    return before;
}

/* Keeps the row if nothing newer is known. False: the log has told of a newer version. */
static bool keep(struct api_cache *cache, struct text key, const struct catalogue_fact *fact,
                 struct before before)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, key);
    bool newest = !entry || fact->version >= entry->seen;
    if (newest && before.primed && cache->forgotten == before.forgotten) {
        if (!entry)
            entry = make(cache, key);
        entry->fact = *fact;
        entry->seen = fact->version;
        entry->told = false;
        entry->used = ++cache->clock;
    }
    pthread_mutex_unlock(&cache->lock);
    return newest;
}

static struct err read_row(struct api_cache *cache, struct api_reader *reader, struct text key,
                           struct catalogue_fact *ret_fact)
{
    const struct query_value value = QUERY_TEXT(key);
    struct query_rows rows;
    TRY(reader_ask(reader, cache->catalogue->service, cache->catalogue->sql, &value, 1, &rows));
    *ret_fact = (struct catalogue_fact){0};
    if (rows.count && !cache->catalogue->read(rows.values, ret_fact))
        return FAIL(ERR_MALFORMED, "row of a catalogue");
    return OK;
}

static void pause_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Reads until the row is as new as what the log has told, for a moment; the last one read must do
 * then. */
static struct err load_one(struct api_cache *cache, struct api_reader *reader, struct text key,
                           struct catalogue_fact *ret_fact)
{
    int64_t until = clock_monotonic_ms() + API_STALE_WAIT_MS;
    TRY(prime(cache, reader));
    for (;;) {
        struct before before = look(cache);
        TRY(read_row(cache, reader, key, ret_fact));
        if (!ret_fact->known || keep(cache, key, ret_fact, before) || clock_monotonic_ms() > until)
            return OK;
        if (cache_find(cache, &key, 1, ret_fact)) /* the log told the rest meanwhile */
            return OK;
        pause_ms(POLL_MS);
    }
}

static enum problem load_missing(struct api_cache *cache, struct api_reader *reader,
                                 const struct text *keys, size_t count,
                                 struct catalogue_fact *facts, bool *ret_all)
{
    *ret_all = true;
    for (size_t i = 0; i < count; i++) {
        struct err e = facts[i].known ? OK : load_one(cache, reader, keys[i], &facts[i]);
        if (e.code != ERR_OK)
            return reader_problem(e);
        *ret_all &= facts[i].known;
    }
    return PROBLEM_NONE;
}

enum problem cache_load(struct api_cache *cache, struct api_reader *reader, const struct text *keys,
                        size_t count, struct catalogue_fact *facts)
{
    bool all = cache_find(cache, keys, count, facts);
    enum problem problem =
        all ? PROBLEM_NONE : load_missing(cache, reader, keys, count, facts, &all);
    if (problem != PROBLEM_NONE || all)
        return problem;
    problem =
        reader_reach_end(reader, cache->catalogue->service, cache->catalogue->model, cache->source);
    return problem ? problem : load_missing(cache, reader, keys, count, facts, &all);
}
