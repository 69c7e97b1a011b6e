/* What handlers may ask of the house: personal values, passwords, sessions, lookups. */
#include <assert.h>
#include <stdio.h>

#include "runtime/api_internal.h"
#include "runtime/clock.h"
#include "runtime/password.h"
#include "runtime/personal.h"
#include "runtime/report.h"

enum { REFRESH_TOKEN_BYTES = 32, REFRESH_TOKEN_LEN_MAX = 64 };

static const char vault_trouble[] = "The vault cannot be reached at present.";

/* A configuration that does not fit the vault is trouble of ours, not of the request. */
static bool refuse_err(struct refusal *refusal, struct err e, const char *detail)
{
    if (err_class(e) != ERR_CLASS_RETRY)
        report(REPORT_ERROR, "vault_trouble", "why", report_err(e), NULL);
    return refuse(refusal, reader_problem(e), detail);
}

static bool no_memory(struct refusal *refusal)
{
    return refuse(refusal, PROBLEM_BODY_TOO_LARGE, "The request needs too much memory.");
}

/* ---- personal values ---- */

/* Only in a build for the benchmark (FOLDLOG_BARE): what the developer of --insecure-dev sends is
 * not sealed. */
static bool is_bare(const struct desk *desk)
{
#ifdef FOLDLOG_BARE
    return uuid_is_nil(desk->call->actor_key);
#else
    (void)desk;
    return false;
#endif
}

/* ERR_NOT_FOUND: erased. On a thread that may not block only what is in memory. */
static struct err subject_key(struct desk *desk, struct uuid subject, bool create,
                              struct seal_key *ret_key)
{
    if (vault_key_cached(desk->call->api->vault, subject, ret_key))
        return OK;
    if (desk->reader)
        return vault_key(reader_vault(desk->reader), subject, create, ret_key);
    desk->deferred = true;
    return FAIL(ERR_UNAVAILABLE, "subject key");
}

bool desk_seal(struct desk *desk, struct uuid subject, enum purpose purpose, struct text plain,
               struct text *ret_sealed, struct refusal *refusal)
{
    struct seal_key key;
    if (is_bare(desk)) {
        *ret_sealed = seal_base64(plain.at, plain.len, desk->arena);
        return ret_sealed->at ? true : no_memory(refusal);
    }
    struct err e = subject_key(desk, subject, true, &key);
    if (e.code == ERR_NOT_FOUND)
        return refuse(refusal, PROBLEM_NOT_FOUND, "This user has been erased.");
    if (e.code != ERR_OK)
        return refuse_err(refusal, e, vault_trouble);
    *ret_sealed = seal_close(&key, subject, personal_purpose(purpose), plain, desk->arena);
    seal_wipe(&key, sizeof key);
    return ret_sealed->at ? true : no_memory(refusal);
}

bool desk_open(struct desk *desk, struct uuid subject, enum purpose purpose, struct text sealed,
               struct text *ret_plain, struct refusal *refusal)
{
    struct seal_key key;
    *ret_plain = (struct text){NULL, 0};
    if (sealed.len == 0)
        return true;
    struct err e = subject_key(desk, subject, false, &key);
    if (e.code == ERR_NOT_FOUND)
        return true;
    if (e.code != ERR_OK)
        return refuse_err(refusal, e, vault_trouble);
    bool opened =
        seal_open(&key, subject, personal_purpose(purpose), sealed, desk->arena, ret_plain);
    seal_wipe(&key, sizeof key);
    return opened || refuse(refusal, PROBLEM_INTERNAL, "A sealed value does not open.");
}

struct uuid desk_user_key(struct desk *desk, struct text email)
{
    return personal_user_key(desk->call->api->options.email_secret, email);
}

/* ---- lookups ---- */

static const char *own_service(const struct desk *desk)
{
    return desk->call->service->service->name;
}

