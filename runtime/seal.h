/* Personal values under a key: XChaCha20-Poly1305, bound to whose they are and what they are for,
 * so that a sealed value which was moved to another row does not open. A sealed value is base64url
 * without padding of: version (1), nonce (24), ciphertext and tag. libsodium stays in here. */
#ifndef RUNTIME_SEAL_H
#define RUNTIME_SEAL_H

#include "core/arena.h"
#include "core/err.h"
#include "core/uuid.h"

enum {
    SEAL_KEY_BYTES = 32,
    SEAL_KEY_TEXT_LEN = 64, /* in hex */
    SEAL_HASH_BYTES = 32,
    SEAL_PLAIN_MAX = 8192,
};

struct seal_key {
    unsigned char bytes[SEAL_KEY_BYTES];
};

/* Once, before anything else here. */
NODISCARD struct err seal_init(void);
void seal_key_random(struct seal_key *ret_key);
/* 64 hex digits; false: it is not. */
bool seal_key_read(struct text text, struct seal_key *ret_key);
void seal_wipe(void *at, size_t size);

/* .at is NULL when it does not fit the arena. purpose: email, name, ... */
struct text seal_close(const struct seal_key *key, struct uuid subject, const char *purpose,
                       struct text plain, struct arena *arena);
/* False: another key, another subject, another purpose, or not what was written. */
bool seal_open(const struct seal_key *key, struct uuid subject, const char *purpose,
               struct text sealed, struct arena *arena, struct text *ret_plain);

/* HMAC-SHA256. */
void seal_mac(struct text secret, struct text message, unsigned char ret_mac[SEAL_HASH_BYTES]);
/* BLAKE2b-256, for what is random already. */
void seal_hash(struct text message, unsigned char ret_hash[SEAL_HASH_BYTES]);
/* Base64url without padding, in the arena; .at NULL when full. */
struct text seal_base64(const void *bytes, size_t size, struct arena *arena);
/* Strict: also no stray bits in the last character. False: it is not, or longer than `size`. */
bool seal_base64_read(struct text text, void *bytes, size_t size, size_t *ret_size);
/* `size` random bytes as base64url. */
struct text seal_random_text(size_t size, struct arena *arena);

#endif
