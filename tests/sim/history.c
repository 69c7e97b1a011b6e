/* A list. */
#include "tests/sim/history.h"

static struct request *first, **end;

void history_begin(void)
{
    first = NULL;
    end = &first;
}

struct request *history_add(void)
{
    struct request *r = world_alloc(sizeof *r);
    r->answered = INT64_MAX;
    r->decision = r->command = -1;
    *end = r;
    end = &r->next;
    return r;
}

const struct request *history_first(void)
{
    return first;
}
