/* The window against a plain list that does the same slowly. */
#include <stdlib.h>

#include "runtime/dedup.h"
#include "tests/runtime/run_suite.h"

static struct uuid id_of(uint32_t n)
{
    struct uuid id = {{0}};
    memcpy(id.bytes, &n, sizeof n);
    id.bytes[8] = (uint8_t)(n * 31);
    return id;
}

static struct dedup_entry entry(uint32_t n, int64_t at)
{
    return (struct dedup_entry){id_of(n), n, (int64_t)n, at};
}

static void add(struct dedup *d, uint32_t n, int64_t at)
{
    struct dedup_entry e = entry(n, at);
    dedup_add(d, &e);
}

START_TEST(what_was_added_is_found_and_nothing_else)
{
    struct dedup *d = dedup_create();
    for (uint32_t n = 0; n < 5000; n++)
        add(d, n, n);
    for (uint32_t n = 0; n < 5000; n++)
        ck_assert_uint_eq(dedup_find(d, id_of(n), 5000)->fingerprint, n);
    ck_assert_ptr_null(dedup_find(d, id_of(5000), 5000));
    dedup_destroy(d);
}
END_TEST

START_TEST(the_first_entry_of_an_id_stays)
{
    struct dedup *d = dedup_create();
    add(d, 1, 10);
    dedup_add(d, &(struct dedup_entry){id_of(1), 99, 99, 11});
    ck_assert_uint_eq(dedup_find(d, id_of(1), 12)->fingerprint, 1);
    ck_assert_uint_eq(dedup_count(d), 1);
    dedup_destroy(d);
}
END_TEST

START_TEST(entries_leave_with_age)
{
    struct dedup *d = dedup_create();
    add(d, 1, 0);
    add(d, 2, 1000);
    ck_assert_ptr_nonnull(dedup_find(d, id_of(1), DEDUP_WINDOW_US));
    ck_assert_ptr_null(dedup_find(d, id_of(1), DEDUP_WINDOW_US + 1));
    ck_assert_ptr_nonnull(dedup_find(d, id_of(2), DEDUP_WINDOW_US + 1));
    dedup_destroy(d);
}
END_TEST

START_TEST(the_oldest_leave_when_the_window_is_full)
{
    struct dedup *d = dedup_create();
    for (uint32_t n = 0; n < DEDUP_ENTRIES_MAX + 1000; n++)
        add(d, n, 1);
    ck_assert_uint_eq(dedup_count(d), DEDUP_ENTRIES_MAX);
    ck_assert_ptr_null(dedup_find(d, id_of(999), 1));
    ck_assert_ptr_nonnull(dedup_find(d, id_of(1000), 1));
    for (uint32_t n = 1000; n < DEDUP_ENTRIES_MAX + 1000; n++)
        ck_assert_ptr_nonnull(dedup_find(d, id_of(n), 1));
    dedup_destroy(d);
}
END_TEST

START_TEST(settling_fills_in_the_offset_once)
{
    struct dedup *d = dedup_create();
    dedup_add(d, &(struct dedup_entry){id_of(1), 1, -1, 0});
    dedup_settle(d, id_of(1), 70);
    dedup_settle(d, id_of(1), 71);
    dedup_settle(d, id_of(2), 72);
    ck_assert_int_eq(dedup_find(d, id_of(1), 0)->offset, 70);
    dedup_destroy(d);
}
END_TEST

START_TEST(random_work_agrees_with_a_plain_list)
{
    enum { STEPS = 20000, IDS = 500 };
    int64_t added_at[IDS];
    struct dedup *d = dedup_create();
    int64_t at = 0;
    srand(7);
    for (int i = 0; i < IDS; i++)
        added_at[i] = INT64_MIN / 2;
    for (int i = 0; i < STEPS; i++) {
        uint32_t n = (uint32_t)rand() % IDS;
        at += rand() % (DEDUP_WINDOW_US / 200);
        bool known = added_at[n] >= at - DEDUP_WINDOW_US;
        ck_assert_int_eq(dedup_find(d, id_of(n), at) != NULL, known);
        if (rand() % 2 && !known) {
            add(d, n, at);
            added_at[n] = at;
        }
    }
    dedup_destroy(d);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {what_was_added_is_found_and_nothing_else,
                                  the_first_entry_of_an_id_stays,
                                  entries_leave_with_age,
                                  the_oldest_leave_when_the_window_is_full,
                                  settling_fills_in_the_offset_once,
                                  random_work_agrees_with_a_plain_list};
    return run_suite("dedup", tests, COUNT(tests));
}
