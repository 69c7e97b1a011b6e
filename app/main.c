/* foldlog: picks the verb. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "app/settings.h"
#include "app/verbs.h"
#include "core/text.h"
#include "runtime/report.h"

enum { ARENAS_MAX = 2, MAPPED_BYTES = 256 * 1024 };

static int verb_version(int argc, char **argv, const struct verb_options *options)
{
    (void)argc;
    (void)argv;
    printf(options->json ? "{\"version\":\"%s\"}\n" : "foldlog %s\n", FOLDLOG_VERSION);
    return EXIT_OK;
}

// clang-format off
static const struct verb verbs[] = {
    {"admin", "", "makes the administrator of --admin-file, if there is none", verb_admin, false},
    {"config", "show", "every setting, its value and where that came from", verb_config, false},
    {"demo", "", "five orders to their ends, a read model rebuilt, the accounts compared", verb_demo, true},
    {"doctor", "", "looks at all that Foldlog needs and says what is wrong", verb_doctor, false},
    {"erase", "USER_ID", "destroys the key of a user's personal data, for ever", verb_erase, false},
    {"health", "", "asks /readyz of the process on this machine; for container health checks", verb_health, false},
    {"migrate", "", "makes databases, roles, tables and views; safe to repeat", verb_migrate, false},
    {"projections", "list|digest|verify|rebuild|drop [NAME]", "read models: where they stand; prove them; build them anew", verb_projections, true},
    {"routes", "", "every route, who may ask it and how it is answered", verb_routes, false},
    {"run", "", "runs the roles and services named by --roles and --services", verb_run, false},
    {"sagas", "list [STATE]|show ORDER", "fulfilments: where they stand, and what they wait for", verb_sagas, true},
    {"state", "SERVICE ID [--version N] [--at TIME]", "one aggregate, as the fold of its log", verb_state, true},
    {"topics", "check|apply", "what is wrong with the topics; makes the missing ones", verb_topics, false},
    {"trace", "ID", "all that belongs to an order, a user, a command, an event or an HTTP trace", verb_trace, false},
    {"version", "", "the version of this binary", verb_version, false},
};
// clang-format on

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (strcmp(name, verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

static int help(FILE *to, int code)
{
    fprintf(to, "usage: foldlog VERB [ARGUMENTS] [--SETTING=VALUE...]\n\n");
    for (size_t i = 0; i < COUNT(verbs); i++)
        fprintf(to, "  %-12s %-30s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].help);
    fprintf(to, "\nflags of every verb: --json --yes --dry-run --progress=bar|lines|json\nsettings "
                "(also FOLDLOG_NAME in the "
                "environment, FOLDLOG_NAME_FILE for secrets):\n");
    if (to == stdout)
        settings_help();
    return code;
}

static int take_options(int argc, char **argv, struct verb_options *options)
{
    int kept = 0;
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            options->json = true;
        else if (strcmp(argv[i], "--yes") == 0)
            options->yes = true;
        else if (strcmp(argv[i], "--dry-run") == 0)
            options->dry_run = true;
        else if (strncmp(argv[i], "--progress=", 11) == 0)
            options->progress = argv[i] + 11;
        else
            argv[kept++] = argv[i];
    }
    return kept;
}

int verb_failed(const char *what, struct err e)
{
    fprintf(stderr, "foldlog: %s: %s: %s", what, err_text(e), e.what ? e.what : "");
    if (e.cause)
        fprintf(stderr, " (%d)", e.cause);
    fputc('\n', stderr);
    switch (err_class(e)) {
    case ERR_CLASS_RETRY:
        return EXIT_UNAVAILABLE;
    case ERR_CLASS_REJECT:
        return e.code == ERR_NOT_FOUND ? EXIT_NOT_FOUND : EXIT_CONFLICT;
    case ERR_CLASS_NONE:
    case ERR_CLASS_ABORT:
    case ERR_CLASS_HALT:
    case ERR_CLASS_FATAL:
        break;
    }
    return EXIT_FAILED;
}

int verb_all_well(const char *things, const struct verb_options *options)
{
    if (options->json)
        puts("{\"ok\":true}");
    else
        fprintf(stderr, "foldlog: all %s are as they should be\n", things);
    return EXIT_OK;
}

int verb_usage(const char *usage)
{
    fprintf(stderr, "usage: foldlog %s\n", usage);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct verb_options options = {0};
    signal(SIGPIPE, SIG_IGN);
    /* Otherwise glibc gives each of librdkafka's many threads a heap of its own, and keeps ever
     * larger blocks that were freed. */
    mallopt(M_ARENA_MAX, ARENAS_MAX);
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    if (argc < 2)
        return help(stderr, EXIT_USAGE);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return help(stdout, EXIT_OK);
    const struct verb *verb = find_verb(strcmp(argv[1], "--version") == 0 ? "version" : argv[1]);
    if (!verb) {
        fprintf(stderr, "foldlog: there is no verb \"%s\"\n", argv[1]);
        return help(stderr, EXIT_USAGE);
    }
    if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
        printf("usage: foldlog %s %s\n%s\n", verb->name, verb->arguments, verb->help);
        return EXIT_OK;
    }
    int left = settings_read(argc - 2, argv + 2);
    if (left < 0)
        return EXIT_USAGE;
    if (!report_level_read(setting_text(SETTING_LOG_LEVEL), &report_least)) {
        fprintf(stderr, "foldlog: --log-level must be debug, info, warn or error\n");
        return EXIT_USAGE;
    }
    left = take_options(left, argv + 2, &options);
    for (int i = 0; i < left && !verb->flags; i++)
        if (strncmp(argv[2 + i], "--", 2) == 0) {
            fprintf(stderr, "foldlog: unknown flag %s\n", argv[2 + i]);
            return EXIT_USAGE;
        }
    return verb->run(left, argv + 2, &options);
}
