/* Connections to the log, the vault and the read models. */
#include "app/people.h"

#include <stdlib.h>

#include "app/house.h"
#include "app/instance.h"
#include "app/settings.h"
#include "runtime/dispatch.h"
#include "runtime/store.h"

#define SELECT_PERSON "SELECT user_id, user_key, password_hash, status, roles, passwords FROM users"

static struct err open_database(const char *service, struct query_connection **ret_connection)
{
    char conninfo[STORE_CONNINFO_MAX];
    TRY(store_conninfo(settings_databases(), service, conninfo, sizeof conninfo));
    return query_open(conninfo, ret_connection);
}

struct err people_open(struct people *p, const char *instance)
{
    *p = (struct people){0};
    p->arena = (struct arena){aligned_alloc(16, PEOPLE_ARENA_BYTES), 0, PEOPLE_ARENA_BYTES};
    if (!p->arena.base)
        return FAIL(ERR_NOMEM, "people");
    TRY(seal_init());
    TRY(secrets_read(&p->secrets));
    TRY(instance_log(instance, &p->log));
    TRY(vault_create(&p->secrets.master_key, &p->vault));
    TRY(vault_link_open(p->vault, settings_databases(), &p->link));
    TRY(open_database("user", &p->users));
    return open_database("order", &p->orders);
}

void people_close(struct people *p)
{
    query_close(p->users);
    query_close(p->orders);
    vault_link_close(p->link);
    vault_destroy(p->vault);
    log_close(p->log);
    free(p->arena.base);
}

static struct err find(struct people *p, const char *sql, struct uuid id, struct person *ret_person)
{
    const struct query_value value = QUERY_UUID(id);
    struct query_rows rows;
    TRY(query_run(p->users, sql, &value, 1, &p->arena, &rows));
    if (rows.count == 0)
        return FAIL(ERR_NOT_FOUND, "user");
    *ret_person = (struct person){.user_id = query_at(&rows, 0, 0)->uuid,
                                  .user_key = query_at(&rows, 0, 1)->uuid,
                                  .password_hash = query_at(&rows, 0, 2)->text,
                                  .status = query_at(&rows, 0, 3)->text,
                                  .roles = query_at(&rows, 0, 4)->number,
                                  .passwords = query_at(&rows, 0, 5)->number};
    return OK;
}

struct err people_by_key(struct people *people, struct uuid user_key, struct person *ret_person)
{
    return find(people, SELECT_PERSON " WHERE user_key = $1 AND status <> 'erased'", user_key,
                ret_person);
}

struct err people_by_id(struct people *people, struct uuid user_id, struct person *ret_person)
{
    return find(people, SELECT_PERSON " WHERE user_id = $1", user_id, ret_person);
}

struct err people_command(struct people *people, struct uuid user_key, struct uuid command_id,
                          const void *message, struct decision *ret_decision)
{
    char target[UUID_TEXT_LEN + 1];
    uuid_format(user_key, target);
    return dispatch(people->log, service_find(&house_services, TEXT("user")),
                    (struct text){target, UUID_TEXT_LEN}, command_id, message, &people->arena,
                    ret_decision);
}
