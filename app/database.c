/* One connection, one question. */
#include "app/database.h"

#include <stdio.h>
#include <string.h>

#include "app/settings.h"
#include "runtime/query.h"
#include "runtime/store.h"

enum { ARENA_BYTES = 4096 };

static struct err ask(const char *service, char said[DATABASE_SAID_MAX])
{
    _Alignas(16) char memory[ARENA_BYTES];
    char conninfo[STORE_CONNINFO_MAX];
    struct arena arena = {memory, 0, sizeof memory};
    struct query_connection *connection;
    struct query_rows rows;
    TRY(store_conninfo(settings_databases(), service, conninfo, sizeof conninfo));
    TRY(query_open(conninfo, &connection));
    struct err e = query_run(connection, "SELECT 1", NULL, 0, &arena, &rows);
    snprintf(said, DATABASE_SAID_MAX, "%s", query_message(connection));
    query_close(connection);
    return e;
}

struct err database_try(const char *service, char said[DATABASE_SAID_MAX])
{
    char heard[DATABASE_SAID_MAX] = "";
    struct err e = ask(service, heard);
    snprintf(said, DATABASE_SAID_MAX, "--%s: %.280s", settings_database_flag(service),
             *heard   ? heard
             : e.what ? e.what
                      : "");
    return e;
}
