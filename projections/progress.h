/* How far fulfilment is, as its events tell: shared by the read models that show it. */
#ifndef PROJECTIONS_PROGRESS_H
#define PROJECTIONS_PROGRESS_H

#include "schemas/fulfilment.h"

enum stage {
    STAGE_NONE,
    STAGE_AUTHORIZING,
    STAGE_RESERVING,
    STAGE_CAPTURING,
    STAGE_CONFIRMING,
    STAGE_CONFIRMED,
    STAGE_COMPENSATING,
    STAGE_CANCELLED,
};

/* Kept in rows as two integers. */
struct progress {
    int32_t stage;
    bool needs_attention;
};

struct progress progress_after(struct progress before, const struct fulfilment_event *event);
struct text stage_text(enum stage stage);             /* authorizing: fulfilments.state */
struct text progress_phase(struct progress progress); /* awaiting_payment: orders.phase */
/* The order an event of fulfilment is about. */
struct uuid fulfilment_order_id(const struct fulfilment_event *event);

#endif
