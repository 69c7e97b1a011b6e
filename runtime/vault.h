/* The vault: keys and sessions, in a database of its own, foldlog_vault. Plain state: backed up,
 * not rebuildable from the log. Subject keys are sealed by the master key, refresh tokens are kept
 * as hashes, signing keys are sealed. A struct vault is shared by the threads of a process; a link
 * is one thread's connection. Calls with a link block on the database. */
#ifndef RUNTIME_VAULT_H
#define RUNTIME_VAULT_H

#include "core/query_value.h"
#include "runtime/seal.h"
#include "runtime/store.h"

enum {
    VAULT_CACHE_KEYS_MAX = 16384,   /* subject keys in memory */
    VAULT_CACHE_SECONDS = 60,       /* the longest a key is believed without looking again */
    VAULT_SIGNING_KEYS_MAX = 16,    /* known at once */
    VAULT_SIGNING_KEY_BYTES = 1024, /* of one private JWK, sealed */
    VAULT_SESSIONS_PER_USER_MAX = 20,
    VAULT_SESSION_SECONDS = 30 * 24 * 3600, /* from log-in to the last refresh */
    VAULT_ARENA_BYTES = 64 * 1024,
};

/* Tables of the vault, safe to repeat. */
extern const char vault_tables_sql[];

struct vault;
struct vault_link;

NODISCARD struct err vault_create(const struct seal_key *master, struct vault **ret_vault);
void vault_destroy(struct vault *vault); /* NULL is fine; after its links */
/* Does not connect yet. */
NODISCARD struct err vault_link_open(struct vault *vault, const struct databases *databases,
                                     struct vault_link **ret_link);
void vault_link_close(struct vault_link *link); /* NULL is fine */

/* ---- subject keys ---- */

/* From memory alone; false: not there. */
bool vault_key_cached(struct vault *vault, struct uuid subject, struct seal_key *ret_key);
/* create: makes one where there is none. ERR_NOT_FOUND: the subject is erased, or (without create)
 * has no key. */
NODISCARD struct err vault_key(struct vault_link *link, struct uuid subject, bool create,
                               struct seal_key *ret_key);
/* Puts a tombstone in the key's place, for ever. *ret_was: there was a key. */
NODISCARD struct err vault_erase(struct vault_link *link, struct uuid subject, bool *ret_was);
/* Forgets what this process remembers. */
void vault_drop(struct vault *vault, struct uuid subject);

/* ---- sessions and their refresh tokens ---- */

struct vault_session {
    struct uuid session, user_id, user_key;
    int64_t opened_us; /* by the clock of who opens it */
    bool used;         /* this refresh token has been exchanged already */
};
typedef unsigned char vault_hash[SEAL_HASH_BYTES];

NODISCARD struct err vault_session_open(struct vault_link *link,
                                        const struct vault_session *session,
                                        const vault_hash token);
/* ERR_NOT_FOUND: nobody's, expired, or its session has ended. */
NODISCARD struct err vault_session_find(struct vault_link *link, const vault_hash token,
                                        struct vault_session *ret_session);
/* ERR_CONFLICT: somebody exchanged it meanwhile. */
NODISCARD struct err vault_session_rotate(struct vault_link *link, const vault_hash from,
                                          const vault_hash to);
/* As if it had not been exchanged, if the new one has not been used. */
NODISCARD struct err vault_session_rotate_back(struct vault_link *link, const vault_hash from,
                                               const vault_hash to);
NODISCARD struct err vault_session_end(struct vault_link *link, struct uuid session);
/* All of a user that were opened until `at_us`, but `spared` (nil: all). *ret_count: how many. */
NODISCARD struct err vault_sessions_end(struct vault_link *link, struct uuid user_id, int64_t at_us,
                                        struct uuid spared, int64_t *ret_count);
NODISCARD struct err vault_sessions_count(struct vault_link *link, struct uuid user_id,
                                          int64_t *ret_count);
NODISCARD struct err vault_sessions_expire(struct vault_link *link);

/* ---- signing keys ---- */

struct vault_signing_key {
    int64_t number;                    /* 1, 2, ... */
    int64_t signs_from_us;             /* by the clock of who made it */
    char jwk[VAULT_SIGNING_KEY_BYTES]; /* private; NUL-terminated JSON */
};
struct vault_signing_keys {
    size_t count;
    struct vault_signing_key at[VAULT_SIGNING_KEYS_MAX]; /* by number */
};

NODISCARD struct err vault_signing_keys(struct vault_link *link,
                                        struct vault_signing_keys *ret_keys);
/* Does nothing when somebody has added this number already. */
NODISCARD struct err vault_signing_key_add(struct vault_link *link,
                                           const struct vault_signing_key *key);
/* Forgets all before `number`. */
NODISCARD struct err vault_signing_keys_drop(struct vault_link *link, int64_t number);

/* ---- how far the keeper has come in user.log ---- */

NODISCARD struct err vault_position(struct vault_link *link, int partition,
                                    struct position *ret_position);
NODISCARD struct err vault_position_set(struct vault_link *link, int partition,
                                        struct position position);

#endif
