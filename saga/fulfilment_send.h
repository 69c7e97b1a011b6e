/* What fulfilment asks of the services, as commands. */
#ifndef SAGA_FULFILMENT_SEND_H
#define SAGA_FULFILMENT_SEND_H

#include "saga/fulfilment_state.h"
#include "schemas/order.h"

/* Sends what is awaited now and was not before. placed: needed when it starts. */
void fulfilment_send(struct fulfilment *before, struct fulfilment *now,
                     const struct order_placed_v1 *placed, struct draft *draft);
/* Asks the order to await its cancellation, so that it cannot be shipped meanwhile. */
void fulfilment_send_cancellation_request(const struct fulfilment *state, struct draft *draft);

#endif
