/* Matching paths, and the small helpers of handlers. */
#include "core/route.h"

#include <assert.h>
#include <stdio.h>

struct text request_parameter(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->parameters_count; i++)
        if (text_is(request->parameters[i].name, name))
            return request->parameters[i].value;
    return (struct text){NULL, 0};
}

bool refuse(struct refusal *refusal, enum problem problem, const char *detail)
{
    refusal->problem = problem;
    refusal->detail = detail;
    return false;
}

static bool add(struct refusal *refusal, enum problem problem, struct fault fault)
{
    if (refusal->problem == PROBLEM_NONE)
        refuse(refusal, problem, NULL);
    if (refusal->faults_count < ROUTE_FAULTS_MAX)
        refusal->faults[refusal->faults_count++] = fault;
    return false;
}

bool refuse_at(struct refusal *refusal, enum problem problem, const char *pointer,
               const char *detail)
{
    return add(refusal, problem, (struct fault){.pointer = pointer, .detail = detail});
}

bool refuse_parameter(struct refusal *refusal, const char *parameter, const char *detail)
{
    return add(refusal, PROBLEM_MALFORMED,
               (struct fault){.parameter = parameter, .detail = detail});
}

struct uuid user_id_of(struct uuid command_id)
{
    return uuid_derive(command_id, TEXT("user"));
}

struct question *inquiry_ask(struct inquiry *inquiry, const char *sql)
{
    assert(inquiry->questions_count < ROUTE_QUESTIONS_MAX);
    struct question *question = &inquiry->questions[inquiry->questions_count++];
    *question = (struct question){.sql = sql};
    return question;
}

/* The next part of a path: without its leading slash. */
static struct text part(struct text *path)
{
    const char *from = path->at + 1;
    size_t left = path->len - 1;
    const char *slash = left ? memchr(from, '/', left) : NULL;
    size_t len = slash ? (size_t)(slash - from) : left;
    *path = (struct text){from + len, left - len};
    return (struct text){from, len};
}

static bool path_matches(const char *template, struct text path, struct text parts[ROUTE_PATH_MAX])
{
    struct text want = text_of(template);
    size_t n = 0;
    while (want.len && path.len) {
        struct text w = part(&want), p = part(&path);
        if (w.len && w.at[0] == '{') {
            if (p.len == 0)
                return false;
            assert(n < ROUTE_PATH_MAX);
            parts[n++] = p;
        } else if (!text_equal(w, p)) {
            return false;
        }
    }
    return want.len == 0 && path.len == 0;
}

static bool method_matches(const char *have, struct text method)
{
    return text_is(method, have) || (text_is(method, "HEAD") && strcmp(have, "GET") == 0);
}

static void allow(char *out, size_t size, const char *method)
{
    size_t used = strlen(out);
    if (strcmp(method, "GET") == 0)
        snprintf(out + used, size - used, "%sGET, HEAD", used ? ", " : "");
    else
        snprintf(out + used, size - used, "%s%s", used ? ", " : "", method);
}

enum route_match route_find(const struct route_list *list, struct text method, struct text path,
                            const struct route **ret_route, struct text ret_parts[ROUTE_PATH_MAX],
                            char *ret_allow, size_t allow_size)
{
    enum route_match result = ROUTE_OTHER_PATH;
    struct text parts[ROUTE_PATH_MAX] = {0};
    ret_allow[0] = 0;
    if (path.len == 0 || path.at[0] != '/')
        return result;
    for (size_t i = 0; i < list->count; i++) {
        const struct route *route = &list->at[i];
        if (!path_matches(route->path, path, parts))
            continue;
        if (method_matches(route->method, method)) {
            *ret_route = route;
            memcpy(ret_parts, parts, sizeof parts);
            return ROUTE_MATCH;
        }
        allow(ret_allow, allow_size, route->method);
        result = ROUTE_OTHER_METHOD;
    }
    return result;
}
