/* The tokenizer beside jansson: both take the same texts, but for the limits that each has. */
#include <jansson.h>

#include "tests/fuzz/fuzz.h"

static _Alignas(16) char memory[1 << 18];

static const char *problem_of(struct text text)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct json_scan scan = {text.at, text.at, text.at + text.len, &arena, NULL};
    json_scan_space(&scan);
    if (!json_skip_value(&scan, 0)) {
        must(scan.problem && scan.at >= scan.start && scan.at <= scan.end);
        return scan.problem;
    }
    must(arena.used == 0); /* nothing of it is kept */
    json_scan_space(&scan);
    return scan.at == scan.end ? NULL : "bytes after the value";
}

static bool is_limit(const char *problem)
{
    return strcmp(problem, "nested too deeply") == 0 ||
           strcmp(problem, "too many unknown properties") == 0 ||
           strcmp(problem, "message needs more memory than allowed") == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {(const char *)data, size};
    json_error_t error;
    const char *problem = problem_of(text);
    if (memchr(text.at, 0, size)) /* jansson takes a number with a NUL behind it */
        return 0;
    json_t *tree = json_loadb(text.at, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (tree)
        must(!problem || is_limit(problem));
    else
        must(problem || json_error_code(&error) == json_error_numeric_overflow);
    json_decref(tree);
    return 0;
}
