/* A binary heap. */
#include "runtime/timers.h"

#include <assert.h>
#include <stdlib.h>

static void swap(struct timer *a, struct timer *b)
{
    struct timer t = *a;
    *a = *b;
    *b = t;
}

void timers_add(struct timers *t, int64_t due, struct text key)
{
    assert(key.len <= KEY_LEN_MAX);
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->heap = realloc(t->heap, t->room * sizeof *t->heap);
        if (!t->heap)
            abort();
    }
    size_t i = t->count++;
    t->heap[i].due = due;
    t->heap[i].key_len = (uint32_t)key.len;
    memcpy(t->heap[i].key, key.at, key.len);
    for (; i > 0 && t->heap[i].due < t->heap[(i - 1) / 2].due; i = (i - 1) / 2)
        swap(&t->heap[i], &t->heap[(i - 1) / 2]);
}

const struct timer *timers_first(const struct timers *t)
{
    return t->count ? &t->heap[0] : NULL;
}

void timers_drop_first(struct timers *t)
{
    assert(t->count > 0);
    t->heap[0] = t->heap[--t->count];
    for (size_t i = 0, child; (child = 2 * i + 1) < t->count; i = child) {
        child += child + 1 < t->count && t->heap[child + 1].due < t->heap[child].due;
        if (t->heap[i].due <= t->heap[child].due)
            break;
        swap(&t->heap[i], &t->heap[child]);
    }
}

void timers_finish(struct timers *t)
{
    free(t->heap);
    *t = (struct timers){0};
}
