/* The processes of the house, each the real worker on a stack of its own. */
#ifndef TESTS_SIM_STAFF_H
#define TESTS_SIM_STAFF_H

#include "core/projection.h"
#include "tests/sim/world.h"

enum {
    STEP_SHORT_US = 4 * SECOND, /* deadlines of the saga's steps */
    STEP_US = 60 * SECOND,
    COMPENSATION_US = 15 * SECOND,
    CALL_MS = 400, /* to the provider */
};

/* Topics, positions, tables: what `foldlog topics apply` and `foldlog migrate` do. */
void staff_prepare(void);
void staff_hire(void);
/* The read models that this seed keeps. */
size_t staff_projections(const struct projection **ret_projections);

#endif
