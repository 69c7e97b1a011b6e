/* foldlog topics check|apply */
#include <stdio.h>
#include <string.h>

#include "app/house.h"
#include "app/instance.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "effects/effects.h"
#include "runtime/effect_worker.h"
#include "runtime/publisher.h"
#include "runtime/topics.h"

static void tell(void *context, const char *topic, const char *what)
{
    const struct verb_options *options = context;
    if (options->json)
        printf("{\"topic\":\"%s\",\"what\":\"%s\"}\n", topic, what);
    else
        printf("%-28s %s\n", topic, what);
}

static struct err positions(struct log *log)
{
    for (size_t i = 0; i < house_services.count; i++)
        TRY(publisher_offsets_init(log, house_services.at[i].name));
    return effect_offsets_init(log, &payment_effect);
}

static struct err run(struct log *log, bool apply, const struct verb_options *options)
{
    struct topics_options topics = {
        .log = log,
        .services = &house_services,
        .partitions = (int)setting_number(SETTING_PARTITIONS),
        .replication = (int)setting_number(SETTING_REPLICATION),
        .dev = setting_flag(SETTING_DEV),
    };
    struct verb_options copy = *options;
    if (apply)
        TRY(topics_apply(&topics, tell, &copy));
    if (apply)
        TRY(positions(log));
    return topics_check(&topics, tell, &copy);
}

int verb_topics(int argc, char **argv, const struct verb_options *options)
{
    struct log *log;
    bool apply = argc == 1 && strcmp(argv[0], "apply") == 0;
    if (!apply && (argc != 1 || strcmp(argv[0], "check") != 0))
        return verb_usage("topics check|apply");
    struct err e = instance_log("topics", &log);
    if (e.code == ERR_OK) {
        e = run(log, apply, options);
        log_close(log);
    }
    return e.code == ERR_OK ? verb_all_well("topics", options) : verb_failed("topics", e);
}
