/* order_customers: what the order service knows of users: who an address belongs to now, and
 * whether that user may order. */
#include "projections/projections.h"
#include "schemas/user.h"

struct customer_row {
    ROW_TEXT(UUID_TEXT_LEN) user_key; /* key of the user aggregate */
    ROW_TEXT(12) status;
    struct uuid user_id; /* of the present life, or the last */
    int64_t version;
};

static const struct column columns[] = {
    KEY_COLUMN(customer_row, TEXT, user_key),
    COLUMN(customer_row, UUID, user_id),
    COLUMN(customer_row, TEXT, status),
    COLUMN(customer_row, BIGINT, version),
};

static size_t keys(const struct event *event, void *rows)
{
    row_text_set(&((struct customer_row *)rows)->user_key, event->decision->target);
    return 1;
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct customer_row *row = state;
    const struct user_event *e = event_as(event, user);
    (void)nth;
    if (event->version != row->version + 1)
        return ROW_GAP;
    row->version = event->version;
    switch (e->tag) {
    case USER_EVENT_REGISTERED_V1:
        row->user_id = e->as.registered_v1.user_id;
        row_text_set(&row->status, user_status_text(USER_STATUS_ACTIVE));
        break;
    case USER_EVENT_STATUS_CHANGED_V1:
        row_text_set(&row->status, user_settable_status_text(e->as.status_changed_v1.status));
        break;
    case USER_EVENT_ERASED_V1:
        row_text_set(&row->status, user_status_text(USER_STATUS_ERASED));
        break;
    case USER_EVENT_PASSWORD_CHANGED_V1:
    case USER_EVENT_PROFILE_CHANGED_V1:
    case USER_EVENT_ROLES_CHANGED_V1:
        break;
    }
    return ROW_KEEP;
}

static const char *const sources[] = {"user", NULL};

const struct projection order_customers_projection = {
    .name = "order_customers",
    .service = "order",
    .version = 1,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct customer_row),
    .keys = keys,
    .apply = apply,
};
