#include "core/json_shape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Where a value stands; links live on the C stack and are only read for a fault. */
struct place {
    const struct place *up;
    const char *name; /* NULL: index */
    size_t name_len;
    size_t index;
};

struct decoder {
    struct json_scan scan;
    struct json_report *report;
};

struct encoder {
    struct json_out *out;
    struct json_report *report;
    enum json_privacy privacy;
};

static const char hex[] = "0123456789abcdef";

/* ---- faults ----------------------------------------------------------- */

static size_t add_byte(char *to, size_t used, size_t size, char c)
{
    if (used + 1 < size)
        to[used++] = c;
    return used;
}

static size_t add_name(char *to, size_t used, size_t size, const struct place *place)
{
    for (size_t i = 0; i < place->name_len; i++) {
        char c = place->name[i];
        if (c == '~' || c == '/')
            used = add_byte(to, used, size, '~');
        used = add_byte(to, used, size, c == '~' ? '0' : c == '/' ? '1' : c);
    }
    return used;
}

/* Cuts a long pointer short, but never inside a character. */
static size_t add_place(char *to, size_t size, const struct place *place)
{
    if (!place)
        return 0;
    size_t used = add_byte(to, add_place(to, size, place->up), size, '/');
    if (place->name)
        return add_name(to, used, size, place);
    char digits[24];
    snprintf(digits, sizeof digits, "%zu", place->index);
    for (const char *c = digits; *c; c++)
        used = add_byte(to, used, size, *c);
    return used;
}

static void write_pointer(char *to, size_t size, const struct place *place)
{
    size_t used = add_place(to, size, place), at = 0;
    unsigned n;
    while (at < used && (n = json_utf8_length(to + at, to + used)))
        at += n;
    to[at] = 0;
}

/* Says whether reading may go on: a long list of faults helps nobody. */
__attribute__((format(printf, 5, 6), cold)) static bool
add_fault(struct json_report *report, const struct place *place, size_t offset, const char *keyword,
          const char *format, ...)
{
    if (report->count == JSON_FAULTS_MAX)
        return false;
    struct json_fault *fault = &report->faults[report->count++];
    fault->keyword = keyword;
    fault->offset = offset;
    write_pointer(fault->pointer, sizeof fault->pointer, place);
    va_list args;
    va_start(args, format);
    vsnprintf(fault->detail, sizeof fault->detail, format, args);
    va_end(args);
    return report->count < JSON_FAULTS_MAX;
}

#define fault(d, place, keyword, ...) \
    add_fault((d)->report, place, (size_t)((d)->scan.at - (d)->scan.start), keyword, __VA_ARGS__)

/* A syntax error ends the reading. */
static bool stop(struct decoder *d, const struct place *place)
{
    fault(d, place, "syntax", "%s", d->scan.problem);
    return false;
}

/* ---- constraints, shared by reading and writing ----------------------- */

struct verdict {
    const char *keyword; /* NULL: fine */
    const char *text;
    int64_t limit;
};

static struct verdict check_integer(const struct json_shape *shape, int64_t value)
{
    if (value < shape->min)
        return (struct verdict){"minimum", "must be at least %lld", shape->min};
    if (value > shape->max)
        return (struct verdict){"maximum", "must be at most %lld", shape->max};
    return (struct verdict){0};
}

