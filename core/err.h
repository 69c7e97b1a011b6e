/* One small error value for the whole program. What to do about it is decided once, in err_class.
 */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include <stdbool.h>
#include <stdint.h>

enum err_class {
    ERR_CLASS_NONE,   /* success */
    ERR_CLASS_REJECT, /* the request can never succeed: tell whoever asked */
    ERR_CLASS_RETRY,  /* trouble outside: back off and try again */
    ERR_CLASS_ABORT,  /* this owner's memory is stale: forget it and take over again */
    ERR_CLASS_HALT,   /* this partition or projection cannot go on: stop it alone, loudly */
    ERR_CLASS_FATAL,  /* this process must stop */
};

// clang-format off
/*    code              class   text */
#define ERR_MAP(X)                                             \
    X(ERR_OK,           NONE,   "ok")                          \
    X(ERR_INVALID,      REJECT, "invalid input")               \
    X(ERR_NOT_FOUND,    REJECT, "not found")                   \
    X(ERR_CONFLICT,     REJECT, "conflict")                    \
    X(ERR_FULL,         RETRY,  "a bounded queue is full")     \
    X(ERR_TIMEOUT,      RETRY,  "not done in time")            \
    X(ERR_UNAVAILABLE,  RETRY,  "dependency unavailable")      \
    X(ERR_STOPPING,     RETRY,  "stopping")                    \
    X(ERR_DEPOSED,      ABORT,  "another owner took over")     \
    X(ERR_MALFORMED,    HALT,   "malformed record")            \
    X(ERR_UNKNOWN_TYPE, HALT,   "unknown message type")        \
    X(ERR_GAP,          HALT,   "broken sequence")             \
    X(ERR_LOST,         HALT,   "position lies outside the log") \
    X(ERR_REFUSED,      HALT,   "refused by the database")     \
    X(ERR_CONFIG,       FATAL,  "wrong configuration")         \
    X(ERR_NOMEM,        FATAL,  "out of memory")

enum err_code {
#define X(code, class, text) code,
    ERR_MAP(X)
#undef X
    ERR_CODES
};
// clang-format on

struct err {
    enum err_code code;
    int32_t cause;    /* errno, rd_kafka_resp_err_t or packed SQLSTATE; 0 if none */
    const char *what; /* static string, never freed */
};

#define NODISCARD __attribute__((warn_unused_result))
#define CLEANUP(function) __attribute__((cleanup(function)))
#define OK ((struct err){.code = ERR_OK})
#define FAIL(c, w) ((struct err){.code = (c), .what = (w)})
#define FAIL_CAUSE(c, w, n) ((struct err){.code = (c), .cause = (int32_t)(n), .what = (w)})

/* The only control-flow macro of the code base. */
#define TRY(expr)                 \
    do {                          \
        struct err try_ = (expr); \
        if (try_.code != ERR_OK)  \
            return try_;          \
    } while (0)

enum err_class err_class(struct err e);
/* Whoever follows a partition halts upon these, and begins anew upon all others. */
bool err_is_final(struct err e);
/* The general text of the code; e.what says which thing. */
const char *err_text(struct err e);

#endif
