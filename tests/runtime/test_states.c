/* States are found again, never move, and are finished. */
#include "runtime/states.h"

#include <stdlib.h>

#include "tests/runtime/run_suite.h"

struct thing {
    char *bytes;
    uint16_t *words;
    uint8_t bytes_count;
    uint32_t words_count;
};

static const struct owned thing_owned[] = {OWNED(struct thing, bytes, bytes_count),
                                           OWNED(struct thing, words, words_count), OWNED_END};

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

/* That all is freed, and once, is for the sanitizer to see. */
START_TEST(what_a_state_owns_is_found_and_freed)
{
    struct states *s = states_create(sizeof(struct thing), thing_owned);
    struct thing *one = states_at(s, TEXT("a"))->data;
    one->words = calloc(70000, sizeof *one->words);
    one->words_count = 70000;
    one->bytes = malloc(3);
    one->bytes_count = 3;
    ck_assert_uint_eq(owned_bytes(&thing_owned[0], one), 3);
    ck_assert_uint_eq(owned_bytes(&thing_owned[1], one), 140000);
    ck_assert_ptr_eq(owned_array(&thing_owned[1], one), one->words);
    owned_free(thing_owned, one);
    ck_assert_ptr_null(one->words);
    ck_assert_uint_eq(one->words_count, 0);
    one->bytes = malloc(4);
    one->bytes_count = 4;
    states_at(s, TEXT("b"));
    states_destroy(s);
}
END_TEST

START_TEST(each_is_come_across_once)
{
    enum { KEYS = 1000 };
    struct states *s = states_create(sizeof(int), NULL);
    char key[16];
    size_t at = 0, met = 0;
    ck_assert_ptr_null(states_next(s, &at));
    for (int i = 0; i < KEYS; i++) {
        int len = snprintf(key, sizeof key, "%d", i);
        states_at(s, (struct text){key, (size_t)len});
    }
    at = 0;
    for (struct state *state; (state = states_next(s, &at)); met++)
        ck_assert_int_eq(++*(int *)state->data, 1);
    ck_assert_uint_eq(met, KEYS);
    states_destroy(s);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_state_keeps_its_address_and_content,
                                  what_a_state_owns_is_found_and_freed, each_is_come_across_once};
    return run_suite("states", tests, COUNT(tests));
}
