/* Each holder has at most one timer; they come out in the order of their time. */
#include <stdio.h>
#include <stdlib.h>

#include "runtime/timers.h"
#include "tests/runtime/run_suite.h"

START_TEST(the_earliest_is_first_however_often_they_were_moved)
{
    enum { HOLDERS = 500, MOVES = 20000 };
    static struct timer *holders[HOLDERS];
    int64_t due[HOLDERS];
    struct timers t = {0};
    size_t set = 0;
    srand(3);
    for (int i = 0; i < HOLDERS; i++)
        due[i] = TIMER_NEVER;
    for (int i = 0; i < MOVES; i++) {
        int h = rand() % HOLDERS;
        set -= due[h] != TIMER_NEVER;
        due[h] = rand() % 4 ? rand() % 1000 : TIMER_NEVER;
        set += due[h] != TIMER_NEVER;
        timers_set(&t, &holders[h], due[h], TEXT("k"));
        ck_assert(due[h] == TIMER_NEVER ? !holders[h] : holders[h]->due == due[h]);
        ck_assert_uint_eq(t.count, set);
    }
    for (int64_t last = -1; set > 0; set--) {
        const struct timer *first = timers_first(&t);
        ck_assert_int_ge(first->due, last);
        last = first->due;
        timers_set(&t, first->holder, TIMER_NEVER, first->key);
    }
    ck_assert_ptr_null(timers_first(&t));
    timers_finish(&t);
}
END_TEST

START_TEST(a_timer_keeps_its_key)
{
    struct timers t = {0};
    struct timer *one = NULL, *other = NULL;
    timers_set(&t, &one, 2, TEXT("second"));
    timers_set(&t, &other, 1, TEXT("first"));
    ck_assert(text_is(timers_first(&t)->key, "first"));
    timers_set(&t, &other, 3, TEXT("first"));
    ck_assert(text_is(timers_first(&t)->key, "second"));
    timers_finish(&t);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_earliest_is_first_however_often_they_were_moved,
                                  a_timer_keeps_its_key};
    return run_suite("timers", tests, COUNT(tests));
}
