/* From one HTTP request to one reply, without sockets. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/fault.h"
#include "sandbox/ledger.h"

struct routes {
    struct ledger *ledger;
    struct fault fault;
    uint32_t hang_ms; /* how long timeout-after-charge holds the connection */
    struct {
        atomic_ulong calls;
        atomic_ulong replays;
        atomic_ulong errors_asked; /* by error:<n> and refund-error:<n> */
        atomic_ulong hangs;
        atomic_ulong stale_answers;
        atomic_ulong faults_before;
        atomic_ulong faults_after;
    } counted; /* since the start of the process */
};

struct call {
    const char *method;
    const char *path;
    const char *key;       /* Idempotency-Key, NULL if none */
    const char *key_asked; /* ?idempotency_key=, NULL if none */
    const char *body;
    size_t body_size;
    bool body_too_long;
};

struct reply {
    unsigned status;
    char *body; /* JSON, owned: the caller frees */
    const char *allow;
    char *key; /* whose operation the body speaks of, NULL if none; owned */
    bool replayed;
    uint32_t wait_ms; /* before anything is sent */
    bool drop;        /* close the connection without an answer */
};

/* Any thread. May block on disk; does not itself wait `wait_ms`. */
struct reply routes_answer(struct routes *routes, const struct call *call);
void reply_finish(struct reply *reply);