bool desk_ask(struct desk *desk, const char *sql, const struct query_value *values, size_t count,
              struct query_rows *ret_rows, struct refusal *refusal)
{
    assert(desk->reader);
    struct err e = reader_ask(desk->reader, own_service(desk), sql, values, count, ret_rows);
    return e.code == ERR_OK ||
           refuse(refusal, reader_problem(e), "The read models cannot be read at present.");
}

bool desk_reach_end(struct desk *desk, const char *model, const char *source,
                    struct refusal *refusal)
{
    char name[TOPIC_LEN_MAX];
    struct log_topic *topic;
    assert(desk->reader);
    snprintf(name, sizeof name, "%s.log", source);
    struct err e = log_topic(desk->call->api->options.log, name, &topic);
    enum problem problem = e.code == ERR_OK
                               ? reader_reach_end(desk->reader, own_service(desk), model, topic)
                               : reader_problem(e);
    return problem == PROBLEM_NONE ||
           refuse(refusal, problem, "The read model is behind the log at present.");
}

/* ---- passwords ---- */

bool desk_password_hash(struct desk *desk, struct text password, struct text *ret_hash,
                        struct refusal *refusal)
{
    *ret_hash = password_hash(password, desk->arena);
    return ret_hash->at ||
           refuse(refusal, PROBLEM_OVERLOADED, "There is no memory for a password at present.");
}

bool desk_password_is(struct desk *desk, struct text hash, struct text password)
{
    (void)desk;
    return password_is(hash, password);
}

/* ---- sessions ---- */

static struct text new_refresh_token(struct desk *desk, vault_hash ret_hash)
{
    struct text token = seal_random_text(REFRESH_TOKEN_BYTES, desk->arena);
    if (token.at)
        seal_hash(token, ret_hash);
    return token;
}

static bool sign(struct desk *desk, const struct principal *principal, struct uuid session,
                 struct grant *ret_grant, struct refusal *refusal)
{
    int64_t now = clock_now_us();
    const struct token_claims claims = {.user_id = principal->user_id,
                                        .user_key = principal->user_key,
                                        .session = session,
                                        .roles = principal->roles,
                                        .issued_us = now,
                                        .expires_s = now / 1000000 + TOKEN_SECONDS};
    struct err e =
        token_sign(desk->call->api->ring, &claims, now, desk->arena, &ret_grant->access_token);
    ret_grant->expires_in = TOKEN_SECONDS;
    ret_grant->session = session;
    return e.code == ERR_OK || refuse_err(refusal, e, "Tokens cannot be signed at present.");
}

bool desk_session_open(struct desk *desk, const struct principal *principal,
                       struct grant *ret_grant, struct refusal *refusal)
{
    vault_hash hash;
    const struct vault_session session = {.session = random_uuid(),
                                          .opened_us = clock_now_us(),
                                          .user_id = principal->user_id,
                                          .user_key = principal->user_key};
    ret_grant->refresh_token = new_refresh_token(desk, hash);
    if (!ret_grant->refresh_token.at)
        return no_memory(refusal);
    if (!sign(desk, principal, session.session, ret_grant, refusal))
        return false;
    struct err e = vault_session_open(reader_vault(desk->reader), &session, hash);
    return e.code == ERR_OK || refuse_err(refusal, e, vault_trouble);
}

static bool publish(struct desk *desk, const struct revocation *revocation, struct refusal *refusal)
{
    struct err e = revocations_publish(desk->call->api->revocations, revocation);
    return e.code == ERR_OK ||
           refuse_err(refusal, e, "The revocation cannot be stored at present; repeat.");
}

bool desk_session_end(struct desk *desk, struct uuid session, struct refusal *refusal)
{
    struct err e = vault_session_end(reader_vault(desk->reader), session);
    if (e.code != ERR_OK)
        return refuse_err(refusal, e, vault_trouble);
    return publish(
        desk,
        &(struct revocation){.kind = REVOKE_SESSION, .id = session, .not_before = clock_now_us()},
        refusal);
}

static bool no_grant(struct refusal *refusal)
{
    return refuse(refusal, PROBLEM_INVALID_GRANT, "This refresh token continues no session.");
}

