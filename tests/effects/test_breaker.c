/* When a provider that cannot be reached is left alone, and when it is tried again. */
#include "core/text.h"
#include "runtime/breaker.h"
#include "tests/runtime/run_suite.h"

static struct breaker b;

static void given_failures(int count)
{
    b = (struct breaker){.failures_max = 3, .pause_min_ms = 100, .pause_max_ms = 350};
    for (int i = 0; i < count; i++) {
        ck_assert(breaker_allows(&b, 0));
        breaker_failed(&b, 0, false);
    }
}

START_TEST(it_opens_after_so_many_failures_in_a_row)
{
    given_failures(2);
    ck_assert(breaker_allows(&b, 0));
    given_failures(3);
    ck_assert(!breaker_allows(&b, 0));
    ck_assert(!breaker_allows(&b, 99));
}
END_TEST

START_TEST(an_answer_between_starts_the_count_again)
{
    given_failures(2);
    breaker_answered(&b);
    breaker_failed(&b, 0, false);
    breaker_failed(&b, 0, false);
    ck_assert(breaker_allows(&b, 0));
}
END_TEST

START_TEST(silence_of_a_server_that_is_there_does_not_open_it)
{
    given_failures(0);
    for (int i = 0; i < 20; i++)
        breaker_failed(&b, 0, true);
    ck_assert(breaker_allows(&b, 0));
}
END_TEST

START_TEST(one_probe_after_the_pause_and_no_second)
{
    given_failures(3);
    ck_assert(breaker_allows(&b, 100));
    ck_assert(!breaker_allows(&b, 100));
    ck_assert(!breaker_allows(&b, 5000));
}
END_TEST

START_TEST(a_probe_that_fails_doubles_the_pause_up_to_its_limit)
{
    static const int pauses[] = {200, 350, 350};
    int64_t now = 100;
    given_failures(3);
    for (size_t i = 0; i < COUNT(pauses); i++) {
        ck_assert(breaker_allows(&b, now));
        breaker_failed(&b, now, i == 1); /* silence is no proof of health either */
        ck_assert(!breaker_allows(&b, now + pauses[i] - 1));
        now += pauses[i];
    }
    ck_assert(breaker_allows(&b, now));
}
END_TEST

START_TEST(a_probe_that_is_answered_closes_it)
{
    given_failures(3);
    ck_assert(breaker_allows(&b, 100));
    breaker_answered(&b);
    ck_assert(breaker_allows(&b, 100));
    ck_assert(breaker_allows(&b, 100));
    ck_assert_int_eq(b.pause_ms, 100);
}
END_TEST

START_TEST(failures_of_calls_made_before_do_not_move_the_probe)
{
    given_failures(3);
    breaker_failed(&b, 90, false);
    breaker_failed(&b, 95, false);
    ck_assert(breaker_allows(&b, 100));
}
END_TEST

int main(void)
{
    const TTest *const stories[] = {
        it_opens_after_so_many_failures_in_a_row,
        an_answer_between_starts_the_count_again,
        silence_of_a_server_that_is_there_does_not_open_it,
        one_probe_after_the_pause_and_no_second,
        a_probe_that_fails_doubles_the_pause_up_to_its_limit,
        a_probe_that_is_answered_closes_it,
        failures_of_calls_made_before_do_not_move_the_probe,
    };
    return run_suite("breaker", stories, COUNT(stories));
}
