/* Users: who registers, what they may change of themselves, what administrators may. What is
 * personal is sealed here, before anything is appended, and opened here, for who may see it. */
#include "schemas/user.h"
#include "api/body.h"
#include "api/page.h"
#include "api/routes.h"
#include "api/user.h"

/* ---- registering ---- */

static bool parse_register(const struct request *request, struct intake *intake,
                           struct refusal *refusal)
{
    if (!body_decode(request, &user_register_body_shape, intake, refusal))
        return false;
    struct text email = ((const struct user_register_body *)intake->body)->email;
    intake->target = uuid_key(request->arena, desk_user_key(request->desk, email));
    return true;
}

/* An id that was made from a key used before, by a user who is erased. */
static bool seal_new(const struct request *request, struct uuid user_id, enum purpose purpose,
                     struct text plain, struct text *ret_sealed, struct refusal *refusal)
{
    if (desk_seal(request->desk, user_id, purpose, plain, ret_sealed, refusal))
        return true;
    return refusal->problem != PROBLEM_NOT_FOUND
               ? false
               : refuse(refusal, PROBLEM_KEY_REUSED,
                        "This Idempotency-Key has registered a user who is erased.");
}

static bool build_register(const struct request *request, const struct intake *intake,
                           struct uuid id, const struct catalogue_fact *facts, void *ret_message,
                           struct refusal *refusal)
{
    static enum user_role roles[] = {USER_ROLE_CUSTOMER};
    const struct user_register_body *body = intake->body;
    struct uuid user_id = user_id_of(intake->command_id);
    struct text hash;
    struct user_register_v1 message = {.user_id = user_id, .roles = {.at = roles, .count = 1}};
    (void)id, (void)facts;
    if (!desk_password_hash(request->desk, body->password, &hash, refusal) ||
        !seal_new(request, user_id, PURPOSE_EMAIL, body->email, &message.email, refusal) ||
        !seal_new(request, user_id, PURPOSE_NAME, body->name, &message.name, refusal) ||
        !seal_new(request, user_id, PURPOSE_PASSWORD_HASH, hash, &message.password_hash, refusal))
        return false;
    *(struct user_command *)ret_message =
        (struct user_command){.tag = USER_COMMAND_REGISTER_V1, .as.register_v1 = message};
    return true;
}

static const struct command_route enrolment = {
    .vocabulary = &user_commands,
    .thread = ROUTE_HASHES,
    .answer = ANSWER_DERIVED,
    .success = 201,
    .location = "/v1/users/",
    .parse = parse_register,
    .build = build_register,
};

/* ---- which user ---- */

#define SELECT_USER                                                                   \
    "SELECT user_id, user_key, email, name, password_hash, status, roles, passwords," \
    " registered_at, updated_at, version FROM users"
enum { ID, KEY, EMAIL, NAME, HASH, STATUS, ROLES, PASSWORDS, REGISTERED, UPDATED, VERSION };

static bool may_see(const struct request *request, struct uuid user_id)
{
    return (request->actor.roles & ROLE_ADMIN) || uuid_equal(request->actor.id, user_id);
}

static bool unknown(struct refusal *refusal)
{
    refuse(refusal, PROBLEM_NOT_FOUND, "There is no such user for you.");
    return false;
}

/* The row; "there is none" is said only at the end of the log. */
static bool find_by_id(const struct request *request, struct uuid user_id,
                       struct query_rows *ret_rows, struct refusal *refusal)
{
    const struct query_value value = QUERY_UUID(user_id);
    static const char sql[] = SELECT_USER " WHERE user_id = $1";
    *ret_rows = (struct query_rows){0};
    if (!may_see(request, user_id))
        return unknown(refusal);
    if (!desk_ask(request->desk, sql, &value, 1, ret_rows, refusal))
        return false;
    if (ret_rows->count)
        return true;
    return desk_reach_end(request->desk, "users", "user", refusal) &&
           desk_ask(request->desk, sql, &value, 1, ret_rows, refusal) &&
           (ret_rows->count || unknown(refusal));
}

/* Of the user in the path: the public id, and the key as target. */
static bool parse_user(const struct request *request, struct intake *intake,
                       struct refusal *refusal)
{
    struct uuid user_id, key = request->actor_key;
    struct query_rows rows;
    if (!path_uuid(request, 0, &user_id, refusal))
        return false;
    if (!uuid_equal(user_id, request->actor.id) || uuid_is_nil(key)) {
        if (!find_by_id(request, user_id, &rows, refusal))
            return false;
        key = query_at(&rows, 0, KEY)->uuid;
    }
    intake->target = uuid_key(request->arena, key);
    return true;
}

