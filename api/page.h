/* Lists in pages: ?limit= and ?cursor=. A page asks for one row more than it shows, to know whether
 * it is the last. */
#ifndef API_PAGE_H
#define API_PAGE_H

#include "core/route.h"

enum { PAGE_LIMIT_DEFAULT = 20, PAGE_LIMIT_MAX = 100 }; /* told in page.c too */

struct page {
    int64_t limit;
    struct text key; /* after this one; empty: from the start */
    int64_t before;  /* of lists by time, newest first: microseconds; the far future at the start.
                        Of lists by version: the version */
    struct uuid id;  /* with it */
};

/* Lists by a text key. */
bool page_by_key(const struct request *request, struct page *ret_page, struct refusal *refusal);
/* Lists by (time, id), newest first. */
bool page_by_time(const struct request *request, struct page *ret_page, struct refusal *refusal);
/* Lists of what happened to one aggregate, newest first: ret_page->before is a version. */
bool page_by_version(const struct request *request, struct page *ret_page, struct refusal *refusal);
struct text page_cursor_by_version(struct arena *arena, int64_t version);
struct text page_cursor_by_time(struct arena *arena, int64_t at, struct uuid id);
/* How many of the rows are shown. */
size_t page_shown(const struct page *page, const struct query_rows *rows);
/* {"items":[ ... ],"next_cursor":…} around the items. cursor: empty on the last page. */
void page_begin(struct inquiry *inquiry);
void page_end(struct inquiry *inquiry, struct text cursor);
/* ?name= as a number within bounds; `fallback` when it is not given. expected: what is told about
 * another one. */
bool page_number(const struct request *request, const char *name, int64_t min, int64_t max,
                 int64_t fallback, const char *expected, int64_t *ret_value,
                 struct refusal *refusal);

#endif
