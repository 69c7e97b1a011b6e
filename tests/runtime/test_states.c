/* States are found again, never move, and are finished. */
#include "runtime/states.h"
#include "tests/runtime/run_suite.h"

static int finished;

static void finish(void *data)
{
    finished += *(int *)data;
}

START_TEST(a_state_keeps_its_address_and_content)
{
    enum { KEYS = 5000 };
    static struct state *first[KEYS];
    char key[16];
    struct states *s = states_create(sizeof(int), NULL);
    for (int i = 0; i < KEYS; i++) {
        int len = snprintf(key, sizeof key, "key-%d", i);
        first[i] = states_at(s, (struct text){key, (size_t)len});
        ck_assert_int_eq(first[i]->version, 0);
        ck_assert_int_eq(*(int *)first[i]->data, 0);
        *(int *)first[i]->data = i;
    }
    for (int i = 0; i < KEYS; i++) {
        int len = snprintf(key, sizeof key, "key-%d", i);
        ck_assert_ptr_eq(states_find(s, (struct text){key, (size_t)len}), first[i]);
        ck_assert_int_eq(*(int *)first[i]->data, i);
    }
    ck_assert_ptr_null(states_find(s, TEXT("key-5000")));
    ck_assert_uint_eq(states_count(s), KEYS);
    states_destroy(s);
}
END_TEST

START_TEST(every_state_is_finished_once)
{
    struct states *s = states_create(sizeof(int), finish);
    *(int *)states_at(s, TEXT("a"))->data = 1;
    *(int *)states_at(s, TEXT("b"))->data = 10;
    finished = 0;
    states_destroy(s);
    ck_assert_int_eq(finished, 11);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_state_keeps_its_address_and_content,
                                  every_state_is_finished_once};
    return run_suite("states", tests, COUNT(tests));
}
