/* foldlog admin: the first administrator, by the log as everybody else, but on behalf of the house.
 * Its address and password stand in a file that only its owner can read. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/people.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "runtime/clock.h"
#include "runtime/password.h"
#include "runtime/personal.h"
#include "schemas/user.h"

enum { PASSWORD_BYTES = 18, FIELD_MAX = 256 };

static const char admin_email[] = "admin@foldlog.example";

struct admin {
    char email[FIELD_MAX], password[FIELD_MAX];
};

static struct err write_file(const char *path, struct people *people, struct admin *ret_admin)
{
    struct text password = seal_random_text(PASSWORD_BYTES, &people->arena);
    snprintf(ret_admin->email, FIELD_MAX, "%s", admin_email);
    snprintf(ret_admin->password, FIELD_MAX, "%.*s", (int)password.len, password.at);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return FAIL(ERR_CONFIG, "the file of the administrator cannot be made");
    int len = dprintf(fd, "{\"email\":\"%s\",\"password\":\"%s\"}\n", ret_admin->email,
                      ret_admin->password);
    return fsync(fd) == 0 && close(fd) == 0 && len > 0
               ? OK
               : FAIL(ERR_CONFIG, "the file of the administrator cannot be written");
}

static bool take(char out[FIELD_MAX], const json_t *file, const char *name)
{
    const char *value = json_string_value(json_object_get(file, name));
    return value && *value && snprintf(out, FIELD_MAX, "%s", value) < FIELD_MAX;
}

/* Reads the file, or makes it. */
static struct err read_file(const char *path, struct people *people, struct admin *ret_admin,
                            bool *ret_new)
{
    *ret_new = access(path, F_OK) != 0;
    if (*ret_new)
        return write_file(path, people, ret_admin);
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    bool good =
        take(ret_admin->email, file, "email") && take(ret_admin->password, file, "password");
    json_decref(file);
    return good ? OK : FAIL(ERR_CONFIG, "the file of the administrator does not hold one");
}

static struct err seal_for(struct people *p, struct uuid subject, enum purpose purpose,
                           const char *plain, struct text *ret_sealed)
{
    struct seal_key key;
    TRY(vault_key(p->link, subject, true, &key));
    *ret_sealed = seal_close(&key, subject, personal_purpose(purpose), text_of(plain), &p->arena);
    seal_wipe(&key, sizeof key);
    return ret_sealed->at ? OK : FAIL(ERR_NOMEM, "sealing");
}

static struct err refused(const struct decision *d, struct people *people)
{
    if (d->outcome == OUTCOME_ACCEPTED)
        return OK;
    struct text detail = arena_copy(&people->arena, d->detail);
    return FAIL(d->problem == PROBLEM_ALREADY_EXISTS ? ERR_CONFLICT : ERR_REFUSED,
                detail.at ? detail.at : "");
}

static enum user_role every_role[] = {USER_ROLE_CUSTOMER, USER_ROLE_MERCHANT, USER_ROLE_ADMIN};

static struct err enrol(struct people *p, const struct admin *admin, struct uuid user_key)
{
    struct decision decision = {0};
    struct uuid command_id = random_uuid(), user_id = uuid_derive(command_id, TEXT("user"));
    struct text hash = password_hash(text_of(admin->password), &p->arena);
    struct user_command command = {.tag = USER_COMMAND_REGISTER_V1};
    struct user_register_v1 *r = &command.as.register_v1;
    if (!hash.at)
        return FAIL(ERR_NOMEM, "password");
    r->user_id = user_id;
    r->roles.at = every_role;
    r->roles.count = COUNT(every_role);
    TRY(seal_for(p, user_id, PURPOSE_EMAIL, admin->email, &r->email));
    TRY(seal_for(p, user_id, PURPOSE_NAME, "Administrator", &r->name));
    TRY(seal_for(p, user_id, PURPOSE_PASSWORD_HASH, hash.at, &r->password_hash));
    TRY(people_command(p, user_key, command_id, &command, &decision));
    return refused(&decision, p);
}

static struct err give_password(struct people *p, const struct person *person,
                                const struct admin *admin)
{
    struct decision decision = {0};
    struct user_command command = {.tag = USER_COMMAND_CHANGE_PASSWORD_V1,
                                   .as.change_password_v1 = {.user_id = person->user_id,
                                                             .seen_password = person->passwords,
                                                             .proved = true}};
    struct text hash = password_hash(text_of(admin->password), &p->arena);
    if (!hash.at)
        return FAIL(ERR_NOMEM, "password");
    TRY(seal_for(p, person->user_id, PURPOSE_PASSWORD_HASH, hash.at,
                 &command.as.change_password_v1.password_hash));
    TRY(people_command(p, person->user_key, random_uuid(), &command, &decision));
    return refused(&decision, p);
}

/* Nobody else's account is touched, and nothing of what people have decided since is undone: only a
 * file that was lost gives the administrator a new password. */
static struct err ensure(struct people *p, const struct admin *admin, bool new_file, bool *ret_made)
{
    struct person person;
    struct uuid key = personal_user_key(text_of(p->secrets.email_secret), text_of(admin->email));
    struct err e = people_by_key(p, key, &person);
    *ret_made = false;
    if (e.code == ERR_NOT_FOUND) {
        TRY(enrol(p, admin, key));
        *ret_made = true;
        return OK;
    }
    TRY(e);
    if (!(person.roles & ROLE_ADMIN))
        return FAIL(ERR_CONFLICT, "somebody who is no administrator has this address: put another "
                                  "one into the file");
    return new_file ? give_password(p, &person, admin) : OK;
}

int verb_admin(int argc, char **argv, const struct verb_options *options)
{
    struct people people;
    struct admin admin;
    bool made = false, new_file = false;
    (void)argv;
    if (argc != 0)
        return verb_usage("admin [--admin-file=FILE]");
    struct err e = people_open(&people, "admin");
    if (e.code == ERR_OK)
        e = read_file(setting_text(SETTING_ADMIN_FILE), &people, &admin, &new_file);
    if (e.code == ERR_OK)
        e = ensure(&people, &admin, new_file, &made);
    if (e.code == ERR_OK && options->json)
        printf("{\"file\":\"%s\",\"made\":%s}\n", setting_text(SETTING_ADMIN_FILE),
               made ? "true" : "false");
    else if (e.code == ERR_OK)
        printf("administrator %s: see %s\n", made ? "made" : "there",
               setting_text(SETTING_ADMIN_FILE));
    int code = e.code == ERR_OK ? EXIT_OK : verb_failed("admin", e);
    seal_wipe(&admin, sizeof admin);
    people_close(&people);
    return code;
}
