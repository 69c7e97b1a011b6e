/* foldlog config show */
#include <string.h>

#include "app/settings.h"
#include "app/verbs.h"

int verb_config(int argc, char **argv, const struct verb_options *options)
{
    if (argc != 1 || strcmp(argv[0], "show") != 0)
        return verb_usage("config show");
    settings_show(options->json);
    return EXIT_OK;
}
