/* seeds NAME FOLDER: writes what the fuzz target NAME starts from. */
#include <stdio.h>

#include "core/envelope.h"
#include "tests/fuzz/fuzz.h"

static const char *folder;
static _Alignas(16) char memory[1 << 16];

static void seed(struct text bytes)
{
    static int number;
    char path[4096];
    snprintf(path, sizeof path, "%s/%d", folder, number++);
    FILE *out = fopen(path, "wb");
    must(out && fwrite(bytes.at, 1, bytes.len, out) == bytes.len && fclose(out) == 0);
}

#define ID "0f8fad5b-d9cb-469f-a165-70867728950e"
#define ADDRESS "{\"name\":\"Ada\",\"line1\":\"1 Mill\",\"city\":\"Bath\",\"country\":\"GB\"}"

static void seed_codec(void)
{
    static const char *const texts[] = {
        "{\"id\":\"" ID "\",\"at\":\"2026-11-22T04:49:27.5+01:00\",\"size\":\"x-large\",\"lines\":"
        "[{\"sku\":\"TEA-1\",\"quantity\":2}],\"big\":-7,\"int\":7,\"note\":"
        "\"h\\u00e9\\ud83d\\ude00\\u0001\\n\\\"\","
        "\"gift\":true,\"contact\":{\"email\":\"a@b\",\"language\":\"en\"},\"secret\":\"s\"}",
        "{\"flags\":[true,false],\"grid\":[[1,2],[3]]}",
        "{\"what\":\"x\",\"when\":\"1969-12-31T23:59:59.999999Z\",\"u\":[1,{\"v\":null}]}",
        "{\"order_id\":\"" ID "\",\"customer_id\":\"" ID
        "\",\"items\":[{\"sku\":\"T\",\"quantity\":2,"
        "\"unit_price\":{\"amount\":450,\"currency\":\"EUR\"},\"merchant_id\":\"" ID
        "\"}],\"total\":"
        "{\"amount\":900,\"currency\":\"EUR\"},\"payment_method\":\"visa\",\"shipping_"
        "address\":\"AVNlYWxlZA\"}",
        "{\"items\":[{\"sku\":\"T\",\"quantity\":2}],\"payment_method\":\"visa\","
        "\"shipping_address\":" ADDRESS ",\"expected_total\":{\"amount\":1,\"currency\":\"USD\"}}",
        "{\"quantity\":5}"};
    _Static_assert(COUNT(texts) == COUNT(fuzz_shapes), "a seed for each shape");
    for (size_t i = 0; i < COUNT(texts); i++) {
        char bytes[2048];
        struct arena arena = {memory, 0, sizeof memory};
        struct json_report report;
        static _Alignas(16) char value[1 << 14];
        must(json_decode(fuzz_shapes[i].shape, text_of(texts[i]), &arena, value, &report));
        int len = snprintf(bytes, sizeof bytes, "%c%s", (int)i, texts[i]);
        seed((struct text){bytes, (size_t)len});
    }
}

static void seed_json(void)
{
#define BYTES(b)           \
    {                      \
        (b), sizeof(b) - 1 \
    }
#define FIVE_THOUSAND(b) BYTES(b)
#define YES(b) b,
#define YES_ALONE(b) b,
#define NO(b, why) b,
#define NO_ALONE(b, why) b,
    static const struct text corpus[] = {
#include "tests/schemas/corpus.h"
    };
    for (size_t i = 0; i < COUNT(corpus); i++)
        seed(corpus[i]);
}

static void seed_envelope(void)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct command command = {.id = {{1}},
                              .fingerprint = 7,
                              .expected_version = VERSION_ANY,
                              .service = TEXT("order"),
                              .target = TEXT("o-1"),
                              .type = TEXT("order.place.v1"),
                              .traceparent = TEXT("00-ab-cd-01"),
                              .data = TEXT("{}")};
    struct payload events[] = {{TEXT("order.placed.v1"), TEXT("{}")},
                               {TEXT("b"), TEXT("{\"x\":2}")}};
    struct input positions[] = {{TEXT("payment.log"), 1, 0, 9, 11}};
    struct takeover takeover = {
        .mark = {.kind = RECORD_TAKEOVER, .commands_next = 5}, .instance = TEXT("host-1"), .at = 9};
    struct decision decision = {.mark = {.kind = RECORD_DECISION,
                                         .epoch = 100,
                                         .number = 3,
                                         .commands_next = 77,
                                         .follows = 5},
                                .outcome = OUTCOME_ACCEPTED,
                                .input = {TEXT("order.commands"), 2, 0, 76, PRINT_NONE},
                                .first_offset = -1,
                                .target = TEXT("o-1"),
                                .version = 8,
                                .type = TEXT("order.place.v1"),
                                .events_count = 2,
                                .events = events,
                                .commands_count = 1,
                                .commands = &command,
                                .positions_count = 1,
                                .positions = positions};
    seed(command_encode(&command, &arena));
    seed(takeover_encode(&takeover, &arena));
    seed(decision_encode(&decision, &arena));
    decision.outcome = OUTCOME_REFUSED;
    decision.problem = PROBLEM_WRONG_STATE;
    decision.events_count = decision.commands_count = decision.positions_count = 0;
    seed(decision_encode(&decision, &arena));
}

int main(int argc, char **argv)
{
    must(argc == 3);
    folder = argv[2];
    if (strcmp(argv[1], "codec") == 0)
        seed_codec();
    else if (strcmp(argv[1], "json") == 0)
        seed_json();
    else if (strcmp(argv[1], "envelope") == 0)
        seed_envelope();
    else
        return 2;
    return 0;
}
