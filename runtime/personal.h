/* What personal values are sealed for, and the key under which a user is found by e-mail. */
#ifndef RUNTIME_PERSONAL_H
#define RUNTIME_PERSONAL_H

#include "core/desk.h"
#include "runtime/seal.h"

/* As bound into sealed values: these words never change. */
const char *personal_purpose(enum purpose purpose);
/* HMAC-SHA256 of the address in lower case, as a UUID of version 8. */
struct uuid personal_user_key(struct text secret, struct text email);

#endif
