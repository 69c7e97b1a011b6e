/* What a fuzz target is: libFuzzer's entry, and the shapes that go by number. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdlib.h>

#include "schemas/inventory.h"
#include "schemas/order.h"
#include "schemas/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool holds)
{
    if (!holds)
        abort();
}

/* The first byte of an input of the codec chooses one. */
static const struct fuzz_shape {
    const struct json_shape *shape;
    size_t json_max;
} fuzz_shapes[] = {{&sample_made_v1_shape, sample_made_v1_json_max},
                   {&sample_make_v1_shape, sample_make_v1_json_max},
                   {&sample_seen_v1_shape, sample_seen_v1_json_max},
                   {&order_placed_v1_shape, order_placed_v1_json_max},
                   {&order_place_body_shape, order_place_body_json_max},
                   {&inventory_receipt_body_shape, inventory_receipt_body_json_max}};

#endif
