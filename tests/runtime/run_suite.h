/* A Check suite of one case, run to an exit code. */
#ifndef TESTS_RUNTIME_RUN_SUITE_H
#define TESTS_RUNTIME_RUN_SUITE_H

#include <check.h>
#include <stdio.h>

static inline int run_case(const char *name, TCase *tcase)
{
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

/* set_up and tear_down around each test; NULL: nothing. */
static inline int run_suite_with(const char *name, const TTest *const *tests, size_t count,
                                 SFun set_up, SFun tear_down)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    for (size_t i = 0; i < count; i++)
        tcase_add_test(tcase, tests[i]);
    tcase_set_timeout(tcase, 60);
    return run_case(name, tcase);
}

static inline int run_suite(const char *name, const TTest *const *tests, size_t count)
{
    return run_suite_with(name, tests, count, NULL, NULL);
}

#endif
