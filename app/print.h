/* Documents on stdout. */
#ifndef APP_PRINT_H
#define APP_PRINT_H

#include <stdbool.h>

#include "core/text.h"

/* JSON in one line, or with a line for each of its parts, for people. False: it is no JSON. */
bool print_document(struct text json, bool one_line);

#endif
