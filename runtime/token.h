/* Access tokens: JWTs (RFC 7519, profile of RFC 9068) signed with ES256, and the ring of keys that
 * sign and verify them. A key is shown in the JWKS before it signs and until what it signed has
 * expired. libjose and jansson stay in here. */
#ifndef RUNTIME_TOKEN_H
#define RUNTIME_TOKEN_H

#include "core/arena.h"
#include "core/err.h"
#include "core/uuid.h"
#include "runtime/vault.h"

enum {
    TOKEN_SECONDS = 600,      /* an access token lives so long */
    TOKEN_LEEWAY_SECONDS = 5, /* between the clocks of two processes */
    TOKEN_LEN_MAX = 2048,
    TOKEN_KID_MAX = 48,
    TOKEN_JWKS_MAX = 8192,
};

#define TOKEN_ISSUER "foldlog"
#define TOKEN_AUDIENCE "foldlog-api"

struct token_claims {
    struct uuid user_id;  /* sub */
    struct uuid user_key; /* key of the user aggregate */
    struct uuid session;  /* sid */
    uint8_t roles;        /* enum role */
    int64_t issued_us;
    int64_t expires_s; /* exp */
};

struct token_ring; /* thread-safe */

NODISCARD struct err token_ring_create(struct token_ring **ret_ring);
void token_ring_destroy(struct token_ring *ring); /* NULL is fine */
/* A new private key as JSON. */
NODISCARD struct err token_key_make(char *ret_jwk, size_t size);
/* Takes the place of all keys the ring had. ERR_CONFIG: one of them is not a key. */
NODISCARD struct err token_ring_set(struct token_ring *ring, const struct vault_signing_keys *keys);

/* Signs with the newest key whose time has come. ERR_UNAVAILABLE: there is none. */
NODISCARD struct err token_sign(struct token_ring *ring, const struct token_claims *claims,
                                int64_t now_us, struct arena *arena, struct text *ret_token);
/* ERR_INVALID, with .what saying why: not a token that a key of the ring has signed for this api,
 * or one whose time is over. */
NODISCARD struct err token_verify(struct token_ring *ring, struct text token, int64_t now_us,
                                  struct token_claims *ret_claims);
/* RFC 7517; public parts only. */
struct text token_jwks(struct token_ring *ring, struct arena *arena);

#endif
