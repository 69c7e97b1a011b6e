/* Compact JWS by libjose, judged strictly: one algorithm, one type, known keys, no criticals, every
 * claim there and of its type. */
#include "runtime/token.h"

#include <jansson.h>
#include <jose/jose.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/envelope.h"

enum { PART_MAX = 1536, LOAD_FLAGS = JSON_REJECT_DUPLICATES };

static const char type[] = "at+jwt";
static const char algorithm[] = "ES256";

struct ring_key {
    char kid[TOKEN_KID_MAX];
    int64_t signs_from_us;
    json_t *private;
    json_t *public;
};

struct token_ring {
    pthread_rwlock_t lock;
    size_t count;
    struct ring_key keys[VAULT_SIGNING_KEYS_MAX];
};

struct err token_ring_create(struct token_ring **ret_ring)
{
    struct token_ring *ring = calloc(1, sizeof *ring);
    if (!ring)
        return FAIL(ERR_NOMEM, "key ring");
    pthread_rwlock_init(&ring->lock, NULL);
    *ret_ring = ring;
    return OK;
}

static void drop_keys(struct ring_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(keys[i].private);
        json_decref(keys[i].public);
    }
}

void token_ring_destroy(struct token_ring *ring)
{
    if (!ring)
        return;
    drop_keys(ring->keys, ring->count);
    pthread_rwlock_destroy(&ring->lock);
    free(ring);
}

/* ---- keys ---- */

struct err token_key_make(char *ret_jwk, size_t size)
{
    json_t *key = json_pack("{s:s,s:s}", "alg", algorithm, "use", "sig");
    struct err e = FAIL(ERR_NOMEM, "signing key");
    if (key && jose_jwk_gen(NULL, key)) {
        json_t *thumb = jose_jwk_thp(NULL, key, "S256");
        json_object_set_new(key, "kid", thumb);
        size_t len = thumb ? json_dumpb(key, ret_jwk, size - 1, JSON_COMPACT) : 0;
        if (len > 0 && len < size) {
            ret_jwk[len] = '\0';
            e = OK;
        }
    }
    json_decref(key);
    return e;
}

static bool take_key(const struct vault_signing_key *from, struct ring_key *ret_key)
{
    json_t *private = json_loads(from->jwk, LOAD_FLAGS, NULL);
    const char *kid = json_string_value(json_object_get(private, "kid"));
    const char *alg = json_string_value(json_object_get(private, "alg"));
    json_t *public = json_deep_copy(private);
    if (!kid || !alg || strlen(kid) >= TOKEN_KID_MAX || strcmp(alg, algorithm) != 0 ||
        !jose_jwk_pub(NULL, public)) {
        json_decref(private);
        json_decref(public);
        return false;
    }
    *ret_key = (struct ring_key){
        .signs_from_us = from->signs_from_us, .private = private, .public = public};
    snprintf(ret_key->kid, sizeof ret_key->kid, "%s", kid);
    return true;
}

struct err token_ring_set(struct token_ring *ring, const struct vault_signing_keys *keys)
{
    struct ring_key fresh[VAULT_SIGNING_KEYS_MAX], old[VAULT_SIGNING_KEYS_MAX];
    for (size_t i = 0; i < keys->count; i++)
        if (!take_key(&keys->at[i], &fresh[i])) {
            drop_keys(fresh, i);
            return FAIL(ERR_CONFIG, "signing key");
        }
    pthread_rwlock_wrlock(&ring->lock);
    size_t old_count = ring->count;
    memcpy(old, ring->keys, sizeof old);
    memcpy(ring->keys, fresh, keys->count * sizeof *fresh);
    ring->count = keys->count;
    pthread_rwlock_unlock(&ring->lock);
    drop_keys(old, old_count);
    return OK;
}

struct text token_jwks(struct token_ring *ring, struct arena *arena)
{
    json_t *list = json_array(), *all = json_pack("{s:o}", "keys", list);
    char *out = arena_alloc(arena, TOKEN_JWKS_MAX);
    pthread_rwlock_rdlock(&ring->lock);
    for (size_t i = 0; i < ring->count; i++)
        json_array_append_new(list, json_deep_copy(ring->keys[i].public));
    pthread_rwlock_unlock(&ring->lock);
    size_t len = out ? json_dumpb(all, out, TOKEN_JWKS_MAX, JSON_COMPACT) : 0;
    json_decref(all);
    return len > 0 && len <= TOKEN_JWKS_MAX ? (struct text){out, len} : (struct text){NULL, 0};
}

