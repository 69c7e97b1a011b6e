/* The contract of an outside world that acts on events, such as a payment provider. Pure: the
 * runtime reads the decisions, makes the calls one after the other, repeats and gives up, and sends
 * the result back as a command. At least once: so every call that changes something carries a key
 * under which a repeat has no effect, and an answer that did not come is asked for before the call
 * is made again. Never used on replay. */
#ifndef CORE_EFFECT_H
#define CORE_EFFECT_H

#include "core/event.h"

enum {
    EFFECT_JOB_BYTES_MAX = 1024,
    EFFECT_PATH_MAX = 1536,           /* bytes of path and query */
    EFFECT_SCRATCH_BYTES = 64 * 1024, /* an arena of at least this is given to every function */
};

/* One HTTP request with a JSON body. */
struct effect_call {
    const char *method;          /* static */
    char path[EFFECT_PATH_MAX];  /* below the base URL, with query; NUL-terminated */
    char key[UUID_TEXT_LEN + 1]; /* Idempotency-Key; empty: none */
    struct text body;            /* in the arena; may be empty */
};

struct effect_answer {
    int status; /* HTTP; 0: no answer came, and nobody knows what happened */
    struct text body;
};

/* The command that tells the aggregate whose event it was. The message and its text live in the
 * arena, the job or the answer. */
struct effect_result {
    struct uuid id;      /* of the command: the same for the same outcome, for ever */
    const void *message; /* tagged union of effect->commands */
};

enum effect_verdict {
    EFFECT_NEXT,  /* make the next call */
    EFFECT_RETRY, /* after a pause */
    EFFECT_DONE,  /* the result is there */
};

struct effect {
    const char *name;    /* payment: of group foldlog.effects.payment */
    const char *service; /* whose log it reads, and who gets the results */
    const struct vocabulary *events;
    const struct vocabulary *commands;
    size_t job_size; /* at most EFFECT_JOB_BYTES_MAX; the runtime owns it and zeroes it first */

    /* Is this event a job? Keeps no pointer into the event. `repeat`: an earlier process may have
     * begun it. */
    bool (*start)(void *job, const struct event *event, bool repeat);
    /* Does this event, later in the log of the same aggregate, tell how what the job asks for has
     * ended? Then it is not asked for any more. */
    bool (*is_answered)(const void *job, const struct event *event);
    /* The call to make now. */
    void (*call)(const void *job, struct arena *arena, struct effect_call *ret_call);
    /* What the answer to that call leads to; *ret_result is set with EFFECT_DONE. */
    enum effect_verdict (*learn)(void *job, const struct effect_answer *answer, struct arena *arena,
                                 struct effect_result *ret_result);
    /* The time is over and nobody knows what happened. reason: static text for people. False: it
     * must not end so yet; asked again after as much time once more. */
    bool (*give_up)(void *job, const char *reason, struct arena *arena,
                    struct effect_result *ret_result);
};

#endif
