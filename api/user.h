/* What logging in must know of a user. */
#ifndef API_USER_H
#define API_USER_H

#include "core/route.h"

struct user_known {
    bool exists;
    bool active;
    int64_t version;
    struct principal principal;
    struct text password_hash; /* .at NULL: there is none to be opened */
};

/* Rows of the user who has this address now, as of the end of the log; none, or one. */
bool user_by_email(const struct request *request, struct text email, struct query_rows *ret_rows,
                   struct refusal *refusal);
bool user_read(const struct request *request, const struct query_rows *rows,
               struct user_known *ret_user, struct refusal *refusal);
/* As of the end of the log. */
bool user_again(const struct request *request, struct uuid user_id, struct user_known *ret_user,
                struct refusal *refusal);

#endif
