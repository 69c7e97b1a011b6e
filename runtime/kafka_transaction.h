/* Records written together with the position they were made from, or neither: Kafka transactions,
 * for the publisher alone. Implemented by kafka_transaction.c on librdkafka; no Kafka type leaves
 * it.
 *
 * One transactor of a group is active: the one that the group gives partition 0 of the source. It
 * writes all partitions, under the group's name as its transactional id; the others stand by.
 * Crash-only: after any error, and after anything that leaves a transaction's outcome in doubt, the
 * producer is thrown away, nothing is aborted, and transactor_start settles what happened. Single
 * thread. */
#ifndef RUNTIME_KAFKA_TRANSACTION_H
#define RUNTIME_KAFKA_TRANSACTION_H

#include "runtime/event_log.h"

enum {
    TRANSACTION_TIMEOUT_MS = 15000, /* then the broker has aborted it */
    TRANSACTION_INIT_MIN_MS = 60,   /* the first try of a start; doubled per try */
    TRANSACTION_INIT_MAX_MS = 5000,
    TRANSACTION_STEP_MS = 5000, /* for its positions, and for its commit */
    TRANSACTION_HEADERS_MAX = 16,
};

struct transactor;

struct transaction_header {
    const char *name;
    struct text value;
};

struct transaction_record {
    int partition; /* of the target */
    struct text key, value;
    const struct transaction_header *headers;
    size_t headers_count;
};

/* waker: its log_wait is woken when the group changes; may be NULL. */
NODISCARD struct err transactor_open(struct log *log, const char *group, struct log_topic *source,
                                     struct log_topic *target, struct log_reader *waker,
                                     struct transactor **ret_transactor);
/* What is not committed is left to the broker's timeout or the next start. NULL is fine. */
void transactor_close(struct transactor *transactor);
/* Never blocks; call at least every few seconds. True: the active transactor changed hands (or was
 * given anew to this one): whatever is open is void, and only an active transactor may start. */
bool transactor_poll(struct transactor *transactor);
bool transactor_active(const struct transactor *transactor);
/* Fences the predecessor, waits until its transaction is settled, then tells the group's position
 * per partition of the source (-1: none). Blocks for seconds at most; on ERR_TIMEOUT try again
 * soon. */
NODISCARD struct err transactor_start(struct transactor *transactor,
                                      struct position *ret_positions);
/* Copies the record into the open transaction; opens one first if there is none. May block while
 * the queue is full. Any error: start again. */
NODISCARD struct err transaction_put(struct transactor *transactor,
                                     const struct transaction_record *record);
/* Until every record is on the log, then the positions (-1: unchanged), then the commit; at most
 * TRANSACTION_TIMEOUT_MS and twice TRANSACTION_STEP_MS. Opens a transaction if none is open. On an
 * error the outcome is unknown until the next start. At least one position is given. */
NODISCARD struct err transaction_commit(struct transactor *transactor,
                                        const struct position *positions);

#endif
