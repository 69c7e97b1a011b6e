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
    int64_t sessions; /* ended */
    int64_t orders;   /* whose address nobody can read any more */
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

/* The decision first, then the key: a key that was destroyed without one would look like a fault.
 */
static struct err erase(struct people *p, struct uuid user_id, bool dry_run,
                        struct erasure *ret_erasure)
{
    struct person person;
    struct decision decision = {0};
    struct user_command command = {.tag = USER_COMMAND_ERASE_V1,
                                   .as.erase_v1 = {.user_id = user_id}};
    TRY(people_by_id(p, user_id, &person));
    TRY(count_orders(p, user_id, &ret_erasure->orders));
    if (dry_run)
        return OK;
    TRY(people_command(p, person.user_key, random_uuid(), &command, &decision));
    if (decision.outcome != OUTCOME_ACCEPTED)
        return FAIL(ERR_NOT_FOUND, "user");
    TRY(vault_erase(p->link, user_id, &ret_erasure->key));
    TRY(vault_sessions_end(p->link, user_id, clock_now_us(), (struct uuid){{0}},
                           &ret_erasure->sessions));
    ret_erasure->done = true;
    return OK;
}

static void show(const struct erasure *e, bool json)
{
    if (json)
        printf("{\"user_id\":\"%s\",\"erased\":%s,\"key_destroyed\":%s,\"sessions_ended\":%lld,"
               "\"orders\":%lld}\n",
               e->user_id, e->done ? "true" : "false", e->key ? "true" : "false",
               (long long)e->sessions, (long long)e->orders);
    else
        printf("user              %s\nerased            %s\nkey               %s\n"
               "sessions ended    %lld\naddresses closed  %lld orders\n",
               e->user_id, e->done ? "yes" : "no: dry run",
               e->key    ? "destroyed"
               : e->done ? "was destroyed before"
                         : "kept",
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