static struct verdict check_count(const struct json_shape *shape, uint32_t count)
{
    if (count < shape->min)
        return (struct verdict){"minItems", "must have at least %lld items", shape->min};
    if (count > shape->max)
        return (struct verdict){"maxItems", "must have at most %lld items", shape->max};
    return (struct verdict){0};
}

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

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_atext(char c)
{
    return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Words of at least one allowed character, joined by single dots. */
static bool is_dotted(const char *p, const char *end, bool (*allowed)(char))
{
    bool word = false;
    for (; p < end; p++) {
        if (*p == '.' ? !word : !allowed(*p))
            return false;
        word = *p != '.';
    }
    return word;
}

static bool is_domain_char(char c)
{
    return is_alnum(c) || c == '-';
}

static bool is_domain(const char *p, const char *end)
{
    if (end - p > 253 || !is_dotted(p, end, is_domain_char))
        return false;
    for (const char *c = p; c < end; c++)
        if (*c == '-' && (c == p || c + 1 == end || c[-1] == '.' || c[1] == '.'))
            return false;
    return true;
}

/* The dot-atom form of RFC 5321; quoted local parts and address literals are left out. */
static bool is_email(struct text text)
{
    const char *sign = memchr(text.at, '@', text.len);
    const char *end = text.at + text.len;
    return sign && sign - text.at <= 64 && is_dotted(text.at, sign, is_atext) &&
           is_domain(sign + 1, end);
}

static struct verdict check_string(const struct json_shape *shape, struct text text, size_t points)
{
    if ((int64_t)points < shape->min)
        return (struct verdict){"minLength", "must have at least %lld characters", shape->min};
    if ((int64_t)points > shape->max)
        return (struct verdict){"maxLength", "must have at most %lld characters", shape->max};
    if (shape->atoms && !matches(shape->atoms, shape->count, text))
        return (struct verdict){"pattern", "does not have the expected form", 0};
    if (shape->format == JSON_FORMAT_EMAIL && !is_email(text))
        return (struct verdict){"format", "must be an e-mail address", 0};
    return (struct verdict){0};
}

/* Reading may go on after a broken constraint, to find the others too. */
#define judge(d, place, verdict_)  \
    ((verdict_).keyword == NULL || \
     fault_by_verdict((d)->report, place, (size_t)((d)->scan.at - (d)->scan.start), verdict_))

__attribute__((cold)) static bool fault_by_verdict(struct json_report *report,
                                                   const struct place *place, size_t offset,
                                                   struct verdict verdict)
{
    char detail[JSON_DETAIL_MAX];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
    snprintf(detail, sizeof detail, verdict.text, (long long)verdict.limit);
#pragma GCC diagnostic pop
    return add_fault(report, place, offset, verdict.keyword, "%s", detail);
}

/* ---- uuid and instant ------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_uuid(struct text text, struct uuid *uuid)
{
    if (text.len != 36)
        return false;
    const char *p = text.at;
    for (int i = 0; i < 16; i++, p += 2) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
            return false;
        int high = hex_digit(p[0]), low = hex_digit(p[1]);
        if (high < 0 || low < 0)
            return false;
        uuid->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static void print_uuid(char *p, const struct uuid *uuid)
{
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[uuid->bytes[i] >> 4];
        *p++ = hex[uuid->bytes[i] & 15];
    }
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, and back (H. Hinnant). */
static int64_t days_from_civil(int64_t y, int m, int d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t z, int *y, int *m, int *d)
{
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = (int)(doy - (153 * mp + 2) / 5 + 1);
    *m = (int)(mp < 10 ? mp + 3 : mp - 9);
    *y = (int)(yoe + era * 400 + (*m <= 2));
}

static int days_in_month(int y, int m)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return days[m - 1] + (m == 2 && leap);
}

/* Reads n digits and the character after them (0: none) into *value. */
static bool take_digits(const char **p, const char *end, int n, const char *after, int *value)
{
    *value = 0;
    if (end - *p < n + (after != NULL))
        return false;
    for (; n > 0; n--, ++*p) {
        if (**p < '0' || **p > '9')
            return false;
        *value = *value * 10 + (**p - '0');
    }
    if (after && (!**p || !strchr(after, *(*p)++)))
        return false;
    return true;
}

/* Digits past the sixth are checked and dropped. */
static bool take_fraction(const char **p, const char *end, int64_t *micros)
{
    *micros = 0;
    if (*p == end || **p != '.')
        return true;
    const char *from = ++*p;
    for (int64_t unit = 100000; *p < end && **p >= '0' && **p <= '9'; ++*p, unit /= 10)
        *micros += (**p - '0') * unit;
    return *p > from;
}

static bool take_offset(const char **p, const char *end, int *minutes)
{
    int h, m;
    *minutes = 0;
    if (*p == end)
        return false;
    char sign = *(*p)++;
    if (sign == 'Z' || sign == 'z')
        return true;
    if ((sign != '+' && sign != '-') || !take_digits(p, end, 2, ":", &h) ||
        !take_digits(p, end, 2, NULL, &m) || h > 23 || m > 59)
        return false;
    *minutes = sign == '+' ? h * 60 + m : -(h * 60 + m);
    return true;
}

