/* E-mail addresses and instants as text. */
#include "core/json_format.h"

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

bool json_format_email(struct text text)
{
    const char *sign = memchr(text.at, '@', text.len);
    const char *end = text.at + text.len;
    return sign && sign - text.at <= 64 && is_dotted(text.at, sign, is_atext) &&
           is_domain(sign + 1, end);
}

/* ---- instants -------------------------------------------------------- */

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

bool json_format_read_instant(struct text text, int64_t *instant)
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

static char *print_digits(char *p, int value, int n)
{
    for (int i = n - 1; i >= 0; i--, value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + n;
}

void json_format_write_instant(char *p, int64_t instant)
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
