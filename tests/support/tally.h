/* What has happened to one order, in all services, counted. */
#ifndef TESTS_SUPPORT_TALLY_H
#define TESTS_SUPPORT_TALLY_H

#include "core/text.h"
#include "schemas/order.h"

enum { TALLY_TYPES_MAX = 64, TALLY_LINES_MAX = 50 };

struct tally {
    size_t types_count;
    struct {
        const char *type;
        size_t count;
    } types[TALLY_TYPES_MAX];
    enum order_cancel_reason reason;
    uint8_t reserved[TALLY_LINES_MAX];
    uint8_t released[TALLY_LINES_MAX];
    uint8_t committed[TALLY_LINES_MAX];
    uint8_t restocked[TALLY_LINES_MAX];
};

/* event: as its type says. */
void tally_event(struct tally *tally, struct text type, const void *event);
size_t tally_count(const struct tally *tally, const char *type);
/* Everything was done at most once and undone at most once, and only what was done. */
void tally_check_once(const struct tally *tally);

#endif
