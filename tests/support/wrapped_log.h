/* What the linker's --wrap calls the reading of a log: a test's own stands before the one that it
 * hands on to. */
#ifndef TESTS_SUPPORT_WRAPPED_LOG_H
#define TESTS_SUPPORT_WRAPPED_LOG_H

#include "runtime/event_log.h"

struct err __real_log_read(struct log_reader *reader, struct log_topic *topic, int partition,
                           int64_t from, struct arena *arena, struct log_record *records,
                           size_t max, size_t *ret_count);
struct err __wrap_log_read(struct log_reader *reader, struct log_topic *topic, int partition,
                           int64_t from, struct arena *arena, struct log_record *records,
                           size_t max, size_t *ret_count);
struct err __real_log_read_again(struct log_reader *reader, struct log_topic *topic, int partition,
                                 int64_t offset, struct arena *arena, struct log_record *ret_record,
                                 size_t *ret_count);
struct err __wrap_log_read_again(struct log_reader *reader, struct log_topic *topic, int partition,
                                 int64_t offset, struct arena *arena, struct log_record *ret_record,
                                 size_t *ret_count);

#endif
