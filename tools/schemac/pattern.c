/* Patterns: a stated subset of ECMA 262, as a row of repeated character classes. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/schemac/schemac.h"

struct pattern {
    const char *at;
    const char *pointer;
    struct type *type;
};

static void allow(struct json_atom *atom, int from, int to)
{
    for (int c = from; c <= to; c++)
        atom->set[c >> 6] |= (uint64_t)1 << (c & 63);
}

/* One plain or escaped character; \d is the only class escape. */
static int pattern_char(struct pattern *p, bool in_class, bool *digits)
{
    static const char special[] = "\\^$.|?*+()[]{}/-";
    unsigned char c = (unsigned char)*p->at++;
    *digits = false;
    if (c == '\\') {
        c = (unsigned char)*p->at++;
        *digits = c == 'd';
        if (!*digits && (!c || !strchr(special, c)))
            refuse(p->pointer, "pattern: escape is not supported");
        return c;
    }
    if (c < 0x20 || c > 0x7E || strchr(in_class ? "\\^[]" : "\\^$.|?*+()[]{}", c))
        refuse(p->pointer, "pattern: only ^ literals [classes] {n,m} ? * + $ are supported");
    return c;
}

static void pattern_class(struct pattern *p, struct json_atom *atom)
{
    while (*p->at && *p->at != ']') {
        bool digits;
        int from = pattern_char(p, true, &digits), to = from;
        if (!digits && p->at[0] == '-' && p->at[1] && p->at[1] != ']') {
            p->at++;
            to = pattern_char(p, true, &digits);
            if (digits || to < from)
                refuse(p->pointer, "pattern: range is upside down");
        }
        digits ? allow(atom, '0', '9') : allow(atom, from, to);
    }
    if (*p->at++ != ']')
        refuse(p->pointer, "pattern: class does not end");
}

static uint32_t pattern_count(struct pattern *p)
{
    char *end;
    unsigned long n = isdigit((unsigned char)*p->at) ? strtoul(p->at, &end, 10) : UINT32_MAX;
    if (n >= UINT32_MAX)
        refuse(p->pointer, "pattern: repeat count expected");
    p->at = end;
    return (uint32_t)n;
}

static void pattern_repeat(struct pattern *p, struct json_atom *atom)
{
    atom->min = atom->max = 1;
    char c = *p->at;
    if (c == '?' || c == '*' || c == '+') {
        atom->min = c == '+';
        atom->max = c == '?' ? 1 : UINT32_MAX;
        p->at++;
    } else if (c == '{') {
        p->at++;
        atom->min = atom->max = pattern_count(p);
        if (*p->at == ',') {
            p->at++;
            atom->max = *p->at == '}' ? UINT32_MAX : pattern_count(p);
        }
        if (*p->at++ != '}' || atom->max < atom->min)
            refuse(p->pointer, "pattern: bad repeat");
    }
}

/* Greedy matching is exact when what follows a variable repeat cannot start with its characters. */
static void check_greed(struct pattern *p)
{
    const struct json_atom *end = p->type->atoms + p->type->count;
    for (const struct json_atom *atom = p->type->atoms; atom < end; atom++)
        for (const struct json_atom *next = atom + 1; atom->min < atom->max && next < end; next++) {
            if ((atom->set[0] & next->set[0]) || (atom->set[1] & next->set[1]))
                refuse(p->pointer, "pattern: a repeat and what follows it share characters");
            if (next->min)
                break;
        }
}

void compile_pattern(struct type *type, const char *text, const char *pointer)
{
    struct pattern p = {text, pointer, type};
    if (*p.at++ != '^')
        refuse(pointer, "pattern: must start with ^");
    while (*p.at && *p.at != '$') {
        struct json_atom *atom = &type->atoms[type->count];
        if (++type->count > ATOMS_MAX)
            refuse(pointer, "pattern: too many parts");
        bool digits = false;
        if (*p.at == '[') {
            p.at++;
            pattern_class(&p, atom);
        } else {
            int c = pattern_char(&p, false, &digits);
            digits ? allow(atom, '0', '9') : allow(atom, c, c);
        }
        pattern_repeat(&p, atom);
    }
    if (strcmp(p.at, "$") != 0)
        refuse(pointer, "pattern: must end with $");
    check_greed(&p);
}
