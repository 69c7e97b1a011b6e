/* Subject keys: a bounded memory before the table. */
#include "runtime/vault.h"

#include <pthread.h>
#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/store.h"
#include "runtime/vault_internal.h"

enum { WAYS = 4, SETS = VAULT_CACHE_KEYS_MAX / WAYS };

/* A tombstone is a subject key that is NULL: it cannot be made again beside it. */
const char vault_tables_sql[] =
    "CREATE TABLE IF NOT EXISTS subject_key ("
    " subject uuid PRIMARY KEY, sealed text, made_at timestamptz NOT NULL DEFAULT now(),"
    " erased_at timestamptz, CHECK ((sealed IS NULL) = (erased_at IS NOT NULL)));"
    "CREATE TABLE IF NOT EXISTS session ("
    " session uuid PRIMARY KEY, user_id uuid NOT NULL, user_key uuid NOT NULL,"
    " opened_at timestamptz NOT NULL, expires_at timestamptz NOT NULL);"
    "CREATE INDEX IF NOT EXISTS session_of_user ON session (user_id, opened_at);"
    "CREATE INDEX IF NOT EXISTS session_by_end ON session (expires_at);"
    "CREATE TABLE IF NOT EXISTS refresh_token ("
    " hash text PRIMARY KEY, session uuid NOT NULL REFERENCES session ON DELETE CASCADE,"
    " used_at timestamptz);"
    "CREATE INDEX IF NOT EXISTS refresh_token_of_session ON refresh_token (session);"
    "CREATE TABLE IF NOT EXISTS signing_key ("
    " number bigint PRIMARY KEY, sealed text NOT NULL, signs_from timestamptz NOT NULL,"
    " made_at timestamptz NOT NULL DEFAULT now());"
    "CREATE TABLE IF NOT EXISTS keeper_position ("
    " partition integer PRIMARY KEY, next_offset bigint NOT NULL,"
    " print bigint NOT NULL);";

static const char purpose[] = "subject key";

struct entry {
    struct uuid subject;
    struct seal_key key;
    int64_t until_ms; /* 0: free */
};

struct vault {
    struct seal_key master;
    pthread_mutex_t lock;
    struct entry *entries; /* SETS * WAYS */
    uint64_t erasures;     /* rises with each: what was read before is not kept after */
};

struct err vault_create(const struct seal_key *master, struct vault **ret_vault)
{
    struct vault *vault = calloc(1, sizeof *vault);
    struct entry *entries = calloc((size_t)SETS * WAYS, sizeof *entries);
    if (!vault || !entries) {
        free(vault);
        free(entries);
        return FAIL(ERR_NOMEM, "vault");
    }
    vault->master = *master;
    vault->entries = entries;
    pthread_mutex_init(&vault->lock, NULL);
    *ret_vault = vault;
    return OK;
}

void vault_destroy(struct vault *vault)
{
    if (!vault)
        return;
    seal_wipe(vault->entries, (size_t)SETS * WAYS * sizeof *vault->entries);
    free(vault->entries);
    pthread_mutex_destroy(&vault->lock);
    seal_wipe(vault, sizeof *vault);
    free(vault);
}

const struct seal_key *vault_master(const struct vault *vault)
{
    return &vault->master;
}

/* ---- links ---- */

struct err vault_link_open(struct vault *vault, const struct databases *databases,
                           struct vault_link **ret_link)
{
    char conninfo[STORE_CONNINFO_MAX];
    TRY(store_conninfo(databases, "vault", conninfo, sizeof conninfo));
    struct vault_link *link = calloc(1, sizeof *link);
    char *memory = aligned_alloc(16, VAULT_ARENA_BYTES);
    struct err e = link && memory ? query_open_writing(conninfo, &link->connection)
                                  : FAIL(ERR_NOMEM, "vault link");
    if (e.code != ERR_OK) {
        free(link);
        free(memory);
        return e;
    }
    link->vault = vault;
    link->arena = (struct arena){memory, 0, VAULT_ARENA_BYTES};
    *ret_link = link;
    return OK;
}

void vault_link_close(struct vault_link *link)
{
    if (!link)
        return;
    query_close(link->connection);
    seal_wipe(link->arena.base, link->arena.size);
    free(link->arena.base);
    free(link);
}

struct err vault_run(struct vault_link *link, const char *sql, const struct query_value *values,
                     size_t count, struct query_rows *ret_rows)
{
    arena_reset(&link->arena);
    return query_run(link->connection, sql, values, count, &link->arena, ret_rows);
}

/* ---- memory ---- */

static struct entry *set_of(struct vault *vault, struct uuid subject)
{
    uint32_t spread;
    memcpy(&spread, subject.bytes + 12, sizeof spread);
    return &vault->entries[(size_t)(spread % SETS) * WAYS];
}

bool vault_key_cached(struct vault *vault, struct uuid subject, struct seal_key *ret_key)
{
    int64_t now = clock_monotonic_ms();
    bool hit = false;
    pthread_mutex_lock(&vault->lock);
    struct entry *set = set_of(vault, subject);
    for (size_t i = 0; i < WAYS && !hit; i++)
        if (set[i].until_ms > now && uuid_equal(set[i].subject, subject)) {
            *ret_key = set[i].key;
            hit = true;
        }
    pthread_mutex_unlock(&vault->lock);
    return hit;
}

static uint64_t erasures(struct vault *vault)
{
    pthread_mutex_lock(&vault->lock);
    uint64_t n = vault->erasures;
    pthread_mutex_unlock(&vault->lock);
    return n;
}