static bool find_session(struct desk *desk, struct text token, vault_hash ret_hash,
                         struct vault_session *ret_session, struct refusal *refusal)
{
    if (token.len == 0 || token.len > REFRESH_TOKEN_LEN_MAX)
        return no_grant(refusal);
    seal_hash(token, ret_hash);
    struct err e = vault_session_find(reader_vault(desk->reader), ret_hash, ret_session);
    if (e.code == ERR_NOT_FOUND)
        return no_grant(refusal);
    if (e.code != ERR_OK)
        return refuse_err(refusal, e, vault_trouble);
    if (!ret_session->used)
        return true;
    report(REPORT_WARN, "refresh_token_reused", NULL);
    return desk_session_end(desk, ret_session->session, refusal) && no_grant(refusal);
}

bool desk_session_find(struct desk *desk, struct text refresh_token,
                       struct principal *ret_principal, struct refusal *refusal)
{
    vault_hash hash;
    struct vault_session session;
    if (!find_session(desk, refresh_token, hash, &session, refusal))
        return false;
    *ret_principal = (struct principal){.user_id = session.user_id, .user_key = session.user_key};
    return true;
}

bool desk_session_renew(struct desk *desk, struct text refresh_token,
                        const struct principal *principal, struct grant *ret_grant,
                        struct refusal *refusal)
{
    vault_hash from, to;
    struct vault_session session;
    if (!find_session(desk, refresh_token, from, &session, refusal))
        return false;
    ret_grant->refresh_token = new_refresh_token(desk, to);
    if (!ret_grant->refresh_token.at)
        return no_memory(refusal);
    if (!sign(desk, principal, session.session, ret_grant, refusal))
        return false;
    struct err e = vault_session_rotate(reader_vault(desk->reader), from, to);
    if (e.code == ERR_CONFLICT) /* two at once: one of them has a copy */
        return desk_session_end(desk, session.session, refusal) && no_grant(refusal);
    return e.code == ERR_OK || refuse_err(refusal, e, vault_trouble);
}

void desk_session_take_back(struct desk *desk, struct text refresh_token, const struct grant *grant)
{
    vault_hash from, to;
    seal_hash(refresh_token, from);
    seal_hash(grant->refresh_token, to);
    struct err e = vault_session_rotate_back(reader_vault(desk->reader), from, to);
    if (e.code != ERR_OK)
        report(REPORT_WARN, "refresh_token_lost", "why", report_err(e), NULL);
}

bool desk_revoke_tokens(struct desk *desk, struct uuid user_id, int64_t at, struct refusal *refusal)
{
    return publish(desk, &(struct revocation){.kind = REVOKE_USER, .id = user_id, .not_before = at},
                   refusal);
}

bool desk_end_sessions(struct desk *desk, struct uuid user_id, int64_t at, struct uuid spared,
                       struct refusal *refusal)
{
    int64_t count;
    struct err e = vault_sessions_end(reader_vault(desk->reader), user_id, at, spared, &count);
    if (e.code != ERR_OK)
        return refuse_err(refusal, e, vault_trouble);
    return publish(desk,
                   &(struct revocation){
                       .kind = REVOKE_USER, .id = user_id, .not_before = at, .spared = spared},
                   refusal);
}

bool desk_erase(struct desk *desk, struct uuid user_id, int64_t at, struct refusal *refusal)
{
    bool was;
    struct err e = vault_erase(reader_vault(desk->reader), user_id, &was);
    if (e.code != ERR_OK)
        return refuse_err(refusal, e, vault_trouble);
    return publish(desk,
                   &(struct revocation){.kind = REVOKE_SUBJECT, .id = user_id, .not_before = at},
                   refusal) &&
           desk_end_sessions(desk, user_id, at, (struct uuid){{0}}, refusal);
}

struct text desk_jwks(struct desk *desk)
{
    return token_jwks(desk->call->api->ring, desk->arena);
}
