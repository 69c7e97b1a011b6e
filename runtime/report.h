/* The one encoder of log lines: a JSON object per line on stderr. Only loops report; no bodies, no
 * secrets, no personal data. */
#ifndef RUNTIME_REPORT_H
#define RUNTIME_REPORT_H

#include "core/err.h"

enum report_level { REPORT_INFO, REPORT_WARN, REPORT_ERROR };

/* Pairs of name and value, ended by NULL: report(REPORT_WARN, "deposed", "topic", "order.log",
 * NULL). Thread-safe. */
void report(enum report_level level, const char *fact, ...) __attribute__((sentinel));
/* A number as text for the above; valid until the thread's eighth next call. */
const char *report_number(int64_t value);
/* What an error is, in words, with its cause; valid like the above. */
const char *report_err(struct err e);

#endif
