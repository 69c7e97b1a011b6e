/* Follows GET /v1/orders/{id}/timeline: every entry once, shown in the order in which things
 * happened. */
#ifndef APP_DEMO_TIMELINE_H
#define APP_DEMO_TIMELINE_H

#include "app/demo_http.h"

#include <stdint.h>

enum { DEMO_ENTRIES_MAX = 200, DEMO_TYPE_MAX = 64, DEMO_DETAIL_MAX = 248 };

struct demo_entry {
    char key[128]; /* where it stands in the logs */
    char type[DEMO_TYPE_MAX];
    char detail[DEMO_DETAIL_MAX];
    int64_t at_us; /* since 1970 */
    int poll;      /* the one that brought it */
    bool command;  /* not an event */
    bool shown;
};

struct demo_timeline {
    struct demo_entry entries[DEMO_ENTRIES_MAX];
    int count;
    int polls;
    int64_t began_us; /* of the first entry ever seen */
};

/* Reads what is new; the new entries are the last ones. Returns how many, or -1 when the API does
 * not answer as it should (said on stderr). Not there yet counts as nothing new. */
int demo_timeline_poll(struct demo_timeline *timeline, struct demo_http *api, const char *order_id);
/* Prints what an earlier poll brought, all with `flush`: different logs are read at different
 * moments, so an entry waits for one poll in case an older one comes late. */
void demo_timeline_show(struct demo_timeline *timeline, bool flush);
bool demo_timeline_has(const struct demo_timeline *timeline, const char *type);

#endif
