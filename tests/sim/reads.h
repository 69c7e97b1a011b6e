/* Reads by clients: what they have written they see, and nothing they have seen goes back. */
#ifndef TESTS_SIM_READS_H
#define TESTS_SIM_READS_H

#include "tests/sim/history.h"

void reads_begin(void);
/* After an accepted request, with its position: waits for the read model as a query route does. */
void read_own_order(const struct request *request, struct uuid order);
void read_own_stock(const struct request *request, const char *sku);

#endif