static struct uuid path_user(const struct request *request)
{
    struct uuid id = {{0}};
    (void)uuid_read(request->path[0], &id);
    return id;
}

/* ---- profile ---- */

static bool parse_profile(const struct request *request, struct intake *intake,
                          struct refusal *refusal)
{
    return body_decode(request, &user_profile_body_shape, intake, refusal) &&
           parse_user(request, intake, refusal);
}

static bool build_profile(const struct request *request, const struct intake *intake,
                          struct uuid id, const struct catalogue_fact *facts, void *ret_message,
                          struct refusal *refusal)
{
    const struct user_profile_body *body = intake->body;
    struct uuid user_id = path_user(request);
    struct text name;
    (void)id, (void)facts;
    if (!desk_seal(request->desk, user_id, PURPOSE_NAME, body->name, &name, refusal))
        return false;
    *(struct user_command *)ret_message =
        (struct user_command){.tag = USER_COMMAND_CHANGE_PROFILE_V1,
                              .as.change_profile_v1 = {.user_id = user_id, .name = name}};
    return true;
}

static const struct command_route profile = {
    .vocabulary = &user_commands,
    .thread = ROUTE_BLOCKS,
    .answer = ANSWER_PATH,
    .success = 200,
    .location = "/v1/users/",
    .parse = parse_profile,
    .build = build_profile,
};

/* ---- password ---- */

static bool parse_password(const struct request *request, struct intake *intake,
                           struct refusal *refusal)
{
    if (!body_decode(request, &user_password_body_shape, intake, refusal))
        return false;
    const struct user_password_body *body = intake->body;
    if (!body->has_current_password && uuid_equal(path_user(request), request->actor.id))
        return refuse_at(refusal, PROBLEM_INVALID, "/current_password", "is required");
    return parse_user(request, intake, refusal);
}

/* The current password is proved here and judged by decide: a repeat, for which it is the old one
 * by now, gets the first answer. */
static bool build_password(const struct request *request, const struct intake *intake,
                           struct uuid id, const struct catalogue_fact *facts, void *ret_message,
                           struct refusal *refusal)
{
    const struct user_password_body *body = intake->body;
    struct uuid user_id = path_user(request);
    struct query_rows rows;
    struct text current, fresh, sealed;
    (void)id, (void)facts;
    if (!desk_reach_end(request->desk, "users", "user", refusal) ||
        !find_by_id(request, user_id, &rows, refusal) ||
        !desk_open(request->desk, user_id, PURPOSE_PASSWORD_HASH, query_at(&rows, 0, HASH)->text,
                   &current, refusal) ||
        !desk_password_hash(request->desk, body->new_password, &fresh, refusal) ||
        !desk_seal(request->desk, user_id, PURPOSE_PASSWORD_HASH, fresh, &sealed, refusal))
        return false;
    *(struct user_command *)ret_message = (struct user_command){
        .tag = USER_COMMAND_CHANGE_PASSWORD_V1,
        .as.change_password_v1 =
            {
                .user_id = user_id,
                .password_hash = sealed,
                .seen_password = query_at(&rows, 0, PASSWORDS)->number,
                .proved = body->has_current_password &&
                          desk_password_is(request->desk, current, body->current_password),
                .has_session =
                    !uuid_is_nil(request->session) && uuid_equal(user_id, request->actor.id),
                .session = request->session,
            },
    };
    return true;
}

/* Whoever else is logged in with the old password is not any more. */
static bool settle_password(const struct request *request, int64_t at, struct refusal *refusal)
{
    struct uuid user_id = path_user(request);
    struct uuid spared =
        uuid_equal(user_id, request->actor.id) ? request->session : (struct uuid){{0}};
    return desk_end_sessions(request->desk, user_id, at, spared, refusal);
}

static const struct command_route password = {
    .vocabulary = &user_commands,
    .thread = ROUTE_HASHES,
    .answer = ANSWER_PATH,
    .success = 200,
    .location = "/v1/users/",
    .parse = parse_password,
    .build = build_password,
    .settle = settle_password,
};

/* ---- roles and status ---- */

static bool parse_roles(const struct request *request, struct intake *intake,
                        struct refusal *refusal)
{
    return body_decode(request, &user_roles_body_shape, intake, refusal) &&
           parse_user(request, intake, refusal);
}

