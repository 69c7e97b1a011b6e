/* Values of log lines as text. */
#include "runtime/report.h"

#include <stdio.h>

enum { WORDS = 8, WORD_LEN = 200 };

enum report_level report_least = REPORT_INFO;

static char *word(void)
{
    static _Thread_local char words[WORDS][WORD_LEN];
    static _Thread_local unsigned next;
    return words[next++ % WORDS];
}

const char *report_number(int64_t value)
{
    char *w = word();
    snprintf(w, WORD_LEN, "%lld", (long long)value);
    return w;
}

const char *report_text(struct text value)
{
    char *w = word();
    snprintf(w, WORD_LEN, "%.*s", (int)value.len, value.at ? value.at : "");
    return w;
}

const char *report_err(struct err e)
{
    char *w = word();
    if (e.cause)
        snprintf(w, WORD_LEN, "%s: %s (%d)", err_text(e), e.what ? e.what : "", e.cause);
    else
        snprintf(w, WORD_LEN, "%s: %s", err_text(e), e.what ? e.what : "");
    return w;
}
