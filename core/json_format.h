/* The string formats that schemas may name, besides uuid (core/uuid.h): email and date-time. */
#ifndef CORE_JSON_FORMAT_H
#define CORE_JSON_FORMAT_H

#include <stdint.h>

#include "core/text.h"

enum { JSON_INSTANT_LEN = 27 };

/* The years 0000 to 9999, in microseconds since 1970. */
#define JSON_INSTANT_MIN INT64_C(-62167219200000000)
#define JSON_INSTANT_MAX INT64_C(253402300799999999)

/* The dot-atom form of RFC 5321; quoted local parts and address literals are left out. */
bool json_format_email(struct text text);
/* RFC 3339, to microseconds. A leap second counts as the last microsecond of the second before it.
 */
bool json_format_read_instant(struct text text, int64_t *ret_instant);
/* JSON_INSTANT_LEN bytes: 2026-11-22T04:49:27.123456Z */
void json_format_write_instant(char *p, int64_t instant);

#endif
