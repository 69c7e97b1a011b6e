/* One command, appended and waited for: for verbs, which have no api. Blocks. */
#ifndef RUNTIME_DISPATCH_H
#define RUNTIME_DISPATCH_H

#include "core/service.h"
#include "runtime/event_log.h"

enum { DISPATCH_TIMEOUT_MS = 15000 };

/* `message` of the service's commands, on behalf of the house itself; target: the aggregate's id.
 * The decision's texts live in the arena. ERR_TIMEOUT: no owner decided it in time; it may still
 * be. */
NODISCARD struct err dispatch(struct log *log, const struct service *service, struct text target,
                              struct uuid command_id, const void *message, struct arena *arena,
                              struct decision *ret_decision);

#endif
