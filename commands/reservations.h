/* The open reservations of one product: (order, line) -> quantity, in memory that follows their
 * number. */
#ifndef COMMANDS_RESERVATIONS_H
#define COMMANDS_RESERVATIONS_H

#include "core/uuid.h"

struct reservation {
    struct uuid order_id;
    int32_t line;
    int32_t quantity; /* 0: the slot is free */
};

struct reservations {
    struct reservation *slots;
    uint32_t size; /* a power of two, or 0 */
    uint32_t count;
};

/* The quantity; 0: none is open. */
int64_t reservations_find(const struct reservations *open, struct uuid order_id, int64_t line);
/* There must be none of this line. */
void reservations_open(struct reservations *open, struct uuid order_id, int64_t line,
                       int64_t quantity);
/* Nothing happens when there is none. */
void reservations_close(struct reservations *open, struct uuid order_id, int64_t line);
void reservations_finish(struct reservations *open);

#endif