/* RFC 3339. A leap second counts as the last microsecond of the second before it. */
static bool parse_instant(struct text text, int64_t *instant)
{
    const char *p = text.at, *end = text.at + text.len;
    int year, month, day, hour, minute, second, offset;
    int64_t micros;
    if (!take_digits(&p, end, 4, "-", &year) || !take_digits(&p, end, 2, "-", &month) ||
        !take_digits(&p, end, 2, "Tt", &day) || !take_digits(&p, end, 2, ":", &hour) ||
        !take_digits(&p, end, 2, ":", &minute) || !take_digits(&p, end, 2, NULL, &second) ||
        !take_fraction(&p, end, &micros) || !take_offset(&p, end, &offset) || p != end)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 60)
        return false;
    int64_t minutes = days_from_civil(year, month, day) * 1440 + hour * 60 + minute - offset;
    if (second == 60) {
        if ((minutes % 1440 + 1440) % 1440 != 1439)
            return false;
        second = 59, micros = 999999;
    }
    *instant = (minutes * 60 + second) * 1000000 + micros;
    return true;
}

static const int64_t instant_min = -62167219200000000, instant_max = 253402300799999999;

static char *print_digits(char *p, int value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + n;
}

/* Always 27 bytes: 2026-11-22T04:49:27.123456Z */
static void print_instant(char *p, int64_t instant)
{
    int64_t day = instant / 86400000000, rest = instant % 86400000000;
    if (rest < 0)
        day--, rest += 86400000000;
    int y, m, d, second = (int)(rest / 1000000);
    civil_from_days(day, &y, &m, &d);
    p = print_digits(p, y, 4), *p++ = '-';
    p = print_digits(p, m, 2), *p++ = '-';
    p = print_digits(p, d, 2), *p++ = 'T';
    p = print_digits(p, second / 3600, 2), *p++ = ':';
    p = print_digits(p, second / 60 % 60, 2), *p++ = ':';
    p = print_digits(p, second % 60, 2), *p++ = '.';
    p = print_digits(p, (int)(rest % 1000000), 6), *p = 'Z';
}

/* ---- reading ---------------------------------------------------------- */

static bool decode_value(struct decoder *d, const struct json_shape *shape, void *slot,
                         const struct place *place, unsigned depth);

static const char *const kind_names[] = {
    "an object", "an array",        "a string",      "a whole number",
    "a boolean", "a listed string", "a UUID string", "an RFC 3339 date-time string"};

/* The value has another type: say so and step over it. */
static bool wrong_type(struct decoder *d, const struct json_shape *shape, const struct place *place,
                       unsigned depth)
{
    if (!json_skip_value(&d->scan, depth))
        return stop(d, place);
    return fault(d, place, "type", "must be %s", kind_names[shape->kind]);
}

static bool decode_integer(struct decoder *d, const struct json_shape *shape, int64_t *slot,
                           const struct place *place)
{
    struct json_number number;
    if (!json_scan_number(&d->scan, &number))
        return stop(d, place);
    if (!number.integral)
        return fault(d, place, "type", "must be a whole number, without fraction or exponent");
    if (!number.fits)
        return fault(d, place, "type", "must fit in 64 bits");
    *slot = number.value;
    struct verdict verdict = check_integer(shape, number.value);
    return judge(d, place, verdict);
}

static bool decode_boolean(struct decoder *d, bool *slot, const struct place *place)
{
    *slot = json_peek(&d->scan) == 't';
    return json_scan_word(&d->scan, *slot ? "true" : "false") || stop(d, place);
}

static uint32_t enum_find(const struct json_shape *shape, struct text text)
{
    for (uint32_t i = 0; i < shape->count; i++)
        if (shape->names[i].len == text.len && memcmp(shape->names[i].at, text.at, text.len) == 0)
            return i + 1;
    return 0;
}

static bool decode_string(struct decoder *d, const struct json_shape *shape, void *slot,
                          const struct place *place)
{
    struct text text;
    struct verdict verdict;
    size_t points;
    if (!json_scan_string(&d->scan, &text, &points))
        return stop(d, place);
    switch (shape->kind) {
    case SHAPE_ENUM: {
        uint32_t value = enum_find(shape, text);
        memcpy(slot, &value, sizeof value);
        return value || fault(d, place, "enum", "is not one of the allowed values");
    }
    case SHAPE_UUID:
        return parse_uuid(text, slot) || fault(d, place, "format", "must be a UUID");
    case SHAPE_INSTANT:
        return parse_instant(text, slot) ||
               fault(d, place, "format", "must be an RFC 3339 date-time");
    default:
        *(struct text *)slot = text;
        verdict = check_string(shape, text, points);
        return judge(d, place, verdict);
    }
}

