/* Stories of one e-mail address and the users it has had. */
#include "commands/aggregates.h"
#include "schemas/user.h"
#include "tests/support/given.h"

#define KEY TEXT("0a0b0c0d-0e0f-8a0b-8c0d-0e0f0a0b0c0d")
#define SEALED TEXT("AVNlYWxlZA") /* deciders copy it and never look into it */
#define OTHER TEXT("AU90aGVy")
#define NOBODY ((struct actor){.roles = 0})

static enum user_role customer_role[] = {USER_ROLE_CUSTOMER};
static enum user_role merchant_roles[] = {USER_ROLE_CUSTOMER, USER_ROLE_MERCHANT};
static enum user_role admin_roles[] = {USER_ROLE_ADMIN};

#define ROLES(list)                                  \
    {                                                \
        .at = (list), .count = (uint32_t)COUNT(list) \
    }

static void given_ada(void)
{
    given(&user_aggregate, KEY);
    HAPPENED(user, USER_EVENT_REGISTERED_V1, registered_v1, .user_id = ADA, .email = SEALED,
             .name = SEALED, .password_hash = SEALED, .roles = ROLES(customer_role));
}

static void given_erased(void)
{
    given_ada();
    HAPPENED(user, USER_EVENT_ERASED_V1, erased_v1, .user_id = ADA);
}

#define REGISTER(actor, id, list)                                                               \
    ASKED(actor, user, USER_COMMAND_REGISTER_V1, register_v1, .user_id = (id), .email = SEALED, \
          .name = SEALED, .password_hash = SEALED, .roles = ROLES(list))
#define CHANGE_PASSWORD(actor, id, seen, is_proved)                                          \
    ASKED(actor, user, USER_COMMAND_CHANGE_PASSWORD_V1, change_password_v1, .user_id = (id), \
          .password_hash = OTHER, .seen_password = (seen), .proved = (is_proved))
#define CHANGE_PROFILE(actor, id)                                                          \
    ASKED(actor, user, USER_COMMAND_CHANGE_PROFILE_V1, change_profile_v1, .user_id = (id), \
          .name = OTHER)
#define CHANGE_ROLES(actor, id, list)                                                  \
    ASKED(actor, user, USER_COMMAND_CHANGE_ROLES_V1, change_roles_v1, .user_id = (id), \
          .roles = ROLES(list))
