/* The one encoder of log lines: a JSON object per line on stderr. Only loops report; no bodies, no
 * secrets, no personal data. A line carries the trace id of what its thread is handling. */
#ifndef RUNTIME_REPORT_H
#define RUNTIME_REPORT_H

#include "core/err.h"
#include "core/text.h"

enum report_level { REPORT_DEBUG, REPORT_INFO, REPORT_WARN, REPORT_ERROR, REPORT_LEVELS };

/* Lines of a lower level are not written. Set before threads start. */
extern enum report_level report_least;
/* False: there is no level of this name. */
bool report_level_read(const char *name, enum report_level *ret_level);

/* Pairs of name and value, ended by NULL: report(REPORT_WARN, "deposed", "topic", "order.log",
 * NULL). Thread-safe. The values are not computed when the line is not written. */
#define report(level, ...) ((level) >= report_least ? report_line((level), __VA_ARGS__) : (void)0)
void report_line(enum report_level level, const char *fact, ...) __attribute__((sentinel));
/* What this thread handles from now on, by its W3C traceparent; empty: nothing that is traced. */
void report_trace(struct text traceparent);
#define REPORT_UNTRACED ((struct text){NULL, 0})
/* A number as text for the above; valid until the thread's eighth next call. */
const char *report_number(int64_t value);
const char *report_text(struct text value); /* cut at 199 bytes */
/* What an error is, in words, with its cause; valid like the above. */
const char *report_err(struct err e);

#endif
