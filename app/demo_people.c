/* Registers, grants, logs in. */
#include "app/demo_people.h"

#include <stdio.h>
#include <string.h>

#include "app/settings.h"

enum { FIELD_MAX = 160, PATH_BYTES = 128 };

static const char password[] = "a demo needs no secret";

static bool log_in(struct demo_http *http, const char *email, const char *secret)
{
    json_t *answer = demo_http_must(http, "POST", "/v1/sessions", NULL,
                                    json_pack("{s:s,s:s}", "email", email, "password", secret));
    const char *token = json_string_value(json_object_get(answer, "access_token"));
    bool good = token && demo_http_bear(http, token);
    json_decref(answer);
    return good;
}

/* An open connection of the administrator, or NULL. */
static struct demo_http *enter_admin(const char *base)
{
    json_t *file = json_load_file(setting_text(SETTING_ADMIN_FILE), JSON_REJECT_DUPLICATES, NULL);
    const char *email = json_string_value(json_object_get(file, "email"));
    const char *secret = json_string_value(json_object_get(file, "password"));
    struct demo_http *http = email && secret ? demo_http_open(base) : NULL;
    if (!http)
        fprintf(stderr, "foldlog demo: %s: no administrator there, see `foldlog admin`\n",
                setting_text(SETTING_ADMIN_FILE));
    if (http && !log_in(http, email, secret)) {
        demo_http_close(http);
        http = NULL;
    }
    json_decref(file);
    return http;
}

/* Registers and logs in; ret_id: FIELD_MAX. */
static bool enter(struct demo_http *http, const char *word, const char *name, const char *run,
                  char ret_id[FIELD_MAX])
{
    char email[FIELD_MAX], key[FIELD_MAX];
    snprintf(email, sizeof email, "%s-%s@foldlog.example", word, run);
    snprintf(key, sizeof key, "register-%s-%s", word, run);
    json_t *answer = demo_http_must(
        http, "POST", "/v1/users", key,
        json_pack("{s:s,s:s,s:s}", "email", email, "password", password, "name", name));
    const char *id = json_string_value(json_object_get(answer, "id"));
    snprintf(ret_id, FIELD_MAX, "%s", id ? id : "");
    json_decref(answer);
    return *ret_id && log_in(http, email, password);
}

static bool make_merchant(struct demo_http *admin, const char *id)
{
    char path[PATH_BYTES + FIELD_MAX], key[FIELD_MAX + 8];
    snprintf(path, sizeof path, "/v1/users/%s/roles", id);
    snprintf(key, sizeof key, "roles-%s", id);
    json_t *answer = demo_http_must(admin, "PUT", path, key,
                                    json_pack("{s:[s,s]}", "roles", "customer", "merchant"));
    json_decref(answer);
    return answer != NULL;
}

bool demo_people_enter(struct demo_http *merchant, struct demo_http *customer, const char *run)
{
    char merchant_id[FIELD_MAX], customer_id[FIELD_MAX], email[FIELD_MAX];
    struct demo_http *admin = enter_admin(demo_http_base(merchant));
    snprintf(email, sizeof email, "merchant-%s@foldlog.example", run);
    bool good = admin && enter(customer, "customer", "Ada Lovelace", run, customer_id) &&
                enter(merchant, "merchant", "Mill & Sons", run, merchant_id) &&
                make_merchant(admin, merchant_id) && log_in(merchant, email, password); /* a token
                                                                                           holds the
                                                                                           roles of
                                                                                           its time
                                                                                         */
    demo_http_close(admin);
    return good;
}
