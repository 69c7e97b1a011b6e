/* Hands an HTTP request on to the process that serves it, and its answer back. Implemented by
 * http_out_relay.c on libcurl, with one thread of its own; no curl type leaves it. */
#ifndef RUNTIME_RELAY_H
#define RUNTIME_RELAY_H

#include "core/err.h"
#include "core/text.h"

enum {
    RELAY_CALLS_MAX = 1024,             /* under way at once */
    RELAY_ANSWER_MAX = 8 * 1024 * 1024, /* bytes of a body; a longer answer is none */
    RELAY_FIELDS_MAX = 16,
    RELAY_CONNECT_MS = 1000,
};

struct relay_field {
    struct text name, value;
};

struct relay_request {
    const char *method; /* HEAD is asked as GET */
    const char *url;
    struct relay_field fields[RELAY_FIELDS_MAX];
    size_t fields_count;
    struct text body;
    int timeout_ms;
    void *context; /* of the answer */
};

enum relay_outcome {
    RELAY_ANSWERED,
    RELAY_UNREACHED,  /* nothing was sent */
    RELAY_UNANSWERED, /* sent, perhaps */
};

struct relay_response { /* valid during the callback */
    enum relay_outcome outcome;
    int status;
    struct text body;
    struct relay_field fields[RELAY_FIELDS_MAX]; /* of those that were asked for */
    size_t fields_count;
};

/* Called once per request that was taken, on the relay's thread, which it must not block. */
typedef void (*relay_answer)(void *context, const struct relay_response *response);

struct relay;

/* wanted: names of the header fields of answers that are handed back; NULL-terminated, static. */
NODISCARD struct err relay_open(relay_answer answer, const char *const *wanted,
                                struct relay **ret_relay);
/* Copies the request; from any thread. ERR_FULL: too many are under way. */
NODISCARD struct err relay_send(struct relay *relay, const struct relay_request *request);
/* Answers what is under way as unanswered. NULL is fine. */
void relay_close(struct relay *relay);

#endif
