/* Logging in, going on, logging out; the keys by which others can verify access tokens. */
#include "api/body.h"
#include "api/routes.h"
#include "api/user.h"
#include "schemas/user.h"

static void write_grant(struct errand *errand, const struct grant *grant)
{
    struct json_write *out = &errand->out;
    errand->secret = true;
    json_write_begin(out, NULL, '{');
    json_write_text(out, "access_token", grant->access_token);
    json_write_text(out, "token_type", TEXT("Bearer"));
    json_write_number(out, "expires_in", grant->expires_in);
    json_write_text(out, "refresh_token", grant->refresh_token);
    json_write_end(out, '}');
}

/* What was decided about the user while the session was being opened may have missed it: looks
 * again, now that whoever decides anything will find it. */
static bool still_so(const struct request *request, const struct user_known *user,
                     const struct grant *grant, struct refusal *refusal)
{
    struct user_known now;
    if (!user_again(request, user->principal.user_id, &now, refusal))
        return false;
    if (now.active && now.version == user->version)
        return true;
    return desk_session_end(request->desk, grant->session, refusal) &&
           refuse(refusal, PROBLEM_UNAUTHENTICATED,
                  "Something about this user has changed at this moment; log in again.");
}

/* ---- logging in ---- */

static bool log_in(struct errand *errand, struct refusal *refusal)
{
    const struct request *request = errand->request;
    struct intake intake = {0};
    struct query_rows rows;
    struct user_known user;
    struct grant grant;
    if (!body_decode(request, &user_login_body_shape, &intake, refusal))
        return false;
    const struct user_login_body *body = intake.body;
    if (!user_by_email(request, body->email, &rows, refusal) ||
        !user_read(request, &rows, &user, refusal))
        return false;
    if (!desk_password_is(request->desk, user.password_hash, body->password))
        return refuse(refusal, PROBLEM_UNAUTHENTICATED,
                      "There is no user with this address and this password.");
    if (!user.active)
        return refuse(refusal, PROBLEM_FORBIDDEN, "This user is disabled.");
    if (!desk_session_open(request->desk, &user.principal, &grant, refusal) ||
        !still_so(request, &user, &grant, refusal))
        return false;
    errand->status = 201;
    write_grant(errand, &grant);
    return true;
}

static const struct errand_route login = {.hashes = true, .logs_in = true, .run = log_in};

/* ---- going on ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* One name or value of a form; .at NULL: not encoded as it should be. */
static struct text form_text(struct arena *arena, struct text part)
{
    char *out = arena_alloc(arena, part.len + 1), *to = out;
    for (size_t i = 0; out && i < part.len; i++) {
        char c = part.at[i];
        if (c == '%') {
            if (i + 2 >= part.len || hex(part.at[i + 1]) < 0 || hex(part.at[i + 2]) < 0)
                return (struct text){NULL, 0};
            c = (char)(hex(part.at[i + 1]) << 4 | hex(part.at[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        *to++ = c;
    }
    return (struct text){out, (size_t)(to - out)};
}

static struct text until(struct text *rest, char separator)
{
    const char *end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
    struct text part = {rest->at, end ? (size_t)(end - rest->at) : rest->len};
    *rest = end ? (struct text){end + 1, rest->len - part.len - 1}
                : (struct text){rest->at + part.len, 0};
    return part;
}

static bool take_field(struct user_token_body *body, struct text name, struct text value)
{
    if (text_is(name, "grant_type")) {
        if (body->grant_type.at)
            return false;
        body->grant_type = value;
    } else if (text_is(name, "refresh_token")) {
        if (body->has_refresh_token)
            return false;
        body->has_refresh_token = true;
        body->refresh_token = value;
    }
    return true; /* RFC 6749, 3.2: others are ignored */
}

static bool read_form(const struct request *request, struct user_token_body *ret_body,
                      struct refusal *refusal)
{
    struct text rest = request->body;
    *ret_body = (struct user_token_body){0};
    while (rest.len) {
        struct text pair = until(&rest, '&'), name = until(&pair, '=');
        name = form_text(request->arena, name);
        pair = form_text(request->arena, pair);
        if (!name.at || !pair.at || !take_field(ret_body, name, pair))
            return refuse(refusal, PROBLEM_MALFORMED, "The body is not a form, or repeats itself.");
    }
    return true;
}

static bool read_token_body(const struct request *request, struct user_token_body *ret_body,
                            struct refusal *refusal)
{
    struct intake intake = {0};
    if (request->form)
        return read_form(request, ret_body, refusal);
    if (!body_decode(request, &user_token_body_shape, &intake, refusal))
        return false;
    *ret_body = *(const struct user_token_body *)intake.body;
    return true;
}

static bool renew(struct errand *errand, struct text token, struct refusal *refusal)
{
    const struct request *request = errand->request;
    struct principal owner;
    struct user_known user;
    struct grant grant;
    if (!desk_session_find(request->desk, token, &owner, refusal) ||
        !user_again(request, owner.user_id, &user, refusal))
        return false;
    if (!user.exists || !user.active)
        return refuse(refusal, PROBLEM_INVALID_GRANT, "This user may not log in at present.");
    if (!desk_session_renew(request->desk, token, &user.principal, &grant, refusal))
        return false;
    if (!still_so(request, &user, &grant, refusal)) {
        if (problem_rows[refusal->problem].status >= 500) /* the client will try again */
            desk_session_take_back(request->desk, token, &grant);
        return false;
    }
    write_grant(errand, &grant);
    return true;
}

static bool give_token(struct errand *errand, struct refusal *refusal)
{
    struct user_token_body body;
    if (!read_token_body(errand->request, &body, refusal))
        return false;
    if (!text_is(body.grant_type, "refresh_token"))
        return refuse(refusal, PROBLEM_UNSUPPORTED_GRANT, "Only refresh_token is supported.");
    if (!body.has_refresh_token)
        return refuse_at(refusal, PROBLEM_MALFORMED, "/refresh_token", "is required");
    return renew(errand, body.refresh_token, refusal);
}

static const struct errand_route token = {.form = true, .run = give_token};

/* ---- logging out ---- */

static bool log_out(struct errand *errand, struct refusal *refusal)
{
    const struct request *request = errand->request;
    errand->status = 204;
    return uuid_is_nil(request->session) ||
           desk_session_end(request->desk, request->session, refusal);
}

static const struct errand_route logout = {.run = log_out};

/* ---- keys ---- */

static bool show_keys(struct errand *errand, struct refusal *refusal)
{
    struct text keys = desk_jwks(errand->request->desk);
    if (!keys.at)
        return refuse(refusal, PROBLEM_INTERNAL, "The keys cannot be shown.");
    json_write_raw(&errand->out, NULL, keys);
    return true;
}

static const struct errand_route jwks = {.run = show_keys};

const struct route session_routes[] = {
    {"GET", "/.well-known/jwks.json", "user", ROLE_ANYONE, .errand = &jwks},
    {"POST", "/oauth2/token", "user", ROLE_ANYONE, .errand = &token},
    {"POST", "/v1/sessions", "user", ROLE_ANYONE, .errand = &login},
    {"DELETE", "/v1/sessions/current", "user", ROLES_OF_USERS, .errand = &logout},
};
const size_t session_routes_count = COUNT(session_routes);
