/* Keeps the ring of signing keys in step with the vault, on a thread of its own: makes the first
 * key, a new one each rotation, which every process knows before it signs, and forgets those whose
 * tokens have all expired. */
#ifndef RUNTIME_KEYS_H
#define RUNTIME_KEYS_H

#include "runtime/token.h"

struct keys_options {
    struct vault *vault;
    const struct databases *databases;
    struct token_ring *ring;
    int64_t rotation_us; /* a key signs for so long */
    int64_t ahead_us;    /* it is shown so long before */
};

struct keys;

/* Does not wait for the vault. */
NODISCARD struct err keys_start(const struct keys_options *options, struct keys **ret_keys);
void keys_stop(struct keys *keys); /* NULL is fine */
/* The ring has keys. */
bool keys_ready(const struct keys *keys);

#endif
