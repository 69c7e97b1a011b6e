/* Every outside world. app/ lists them by name. */
#ifndef EFFECTS_EFFECTS_H
#define EFFECTS_EFFECTS_H

#include "core/effect.h"

extern const struct effect payment_effect;

#endif
