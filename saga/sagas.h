/* Every process over several services. app/ lists them by name. */
#ifndef SAGA_SAGAS_H
#define SAGA_SAGAS_H

#include "core/saga.h"

extern const struct saga fulfilment_saga;

#endif
