/* The table of payment methods. */
#include "sandbox/behaviour.h"

#include <stddef.h>
#include <string.h>

#include "sandbox/limits.h"

static const struct method {
    const char *name;
    enum behaviour_kind kind;
    uint32_t number_max; /* 0: takes no number */
} methods[] = {
    {"capture-declined", BEHAVIOUR_CAPTURE_DECLINED, 0},
    {"declined", BEHAVIOUR_DECLINED, 0},
    {"duplicate-response", BEHAVIOUR_DUPLICATE_RESPONSE, 0},
    {"error", BEHAVIOUR_ERROR, LIMIT_ERRORS},
    {"ok", BEHAVIOUR_OK, 0},
    {"refund-error", BEHAVIOUR_REFUND_ERROR, LIMIT_ERRORS},
    {"refund-refused", BEHAVIOUR_REFUND_REFUSED, 0},
    {"slow", BEHAVIOUR_SLOW, LIMIT_SLOW_MS},
    {"timeout-after-charge", BEHAVIOUR_TIMEOUT_AFTER_CHARGE, 0},
    {"void-refused", BEHAVIOUR_VOID_REFUSED, 0},
};

static bool number_parse(const char *text, uint32_t max, uint32_t *ret_number)
{
    uint64_t number = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = number * 10 + (uint64_t)(*text - '0');
        if (number > max)
            return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

bool behaviour_parse(const char *text, struct behaviour *ret_behaviour)
{
    size_t name_length = strcspn(text, ":");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        const struct method *method = &methods[i];
        if (strlen(method->name) != name_length || memcmp(method->name, text, name_length) != 0)
            continue;
        uint32_t number = 0;
        bool has_number = text[name_length] == ':';
        if (has_number != (method->number_max > 0))
            return false;
        if (has_number && !number_parse(text + name_length + 1, method->number_max, &number))
            return false;
        *ret_behaviour = (struct behaviour){method->kind, number};
        return true;
    }
    return false;
}
