/* The codec by a schema that has every kind of value: what is read, what is refused and where, what
 * is written. */
#include <stdio.h>
#include <stdlib.h>

#include "schemas/sample.h"
#include "tests/runtime/run_suite.h"

#define ID "0f8fad5b-d9cb-469f-a165-70867728950e"
#define EVENT                                               \
    "{\"id\":\"" ID "\",\"at\":\"2026-11-22T04:49:27.5Z\"," \
    "\"size\":\"x-large\",\"lines\":[{\"sku\":\"TEA-1\",\"quantity\":2}]}"
/* As the encoder writes EVENT. */
#define WRITTEN                                                  \
    "{\"id\":\"" ID "\",\"at\":\"2026-11-22T04:49:27.500000Z\"," \
    "\"size\":\"x-large\",\"lines\":[{\"sku\":\"TEA-1\",\"quantity\":2}]}"
#define AND(more) with("}]", "}]," more)

static _Alignas(16) char memory[1 << 16];
static struct sample_made_v1 event;
static struct json_report report;

/* From a copy of its exact size, so that a sanitizer sees any read outside. */
static bool decode_in(const char *json, size_t len, struct arena *arena)
{
    static char *held;
    free(held);
    held = malloc(len + !len);
    ck_assert_ptr_nonnull(held);
    memcpy(held, json, len);
    memset(&event, 0xA5, sizeof event); /* the decoder may not rely on zeros */
    memset(memory + arena->used, 0xA5, sizeof memory - arena->used);
    return sample_made_v1_decode(&event, (struct text){held, len}, arena, &report);
}

static bool decode(const char *json)
{
    struct arena arena = {memory, 0, sizeof memory};
    return decode_in(json, strlen(json), &arena);
}

/* EVENT with the first `from` replaced by `to`. */
static const char *with(const char *from, const char *to)
{
    static char json[8192];
    const char *at = strstr(EVENT, from);
    ck_assert_ptr_nonnull(at);
    snprintf(json, sizeof json, "%.*s%s%s", (int)(at - EVENT), EVENT, to, at + strlen(from));
    return json;
}

static void refused(const char *json, const char *pointer, const char *keyword)
{
    ck_assert_msg(!decode(json), "accepted: %s", json);
    ck_assert_str_eq(report.faults[0].pointer, pointer);
    ck_assert_str_eq(report.faults[0].keyword, keyword);
    ck_assert_uint_gt(strlen(report.faults[0].detail), 0);
    ck_assert_uint_le(report.faults[0].offset, strlen(json));
}

static void accepted(const char *json)
{
    ck_assert_msg(decode(json), "refused: %s: %s %s", json, report.faults[0].pointer,
                  report.faults[0].detail);
    ck_assert_uint_eq(report.count, 0);
}

static struct text encode(enum json_privacy privacy)
{
    static char bytes[sample_made_v1_json_max];
    struct json_out out = {bytes, 0, sizeof bytes};
    if (!json_encode(&sample_made_v1_shape, &event, privacy, &out, &report))
        return (struct text){NULL, 0};
    return (struct text){bytes, out.used};
}

static void unwritable(const char *pointer, const char *keyword)
{
    ck_assert_ptr_null(encode(JSON_WHOLE).at);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report.faults[0].pointer, pointer);
    ck_assert_str_eq(report.faults[0].keyword, keyword);
}

