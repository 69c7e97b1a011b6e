/* Customers, a merchant and an operator: what they ask for, drawn by chance. */
#ifndef TESTS_SIM_SHOPPER_H
#define TESTS_SIM_SHOPPER_H

#include "core/uuid.h"
#include "tests/sim/world.h"

void shoppers_begin(void);
void shoppers_hire(void);
/* All have asked what they wanted; the operator goes on. */
bool shoppers_done(void);
void sku_name(int sku, char out[16]);

#endif
