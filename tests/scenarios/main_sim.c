/* foldlog-scenarios-sim: every scenario in the simulated world, with so many seeds of its
 * scheduler: all must end as the table says. */
#include <stdio.h>
#include <stdlib.h>

#include "core/mutant.h"
#include "tests/scenarios/play.h"
#include "tests/sim/broker.h"

enum { SEEDS_DEFAULT = 20 };

static const struct scenario *playing;
static char outcome[OUTCOME_BYTES];
static bool ended;

static void audience(struct proc *proc)
{
    (void)proc;
    (void)play(playing, "", outcome);
    ended = true;
}

#ifdef FOLDLOG_MUTANTS
enum mutant mutant;
#endif

static bool is_over(void)
{
    return ended;
}

/* What came of it is said when `tells`. */
static bool play_seed(const struct scenario *s, uint64_t seed, bool tells)
{
    enum { LONGEST_S = 600 };
    world_begin(seed);
    broker_begin();
    world.swarm = (struct swarm){.calm = true};
    playing = s;
    ended = false;
    snprintf(outcome, sizeof outcome, "FAILED it never ended\n");
    proc_add("audience", audience, NULL, true);
    world_run((int64_t)LONGEST_S * SECOND, is_over);
    world.current = NULL;
    bool same = ended && !world.violation[0] && strcmp(outcome, s->outcome) == 0;
    if (!same && tells)
        printf("seed %llu of \"%s\": %s\n--- expected\n%s--- found\n%s", (unsigned long long)seed,
               s->name, world.violation, s->outcome, outcome);
    world_end();
    return same;
}

#ifdef FOLDLOG_MUTANTS
static bool is_caught(const char *name)
{
    for (size_t i = 0; i < scenarios_count; i++)
        for (uint64_t seed = 1; seed <= SEEDS_DEFAULT; seed++)
            if (!play_seed(scenarios[i], seed, false)) {
                printf("%-24s caught by \"%s\"\n", name, scenarios[i]->name);
                return true;
            }
    printf("%-24s not caught\n", name);
    return false;
}

/* Each bug that only a log that is cut back shows. */
int main(void)
{
#define X(name) {MUTANT_##name, #name},
    static const struct {
        enum mutant which;
        const char *name;
    } planted[] = {MUTANTS_OF_CUTS(X)};
#undef X
    size_t caught = 0;
    for (size_t i = 0; i < COUNT(planted); i++) {
        mutant = planted[i].which;
        caught += is_caught(planted[i].name);
    }
    printf("mutants: %zu of %zu caught\n", caught, COUNT(planted));
    return caught == COUNT(planted) ? 0 : 1;
}
#else
struct options {
    uint64_t first, seeds;
    const char *only; /* in the name; NULL: all */
};

static struct options read_options(int argc, char **argv)
{
    struct options o = {.first = 1, .seeds = SEEDS_DEFAULT};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            o.seeds = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--first") == 0 && i + 1 < argc)
            o.first = strtoull(argv[++i], NULL, 0);
        else if (strcmp(argv[i], "--verbose") == 0)
            world.verbose = true;
        else
            o.only = argv[i];
    }
    return o;
}

/* Up to the first seed that ends otherwise. */
static bool play_seeds(const struct scenario *s, const struct options *o)
{
    bool same = true;
    for (uint64_t seed = o->first; seed < o->first + o->seeds && same; seed++)
        same = play_seed(s, seed, true);
    return same;
}

int main(int argc, char **argv)
{
    const struct options options = read_options(argc, argv);
    size_t played = 0, bad = 0;
    for (size_t i = 0; i < scenarios_count; i++)
        if (!options.only || strstr(scenarios[i]->name, options.only)) {
            played++;
            bad += !play_seeds(scenarios[i], &options);
        }
    printf("scenarios: %zu in the simulated world with %llu seeds each, %zu not as expected\n",
           played, (unsigned long long)options.seeds, bad);
    return played > 0 && bad == 0 ? 0 : 1;
}
#endif