/* Makes room for one more item: in place at the arena's end, else by moving. */
static bool list_grow(struct arena *arena, struct json_list *list, uint32_t *room, size_t item_size)
{
    if (list->count < *room)
        return true;
    uint32_t want = *room ? *room * 2 : 4;
    size_t held = (*room * item_size + 15) & ~(size_t)15; /* as arena_alloc rounds */
    char *end = list->at ? (char *)list->at + held : NULL;
    if (end && end == arena->base + arena->used) {
        size_t more = ((want * item_size + 15) & ~(size_t)15) - held;
        if (more > arena->size - arena->used)
            return false;
        arena->used += more;
    } else {
        void *moved = arena_alloc(arena, want * item_size);
        if (!moved)
            return false;
        if (list->count)
            memcpy(moved, list->at, list->count * item_size);
        list->at = moved;
    }
    *room = want;
    return true;
}

static bool decode_item(struct decoder *d, const struct json_shape *shape, struct json_list *list,
                        uint32_t *room, const struct place *place, unsigned depth)
{
    const struct json_shape *item = shape->item;
    if (!list_grow(d->scan.arena, list, room, item->size)) {
        fault(d, place, "memory", "message needs more memory than allowed");
        return false;
    }
    struct place here = {place, NULL, 0, list->count};
    void *slot = (char *)list->at + (size_t)list->count++ * item->size;
    return decode_value(d, item, slot, &here, depth);
}

static bool decode_array(struct decoder *d, const struct json_shape *shape, void *slot,
                         const struct place *place, unsigned depth)
{
    struct json_list list = {0};
    uint32_t room = 0, found = 0;
    enum json_step step;
    d->scan.at++;
    for (step = json_scan_first(&d->scan, ']'); step == JSON_STEP_ITEM;
         step = json_scan_next(&d->scan, ']')) {
        bool kept = found++ < shape->max;
        if (kept ? !decode_item(d, shape, &list, &room, place, depth)
                 : !json_skip_value(&d->scan, depth))
            return kept ? false : stop(d, place);
    }
    if (step == JSON_STEP_BAD)
        return stop(d, place);
    memcpy(slot, &list, sizeof list);
    struct verdict verdict = check_count(shape, found);
    return judge(d, place, verdict);
}

/* Properties mostly come in schema order, so the one after the last found is tried first. */
static uint32_t field_find(const struct json_shape *shape, uint32_t guess, struct text name)
{
    for (uint32_t tried = 0, i = guess; tried < shape->count; tried++, i++) {
        i = i < shape->count ? i : 0;
        const struct json_field *field = &shape->fields[i];
        if (field->name_len == name.len && memcmp(field->lead + 2, name.at, name.len) == 0)
            return i;
    }
    return shape->count;
}

static bool unknown_property(struct decoder *d, const struct json_shape *shape,
                             struct json_keys *unknown, struct text name, const struct place *here,
                             unsigned depth)
{
    if (!json_remember_key(&d->scan, unknown, name) || !json_scan_colon(&d->scan) ||
        !json_skip_value(&d->scan, depth))
        return stop(d, here);
    return shape->open || fault(d, here, "additionalProperties", "is not a known property");
}

static bool decode_field(struct decoder *d, const struct json_field *field, char *object,
                         const struct place *here, unsigned depth)
{
    if (!json_scan_colon(&d->scan))
        return stop(d, here);
    if (field->has != JSON_ALWAYS)
        *(bool *)(object + field->has) = true;
    return decode_value(d, field->shape, object + field->offset, here, depth);
}

static bool missing_properties(struct decoder *d, const struct json_shape *shape, uint64_t missing,
                               const struct place *place)
{
    for (; missing; missing &= missing - 1) {
        const struct json_field *field = &shape->fields[__builtin_ctzll(missing)];
        struct place here = {place, field->lead + 2, field->name_len, 0};
        if (!fault(d, &here, "required", "is required"))
            return false;
    }
    return true;
}

static bool decode_property(struct decoder *d, const struct json_shape *shape, char *object,
                            uint64_t *seen, uint32_t *guess, struct json_keys *unknown,
                            const struct place *place, unsigned depth)
{
    struct text name;
    size_t points;
    if (!json_scan_string(&d->scan, &name, &points))
        return stop(d, place);
    struct place here = {place, name.at, name.len, 0};
    uint32_t i = field_find(shape, *guess, name);
    if (i == shape->count)
        return unknown_property(d, shape, unknown, name, &here, depth);
    if (*seen >> i & 1) {
        json_fail(&d->scan, "property given twice");
        return stop(d, &here);
    }
    *seen |= (uint64_t)1 << i;
    *guess = i + 1;
    return decode_field(d, &shape->fields[i], object, &here, depth);
}

