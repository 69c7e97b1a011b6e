/* The stages of fulfilment. */
#include "projections/progress.h"

struct stage_row {
    struct text text, phase;
};

static const struct stage_row stages[] = {
    [STAGE_NONE] = {{"", 0}, {"", 0}},
    [STAGE_AUTHORIZING] = {{"authorizing", 11}, {"awaiting_payment", 16}},
    [STAGE_RESERVING] = {{"reserving", 9}, {"reserving", 9}},
    [STAGE_CAPTURING] = {{"capturing", 9}, {"capturing", 9}},
    [STAGE_CONFIRMING] = {{"confirming", 10}, {"capturing", 9}},
    [STAGE_CONFIRMED] = {{"confirmed", 9}, {"done", 4}},
    [STAGE_COMPENSATING] = {{"compensating", 12}, {"compensating", 12}},
    [STAGE_CANCELLED] = {{"cancelled", 9}, {"done", 4}},
};

struct text stage_text(enum stage stage)
{
    return stages[stage].text;
}

struct text progress_phase(struct progress progress)
{
    return progress.needs_attention ? TEXT("needs_attention") : stages[progress.stage].phase;
}

struct progress progress_after(struct progress before, const struct fulfilment_event *event)
{
    switch (event->tag) {
    case FULFILMENT_EVENT_STARTED_V1:
        return (struct progress){.stage = STAGE_AUTHORIZING};
    case FULFILMENT_EVENT_AUTHORIZED_V1:
        return (struct progress){.stage = STAGE_RESERVING};
    case FULFILMENT_EVENT_CAPTURING_V1:
        return (struct progress){.stage = STAGE_CAPTURING};
    case FULFILMENT_EVENT_CAPTURED_V1:
        return (struct progress){.stage = STAGE_CONFIRMING};
    case FULFILMENT_EVENT_COMPLETED_V1:
        return (struct progress){.stage = STAGE_CONFIRMED};
    case FULFILMENT_EVENT_COMPENSATION_STARTED_V1:
        return (struct progress){.stage = STAGE_COMPENSATING};
    case FULFILMENT_EVENT_CANCELLED_V1:
        return (struct progress){.stage = STAGE_CANCELLED};
    case FULFILMENT_EVENT_COMPENSATION_FAILED_V1:
        return (struct progress){.stage = before.stage, .needs_attention = true};
    case FULFILMENT_EVENT_RETRIED_V1:
    case FULFILMENT_EVENT_ENDED_V1:
        return (struct progress){.stage = before.stage};
    case FULFILMENT_EVENT_LINE_RESERVED_V1:
    case FULFILMENT_EVENT_LINE_REJECTED_V1:
    case FULFILMENT_EVENT_LINE_COMMITTED_V1:
    case FULFILMENT_EVENT_ORDER_CONFIRMED_V1:
    case FULFILMENT_EVENT_CANCELLATION_NOTED_V1:
    case FULFILMENT_EVENT_LINE_RELEASED_V1:
    case FULFILMENT_EVENT_LINE_RESTOCKED_V1:
    case FULFILMENT_EVENT_PAYMENT_RELEASED_V1:
    case FULFILMENT_EVENT_SHIPMENT_NOTED_V1:
    case FULFILMENT_EVENT_TIMER_SET_V1:
    case FULFILMENT_EVENT_TIMER_FIRED_V1:
        return before;
    }
    return before;
}

struct uuid fulfilment_order_id(const struct fulfilment_event *event)
{
    switch (event->tag) {
    case FULFILMENT_EVENT_STARTED_V1:
        return event->as.started_v1.order_id;
    case FULFILMENT_EVENT_AUTHORIZED_V1:
        return event->as.authorized_v1.order_id;
    case FULFILMENT_EVENT_LINE_RESERVED_V1:
        return event->as.line_reserved_v1.order_id;
    case FULFILMENT_EVENT_LINE_REJECTED_V1:
        return event->as.line_rejected_v1.order_id;
    case FULFILMENT_EVENT_CAPTURING_V1:
        return event->as.capturing_v1.order_id;
    case FULFILMENT_EVENT_CAPTURED_V1:
        return event->as.captured_v1.order_id;
    case FULFILMENT_EVENT_LINE_COMMITTED_V1:
        return event->as.line_committed_v1.order_id;
    case FULFILMENT_EVENT_ORDER_CONFIRMED_V1:
        return event->as.order_confirmed_v1.order_id;
    case FULFILMENT_EVENT_COMPLETED_V1:
        return event->as.completed_v1.order_id;
    case FULFILMENT_EVENT_CANCELLATION_NOTED_V1:
        return event->as.cancellation_noted_v1.order_id;
    case FULFILMENT_EVENT_COMPENSATION_STARTED_V1:
        return event->as.compensation_started_v1.order_id;
    case FULFILMENT_EVENT_LINE_RELEASED_V1:
        return event->as.line_released_v1.order_id;
    case FULFILMENT_EVENT_LINE_RESTOCKED_V1:
        return event->as.line_restocked_v1.order_id;
    case FULFILMENT_EVENT_PAYMENT_RELEASED_V1:
        return event->as.payment_released_v1.order_id;
    case FULFILMENT_EVENT_CANCELLED_V1:
        return event->as.cancelled_v1.order_id;
    case FULFILMENT_EVENT_COMPENSATION_FAILED_V1:
        return event->as.compensation_failed_v1.order_id;
    case FULFILMENT_EVENT_SHIPMENT_NOTED_V1:
        return event->as.shipment_noted_v1.order_id;
    case FULFILMENT_EVENT_ENDED_V1:
        return event->as.ended_v1.order_id;
    case FULFILMENT_EVENT_RETRIED_V1:
        return event->as.retried_v1.order_id;
    case FULFILMENT_EVENT_TIMER_SET_V1:
        return event->as.timer_set_v1.order_id;
    case FULFILMENT_EVENT_TIMER_FIRED_V1:
        return event->as.timer_fired_v1.order_id;
    }
    return (struct uuid){{0}};
}
