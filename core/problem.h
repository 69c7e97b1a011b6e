/* Every way in which the answer to a request can be "no". Written once: the HTTP status, the stable
 * problem type and whether the refusal is remembered under the command's id. */
#ifndef CORE_PROBLEM_H
#define CORE_PROBLEM_H

#include "core/text.h"

// clang-format off
/*    name                   code (problem type)        HTTP  final  title */
#define PROBLEM_MAP(X)                                                                            \
    X(NONE,                  "about:blank",             200, false, "No problem")                 \
    X(MALFORMED,             "malformed",               400, false, "Malformed request")          \
    X(KEY_REQUIRED,          "idempotency-key-required", 400, false, "Idempotency-Key required")  \
    X(INVALID_GRANT,         "invalid-grant",           400, false, "Invalid grant")              \
    X(UNSUPPORTED_GRANT,     "unsupported-grant-type",  400, false, "Unsupported grant type")     \
    X(UNAUTHENTICATED,       "unauthenticated",         401, false, "Not authenticated")          \
    X(FORBIDDEN,             "forbidden",               403, false, "Not allowed")                \
    X(NOT_FOUND,             "not-found",               404, false, "Not found")                  \
    X(METHOD_NOT_ALLOWED,    "method-not-allowed",      405, false, "Method not allowed")         \
    X(ALREADY_EXISTS,        "already-exists",          409, true,  "Already exists")             \
    X(PRICE_CHANGED,         "price-changed",           409, true,  "The price has changed")      \
    X(PRODUCT_DISCONTINUED,  "product-discontinued",    409, true,  "Product discontinued")       \
    X(CURRENCY_MISMATCH,     "currency-mismatch",       409, true,  "Currencies differ")          \
    X(ALREADY_SHIPPED,       "already-shipped",         409, true,  "Already shipped")            \
    X(WRONG_STATE,           "wrong-state",             409, true,  "Not possible in this state") \
    X(STOCK_TOO_LOW,         "stock-too-low",           409, true,  "Not enough stock")           \
    X(LIMIT_EXCEEDED,        "limit-exceeded",          409, true,  "A limit would be exceeded")  \
    X(VERSION_MISMATCH,      "version-mismatch",        412, true,  "Version mismatch")           \
    X(BODY_TOO_LARGE,        "body-too-large",          413, false, "Body too large")             \
    X(UNSUPPORTED_MEDIA,     "unsupported-media-type",  415, false, "Unsupported media type")     \
    X(HEADER_TOO_LARGE,      "header-too-large",        431, false, "Header too large")           \
    X(INVALID,               "invalid",                 422, false, "Invalid request")            \
    X(UNKNOWN_PRODUCT,       "unknown-product",         422, false, "Unknown product")            \
    X(KEY_REUSED,            "idempotency-key-reused",  422, false, "Idempotency-Key reused with another request") \
    X(UNDECODABLE,           "undecodable",             422, false, "The command cannot be decoded") \
    X(TOO_MANY,              "too-many-requests",       429, false, "Too many requests")          \
    X(INTERNAL,              "internal",                500, false, "Internal error")             \
    X(OVERLOADED,            "overloaded",              503, false, "Overloaded")                 \
    X(UNAVAILABLE,           "unavailable",             503, false, "Temporarily unavailable")    \
    X(PARTITION_HALTED,      "partition-halted",        503, false, "This part of the service is halted") \
    X(READ_MODEL_BEHIND,     "read-model-behind",       503, false, "The read model is behind")   \
    X(READ_MODEL_REBUILDING, "read-model-rebuilding",   503, false, "The read model is being rebuilt") \
    X(READ_MODEL_HALTED,     "read-model-halted",       503, false, "The read model is halted")

enum problem {
#define X(name, code, status, final, title) PROBLEM_##name,
    PROBLEM_MAP(X)
#undef X
    PROBLEMS
};
// clang-format on

struct problem_row {
    const char *code;
    int status;
    bool final;
    const char *title;
};

extern const struct problem_row problem_rows[PROBLEMS];
/* PROBLEMS when no problem has this code. */
enum problem problem_find(struct text code);

#endif
