/* foldlog-sim: the product's own workers in a world where everything that can go wrong does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/sim/run.h"

enum { COMMANDS_DEFAULT = 40 };

struct options {
    uint64_t first, seeds;
    int commands;
    bool twice, counters, keep_going;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_all(const struct options *o)
{
    double began = seconds();
    uint64_t bad = 0, ran = 0;
    for (uint64_t seed = o->first; seed < o->first + o->seeds; seed++) {
        run_seed(seed, o->commands);
        uint64_t hash = world.hash;
        ran++;
        if (o->seeds == 1)
            printf("seed %llu: hash %016llx, %.1f s of virtual time, %ld steps\n",
                   (unsigned long long)seed, (unsigned long long)hash,
                   (double)world.now / SECOND, world.steps);
        if (world.violation[0]) {
            bad++;
            printf("seed %llu VIOLATION %s\n", (unsigned long long)seed, world.violation);
            fflush(stdout);
            if (!o->keep_going)
                break;
        }
        if (o->twice) {
            run_seed(seed, o->commands);
            if (world.hash != hash) {
                printf("seed %llu NOT DETERMINISTIC\n", (unsigned long long)seed);
                return 3;
            }
        }
    }
    double took = seconds() - began;
    if (o->counters) {
#define X(name) printf("  %-28s %ld\n", #name, counters.name);
        COUNTERS(X)
#undef X
    }
    fprintf(stderr, "%.1f s, %.1f seeds/s\n", took, (double)ran / took);
    printf("sim: %llu seeds, %llu violations\n", (unsigned long long)ran, (unsigned long long)bad);
    return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct options o = {.first = 1, .seeds = 1, .commands = COMMANDS_DEFAULT};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--seed") == 0) {
            o.first = strtoull(value, NULL, 0);
            i++;
        } else if (strcmp(argv[i], "--first") == 0) {
            o.first = strtoull(value, NULL, 0);
            i++;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            o.seeds = strtoull(value, NULL, 0);
            i++;
        } else if (strcmp(argv[i], "--commands") == 0) {
            o.commands = atoi(value);
            i++;
        } else if (strcmp(argv[i], "--twice") == 0) {
            o.twice = true;
        } else if (strcmp(argv[i], "--counters") == 0) {
            o.counters = true;
        } else if (strcmp(argv[i], "--keep-going") == 0) {
            o.keep_going = true;
        } else if (strcmp(argv[i], "--verbose") == 0) {
            world.verbose = true;
        } else {
            fprintf(stderr, "what is %s?\n", argv[i]);
            return 2;
        }
    }
    return run_all(&o);
}
