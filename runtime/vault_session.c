/* Sessions. Every refresh token that was ever given out for a living session has a row, so that one
 * which is shown twice is known for what it is. */
#include "runtime/vault_internal.h"

static struct query_value hash_value(const vault_hash hash, struct arena *arena)
{
    return QUERY_TEXT(seal_base64(hash, SEAL_HASH_BYTES, arena));
}

#define HASH_ARENA(name)                 \
    _Alignas(16) char name##_bytes[256]; \
    struct arena name = {name##_bytes, 0, sizeof name##_bytes}

struct err vault_session_open(struct vault_link *link, const struct vault_session *session,
                              const vault_hash token)
{
    HASH_ARENA(arena);
    struct query_rows rows;
    const struct query_value user[] = {QUERY_UUID(session->user_id),
                                       QUERY_NUMBER(VAULT_SESSIONS_PER_USER_MAX - 1)};
    const struct query_value values[] = {
        QUERY_UUID(session->session),  QUERY_UUID(session->user_id),
        QUERY_UUID(session->user_key), QUERY_NUMBER(VAULT_SESSION_SECONDS),
        hash_value(token, &arena),     QUERY_TIME(session->opened_us)};
    TRY(vault_run(link,
                  "DELETE FROM session WHERE user_id = $1 AND session NOT IN (SELECT session FROM"
                  " session WHERE user_id = $1 ORDER BY opened_at DESC LIMIT $2)",
                  user, COUNT(user), &rows));
    return vault_run(
        link,
        "WITH s AS (INSERT INTO session (session, user_id, user_key, opened_at,"
        " expires_at) VALUES ($1, $2, $3, $6, now() + $4 * interval '1 second') RETURNING session)"
        " INSERT INTO refresh_token (hash, session) SELECT $5, session FROM s",
        values, COUNT(values), &rows);
}

struct err vault_session_find(struct vault_link *link, const vault_hash token,
                              struct vault_session *ret_session)
{
    HASH_ARENA(arena);
    struct query_rows rows;
    const struct query_value value = hash_value(token, &arena);
    TRY(vault_run(link,
                  "SELECT s.session, s.user_id, s.user_key, t.used_at IS NOT NULL"
                  " FROM refresh_token t JOIN session s ON s.session = t.session"
                  " WHERE t.hash = $1 AND s.expires_at > now()",
                  &value, 1, &rows));
    if (rows.count == 0)
        return FAIL(ERR_NOT_FOUND, "session");
    *ret_session = (struct vault_session){.session = query_at(&rows, 0, 0)->uuid,
                                          .user_id = query_at(&rows, 0, 1)->uuid,
                                          .user_key = query_at(&rows, 0, 2)->uuid,
                                          .used = query_at(&rows, 0, 3)->boolean};
    return OK;
}

struct err vault_session_rotate(struct vault_link *link, const vault_hash from, const vault_hash to)
{
    HASH_ARENA(arena);
    struct query_rows rows;
    const struct query_value values[] = {hash_value(from, &arena), hash_value(to, &arena)};
    TRY(vault_run(link,
                  "WITH old AS (UPDATE refresh_token SET used_at = now()"
                  " WHERE hash = $1 AND used_at IS NULL RETURNING session)"
                  " INSERT INTO refresh_token (hash, session) SELECT $2, session FROM old"
                  " RETURNING session",
                  values, COUNT(values), &rows));
    return rows.count ? OK : FAIL(ERR_CONFLICT, "refresh token");
}

struct err vault_session_rotate_back(struct vault_link *link, const vault_hash from,
                                     const vault_hash to)
{
    HASH_ARENA(arena);
    struct query_rows rows;
    const struct query_value values[] = {hash_value(from, &arena), hash_value(to, &arena)};
    return vault_run(link,
                     "WITH gone AS (DELETE FROM refresh_token WHERE hash = $2 AND used_at IS NULL"
                     " RETURNING session)"
                     " UPDATE refresh_token SET used_at = NULL FROM gone WHERE hash = $1",
                     values, COUNT(values), &rows);
}

struct err vault_session_end(struct vault_link *link, struct uuid session)
{
    const struct query_value value = QUERY_UUID(session);
    struct query_rows rows;
    return vault_run(link, "DELETE FROM session WHERE session = $1", &value, 1, &rows);
}

struct err vault_sessions_end(struct vault_link *link, struct uuid user_id, int64_t at_us,
                              struct uuid spared, int64_t *ret_count)
{
    const struct query_value values[] = {QUERY_UUID(user_id), QUERY_UUID(spared),
                                         QUERY_TIME(at_us)};
    struct query_rows rows;
    TRY(vault_run(link,
                  "WITH gone AS (DELETE FROM session WHERE user_id = $1 AND session <> $2"
                  " AND opened_at <= $3"
                  " RETURNING session) SELECT count(*) FROM gone",
                  values, COUNT(values), &rows));
    *ret_count = query_at(&rows, 0, 0)->number;
    return OK;
}

struct err vault_sessions_count(struct vault_link *link, struct uuid user_id, int64_t *ret_count)
{
    const struct query_value value = QUERY_UUID(user_id);
    struct query_rows rows;
    TRY(vault_run(link, "SELECT count(*) FROM session WHERE user_id = $1 AND expires_at > now()",
                  &value, 1, &rows));
    *ret_count = query_at(&rows, 0, 0)->number;
    return OK;
}

struct err vault_sessions_expire(struct vault_link *link)
{
    struct query_rows rows;
    return vault_run(link, "DELETE FROM session WHERE expires_at < now()", NULL, 0, &rows);
}
