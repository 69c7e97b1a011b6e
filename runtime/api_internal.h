/* What the api_*.c files share; nobody else includes it. */
#ifndef RUNTIME_API_INTERNAL_H
#define RUNTIME_API_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/api.h"
#include "runtime/http_server.h"
#include "runtime/keys.h"
#include "runtime/query.h"
#include "runtime/relay.h"
#include "runtime/revocation.h"
#include "runtime/traceparent.h"

enum {
    API_SERVICES_MAX = 16,
    API_CATALOGUES_MAX = 4,
    API_POSITION_LEN_MAX = 96,     /* service:partition:offset */
    API_ARENA_BYTES = 1024 * 1024, /* per HTTP thread */
    API_QUERY_ARENA_BYTES = 8 * 1024 * 1024,
    API_RETRY_SECONDS = 1,
    API_TOKENS_MAX = 4096, /* verified ones remembered */
};

struct api_service {
    const struct service *service;
    struct log_topic *commands, *log;
    _Atomic int64_t in_flight;
};

/* A token of Foldlog-Min-Position: the command at this offset of service.commands. */
struct api_position {
    struct text service;
    int partition;
    int64_t offset;
};

/* One request from its arrival to its answer. */
struct api_call {
    struct api *api;
    struct http_request *http;
    const struct route *route;
    struct text parts[ROUTE_PATH_MAX]; /* percent-encoded */
    int64_t began_us;
    struct actor actor; /* roles 0: nobody has said who they are */
    struct uuid actor_key, session;
    bool form;     /* the body is a form */
    size_t sought; /* ROUTE_OF_ANY: how many services have been thought of */
    bool asked;    /* and one of them has been asked */
    char traceparent[TRACEPARENT_LEN + 1];
    struct api_position positions[API_POSITIONS_MAX]; /* to be reached first */
    size_t positions_count;
    int64_t parked_until_ms; /* monotonic; when to look again */
    int park_ms;
    /* commands */
    struct text key; /* Idempotency-Key */
    int64_t expected_version;
    bool respond_async; /* 202 as soon as it is durable */
    int wait_ms;
    char applied[32]; /* Preference-Applied; empty: none */
    struct api_service *service;
    struct uuid command_id, attempt;
    char target[KEY_LEN_MAX + 1];
    size_t target_len;
    char *record; /* the encoded command */
    size_t record_len;
    /* the loop's */
    struct api_call *next; /* in a queue or a bucket */
    int partition;
    int64_t offset;      /* in the commands; -1: not yet reported */
    int64_t deadline_ms; /* monotonic */
    bool waiting;        /* it stands in the table */
    /* accepted, and something is left to do before the answer */
    struct {
        bool is;
        bool replayed;
        int64_t version, at;
    } settled;
};

/* What a handler's desk stands on. */
struct desk {
    struct api_call *call;
    struct api_reader *reader; /* NULL: this thread may not block */
    struct arena *arena;
    bool deferred; /* it was asked for something that needs a thread which may */
};

/* ---- api.c ---- */

struct api_loop;
struct api_pool;
struct api_reader;
struct api_cache;
struct api_tokens;

struct api {
    struct api_options options;
    struct api_service services[API_SERVICES_MAX];
    size_t services_count;
    struct api_cache *caches[API_CATALOGUES_MAX];
    size_t caches_count;
    struct api_loop *loop;
    struct api_pool *pool;    /* queries, and whatever else blocks */
    struct api_pool *hashers; /* passwords */
    struct vault *vault;
    struct token_ring *ring;
    struct keys *keys;
    struct revocations *revocations;
    struct api_tokens *tokens;
    struct http_server *http;
    struct relay *relay;
    _Atomic uint64_t commands, decided, replayed, undecided, overloaded, append_failed, queries,
        hits, misses, refused;
    _Atomic uint64_t voids;
    _Atomic uint64_t logins[API_LOGINS];
    _Atomic uint64_t answers[API_STATUSES];
    struct {
        _Atomic uint64_t buckets[API_BUCKETS + 1], total_us;
    } durations[API_KINDS];
    atomic_bool ready;
};

struct api_service *api_service_find(struct api *api, const char *name);
/* Memory of this thread, emptied by each call. */
struct arena *api_arena(void);
/* ROUTE_OF_ANY: asks the next service that may know; answers when there is none. */
void api_seek(struct api_call *call);
/* Counts the answer and frees the call, after it has been answered. */
void api_call_done(struct api_call *call, int status);

/* ---- api_header.c: what a request says beside path and body ---- */

/* Each returns false after answering the call with a problem. */
bool header_media_type(struct api_call *call, bool form); /* form: also a form */
bool header_common(struct api_call *call);                /* Prefer, Foldlog-Min-Position */
bool header_command(struct api_call *call);               /* Idempotency-Key, If-Match */
/* Is `tag`, as in ETag, one of If-None-Match? */
bool header_has_tag(const struct api_call *call, const char *tag);
void header_trace(struct api_call *call);
/* The 32 hex digits of the trace. */
struct text header_trace_id(const struct api_call *call);
/* Fills in the request a handler sees; false after answering. */
bool header_request(struct api_call *call, struct desk *desk, struct request *ret_request);

/* ---- api_auth.c ---- */

NODISCARD struct err tokens_create(struct api_tokens **ret_tokens);
void tokens_destroy(struct api_tokens *tokens);
/* Fills in the actor; false after answering. */
bool authenticate(struct api_call *call);

/* ---- api_answer.c: each answers and frees the call ---- */