/* ---- signing ---- */

static void set_uuid(json_t *object, const char *name, struct uuid id)
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(id, text);
    json_object_set_new(object, name, json_string(text));
}

static json_t *payload_of(const struct token_claims *claims)
{
    json_t *payload =
        json_pack("{s:s,s:s,s:I,s:I,s:I,s:i}", "iss", TOKEN_ISSUER, "aud", TOKEN_AUDIENCE, "exp",
                  (json_int_t)claims->expires_s, "iat", (json_int_t)(claims->issued_us / 1000000),
                  "issued_us", (json_int_t)claims->issued_us, "roles", claims->roles);
    if (!payload)
        return NULL;
    set_uuid(payload, "sub", claims->user_id);
    set_uuid(payload, "key", claims->user_key);
    set_uuid(payload, "sid", claims->session);
    return payload;
}

/* header.payload.signature; .at NULL when libjose could not. */
static struct text compact(json_t *jws, struct arena *arena)
{
    const char *header = json_string_value(json_object_get(jws, "protected"));
    const char *payload = json_string_value(json_object_get(jws, "payload"));
    const char *signature = json_string_value(json_object_get(jws, "signature"));
    char *out = header && payload && signature ? arena_alloc(arena, TOKEN_LEN_MAX) : NULL;
    int len = out ? snprintf(out, TOKEN_LEN_MAX, "%s.%s.%s", header, payload, signature) : 0;
    return len > 0 && len < TOKEN_LEN_MAX ? (struct text){out, (size_t)len}
                                          : (struct text){NULL, 0};
}

static struct text sign_with(const struct ring_key *key, const struct token_claims *claims,
                             struct arena *arena)
{
    struct text token = {NULL, 0};
    json_t *payload = payload_of(claims);
    json_t *jws = json_pack("{s:o}", "payload", jose_b64_enc_dump(payload));
    json_t *sig =
        json_pack("{s:{s:s,s:s,s:s}}", "protected", "alg", algorithm, "typ", type, "kid", key->kid);
    if (jws && sig && jose_jws_sig(NULL, jws, sig, key->private))
        token = compact(jws, arena);
    json_decref(payload);
    json_decref(jws);
    json_decref(sig);
    return token;
}

struct err token_sign(struct token_ring *ring, const struct token_claims *claims, int64_t now_us,
                      struct arena *arena, struct text *ret_token)
{
    const struct ring_key *key = NULL;
    struct text token = {NULL, 0};
    pthread_rwlock_rdlock(&ring->lock);
    for (size_t i = 0; i < ring->count; i++)
        if (ring->keys[i].signs_from_us <= now_us &&
            (!key || ring->keys[i].signs_from_us >= key->signs_from_us))
            key = &ring->keys[i];
    if (key)
        token = sign_with(key, claims, arena);
    pthread_rwlock_unlock(&ring->lock);
    if (!key)
        return FAIL(ERR_UNAVAILABLE, "there is no signing key yet");
    if (!token.at)
        return FAIL(ERR_NOMEM, "token");
    *ret_token = token;
    return OK;
}

/* ---- verifying ---- */

struct parts {
    struct text header, payload, signature;
};

static bool split(struct text token, struct parts *ret_parts)
{
    const char *end = token.at + token.len;
    const char *first = memchr(token.at, '.', token.len);
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return false;
    *ret_parts = (struct parts){{token.at, (size_t)(first - token.at)},
                                {first + 1, (size_t)(second - first - 1)},
                                {second + 1, (size_t)(end - second - 1)}};
    return true;
}

/* One JSON object in strict base64url; the caller's, or NULL. */
static json_t *object_of(struct text part)
{
    char bytes[PART_MAX];
    size_t size;
    if (!seal_base64_read(part, bytes, sizeof bytes, &size))
        return NULL;
    json_t *value = json_loadb(bytes, size, LOAD_FLAGS, NULL);
    if (json_is_object(value))
        return value;
    json_decref(value);
    return NULL;
}

static bool is_text(const json_t *object, const char *name, const char *wanted)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) && json_string_length(value) == strlen(wanted) &&
           strcmp(json_string_value(value), wanted) == 0;
}

