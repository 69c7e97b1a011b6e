/* foldlog erase: forgets a person. The log stays as it is: the key that opens what it holds of them
 * is destroyed. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/people.h"
#include "app/verbs.h"
#include "runtime/clock.h"
#include "schemas/user.h"

struct erasure {
    char user_id[UUID_TEXT_LEN + 1];
    bool key;         /* there was one to be destroyed */
    int64_t sessions; /* there were */
    int64_t orders;   /* whose address nobody can read afterwards */
    bool done;
};

static bool confirmed(const char *user_id, const struct verb_options *options)
{
    char answer[8] = "";
    if (options->yes || options->dry_run)
        return true;
    if (!isatty(STDIN_FILENO)) {
        fputs("foldlog: erase cannot be undone: repeat with --yes\n", stderr);
        return false;
    }
    fprintf(stderr, "Destroy the personal data of %s for ever? [y/N] ", user_id);
    return fgets(answer, sizeof answer, stdin) && (*answer == 'y' || *answer == 'Y');
}

static struct err count_orders(struct people *p, struct uuid user_id, int64_t *ret_count)
{
    const struct query_value value = QUERY_UUID(user_id);
    struct query_rows rows;
    TRY(query_run(p->orders, "SELECT count(*) FROM order_addresses WHERE customer_id = $1", &value,
                  1, &p->arena, &rows));
    *ret_count = query_at(&rows, 0, 0)->number;
    return OK;
}

/* What is there to be destroyed; a running Foldlog may do it before this process does. */
static struct err look(struct people *p, struct uuid user_id, struct erasure *ret_erasure)
{
    struct seal_key key;
    struct err e = vault_key(p->link, user_id, false, &key);
    seal_wipe(&key, sizeof key);
    if (e.code != ERR_OK && e.code != ERR_NOT_FOUND)
        return e;
    ret_erasure->key = e.code == ERR_OK;
    TRY(vault_sessions_count(p->link, user_id, &ret_erasure->sessions));
    return count_orders(p, user_id, &ret_erasure->orders);
}

/* The decision first, then the key: a key that was destroyed without one would look like a fault.
 */
static struct err erase(struct people *p, struct uuid user_id, bool dry_run,
                        struct erasure *ret_erasure)
{
    struct person person;
    struct decision decision = {0};
    bool was;
    int64_t ended;
    struct user_command command = {.tag = USER_COMMAND_ERASE_V1,
                                   .as.erase_v1 = {.user_id = user_id}};
    TRY(people_by_id(p, user_id, &person));
    TRY(look(p, user_id, ret_erasure));
    if (dry_run)
        return OK;
    TRY(people_command(p, person.user_key, random_uuid(), &command, &decision));
    if (decision.outcome != OUTCOME_ACCEPTED)
        return FAIL(ERR_NOT_FOUND, "user");
    TRY(vault_erase(p->link, user_id, &was));
    TRY(vault_sessions_end(p->link, user_id, clock_now_us(), (struct uuid){{0}}, &ended));
    ret_erasure->done = true;
    return OK;
}

static void show(const struct erasure *e, bool json)
{
    if (json)
        printf("{\"user_id\":\"%s\",\"erased\":%s,\"key_destroyed\":%s,\"sessions_ended\":%lld,"
               "\"orders\":%lld}\n",
               e->user_id, e->done ? "true" : "false", e->done && e->key ? "true" : "false",
               (long long)e->sessions, (long long)e->orders);
    else
        printf("user              %s\nerased            %s\nkey               %s\n"
               "sessions          %lld\naddresses closed  %lld orders\n",
               e->user_id, e->done ? "yes" : "no: dry run",
               !e->key   ? "was destroyed before"
               : e->done ? "destroyed"
                         : "there",
               (long long)e->sessions, (long long)e->orders);
}

int verb_erase(int argc, char **argv, const struct verb_options *options)
{
    struct people people;
    struct erasure erasure = {0};
    struct uuid user_id;
    if (argc != 1 || !uuid_read(text_of(argv[0]), &user_id))
        return verb_usage("erase USER_ID [--yes] [--dry-run] [--json]");
    uuid_format(user_id, erasure.user_id);
    if (!confirmed(erasure.user_id, options))
        return EXIT_USAGE;
    struct err e = people_open(&people, "erase");
    if (e.code == ERR_OK)
        e = erase(&people, user_id, options->dry_run, &erasure);
    if (e.code == ERR_OK)
        show(&erasure, options->json);
    int code = e.code == ERR_OK ? EXIT_OK : verb_failed("erase", e);
    people_close(&people);
    return code;
}
