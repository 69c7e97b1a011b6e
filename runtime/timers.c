/* A binary heap of pointers; each timer knows its place. */
#include "runtime/timers.h"

#include <stdlib.h>

static void put(struct timers *t, size_t place, struct timer *timer)
{
    t->heap[place] = timer;
    timer->place = place;
}

/* From where it is to where its time belongs. */
static void sift(struct timers *t, struct timer *timer)
{
    size_t i = timer->place;
    for (; i > 0 && timer->due < t->heap[(i - 1) / 2]->due; i = (i - 1) / 2)
        put(t, i, t->heap[(i - 1) / 2]);
    for (size_t child; (child = 2 * i + 1) < t->count; i = child) {
        child += child + 1 < t->count && t->heap[child + 1]->due < t->heap[child]->due;
        if (timer->due <= t->heap[child]->due)
            break;
        put(t, i, t->heap[child]);
    }
    put(t, i, timer);
}

static void add(struct timers *t, struct timer **holder, int64_t due, struct text key)
{
    if (t->count == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->heap = realloc(t->heap, t->room * sizeof(struct timer *));
    }
    struct timer *timer = malloc(sizeof *timer);
    if (!t->heap || !timer)
        abort();
    *timer = (struct timer){.due = due, .key = key, .holder = holder};
    *holder = timer;
    put(t, t->count++, timer);
    sift(t, timer);
}

static void take_away(struct timers *t, struct timer *timer)
{
    struct timer *last = t->heap[--t->count];
    if (last != timer) {
        put(t, timer->place, last);
        sift(t, last);
    }
    *timer->holder = NULL;
    free(timer);
}

void timers_set(struct timers *t, struct timer **holder, int64_t due, struct text key)
{
    struct timer *timer = *holder;
    if (timer && due == TIMER_NEVER) {
        take_away(t, timer);
    } else if (timer) {
        timer->due = due;
        sift(t, timer);
    } else if (due != TIMER_NEVER) {
        add(t, holder, due, key);
    }
}

const struct timer *timers_first(const struct timers *t)
{
    return t->count ? t->heap[0] : NULL;
}

void timers_finish(struct timers *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->heap[i]);
    free(t->heap);
    *t = (struct timers){0};
}
