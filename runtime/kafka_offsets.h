/* A group's positions, looked at and set from outside: for `topics apply`, while the group has no
 * members. */
#ifndef RUNTIME_KAFKA_OFFSETS_H
#define RUNTIME_KAFKA_OFFSETS_H

#include "runtime/event_log.h"

/* Per partition of the topic (up to PARTITIONS_MAX); -1 where there is none. Blocks. */
NODISCARD struct err offsets_read(struct log *log, const char *group, const struct log_topic *topic,
                                  int64_t *ret_offsets);
/* All partitions at once, read back before it is believed. Blocks up to 15 s while the group has
 * members; then ERR_CONFLICT. */
NODISCARD struct err offsets_write(struct log *log, const char *group,
                                   const struct log_topic *topic, const int64_t *offsets);

#endif
