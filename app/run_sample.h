/* What only a question to Kafka or PostgreSQL tells, asked every few seconds on a thread of its
 * own, so that nobody who looks at /metrics waits for either. */
#ifndef APP_RUN_SAMPLE_H
#define APP_RUN_SAMPLE_H

#include "app/run_parts.h"
#include "runtime/http_admin.h"

enum { SAMPLE_SECONDS = 5 };

/* databases: of which services this process needs the database, ended by NULL; until one lets it
 * in, that is reported. All must outlive the sampler. */
void sampler_start(const struct part_list *parts, const char *const *databases, struct log *log);
void sampler_tell_stop(void); /* does not wait for it */
void sampler_stop(void);
/* The last samples, in Prometheus's text form; from any thread. */
void sampler_print(struct admin_page *page);

#endif
