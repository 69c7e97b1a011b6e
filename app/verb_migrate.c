/* foldlog migrate */
#include <stdio.h>

#include "app/house.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "projections/projections.h"
#include "runtime/migrate.h"
#include "runtime/vault.h"

enum { SERVICES_MAX = 32 };

static void made(void *context, const char *what, const char *name)
{
    const struct verb_options *options = context;
    printf(options->json ? "{\"made\":\"%s\",\"name\":\"%s\"}\n" : "%-12s %s\n", what, name);
}

int verb_migrate(int argc, char **argv, const struct verb_options *options)
{
    const char *services[SERVICES_MAX + 1] = {0};
    struct verb_options copy = *options;
    (void)argv;
    if (argc != 0)
        return verb_usage("migrate");
    for (size_t i = 0; i < house_services.count; i++)
        services[i] = house_services.at[i].name;
    struct err e = migrate(&(struct migrate_options){.databases = settings_databases(),
                                                     .services = services,
                                                     .projections = projections,
                                                     .projections_count = projections_count,
                                                     .vault_sql = vault_tables_sql,
                                                     .made = made,
                                                     .context = &copy});
    return e.code == ERR_OK ? verb_all_well("databases", options) : verb_failed("migrate", e);
}
