/* What was wrong with a value and where it stands, for readers and writers. */
#ifndef CORE_JSON_FAULT_H
#define CORE_JSON_FAULT_H

#include "core/json_check.h"
#include "core/json_shape.h"

/* Where a value stands; links live on the C stack and are only read for a fault. */
struct json_place {
    const struct json_place *up;
    const char *name; /* NULL: index */
    size_t name_len;
    size_t index;
};

/* Says whether reading may go on: a long list of faults helps nobody. */
__attribute__((format(printf, 5, 6), cold)) bool json_fault_add(struct json_report *report,
                                                                const struct json_place *place,
                                                                size_t offset, const char *keyword,
                                                                const char *format, ...);
__attribute__((cold)) bool json_fault_verdict(struct json_report *report,
                                              const struct json_place *place, size_t offset,
                                              struct json_verdict verdict);

#endif
