/* What a payment_method makes the provider do with a charge. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum behaviour_kind {
    BEHAVIOUR_OK,
    BEHAVIOUR_DECLINED,
    BEHAVIOUR_SLOW,  /* number: ms before the first authorize answer */
    BEHAVIOUR_ERROR, /* number: authorize calls per key answered 500 first */
    BEHAVIOUR_TIMEOUT_AFTER_CHARGE,
    BEHAVIOUR_DUPLICATE_RESPONSE,
    BEHAVIOUR_CAPTURE_DECLINED,
    BEHAVIOUR_REFUND_ERROR, /* number: refund calls per key answered 500 first */
    BEHAVIOUR_REFUND_REFUSED,
    BEHAVIOUR_VOID_REFUSED,
};

struct behaviour {
    enum behaviour_kind kind;
    uint32_t number;
};

/* Reads "ok", "slow:250" and so on. False for an unknown name or a number out of its limits. */
bool behaviour_parse(const char *text, struct behaviour *ret_behaviour);
