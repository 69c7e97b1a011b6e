/* Who asks: the bearer token of a request (RFC 6750), verified once and remembered by its hash
 * until it expires; whether it has been revoked is asked each time. */
#include <stdlib.h>
#include <strings.h>

#include "runtime/api_internal.h"
#include "runtime/clock.h"

struct verified {
    unsigned char hash[SEAL_HASH_BYTES];
    struct token_claims claims; /* expires_s 0: free */
};

struct api_tokens {
    pthread_mutex_t lock;
    struct verified entries[API_TOKENS_MAX];
};

struct err tokens_create(struct api_tokens **ret_tokens)
{
    struct api_tokens *tokens = calloc(1, sizeof *tokens);
    if (!tokens)
        return FAIL(ERR_NOMEM, "verified tokens");
    pthread_mutex_init(&tokens->lock, NULL);
    *ret_tokens = tokens;
    return OK;
}

void tokens_destroy(struct api_tokens *tokens)
{
    if (!tokens)
        return;
    pthread_mutex_destroy(&tokens->lock);
    free(tokens);
}

static struct verified *slot_of(struct api_tokens *tokens, const unsigned char *hash)
{
    uint32_t spread;
    memcpy(&spread, hash, sizeof spread);
    return &tokens->entries[spread % API_TOKENS_MAX];
}

static bool recall(struct api_tokens *tokens, const unsigned char *hash, int64_t now_us,
                   struct token_claims *ret_claims)
{
    pthread_mutex_lock(&tokens->lock);
    const struct verified *v = slot_of(tokens, hash);
    bool hit = v->claims.expires_s > now_us / 1000000 && memcmp(v->hash, hash, sizeof v->hash) == 0;
    if (hit)
        *ret_claims = v->claims;
    pthread_mutex_unlock(&tokens->lock);
    return hit;
}

static void keep(struct api_tokens *tokens, const unsigned char *hash,
                 const struct token_claims *claims)
{
    pthread_mutex_lock(&tokens->lock);
    struct verified *v = slot_of(tokens, hash);
    memcpy(v->hash, hash, sizeof v->hash);
    v->claims = *claims;
    pthread_mutex_unlock(&tokens->lock);
}

static bool verify(struct api *api, struct text token, struct token_claims *ret_claims)
{
    unsigned char hash[SEAL_HASH_BYTES];
    int64_t now = clock_now_us();
    if (token.len == 0 || token.len > TOKEN_LEN_MAX)
        return false;
    seal_hash(token, hash);
    if (recall(api->tokens, hash, now, ret_claims))
        return true;
    if (token_verify(api->ring, token, now, ret_claims).code != ERR_OK)
        return false;
    keep(api->tokens, hash, ret_claims);
    return true;
}

/* Exactly one Authorization: Bearer; *ret_given: there is any. */
static bool bearer(const struct http_request *http, bool *ret_given, struct text *ret_token)
{
    static const char scheme[] = "Bearer ";
    const size_t len = sizeof scheme - 1;
    struct text value = {NULL, 0};
    size_t count = 0;
    for (size_t i = 0; i < http->headers_count; i++)
        if (http->headers[i].name.len == sizeof "Authorization" - 1 &&
            strncasecmp(http->headers[i].name.at, "Authorization", sizeof "Authorization" - 1) ==
                0) {
            value = http->headers[i].value;
            count++;
        }
    *ret_given = count > 0;
    if (count != 1 || value.len <= len || strncasecmp(value.at, scheme, len) != 0)
        return false;
    *ret_token = (struct text){value.at + len, value.len - len};
    return true;
}

static bool judge_roles(struct api_call *call)
{
    if (call->actor.roles & call->route->roles)
        return true;
    answer_problem(call, PROBLEM_FORBIDDEN, "Your roles do not allow this.");
    return false;
}

bool authenticate(struct api_call *call)
{
    struct api *api = call->api;
    struct token_claims claims;
    struct text token = {NULL, 0};
    bool given;
    if (api->options.behind_gateway && !gateway_believe(call)) {
        answer_problem(call, PROBLEM_UNAUTHENTICATED, "This port serves gateways only.");
        return false;
    }
    if (call->route->roles & ROLE_ANYONE)
        return true;
    if (api->options.behind_gateway)
        return judge_roles(call);
    bool formed = bearer(call->http, &given, &token);
    if (!given && api->options.developer.roles) {
        call->actor = api->options.developer;
        return judge_roles(call);
    }
    if (!keys_ready(api->keys) || !revocations_ready(api->revocations)) {
        answer_problem(
            call, PROBLEM_UNAVAILABLE,
            "Keys, or what has been revoked, cannot be read at present, so no token can be "
            "judged.");
        return false;
    }
    if (!formed || !verify(api, token, &claims) || revocations_hit(api->revocations, &claims)) {
        answer_unauthenticated(call, given);
        return false;
    }
    call->actor = (struct actor){.id = claims.user_id, .roles = claims.roles};
    call->actor_key = claims.user_key;
    call->session = claims.session;
    return judge_roles(call);
}