static bool decode_object(struct decoder *d, const struct json_shape *shape, char *object,
                          const struct place *place, unsigned depth)
{
    uint64_t seen = 0;
    uint32_t guess = 0;
    struct json_keys unknown = {0};
    enum json_step step;
    d->scan.at++;
    for (step = json_scan_first(&d->scan, '}'); step == JSON_STEP_ITEM;
         step = json_scan_next(&d->scan, '}'))
        if (!decode_property(d, shape, object, &seen, &guess, &unknown, place, depth))
            return false;
    if (step == JSON_STEP_BAD)
        return stop(d, place);
    return !(shape->required & ~seen) ||
           missing_properties(d, shape, shape->required & ~seen, place);
}

/* False ends the reading; true says nothing about faults. */
static bool decode_value(struct decoder *d, const struct json_shape *shape, void *slot,
                         const struct place *place, unsigned depth)
{
    int c = json_peek(&d->scan);
    if (depth > JSON_DEPTH_MAX) {
        json_fail(&d->scan, "nested too deeply");
        return stop(d, place);
    }
    memset(slot, 0, shape->size);
    if (shape->kind == SHAPE_OBJECT && c == '{')
        return decode_object(d, shape, slot, place, depth + 1);
    if (shape->kind == SHAPE_ARRAY && c == '[')
        return decode_array(d, shape, slot, place, depth + 1);
    if (shape->kind == SHAPE_INTEGER && (c == '-' || (c >= '0' && c <= '9')))
        return decode_integer(d, shape, slot, place);
    if (shape->kind == SHAPE_BOOLEAN && (c == 't' || c == 'f'))
        return decode_boolean(d, slot, place);
    bool textual = shape->kind == SHAPE_STRING || shape->kind >= SHAPE_ENUM;
    if (textual && c == '"')
        return decode_string(d, shape, slot, place);
    return wrong_type(d, shape, place, depth);
}

bool json_decode(const struct json_shape *shape, struct text json, struct arena *arena, void *value,
                 struct json_report *report)
{
    struct decoder d = {.scan = {json.at, json.at, json.at + json.len, arena, NULL},
                        .report = report};
    report->count = 0;
    json_scan_space(&d.scan);
    if (!decode_value(&d, shape, value, NULL, 0))
        return false;
    json_scan_space(&d.scan);
    if (d.scan.at != d.scan.end)
        fault(&d, NULL, "syntax", "bytes after the value");
    return report->count == 0;
}

/* ---- writing ---------------------------------------------------------- */

static inline void put(struct json_out *out, const char *bytes, size_t len)
{
    if (out->used <= out->size && len <= out->size - out->used)
        memcpy(out->at + out->used, bytes, len);
    out->used += len;
}

static bool encode_value(struct encoder *e, const struct json_shape *shape, const void *slot,
                         const struct place *place);

static bool encode_fault(struct encoder *e, const struct place *place, struct verdict verdict)
{
    fault_by_verdict(e->report, place, e->out->used, verdict);
    return false;
}

static void encode_integer(struct json_out *out, int64_t value)
{
    char digits[20], *p = digits + sizeof digits;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    put(out, p, (size_t)(digits + sizeof digits - p));
}

