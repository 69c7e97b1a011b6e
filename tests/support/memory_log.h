/* The reading half of runtime/event_log.h over records in memory: link it before the runtime, and
 * cursors, feeds and workers read it as they would a broker. fork() gives the child a copy. */
#ifndef TESTS_SUPPORT_MEMORY_LOG_H
#define TESTS_SUPPORT_MEMORY_LOG_H

#include "runtime/event_log.h"

struct log *memory_log_create(void);
void memory_log_destroy(struct log *log);
struct log_topic *memory_log_topic(struct log *log, const char *name, int partitions);
/* Copies the bytes; returns their offset. Thread-safe. */
int64_t memory_log_append(struct log_topic *topic, int partition, struct text key,
                          struct text value);
/* Forgets records below `first`, as retention would. */
void memory_log_forget(struct log_topic *topic, int partition, int64_t first);
/* Forgets the records from `end` on: a log that was cut back, which must never happen. */
void memory_log_cut(struct log_topic *topic, int partition, int64_t end);

#endif
