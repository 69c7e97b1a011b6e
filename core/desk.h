/* What the house does for the handler of a route: seals and opens personal values, knows passwords,
 * opens and ends sessions, looks things up. A desk serves one request on one thread. Implemented in
 * runtime/api_desk.c. Functions that return false have filled in the refusal. */
#ifndef CORE_DESK_H
#define CORE_DESK_H

#include "core/query_value.h"

struct desk;
struct refusal;

/* ---- personal values; may be called wherever commands are built ---- */

/* Bound into the sealed value: it opens for nothing else. */
enum purpose { PURPOSE_EMAIL, PURPOSE_NAME, PURPOSE_ADDRESS, PURPOSE_PASSWORD_HASH, PURPOSES };

/* Makes the subject's key when it has none. Refuses when the subject is erased. */
bool desk_seal(struct desk *desk, struct uuid subject, enum purpose purpose, struct text plain,
               struct text *ret_sealed, struct refusal *refusal);
/* ret_plain->at is NULL when the subject is erased. */
bool desk_open(struct desk *desk, struct uuid subject, enum purpose purpose, struct text sealed,
               struct text *ret_plain, struct refusal *refusal);
/* The key of the user aggregate of this address: a keyed hash of it, normalised. */
struct uuid desk_user_key(struct desk *desk, struct text email);

/* ---- the rest blocks: only from routes that say so ---- */

/* The database of the route's own service. */
bool desk_ask(struct desk *desk, const char *sql, const struct query_value *values, size_t count,
              struct query_rows *ret_rows, struct refusal *refusal);
/* Waits until the read model of the route's service has reached the present end of the log of
 * `source`: only then may be said that something is not there. */
bool desk_reach_end(struct desk *desk, const char *model, const char *source,
                    struct refusal *refusal);

/* Routes that say `hashes` only: tens of milliseconds of a core. */
bool desk_password_hash(struct desk *desk, struct text password, struct text *ret_hash,
                        struct refusal *refusal);
/* hash.at NULL: nobody's; takes as long. */
bool desk_password_is(struct desk *desk, struct text hash, struct text password);

struct principal {
    struct uuid user_id, user_key;
    uint8_t roles; /* enum role */
};

struct grant { /* texts in the request's arena */
    struct text access_token, refresh_token;
    struct uuid session;
    int64_t expires_in; /* seconds */
};

bool desk_session_open(struct desk *desk, const struct principal *principal,
                       struct grant *ret_grant, struct refusal *refusal);
/* Whose session a refresh token continues; roles are left 0. One that has been used before ends its
 * session: somebody has a copy. */
bool desk_session_find(struct desk *desk, struct text refresh_token,
                       struct principal *ret_principal, struct refusal *refusal);
/* Exchanges it for new ones. */
bool desk_session_renew(struct desk *desk, struct text refresh_token,
                        const struct principal *principal, struct grant *ret_grant,
                        struct refusal *refusal);
/* The grant is not given out after all: the refresh token it was exchanged for goes on counting. */
void desk_session_take_back(struct desk *desk, struct text refresh_token,
                            const struct grant *grant);
bool desk_session_end(struct desk *desk, struct uuid session, struct refusal *refusal);

/* Access tokens issued until `at` (microseconds) do not count any more. */
bool desk_revoke_tokens(struct desk *desk, struct uuid user_id, int64_t at,
                        struct refusal *refusal);
/* Nor do sessions go on, but the one that is spared (nil: none). */
bool desk_end_sessions(struct desk *desk, struct uuid user_id, int64_t at, struct uuid spared,
                       struct refusal *refusal);
/* Nothing that was sealed for this user can be opened from now on; all sessions end. */
bool desk_erase(struct desk *desk, struct uuid user_id, int64_t at, struct refusal *refusal);

/* The public keys of access tokens, RFC 7517; .at NULL when they do not fit. */
struct text desk_jwks(struct desk *desk);

#endif