static bool build_roles(const struct request *request, const struct intake *intake, struct uuid id,
                        const struct catalogue_fact *facts, void *ret_message,
                        struct refusal *refusal)
{
    const struct user_roles_body *body = intake->body;
    (void)id, (void)facts, (void)refusal;
    *(struct user_command *)ret_message = (struct user_command){
        .tag = USER_COMMAND_CHANGE_ROLES_V1,
        .as.change_roles_v1 = {.user_id = path_user(request),
                               .roles = {.at = body->roles.at, .count = body->roles.count}},
    };
    return true;
}

/* Tokens hold roles: the next refresh brings the new ones. */
static bool settle_roles(const struct request *request, int64_t at, struct refusal *refusal)
{
    return desk_revoke_tokens(request->desk, path_user(request), at, refusal);
}

static const struct command_route roles = {
    .vocabulary = &user_commands,
    .thread = ROUTE_BLOCKS,
    .answer = ANSWER_PATH,
    .success = 200,
    .location = "/v1/users/",
    .parse = parse_roles,
    .build = build_roles,
    .settle = settle_roles,
};

static bool parse_status(const struct request *request, struct intake *intake,
                         struct refusal *refusal)
{
    return body_decode(request, &user_status_body_shape, intake, refusal) &&
           parse_user(request, intake, refusal);
}

static bool build_status(const struct request *request, const struct intake *intake, struct uuid id,
                         const struct catalogue_fact *facts, void *ret_message,
                         struct refusal *refusal)
{
    const struct user_status_body *body = intake->body;
    (void)id, (void)facts, (void)refusal;
    *(struct user_command *)ret_message = (struct user_command){
        .tag = USER_COMMAND_CHANGE_STATUS_V1,
        .as.change_status_v1 = {.user_id = path_user(request), .status = body->status},
    };
    return true;
}

static bool settle_status(const struct request *request, int64_t at, struct refusal *refusal)
{
    return desk_end_sessions(request->desk, path_user(request), at, (struct uuid){{0}}, refusal);
}

static const struct command_route status = {
    .vocabulary = &user_commands,
    .thread = ROUTE_BLOCKS,
    .answer = ANSWER_PATH,
    .success = 200,
    .location = "/v1/users/",
    .parse = parse_status,
    .build = build_status,
    .settle = settle_status,
};

/* ---- erasing ---- */

static bool parse_erasure(const struct request *request, struct intake *intake,
                          struct refusal *refusal)
{
    return body_none(request, intake, refusal) && parse_user(request, intake, refusal);
}

static bool build_erasure(const struct request *request, const struct intake *intake,
                          struct uuid id, const struct catalogue_fact *facts, void *ret_message,
                          struct refusal *refusal)
{
    (void)intake, (void)id, (void)facts, (void)refusal;
    *(struct user_command *)ret_message = (struct user_command){
        .tag = USER_COMMAND_ERASE_V1, .as.erase_v1 = {.user_id = path_user(request)}};
    return true;
}

static bool settle_erasure(const struct request *request, int64_t at, struct refusal *refusal)
{
    return desk_erase(request->desk, path_user(request), at, refusal);
}

static const struct command_route erasure = {
    .vocabulary = &user_commands,
    .thread = ROUTE_BLOCKS,
    .answer = ANSWER_PATH,
    .success = 200,
    .location = "/v1/users/",
    .parse = parse_erasure,
    .build = build_erasure,
    .settle = settle_erasure,
};

/* ---- queries ---- */

static void write_roles(struct json_write *out, int64_t set)
{
    json_write_begin(out, "roles", '[');
    if (set & ROLE_CUSTOMER)
        json_write_text(out, NULL, user_role_text(USER_ROLE_CUSTOMER));
    if (set & ROLE_MERCHANT)
        json_write_text(out, NULL, user_role_text(USER_ROLE_MERCHANT));
    if (set & ROLE_ADMIN)
        json_write_text(out, NULL, user_role_text(USER_ROLE_ADMIN));
    json_write_end(out, ']');
}

static void write_opened(struct json_write *out, const char *name, struct text value)
{
    if (value.at)
        json_write_text(out, name, value);
    else
        json_write_null(out, name);
}

static bool write_user(struct inquiry *inquiry, const struct query_rows *rows, size_t row,
                       struct refusal *refusal)
{
    struct json_write *out = &inquiry->out;
    struct desk *desk = inquiry->request->desk;
    struct uuid id = query_at(rows, row, ID)->uuid;
    struct text email, name;
    if (!desk_open(desk, id, PURPOSE_EMAIL, query_at(rows, row, EMAIL)->text, &email, refusal) ||
        !desk_open(desk, id, PURPOSE_NAME, query_at(rows, row, NAME)->text, &name, refusal))
        return false;
    json_write_begin(out, NULL, '{');
    json_write_uuid(out, "id", id);
    write_opened(out, "email", email);
    write_opened(out, "name", name);
    write_roles(out, query_at(rows, row, ROLES)->number);
    json_write_text(out, "status", query_at(rows, row, STATUS)->text);
    json_write_time(out, "registered_at", query_at(rows, row, REGISTERED)->number);
    json_write_time(out, "updated_at", query_at(rows, row, UPDATED)->number);
    json_write_number(out, "version", query_at(rows, row, VERSION)->number);
    json_write_end(out, '}');
    return true;
}

