/* Patterns and lengths of strings. */
#include "core/json_check.h"

#include "core/json_format.h"

static bool is_atom_char(const struct json_atom *atom, unsigned char c)
{
    return c < 128 && (atom->set[c >> 6] >> (c & 63) & 1);
}

/* Greedy and linear: schemac only accepts patterns where greed is exact. */
static bool matches(const struct json_atom *atoms, unsigned count, struct text text)
{
    size_t at = 0;
    for (const struct json_atom *atom = atoms; atom < atoms + count; atom++) {
        uint32_t n = 0;
        while (n < atom->max && at < text.len && is_atom_char(atom, (unsigned char)text.at[at]))
            n++, at++;
        if (n < atom->min)
            return false;
    }
    return at == text.len;
}

struct json_verdict json_check_string(const struct json_shape *shape, struct text text,
                                      size_t points)
{
    if ((int64_t)points < shape->min)
        return (struct json_verdict){"minLength", "must have at least %lld characters", shape->min};
    if ((int64_t)points > shape->max)
        return (struct json_verdict){"maxLength", "must have at most %lld characters", shape->max};
    if (shape->atoms && !matches(shape->atoms, shape->count, text))
        return (struct json_verdict){"pattern", "does not have the expected form", 0};
    if (shape->format == JSON_FORMAT_EMAIL && !json_format_email(text))
        return (struct json_verdict){"format", "must be an e-mail address", 0};
    return (struct json_verdict){0};
}
