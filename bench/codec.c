/* The generated codec beside jansson on the same events, in turns, in one run. jansson only parses:
 * it checks no schema and fills no struct. Prints measures as bench.py does.
 *
 *   bench_codec [TIMES]     fails when decode + validate is not TIMES as fast as jansson's parse */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "schemas/order.h"
#include "schemas/payment.h"

enum { ROUNDS = 41, TIMES = 2000, CONTENDERS = 4 };

static const char placed[] =
    "{\"order_id\":\"0f8fad5b-d9cb-469f-a165-70867728950e\","
    "\"customer_id\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\","
    "\"items\":[{\"sku\":\"TEA-1\",\"quantity\":2,\"unit_price\":{\"amount\":450,\"currency\":"
    "\"EUR\"},"
    "\"merchant_id\":\"550e8400-e29b-41d4-a716-446655440000\"}],"
    "\"total\":{\"amount\":900,\"currency\":\"EUR\"},\"payment_method\":\"visa\","
    "\"shipping_address\":\"AY3mRkq0vZ8uQ2xW4nT6bLs9dPfG1hJcKoYeXiUa7tVrMzE5wN\"}";
static const char requested[] = "{\"payment_id\":\"0f8fad5b-d9cb-469f-a165-70867728950e\","
                                "\"order_id\":\"7c9e6679-7425-40de-944b-e07fc1f90ae7\","
                                "\"customer_id\":\"550e8400-e29b-41d4-a716-446655440000\","
                                "\"amount\":{\"amount\":123450,\"currency\":\"EUR\"},"
                                "\"payment_method\":\"card:4242424242424242\"}";

struct event {
    const char *name;
    const struct vocabulary *vocabulary;
    struct text json;
    json_t *tree;
    union { /* as the vocabulary says */
        struct order_event order;
        struct payment_event payment;
    } message;
};

static _Alignas(16) char memory[16384];
static struct event *event;
static volatile size_t sink;

static void die(const char *what)
{
    fprintf(stderr, "bench_codec: %s failed\n", what);
    exit(1);
}

static void decode(void)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct json_report report;
    if (!message_decode(event->vocabulary, text_of(event->name), event->json, &arena,
                        &event->message, &report))
        die("decode");
    sink = arena.used;
}

static void encode(void)
{
    struct arena arena = {memory + 8192, 0, sizeof memory - 8192};
    struct json_report report;
    sink = message_encode(event->vocabulary, &event->message, &arena, &report).len;
    if (sink != event->json.len)
        die("encode");
}

static void jansson_parse(void)
{
    json_error_t error;
    json_t *tree = json_loadb(event->json.at, event->json.len, JSON_REJECT_DUPLICATES, &error);
    if (!tree)
        die("json_loadb");
    json_decref(tree);
}

static void jansson_dump(void)
{
    char *text = json_dumps(event->tree, JSON_COMPACT);
    if (!text)
        die("json_dumps");
    sink = (size_t)text[1];
    free(text);
}

static double nanoseconds(void (*work)(void))
{
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < TIMES; i++)
        work();
    clock_gettime(CLOCK_MONOTONIC, &to);
    return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / TIMES;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

/* The ratio is the median of the rounds' ratios: what slows a whole round down falls out of it. */
static double report(const char *what, double ours[ROUNDS], double theirs[ROUNDS], const char *peer)
{
    double ratios[ROUNDS];
    for (int i = 0; i < ROUNDS; i++)
        ratios[i] = theirs[i] / ours[i];
    double ratio = median(ratios);
    printf("{\"name\":\"%s, %s (%zu bytes)\",\"value\":%.0f,\"unit\":\"ns\",\"limit\":null,"
           "\"ratio_to_limit\":null,\"peers\":{\"%s, ns\":%.0f,\"times as fast\":%.1f}}",
           what, event->name, event->json.len, median(ours), peer, median(theirs), ratio);
    return ratio;
}

/* How many times as fast decode is. */
static double measure(void)
{
    static void (*const contenders[CONTENDERS])(void) = {decode, jansson_parse, encode,
                                                         jansson_dump};
    static double took[CONTENDERS][ROUNDS];
    for (int round = -1; round < ROUNDS; round++) /* the first warms up */
        for (int i = 0; i < CONTENDERS; i++)
            took[i][round < 0 ? 0 : round] = nanoseconds(contenders[i]);
    double ratio = report("decode + validate", took[0], took[1], "jansson parse + free");
    printf(",");
    report("validate + encode", took[2], took[3], "jansson dump + free");
    return ratio;
}

int main(int argc, char **argv)
{
    double least = argc > 1 ? strtod(argv[1], NULL) : 0;
    bool fast = true;
    struct event events[] = {
        {.name = "order.placed.v1", .vocabulary = &order_events, .json = TEXT(placed)},
        {.name = "payment.requested.v1", .vocabulary = &payment_events, .json = TEXT(requested)}};
    printf("{\"measures\":[");
    for (size_t i = 0; i < COUNT(events); i++) {
        event = &events[i];
        event->tree = json_loadb(event->json.at, event->json.len, 0, NULL);
        printf(i ? "," : "");
        fast = measure() >= least && fast;
        json_decref(event->tree);
    }
    printf("]}\n");
    return fast ? 0 : 1;
}
