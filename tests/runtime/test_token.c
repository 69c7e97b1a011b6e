/* Tokens that do not count, by the hundred: most are signed as they should be and wrong in one
 * thing only, so that only the check of that thing can refuse them. */
#include "runtime/token.h"

#include <jansson.h>
#include <jose/jose.h>
#include <stdlib.h>

#include "core/envelope.h"
#include "tests/runtime/run_suite.h"

enum { VECTORS_MIN = 60, NOW_S = 1800000000 };
#define NOW_US ((int64_t)NOW_S * 1000000)

static _Alignas(16) char memory[1024 * 1024];
static struct arena arena;
static struct token_ring *ring;
static struct vault_signing_keys keys;
static json_t *ours, *strangers; /* private keys */
static size_t refused;           /* vectors so far */

static const struct token_claims claims = {
    .user_id = {{1}},
    .user_key = {{2}},
    .session = {{3}},
    .roles = ROLE_CUSTOMER,
    .issued_us = NOW_US,
    .expires_s = NOW_S + TOKEN_SECONDS,
};

static void begin(void)
{
    arena = (struct arena){memory, 0, sizeof memory};
    refused = 0;
    ck_assert_int_eq(seal_init().code, ERR_OK);
    ck_assert_int_eq(token_ring_create(&ring).code, ERR_OK);
    keys = (struct vault_signing_keys){.count = 1, .at = {{.number = 1, .signs_from_us = 1}}};
    ck_assert_int_eq(token_key_make(keys.at[0].jwk, sizeof keys.at[0].jwk).code, ERR_OK);
    ck_assert_int_eq(token_ring_set(ring, &keys).code, ERR_OK);
    ours = json_loads(keys.at[0].jwk, 0, NULL);
    char other[VAULT_SIGNING_KEY_BYTES];
    ck_assert_int_eq(token_key_make(other, sizeof other).code, ERR_OK);
    strangers = json_loads(other, 0, NULL);
}

static void finish(void)
{
    token_ring_destroy(ring);
    json_decref(ours);
    json_decref(strangers);
}

static void refuse_token(const char *why, struct text token)
{
    struct token_claims out;
    arena.used = arena.used > sizeof memory / 2 ? 0 : arena.used;
    ck_assert_msg(token_verify(ring, token, NOW_US, &out).code == ERR_INVALID, "accepted: %s", why);
    refused++;
}

static const char *kid(void)
{
    return json_string_value(json_object_get(ours, "kid"));
}

/* Everything as it should be. */
static json_t *good_payload(void)
{
    return json_pack(
        "{s:s,s:s,s:s,s:s,s:s,s:i,s:I,s:I,s:I}", "iss", TOKEN_ISSUER, "aud", TOKEN_AUDIENCE, "sub",
        "01000000-0000-0000-0000-000000000001", "key", "01000000-0000-0000-0000-000000000002",
        "sid", "01000000-0000-0000-0000-000000000003", "roles", 1, "exp", (json_int_t)NOW_S + 300,
        "iat", (json_int_t)NOW_S, "issued_us", (json_int_t)NOW_US);
}

static json_t *good_header(void)
{
    return json_pack("{s:s,s:s,s:s}", "alg", "ES256", "typ", "at+jwt", "kid", kid());
}

/* As text, to be freed; takes the value over. */
static char *dumped(json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    return text;
}

static struct text base64_of(const char *json)
{
    return seal_base64(json, strlen(json), &arena);
}

/* Signs these very bytes; header and payload: JSON, or what is to stand in its place. */
static struct text forge(const char *header, const char *payload, json_t *key)
{
    char *out = arena_alloc(&arena, 2 * TOKEN_LEN_MAX);
    struct text h = base64_of(header), p = base64_of(payload);
    json_t *jws = json_pack("{s:s#}", "payload", p.at, (int)p.len);
    json_t *sig = json_pack("{s:s#}", "protected", h.at, (int)h.len);
    ck_assert(out && jws && sig);
    bool good = jose_jws_sig(NULL, jws, sig, key);
    unsigned char none[64] = {1}; /* where even libjose will not sign such a header */
    int len = snprintf(out, 2 * TOKEN_LEN_MAX, "%.*s.%.*s.%s", (int)h.len, h.at, (int)p.len, p.at,
                       good ? json_string_value(json_object_get(jws, "signature"))
                            : seal_base64(none, sizeof none, &arena).at);
    json_decref(jws);
    json_decref(sig);
    return (struct text){out, (size_t)len};
}