START_TEST(every_field_is_read)
{
    accepted(AND("\"big\":-9223372036854775808,\"int\":7,\"note\":\"hi\",\"gift\":true,"
                 "\"contact\":{\"language\":\"en\",\"email\":\"ada@example.com\"},"
                 "\"secret\":\"s\",\"called\":{\"sku\":\"A-1\",\"quantity\":1}"));
    ck_assert_uint_eq(event.id.bytes[0], 0x0f);
    ck_assert_uint_eq(event.id.bytes[15], 0x0e);
    ck_assert_int_eq(event.at, 1795322967500000);
    ck_assert_int_eq(event.size, SAMPLE_SIZE_X_LARGE);
    ck_assert_uint_eq(event.lines.count, 1);
    ck_assert(text_is(event.lines.at[0].sku, "TEA-1"));
    ck_assert_int_eq(event.lines.at[0].quantity, 2);
    ck_assert(event.has_big && event.big == INT64_MIN);
    ck_assert(event.has_int && event.int_ == 7);
    ck_assert(event.has_note && text_is(event.note, "hi"));
    ck_assert(event.has_gift && event.gift);
    ck_assert(event.has_contact && event.contact.has_email);
    ck_assert(text_is(event.contact.email, "ada@example.com"));
    ck_assert(event.has_secret && event.has_called);
}
END_TEST

START_TEST(what_is_left_out_is_zero)
{
    accepted(EVENT);
    ck_assert(!event.has_big && !event.has_int && !event.has_note && !event.has_gift);
    ck_assert(!event.has_contact && !event.has_secret && !event.has_called);
    ck_assert(event.big == 0 && event.note.at == NULL && event.contact.email.at == NULL);
}
END_TEST

START_TEST(order_and_spaces_do_not_matter)
{
    accepted(
        " {\n\t\"lines\" : [ { \"quantity\":2 , \"sku\" : \"TEA-1\" } ] ,\r\n \"size\":\"x-large\","
        "\"at\":\"2026-11-22T04:49:27.5Z\",\"id\": \"" ID "\" } \n");
    struct text written = encode(JSON_WHOLE);
    ck_assert(text_is(written, WRITTEN));
}
END_TEST

START_TEST(escaped_names_are_the_same_names)
{
    accepted(with("\"quantity\"", "\"qu\\u0061ntity\""));
    refused(with("\"quantity\":2", "\"quantity\":2,\"qu\\u0061ntity\":2"), "/lines/0/quantity",
            "syntax");
    refused(with("\"id\":", "\"id\":\"" ID "\",\"id\":"), "/id", "syntax");
    ck_assert_str_eq(report.faults[0].detail, "property given twice");
    refused(with("\"quantity\":2", "\"quantity\":2,\"quantity\":2"), "/lines/0/quantity", "syntax");
    refused(
        with("\"sku\":\"TEA-1\",\"quantity\":2", "\"quantity\":2,\"sku\":\"TEA-1\",\"quantity\":2"),
        "/lines/0/quantity", "syntax");
    refused(with("\"size\":", "\"i\":1,\"i\":1,\"size\":"), "/i", "additionalProperties");
    ck_assert_str_eq(report.faults[1].keyword, "syntax");
}
END_TEST

START_TEST(what_was_read_is_written_again)
{
    char first[sample_made_v1_json_max];
    accepted(AND("\"note\":\"caf\\u00e9 \\ud83d\\ude00 \\\"x\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\","
                 "\"gift\":false"));
    ck_assert(text_is(event.note, "café 😀 \"x\"\\/\b\f\n\r\t\1"));
    struct text written = encode(JSON_WHOLE);
    ck_assert_ptr_nonnull(written.at);
    memcpy(first, written.at, written.len);
    struct arena arena = {memory, 0, sizeof memory};
    ck_assert(decode_in(first, written.len, &arena));
    struct text again = encode(JSON_WHOLE);
    ck_assert(text_equal(again, (struct text){first, again.len}) && again.len == written.len);
    ck_assert_ptr_nonnull(memmem(again.at, again.len, "\\b\\f\\n\\r\\t\\u0001", 16));
}
END_TEST

