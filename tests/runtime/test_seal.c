/* Sealed values open for whom and for what they were sealed, and for nothing else. */
#include "runtime/personal.h"
#include "runtime/seal.h"
#include "tests/runtime/run_suite.h"

static _Alignas(16) char memory[256 * 1024];
static struct arena arena;
static struct seal_key key;
static const struct uuid ada = {{1, 2, 3}}, bob = {{1, 2, 4}};
static const struct text plain = {"Ada Lovelace", 12};

static void begin(void)
{
    arena = (struct arena){memory, 0, sizeof memory};
    ck_assert_int_eq(seal_init().code, ERR_OK);
    seal_key_random(&key);
}

static bool opens(struct uuid subject, const char *purpose, struct text sealed)
{
    struct text out;
    size_t used = arena.used;
    bool good = seal_open(&key, subject, purpose, sealed, &arena, &out);
    ck_assert(!good || text_equal(out, plain));
    arena.used = used;
    return good;
}

START_TEST(what_was_sealed_opens)
{
    begin();
    struct text sealed = seal_close(&key, ada, "name", plain, &arena);
    ck_assert(opens(ada, "name", sealed));
    ck_assert_ptr_null(memmem(sealed.at, sealed.len, "Ada", 3));
}
END_TEST

START_TEST(the_same_twice_does_not_look_the_same)
{
    begin();
    ck_assert(!text_equal(seal_close(&key, ada, "name", plain, &arena),
                          seal_close(&key, ada, "name", plain, &arena)));
}
END_TEST

START_TEST(moved_to_another_subject_or_purpose_it_stays_shut)
{
    begin();
    struct text sealed = seal_close(&key, ada, "name", plain, &arena);
    ck_assert(!opens(bob, "name", sealed));
    ck_assert(!opens(ada, "email", sealed));
    ck_assert(!opens(ada, "nam", sealed));
    ck_assert(!opens(ada, "", sealed));
}
END_TEST

START_TEST(another_key_does_not_open_it)
{
    begin();
    struct text sealed = seal_close(&key, ada, "name", plain, &arena);
    seal_key_random(&key);
    ck_assert(!opens(ada, "name", sealed));
}
END_TEST

START_TEST(every_changed_character_is_noticed)
{
    begin();
    struct text sealed = seal_close(&key, ada, "name", plain, &arena);
    for (size_t i = 0; i < sealed.len; i++) {
        char copy[512];
        memcpy(copy, sealed.at, sealed.len);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        ck_assert_msg(!opens(ada, "name", (struct text){copy, sealed.len}), "character %zu", i);
    }
}
END_TEST

START_TEST(every_shortened_and_lengthened_value_is_noticed)
{
    begin();
    char copy[512];
    struct text sealed = seal_close(&key, ada, "name", plain, &arena);
    for (size_t len = 0; len < sealed.len; len++)
        ck_assert_msg(!opens(ada, "name", (struct text){sealed.at, len}), "length %zu", len);
    memcpy(copy, sealed.at, sealed.len);
    memset(copy + sealed.len, 'A', 4);
    for (size_t more = 1; more <= 4; more++)
        ck_assert(!opens(ada, "name", (struct text){copy, sealed.len + more}));
}
END_TEST

START_TEST(base64_has_one_form)
{
    unsigned char bytes[16];
    size_t size;
    begin();
    ck_assert(seal_base64_read(TEXT("QQ"), bytes, sizeof bytes, &size) && size == 1);
    ck_assert(!seal_base64_read(TEXT("QR"), bytes, sizeof bytes, &size)); /* stray bits */
    ck_assert(!seal_base64_read(TEXT("QQ=="), bytes, sizeof bytes, &size));
    ck_assert(!seal_base64_read(TEXT("Q"), bytes, sizeof bytes, &size));
    ck_assert(!seal_base64_read(TEXT("Q Q"), bytes, sizeof bytes, &size));
    ck_assert(!seal_base64_read(TEXT("+/8"), bytes, sizeof bytes, &size));
    ck_assert(!seal_base64_read(TEXT(""), bytes, sizeof bytes, &size));
}
END_TEST

START_TEST(addresses_that_differ_in_case_are_one_user)
{
    begin();
    struct uuid one = personal_user_key(TEXT("secret"), TEXT("Ada@Example.org"));
    ck_assert(uuid_equal(one, personal_user_key(TEXT("secret"), TEXT("ada@example.org"))));
    ck_assert(!uuid_equal(one, personal_user_key(TEXT("secret"), TEXT("bda@example.org"))));
    ck_assert(!uuid_equal(one, personal_user_key(TEXT("another"), TEXT("ada@example.org"))));
    ck_assert_uint_eq(one.bytes[6] >> 4, 8);
}
END_TEST

START_TEST(a_master_key_is_64_hex_digits)
{
    struct seal_key read;
    begin();
    ck_assert(seal_key_read(
        TEXT("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), &read));
    ck_assert_uint_eq(read.bytes[31], 0x1f);
    ck_assert(!seal_key_read(
        TEXT("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1"), &read));
    ck_assert(!seal_key_read(
        TEXT("g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), &read));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_was_sealed_opens,
        the_same_twice_does_not_look_the_same,
        moved_to_another_subject_or_purpose_it_stays_shut,
        another_key_does_not_open_it,
        every_changed_character_is_noticed,
        every_shortened_and_lengthened_value_is_noticed,
        base64_has_one_form,
        addresses_that_differ_in_case_are_one_user,
        a_master_key_is_64_hex_digits,
    };
    return run_suite("seal", tests, COUNT(tests));
}
