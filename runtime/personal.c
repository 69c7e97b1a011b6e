/* Names of purposes; keys of users. */
#include "runtime/personal.h"

enum { ADDRESS_MAX = 1024 };

const char *personal_purpose(enum purpose purpose)
{
    static const char *const names[PURPOSES] = {
        [PURPOSE_EMAIL] = "email",
        [PURPOSE_NAME] = "name",
        [PURPOSE_ADDRESS] = "address",
        [PURPOSE_PASSWORD_HASH] = "password_hash",
    };
    return names[purpose];
}

/* Addresses differ in case only by mistake: RFC 5321 allows it, nobody does it. */
struct uuid personal_user_key(struct text secret, struct text email)
{
    char lower[ADDRESS_MAX];
    unsigned char mac[SEAL_HASH_BYTES];
    struct uuid key;
    size_t len = email.len < sizeof lower ? email.len : sizeof lower;
    for (size_t i = 0; i < len; i++) {
        char c = email.at[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    seal_mac(secret, (struct text){lower, len}, mac);
    seal_wipe(lower, len);
    memcpy(key.bytes, mac, sizeof key.bytes);
    key.bytes[6] = (uint8_t)((key.bytes[6] & 0x0f) | 0x80); /* RFC 9562 */
    key.bytes[8] = (uint8_t)((key.bytes[8] & 0x3f) | 0x80);
    return key;
}
