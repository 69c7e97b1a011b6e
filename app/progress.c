/* Bars, lines and JSON on stderr. */
#include "app/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR_CELLS = 24, LINE_SECONDS = 2 };

struct progress_view progress_open(const char *wanted, const char *what)
{
    const char *term = getenv("TERM");
    bool terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    enum progress_form form = terminal ? PROGRESS_BAR : PROGRESS_LINES;
    if (wanted)
        form = strcmp(wanted, "json") == 0    ? PROGRESS_JSON
               : strcmp(wanted, "lines") == 0 ? PROGRESS_LINES
                                              : PROGRESS_BAR;
    return (struct progress_view){.form = form, .what = what};
}

static void bar(char out[3 * BAR_CELLS + 1], double share)
{
    int full = (int)(share * BAR_CELLS + 0.5);
    for (int i = 0; i < BAR_CELLS; i++)
        memcpy(&out[3 * i], i < full ? "█" : "░", 3);
    out[3 * BAR_CELLS] = '\0';
}

static double left(double share, double seconds)
{
    return share > 0.001 ? seconds * (1 - share) / share : 0;
}

void progress_tell(struct progress_view *view, const char *doing, double share, int64_t done,
                   const char *unit, double seconds)
{
    char cells[3 * BAR_CELLS + 1];
    double rate = seconds > 0 ? (double)done / seconds : 0;
    if (view->form == PROGRESS_JSON) {
        fprintf(stderr,
                "{\"what\":\"%s\",\"doing\":\"%s\",\"share\":%.4f,\"%s\":%lld,\"per_second\":%.0f,"
                "\"eta_s\":%.1f}\n",
                view->what, doing, share, unit, (long long)done, rate, left(share, seconds));
    } else if (view->form == PROGRESS_BAR) {
        bar(cells, share);
        fprintf(stderr, "\r\033[K  %s  %s %3.0f %%  %lld %s  %.0f/s  %.0f s left  %s", view->what,
                cells, 100 * share, (long long)done, unit, rate, left(share, seconds), doing);
    } else if (seconds - view->told_seconds >= LINE_SECONDS) {
        fprintf(stderr, "%s: %s %.0f %%, %lld %s, %.0f/s, %.0f s left\n", view->what, doing,
                100 * share, (long long)done, unit, rate, left(share, seconds));
        view->told_seconds = seconds;
    }
    view->begun = true;
}

void progress_close(struct progress_view *view)
{
    if (view->form == PROGRESS_BAR && view->begun)
        fputc('\n', stderr);
}
