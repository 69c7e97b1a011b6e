/* Timers come out in the order of their time. */
#include <stdlib.h>

#include "runtime/timers.h"
#include "tests/runtime/run_suite.h"

START_TEST(the_earliest_is_first_whatever_the_order)
{
    enum { TIMERS = 3000 };
    struct timers t = {0};
    int64_t last = -1;
    srand(3);
    for (int i = 0; i < TIMERS; i++)
        timers_add(&t, rand() % 1000, TEXT("k"));
    for (int i = 0; i < TIMERS; i++) {
        ck_assert_int_ge(timers_first(&t)->due, last);
        last = timers_first(&t)->due;
        timers_drop_first(&t);
    }
    ck_assert_ptr_null(timers_first(&t));
    timers_finish(&t);
}
END_TEST

START_TEST(a_timer_keeps_its_key)
{
    struct timers t = {0};
    timers_add(&t, 2, TEXT("second"));
    timers_add(&t, 1, TEXT("first"));
    ck_assert(text_is((struct text){timers_first(&t)->key, timers_first(&t)->key_len}, "first"));
    timers_drop_first(&t);
    ck_assert(text_is((struct text){timers_first(&t)->key, timers_first(&t)->key_len}, "second"));
    timers_finish(&t);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_earliest_is_first_whatever_the_order, a_timer_keeps_its_key};
    return run_suite("timers", tests, COUNT(tests));
}
