/* users: one row per life of a user. Personal values are kept as they were sealed; who may, opens
 * them. After erasure the row stays and says so. */
#include "projections/projections.h"
#include "schemas/user.h"

#include <assert.h>

struct user_row {
    struct uuid user_id;
    struct uuid user_key;        /* of the e-mail address: by it a log-in finds the row */
    ROW_TEXT(1500) email;        /* sealed */
    ROW_TEXT(1200) name;         /* sealed */
    ROW_TEXT(300) password_hash; /* sealed */
    ROW_TEXT(12) status;
    int32_t roles;     /* bits of enum role */
    int64_t passwords; /* how many there have been */
    int64_t registered_at;
    int64_t updated_at;
    int64_t version;
};

static const struct column columns[] = {
    KEY_COLUMN(user_row, UUID, user_id),   COLUMN(user_row, UUID, user_key),
    COLUMN(user_row, TEXT, email),         COLUMN(user_row, TEXT, name),
    COLUMN(user_row, TEXT, password_hash), COLUMN(user_row, TEXT, status),
    COLUMN(user_row, INTEGER, roles),      COLUMN(user_row, BIGINT, passwords),
    COLUMN(user_row, TIME, registered_at), COLUMN(user_row, TIME, updated_at),
    COLUMN(user_row, BIGINT, version),
};

static struct uuid user_id(const struct user_event *event)
{
    assert(event);
    switch (event->tag) {
    case USER_EVENT_REGISTERED_V1:
        return event->as.registered_v1.user_id;
    case USER_EVENT_PASSWORD_CHANGED_V1:
        return event->as.password_changed_v1.user_id;
    case USER_EVENT_PROFILE_CHANGED_V1:
        return event->as.profile_changed_v1.user_id;
    case USER_EVENT_ROLES_CHANGED_V1:
        return event->as.roles_changed_v1.user_id;
    case USER_EVENT_STATUS_CHANGED_V1:
        return event->as.status_changed_v1.user_id;
    case USER_EVENT_ERASED_V1:
        return event->as.erased_v1.user_id;
    }
    return (struct uuid){{0}};
}

static size_t keys(const struct event *event, void *rows)
{
    const struct user_event *e = event_as(event, user);
    if (!e)
        return 0;
    ((struct user_row *)rows)->user_id = user_id(e);
    return 1;
}

static int32_t role_bits(const enum user_role *roles, size_t count)
{
    static const int32_t bits[] = {[USER_ROLE_CUSTOMER] = ROLE_CUSTOMER,
                                   [USER_ROLE_MERCHANT] = ROLE_MERCHANT,
                                   [USER_ROLE_ADMIN] = ROLE_ADMIN};
    int32_t set = 0;
    for (size_t i = 0; i < count; i++)
        set |= bits[roles[i]];
    return set;
}

static void enrol(struct user_row *row, const struct user_registered_v1 *registered,
                  const struct decision *decision)
{
    (void)uuid_read(decision->target, &row->user_key);
    row_text_set(&row->email, registered->email);
    row_text_set(&row->name, registered->name);
    row_text_set(&row->password_hash, registered->password_hash);
    row_text_set(&row->status, user_status_text(USER_STATUS_ACTIVE));
    row->roles = role_bits(registered->roles.at, registered->roles.count);
    row->passwords = 1;
    row->registered_at = decision->at;
}

static void forget(struct user_row *row)
{
    row_text_set(&row->email, TEXT(""));
    row_text_set(&row->name, TEXT(""));
    row_text_set(&row->password_hash, TEXT(""));
    row_text_set(&row->status, user_status_text(USER_STATUS_ERASED));
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct user_row *row = state;
    const struct user_event *e = event_as(event, user);
    (void)nth;
    /* A life begins wherever the one before ended. */
    if (e->tag == USER_EVENT_REGISTERED_V1 ? row->version != 0 : event->version != row->version + 1)
        return ROW_GAP;
    row->version = event->version;
    row->updated_at = event->decision->at;
    switch (e->tag) {
    case USER_EVENT_REGISTERED_V1:
        enrol(row, &e->as.registered_v1, event->decision);
        break;
    case USER_EVENT_PASSWORD_CHANGED_V1:
        row_text_set(&row->password_hash, e->as.password_changed_v1.password_hash);
        row->passwords++;
        break;
    case USER_EVENT_PROFILE_CHANGED_V1:
        row_text_set(&row->name, e->as.profile_changed_v1.name);
        break;
    case USER_EVENT_ROLES_CHANGED_V1:
        row->roles = role_bits(e->as.roles_changed_v1.roles.at, e->as.roles_changed_v1.roles.count);
        break;
    case USER_EVENT_STATUS_CHANGED_V1:
        row_text_set(&row->status, user_settable_status_text(e->as.status_changed_v1.status));
        break;
    case USER_EVENT_ERASED_V1:
        forget(row);
        break;
    }
    return ROW_KEEP;
}

static const char *const sources[] = {"user", NULL};
static const char *const indexes[] = {"user_key", NULL};

const struct projection users_projection = {
    .name = "users",
    .service = "user",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct user_row),
    .indexes = indexes,
    .keys = keys,
    .apply = apply,
};
