/* What the verbs about users share: their rows, and commands to their aggregate. */
#ifndef APP_PEOPLE_H
#define APP_PEOPLE_H

#include "app/secrets.h"
#include "core/envelope.h"
#include "runtime/event_log.h"
#include "runtime/query.h"
#include "runtime/vault.h"

enum { PEOPLE_ARENA_BYTES = 1024 * 1024 };

struct people {
    struct secrets secrets;
    struct log *log;
    struct vault *vault;
    struct vault_link *link;
    struct query_connection *users, *orders;
    struct arena arena;
};

struct person {
    struct uuid user_id, user_key;
    struct text password_hash; /* sealed */
    struct text status;
    int64_t roles, passwords;
};

NODISCARD struct err people_open(struct people *people, const char *instance);
void people_close(struct people *people);
/* The living user of this key, or the user of this id; ERR_NOT_FOUND. As the read model has it. */
NODISCARD struct err people_by_key(struct people *people, struct uuid user_key,
                                   struct person *ret_person);
NODISCARD struct err people_by_id(struct people *people, struct uuid user_id,
                                  struct person *ret_person);
/* message: of user_commands. */
NODISCARD struct err people_command(struct people *people, struct uuid user_key,
                                    struct uuid command_id, const void *message,
                                    struct decision *ret_decision);

#endif
