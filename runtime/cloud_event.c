/* The headers of a public event (docs/protocol.md). */
#include "runtime/cloud_event.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#define SCHEMAS_URL "https://foldlog.example/schemas/"

static void add(struct cloud_event *event, const char *name, struct text value)
{
    assert(event->headers_count < TRANSACTION_HEADERS_MAX);
    event->headers[event->headers_count++] = (struct transaction_header){name, value};
}

/* RFC 3339 in UTC with microseconds. */
static void write_time(int64_t us, char *out, size_t size)
{
    time_t seconds = (time_t)(us / 1000000);
    int64_t fraction = us % 1000000;
    if (fraction < 0) {
        fraction += 1000000;
        seconds--;
    }
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + len, size - len, ".%06dZ", (int)fraction);
}

void cloud_event_init(struct cloud_event *event, const char *service,
                      const struct decision *decision, size_t i)
{
    assert(i < decision->events_count);
    struct text type = decision->events[i].type;
    event->headers_count = 0;
    uuid_format(event_id(decision, i), event->id);
    uuid_format(decision->saga, event->saga);
    uuid_format(decision->command_id, event->cause);
    write_time(decision->at, event->time, sizeof event->time);
    snprintf(event->source, sizeof event->source, "/foldlog/%s", service);
    snprintf(event->schema, sizeof event->schema, SCHEMAS_URL "%s.json#/$defs/%.*s", service,
             (int)type.len, type.at);
    snprintf(event->sequence, sizeof event->sequence, "%020lld",
             (long long)event_version(decision, i));
    add(event, "ce_specversion", TEXT("1.0"));
    add(event, "ce_id", text_of(event->id));
    add(event, "ce_source", text_of(event->source));
    add(event, "ce_type", type);
    add(event, "ce_time", text_of(event->time));
    add(event, "ce_subject", decision->target);
    add(event, "ce_dataschema", text_of(event->schema));
    add(event, "content-type", TEXT("application/json"));
    add(event, "ce_sequence", text_of(event->sequence));
    add(event, "ce_correlationid",
        uuid_is_nil(decision->saga) ? decision->target : text_of(event->saga));
    add(event, "ce_causationid", text_of(event->cause));
    if (decision->traceparent.len > 0)
        add(event, "traceparent", decision->traceparent);
}
