/* Every case of the corpus, as a value of its own and inside an object that steps over it; jansson
 * gives a second opinion, so that the table itself is checked. */
#include <jansson.h>
#include <stdlib.h>

#include "schemas/sample.h"
#include "tests/runtime/run_suite.h"

static const struct corpus_case {
    bool good;
    bool alone;
    const char *bytes;
    size_t len;
    size_t times;
    const char *why;
} cases[] = {
#define BYTES(b) (b), sizeof(b) - 1, 1
#define FIVE_THOUSAND(b) (b), sizeof(b) - 1, 5000
#define YES(b) {true, false, b, NULL},
#define YES_ALONE(b) {true, true, b, NULL},
#define NO(b, why) {false, false, b, why},
#define NO_ALONE(b, why) {false, true, b, why},
#include "tests/schemas/corpus.h"
};

static _Alignas(16) char memory[1 << 16];

/* Exactly its bytes, so that a sanitizer sees any read outside. */
static struct text case_text(const struct corpus_case *c, const char *before, const char *after)
{
    size_t len = strlen(before) + c->len * c->times + strlen(after);
    char *bytes = malloc(len + !len), *p = bytes;
    ck_assert_ptr_nonnull(bytes);
    p = mempcpy(p, before, strlen(before));
    for (size_t i = 0; i < c->times; i++)
        p = mempcpy(p, c->bytes, c->len);
    memcpy(p, after, strlen(after));
    return (struct text){bytes, len};
}

static void forget(struct text text)
{
    char *bytes;
    memcpy(&bytes, &text.at, sizeof bytes);
    free(bytes);
}

static struct json_scan scan_value(struct text text, struct arena *arena)
{
    struct json_scan scan = {text.at, text.at, text.at + text.len, arena, NULL};
    json_scan_space(&scan);
    if (!json_skip_value(&scan, 0))
        return scan;
    json_scan_space(&scan);
    if (scan.at != scan.end)
        json_fail(&scan, "bytes after the value");
    return scan;
}

START_TEST(each_case_is_taken_or_refused_for_its_reason)
{
    const struct corpus_case *c = &cases[_i];
    struct arena arena = {memory, 0, sizeof memory};
    struct text text = case_text(c, "", "");
    struct json_scan scan = scan_value(text, &arena);
    if (c->good)
        ck_assert_msg(!scan.problem, "refused: %.100s: %s", c->bytes, scan.problem);
    else
        ck_assert_msg(scan.problem && strcmp(scan.problem, c->why) == 0, "%.100s: %s, not: %s",
                      c->bytes, scan.problem ? scan.problem : "taken", c->why);
    ck_assert(scan.at >= scan.start && scan.at <= scan.end);
    ck_assert(!c->good || arena.used == 0); /* nothing is kept of what is stepped over */
    forget(text);
}
END_TEST

START_TEST(each_case_is_judged_alike_inside_an_object)
{
    const struct corpus_case *c = &cases[_i];
    struct arena arena = {memory, 0, sizeof memory};
    struct sample_seen_v1 value;
    struct json_report report;
    struct text text = case_text(c, "{\"what\":\"x\",\"u\":", "}");
    bool taken = sample_seen_v1_decode(&value, text, &arena, &report);
    ck_assert_msg(taken == c->good, "%.100s: %s", c->bytes, taken ? "" : report.faults[0].detail);
    if (!taken)
        ck_assert_str_eq(report.faults[report.count - 1].keyword, "syntax");
    forget(text);
}
END_TEST

/* Strings go through the struct and come back by the encoder. */
START_TEST(each_string_comes_back)
{
    const struct corpus_case *c = &cases[_i];
    struct arena arena = {memory, 0, sizeof memory};
    struct sample_seen_v1 value, again;
    struct json_report report;
    char written[4096];
    struct json_out out = {written, 0, sizeof written};
    if (c->bytes[0] != '"' || c->times > 1)
        return;
    struct text text = case_text(c, "{\"what\":", "}");
    ck_assert_int_eq(sample_seen_v1_decode(&value, text, &arena, &report), c->good);
    if (c->good) {
        ck_assert(sample_seen_v1_encode(&value, &out, &report));
        ck_assert(sample_seen_v1_decode(&again, (struct text){written, out.used}, &arena, &report));
        ck_assert(text_equal(value.what, again.what));
    }
    forget(text);
}
END_TEST

START_TEST(jansson_thinks_the_same)
{
    const struct corpus_case *c = &cases[_i];
    struct text text = case_text(c, "", "");
    json_t *tree = json_loadb(text.at, text.len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg((tree != NULL) == (c->good != c->alone), "%.100s", c->bytes);
    json_decref(tree);
    forget(text);
}
END_TEST

/* Every byte at every place of the words in which strings are scanned. */
START_TEST(plain_text_ends_at_the_first_other_byte)
{
    for (int byte = 0; byte < 256; byte++)
        for (size_t at = 0; at < 20; at++) {
            char text[] = "abcdefghijklmnopqrst";
            text[at] = (char)byte;
            bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
            const char *end = plain ? text + 20 : text + at;
            ck_assert_msg(json_plain_end(text, text + 20) == end, "byte %d at %zu", byte, at);
        }
}
END_TEST

START_TEST(a_character_ends_within_the_text)
{
    static const char *const characters[] = {"\x7F", "\xC2\x80", "\xE2\x82\xAC",
                                             "\xF0\x9F\x98\x80"};
    for (unsigned i = 0; i < COUNT(characters); i++)
        for (unsigned len = 0; len <= i + 1; len++)
            ck_assert_uint_eq(json_utf8_length(characters[i], characters[i] + len),
                              len == i + 1 ? len : 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {each_case_is_taken_or_refused_for_its_reason,
                                  each_case_is_judged_alike_inside_an_object,
                                  each_string_comes_back, jansson_thinks_the_same};
    Suite *suite = suite_create("corpus");
    TCase *tcase = tcase_create("corpus");
    _Static_assert(COUNT(cases) >= 200, "the corpus shrank");
    for (size_t i = 0; i < COUNT(tests); i++)
        tcase_add_loop_test(tcase, tests[i], 0, (int)COUNT(cases));
    tcase_add_test(tcase, plain_text_ends_at_the_first_other_byte);
    tcase_add_test(tcase, a_character_ends_within_the_text);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
