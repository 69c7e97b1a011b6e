/* An independent reader: reads a partition from its first record and applies the rule of
 * docs/protocol.md in its own words. */
#ifndef TESTS_SCENARIOS_WITNESS_H
#define TESTS_SCENARIOS_WITNESS_H

#include "core/envelope.h"
#include "runtime/event_log.h"

enum { WITNESS_TAKEOVERS_MAX = 256 };

struct witness {
    struct log_topic *topic;
    int partition;
    int64_t next; /* offset */
    int64_t epoch;
    uint64_t number;
    uint64_t last;         /* print of the last valid decision */
    size_t decided, voids; /* positions are not counted */
    struct {
        int64_t offset;
        char author;
    } takeovers[WITNESS_TAKEOVERS_MAX];
    size_t takeovers_count;
};

/* One DECISION, valid or void. */
typedef void (*witness_tell)(void *context, char author, bool valid, const struct decision *d);

void witness_init(struct witness *witness, struct log_topic *topic, int partition);
/* Reads to the end as of now; tell may be NULL. The partition is followed by `reader`. */
NODISCARD struct err witness_read(struct witness *witness, struct log_reader *reader,
                                  witness_tell tell, void *context);
/* Who wrote the TAKEOVER in force; 0: nobody. */
char witness_owner(const struct witness *witness);

/* "accepted 1", "refused already-exists again": static memory. */
const char *witness_answer(const struct decision *decision);

#endif
