/* The string formats, each by its own rule: RFC 3339, RFC 5321's dot-atoms, RFC 9562. */
#include <string.h>

#include "core/json_format.h"
#include "core/uuid.h"
#include "tests/runtime/run_suite.h"

START_TEST(instants_are_read)
{
    static const struct {
        const char *text;
        int64_t micros;
    } good[] = {{"1970-01-01T00:00:00Z", 0},
                {"1969-12-31T23:59:59.999999Z", -1},
                {"2026-11-22t04:49:27.25+05:30", 1795303167250000},
                {"2026-11-22T04:49:27.1234567Z", 1795322967123456},
                {"2000-02-29T00:00:00z", 951782400000000},
                {"2016-12-31T23:59:60Z", 1483228799999999},
                {"2016-12-31T18:59:60-05:00", 1483228799999999},
                {"0000-01-01T00:00:00Z", JSON_INSTANT_MIN},
                {"9999-12-31T23:59:59.999999Z", JSON_INSTANT_MAX}};
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t micros;
        ck_assert_msg(json_format_read_instant(text_of(good[i].text), &micros), "%s", good[i].text);
        ck_assert_int_eq(micros, good[i].micros);
    }
}
END_TEST

START_TEST(what_is_no_instant_is_refused)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-22",
        "2026-11-22T04:49:27",
        "2026-11-22 04:49:27Z",
        "2026-11-22T04:49Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T04:60:00Z",
        "2026-11-22T04:49:61Z",
        "2026-11-22T04:49:60Z",
        "2026-11-22T04:49:27.Z",
        "2026-11-22T04:49:27,5Z",
        "2026-11-22T04:49:27+24:00",
        "2026-11-22T04:49:27+05:60",
        "2026-11-22T04:49:27+0530",
        "2026-11-22T04:49:27ZZ",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-32T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "26-04-30T00:00:00Z",
        "+2026-04-30T00:00:00Z",
        "2026-04-3١T00:00:00Z",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t micros;
        ck_assert_msg(!json_format_read_instant(text_of(bad[i]), &micros), "%s", bad[i]);
    }
}
END_TEST

/* Every day of 400 years and a bit around them, and the ends of time. */
START_TEST(instants_come_back)
{
    char text[JSON_INSTANT_LEN];
    int64_t back, day = 86400000000;
    for (int64_t at = -200 * 365 * day; at < 300 * 365 * day; at += day + 123456789) {
        json_format_write_instant(text, at);
        bool read = json_format_read_instant((struct text){text, sizeof text}, &back);
        if (!read || back != at) /* ck_assert is too slow for each */
            ck_abort_msg("%.*s is not %lld", JSON_INSTANT_LEN, text, (long long)at);
    }
    json_format_write_instant(text, JSON_INSTANT_MIN);
    ck_assert_mem_eq(text, "0000-01-01T00:00:00.000000Z", sizeof text);
    json_format_write_instant(text, JSON_INSTANT_MAX);
    ck_assert_mem_eq(text, "9999-12-31T23:59:59.999999Z", sizeof text);
}
END_TEST

START_TEST(addresses_are_told_from_other_text)
{
    static const char *const good[] = {"a@b", "ada@example.com", "a.b+c@x-y.example",
                                       "!#$%&'*+-/=?^_`{|}~@b", "1@2.3"};
    static const char *const bad[] = {"",        "a",       "@b",     "a@",     "a@b@c",
                                      ".a@b",    "a.@b",    "a..b@c", "a@.b",   "a@b.",
                                      "a@b..c",  "a@-b",    "a@b-",   "a b@c",  "a@b c",
                                      "\"a\"@b", "a@[::1]", "a@b.-c", "a@b-.c", "é@b"};
    for (size_t i = 0; i < COUNT(good); i++)
        ck_assert_msg(json_format_email(text_of(good[i])), "%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(!json_format_email(text_of(bad[i])), "%s", bad[i]);
    char long_local[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b";
    ck_assert(!json_format_email(text_of(long_local)));
    ck_assert(json_format_email(text_of(long_local + 1)));
}
END_TEST

START_TEST(uuids_are_told_from_other_text)
{
    static const char *const bad[] = {
        "",
        "0f8fad5bd9cb469fa16570867728950e",
        "0f8fad5b-d9cb-469f-a165-70867728950",
        "0f8fad5b-d9cb-469f-a165-70867728950e0",
        "0f8fad5b-d9cb-469f-a16570-867728950e",
        "0f8fad5b_d9cb-469f-a165-70867728950e",
        "gf8fad5b-d9cb-469f-a165-70867728950e",
        "0f8fad5b-d9cb-469f-a165-70867728950g",
        "0f8fad5b-d9cb-469f-a165-7086772895-e",
        "{f8fad5b-d9cb-469f-a165-70867728950}",
    };
    struct uuid id, upper;
    char text[UUID_TEXT_LEN + 1];
    ck_assert(uuid_read(TEXT("0f8fad5b-d9cb-469f-a165-70867728950e"), &id));
    ck_assert(uuid_read(TEXT("0F8FAD5B-D9CB-469F-A165-70867728950E"), &upper));
    ck_assert(uuid_equal(id, upper));
    uuid_format(id, text);
    ck_assert_str_eq(text, "0f8fad5b-d9cb-469f-a165-70867728950e");
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(!uuid_read(text_of(bad[i]), &id), "%s", bad[i]);
    for (int c = 0; c < 256; c++) {
        char one[] = "0f8fad5b-d9cb-469f-a165-70867728950e";
        one[3] = (char)c;
        bool hex = c && strchr("0123456789abcdefABCDEF", c);
        ck_assert_int_eq(uuid_read((struct text){one, UUID_TEXT_LEN}, &id), hex);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {instants_are_read, what_is_no_instant_is_refused,
                                  instants_come_back, addresses_are_told_from_other_text,
                                  uuids_are_told_from_other_text};
    return run_suite("formats", tests, COUNT(tests));
}