#define CHANGE_STATUS(actor, id, word)                                                   \
    ASKED(actor, user, USER_COMMAND_CHANGE_STATUS_V1, change_status_v1, .user_id = (id), \
          .status = USER_SETTABLE_STATUS_##word)
#define ERASE(actor, id) ASKED(actor, user, USER_COMMAND_ERASE_V1, erase_v1, .user_id = (id))

START_TEST(whoever_registers_is_a_customer)
{
    given(&user_aggregate, KEY);
    REGISTER(NOBODY, ADA, customer_role);
    then_events(1);
    ck_assert(uuid_equal(THEN(0, user, USER_EVENT_REGISTERED_V1, registered_v1).user_id, ADA));
    ck_assert(text_equal(THEN(0, user, USER_EVENT_REGISTERED_V1, registered_v1).email, SEALED));
}
END_TEST

START_TEST(nobody_registers_as_more_but_by_the_house)
{
    given(&user_aggregate, KEY);
    REGISTER(NOBODY, ADA, merchant_roles);
    then_refused(PROBLEM_FORBIDDEN);
    REGISTER(NOBODY, ADA, admin_roles);
    then_refused(PROBLEM_FORBIDDEN);
    REGISTER(merchant(MILL), ADA, admin_roles);
    then_refused(PROBLEM_FORBIDDEN);
    REGISTER(SYSTEM, ADA, admin_roles);
    then_events(1);
}
END_TEST

START_TEST(an_address_is_registered_once)
{
    given_ada();
    REGISTER(NOBODY, BOB, customer_role);
    then_refused(PROBLEM_ALREADY_EXISTS);
    HAPPENED(user, USER_EVENT_STATUS_CHANGED_V1, status_changed_v1, .user_id = ADA,
             .status = USER_SETTABLE_STATUS_DISABLED);
    REGISTER(NOBODY, BOB, customer_role);
    then_refused(PROBLEM_ALREADY_EXISTS);
}
END_TEST

START_TEST(after_erasure_it_may_be_registered_anew_by_another_life)
{
    given_erased();
    REGISTER(NOBODY, BOB, customer_role);
    then_events(1);
    CHANGE_PROFILE(customer(ADA), ADA);
    then_refused(PROBLEM_NOT_FOUND);
    ERASE(customer(ADA), ADA);
    then_refused(PROBLEM_NOT_FOUND);
    CHANGE_PROFILE(customer(BOB), BOB);
    then_events(1);
}
END_TEST

START_TEST(users_change_themselves)
{
    given_ada();
    CHANGE_PROFILE(customer(ADA), ADA);
    then_events(1);
    CHANGE_PASSWORD(customer(ADA), ADA, 1, true);
    then_events(1);
    CHANGE_PASSWORD(customer(ADA), ADA, 2, true);
    then_events(1);
}
END_TEST

START_TEST(others_are_not_there_for_them)
{
    given_ada();
    CHANGE_PROFILE(customer(BOB), ADA);
    then_refused(PROBLEM_NOT_FOUND);
    CHANGE_PROFILE(customer(BOB), BOB);
    then_refused(PROBLEM_NOT_FOUND);
    CHANGE_PASSWORD(merchant(BOB), ADA, 1, true);
    then_refused(PROBLEM_NOT_FOUND);
    ERASE(customer(BOB), ADA);
    then_refused(PROBLEM_NOT_FOUND);
    ERASE(NOBODY, ADA);
    then_refused(PROBLEM_NOT_FOUND);
}
END_TEST

START_TEST(a_password_is_changed_by_who_knows_it)
{
    given_ada();
    CHANGE_PASSWORD(customer(ADA), ADA, 1, false);
    then_refused(PROBLEM_FORBIDDEN);
    CHANGE_PASSWORD(ADMIN, ADA, 1, false);
    then_events(1);
    CHANGE_PASSWORD(((struct actor){.id = ADA, .roles = ROLE_CUSTOMER | ROLE_ADMIN}), ADA, 1,
                    false);
    then_refused(PROBLEM_FORBIDDEN); /* an administrator too must know his own */
}
END_TEST

START_TEST(a_password_that_was_changed_meanwhile_proves_nothing)
{
    given_ada();
    HAPPENED(user, USER_EVENT_PASSWORD_CHANGED_V1, password_changed_v1, .user_id = ADA,
             .password_hash = OTHER);
    CHANGE_PASSWORD(customer(ADA), ADA, 1, true);
    then_refused(PROBLEM_WRONG_STATE);
}
END_TEST

START_TEST(only_administrators_give_roles_and_status)
{
    given_ada();
    CHANGE_ROLES(customer(ADA), ADA, admin_roles);
    then_refused(PROBLEM_FORBIDDEN);
    CHANGE_STATUS(merchant(ADA), ADA, DISABLED);
    then_refused(PROBLEM_FORBIDDEN);
    CHANGE_ROLES(ADMIN, ADA, merchant_roles);
    then_events(1);
    CHANGE_STATUS(ADMIN, ADA, DISABLED);
    then_events(1);
}
END_TEST

START_TEST(what_is_so_already_changes_nothing)
{
    given_ada();
    CHANGE_ROLES(ADMIN, ADA, customer_role);
    then_nothing();
    CHANGE_STATUS(ADMIN, ADA, ACTIVE);
    then_nothing();
}
END_TEST

START_TEST(administrators_find_no_user_of_another_life)
{
    given_erased();
    CHANGE_ROLES(ADMIN, ADA, merchant_roles);
    then_refused(PROBLEM_NOT_FOUND);
    CHANGE_STATUS(ADMIN, BOB, ACTIVE);
    then_refused(PROBLEM_NOT_FOUND);
}
END_TEST

START_TEST(erasing_ends_a_life_once)
{
    given_ada();
    ERASE(customer(ADA), ADA);
    then_events(1);
    ERASE(customer(ADA), ADA);
    then_nothing();
    ERASE(ADMIN, ADA);
    then_nothing();
    CHANGE_PROFILE(customer(ADA), ADA);
    then_refused(PROBLEM_NOT_FOUND);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("user");
    TCase *stories = tcase_create("stories");
    tcase_add_checked_fixture(stories, NULL, given_finish);
    tcase_add_test(stories, whoever_registers_is_a_customer);
    tcase_add_test(stories, nobody_registers_as_more_but_by_the_house);
    tcase_add_test(stories, an_address_is_registered_once);
    tcase_add_test(stories, after_erasure_it_may_be_registered_anew_by_another_life);
    tcase_add_test(stories, users_change_themselves);
    tcase_add_test(stories, others_are_not_there_for_them);
    tcase_add_test(stories, a_password_is_changed_by_who_knows_it);
    tcase_add_test(stories, a_password_that_was_changed_meanwhile_proves_nothing);
    tcase_add_test(stories, only_administrators_give_roles_and_status);
    tcase_add_test(stories, what_is_so_already_changes_nothing);
    tcase_add_test(stories, administrators_find_no_user_of_another_life);
    tcase_add_test(stories, erasing_ends_a_life_once);
    suite_add_tcase(suite, stories);
    return run_suite(suite);
}