static enum inquiry_step step_item(struct inquiry *inquiry, struct refusal *refusal)
{
    struct uuid id;
    struct query_rows rows;
    if (!path_uuid(inquiry->request, 0, &id, refusal) ||
        !find_by_id(inquiry->request, id, &rows, refusal) ||
        !write_user(inquiry, &rows, 0, refusal))
        return INQUIRY_REFUSED;
    inquiry->version = query_at(&rows, 0, VERSION)->number;
    return INQUIRY_DONE;
}

static const char *const models[] = {"users", NULL};

static const struct query_route item = {.models = models, .step = step_item};

bool user_by_email(const struct request *request, struct text email, struct query_rows *ret_rows,
                   struct refusal *refusal)
{
    const struct query_value value = QUERY_UUID(desk_user_key(request->desk, email));
    return desk_reach_end(request->desk, "users", "user", refusal) &&
           desk_ask(request->desk, SELECT_USER " WHERE user_key = $1 AND status <> 'erased'",
                    &value, 1, ret_rows, refusal);
}

static enum inquiry_step step_list(struct inquiry *inquiry, struct refusal *refusal)
{
    struct query_rows rows;
    struct text email = request_parameter(inquiry->request, "email");
    if (email.len == 0) {
        refuse_parameter(refusal, "email", "is required");
        return INQUIRY_REFUSED;
    }
    if (!user_by_email(inquiry->request, email, &rows, refusal))
        return INQUIRY_REFUSED;
    page_begin(inquiry);
    for (size_t i = 0; i < rows.count; i++)
        if (!write_user(inquiry, &rows, i, refusal))
            return INQUIRY_REFUSED;
    page_end(inquiry, TEXT(""));
    return INQUIRY_DONE;
}

static const struct query_route list = {.models = models, .step = step_list};

/* ---- what session.c knows of users ---- */

bool user_read(const struct request *request, const struct query_rows *rows,
               struct user_known *ret_user, struct refusal *refusal)
{
    *ret_user = (struct user_known){0};
    if (rows->count == 0)
        return true;
    *ret_user = (struct user_known){
        .exists = true,
        .active = text_equal(query_at(rows, 0, STATUS)->text, user_status_text(USER_STATUS_ACTIVE)),
        .version = query_at(rows, 0, VERSION)->number,
        .principal = {.user_id = query_at(rows, 0, ID)->uuid,
                      .user_key = query_at(rows, 0, KEY)->uuid,
                      .roles = (uint8_t)query_at(rows, 0, ROLES)->number},
    };
    return desk_open(request->desk, ret_user->principal.user_id, PURPOSE_PASSWORD_HASH,
                     query_at(rows, 0, HASH)->text, &ret_user->password_hash, refusal);
}

bool user_again(const struct request *request, struct uuid user_id, struct user_known *ret_user,
                struct refusal *refusal)
{
    const struct query_value value = QUERY_UUID(user_id);
    struct query_rows rows;
    return desk_reach_end(request->desk, "users", "user", refusal) &&
           desk_ask(request->desk, SELECT_USER " WHERE user_id = $1", &value, 1, &rows, refusal) &&
           user_read(request, &rows, ret_user, refusal);
}

const struct route user_routes[] = {
    {"GET", "/v1/users", "user", ROLE_ADMIN, .query = &list},
    {"POST", "/v1/users", "user", ROLE_ANYONE, .command = &enrolment},
    {"DELETE", "/v1/users/{id}", "user", ROLES_OF_USERS, .command = &erasure},
    {"GET", "/v1/users/{id}", "user", ROLES_OF_USERS, .query = &item},
    {"PATCH", "/v1/users/{id}", "user", ROLES_OF_USERS, .command = &profile},
    {"PUT", "/v1/users/{id}/password", "user", ROLES_OF_USERS, .command = &password},
    {"PUT", "/v1/users/{id}/roles", "user", ROLE_ADMIN, .command = &roles},
    {"PUT", "/v1/users/{id}/status", "user", ROLE_ADMIN, .command = &status},
};
const size_t user_routes_count = COUNT(user_routes);