START_TEST(a_fault_points_at_its_place)
{
    refused(with("2}", "0}"), "/lines/0/quantity", "minimum");
    refused(with("2}", "1001}"), "/lines/0/quantity", "maximum");
    refused(with("2}", "1.0}"), "/lines/0/quantity", "type");
    ck_assert_str_eq(report.faults[0].detail,
                     "must be a whole number, without fraction or exponent");
    refused(with("2}", "1e2}"), "/lines/0/quantity", "type");
    refused(with("2}", "9223372036854775808}"), "/lines/0/quantity", "type");
    refused(with("2}", "\"2\"}"), "/lines/0/quantity", "type");
    refused(with("2}", "null}"), "/lines/0/quantity", "type");
    refused(with("TEA-1", "tea-1"), "/lines/0/sku", "pattern");
    refused(with("TEA-1", "TEA-1x"), "/lines/0/sku", "pattern");
    refused(with("TEA-1", "TEA-"), "/lines/0/sku", "pattern");
    refused(with("TEA-1", "-1"), "/lines/0/sku", "pattern");
    refused(with("TEA-1", "ABCDEFGHI-1"), "/lines/0/sku", "pattern");
    refused(with("x-large", "X-LARGE"), "/size", "enum");
    refused(with("0f8f", "0g8f"), "/id", "format");
    refused(with("11-22", "02-30"), "/at", "format");
    refused(with(",\"quantity\":2", ""), "/lines/0/quantity", "required");
    refused(with("\"quantity\"", "\"a/b~c\":1,\"quantity\""), "/lines/0/a~1b~0c",
            "additionalProperties");
    refused(with("{\"sku\":\"TEA-1\",\"quantity\":2}", ""), "/lines", "minItems");
    refused(AND("\"note\":\"x\""), "/note", "minLength");
    refused(AND("\"int\":8"), "/int", "maximum");
    refused(AND("\"int\":6"), "/int", "minimum");
    refused(AND("\"contact\":{\"language\":\"de\"}"), "/contact/language", "enum");
    refused("[]", "", "type");
    refused("null", "", "type");
}
END_TEST

START_TEST(several_faults_are_told_at_once)
{
    refused(with("\"sku\":\"TEA-1\",\"quantity\":2", "\"sku\":7,\"quantity\":0"), "/lines/0/sku",
            "type");
    ck_assert_uint_eq(report.count, 2);
    ck_assert_str_eq(report.faults[1].pointer, "/lines/0/quantity");
    refused("{}", "/id", "required");
    ck_assert_uint_eq(report.count, 4);
    ck_assert_str_eq(report.faults[3].pointer, "/lines");
}
END_TEST

START_TEST(faults_stop_at_their_limit)
{
    refused("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1}",
            "/a", "additionalProperties");
    ck_assert_uint_eq(report.count, JSON_FAULTS_MAX);
    ck_assert_str_eq(report.faults[JSON_FAULTS_MAX - 1].pointer, "/h");
}
END_TEST

START_TEST(a_long_pointer_is_cut_between_characters)
{
    for (size_t odd = 0; odd <= 1; odd++) { /* one of them would end inside a character */
        char name[400];
        strcpy(name, odd ? "\"x" : "\"");
        for (int i = 0; i < 100; i++)
            strcat(name, "é");
        strcat(name, "\":1,\"quantity\"");
        ck_assert(!decode(with("\"quantity\"", name)));
        const char *pointer = report.faults[0].pointer;
        size_t len = strnlen(pointer, JSON_POINTER_MAX), at = strlen("/lines/0/") + odd;
        ck_assert_uint_lt(len, JSON_POINTER_MAX);
        ck_assert_uint_ge(len, JSON_POINTER_MAX - 3);
        ck_assert(strncmp(pointer, odd ? "/lines/0/x" : "/lines/0/", at) == 0);
        for (; at < len; at += 2)
            ck_assert(strncmp(pointer + at, "é", 2) == 0);
    }
}
END_TEST

