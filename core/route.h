/* The contract of an HTTP route: a row of a table, and a few pure functions. The runtime matches,
 * authenticates, looks up, appends, waits and answers; nothing here touches the world. Text of a
 * request lives as long as it. */
#ifndef CORE_ROUTE_H
#define CORE_ROUTE_H

#include "core/desk.h"
#include "core/event.h"
#include "core/json_write.h"
#include "core/query_value.h"

enum {
    ROUTE_PATH_MAX = 2,        /* {…} in a path template */
    ROUTE_PARAMETERS_MAX = 16, /* ?name=value */
    ROUTE_LOOKUPS_MAX = 50,    /* order lines */
    ROUTE_QUESTIONS_MAX = 8,   /* asked at once */
    ROUTE_QUESTION_VALUES_MAX = 8,
    ROUTE_ROUNDS_MAX = 4,
    ROUTE_FAULTS_MAX = 8,
};

struct parameter {
    struct text name, value; /* decoded */
};

struct request {
    struct actor actor;    /* roles 0: nobody has said who they are */
    struct uuid actor_key; /* key of the actor's user aggregate */
    struct uuid session;
    struct desk *desk;
    bool form;                        /* the body is application/x-www-form-urlencoded */
    struct text path[ROUTE_PATH_MAX]; /* what stands for {…}, decoded, in order */
    const struct parameter *parameters;
    size_t parameters_count;
    struct text body;
    struct arena *arena;
};

/* The value of ?name=; .at is NULL when it is not given. */
struct text request_parameter(const struct request *request, const char *name);

/* A "no" that needs no decision. */
struct fault {
    const char *pointer; /* JSON pointer into the body; NULL: see parameter */
    const char *parameter;
    const char *detail;
};
struct refusal {
    enum problem problem; /* PROBLEM_NONE: there is none */
    const char *detail;
    size_t faults_count;
    struct fault faults[ROUTE_FAULTS_MAX];
};

/* Both return false, so that a handler can end with them. */
bool refuse(struct refusal *refusal, enum problem problem, const char *detail);
/* One more fault of the body, or of a parameter. */
bool refuse_at(struct refusal *refusal, enum problem problem, const char *pointer,
               const char *detail);
bool refuse_parameter(struct refusal *refusal, const char *parameter, const char *detail);

/* ---- what a service knows of products and users, by its own read models ---- */

/* As of product.log or user.log; a catalogue fills in what its service needs. */
struct catalogue_fact {
    bool known;
    bool discontinued; /* the product; of a user: may not do anything at present */
    int64_t version;   /* of the aggregate; rises with every event that matters to the catalogue */
    int64_t price;     /* minor units */
    int32_t currency;  /* enum common_currency */
    struct uuid merchant_id;
    struct uuid user_id; /* who has that key at present */
};

struct catalogue {
    const char *service; /* order: in whose database the read model lies */
    const char *model;   /* order_catalogue */
    const char *source;  /* product: whose log it folds; aggregate id = the key looked up */
    const char *sql;     /* the row of key $1 */
    bool (*read)(const struct query_value *row, struct catalogue_fact *ret_fact);
    /* False: this event does not matter. Else *fact becomes what is true after it; `fact->version`
     * tells the runtime whether it was the next one. */
    bool (*apply)(struct catalogue_fact *fact, const struct event *event);
};

/* ---- commands ---- */

/* What the first phase finds out from the request alone. */
struct intake {
    const void *body;      /* decoded; the handler's own type */
    struct text canonical; /* body encoded anew: what the Idempotency-Key is bound to */
    struct text target;    /* aggregate id; empty: the server chooses it (from the command's id) */
    size_t keys_count;     /* to look up in the route's catalogue */
    struct text *keys;
    /* filled in by the runtime before build */
    struct uuid command_id;
    struct catalogue_fact actor; /* as the route's `actors` know them */
};

/* Where a command's parse and build run. */
enum route_thread {
    ROUTE_ANYWHERE, /* they never block */
    ROUTE_BLOCKS,   /* on a thread that may */
    ROUTE_HASHES,   /* on one of the few for passwords */
};

/* What the "id" of the answer is, and what stands behind `location`. */
enum route_answer {
    ANSWER_TARGET,  /* the aggregate's id */
    ANSWER_DERIVED, /* user_id_of(command id): a user's, whose key is not for the public */
    ANSWER_PATH,    /* what the path has named */
};

