/* foldlog-sim: the product's own workers in a world where everything that can go wrong does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/mutant.h"
#include "tests/sim/run.h"

enum { COMMANDS_DEFAULT = 40, MUTANT_SEEDS = 10000, PATH_BYTES = 4096 };

static const char usage[] =
    "usage: foldlog-sim [--seed N | --seeds N [--first S]] [--commands M] [--twice] [--counters]\n"
    "                   [--keep-going] [--verbose] [--mutant NAME | --mutants]\n"
    "  --seed N      one run, the same on every machine; --verbose tells what happens in it\n"
    "  --seeds N     so many runs, from --first S (1) on\n"
    "  --commands M  of all clients together (40)\n"
    "  --twice       each run twice: their traces must be equal\n"
    "  --counters    how often rare paths were taken; fails when one of them never was\n"
    "  --keep-going  does not stop at the first violation\n"
    "  --mutant X    with one planted bug; --mutants: with each, until it is caught\n";

struct options {
    uint64_t first, seeds;
    int commands;
    bool twice, counters, keep_going, mutants;
    const char *mutant;
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Returns whether all of them have been reached. */
static bool print_counters(void)
{
    bool all = true;
#define X(name)                                                                                 \
    printf("  %-28s %ld%s\n", #name, counters.name, counters.name ? "" : "  <- never reached"); \
    all = all && counters.name > 0;
    COUNTERS(X)
#undef X
    return all;
}

/* ---- seeds ---------------------------------------------------------------------------------- */

/* Returns whether its trace was the same a second time. */
static bool run_again(uint64_t seed, const struct options *o)
{
    uint64_t hash = world.hash;
    run_seed(seed, o->commands);
    if (world.hash == hash)
        return true;
    printf("seed %llu NOT DETERMINISTIC\n", (unsigned long long)seed);
    return false;
}

static int run_all(const struct options *o)
{
    double began = seconds();
    uint64_t bad = 0, ran = 0;
    bool same = true;
    for (uint64_t seed = o->first; seed < o->first + o->seeds && same; seed++) {
        run_seed(seed, o->commands);
        ran++;
        if (o->seeds == 1)
            printf("seed %llu: hash %016llx, %.1f s of virtual time, %ld steps\n",
                   (unsigned long long)seed, (unsigned long long)world.hash,
                   (double)world.now / SECOND, world.steps);
        if (world.violation[0]) {
            bad++;
            printf("seed %llu VIOLATION %s\n", (unsigned long long)seed, world.violation);
            fflush(stdout);
            if (!o->keep_going)
                break;
        }
        same = !o->twice || run_again(seed, o);
    }
    bool reached = !o->counters || print_counters();
    double took = seconds() - began;
    fprintf(stderr, "%.1f s, %.1f seeds/s\n", took, (double)ran / took);
    printf("sim: %llu seeds, %llu violations\n", (unsigned long long)ran, (unsigned long long)bad);
    return bad || !same || !reached ? 1 : 0;
}

/* ---- mutants -------------------------------------------------------------------------------- */

#ifdef FOLDLOG_MUTANTS
enum mutant mutant;

static const char *const names[] = {"none",
#define X(name) #name,
                                    MUTANTS(X)
#undef X
};

/* Prints the seed that catches it; 0: none does. */
static uint64_t hunt(enum mutant which, const struct options *o)
{
    mutant = which;
    for (uint64_t seed = o->first; seed < o->first + o->seeds; seed++) {
        run_seed(seed, o->commands);
        if (world.violation[0]) {
            printf("%-32s %6llu  %.120s\n", names[which], (unsigned long long)seed,
                   world.violation);
            fflush(stdout);
            return seed;
        }
    }
    printf("%-32s      -  not caught\n", names[which]);
    fflush(stdout);
    return 0;
}

static int hunt_all(const struct options *o)
{
    struct options all = *o;
    int caught = 0, count = 0;
    all.seeds = o->seeds > 1 ? o->seeds : MUTANT_SEEDS;
    printf("%-32s %6s  %s\n", "planted bug", "seed", "what the checker says");
    for (int m = 1; m < (int)COUNT(names); m++) {
        if (o->mutant && strcmp(o->mutant, names[m]) != 0)
            continue;
        count++;
        caught += hunt((enum mutant)m, &all) > 0;
    }
    printf("mutants: %d of %d caught\n", caught, count);
    return count > 0 && caught == count ? 0 : 1;
}

static int with_mutants(const struct options *o, char **argv)
{
    (void)argv;
    return hunt_all(o);
}
#else
/* The program beside this one has them. */
static int with_mutants(const struct options *o, char **argv)
{
    static const char suffix[] = "-mutants";
    char path[PATH_BYTES + sizeof suffix];
    ssize_t len = readlink("/proc/self/exe", path, PATH_BYTES);
    (void)o;
    if (len < 0)
        return 2;
    memcpy(path + len, suffix, sizeof suffix);
    execv(path, argv);
    perror(path);
    return 2;
}
#endif

/* ---- arguments ------------------------------------------------------------------------------ */

static bool read_flag(struct options *o, const char *argument)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--twice", &o->twice},
                 {"--counters", &o->counters},
                 {"--keep-going", &o->keep_going},
                 {"--mutants", &o->mutants},
                 {"--verbose", &world.verbose}};
    for (size_t i = 0; i < COUNT(flags); i++)
        if (strcmp(argument, flags[i].name) == 0)
            return *flags[i].flag = true;
    return false;
}

static bool read_value(struct options *o, const char *argument, const char *value)
{
    if (!value)
        return false;
    if (strcmp(argument, "--seed") == 0 || strcmp(argument, "--first") == 0)
        o->first = strtoull(value, NULL, 0);
    else if (strcmp(argument, "--seeds") == 0)
        o->seeds = strtoull(value, NULL, 0);
    else if (strcmp(argument, "--commands") == 0)
        o->commands = atoi(value);
    else if (strcmp(argument, "--mutant") == 0)
        o->mutant = value;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct options o = {.first = 1, .seeds = 1, .commands = COMMANDS_DEFAULT};
    for (int i = 1; i < argc; i++) {
        if (read_flag(&o, argv[i]))
            continue;
        if (!read_value(&o, argv[i], argv[i + 1])) {
            fputs(usage, stderr);
            return 2;
        }
        i++;
    }
    return o.mutant || o.mutants ? with_mutants(&o, argv) : run_all(&o);
}
