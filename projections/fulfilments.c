/* fulfilments: one row per order that is being fulfilled, for operators. */
#include "projections/progress.h"
#include "projections/projections.h"

struct fulfilment_row {
    struct uuid order_id;
    struct uuid customer_id;
    struct uuid payment_id;
    ROW_TEXT(16) state;
    ROW_TEXT(24) reason;      /* code: why it is or was given back */
    ROW_TEXT(24) failed_step; /* what needs attention */
    ROW_TEXT(24) due_step;
    struct progress progress;
    int32_t lines;
    int32_t tries;
    int64_t started_at;
    int64_t updated_at;
    struct maybe_time due_at;
    struct maybe_time ended_at;
    int64_t version;
};

static const struct column columns[] = {
    KEY_COLUMN(fulfilment_row, UUID, order_id),
    COLUMN(fulfilment_row, UUID, customer_id),
    COLUMN(fulfilment_row, UUID, payment_id),
    COLUMN(fulfilment_row, TEXT, state),
    {.name = "needs_attention",
     .kind = COLUMN_BOOLEAN,
     .offset = offsetof(struct fulfilment_row, progress.needs_attention),
     .size = 1},
    COLUMN(fulfilment_row, TEXT, reason),
    COLUMN(fulfilment_row, TEXT, failed_step),
    COLUMN(fulfilment_row, INTEGER, lines),
    COLUMN(fulfilment_row, INTEGER, tries),
    COLUMN(fulfilment_row, TIME, started_at),
    COLUMN(fulfilment_row, TIME, updated_at),
    COLUMN(fulfilment_row, MAYBE_TIME, due_at),
    COLUMN(fulfilment_row, TEXT, due_step),
    COLUMN(fulfilment_row, MAYBE_TIME, ended_at),
    COLUMN(fulfilment_row, BIGINT, version),
    {.name = "stage",
     .kind = COLUMN_INTEGER,
     .offset = offsetof(struct fulfilment_row, progress.stage),
     .size = 4},
};

static size_t keys(const struct event *event, void *rows)
{
    ((struct fulfilment_row *)rows)->order_id = fulfilment_order_id(event_as(event, fulfilment));
    return 1;
}

static void start(struct fulfilment_row *row, const struct fulfilment_started_v1 *started,
                  int64_t at)
{
    row->customer_id = started->customer_id;
    row->payment_id = started->payment_id;
    row->lines = (int32_t)started->items.count;
    row->tries = 1;
    row->started_at = at;
}

static void stop_timer(struct fulfilment_row *row)
{
    row->due_at = (struct maybe_time){0};
    row_text_set(&row->due_step, TEXT(""));
}

static void change(struct fulfilment_row *row, const struct fulfilment_event *e, int64_t at)
{
    switch (e->tag) {
    case FULFILMENT_EVENT_STARTED_V1:
        start(row, &e->as.started_v1, at);
        break;
    case FULFILMENT_EVENT_COMPENSATION_STARTED_V1:
        row_text_set(&row->reason, fulfilment_reason_text(e->as.compensation_started_v1.reason));
        break;
    case FULFILMENT_EVENT_COMPENSATION_FAILED_V1:
        row_text_set(&row->failed_step, fulfilment_step_text(e->as.compensation_failed_v1.step));
        stop_timer(row);
        break;
    case FULFILMENT_EVENT_RETRIED_V1:
        row->tries = (int32_t)e->as.retried_v1.try;
        break;
    case FULFILMENT_EVENT_TIMER_SET_V1:
        row->due_at = (struct maybe_time){.us = e->as.timer_set_v1.due_at, .set = true};
        row_text_set(&row->due_step, fulfilment_step_text(e->as.timer_set_v1.step));
        break;
    case FULFILMENT_EVENT_COMPLETED_V1:
    case FULFILMENT_EVENT_TIMER_FIRED_V1:
        stop_timer(row);
        break;
    case FULFILMENT_EVENT_ENDED_V1:
        stop_timer(row);
        row->ended_at = (struct maybe_time){.us = at, .set = true};
        break;
    case FULFILMENT_EVENT_AUTHORIZED_V1:
    case FULFILMENT_EVENT_LINE_RESERVED_V1:
    case FULFILMENT_EVENT_LINE_REJECTED_V1:
    case FULFILMENT_EVENT_CAPTURING_V1:
    case FULFILMENT_EVENT_CAPTURED_V1:
    case FULFILMENT_EVENT_LINE_COMMITTED_V1:
    case FULFILMENT_EVENT_ORDER_CONFIRMED_V1:
    case FULFILMENT_EVENT_CANCELLATION_NOTED_V1:
    case FULFILMENT_EVENT_LINE_RELEASED_V1:
    case FULFILMENT_EVENT_LINE_RESTOCKED_V1:
    case FULFILMENT_EVENT_PAYMENT_RELEASED_V1:
    case FULFILMENT_EVENT_CANCELLED_V1:
    case FULFILMENT_EVENT_SHIPMENT_NOTED_V1:
        break; /* progress_after tells */
    }
}

static enum row_fate apply(void *state, const struct event *event, size_t nth)
{
    struct fulfilment_row *row = state;
    const struct fulfilment_event *e = event_as(event, fulfilment);
    (void)nth;
    if (event->version != row->version + 1)
        return ROW_GAP;
    row->version = event->version;
    row->updated_at = event->decision->at;
    row->progress = progress_after(row->progress, e);
    row_text_set(&row->state, stage_text((enum stage)row->progress.stage));
    change(row, e, event->decision->at);
    if (!row->progress.needs_attention)
        row_text_set(&row->failed_step, TEXT(""));
    return ROW_KEEP;
}

static const char *const sources[] = {"fulfilment", NULL};
static const char *const indexes[] = {"state, started_at, order_id", "needs_attention, updated_at",
                                      NULL};

const struct projection fulfilments_projection = {
    .name = "fulfilments",
    .service = "fulfilment",
    .version = 2,
    .sources = sources,
    .columns = columns,
    .columns_count = COUNT(columns),
    .row_size = sizeof(struct fulfilment_row),
    .indexes = indexes,
    .keys = keys,
    .apply = apply,
};
