/* The five orders of the demo: how each is placed, how it must end, and what its timeline said. */
#ifndef APP_DEMO_STORY_H
#define APP_DEMO_STORY_H

#include "app/demo_shop.h"

enum { DEMO_STORIES = 5, DEMO_LINES_MAX = 2, DEMO_ID_MAX = 64, DEMO_CODE_MAX = 32 };

/* Minor units, by the events of one order, or by the provider's ledger. */
struct demo_money {
    int64_t authorized, captured, voided, refunded;
};

struct demo_line {
    int product;
    int64_t quantity;
};

struct demo_story {
    const char *title;
    const char *name; /* short */
    struct demo_line lines[DEMO_LINES_MAX];
    size_t lines_count;
    const char *payment_method;
    const char *cancel_after;    /* the event after which the customer cancels; NULL: never */
    const char *status, *reason; /* in which it must end */
    bool authorized, captured, voided, refunded; /* what of the total */
};

/* An order as its timeline, folded from the logs, tells it. */
struct demo_order {
    char id[DEMO_ID_MAX];
    char status[DEMO_CODE_MAX], reason[DEMO_CODE_MAX];
    int64_t total;
    struct demo_money money;
    struct demo_stock moved[DEMO_PRODUCTS]; /* change of on_hand, reserved and committed */
    int64_t took_us;
    int events;
};

extern const struct demo_story demo_stories[DEMO_STORIES];

int64_t demo_story_total(const struct demo_story *story);
struct demo_money demo_story_money(const struct demo_story *story);
/* Places the order, shows what happens to it and waits for its end. False: said on stderr. */
bool demo_story_tell(struct demo_http *api, const char *run, int number,
                     struct demo_order *ret_order);

static inline bool demo_money_equal(const struct demo_money *a, const struct demo_money *b)
{
    return a->authorized == b->authorized && a->captured == b->captured && a->voided == b->voided &&
           a->refunded == b->refunded;
}

#endif
