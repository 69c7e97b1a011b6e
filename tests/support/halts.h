/* What a worker says when it halts, heard in place of the log: link with --wrap=report_line. Said
 * by the worker's thread, asked by the test's. */
#ifndef TESTS_SUPPORT_HALTS_H
#define TESTS_SUPPORT_HALTS_H

#include <stddef.h>
#include <stdint.h>

enum { HALTS_MAX = 8, HALT_WORD_MAX = 200 };

struct halt {
    char topic[HALT_WORD_MAX], why[HALT_WORD_MAX]; /* empty: not told */
    int partition;                                 /* -1: not told, as below */
    int64_t offset;                                /* or the position */
};

void halts_begin(void);
/* partition_halted and effect_halted, in the order in which they were said. */
size_t halts_said(void);
const struct halt *halt_said(size_t n);
/* The record of a source that was named last (source_halts). */
const struct halt *halt_source(void);

#endif
