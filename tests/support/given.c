/* The story being told. */
#include "tests/support/given.h"

#include <stdlib.h>

#include "tests/support/twin.h"

static const struct aggregate *subject;
static struct text subject_key;
static struct twin twin;
static struct told told;
static char memory[4 * UNIT_ARENA_BYTES] __attribute__((aligned(16)));
static struct arena arena = {.base = memory, .size = sizeof memory};

void given_finish(void)
{
    if (subject)
        twin_finish(&twin);
    subject = NULL;
    arena_reset(&arena);
}

void given(const struct aggregate *aggregate, struct text target)
{
    given_finish();
    subject = aggregate;
    subject_key = arena_copy(&arena, target);
    twin_init_aggregate(&twin, aggregate);
}

void given_event(const void *event)
{
    twin_fold(&twin, event, &arena);
}

void when(struct actor actor, const void *command)
{
    struct context context = {
        .at = 1700000000000000,
        .version = twin.version,
        .command_id = id_of(77),
        .actor = actor,
        .target = subject_key,
    };
    size_t key_end = (subject_key.len + 1 + 15) & ~(size_t)15;
    arena.used = key_end; /* what earlier commands led to is folded; the state keeps no text of it
                           */
    twin_decide(&twin, subject, &context, command, &arena, &told);
}

void then_events(size_t count)
{
    ck_assert_msg(told.draft.problem == PROBLEM_NONE, "refused: %s", told.draft.detail);
    ck_assert_uint_eq(told.draft.count, count);
}

void then_nothing(void)
{
    then_events(0);
}

void then_refused(enum problem problem)
{
    ck_assert_str_eq(problem_rows[told.draft.problem].code, problem_rows[problem].code);
    ck_assert_uint_eq(told.draft.count, 0);
    ck_assert(told.draft.detail && strlen(told.draft.detail) <= DETAIL_LEN_MAX);
}

const void *then_event(size_t i, int tag)
{
    int is;
    ck_assert_uint_lt(i, told.draft.count);
    memcpy(&is, told.messages[i], sizeof is);
    ck_assert_str_eq(message_type(subject->events, is)->name,
                     message_type(subject->events, tag)->name);
    return told.messages[i];
}

const char *then_pointer(void)
{
    return told.draft.pointer;
}

int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