/* Exactly alg, typ and kid: what else a header may ask for (jwk, jku, x5u, crit, b64, zip) is not
 * ours. */
static const char *kid_of(const json_t *header)
{
    const json_t *kid = json_object_get(header, "kid");
    if (json_object_size(header) != 3 || !is_text(header, "alg", algorithm) ||
        !is_text(header, "typ", type) || !json_is_string(kid) ||
        json_string_length(kid) != strlen(json_string_value(kid)))
        return NULL;
    return json_string_value(kid);
}

static bool verify_with(const struct ring_key *key, const struct parts *parts)
{
    json_t *jws = json_pack("{s:s%,s:s%,s:s%}", "protected", parts->header.at, parts->header.len,
                            "payload", parts->payload.at, parts->payload.len, "signature",
                            parts->signature.at, parts->signature.len);
    bool good = jws && jose_jws_ver(NULL, jws, NULL, key->public, false);
    json_decref(jws);
    return good;
}

static struct err check_signature(struct token_ring *ring, const struct parts *parts)
{
    unsigned char signature[SEAL_HASH_BYTES * 2];
    size_t size;
    json_t *header = object_of(parts->header);
    const char *kid = header ? kid_of(header) : NULL;
    struct err e = FAIL(ERR_INVALID, kid ? "unknown key" : "header");
    pthread_rwlock_rdlock(&ring->lock);
    for (size_t i = 0; kid && i < ring->count; i++)
        if (strcmp(ring->keys[i].kid, kid) == 0)
            e = seal_base64_read(parts->signature, signature, sizeof signature, &size) &&
                        size == sizeof signature && verify_with(&ring->keys[i], parts)
                    ? OK
                    : FAIL(ERR_INVALID, "signature");
    pthread_rwlock_unlock(&ring->lock);
    json_decref(header);
    return e;
}

static bool read_uuid(const json_t *object, const char *name, struct uuid *ret_id)
{
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) &&
           uuid_read((struct text){json_string_value(value), json_string_length(value)}, ret_id) &&
           !uuid_is_nil(*ret_id);
}

static bool read_number(const json_t *object, const char *name, int64_t min, int64_t max,
                        int64_t *ret_number)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value) || json_integer_value(value) < min ||
        json_integer_value(value) > max)
        return false;
    *ret_number = json_integer_value(value);
    return true;
}

static struct err read_claims(const json_t *payload, int64_t now_us,
                              struct token_claims *ret_claims)
{
    const int64_t now = now_us / 1000000, far = INT64_MAX / 4000000;
    struct token_claims c;
    int64_t issued, roles;
    if (!is_text(payload, "iss", TOKEN_ISSUER) || !is_text(payload, "aud", TOKEN_AUDIENCE))
        return FAIL(ERR_INVALID, "issuer or audience");
    if (!read_uuid(payload, "sub", &c.user_id) || !read_uuid(payload, "key", &c.user_key) ||
        !read_uuid(payload, "sid", &c.session) ||
        !read_number(payload, "roles", 1, ROLES_OF_USERS, &roles) ||
        !read_number(payload, "exp", 0, far, &c.expires_s) ||
        !read_number(payload, "iat", 0, far, &issued) ||
        !read_number(payload, "issued_us", 0, INT64_MAX, &c.issued_us) ||
        json_object_get(payload, "nbf"))
        return FAIL(ERR_INVALID, "claims");
    if (c.expires_s <= now)
        return FAIL(ERR_INVALID, "expired");
    if (issued > now + TOKEN_LEEWAY_SECONDS || c.issued_us / 1000000 != issued ||
        c.expires_s - issued > TOKEN_SECONDS)
        return FAIL(ERR_INVALID, "times");
    c.roles = (uint8_t)roles;
    *ret_claims = c;
    return OK;
}

struct err token_verify(struct token_ring *ring, struct text token, int64_t now_us,
                        struct token_claims *ret_claims)
{
    struct parts parts;
    if (token.len == 0 || token.len > TOKEN_LEN_MAX || !split(token, &parts))
        return FAIL(ERR_INVALID, "not a token");
    TRY(check_signature(ring, &parts));
    json_t *payload = object_of(parts.payload);
    struct err e =
        payload ? read_claims(payload, now_us, ret_claims) : FAIL(ERR_INVALID, "payload");
    json_decref(payload);
    return e;
}
