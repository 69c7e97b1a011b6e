/* Reads logs from their beginnings to their ends as of now, for verbs that look into them. */
#ifndef APP_LOG_SCAN_H
#define APP_LOG_SCAN_H

#include "runtime/feed.h"

struct log_scan {
    struct log *log;
    const char *const *services; /* NULL-terminated */
    struct text key;             /* only the partitions this key lies in; .at NULL: all */
    void (*take)(void *context, const struct feed_item *item); /* each valid decision, in order per
                                                                  partition */
    void *context;
};

/* Stops at the first record that cannot be read. Blocks while reading. */
NODISCARD struct err log_scan(const struct log_scan *scan);

/* The user whose registration this is; nil: it is none. The log knows users by a hash of the
 * address, people by this id: another in each life of the address. */
struct uuid registered_user(const struct feed_item *item);
/* Of the items of one address in their order: does this one belong to the life that was asked for?
 * *other_life is false at first. */
bool is_of_life(const struct feed_item *item, struct uuid user_id, bool *other_life);

/* The verbs' own log: opened for reading only. */
NODISCARD struct err log_scan_open(struct log **ret_log);

#endif