START_TEST(broken_json_is_refused_where_it_breaks)
{
    refused("", "", "syntax");
    refused(EVENT " x", "", "syntax");
    refused(EVENT EVENT, "", "syntax");
    refused(with("{", "\xEF\xBB\xBF{"), "", "syntax");
    refused(with("2}", "02}"), "/lines/0/quantity", "syntax");
    refused(with("2}", "-}"), "/lines/0/quantity", "syntax");
    refused(with("}]", "},]"), "/lines/1", "syntax");
    refused(with("2}", "2,}"), "/lines/0", "syntax");
    refused(with("\"size\":", "\"size\" "), "/size", "syntax");
    refused(AND("\"note\":\"a\nb\""), "/note", "syntax");
    refused(AND("\"note\":\"\\u0000\""), "/note", "syntax");
    ck_assert_str_eq(report.faults[0].detail, "\\u0000 is not allowed");
    refused(AND("\"gift\":truth"), "/gift", "syntax");
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    struct arena arena = {memory, 0, sizeof memory};
    for (size_t n = 0; n < strlen(EVENT); n++) {
        arena_reset(&arena);
        ck_assert(!decode_in(EVENT, n, &arena));
    }
    ck_assert(decode_in(EVENT, strlen(EVENT), &arena));
}
END_TEST

/* {"what":"x","u":[[...]]}: containers in all. */
static bool seen(int containers, const char *inner)
{
    char json[256], open[64] = "", close[64] = "";
    memset(open, '[', (size_t)containers - 1);
    memset(close, ']', (size_t)containers - 1);
    snprintf(json, sizeof json, "{\"what\":\"x\",\"u\":%s%s%s}", open, inner, close);
    struct arena arena = {memory, 0, sizeof memory};
    struct sample_seen_v1 value;
    return sample_seen_v1_decode(&value, text_of(json), &arena, &report);
}

START_TEST(depth_is_limited)
{
    ck_assert(seen(JSON_DEPTH_MAX, "1"));
    ck_assert(seen(JSON_DEPTH_MAX, ""));
    ck_assert(!seen(JSON_DEPTH_MAX + 1, ""));
    ck_assert_str_eq(report.faults[0].detail, "nested too deeply");
    ck_assert_str_eq(report.faults[0].pointer, "/u");
}
END_TEST

/* schemac makes no shape so deep; one made by hand is limited all the same. */
START_TEST(depth_is_limited_inside_what_is_known)
{
    static const struct json_shape lists = {
        .kind = SHAPE_ARRAY, .size = sizeof(struct json_list), .max = 9, .item = &lists};
    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        char json[64];
        struct json_list list;
        struct arena arena = {memory, 0, sizeof memory};
        memset(json, '[', (size_t)depth);
        memset(json + depth, ']', (size_t)depth);
        ck_assert_int_eq(
            json_decode(&lists, (struct text){json, (size_t)depth * 2}, &arena, &list, &report),
            depth == JSON_DEPTH_MAX);
    }
    ck_assert_str_eq(report.faults[0].detail, "nested too deeply");
}
END_TEST

START_TEST(memory_is_limited)
{
    struct arena small = {memory, 0, 48};
    ck_assert(!decode_in(EVENT, strlen(EVENT), &small));
    ck_assert_str_eq(report.faults[0].keyword, "memory");
    ck_assert_str_eq(report.faults[0].pointer, "/lines");
    struct arena tight = {memory, 0, 112};
    ck_assert(decode_in(EVENT, strlen(EVENT), &tight));
}
END_TEST

START_TEST(open_objects_step_over_what_they_do_not_know)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct sample_seen_v1 value;
    ck_assert(sample_seen_v1_decode(
        &value, TEXT("{\"a\":[1,{\"b\":null}],\"what\":\"x\",\"z\":1e9}"), &arena, &report));
    ck_assert(text_is(value.what, "x"));
    ck_assert(
        !sample_seen_v1_decode(&value, TEXT("{\"a\":1,\"what\":\"x\",\"a\":1}"), &arena, &report));
    ck_assert_str_eq(report.faults[0].detail, "property given twice");
    ck_assert(!sample_seen_v1_decode(&value, TEXT("{\"what\":\"x\",\"a\":[01]}"), &arena, &report));
}
END_TEST

