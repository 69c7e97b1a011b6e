/* JSON tokenizer: strict RFC 8259 bytes in, values out, no tree.
 *
 * Every scan function returns false on a syntax error and leaves the reason in
 * scan->problem and the place in scan->at. Nothing here knows about schemas. */
#ifndef CORE_JSON_SCAN_H
#define CORE_JSON_SCAN_H

#include <stdint.h>

#include "core/arena.h"

enum { JSON_DEPTH_MAX = 16, JSON_UNKNOWN_KEYS_MAX = 64 };

struct json_scan {
    const char *start;
    const char *at;
    const char *end;
    struct arena *arena;
    const char *problem;
};

struct json_number {
    bool integral; /* no fraction and no exponent */
    bool fits;     /* integral and inside int64 */
    int64_t value; /* meaningful when fits */
};

/* The names met so far in one object, to find a name given twice. */
struct json_keys {
    struct json_key *last;
    unsigned count;
};

enum json_step { JSON_STEP_ITEM, JSON_STEP_END, JSON_STEP_BAD };

void json_scan_spaces(struct json_scan *scan);
bool json_scan_string(struct json_scan *scan, struct text *text, size_t *code_points);
bool json_scan_number(struct json_scan *scan, struct json_number *number);
bool json_scan_word(struct json_scan *scan, const char *word);
bool json_scan_colon(struct json_scan *scan);
bool json_skip_value(struct json_scan *scan, unsigned depth);
bool json_remember_key(struct json_scan *scan, struct json_keys *keys, struct text name);

/* Step through '[' ... ']' or '{' ... '}': json_scan_first stands just after the
 * opening bracket, json_scan_next just after an item. */
enum json_step json_scan_first(struct json_scan *scan, char close);
enum json_step json_scan_next(struct json_scan *scan, char close);

/* Length of the well-formed UTF-8 sequence at p (1..4), or 0. */
unsigned json_utf8_length(const char *p, const char *end);
/* First byte at or after p that a JSON string cannot hold as it is, or that is not ASCII. */
const char *json_plain_end(const char *p, const char *end);

static inline bool json_fail(struct json_scan *scan, const char *problem)
{
    scan->problem = problem;
    return false;
}

/* Mostly there is no space to step over. */
static inline void json_scan_space(struct json_scan *scan)
{
    if (scan->at < scan->end && (unsigned char)*scan->at <= ' ')
        json_scan_spaces(scan);
}

static inline int json_peek(const struct json_scan *scan)
{
    return scan->at < scan->end ? (unsigned char)*scan->at : -1;
}

#endif
