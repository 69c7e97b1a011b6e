/* Whatever decodes can be written, within its bound, and is then read and written the same; what
 * does not decode is told by well-formed faults. */
#include "tests/fuzz/fuzz.h"

static _Alignas(16) char memory[2][1 << 18];
static _Alignas(16) char value[2][1 << 14];
static char bytes[2][1 << 20];

static void check_fault(const struct json_fault *fault, size_t size)
{
    const char *p = fault->pointer, *end = p + strnlen(p, sizeof fault->pointer);
    must(end < p + sizeof fault->pointer && (p == end || *p == '/'));
    must(fault->keyword && *fault->detail && fault->offset <= size);
    for (unsigned n; p < end; p += n) {
        n = json_utf8_length(p, end);
        must(n > 0);
    }
}

static void check_report(const struct json_report *report, size_t size)
{
    must(report->count > 0 && report->count <= JSON_FAULTS_MAX);
    for (uint32_t i = 0; i < report->count; i++)
        check_fault(&report->faults[i], size);
}

static struct text encode(const struct fuzz_shape *shape, int i, enum json_privacy privacy)
{
    struct json_out out = {bytes[i], 0, sizeof bytes[i]};
    struct json_report report;
    must(json_encode(shape->shape, value[i], privacy, &out, &report));
    must(out.used <= shape->json_max);
    return (struct text){out.at, out.used};
}

static void round_trip(const struct fuzz_shape *shape, struct text json)
{
    struct json_report report;
    struct arena first = {memory[0], 0, sizeof memory[0]},
                 second = {memory[1], 0, sizeof memory[1]};
    memset(value, 0xA5, sizeof value);
    if (!json_decode(shape->shape, json, &first, value[0], &report)) {
        check_report(&report, json.len);
        return;
    }
    must(report.count == 0);
    must(encode(shape, 0, JSON_REDACTED).len <= encode(shape, 0, JSON_WHOLE).len);
    struct text once = encode(shape, 0, JSON_WHOLE);
    must(json_decode(shape->shape, once, &second, value[1], &report));
    must(text_equal(once, encode(shape, 1, JSON_WHOLE)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0)
        round_trip(&fuzz_shapes[data[0] % COUNT(fuzz_shapes)],
                   (struct text){(const char *)data + 1, size - 1});
    return 0;
}
