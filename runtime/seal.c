/* libsodium: sealing, hashing, chance, base64. */
#include "runtime/seal.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

enum {
    VERSION = 1,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    HEAD_BYTES = 1 + NONCE_BYTES,
    AAD_MAX = 64,
    BASE64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
    RANDOM_MAX = 64,
};

_Static_assert(SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");

struct err seal_init(void)
{
    return sodium_init() < 0 ? FAIL(ERR_CONFIG, "libsodium") : OK;
}

void seal_key_random(struct seal_key *ret_key)
{
    randombytes_buf(ret_key->bytes, sizeof ret_key->bytes);
}

bool seal_key_read(struct text text, struct seal_key *ret_key)
{
    struct seal_key key;
    size_t size;
    if (text.len != SEAL_KEY_TEXT_LEN ||
        sodium_hex2bin(key.bytes, sizeof key.bytes, text.at, text.len, NULL, &size, NULL) != 0 ||
        size != sizeof key.bytes)
        return false;
    *ret_key = key;
    return true;
}

void seal_wipe(void *at, size_t size)
{
    sodium_memzero(at, size);
}

static const unsigned char *bytes_of(struct text text)
{
    union {
        const char *text;
        const unsigned char *bytes;
    } at = {.text = text.len ? text.at : ""};
    return at.bytes;
}

/* Whose, and what for. */
static size_t associate(struct uuid subject, const char *purpose, unsigned char aad[AAD_MAX])
{
    struct text use = text_of(purpose);
    assert(sizeof subject.bytes + use.len <= AAD_MAX);
    memcpy(aad, subject.bytes, sizeof subject.bytes);
    memcpy(aad + sizeof subject.bytes, use.at, use.len);
    return sizeof subject.bytes + use.len;
}

struct text seal_base64(const void *bytes, size_t size, struct arena *arena)
{
    size_t room = sodium_base64_encoded_len(size, BASE64);
    char *out = arena_alloc(arena, room);
    if (!out)
        return (struct text){NULL, 0};
    sodium_bin2base64(out, room, bytes, size, BASE64);
    return (struct text){out, room - 1};
}

bool seal_base64_read(struct text text, void *bytes, size_t size, size_t *ret_size)
{
    const char *end;
    return text.len > 0 &&
           sodium_base642bin(bytes, size, text.at, text.len, NULL, ret_size, &end, BASE64) == 0 &&
           end == text.at + text.len;
}

struct text seal_close(const struct seal_key *key, struct uuid subject, const char *purpose,
                       struct text plain, struct arena *arena)
{
    unsigned char aad[AAD_MAX];
    size_t aad_len = associate(subject, purpose, aad);
    assert(plain.len <= SEAL_PLAIN_MAX);
    unsigned char *out = arena_alloc(arena, HEAD_BYTES + plain.len + TAG_BYTES);
    if (!out)
        return (struct text){NULL, 0};
    out[0] = VERSION;
    randombytes_buf(out + 1, NONCE_BYTES);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + HEAD_BYTES, NULL, bytes_of(plain), plain.len,
                                               aad, aad_len, NULL, out + 1, key->bytes);
    return seal_base64(out, HEAD_BYTES + plain.len + TAG_BYTES, arena);
}

bool seal_open(const struct seal_key *key, struct uuid subject, const char *purpose,
               struct text sealed, struct arena *arena, struct text *ret_plain)
{
    unsigned char aad[AAD_MAX];
    size_t aad_len = associate(subject, purpose, aad), size;
    unsigned char *in = arena_alloc(arena, sealed.len + 1),
                  *out = arena_alloc(arena, sealed.len + 1);
    if (!in || !out || !seal_base64_read(sealed, in, sealed.len, &size) ||
        size < HEAD_BYTES + TAG_BYTES || in[0] != VERSION)
        return false;
    unsigned long long len;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, &len, NULL, in + HEAD_BYTES,
                                                   size - HEAD_BYTES, aad, aad_len, in + 1,
                                                   key->bytes) != 0)
        return false;
    union {
        unsigned char *bytes;
        const char *text;
    } at = {.bytes = out};
    *ret_plain = (struct text){at.text, (size_t)len};
    return true;
}

void seal_mac(struct text secret, struct text message, unsigned char ret_mac[SEAL_HASH_BYTES])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, bytes_of(secret), secret.len);
    crypto_auth_hmacsha256_update(&state, bytes_of(message), message.len);
    crypto_auth_hmacsha256_final(&state, ret_mac);
}

void seal_hash(struct text message, unsigned char ret_hash[SEAL_HASH_BYTES])
{
    crypto_generichash(ret_hash, SEAL_HASH_BYTES, bytes_of(message), message.len, NULL, 0);
}

struct text seal_random_text(size_t size, struct arena *arena)
{
    unsigned char bytes[RANDOM_MAX];
    assert(size <= sizeof bytes);
    randombytes_buf(bytes, size);
    struct text text = seal_base64(bytes, size, arena);
    sodium_memzero(bytes, sizeof bytes);
    return text;
}
