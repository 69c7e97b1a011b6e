/* Passwords by argon2id (RFC 9106): 19 MiB, two passes. Each call takes some tens of milliseconds
 * of a core and that memory: only the threads made for it call these. */
#ifndef RUNTIME_PASSWORD_H
#define RUNTIME_PASSWORD_H

#include "core/arena.h"
#include "core/err.h"

enum { PASSWORD_MEMORY_BYTES = 19 * 1024 * 1024, PASSWORD_PASSES = 2, PASSWORD_HASH_MAX = 128 };

/* PHC string; .at is NULL when there is no memory. */
struct text password_hash(struct text password, struct arena *arena);
/* hash.at NULL: there is no such user, which takes as long to find out. */
bool password_is(struct text hash, struct text password);

#endif
