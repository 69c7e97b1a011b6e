/* Access tokens that no longer count before their time: of a session that has ended, or of a user
 * from before a moment. Told to all processes by the topic platform.revocations, which each reads
 * from the first record kept; kept in memory until such tokens have expired by themselves. */
#ifndef RUNTIME_REVOCATION_H
#define RUNTIME_REVOCATION_H

#include "runtime/event_log.h"
#include "runtime/token.h"

#define REVOCATIONS_TOPIC "platform.revocations"

enum {
    REVOCATIONS_MAX = 32768,       /* remembered at once; beyond: nobody's older token counts */
    REVOCATION_QUEUE_MAX = 256,    /* waiting to be appended */
    REVOCATION_PUBLISH_MS = 5000,  /* until a publication is given up */
    REVOCATION_SILENCE_MS = 30000, /* the longest that tokens are believed without knowing what has
                                      been revoked */
    REVOCATION_PULSE_MS = 5000,    /* between two questions for the ends of the topic */
};

enum revocation_kind { REVOKE_SESSION = 1, REVOKE_USER, REVOKE_SUBJECT };

struct revocation {
    enum revocation_kind kind;
    struct uuid id;     /* session, or user */
    int64_t not_before; /* microseconds: tokens issued until then do not count */
    struct uuid spared; /* REVOKE_USER: the session whose tokens do; nil: none */
};

struct revocations;

/* subject: called when a subject's key has been erased, from the revocations' own thread. */
NODISCARD struct err revocations_start(struct log *log,
                                       void (*subject)(void *context, struct uuid subject),
                                       void *context, struct revocations **ret_revocations);
void revocations_stop(struct revocations *revocations); /* NULL is fine */
/* It has read all there was when it started, and knows of all that was revoked until
 * REVOCATION_SILENCE_MS ago. */
bool revocations_ready(struct revocations *revocations);
/* Milliseconds since when it has not known what was revoked. */
int64_t revocations_silence_ms(const struct revocations *revocations);
bool revocations_hit(struct revocations *revocations, const struct token_claims *claims);
/* Tells everybody; when it returns, the record is stored and counts in this process. Blocks. */
NODISCARD struct err revocations_publish(struct revocations *revocations,
                                         const struct revocation *revocation);

#endif