START_TEST(unknown_properties_are_limited)
{
    static char json[2048];
    struct sample_seen_v1 value;
    for (int n = JSON_UNKNOWN_KEYS_MAX; n <= JSON_UNKNOWN_KEYS_MAX + 1; n++) {
        size_t used = (size_t)sprintf(json, "{\"what\":\"x\"");
        for (int i = 0; i < n; i++)
            used += (size_t)sprintf(json + used, ",\"k%d\":0", i);
        sprintf(json + used, "}");
        struct arena arena = {memory, 0, sizeof memory};
        ck_assert_int_eq(sample_seen_v1_decode(&value, text_of(json), &arena, &report),
                         n == JSON_UNKNOWN_KEYS_MAX);
    }
    ck_assert_str_eq(report.faults[0].detail, "too many unknown properties");
}
END_TEST

START_TEST(items_are_limited)
{
    static char json[8192];
    for (int n = 99; n <= 101; n++) {
        struct arena arena = {memory, 0, sizeof memory};
        size_t used = (size_t)sprintf(json, "{\"id\":\"" ID "\",\"at\":\"2026-11-22T04:49:27Z\","
                                            "\"size\":\"\",\"lines\":[");
        for (int i = 0; i < n; i++)
            used += (size_t)sprintf(json + used, "%s{\"sku\":\"A-%d\",\"quantity\":1}",
                                    i ? "," : "", i);
        sprintf(json + used, "]}");
        ck_assert_int_eq(decode_in(json, strlen(json), &arena), n <= 100);
    }
    ck_assert_str_eq(report.faults[0].keyword, "maxItems");
    ck_assert_str_eq(report.faults[0].pointer, "/lines");
    ck_assert_uint_eq(event.lines.count, 100);
    ck_assert(text_is(event.lines.at[99].sku, "A-99"));
}
END_TEST

START_TEST(lists_of_lists_grow_apart)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct sample_make_v1 make;
    ck_assert(sample_make_v1_decode(
        &make, TEXT("{\"grid\":[[1,2],[3],[4,5]],\"flags\":[true,false]}"), &arena, &report));
    ck_assert_uint_eq(make.grid.count, 3);
    ck_assert(make.grid.at[0].count == 2 && make.grid.at[1].count == 1);
    ck_assert(make.grid.at[0].at[1] == 2 && make.grid.at[1].at[0] == 3 &&
              make.grid.at[2].at[1] == 5);
    ck_assert(make.flags.at[0] && !make.flags.at[1]);
    ck_assert(sample_make_v1_decode(&make, TEXT("{\"flags\":[]}"), &arena, &report));
    ck_assert(make.has_flags && make.flags.count == 0);
    ck_assert(!sample_make_v1_decode(&make, TEXT("{\"grid\":[[1],[]]}"), &arena, &report));
    ck_assert_str_eq(report.faults[0].pointer, "/grid/1");
}
END_TEST

/* Escaped text between the items makes the list move; without it, it grows where it is. Each item
 * starts from zeros in either case. */
static void check_people(const char *written, const char *email)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct sample_make_v1 make;
    char json[2048] = "{\"people\":[";
    for (int i = 0; i < 12; i++)
        sprintf(json + strlen(json), "%s{%s\"language\":\"en\"}", i ? "," : "",
                i % 2 ? written : "");
    strcat(json, "]}");
    memset(memory, 0xA5, sizeof memory);
    ck_assert_msg(sample_make_v1_decode(&make, text_of(json), &arena, &report), "%s", json);
    ck_assert_uint_eq(make.people.count, 12);
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(make.people.at[i].has_email, i % 2);
        ck_assert_int_eq(make.people.at[i].language, 1);
        ck_assert(text_is(make.people.at[i].email, i % 2 ? email : ""));
    }
}

START_TEST(lists_keep_what_they_hold)
{
    check_people("\"email\":\"c@d\",", "c@d");
    check_people("\"email\":\"\\u0061@b\",", "a@b");
}
END_TEST

