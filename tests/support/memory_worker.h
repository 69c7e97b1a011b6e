/* What a worker needs of runtime/event_log.h besides memory_log.h, over the same records: appends,
 * and a group whose only member it is. And what a test needs to write into a log as an owner would,
 * and to see what was decided. One worker at a time; all but the worker's half by one thread. */
#ifndef TESTS_SUPPORT_MEMORY_WORKER_H
#define TESTS_SUPPORT_MEMORY_WORKER_H

#include "core/envelope.h"
#include "tests/support/memory_log.h"

/* A new member is told that all partitions are its own, and all positions are 0. */
void memory_group_begin(void);
/* It is told so much more: REVOKED, ASSIGNED, in turns. */
void memory_group_tell(int events);
/* As it was committed last, of the group's first topic. */
struct position memory_group_position(int partition);
void memory_group_place(int partition, struct position position);

/* A TAKEOVER of somebody else. Returns its offset. */
int64_t memory_announce(struct log_topic *log, int partition);
/* The next valid decision of the latest TAKEOVER; its mark is filled in (commands_next may be
 * given), the rest is the caller's. Returns its offset. */
int64_t memory_decide(struct log *kafka, struct log_topic *log, int partition, struct decision *d);
/* The same as bytes, not appended. */
struct text memory_next_decision(struct log *kafka, struct log_topic *log, int partition,
                                 struct decision *d, struct arena *arena);
/* How many inputs from this topic have been decided, as a reader from the start of the log finds
 * them; what cannot be read ends it. */
size_t memory_decided(struct log *kafka, struct log_topic *log, int partition, const char *source);
/* The last of them is left here. */
size_t memory_decided_last(struct log *kafka, struct log_topic *log, int partition,
                           const char *source, struct arena *arena, struct decision *ret_last);

/* Waits a moment. */
void memory_nap(void);

/* In a test, for PATIENCE_MS at most. */
#define AWAIT(condition)                                         \
    do {                                                         \
        for (int64_t until = clock_monotonic_ms() + PATIENCE_MS; \
             !(condition) && clock_monotonic_ms() < until;)      \
            memory_nap();                                        \
        ck_assert_msg(condition, "%s", #condition);              \
    } while (0)

#endif
