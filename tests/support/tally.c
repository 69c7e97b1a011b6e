/* Counts by type, and by line what moves stock. */
#include "tests/support/tally.h"

#include <check.h>

#include "schemas/inventory.h"

static void count_line(struct tally *tally, const struct inventory_event *event)
{
    if (event->tag == INVENTORY_EVENT_RESERVED_V1)
        tally->reserved[event->as.reserved_v1.line]++;
    else if (event->tag == INVENTORY_EVENT_RELEASED_V1)
        tally->released[event->as.released_v1.line]++;
    else if (event->tag == INVENTORY_EVENT_COMMITTED_V1)
        tally->committed[event->as.committed_v1.line]++;
    else if (event->tag == INVENTORY_EVENT_RESTOCKED_V1)
        tally->restocked[event->as.restocked_v1.line]++;
}

/* The types' names are constants of the vocabularies: the same type has the same bytes. */
void tally_event(struct tally *tally, struct text type, const void *event)
{
    size_t i = 0;
    while (i < tally->types_count && !text_is(type, tally->types[i].type))
        i++;
    if (i == tally->types_count) {
        ck_assert_uint_lt(i, TALLY_TYPES_MAX);
        tally->types[tally->types_count++].type = type.at;
    }
    tally->types[i].count++;
    if (type.len > 10 && memcmp(type.at, "inventory.", 10) == 0)
        count_line(tally, event);
    else if (text_is(type, "order.cancelled.v1"))
        tally->reason = ((const struct order_event *)event)->as.cancelled_v1.reason;
}

size_t tally_count(const struct tally *tally, const char *type)
{
    for (size_t i = 0; i < tally->types_count; i++) {
        if (strcmp(tally->types[i].type, type) == 0)
            return tally->types[i].count;
    }
    return 0;
}

void tally_check_once(const struct tally *tally)
{
    static const char *const once[] = {
        "order.placed.v1",
        "order.confirmed.v1",
        "order.cancelled.v1",
        "order.cancellation_requested.v1",
        "order.shipped.v1",
        "order.delivered.v1",
        "payment.requested.v1",
        "payment.authorized.v1",
        "payment.declined.v1",
        "payment.capture_requested.v1",
        "payment.captured.v1",
        "payment.voided.v1",
        "payment.refunded.v1",
        "fulfilment.started.v1",
        "fulfilment.compensation_started.v1",
        "fulfilment.payment_released.v1",
        "fulfilment.completed.v1",
        "fulfilment.cancelled.v1",
        "fulfilment.ended.v1",
    };
    for (size_t i = 0; i < COUNT(once); i++) {
        if (tally_count(tally, once[i]) > 1)
            ck_abort_msg("%s happened %zu times", once[i], tally_count(tally, once[i]));
    }
    for (size_t i = 0; i < TALLY_LINES_MAX; i++) {
        if (tally->reserved[i] > 1 ||
            tally->released[i] + tally->committed[i] > tally->reserved[i] ||
            tally->restocked[i] > tally->committed[i])
            ck_abort_msg("line %zu: reserved %d, released %d, committed %d, restocked %d times", i,
                         tally->reserved[i], tally->released[i], tally->committed[i],
                         tally->restocked[i]);
    }
}