START_TEST(lengths_count_characters_not_bytes)
{
    static const char *const characters[] = {"x", "é", "€", "😀", "\\u00e9", "\\ud83d\\ude00"};
    for (size_t c = 0; c < COUNT(characters); c++)
        for (int n = 140; n <= 141; n++) {
            static char more[2048];
            strcpy(more, "}],\"note\":\"");
            for (int i = 0; i < n; i++)
                strcat(more, characters[c]);
            strcat(more, "\"");
            if (n == 140)
                accepted(with("}]", more));
            else
                refused(with("}]", more), "/note", "maxLength");
        }
}
END_TEST

START_TEST(nothing_invalid_is_written)
{
    accepted(EVENT);
    event.size = 0;
    unwritable("/size", "enum");
    event.size = SAMPLE_SIZE_ + 1;
    unwritable("/size", "enum");
    event.size = SAMPLE_SIZE_SMALL;
    event.lines.at[0].quantity = 1001;
    unwritable("/lines/0/quantity", "maximum");
    event.lines.at[0].quantity = 1;
    event.lines.at[0].sku = TEXT("tea");
    unwritable("/lines/0/sku", "pattern");
    event.lines.at[0].sku = TEXT("TEA-1");
    event.lines.count = 0;
    unwritable("/lines", "minItems");
    event.lines.count = 1;
    event.at = INT64_MAX;
    unwritable("/at", "format");
    event.at = 0;
    event.has_note = true;
    event.note = TEXT("a\xC0\x80");
    unwritable("/note", "type");
    event.note = TEXT("a\0b");
    unwritable("/note", "type");
    event.note = TEXT("ok");
    ck_assert_ptr_nonnull(encode(JSON_WHOLE).at);
}
END_TEST

START_TEST(a_small_buffer_is_told_how_large_it_should_be)
{
    char bytes[512];
    accepted(EVENT);
    for (size_t size = 0; size <= strlen(WRITTEN); size++) {
        char *room = malloc(size + !size);
        struct json_out out = {room, 0, size};
        bool fits = sample_made_v1_encode(&event, &out, &report);
        ck_assert_int_eq(fits, size == strlen(WRITTEN));
        ck_assert_uint_eq(out.used, strlen(WRITTEN));
        if (!fits)
            ck_assert_str_eq(report.faults[0].keyword, "memory");
        free(room);
    }
    struct json_out out = {bytes, 0, sizeof bytes};
    ck_assert(sample_made_v1_encode(&event, &out, &report));
    ck_assert(text_is((struct text){bytes, out.used}, WRITTEN));
}
END_TEST

START_TEST(personal_data_stays_out_of_logs)
{
    accepted(
        AND("\"contact\":{\"language\":\"en\",\"email\":\"ada@example.com\"},"
            "\"secret\":\"hush\",\"called\":{\"sku\":\"CALL-1\",\"quantity\":1},\"gift\":true"));
    struct text whole = encode(JSON_WHOLE);
    ck_assert_ptr_nonnull(whole.at);
    ck_assert_ptr_nonnull(memmem(whole.at, whole.len, "ada@", 4));
    struct text log = encode(JSON_REDACTED);
    ck_assert_ptr_nonnull(log.at);
    ck_assert_ptr_null(memmem(log.at, log.len, "ada@", 4)); /* marked where it stands */
    ck_assert_ptr_null(memmem(log.at, log.len, "hush", 4)); /* marked in its definition */
    ck_assert_ptr_null(memmem(log.at, log.len, "CALL", 4)); /* marked beside its $ref */
    ck_assert_ptr_nonnull(memmem(log.at, log.len, "\"contact\":{\"language\":\"en\"}", 27));
    ck_assert_ptr_nonnull(memmem(log.at, log.len, "\"gift\":true", 11));
}
END_TEST

