/* foldlog routes: the table of routes, as it is checked on every request. */
#include <stdio.h>
#include <string.h>

#include "api/routes.h"
#include "app/verbs.h"

enum { ROLES_TEXT_MAX = 64 };

static const char *roles_text(uint8_t roles, char out[ROLES_TEXT_MAX])
{
    static const struct {
        uint8_t role;
        const char *name;
    } names[] = {{ROLE_ANYONE, "anyone"},
                 {ROLE_CUSTOMER, "customer"},
                 {ROLE_MERCHANT, "merchant"},
                 {ROLE_ADMIN, "admin"}};
    out[0] = '\0';
    for (size_t i = 0; i < COUNT(names); i++)
        if (roles & names[i].role) {
            size_t used = strlen(out);
            snprintf(out + used, ROLES_TEXT_MAX - used, "%s%s", used ? "," : "", names[i].name);
        }
    return out;
}

static const char *kind_of(const struct route *route)
{
    return route->command ? "command" : route->query ? "query" : "errand";
}

int verb_routes(int argc, char **argv, const struct verb_options *options)
{
    static struct route room[ROUTES_MAX];
    char roles[ROLES_TEXT_MAX];
    struct route_list list = routes_all(room);
    (void)argv;
    if (argc != 0)
        return verb_usage("routes [--json]");
    for (size_t i = 0; i < list.count; i++) {
        const struct route *r = &list.at[i];
        printf(options->json ? "%s{\"method\":\"%s\",\"path\":\"%s\",\"service\":\"%s\","
                               "\"kind\":\"%s\",\"roles\":\"%s\"}"
                             : "%s%-7s %-36s %-10s %-8s %s\n",
               options->json ? (i ? "," : "[") : "", r->method, r->path, r->service, kind_of(r),
               roles_text(r->roles, roles));
    }
    if (options->json)
        puts("]");
    return EXIT_OK;
}
