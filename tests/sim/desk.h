/* How a client reaches a service: appends its commands and waits until it reads the valid decision,
 * as the api does (runtime/api_loop.c); repeats what it has not learned the outcome of. */
#ifndef TESTS_SIM_DESK_H
#define TESTS_SIM_DESK_H

#include "core/message.h"
#include "runtime/cursor.h"
#include "tests/sim/broker.h"
#include "tests/sim/history.h"

enum { DESK_TAILS = SIM_SERVICES * SIM_PARTITIONS_MAX, DESK_WAIT_MS = 8000, DESK_ARENA = 1 << 20 };

struct desk {
    struct proc *proc;
    int client;
    struct log_reader *reader;
    struct log_producer *producer;
    struct arena arena, facts;
    struct {
        struct log_topic *log;
        bool open;
        struct cursor cursor;
    } tails[DESK_TAILS];
    uint64_t tag; /* of the append that is waited for */
    bool append_failed;
    int64_t delivered; /* of a mutant: it does not wait for more */
};

struct order_of_work { /* one command, however often it is tried */
    const char *service;
    const struct vocabulary *commands;
    const void *message;
    struct text target;
    struct uuid id, saga;
    struct actor actor;
    int64_t expected_version;
    uint64_t fingerprint; /* 0: made from the bytes */
};

void desk_open(struct desk *desk, struct proc *proc, int client);
void desk_close(struct desk *desk);
/* Does not wait. The answer is awaited before the next goes to the same partition. */
struct request *desk_send(struct desk *desk, const struct order_of_work *work);
void desk_await(struct desk *desk, struct request *request);
/* Until it is decided or, seldom, given up: then answer is ANSWER_UNKNOWN. */
const struct request *desk_ask(struct desk *desk, const struct order_of_work *work);
/* Bytes that no program of ours has written, and no answer to wait for. */
void desk_poison(struct desk *desk, const char *service, struct text key);

#endif
