/* The keeper follows user.log and sees to it that what was decided about users is done in the vault
 * and told to everybody: sessions end, tokens are revoked, keys of the erased are destroyed. The
 * api does the same before it answers; the keeper makes up for an api that died in between, and for
 * commands that came another way. Everything it does may be done twice, so any number may run. */
#ifndef RUNTIME_KEEPER_H
#define RUNTIME_KEEPER_H

#include <stdatomic.h>

#include "runtime/event_log.h"
#include "runtime/seal.h"

struct keeper_options {
    struct log *log;
    const struct databases *databases;
    struct seal_key master_key;
    const atomic_bool *stop;
    atomic_bool *begun; /* set when it follows the log */
};

/* Until *stop. Fails only while it begins: upon trouble outside it can be called again. */
NODISCARD struct err keeper_run(const struct keeper_options *options);

#endif
