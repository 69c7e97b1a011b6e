/* An event of the log as the world sees it: CloudEvents 1.0, Kafka binary mode. Pure. */
#ifndef RUNTIME_CLOUD_EVENT_H
#define RUNTIME_CLOUD_EVENT_H

#include "core/envelope.h"
#include "runtime/kafka_transaction.h"

/* Points into itself, the decision and `service`: do not copy, and keep those while it is used. */
struct cloud_event {
    struct transaction_header headers[TRANSACTION_HEADERS_MAX];
    size_t headers_count;
    char id[UUID_TEXT_LEN + 1];
    char source[TOPIC_LEN_MAX + 16];
    char time[40];
    char schema[TOPIC_LEN_MAX + TYPE_LEN_MAX + 64];
    char sequence[24];
    char saga[UUID_TEXT_LEN + 1];
    char cause[UUID_TEXT_LEN + 1];
};

/* Event i of a decision in the log of `service`. */
void cloud_event_init(struct cloud_event *event, const char *service,
                      const struct decision *decision, size_t i);

#endif
