/* What may be missing where, and what never. */
#include "app/secrets.h"

#include <string.h>

#include "app/settings.h"

enum { SECRET_LEN_MIN = 32 };

static const char known_secret[] = "insecure-dev insecure-dev insecure-dev";
static const char known_key[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* NULL: missing. */
static const char *take(enum setting setting, const char *known)
{
    const char *value = setting_text(setting);
    if (*value)
        return strlen(value) >= SECRET_LEN_MIN ? value : NULL;
    return setting_flag(SETTING_INSECURE_DEV) ? known : NULL;
}

struct err secrets_read(struct secrets *ret_secrets)
{
    if (setting_flag(SETTING_INSECURE_DEV) && !is_loopback(setting_text(SETTING_BIND)))
        return FAIL(ERR_CONFIG, "--insecure-dev allows only a loopback address as --bind");
    const char *secret = take(SETTING_SECRET, known_secret);
    const char *email_secret = take(SETTING_EMAIL_SECRET, known_secret);
    const char *master_key = take(SETTING_MASTER_KEY, known_key);
    if (!secret)
        return FAIL(ERR_CONFIG, "--secret (FOLDLOG_SECRET_FILE) needs at least 32 characters");
    if (!email_secret)
        return FAIL(ERR_CONFIG,
                    "--email-secret (FOLDLOG_EMAIL_SECRET_FILE) needs at least 32 characters");
    if (!master_key || !seal_key_read(text_of(master_key), &ret_secrets->master_key))
        return FAIL(ERR_CONFIG, "--master-key (FOLDLOG_MASTER_KEY_FILE) needs 64 hex digits");
    ret_secrets->secret = secret;
    ret_secrets->email_secret = email_secret;
    return OK;
}

bool secrets_needed(void)
{
    bool keeper =
        setting_has(SETTING_ROLES, "projections") && setting_has(SETTING_SERVICES, "user");
    return setting_has(SETTING_ROLES, "gateway") || setting_has(SETTING_ROLES, "api") || keeper;
}
