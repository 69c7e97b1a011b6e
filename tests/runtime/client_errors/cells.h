/* The cells of the matrix: who is driven, what the brokers answer, what must come of it. */
#ifndef TESTS_CLIENT_ERRORS_CELLS_H
#define TESTS_CLIENT_ERRORS_CELLS_H

#include "tests/runtime/client_errors/mock.h"

/* clang-format off */
#define ENDING_MAP(X)                                                                            \
    X(BROKEN,    "BROKEN")             /* never wanted: something was lost, or did not go on */   \
    X(ONCE,      "done, once")         /* whoever asked did not notice */                         \
    X(FAILED,    "failed, absent")     /* reported as failed, is not in the log; the next works */\
    X(LANDED,    "failed, landed")     /* reported as failed, is in the log all the same */       \
    X(TWICE,     "done, twice")        /* this broker checks no sequence: the rule must judge */  \
    X(RENEWED,   "failed, renewed")    /* reported as failed; the next by a new client */         \
    X(NOT_FOUND, "not found")                                                                     \
    X(NEXT,      "with the next")      /* a position that arrives when more has been done */      \
    X(UNTOLD,    "told to wait")       /* an error that says: later. Afterwards right */          \
    X(ANEW,      "seat, anew")         /* by a new client */                                      \
    X(RETAKEN,   "taken over again")   /* the owner gave up and came back; decided once */        \
    X(DECIDED,   "decided once")       /* one of these two: wanted, never found */                \
    X(RESTARTED, "started again")      /* the publisher began at its position */                  \
    X(HALTED,    "halted")             /* and says so */
/* clang-format on */

enum ending {
#define X(id, text) V_##id,
    ENDING_MAP(X)
#undef X
        ENDINGS
};

struct cell {
    enum api api;
    rd_kafka_resp_err_t error;
    enum how how;
    enum ending wanted;
};

enum { CELL_MS = 60000, CELL_DETAIL = 160 };

struct finding {
    enum ending ending;
    char detail[CELL_DETAIL]; /* why it is broken */
};

/* Each drives one part of the product through one cell, on brokers of its own; any thread. */
struct finding cell_append(const struct cell *cell);
struct finding cell_tail(const struct cell *cell);
struct finding cell_fetch(const struct cell *cell);
struct finding cell_ends(const struct cell *cell);
struct finding cell_topic(const struct cell *cell);
struct finding cell_seat(const struct cell *cell);
struct finding cell_offsets(const struct cell *cell);
struct finding cell_publish(const struct cell *cell);
struct finding cell_own(const struct cell *cell);
struct finding cell_effect(const struct cell *cell);
struct finding cell_commit(const struct cell *cell);

__attribute__((format(printf, 1, 2))) struct finding broken(const char *format, ...);
struct finding found(enum ending ending);

#endif
