/* foldlog-scenarios-kafka: every scenario on a real broker, and the process of one of its actors.
 * Run by scenarios.py. usage: play BROKERS [WORD_OF_A_NAME] | act BROKERS WHO DUTY SUFFIX SAGA
 * RENEW
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "runtime/report.h"
#include "tests/scenarios/cast.h"
#include "tests/scenarios/play.h"
#include "tests/scenarios/stage_kafka.h"

static atomic_bool stop;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

static int act(const char *brokers, char *const argv[])
{
    struct cast cast;
    struct log *log;
    signal(SIGTERM, on_signal);
    puts("listens"); /* to signals */
    fflush(stdout);
    cast_init(&cast, argv[2], atoi(argv[3]));
    struct err e = log_open(&(struct log_options){.brokers = brokers, .instance = argv[0]}, &log);
    if (e.code == ERR_OK) {
        e = actor_run(&cast, (enum duty)atoi(argv[1]), log, atoi(argv[4]), &stop);
        log_close(log);
    }
    if (e.code != ERR_OK)
        fprintf(stderr, "%s: %s\n", argv[0], report_err(e));
    return e.code == ERR_OK ? 0 : 1;
}

static bool play_one(const struct scenario *s, size_t i)
{
    static char outcome[OUTCOME_BYTES];
    char suffix[32];
    int64_t began = clock_monotonic_ms();
    snprintf(suffix, sizeof suffix, "%x-%zu", (unsigned)getpid() & 0xffff, i);
    bool same = play(s, suffix, outcome) && strcmp(outcome, s->outcome) == 0;
    fprintf(stderr, "%s %s (%.1f s)\n", same ? "as expected:" : "OTHERWISE:", s->name,
            (double)(clock_monotonic_ms() - began) / 1000);
    if (!same)
        fprintf(stderr, "--- expected\n%s--- found\n%s", s->outcome, outcome);
    return same;
}

static int play_all(const char *word)
{
    size_t played = 0, bad = 0;
    for (size_t i = 0; i < scenarios_count; i++) {
        if (word && !strstr(scenarios[i]->name, word))
            continue;
        played++;
        bad += !play_one(scenarios[i], i);
    }
    fprintf(stderr, "scenarios: %zu on a real broker, %zu not as expected\n", played, bad);
    return played > 0 && bad == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 8 && strcmp(argv[1], "act") == 0)
        return act(argv[2], argv + 3);
    if (argc < 3 || strcmp(argv[1], "play") != 0)
        return 2;
    stage_brokers = argv[2];
    return play_all(argv[3]);
}
