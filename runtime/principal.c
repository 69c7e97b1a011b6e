/* <expiry>.<roles>.<id>.<key>.<session>.<HMAC-SHA256 in hex> */
#include "runtime/principal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAC_HEX = 2 * crypto_auth_hmacsha256_BYTES };

static void add(crypto_auth_hmacsha256_state *state, struct text text)
{
    union {
        const char *text;
        const unsigned char *bytes;
    } p = {.text = text.at};
    crypto_auth_hmacsha256_update(state, p.bytes, text.len);
}

/* Over the claim and the request it is for, each part with its end marked. */
static void sign(struct text secret, struct text claim, struct text method, struct text path,
                 char mac[MAC_HEX + 1])
{
    union {
        const char *text;
        const unsigned char *bytes;
    } key = {.text = secret.at};
    crypto_auth_hmacsha256_state state;
    unsigned char hash[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_init(&state, key.bytes, secret.len);
    const struct text parts[] = {TEXT("principal"), method, path, claim};
    for (size_t i = 0; i < COUNT(parts); i++) {
        add(&state, parts[i]);
        add(&state, TEXT("\n"));
    }
    crypto_auth_hmacsha256_final(&state, hash);
    sodium_bin2hex(mac, MAC_HEX + 1, hash, sizeof hash);
}

void principal_sign(struct text secret, const struct asker *asker, struct text method,
                    struct text path, int64_t now, char out[PRINCIPAL_LEN_MAX])
{
    char id[UUID_TEXT_LEN + 1], key[UUID_TEXT_LEN + 1], session[UUID_TEXT_LEN + 1],
        mac[MAC_HEX + 1];
    uuid_format(asker->actor.id, id);
    uuid_format(asker->key, key);
    uuid_format(asker->session, session);
    int len = snprintf(out, PRINCIPAL_LEN_MAX, "%lld.%u.%s.%s.%s",
                       (long long)now + PRINCIPAL_SECONDS, asker->actor.roles, id, key, session);
    sign(secret, (struct text){out, (size_t)len}, method, path, mac);
    snprintf(out + len, PRINCIPAL_LEN_MAX - (size_t)len, ".%s", mac);
}

static bool take_number(struct text *left, int64_t *ret_value)
{
    int64_t value = 0;
    size_t i = 0;
    for (; i < left->len && i < 12 && left->at[i] >= '0' && left->at[i] <= '9'; i++)
        value = value * 10 + (left->at[i] - '0');
    if (i == 0 || i == left->len || left->at[i] != '.')
        return false;
    *left = (struct text){left->at + i + 1, left->len - i - 1};
    *ret_value = value;
    return true;
}

static bool take_uuid(struct text *left, struct uuid *ret_id)
{
    if (left->len <= UUID_TEXT_LEN || left->at[UUID_TEXT_LEN] != '.' ||
        !uuid_read((struct text){left->at, UUID_TEXT_LEN}, ret_id))
        return false;
    *left = (struct text){left->at + UUID_TEXT_LEN + 1, left->len - UUID_TEXT_LEN - 1};
    return true;
}

bool principal_check(struct text secret, struct text value, struct text method, struct text path,
                     int64_t now, struct asker *ret_asker)
{
    struct text left = value;
    struct asker asker;
    int64_t expiry, roles;
    char mac[MAC_HEX + 1];
    if (!take_number(&left, &expiry) || !take_number(&left, &roles) || roles > UINT8_MAX ||
        !take_uuid(&left, &asker.actor.id) || !take_uuid(&left, &asker.key) ||
        !take_uuid(&left, &asker.session) || left.len != MAC_HEX)
        return false;
    asker.actor.roles = (uint8_t)roles;
    sign(secret, (struct text){value.at, value.len - MAC_HEX - 1}, method, path, mac);
    if (sodium_memcmp(mac, value.at + value.len - MAC_HEX, MAC_HEX) != 0 || now > expiry ||
        expiry > now + 2 * PRINCIPAL_SECONDS)
        return false;
    *ret_asker = asker;
    return true;
}
