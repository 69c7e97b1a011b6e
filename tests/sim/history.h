/* What clients asked and what they were told: the checker's side of the contract with them. */
#ifndef TESTS_SIM_HISTORY_H
#define TESTS_SIM_HISTORY_H

#include "core/envelope.h"
#include "tests/sim/world.h"

enum answer_kind { ANSWER_UNKNOWN, ANSWER_OK, ANSWER_REFUSED };

struct request {          /* one try of one command */
    struct request *next; /* in the order in which they were made */
    int client;
    const char *service;
    char target[KEY_LEN_MAX + 1];
    int partition;
    struct uuid command_id, attempt;
    uint64_t fingerprint;
    int64_t invoked, answered; /* virtual time; INT64_MAX: never */
    enum answer_kind answer;
    enum problem problem;
    bool replayed;
    int64_t version;
    int64_t decision; /* offset in the service's log */
    int64_t command;  /* offset in its commands, from the decision */
};

void history_begin(void);
struct request *history_add(void);
const struct request *history_first(void);

#endif
