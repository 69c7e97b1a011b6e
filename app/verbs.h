/* The verbs of the foldlog binary. Each takes what is left of its arguments after the settings were
 * taken out. */
#ifndef APP_VERBS_H
#define APP_VERBS_H

#include <stdbool.h>

#include "core/err.h"

enum exit_code {
    EXIT_OK,
    EXIT_FAILED,
    EXIT_USAGE,
    EXIT_NOT_FOUND,
    EXIT_CONFLICT,
    EXIT_UNAVAILABLE
};

struct verb_options {
    bool json;
    bool yes;
    bool dry_run;
    const char *progress; /* "bar", "lines", "json" */
};

struct verb {
    const char *name;
    const char *arguments; /* for help */
    const char *help;
    int (*run)(int argc, char **argv, const struct verb_options *options);
    bool flags; /* has flags of its own among its arguments */
};

int verb_admin(int argc, char **argv, const struct verb_options *options);
int verb_config(int argc, char **argv, const struct verb_options *options);
int verb_demo(int argc, char **argv, const struct verb_options *options);
int verb_doctor(int argc, char **argv, const struct verb_options *options);
int verb_erase(int argc, char **argv, const struct verb_options *options);
int verb_health(int argc, char **argv, const struct verb_options *options);
int verb_migrate(int argc, char **argv, const struct verb_options *options);
int verb_projections(int argc, char **argv, const struct verb_options *options);
int verb_routes(int argc, char **argv, const struct verb_options *options);
int verb_run(int argc, char **argv, const struct verb_options *options);
int verb_sagas(int argc, char **argv, const struct verb_options *options);
int verb_state(int argc, char **argv, const struct verb_options *options);
int verb_topics(int argc, char **argv, const struct verb_options *options);
int verb_trace(int argc, char **argv, const struct verb_options *options);

/* Says on stderr what went wrong and gives the exit code for it. */
int verb_failed(const char *what, struct err e);
/* Says that all of these are as they should be. */
int verb_all_well(const char *things, const struct verb_options *options);
/* Says how the verb is used. */
int verb_usage(const char *usage);

#endif