static struct text forge_json(json_t *header, json_t *payload, json_t *key)
{
    char *h = dumped(header), *p = dumped(payload);
    struct text token = forge(h, p, key);
    free(h);
    free(p);
    return token;
}

static struct text good_token(void)
{
    return forge_json(good_header(), good_payload(), ours);
}

static void refuse_claim(const char *name, const char *value)
{
    char why[160];
    json_t *payload = good_payload();
    snprintf(why, sizeof why, "%s: %s", name, value ? value : "(missing)");
    if (value)
        ck_assert_int_eq(
            json_object_set_new(payload, name, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
    else
        json_object_del(payload, name);
    refuse_token(why, forge_json(good_header(), payload, ours));
}

/* ---- what counts ---- */

START_TEST(what_was_signed_here_counts)
{
    begin();
    struct text token;
    struct token_claims out;
    ck_assert_int_eq(token_sign(ring, &claims, NOW_US, &arena, &token).code, ERR_OK);
    ck_assert_int_eq(token_verify(ring, token, NOW_US, &out).code, ERR_OK);
    ck_assert(uuid_equal(out.user_id, claims.user_id) && uuid_equal(out.session, claims.session) &&
              uuid_equal(out.user_key, claims.user_key));
    ck_assert_int_eq(out.roles, claims.roles);
    ck_assert_int_eq(out.issued_us, claims.issued_us);
    ck_assert_int_eq(out.expires_s, claims.expires_s);
    finish();
}
END_TEST

/* Without it no vector would say anything. */
START_TEST(the_forger_can_forge)
{
    struct token_claims out;
    begin();
    ck_assert_int_eq(token_verify(ring, good_token(), NOW_US, &out).code, ERR_OK);
    finish();
}
END_TEST

START_TEST(a_token_ends_to_the_second)
{
    struct token_claims out;
    begin();
    struct text token = good_token();
    ck_assert_int_eq(token_verify(ring, token, NOW_US + 299 * 1000000LL, &out).code, ERR_OK);
    ck_assert_int_eq(token_verify(ring, token, NOW_US + 300 * 1000000LL, &out).code, ERR_INVALID);
    finish();
}
END_TEST

/* ---- claims, all well signed ---- */

START_TEST(every_claim_must_be_there_and_of_its_type)
{
    static const char *const names[] = {"iss", "aud",   "sub", "key",      "sid",
                                        "exp", "roles", "iat", "issued_us"};
    static const char *const wrong[] = {"null", "true", "[]", "{}", "\"\"", "1.5", "-1", NULL};
    begin();
    for (size_t i = 0; i < COUNT(names); i++)
        for (size_t j = 0; j < COUNT(wrong); j++)
            refuse_claim(names[i], wrong[j]);
    ck_assert_uint_ge(refused, VECTORS_MIN);
    finish();
}
END_TEST

START_TEST(claims_that_say_something_else)
{
    static const struct {
        const char *name, *value;
    } vectors[] = {
        {"iss", "\"foldlog2\""},
        {"iss", "\"Foldlog\""},
        {"iss", "[\"foldlog\"]"},
        {"aud", "\"foldlog\""},
        {"aud", "\"foldlog-api \""},
        {"aud", "[\"foldlog-api\"]"},
        {"aud", "[\"other\",\"foldlog-api\"]"},
        {"sub", "\"00000000-0000-0000-0000-000000000000\""},
        {"sub", "\"01000000-0000-0000-0000-00000000000\""},
        {"sub", "\"01000000-0000-0000-0000-000000000001 \""},
        {"sub", "\"admin\""},
        {"sub", "1"},
        {"key", "\"00000000-0000-0000-0000-000000000000\""},
        {"sid", "\"00000000-0000-0000-0000-000000000000\""},
        {"sid", "\"none\""},
        {"roles", "0"},
        {"roles", "8"}, /* the house's own */
        {"roles", "15"},
        {"roles", "9"},
        {"roles", "128"}, /* anyone */
        {"roles", "255"},
        {"roles", "256"},
        {"roles", "4294967297"},
        {"roles", "\"7\""},
        {"roles", "[1]"},
        {"roles", "1.0"},
        {"exp", "1800000000"}, /* now */
        {"exp", "1799999999"},
        {"exp", "0"},
        {"exp", "\"1800000300\""},
        {"exp", "1800000300.0"},
        {"exp", "1800000601"}, /* longer than tokens live */
        {"exp", "9223372036854775807"},
        {"iat", "1800000006"}, /* of the future */
        {"iat", "1799999000"}, /* exp - iat too long */
        {"iat", "\"1800000000\""},
        {"issued_us", "1800000001000000"}, /* not the second of iat */
        {"issued_us", "1800000000"},
        {"issued_us", "9223372036854775807"},
        {"nbf", "1"},
        {"nbf", "1900000000"},
        {"nbf", "null"},
    };
    begin();
    for (size_t i = 0; i < COUNT(vectors); i++)
        refuse_claim(vectors[i].name, vectors[i].value);
    finish();
}
END_TEST

START_TEST(payloads_that_are_no_claims)
{
    begin();
    char *header = dumped(good_header());
    char *good = dumped(good_payload()), twice[1024], trailing[1024], nul[1024];
    snprintf(nul, sizeof nul, "{\"x\":\"\\u0000\",%s", good + 1);
    snprintf(twice, sizeof twice, "{\"roles\":7,%s", good + 1);
    snprintf(trailing, sizeof trailing, "%s{}", good);
    const char *const payloads[] = {"{}", "[]",  "null",   "1", "\"x\"", "{",
                                    "x",  twice, trailing, " ", "[{}]",  "\xff\xfe"};
    for (size_t i = 0; i < COUNT(payloads); i++)
        refuse_token(payloads[i], forge(header, payloads[i], ours));
    free(header);
    free(good);
    finish();
}
END_TEST

/* ---- headers ---- */

START_TEST(headers_that_ask_for_something_else)
{
    char header[2048];
    begin();
    char *payload = dumped(good_payload());
    json_t *public = json_deep_copy(strangers);
    ck_assert(jose_jwk_pub(NULL, public));
    char *embedded = json_dumps(public, JSON_COMPACT);
    const char *const more[] = {
        "\"crit\":[]",
        "\"b64\":true",
        "\"zip\":\"DEF\"",
        "\"jku\":\"https://example.org/keys\"",
        "\"x5u\":\"https://example.org/keys\"",
        "\"x5c\":[]",
        "\"cty\":\"JWT\"",
        "\"kid2\":\"x\"",
    };
    for (size_t i = 0; i < COUNT(more); i++) {
        snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",%s}",
                 kid(), more[i]);
        refuse_token(more[i], forge(header, payload, ours));
    }
    snprintf(header, sizeof header,
             "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\",\"jwk\":%s}", kid(), embedded);
    refuse_token("a key of its own", forge(header, payload, strangers));
    free(payload);
    free(embedded);
    json_decref(public);
    finish();
}
END_TEST

START_TEST(headers_that_lack_or_bend_something)
{
    static const char *const shapes[] = {
        "{\"alg\":\"ES256\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"AT+JWT\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":1,\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":null,\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"x%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":[\"%s\"]}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"%s\\u0000\"}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"Kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"\",\"jti\":\"%s\"}",
    };
    char header[512];
    begin();
    char *payload = dumped(good_payload());
    for (size_t i = 0; i < COUNT(shapes); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(header, sizeof header, shapes[i], kid());
#pragma GCC diagnostic pop
        refuse_token(header, forge(header, payload, ours));
    }
    free(payload);
    finish();
}
END_TEST

/* "none", and every algorithm whose verification could be talked into using our public key. */
START_TEST(other_algorithms)
{
    static const char *const names[] = {"none",  "None",  "NONE",   "nOnE",  "HS256", "HS384",
                                        "HS512", "RS256", "PS256",  "ES384", "ES512", "EdDSA",
                                        "es256", "",      "ES256 ", "ES256K"};
    char header[256];
    begin();
    struct text good = good_token();
    const char *payload = memchr(good.at, '.', good.len), *signature;
    signature = strrchr(good.at, '.');
    for (size_t i = 0; i < COUNT(names); i++)
        for (int with = 0; with < 2; with++) {
            char token[TOKEN_LEN_MAX];
            snprintf(header, sizeof header, "{\"alg\":\"%s\",\"typ\":\"at+jwt\",\"kid\":\"%s\"}",
                     names[i], kid());
            struct text h = base64_of(header);
            int len = snprintf(token, sizeof token, "%.*s%.*s%.*s", (int)h.len, h.at,
                               (int)(signature + 1 - payload), payload,
                               with ? (int)(good.at + good.len - signature - 1) : 0, signature + 1);
            refuse_token(names[i], (struct text){token, (size_t)len});
        }
    finish();
}
END_TEST

/* A key that is public must not serve as a shared secret. */
START_TEST(a_public_key_is_no_shared_secret)
{
    begin();
    json_t *public = json_deep_copy(ours);
    ck_assert(jose_jwk_pub(NULL, public));
    char *text = json_dumps(public, JSON_COMPACT);
    json_t *secret = json_pack("{s:s,s:s,s:o}", "kty", "oct", "alg", "HS256", "k",
                               jose_b64_enc(text, strlen(text)));
    json_t *header = json_pack("{s:s,s:s,s:s}", "alg", "HS256", "typ", "at+jwt", "kid", kid());
    refuse_token("HS256 with the public key", forge_json(header, good_payload(), secret));
    free(text);
    json_decref(public);
    json_decref(secret);
    finish();
}
END_TEST

/* ---- signatures and shape ---- */

START_TEST(a_strangers_signature_does_not_count)
{
    begin();
    refuse_token("a stranger's key under our name",
                 forge_json(good_header(), good_payload(), strangers));
    json_t *header = json_pack("{s:s,s:s,s:O}", "alg", "ES256", "typ", "at+jwt", "kid",
                               json_object_get(strangers, "kid"));
    refuse_token("a stranger's key under its own", forge_json(header, good_payload(), strangers));
    finish();
}
END_TEST

START_TEST(every_changed_character_is_noticed)
{
    begin();
    struct text good = good_token();
    for (size_t i = 0; i < good.len; i++) {
        char copy[TOKEN_LEN_MAX], why[32];
        memcpy(copy, good.at, good.len);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        snprintf(why, sizeof why, "character %zu", i);
        refuse_token(why, (struct text){copy, good.len});
    }
    finish();
}
END_TEST

START_TEST(every_shortened_token_is_noticed)
{
    begin();
    struct text good = good_token();
    for (size_t len = 0; len < good.len; len++)
        refuse_token("shortened", (struct text){good.at, len});
    finish();
}
END_TEST

START_TEST(parts_of_two_good_tokens_make_no_third)
{
    begin();
    json_t *payload = good_payload();
    json_object_set_new(payload, "roles", json_integer(7));
    struct text customer = good_token(), admin = forge_json(good_header(), payload, ours);
    char mixed[TOKEN_LEN_MAX];
    const char *a = strrchr(admin.at, '.'), *c = strrchr(customer.at, '.');
    int len = snprintf(mixed, sizeof mixed, "%.*s%s", (int)(a - admin.at), admin.at, c);
    refuse_token("an administrator's claims, a customer's signature",
                 (struct text){mixed, (size_t)len});
    finish();
}
END_TEST

START_TEST(other_shapes)
{
    static const char *const before[] = {" ", ".", "Bearer ", "\n", "e"};
    static const char *const after[] = {" ", ".", "=", "==", "\n", "A", "AA", ".AA", "%3D", "\t"};
    static const char *const alone[] = {".", "..", "...", "a.b.c", "{}", "null", "e30.e30.e30"};
    char token[TOKEN_LEN_MAX + 64];
    begin();
    struct text good = good_token();
    for (size_t i = 0; i < COUNT(before); i++) {
        int len = snprintf(token, sizeof token, "%s%.*s", before[i], (int)good.len, good.at);
        refuse_token(before[i], (struct text){token, (size_t)len});
    }
    for (size_t i = 0; i < COUNT(after); i++) {
        int len = snprintf(token, sizeof token, "%.*s%s", (int)good.len, good.at, after[i]);
        refuse_token(after[i], (struct text){token, (size_t)len});
    }
    for (size_t i = 0; i < COUNT(alone); i++)
        refuse_token(alone[i], text_of(alone[i]));
    memset(token, 'A', sizeof token);
    refuse_token("too long", (struct text){token, TOKEN_LEN_MAX + 1});
    memcpy(token, good.at, good.len);
    token[good.len] = '\0';
    refuse_token("a NUL behind it", (struct text){token, good.len + 1});
    finish();
}
END_TEST

/* ECDSA verifies nothing of these, but libraries have been fooled by them (CVE-2022-21449). */
START_TEST(signatures_of_nothing)
{
    unsigned char bytes[72] = {0};
    static const size_t sizes[] = {1, 32, 63, 64, 65, 71, 72};
    begin();
    struct text good = good_token();
    const char *end = strrchr(good.at, '.');
    for (int fill = 0; fill < 2; fill++)
        for (size_t i = 0; i < COUNT(sizes); i++) {
            char token[TOKEN_LEN_MAX];
            memset(bytes, fill ? 0xff : 0, sizeof bytes);
            struct text s = seal_base64(bytes, sizes[i], &arena);
            int len = snprintf(token, sizeof token, "%.*s%.*s", (int)(end + 1 - good.at), good.at,
                               (int)s.len, s.at);
            refuse_token("zeros or ones", (struct text){token, (size_t)len});
        }
    finish();
}
END_TEST

/* ---- keys come and go ---- */

START_TEST(a_key_is_known_before_it_signs)
{
    struct text token;
    struct token_claims out;
    begin();
    keys.count = 2;
    keys.at[1] = (struct vault_signing_key){.number = 2, .signs_from_us = NOW_US + 60000000};
    ck_assert_int_eq(token_key_make(keys.at[1].jwk, sizeof keys.at[1].jwk).code, ERR_OK);
    ck_assert_int_eq(token_ring_set(ring, &keys).code, ERR_OK);
    json_t *next = json_loads(keys.at[1].jwk, 0, NULL);
    const char *next_kid = json_string_value(json_object_get(next, "kid"));
    struct text shown = token_jwks(ring, &arena);
    ck_assert_ptr_nonnull(memmem(shown.at, shown.len, next_kid, strlen(next_kid)));
    ck_assert_ptr_null(memmem(shown.at, shown.len, "\"d\"", 3)); /* the private part */
    ck_assert_int_eq(token_sign(ring, &claims, NOW_US, &arena, &token).code, ERR_OK);
    struct text header = {token.at,
                          (size_t)((const char *)memchr(token.at, '.', token.len) - token.at)};
    char decoded[256];
    size_t size;
    ck_assert(seal_base64_read(header, decoded, sizeof decoded, &size));
    ck_assert_ptr_nonnull(memmem(decoded, size, kid(), strlen(kid())));
    struct token_claims later = claims;
    later.issued_us += 61000000;
    later.expires_s += 61;
    ck_assert_int_eq(token_sign(ring, &later, later.issued_us, &arena, &token).code, ERR_OK);
    header.len = (size_t)((const char *)memchr(token.at, '.', token.len) - token.at);
    header.at = token.at;
    ck_assert(seal_base64_read(header, decoded, sizeof decoded, &size));
    ck_assert_ptr_nonnull(memmem(decoded, size, next_kid, strlen(next_kid)));
    ck_assert_int_eq(token_verify(ring, token, later.issued_us, &out).code, ERR_OK);
    json_decref(next);
    finish();
}
END_TEST

START_TEST(what_a_forgotten_key_has_signed_does_not_count)
{
    begin();
    struct text token = good_token();
    ck_assert_int_eq(token_key_make(keys.at[0].jwk, sizeof keys.at[0].jwk).code, ERR_OK);
    ck_assert_int_eq(token_ring_set(ring, &keys).code, ERR_OK);
    refuse_token("a forgotten key", token);
    finish();
}
END_TEST

START_TEST(without_keys_nothing_is_signed_or_counts)
{
    struct text token;
    begin();
    struct text good = good_token();
    keys.count = 0;
    ck_assert_int_eq(token_ring_set(ring, &keys).code, ERR_OK);
    ck_assert_int_eq(token_sign(ring, &claims, NOW_US, &arena, &token).code, ERR_UNAVAILABLE);
    refuse_token("no keys", good);
    finish();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_was_signed_here_counts,
        the_forger_can_forge,
        a_token_ends_to_the_second,
        every_claim_must_be_there_and_of_its_type,
        claims_that_say_something_else,
        payloads_that_are_no_claims,
        headers_that_ask_for_something_else,
        headers_that_lack_or_bend_something,
        other_algorithms,
        a_public_key_is_no_shared_secret,
        a_strangers_signature_does_not_count,
        every_changed_character_is_noticed,
        every_shortened_token_is_noticed,
        parts_of_two_good_tokens_make_no_third,
        other_shapes,
        signatures_of_nothing,
        a_key_is_known_before_it_signs,
        what_a_forgotten_key_has_signed_does_not_count,
        without_keys_nothing_is_signed_or_counts,
    };
    return run_suite("token", tests, COUNT(tests));
}
