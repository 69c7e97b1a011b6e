/* Stories of who is believed. */
#include "core/judge.h"
#include "tests/runtime/run_suite.h"

static struct mark takeover(void)
{
    return (struct mark){.kind = RECORD_TAKEOVER};
}

static struct mark decision(int64_t epoch, uint64_t number)
{
    return (struct mark){.kind = RECORD_DECISION, .epoch = epoch, .number = number};
}

#define JUDGE(offset, mark_value)         \
    ({                                    \
        struct mark m_ = (mark_value);    \
        log_judge(&judge, (offset), &m_); \
    })

START_TEST(a_decision_before_any_takeover_is_void)
{
    struct judge judge = JUDGE_START;
    ck_assert_int_eq(JUDGE(0, decision(-1, 1)), VERDICT_VOID);
    ck_assert_int_eq(JUDGE(1, decision(0, 1)), VERDICT_VOID);
}
END_TEST

START_TEST(decisions_count_from_one_without_gaps)
{
    struct judge judge = JUDGE_START;
    ck_assert_int_eq(JUDGE(0, takeover()), VERDICT_TAKEOVER);
    ck_assert_int_eq(JUDGE(1, decision(0, 1)), VERDICT_VALID);
    ck_assert_int_eq(JUDGE(2, decision(0, 1)), VERDICT_VOID);
    ck_assert_int_eq(JUDGE(3, decision(0, 3)), VERDICT_VOID);
    ck_assert_int_eq(JUDGE(4, decision(0, 2)), VERDICT_VALID);
}
END_TEST

START_TEST(after_a_takeover_the_former_owner_is_void_for_ever)
{
    struct judge judge = JUDGE_START;
    JUDGE(0, takeover());
    JUDGE(1, decision(0, 1));
    ck_assert_int_eq(JUDGE(2, takeover()), VERDICT_TAKEOVER);
    ck_assert_int_eq(JUDGE(3, decision(0, 2)), VERDICT_VOID);
    ck_assert_int_eq(JUDGE(4, decision(2, 1)), VERDICT_VALID);
    ck_assert_int_eq(JUDGE(5, decision(0, 2)), VERDICT_VOID);
    ck_assert_int_eq(JUDGE(6, decision(2, 2)), VERDICT_VALID);
}
END_TEST

START_TEST(a_reader_may_resume_at_any_valid_decision)
{
    struct judge judge = JUDGE_START;
    struct mark third = decision(0, 3);
    JUDGE(0, takeover());
    JUDGE(1, decision(0, 1));
    JUDGE(2, decision(0, 2));
    struct judge resumed = judge_before(&third);
    ck_assert(resumed.epoch == judge.epoch && resumed.number == judge.number);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_decision_before_any_takeover_is_void,
                                  decisions_count_from_one_without_gaps,
                                  after_a_takeover_the_former_owner_is_void_for_ever,
                                  a_reader_may_resume_at_any_valid_decision};
    return run_suite("judge", tests, COUNT(tests));
}
