/* Cursors are the last key shown; those by time are "<microseconds>_<id>". */
#include "api/page.h"

#include <stdio.h>

enum { CURSOR_BYTES = 80, CURSOR_LEN_MAX = 128 };
static const int64_t far_future = 253402300799000000; /* 9999-12-31 */

static bool number_of(struct text text, int64_t *ret_value)
{
    bool negative = text.len > 0 && text.at[0] == '-';
    int64_t value = 0;
    if (text.len == (size_t)negative || text.len > 19)
        return false;
    for (size_t i = negative; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.at[i] - '0', &value))
            return false;
    }
    *ret_value = negative ? -value : value;
    return true;
}

bool page_number(const struct request *request, const char *name, int64_t min, int64_t max,
                 int64_t fallback, const char *expected, int64_t *ret_value,
                 struct refusal *refusal)
{
    struct text text = request_parameter(request, name);
    int64_t value = fallback;
    if (text.at && (!number_of(text, &value) || value < min || value > max))
        return refuse_parameter(refusal, name, expected);
    *ret_value = value;
    return true;
}

static bool start(const struct request *request, struct page *page, struct refusal *refusal)
{
    *page = (struct page){.before = far_future};
    memset(page->id.bytes, 0xff, sizeof page->id.bytes);
    return page_number(request, "limit", 1, PAGE_LIMIT_MAX, PAGE_LIMIT_DEFAULT,
                       "must be a number from 1 to 100", &page->limit, refusal);
}

bool page_by_key(const struct request *request, struct page *page, struct refusal *refusal)
{
    struct text cursor = request_parameter(request, "cursor");
    if (!start(request, page, refusal))
        return false;
    if (cursor.len > CURSOR_LEN_MAX)
        return refuse_parameter(refusal, "cursor", "is not one that was given out");
    page->key = cursor.at ? cursor : TEXT("");
    return true;
}

bool page_by_time(const struct request *request, struct page *page, struct refusal *refusal)
{
    struct text cursor = request_parameter(request, "cursor");
    if (!start(request, page, refusal))
        return false;
    if (!cursor.at)
        return true;
    const char *bar = memchr(cursor.at, '_', cursor.len);
    size_t len = bar ? (size_t)(bar - cursor.at) : 0;
    if (!bar || !number_of((struct text){cursor.at, len}, &page->before) || page->before < 0 ||
        page->before > far_future ||
        !uuid_read((struct text){bar + 1, cursor.len - len - 1}, &page->id))
        return refuse_parameter(refusal, "cursor", "is not one that was given out");
    return true;
}

bool page_by_version(const struct request *request, struct page *page, struct refusal *refusal)
{
    return start(request, page, refusal) &&
           page_number(request, "cursor", 1, far_future, far_future,
                       "is not one that was given out", &page->before, refusal);
}

struct text page_cursor_by_version(struct arena *arena, int64_t version)
{
    char *out = arena_alloc(arena, CURSOR_BYTES);
    if (!out)
        return TEXT("");
    int len = snprintf(out, CURSOR_BYTES, "%lld", (long long)version);
    return (struct text){out, (size_t)len};
}

struct text page_cursor_by_time(struct arena *arena, int64_t at, struct uuid id)
{
    char *out = arena_alloc(arena, CURSOR_BYTES);
    char text[UUID_TEXT_LEN + 1];
    if (!out)
        return TEXT("");
    uuid_format(id, text);
    int len = snprintf(out, CURSOR_BYTES, "%lld_%s", (long long)at, text);
    return (struct text){out, (size_t)len};
}

size_t page_shown(const struct page *page, const struct query_rows *rows)
{
    return rows->count > (size_t)page->limit ? (size_t)page->limit : rows->count;
}

void page_begin(struct inquiry *inquiry)
{
    json_write_begin(&inquiry->out, NULL, '{');
    json_write_begin(&inquiry->out, "items", '[');
}

void page_end(struct inquiry *inquiry, struct text cursor)
{
    json_write_end(&inquiry->out, ']');
    if (cursor.len)
        json_write_text(&inquiry->out, "next_cursor", cursor);
    else
        json_write_null(&inquiry->out, "next_cursor");
    json_write_end(&inquiry->out, '}');
    inquiry->next_cursor = cursor;
}