void answer_problem(struct api_call *call, enum problem problem, const char *detail);
void answer_refusal(struct api_call *call, const struct refusal *refusal);
/* 401; given: there was a token, but it is not good. */
void answer_unauthenticated(struct api_call *call, bool given);
void answer_errand(struct api_call *call, const struct errand *errand, struct text body);
void answer_not_allowed(struct api_call *call, const char *allow);
void answer_decision(struct api_call *call, const struct decision *decision);
/* 202: it is durable and will be decided. */
void answer_accepted(struct api_call *call);
void answer_query(struct api_call *call, const struct inquiry *inquiry, struct text body);
/* Percent-encodes into out from `used` on; returns the new length, at most size - 1. */
size_t answer_put_encoded(char *out, size_t used, size_t size, struct text text);
/* What the server refuses by itself. */
void answer_refused_request(void *context, const struct http_request *request, int status,
                            const char *detail, struct http_answer *answer);

/* ---- api_command.c ---- */

/* Parses, takes what it must know from the caches, builds, submits. False: something is missing
 * there, the call waits for a query thread. */
bool command_try(struct api_call *call);
/* The same on a query thread, which can read the read models. */
void command_with_reader(struct api_call *call, struct api_reader *reader);
/* From the loop: an acceptance whose route has something to settle; answered afterwards. */
void command_settle_later(struct api_call *call, const struct decision *decision);
void command_settle(struct api_call *call, struct api_reader *reader);

/* ---- api_position.c ---- */

/* Have the read models that the call asks reached its positions? PROBLEM_NONE; or why not: with
 * *ret_wait they may yet. */
enum problem positions_reached(struct api_call *call, struct api_reader *reader, bool *ret_wait);

/* ---- api_gateway.c: what is served by other processes ---- */

NODISCARD struct err gateway_open(struct api *api);
/* Where this service is served; NULL: nowhere that is known. */
const char *gateway_peer(const struct api *api, const char *service);
/* Hands the call on; it is answered later. */
void gateway_forward(struct api_call *call, const char *peer);
/* Sets the actor that a gateway has vouched for; false: nobody has. */
bool gateway_believe(struct api_call *call);

/* ---- api_loop.c: the one thread that appends, reads the answers and follows the sources of the
 * caches ---- */

NODISCARD struct err loop_start(struct api *api);
/* Takes the call over; it is answered later. */
void loop_submit(struct api *api, struct api_call *call);
/* Answers what still waits, then ends; from now on refuses what is submitted. NULL is fine. */
void loop_stop(struct api_loop *loop);
/* When nobody can submit any more. */
void loop_destroy(struct api_loop *loop);

/* ---- api_pool.c: threads that may block on the databases ---- */

/* hashers: the few for passwords. */
NODISCARD struct err pool_start(struct api *api, size_t threads, size_t queue_max,
                                struct api_pool **ret_pool);
/* False: the queue is full; the call is not taken. */
bool pool_submit(struct api_pool *pool, struct api_call *call);
/* Serves what stands in the queue, then ends; from now on takes nothing. NULL is fine. */
void pool_stop(struct api_pool *pool);
void pool_destroy(struct api_pool *pool);
/* Asks the database of a service. */
NODISCARD struct err reader_position(struct api_reader *reader, const struct projection *model,
                                     const struct api_position *position,
                                     int64_t *ret_commands_next, enum model_status *ret_status);
NODISCARD struct err reader_ask(struct api_reader *reader, const char *service, const char *sql,
                                const struct query_value *values, size_t count,
                                struct query_rows *ret_rows);
struct arena *reader_arena(struct api_reader *reader);
struct vault_link *reader_vault(struct api_reader *reader);
/* The problem a failed question is. */
enum problem reader_problem(struct err e);
/* Has the read model seen everything below `ends`, one per partition of the source? */
NODISCARD struct err reader_reached(struct api_reader *reader, const char *service,
                                    const char *model, const struct log_topic *source,
                                    const int64_t *ends, bool *ret_reached);
/* Waits until it has seen what is in the log now, for API_NEGATIVE_WAIT_MS. */
enum problem reader_reach_end(struct api_reader *reader, const char *service, const char *model,
                              struct log_topic *source);

/* ---- api_catalogue.c: what is known of products, kept as new as the log ---- */

NODISCARD struct err cache_create(const struct catalogue *catalogue, struct log_topic *source,
                                  struct api_cache **ret_cache);
void cache_destroy(struct api_cache *cache);
struct api_cache *cache_of(struct api *api, const struct catalogue *catalogue);
const struct catalogue *cache_catalogue(const struct api_cache *cache);
/* True: all are known, and as new as the log has told. */
bool cache_find(struct api_cache *cache, const struct text *keys, size_t count,
                struct catalogue_fact *ret_facts);
/* From the loop: an event of the source. */
void cache_news(struct api_cache *cache, struct text key, const struct event *event);
/* From the loop: an event that cannot be read here. What it changed is learnt from the read model.
 */
void cache_unreadable(struct api_cache *cache, struct text key, int partition, int64_t offset);
/* From the loop: the source is followed from `offset` on; what happened before may have been
 * missed. */
void cache_restart(struct api_cache *cache, int partition, int64_t offset);
/* On a query thread: reads what is missing. PROBLEM_NONE, or why it cannot be told. Unknown keys
 * are left unknown. */
enum problem cache_load(struct api_cache *cache, struct api_reader *reader, const struct text *keys,
                        size_t count, struct catalogue_fact *ret_facts);

#endif