static void put_escape(struct json_out *out, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *known = c ? strchr(from, c) : NULL;
    if (known)
        put(out, (char[]){'\\', to[known - from]}, 2);
    else
        put(out, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
}

/* Counts the characters on the way; false on bytes that are not UTF-8. */
static bool put_string(struct json_out *out, struct text text, size_t *points)
{
    const char *p = text.at, *end = text.at + text.len;
    *points = 0;
    put(out, "\"", 1);
    while (p < end) {
        const char *plain = json_plain_end(p, end);
        put(out, p, (size_t)(plain - p));
        *points += (size_t)(plain - p);
        if ((p = plain) == end)
            break;
        unsigned n = json_utf8_length(p, end);
        if (n == 0)
            return false;
        if (n == 1)
            put_escape(out, (unsigned char)*p);
        else
            put(out, p, n);
        p += n;
        ++*points;
    }
    put(out, "\"", 1);
    return true;
}

static bool encode_string(struct encoder *e, const struct json_shape *shape, struct text text,
                          const struct place *place)
{
    size_t points;
    if (!put_string(e->out, text, &points))
        return encode_fault(e, place, (struct verdict){"type", "is not valid UTF-8", 0});
    struct verdict verdict = check_string(shape, text, points);
    return !verdict.keyword || encode_fault(e, place, verdict);
}

static bool encode_enum(struct encoder *e, const struct json_shape *shape, const void *slot,
                        const struct place *place)
{
    uint32_t value;
    size_t points;
    memcpy(&value, slot, sizeof value);
    if (value < 1 || value > shape->count)
        return encode_fault(e, place,
                            (struct verdict){"enum", "is not set to an allowed value", 0});
    return put_string(e->out, shape->names[value - 1], &points);
}

static bool encode_instant(struct encoder *e, int64_t instant, const struct place *place)
{
    char text[29] = "\"";
    if (instant < instant_min || instant > instant_max)
        return encode_fault(e, place,
                            (struct verdict){"format", "is outside the years 0000 to 9999", 0});
    print_instant(text + 1, instant);
    text[28] = '"';
    put(e->out, text, sizeof text);
    return true;
}

static bool encode_uuid(struct encoder *e, const struct uuid *uuid)
{
    char text[38] = "\"";
    print_uuid(text + 1, uuid);
    text[37] = '"';
    put(e->out, text, sizeof text);
    return true;
}

static bool encode_array(struct encoder *e, const struct json_shape *shape, const void *slot,
                         const struct place *place)
{
    struct json_list list;
    memcpy(&list, slot, sizeof list);
    struct verdict verdict = check_count(shape, list.count);
    if (verdict.keyword)
        return encode_fault(e, place, verdict);
    put(e->out, "[", 1);
    for (uint32_t i = 0; i < list.count; i++) {
        struct place here = {place, NULL, 0, i};
        if (i)
            put(e->out, ",", 1);
        if (!encode_value(e, shape->item, (const char *)list.at + (size_t)i * shape->item->size,
                          &here))
            return false;
    }
    put(e->out, "]", 1);
    return true;
}

static bool encode_object(struct encoder *e, const struct json_shape *shape, const char *object,
                          const struct place *place)
{
    size_t skip = 1; /* no comma before the first */
    put(e->out, "{", 1);
    for (const struct json_field *field = shape->fields; field < shape->fields + shape->count;
         field++) {
        struct place here = {place, field->lead + 2, field->name_len, 0};
        if (field->has != JSON_ALWAYS && !*(const bool *)(object + field->has))
            continue;
        if (field->personal && e->privacy == JSON_REDACTED)
            continue;
        put(e->out, field->lead + skip, (size_t)field->name_len + 4 - skip);
        skip = 0;
        if (!encode_value(e, field->shape, object + field->offset, &here))
            return false;
    }
    put(e->out, "}", 1);
    return true;
}

static bool encode_value(struct encoder *e, const struct json_shape *shape, const void *slot,
                         const struct place *place)
{
    struct verdict verdict = {0};
    switch (shape->kind) {
    case SHAPE_OBJECT:
        return encode_object(e, shape, slot, place);
    case SHAPE_ARRAY:
        return encode_array(e, shape, slot, place);
    case SHAPE_STRING:
        return encode_string(e, shape, *(const struct text *)slot, place);
    case SHAPE_INTEGER:
        verdict = check_integer(shape, *(const int64_t *)slot);
        encode_integer(e->out, *(const int64_t *)slot);
        return !verdict.keyword || encode_fault(e, place, verdict);
    case SHAPE_BOOLEAN:
        put(e->out, *(const bool *)slot ? "true" : "false", *(const bool *)slot ? 4 : 5);
        return true;
    case SHAPE_ENUM:
        return encode_enum(e, shape, slot, place);
    case SHAPE_UUID:
        return encode_uuid(e, slot);
    case SHAPE_INSTANT:
        return encode_instant(e, *(const int64_t *)slot, place);
    }
    return false;
}

bool json_encode(const struct json_shape *shape, const void *value, enum json_privacy privacy,
                 struct json_out *out, struct json_report *report)
{
    struct encoder e = {out, report, privacy};
    report->count = 0;
    if (!encode_value(&e, shape, value, NULL))
        return false;
    if (out->used <= out->size)
        return true;
    return encode_fault(&e, NULL,
                        (struct verdict){"memory", "message is larger than the buffer", 0});
}

bool json_unknown_message(struct json_report *report)
{
    report->count = 0;
    add_fault(report, NULL, 0, "enum", "is not a known message type");
    return false;
}