struct command_route {
    const struct vocabulary *vocabulary;
    const struct catalogue *catalogue; /* NULL: nothing to look up */
    const struct catalogue *actors;    /* where the actor's key is looked up; NULL: not */
    enum route_thread thread;
    enum route_answer answer;
    int success;          /* HTTP status of "accepted" */
    const char *location; /* /v1/orders/: followed by the aggregate's id */
    const char *also;     /* sku: a second name of the id in the answer, or NULL */
    bool saga;            /* its order's fulfilment takes part in it */
    /* Decodes and validates; false: refused. */
    bool (*parse)(const struct request *request, struct intake *intake, struct refusal *refusal);
    /* Builds the message of `vocabulary`; facts[i] is of intake->keys[i]. `id`: of the target,
     * where it is a UUID. */
    bool (*build)(const struct request *request, const struct intake *intake, struct uuid id,
                  const struct catalogue_fact *facts, void *ret_message, struct refusal *refusal);
    /* What must be done before an acceptance (at: its time, microseconds) is answered, beside the
     * log; safe to repeat. On a thread that may block; NULL: nothing. */
    bool (*settle)(const struct request *request, int64_t at, struct refusal *refusal);
};

/* The public id of a user whom this command registers. */
struct uuid user_id_of(struct uuid command_id);

/* ---- queries ---- */

/* To the database of the route's own service: no service reads another's. */
struct question {
    const char *sql; /* static */
    size_t count;
    struct query_value values[ROUTE_QUESTION_VALUES_MAX];
};

struct inquiry {
    const struct request *request;
    const char *service; /* whose database is asked */
    size_t round;        /* 0: nothing has been asked yet */
    size_t questions_count;
    struct question questions[ROUTE_QUESTIONS_MAX]; /* of this round; the handler writes them */
    struct query_rows answers[ROUTE_QUESTIONS_MAX]; /* to the questions of the round before */
    const void *kept; /* the handler's own, from one round to the next; in the arena */
    struct json_write out;
    int64_t version;         /* of what is shown, for ETag; 0: none */
    int64_t sequence;        /* second part of the ETag; -1: none */
    struct text next_cursor; /* of a list; empty: it ends here */
};

enum inquiry_step { INQUIRY_ASK, INQUIRY_DONE, INQUIRY_REFUSED };

struct query_route {
    const char *const *models; /* read models it asks; NULL-terminated: Foldlog-Min-Position waits
                                  for them. NULL: for none */
    /* Called in rounds: asks, reads the answers, asks again or writes the body to inquiry->out and
     * is done. */
    enum inquiry_step (*step)(struct inquiry *inquiry, struct refusal *refusal);
};

/* One more question; the caller fills in its values. */
struct question *inquiry_ask(struct inquiry *inquiry, const char *sql);

/* ---- errands: neither commands nor queries, such as logging in ---- */

struct errand {
    const struct request *request;
    int status;  /* 200; 204 has no body */
    bool secret; /* the answer is stored nowhere */
    struct json_write out;
};

struct errand_route {
    bool form;    /* the body may also be a form */
    bool hashes;  /* runs on one of the few threads for passwords */
    bool logs_in; /* counted by what became of it */
    bool (*run)(struct errand *errand, struct refusal *refusal);
};

/* ---- the row ---- */

/* As the roles of a route: whoever it is. */
enum { ROLE_ANYONE = 128 };

/* A query that any service may have the answer to: they are asked one after the other until one
 * has, only the one that ?at= names if it is given. */
#define ROUTE_OF_ANY "any"

struct route {
    const char *method;
    const char *path;                    /* /v1/products/{sku}/price */
    const char *service;                 /* whose it is; ROUTE_OF_ANY */
    uint8_t roles;                       /* any of these may; ROLE_ANYONE; 0: nobody */
    const struct command_route *command; /* one of the three */
    const struct query_route *query;
    const struct errand_route *errand;
};

struct route_list {
    const struct route *at; /* sorted by path, then method */
    size_t count;
};

/* How a path template meets a path. */
enum route_match { ROUTE_OTHER_PATH, ROUTE_OTHER_METHOD, ROUTE_MATCH };
/* The row for (method, path). MATCH: *ret_route and the parts that stand for {…}, still
 * percent-encoded. OTHER_METHOD: ret_allow holds the methods of that path, as in Allow. HEAD is
 * answered like GET. */
enum route_match route_find(const struct route_list *list, struct text method, struct text path,
                            const struct route **ret_route, struct text ret_parts[ROUTE_PATH_MAX],
                            char *ret_allow, size_t allow_size);

#endif
