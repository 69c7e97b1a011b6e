/* A scenario: what happens to the owners of one small service and to their log, step by step, and
 * what an independent reader finds in the end. The same table is played on the simulated broker
 * (stage_sim.c) and on a real one (stage_kafka.c): both must find the same, or the simulator lies.
 */
#ifndef TESTS_SCENARIOS_SCENARIO_H
#define TESTS_SCENARIOS_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

/* Kinds of request, by Kafka's numbers. */
enum api { API_PRODUCE = 0, API_FETCH = 1, API_COMMIT = 8, API_HEARTBEAT = 12 };

/* Actors, readers and members are letters; n is a count, an offset, a command, a kind of request.
 */
enum verb {
    /* actors */
    DO_START,       /* an owner of the service; waits for nothing */
    DO_START_RIVAL, /* an owner in a group of its own, which nobody keeps apart from the others */
    DO_START_SAGA,  /* an owner of the saga */
    DO_STOP,        /* in good order */
    DO_KILL,
    DO_PAUSE, /* stands still (SIGSTOP) */
    DO_RESUME,
    /* clients: command n adds product n */
    DO_SEND,
    DO_SEND_FOR_SAGA, /* as a step of an order: the saga reads its decision */
    DO_SEND_TWIN,     /* another command that adds the product of command n: c50+n */
    DO_SEND_AGAIN,    /* the same once more, as a client does that got no answer */
    DO_SEND_OTHER,    /* another request under the same key */
    DO_SEND_GARBAGE,  /* n records that nobody can read */
    /* others who write the log */
    DO_FOREIGN_TAKEOVER,
    DO_ECHO, /* its last n decisions, byte for byte */
    /* the network of an actor */
    DO_HOLD,        /* requests of this kind do not get through any more ... */
    DO_RELEASE,     /* ... until now, in their order */
    DO_LOSE_ANSWER, /* of the next produce request, and with it the connection */
    DO_DOUBLE,      /* the next produce request arrives twice */
    /* the broker */
    DO_DELETE,      /* commands below offset n, as retention does */
    DO_BROKER_DOWN, /* dies; what it wrote may not have reached the disk: */
    DO_CUT_LOG,     /* the last n records of the log */
    DO_CUT_COMMANDS,
    DO_BROKER_UP,
    /* readers by the product's own cursor, beside the client that reads from the start */
    DO_READ_FROM_END,
    DO_READ_FROM, /* offset n: after the decision before it */
    DO_REST,      /* reads no more, keeps its position */
    DO_READ_ON,   /* from there */
    /* members of a group that keeps positions */
    DO_JOIN,
    DO_LEAVE,
    DO_COMMIT,    /* position n */
    DO_COMMITTED, /* asks; the answer is part of the outcome */
    /* waiting: fails the scenario when it does not come */
    AWAIT_DECIDED,      /* n valid decisions in all */
    AWAIT_SAGA_DECIDED, /* likewise in the saga's log */
    AWAIT_VOID,         /* n void records */
    AWAIT_OWNER,        /* the latest TAKEOVER of partition 0 is this actor's */
    AWAIT_HELD,         /* one of its produce requests is held */
    AWAIT_HALT,         /* it has halted a partition */
    AWAIT_COMMITTED,    /* position n is committed */
    AWAIT_TOLD,         /* this reader (0: the client) has read n decisions */
    AWAIT_READER_HALT,  /* this reader has halted */
    LET_PASS,           /* n milliseconds */
    SCENARIO_END,
};

struct step {
    enum verb verb;
    char who;
    int n;
};

struct scenario {
    const char *name; /* a sentence */
    const struct step *steps;
    const char *outcome;
    int partitions;    /* 0: 1 */
    int renew;         /* decisions per epoch; 0: as many as in production */
    bool with_saga;    /* the service follows the saga's log from the start */
    bool authors_vary; /* who decided is left open */
    bool voids_vary;   /* so is what was written in vain */
    bool restarts_broker;
};

extern const struct scenario *const scenarios[];
extern const size_t scenarios_count;

#endif
