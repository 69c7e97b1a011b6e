/* Do the log, the read models and the payment provider's own ledger tell the same story, and the
 * one that was meant? */
#ifndef APP_DEMO_CHECK_H
#define APP_DEMO_CHECK_H

#include "app/demo_story.h"

enum { DEMO_COMPLAINTS_MAX = 64, DEMO_COMPLAINT_MAX = 240 };

struct demo_findings {
    struct demo_money charged[DEMO_STORIES]; /* as the provider's ledger has it */
    struct demo_stock stock[DEMO_PRODUCTS];  /* as the read model has it */
    bool order_agrees[DEMO_STORIES], stock_agrees[DEMO_PRODUCTS];
    int complaints_count; /* 0: everything agrees */
    char complaints[DEMO_COMPLAINTS_MAX][DEMO_COMPLAINT_MAX];
};

/* Read models follow the log: they are given a moment to agree. False: something could not be read
 * (said on stderr). */
bool demo_check(struct demo_http *api, struct demo_http *shop, struct demo_http *provider,
                const struct demo_order orders[DEMO_STORIES], struct demo_findings *ret_findings);
void demo_check_show(const struct demo_order orders[DEMO_STORIES],
                     const struct demo_findings *findings);

#endif
