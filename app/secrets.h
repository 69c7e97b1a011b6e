/* The secrets of a deployment, from the settings: the same in every process. */
#ifndef APP_SECRETS_H
#define APP_SECRETS_H

#include <stdbool.h>

#include "runtime/seal.h"

struct secrets {
    const char *secret;       /* of the request fingerprints */
    const char *email_secret; /* of the users' keys */
    struct seal_key master_key;
};

/* ERR_CONFIG: one is missing or too short. With --insecure-dev, on loopback only, those that are
 * missing are well known. */
NODISCARD struct err secrets_read(struct secrets *ret_secrets);
/* Does this process need any? Who answers HTTP, and who keeps the vault in step with users; other
 * workers do not: what they copy is sealed, and stays so. */
bool secrets_needed(void);

#endif
