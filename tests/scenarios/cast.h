/* Who plays: a service of its own per scenario, which keeps products; a saga that answers each
 * product of an order with two changes of its price; commands with ids that can be told again. */
#ifndef TESTS_SCENARIOS_CAST_H
#define TESTS_SCENARIOS_CAST_H

#include <stdatomic.h>

#include "core/service.h"
#include "runtime/event_log.h"

enum { CAST_COMMANDS_MAX = 100, CAST_NAME_MAX = 40 };
enum duty { DUTY_OWNER, DUTY_RIVAL, DUTY_SAGA };

struct cast {
    char product[CAST_NAME_MAX], orders[CAST_NAME_MAX];
    const char *sources[2];
    struct saga saga;
    struct service services[2]; /* sorted */
    struct service_list list;
};

/* The suffix tells the topics of scenarios apart. */
void cast_init(struct cast *cast, const char *suffix, bool with_saga);
/* The command that adds product `product`, under id `command`. */
struct command cast_command(const struct cast *cast, int command, int product, bool for_saga,
                            struct arena *arena);
/* c7, c7.1 for what the saga sent because of it, c? for what has no id of its own. */
const char *cast_name(struct uuid command_id);

/* What an owner's process does until *stop. */
struct err actor_run(const struct cast *cast, enum duty duty, struct log *log, int renew,
                     const atomic_bool *stop);

#endif
