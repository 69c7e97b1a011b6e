/* The user: who may log in, and as what. Key: a keyed hash of the e-mail address, so that two
 * registrations of one address meet here and one address is one user at a time. What happens to a
 * user is told under the public user_id, which is another in each life: after erasure the address
 * may register anew. */
#include "schemas/user.h"
#include "commands/aggregates.h"
#include "commands/rights.h"

enum life { LIFE_NONE, LIFE_ACTIVE, LIFE_DISABLED, LIFE_ERASED };

struct user {
    struct uuid user_id; /* of the present life, or the last */
    int64_t passwords;   /* how many there have been in this life */
    uint8_t roles;       /* bits: 1 << (enum user_role - 1) */
    uint8_t life;        /* enum life */
};

static uint8_t role_bits(const enum user_role *roles, size_t count)
{
    uint8_t bits = 0;
    for (size_t i = 0; i < count; i++)
        bits |= (uint8_t)(1u << (roles[i] - 1));
    return bits;
}

static bool is_alive(const struct user *user)
{
    return user->life == LIFE_ACTIVE || user->life == LIFE_DISABLED;
}

static void refuse_unknown(struct draft *draft)
{
    draft_refuse(draft, PROBLEM_NOT_FOUND, "There is no such user for you.");
}

/* ---- registering ---- */

static void enrol(const struct user *user, const struct context *context,
                  const struct user_register_v1 *command, struct draft *draft)
{
    uint8_t plain = 1u << (USER_ROLE_CUSTOMER - 1);
    if (role_bits(command->roles.at, command->roles.count) != plain && !may_everything(context)) {
        draft_refuse(draft, PROBLEM_FORBIDDEN, "Who registers is a customer.");
        return;
    }
    if (is_alive(user)) {
        draft_refuse(draft, PROBLEM_ALREADY_EXISTS, "This address is registered already.");
        return;
    }
    EMIT(draft, user_event, .tag = USER_EVENT_REGISTERED_V1,
         .as.registered_v1 = {
             .user_id = command->user_id,
             .email = command->email,
             .name = command->name,
             .password_hash = command->password_hash,
             .roles = {.at = command->roles.at, .count = command->roles.count},
         });
}

/* ---- what users do to themselves, and administrators to them ---- */

/* False: refused. */
static bool by_self(const struct user *user, const struct context *context, struct uuid user_id,
                    struct draft *draft)
{
    if (is_alive(user) && uuid_equal(user->user_id, user_id) && may_as_customer(context, user_id))
        return true;
    refuse_unknown(draft);
    return false;
}

static void change_password(const struct user *user, const struct context *context,
                            const struct user_change_password_v1 *command, struct draft *draft)
{
    if (!by_self(user, context, command->user_id, draft))
        return;
    bool own = uuid_equal(context->actor.id, command->user_id);
    if (!command->proved && (own || !may_everything(context))) {
        draft_refuse(draft, PROBLEM_FORBIDDEN, "The current password is not right.");
        return;
    }
    if (command->seen_password != user->passwords) {
        draft_refuse(draft, PROBLEM_WRONG_STATE, "The password has been changed meanwhile.");
        return;
    }
    EMIT(draft, user_event, .tag = USER_EVENT_PASSWORD_CHANGED_V1,
         .as.password_changed_v1 = {
             .user_id = command->user_id,
             .password_hash = command->password_hash,
             .has_session = command->has_session,
             .session = command->session,
         });
}

static void change_profile(const struct user *user, const struct context *context,
                           const struct user_change_profile_v1 *command, struct draft *draft)
{
    if (!by_self(user, context, command->user_id, draft))
        return;
    EMIT(draft, user_event, .tag = USER_EVENT_PROFILE_CHANGED_V1,
         .as.profile_changed_v1 = {.user_id = command->user_id, .name = command->name});
}

static void erase(const struct user *user, const struct context *context,
                  const struct user_erase_v1 *command, struct draft *draft)
{
    if (user->life == LIFE_NONE || !uuid_equal(user->user_id, command->user_id) ||
        !may_as_customer(context, command->user_id)) {
        refuse_unknown(draft);
        return;
    }
    if (user->life == LIFE_ERASED)
        return;
    EMIT(draft, user_event, .tag = USER_EVENT_ERASED_V1,
         .as.erased_v1 = {.user_id = command->user_id});
}

/* ---- what only administrators do ---- */

