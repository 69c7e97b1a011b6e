/* Who asks, as the gateway tells the services: signed, for one request, for half a minute. A
 * service that stands behind a gateway believes nothing else. */
#ifndef RUNTIME_PRINCIPAL_H
#define RUNTIME_PRINCIPAL_H

#include "core/envelope.h"

#define PRINCIPAL_FIELD "Foldlog-Principal"
enum { PRINCIPAL_SECONDS = 30, PRINCIPAL_LEN_MAX = 256 };

struct asker {
    struct actor actor;       /* roles 0: nobody has said who they are */
    struct uuid key, session; /* the actor's user aggregate; nil: none */
};

/* The header's value. now: seconds since 1970. */
void principal_sign(struct text secret, const struct asker *asker, struct text method,
                    struct text path, int64_t now, char out[PRINCIPAL_LEN_MAX]);
/* False: not signed with this secret for this request, or too old. */
bool principal_check(struct text secret, struct text value, struct text method, struct text path,
                     int64_t now, struct asker *ret_asker);

#endif
