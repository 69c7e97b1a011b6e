/* crypto_pwhash of libsodium. */
#include "runtime/password.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

_Static_assert(PASSWORD_HASH_MAX >= crypto_pwhash_argon2id_STRBYTES, "hash");

static char nobodys[crypto_pwhash_argon2id_STRBYTES];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool hash_into(char out[crypto_pwhash_argon2id_STRBYTES], struct text password)
{
    return crypto_pwhash_argon2id_str(out, password.at, password.len, PASSWORD_PASSES,
                                      PASSWORD_MEMORY_BYTES) == 0;
}

static void make_nobodys(void)
{
    char password[32];
    randombytes_buf(password, sizeof password);
    if (!hash_into(nobodys, (struct text){password, sizeof password}))
        abort();
}

struct text password_hash(struct text password, struct arena *arena)
{
    char *out = arena_alloc(arena, crypto_pwhash_argon2id_STRBYTES);
    if (!out || !hash_into(out, password))
        return (struct text){NULL, 0};
    return text_of(out);
}

bool password_is(struct text hash, struct text password)
{
    char copy[crypto_pwhash_argon2id_STRBYTES] = {0};
    bool known = hash.at && hash.len < sizeof copy;
    pthread_once(&once, make_nobodys);
    memcpy(copy, known ? hash.at : nobodys, known ? hash.len : sizeof copy);
    bool fits =
        crypto_pwhash_argon2id_str_verify(copy, password.at ? password.at : "", password.len) == 0;
    return fits && known;
}