/* False: refused. */
static bool by_admin(const struct user *user, const struct context *context, struct uuid user_id,
                     struct draft *draft)
{
    if (!may_everything(context))
        draft_refuse(draft, PROBLEM_FORBIDDEN, "Only administrators do this.");
    else if (!is_alive(user) || !uuid_equal(user->user_id, user_id))
        refuse_unknown(draft);
    return draft->problem == PROBLEM_NONE;
}

static void change_roles(const struct user *user, const struct context *context,
                         const struct user_change_roles_v1 *command, struct draft *draft)
{
    if (!by_admin(user, context, command->user_id, draft) ||
        role_bits(command->roles.at, command->roles.count) == user->roles)
        return;
    EMIT(
        draft, user_event, .tag = USER_EVENT_ROLES_CHANGED_V1,
        .as.roles_changed_v1 = {.user_id = command->user_id,
                                .roles = {.at = command->roles.at, .count = command->roles.count}});
}

static enum life life_of(enum user_settable_status status)
{
    return status == USER_SETTABLE_STATUS_DISABLED ? LIFE_DISABLED : LIFE_ACTIVE;
}

static void change_status(const struct user *user, const struct context *context,
                          const struct user_change_status_v1 *command, struct draft *draft)
{
    if (!by_admin(user, context, command->user_id, draft) || life_of(command->status) == user->life)
        return;
    EMIT(draft, user_event, .tag = USER_EVENT_STATUS_CHANGED_V1,
         .as.status_changed_v1 = {.user_id = command->user_id, .status = command->status});
}

/* ---- the aggregate ---- */

static void user_decide(const void *state, const struct context *context, const void *command,
                        struct draft *draft)
{
    const struct user_command *c = command;
    switch (c->tag) {
    case USER_COMMAND_REGISTER_V1:
        enrol(state, context, &c->as.register_v1, draft);
        break;
    case USER_COMMAND_CHANGE_PASSWORD_V1:
        change_password(state, context, &c->as.change_password_v1, draft);
        break;
    case USER_COMMAND_CHANGE_PROFILE_V1:
        change_profile(state, context, &c->as.change_profile_v1, draft);
        break;
    case USER_COMMAND_CHANGE_ROLES_V1:
        change_roles(state, context, &c->as.change_roles_v1, draft);
        break;
    case USER_COMMAND_CHANGE_STATUS_V1:
        change_status(state, context, &c->as.change_status_v1, draft);
        break;
    case USER_COMMAND_ERASE_V1:
        erase(state, context, &c->as.erase_v1, draft);
        break;
    }
}

static void user_evolve(void *state, const void *event)
{
    struct user *user = state;
    const struct user_event *e = event;
    switch (e->tag) {
    case USER_EVENT_REGISTERED_V1:
        *user = (struct user){
            .user_id = e->as.registered_v1.user_id,
            .passwords = 1,
            .roles = role_bits(e->as.registered_v1.roles.at, e->as.registered_v1.roles.count),
            .life = LIFE_ACTIVE,
        };
        break;
    case USER_EVENT_PASSWORD_CHANGED_V1:
        user->passwords++;
        break;
    case USER_EVENT_PROFILE_CHANGED_V1:
        break;
    case USER_EVENT_ROLES_CHANGED_V1:
        user->roles =
            role_bits(e->as.roles_changed_v1.roles.at, e->as.roles_changed_v1.roles.count);
        break;
    case USER_EVENT_STATUS_CHANGED_V1:
        user->life = (uint8_t)life_of(e->as.status_changed_v1.status);
        break;
    case USER_EVENT_ERASED_V1:
        user->life = LIFE_ERASED;
        break;
    }
}

static void user_show(const void *state, struct json_write *out)
{
    static const char *const lives[] = {"", "active", "disabled", "erased"};
    const struct user *user = state;
    json_write_uuid(out, "user_id", user->user_id);
    json_write_text(out, "status", text_of(lives[user->life]));
    json_write_begin(out, "roles", '[');
    for (int role = 1; role <= USER_ROLE_ADMIN; role++)
        if (user->roles & 1u << (role - 1))
            json_write_text(out, NULL, user_role_text((enum user_role)role));
    json_write_end(out, ']');
    json_write_number(out, "passwords", user->passwords);
}

const struct aggregate user_aggregate = {
    .service = "user",
    .commands = &user_commands,
    .events = &user_events,
    .state_size = sizeof(struct user),
    .decide = user_decide,
    .evolve = user_evolve,
    .show = user_show,
};
