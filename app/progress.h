/* How far a long piece of work has come, on stderr: a bar on a terminal, plain lines elsewhere, or
 * JSON. */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum progress_form { PROGRESS_BAR, PROGRESS_LINES, PROGRESS_JSON };

struct progress_view {
    enum progress_form form;
    const char *what;    /* orders */
    double told_seconds; /* of the last line */
    bool begun;
};

/* wanted: of --progress; NULL: what stderr is good for. */
struct progress_view progress_open(const char *wanted, const char *what);
/* share: 0..1; done: units of `unit` so far; doing: "folding". */
void progress_tell(struct progress_view *view, const char *doing, double share, int64_t done,
                   const char *unit, double seconds);
/* The last word; leaves the cursor at the start of a line. */
void progress_close(struct progress_view *view);

#endif