START_TEST(messages_are_found_by_name)
{
    struct sample_event any;
    struct arena arena = {memory, 0, sizeof memory};
    ck_assert(message_decode(&sample_events, TEXT("sample.seen.v1"), TEXT("{\"what\":\"x\"}"),
                             &arena, &any, &report));
    ck_assert_int_eq(any.tag, SAMPLE_EVENT_SEEN_V1);
    ck_assert(text_is(any.as.seen_v1.what, "x"));
    struct text written = message_encode(&sample_events, &any, &arena, &report);
    ck_assert(text_is(written, "{\"what\":\"x\"}"));
    ck_assert(
        !message_decode(&sample_events, TEXT("sample.make.v1"), TEXT("{}"), &arena, &any, &report));
    ck_assert_str_eq(report.faults[0].detail, "is not a known message type");
    ck_assert_int_eq(message_tag(&sample_commands, TEXT("sample.make.v1")), SAMPLE_COMMAND_MAKE_V1);
    ck_assert_int_eq(message_tag(&sample_commands, TEXT("sample.make.v")), 0);
    any.tag = 0;
    ck_assert_ptr_null(message_encode(&sample_events, &any, &arena, &report).at);
}
END_TEST

START_TEST(enums_have_their_text)
{
    ck_assert(text_is(sample_size_text(SAMPLE_SIZE_SMALL), "small"));
    ck_assert(text_is(sample_size_text(SAMPLE_SIZE_), ""));
    accepted(with("x-large", "gr\\u00f6ßer"));
    ck_assert(text_is(sample_size_text(event.size), "größer"));
}
END_TEST

/* The largest event there can be: every bound reached, every character escaped. */
START_TEST(nothing_outgrows_its_bound)
{
    static char note[140], secret[20], mail[254];
    static struct sample_line lines[100];
    memset(note, 1, sizeof note);
    memset(secret, 1, sizeof secret);
    memset(mail, 'a', sizeof mail);
    for (int i = 60; i < 254; i += 60)
        mail[i] = i == 60 ? '@' : '.';
    for (int i = 0; i < 100; i++)
        lines[i] = (struct sample_line){TEXT("ABCDEFGH-12345678"), 1000};
    event = (struct sample_made_v1){
        .size = SAMPLE_SIZE_GR____ER,
        .lines = {lines, 100},
        .has_big = true,
        .big = INT64_MIN,
        .has_int = true,
        .int_ = 7,
        .has_note = true,
        .note = {note, sizeof note},
        .has_gift = true,
        .has_contact = true,
        .contact = {.has_email = true, .email = {mail, sizeof mail}, .language = 1},
        .has_secret = true,
        .secret = {secret, sizeof secret},
        .has_called = true,
        .called = lines[0]};
    ck_assert_msg(encode(JSON_WHOLE).at, "%s %s", report.faults[0].pointer,
                  report.faults[0].detail);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {every_field_is_read,
                                  what_is_left_out_is_zero,
                                  order_and_spaces_do_not_matter,
                                  escaped_names_are_the_same_names,
                                  what_was_read_is_written_again,
                                  a_fault_points_at_its_place,
                                  several_faults_are_told_at_once,
                                  faults_stop_at_their_limit,
                                  a_long_pointer_is_cut_between_characters,
                                  broken_json_is_refused_where_it_breaks,
                                  every_truncation_is_refused,
                                  depth_is_limited,
                                  depth_is_limited_inside_what_is_known,
                                  memory_is_limited,
                                  open_objects_step_over_what_they_do_not_know,
                                  unknown_properties_are_limited,
                                  items_are_limited,
                                  lists_of_lists_grow_apart,
                                  lists_keep_what_they_hold,
                                  lengths_count_characters_not_bytes,
                                  nothing_invalid_is_written,
                                  a_small_buffer_is_told_how_large_it_should_be,
                                  personal_data_stays_out_of_logs,
                                  messages_are_found_by_name,
                                  enums_have_their_text,
                                  nothing_outgrows_its_bound};
    return run_suite("codec", tests, COUNT(tests));
}
