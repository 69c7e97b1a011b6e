/* How the demo looks: colours on a terminal (and without NO_COLOR), plain text elsewhere, nothing
 * at all when another program reads the result. */
#ifndef APP_DEMO_SCREEN_H
#define APP_DEMO_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum demo_ink {
    INK_PLAIN,
    INK_BOLD,
    INK_DIM,
    INK_GOOD,
    INK_WARN,
    INK_BAD,
    INK_BLUE,
    INK_CYAN,
    INK_PINK
};

/* silent: print nothing. */
void demo_screen_open(bool silent);
bool demo_screen_is_live(void); /* a terminal that is being watched */
/* printf in one colour. */
void demo_print(enum demo_ink ink, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A line of its own with air before it. */
void demo_heading(const char *text);
/* One event of a timeline, `after_us` after the first. */
void demo_event(int64_t after_us, const char *type, const char *detail);
/* 110.50; the minor units of a currency that has two digits. */
void demo_amount(char *out, size_t size, int64_t minor);

#endif