static void remember(struct vault *vault, struct uuid subject, const struct seal_key *key,
                     uint64_t read_at)
{
    int64_t now = clock_monotonic_ms();
    pthread_mutex_lock(&vault->lock);
    struct entry *set = set_of(vault, subject), *oldest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (uuid_equal(set[i].subject, subject)) {
            oldest = &set[i];
            break;
        }
        if (set[i].until_ms < oldest->until_ms)
            oldest = &set[i];
    }
    if (vault->erasures == read_at)
        *oldest = (struct entry){subject, *key, now + (int64_t)VAULT_CACHE_SECONDS * 1000};
    pthread_mutex_unlock(&vault->lock);
}

void vault_drop(struct vault *vault, struct uuid subject)
{
    pthread_mutex_lock(&vault->lock);
    struct entry *set = set_of(vault, subject);
    vault->erasures++;
    for (size_t i = 0; i < WAYS; i++)
        if (uuid_equal(set[i].subject, subject))
            seal_wipe(&set[i], sizeof set[i]);
    pthread_mutex_unlock(&vault->lock);
}

/* ---- the table ---- */

static struct err make_key(struct vault_link *link, struct uuid subject)
{
    struct seal_key key;
    struct query_rows rows;
    _Alignas(16) char memory[512];
    struct arena arena = {memory, 0, sizeof memory};
    seal_key_random(&key);
    struct text plain = {(const char *)key.bytes, sizeof key.bytes};
    struct text sealed = seal_close(&link->vault->master, subject, purpose, plain, &arena);
    seal_wipe(&key, sizeof key);
    if (!sealed.at)
        return FAIL(ERR_NOMEM, "subject key");
    const struct query_value values[] = {QUERY_UUID(subject), QUERY_TEXT(sealed)};
    return vault_run(link,
                     "INSERT INTO subject_key (subject, sealed) VALUES ($1, $2)"
                     " ON CONFLICT DO NOTHING",
                     values, COUNT(values), &rows);
}

/* ERR_NOT_FOUND: erased. *ret_there false: there is none yet. */
static struct err read_key(struct vault_link *link, struct uuid subject, bool *ret_there,
                           struct seal_key *ret_key)
{
    const struct query_value value = QUERY_UUID(subject);
    struct query_rows rows;
    struct text plain;
    *ret_there = false;
    TRY(vault_run(link, "SELECT sealed FROM subject_key WHERE subject = $1", &value, 1, &rows));
    if (rows.count == 0)
        return OK;
    if (query_at(&rows, 0, 0)->kind == QUERY_KIND_NULL)
        return FAIL(ERR_NOT_FOUND, "the subject is erased");
    if (!seal_open(&link->vault->master, subject, purpose, query_at(&rows, 0, 0)->text,
                   &link->arena, &plain) ||
        plain.len != sizeof ret_key->bytes)
        return FAIL(ERR_CONFIG, "the master key does not open the vault");
    memcpy(ret_key->bytes, plain.at, sizeof ret_key->bytes);
    *ret_there = true;
    return OK;
}

struct err vault_key(struct vault_link *link, struct uuid subject, bool create,
                     struct seal_key *ret_key)
{
    struct seal_key key;
    bool there;
    if (vault_key_cached(link->vault, subject, ret_key))
        return OK;
    uint64_t read_at = erasures(link->vault);
    TRY(read_key(link, subject, &there, &key));
    if (!there && create) {
        TRY(make_key(link, subject));
        TRY(read_key(link, subject, &there, &key));
    }
    if (!there)
        return FAIL(ERR_NOT_FOUND, "the subject has no key");
    remember(link->vault, subject, &key, read_at);
    *ret_key = key;
    seal_wipe(&key, sizeof key);
    return OK;
}

struct err vault_erase(struct vault_link *link, struct uuid subject, bool *ret_was)
{
    const struct query_value value = QUERY_UUID(subject);
    struct query_rows rows;
    TRY(vault_run(
        link,
        "WITH was AS (SELECT sealed FROM subject_key WHERE subject = $1)"
        " INSERT INTO subject_key AS k (subject, sealed, erased_at) VALUES ($1, NULL, now())"
        " ON CONFLICT (subject) DO UPDATE SET sealed = NULL,"
        " erased_at = coalesce(k.erased_at, now())"
        " RETURNING (SELECT sealed IS NOT NULL FROM was)",
        &value, 1, &rows));
    const struct query_value *was = rows.count ? query_at(&rows, 0, 0) : NULL;
    *ret_was = was && was->kind == QUERY_KIND_BOOLEAN && was->boolean;
    vault_drop(link->vault, subject);
    return OK;
}

/* ---- the keeper's position ---- */

struct err vault_position(struct vault_link *link, int partition, struct position *ret_position)
{
    const struct query_value value = QUERY_NUMBER(partition);
    struct query_rows rows;
    TRY(vault_run(link, "SELECT next_offset, print FROM keeper_position WHERE partition = $1",
                  &value, 1, &rows));
    *ret_position = (struct position){0};
    if (rows.count)
        *ret_position = (struct position){query_at(&rows, 0, 0)->number,
                                          (uint64_t)query_at(&rows, 0, 1)->number};
    return OK;
}

struct err vault_position_set(struct vault_link *link, int partition, struct position position)
{
    const struct query_value values[] = {QUERY_NUMBER(partition), QUERY_NUMBER(position.offset),
                                         QUERY_NUMBER((int64_t)position.print)};
    struct query_rows rows;
    return vault_run(link,
                     "INSERT INTO keeper_position AS p (partition, next_offset, print)"
                     " VALUES ($1, $2, $3) ON CONFLICT (partition) DO UPDATE"
                     " SET next_offset = excluded.next_offset, print = excluded.print"
                     " WHERE p.next_offset < excluded.next_offset",
                     values, COUNT(values), &rows);
}
