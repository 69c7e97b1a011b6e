/* Text and bytes that somebody else owns. Never NUL-terminated by promise. */
#ifndef CORE_TEXT_H
#define CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text {
    const char *at;
    size_t len;
};

/* A string literal as text. */
#define TEXT(literal) ((struct text){(literal), sizeof(literal) - 1})

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline struct text text_of(const char *string)
{
    return (struct text){string, string ? strlen(string) : 0};
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool text_is(struct text a, const char *string)
{
    return text_equal(a, text_of(string));
}

#endif
