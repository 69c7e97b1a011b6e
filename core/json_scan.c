#include "core/json_scan.h"

#include <string.h>

struct json_key {
    struct json_key *before;
    struct text name;
};

void json_scan_spaces(struct json_scan *scan)
{
    const char *p = scan->at;
    while (p < scan->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    scan->at = p;
}

/* ---- strings ---------------------------------------------------------- */

/* RFC 3629, section 4: what may follow each first byte. Overlong forms, surrogates and what lies
 * above U+10FFFF are in no row. */
static const struct {
    uint8_t first, last; /* of the first byte */
    uint8_t low, high;   /* of the second */
    uint8_t length;
} sequences[] = {
    {0x00, 0x7F, 0x00, 0x00, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
    {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};

unsigned json_utf8_length(const char *p, const char *end)
{
    const uint8_t *u = (const uint8_t *)p;
    size_t row = 0;
    if (p == end)
        return 0;
    while (row < COUNT(sequences) && u[0] > sequences[row].last)
        row++;
    if (row == COUNT(sequences) || u[0] < sequences[row].first || end - p < sequences[row].length)
        return 0;
    unsigned length = sequences[row].length;
    if (length > 1 && (u[1] < sequences[row].low || u[1] > sequences[row].high))
        return 0;
    for (unsigned i = 2; i < length; i++)
        if ((u[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

/* High bit set in each byte of word that is '"', '\\', a control or not ASCII.
 * A borrow may wrongly flag bytes above a flagged one, so only the lowest counts. */
static uint64_t special_bytes(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u, highs = ones << 7;
    uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
    return (word | (word - ones * 0x20) | (quote - ones) | (slash - ones)) & highs;
}

const char *json_plain_end(const char *p, const char *end)
{
    uint64_t word;
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest byte must come first");
    while (end - p >= (ptrdiff_t)sizeof word) {
        memcpy(&word, p, sizeof word);
        uint64_t special = special_bytes(word);
        if (special)
            return p + __builtin_ctzll(special) / 8;
        p += sizeof word;
    }
    while (p < end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        p++;
    return p;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex4(struct json_scan *scan, unsigned *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        int digit = scan->at < scan->end ? hex_value(*scan->at) : -1;
        if (digit < 0)
            return json_fail(scan, "\\u needs four hexadecimal digits");
        *unit = *unit << 4 | (unsigned)digit;
    }
    return true;
}

static char *put_utf8(char *out, unsigned point)
{
    if (point < 0x80) {
        *out++ = (char)point;
        return out;
    }
    if (point < 0x800) {
        *out++ = (char)(0xC0 | point >> 6);
    } else if (point < 0x10000) {
        *out++ = (char)(0xE0 | point >> 12);
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
    } else {
        *out++ = (char)(0xF0 | point >> 18);
        *out++ = (char)(0x80 | (point >> 12 & 0x3F));
        *out++ = (char)(0x80 | (point >> 6 & 0x3F));
    }
    *out++ = (char)(0x80 | (point & 0x3F));
    return out;
}

/* Stands just after "\u". */
static bool unescape_unicode(struct json_scan *scan, char **out)
{
    unsigned point, low;
    if (!read_hex4(scan, &point))
        return false;
    if (point >= 0xDC00 && point <= 0xDFFF)
        return json_fail(scan, "low surrogate without a high one before it");
    if (point >= 0xD800 && point <= 0xDBFF) {
        if (scan->end - scan->at < 2 || scan->at[0] != '\\' || scan->at[1] != 'u')
            return json_fail(scan, "high surrogate without a low one after it");
        scan->at += 2;
        if (!read_hex4(scan, &low))
            return false;
        if (low < 0xDC00 || low > 0xDFFF)
            return json_fail(scan, "high surrogate without a low one after it");
        point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
    }
    if (point == 0)
        return json_fail(scan, "\\u0000 is not allowed");
    *out = put_utf8(*out, point);
    return true;
}

/* Stands just after the backslash. */
static bool unescape_one(struct json_scan *scan, char **out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (scan->at == scan->end)
        return json_fail(scan, "string does not end");
    char c = *scan->at++;
    if (c == 'u')
        return unescape_unicode(scan, out);
    const char *known = c ? strchr(from, c) : NULL;
    if (!known) {
        scan->at--;
        return json_fail(scan, "unknown escape");
    }
    *(*out)++ = to[known - from];
    return true;
}

static bool unescape(struct json_scan *scan, const char *close, char *out, struct text *text,
                     size_t *points)
{
    text->at = out;
    *points = 0;
    while (scan->at < close) {
        if (*scan->at == '\\') {
            scan->at++;
            if (!unescape_one(scan, &out))
                return false;
        } else {
            unsigned n = json_utf8_length(scan->at, close);
            memcpy(out, scan->at, n);
            out += n;
            scan->at += n;
        }
        ++*points;
    }
    text->len = (size_t)(out - text->at);
    scan->at = close + 1;
    return true;
}

/* Finds the closing quote; checks bytes and UTF-8 on the way, not the escapes. */
static bool find_close(struct json_scan *scan, const char **close, bool *escaped, size_t *points)
{
    const char *p = scan->at;
    size_t extra = 0;
    *escaped = false;
    while ((p = json_plain_end(p, scan->end)) < scan->end && *p != '"') {
        unsigned n = json_utf8_length(p, scan->end);
        if ((unsigned char)*p < 0x20 || n == 0) {
            scan->at = p;
            return json_fail(scan, n ? "control character in a string" : "invalid UTF-8");
        }
        extra += n - 1;
        p += n;
        if (n == 1) { /* a backslash: step over what it escapes */
            *escaped = true;
            if (p < scan->end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80)
                p++;
        }
    }
    if (p == scan->end) {
        scan->at = p;
        return json_fail(scan, "string does not end");
    }
    *close = p;
    *points = (size_t)(p - scan->at) - extra;
    return true;
}

bool json_scan_string(struct json_scan *scan, struct text *text, size_t *points)
{
    const char *close;
    bool escaped;
    if (json_peek(scan) != '"')
        return json_fail(scan, "expected a string");
    scan->at++;
    if (!find_close(scan, &close, &escaped, points))
        return false;
    size_t raw = (size_t)(close - scan->at);
    if (!escaped) {
        *text = (struct text){scan->at, raw};
        scan->at = close + 1;
        return true;
    }
    char *out = arena_alloc(scan->arena, raw); /* unescaped text is never longer */
    if (!out)
        return json_fail(scan, "message needs more memory than allowed");
    return unescape(scan, close, out, text, points);
}

/* ---- numbers and words ------------------------------------------------ */

static bool scan_digits(struct json_scan *scan)
{
    const char *from = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > from || json_fail(scan, "expected a digit");
}

/* Accumulates downwards, because int64 reaches one further below zero. */
static bool to_int64(const char *p, const char *end, bool negative, int64_t *value)
{
    int64_t sum = 0;
    for (; p < end; p++)
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_sub_overflow(sum, *p - '0', &sum))
            return false;
    if (!negative && sum == INT64_MIN)
        return false;
    *value = negative ? sum : -sum;
    return true;
}

bool json_scan_number(struct json_scan *scan, struct json_number *number)
{
    bool negative = json_peek(scan) == '-';
    scan->at += negative;
    const char *digits = scan->at;
    if (!scan_digits(scan))
        return false;
    const char *end = scan->at;
    if (*digits == '0' && end - digits > 1)
        return json_fail(scan, "number starts with a needless zero");
    number->integral = true;
    if (json_peek(scan) == '.') {
        number->integral = false;
        scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    if (json_peek(scan) == 'e' || json_peek(scan) == 'E') {
        number->integral = false;
        scan->at++;
        if (json_peek(scan) == '+' || json_peek(scan) == '-')
            scan->at++;
        if (!scan_digits(scan))
            return false;
    }
    number->fits = number->integral && to_int64(digits, end, negative, &number->value);
    return true;
}

bool json_scan_word(struct json_scan *scan, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(scan->end - scan->at) < len || memcmp(scan->at, word, len) != 0)
        return json_fail(scan, "unknown word");
    scan->at += len;
    return true;
}

/* ---- structure -------------------------------------------------------- */

enum json_step json_scan_first(struct json_scan *scan, char close)
{
    json_scan_space(scan);
    if (json_peek(scan) != close)
        return JSON_STEP_ITEM;
    scan->at++;
    return JSON_STEP_END;
}

enum json_step json_scan_next(struct json_scan *scan, char close)
{
    json_scan_space(scan);
    int c = json_peek(scan);
    if (c == ',' || c == close) {
        scan->at++;
        json_scan_space(scan);
        return c == ',' ? JSON_STEP_ITEM : JSON_STEP_END;
    }
    json_fail(scan, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
    return JSON_STEP_BAD;
}

bool json_scan_colon(struct json_scan *scan)
{
    json_scan_space(scan);
    if (json_peek(scan) != ':')
        return json_fail(scan, "expected ':'");
    scan->at++;
    json_scan_space(scan);
    return true;
}

bool json_remember_key(struct json_scan *scan, struct json_keys *keys, struct text name)
{
    for (const struct json_key *key = keys->last; key; key = key->before)
        if (key->name.len == name.len && memcmp(key->name.at, name.at, name.len) == 0)
            return json_fail(scan, "property given twice");
    struct json_key *key = arena_alloc(scan->arena, sizeof *key);
    if (!key)
        return json_fail(scan, "message needs more memory than allowed");
    if (++keys->count > JSON_UNKNOWN_KEYS_MAX)
        return json_fail(scan, "too many unknown properties");
    *key = (struct json_key){keys->last, name};
    keys->last = key;
    return true;
}

static bool skip_array(struct json_scan *scan, unsigned depth)
{
    enum json_step step = json_scan_first(scan, ']');
    for (; step == JSON_STEP_ITEM; step = json_scan_next(scan, ']'))
        if (!json_skip_value(scan, depth))
            return false;
    return step == JSON_STEP_END;
}

static bool skip_object(struct json_scan *scan, unsigned depth)
{
    struct json_keys keys = {0};
    enum json_step step = json_scan_first(scan, '}');
    for (; step == JSON_STEP_ITEM; step = json_scan_next(scan, '}')) {
        struct text name;
        size_t points;
        if (!json_scan_string(scan, &name, &points) || !json_remember_key(scan, &keys, name) ||
            !json_scan_colon(scan) || !json_skip_value(scan, depth))
            return false;
    }
    return step == JSON_STEP_END;
}

/* Checks a value that no schema asks for, and keeps nothing of it. */
bool json_skip_value(struct json_scan *scan, unsigned depth)
{
    size_t used = scan->arena->used, points;
    struct text text;
    struct json_number number;
    bool ok;
    switch (json_peek(scan)) {
    case '[':
    case '{':
        if (depth >= JSON_DEPTH_MAX)
            return json_fail(scan, "nested too deeply");
        ok = *scan->at++ == '[' ? skip_array(scan, depth + 1) : skip_object(scan, depth + 1);
        break;
    case '"':
        ok = json_scan_string(scan, &text, &points);
        break;
    case 't':
        ok = json_scan_word(scan, "true");
        break;
    case 'f':
        ok = json_scan_word(scan, "false");
        break;
    case 'n':
        ok = json_scan_word(scan, "null");
        break;
    case '-':
    case '0' ... '9':
        ok = json_scan_number(scan, &number);
        break;
    default:
        return json_fail(scan, "expected a value");
    }
    scan->arena->used = used;
    return ok;
}
