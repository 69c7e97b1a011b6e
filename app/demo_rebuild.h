/* Drops the read model of orders and builds it again from the log, with the verbs an operator uses.
 */
#ifndef APP_DEMO_REBUILD_H
#define APP_DEMO_REBUILD_H

#include <stdbool.h>
#include <stdint.h>

enum { DEMO_DIGEST_MAX = 40 };

struct demo_model {
    char digest[DEMO_DIGEST_MAX];
    int64_t rows;
};

struct demo_rebuild {
    struct demo_model before, after;
    double seconds;
    bool same; /* rows and digest */
};

/* False: a verb failed (said on stderr). `silent`: without the progress bar. */
bool demo_rebuild(bool silent, struct demo_rebuild *ret_rebuild);
void demo_rebuild_show(const struct demo_rebuild *rebuild);

#endif
