/* Makes what the services need on a PostgreSQL server: a database and a role for each, the tables
 * behind positions, lease and catalogue, and the first generation of every read model with its
 * view. Safe to repeat. */
#ifndef RUNTIME_MIGRATE_H
#define RUNTIME_MIGRATE_H

#include "core/err.h"
#include "core/projection.h"
#include "runtime/store.h"

struct migrate_options {
    /* `server`: conninfo of a role that may create roles and databases there. Those of a service
     * that has a server of its own must be there already. */
    const struct databases *databases;
    const char *const *services; /* whose databases; NULL-terminated */
    const struct projection *const *projections;
    size_t projections_count;
    const char *vault_sql; /* tables of the vault, which has a database and a role too; NULL: none
                            */
    /* Called for everything that was made; may be NULL. what: "role", "database", "tables", "read
     * model". */
    void (*made)(void *context, const char *what, const char *name);
    void *context;
};

/* A role gets the password of its service's conninfo, if that has one. A read model of which the
 * catalogue knows no live generation gets an empty one at position 0; the others are left alone,
 * also when their version is another. */
NODISCARD struct err migrate(const struct migrate_options *options);

/* The part for one service's own database, by its own role: tables and read models. */
NODISCARD struct err migrate_service(const char *conninfo, const char *service,
                                     const struct migrate_options *options);

#endif
