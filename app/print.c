/* JSON as programs and as people read it. */
#include "app/print.h"

#include <jansson.h>
#include <stdio.h>

bool print_document(struct text json, bool one_line)
{
    if (one_line)
        return printf("%.*s\n", (int)json.len, json.at) > 0;
    json_t *document = json_loadb(json.at, json.len, JSON_REJECT_DUPLICATES, NULL);
    bool good = document && json_dumpf(document, stdout, JSON_INDENT(2)) == 0;
    json_decref(document);
    return good && putchar('\n') != EOF;
}
