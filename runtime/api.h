/* The api role: routes over HTTP. A command is validated, given what it must know, appended to its
 * service's commands, and answered when its decision has been read back as valid; a query is read
 * from the read models. */
#ifndef RUNTIME_API_H
#define RUNTIME_API_H

#include "core/projection.h"
#include "core/route.h"
#include "core/service.h"
#include "runtime/event_log.h"
#include "runtime/seal.h"
#include "runtime/store.h"

enum {
    API_IN_FLIGHT_MAX = 4096, /* commands of one service waiting for their decision */
    API_QUERY_THREADS = 4,
    API_QUERY_QUEUE_MAX = 512, /* requests waiting for a query thread */
    API_HASH_THREADS = 2,      /* passwords at a time */
    API_HASH_QUEUE_MAX = 64,   /* requests waiting for one of these */
    API_WAIT_DEFAULT_MS = 5000,
    API_WAIT_MAX_MS = 30000,           /* Prefer: wait=30 */
    API_CATALOGUE_ENTRIES_MAX = 32768, /* products remembered per catalogue */
    API_NEGATIVE_WAIT_MS = 1000, /* for a read model to reach the end, before "there is none" may be
                                    said */
    API_STALE_WAIT_MS = 300,     /* for a row to become as new as what the log has told */
    API_POSITIONS_MAX = 16,      /* tokens of one Foldlog-Min-Position */
    API_PARKED_MAX = 512,        /* requests waiting for a read model to reach a position */
    API_KEY_LEN_MAX = 255,       /* Idempotency-Key */
    API_DRAIN_MS = 3000,         /* for requests under way at the stop; then 202 or 503 */
};

/* Another process that serves this service's routes. */
struct api_peer {
    const char *service;
    const char *url; /* http://host:port; empty: none */
};

struct api_options {
    struct log *log;
    const struct service_list *all;        /* every service of the house: for their words */
    const struct service *const *services; /* whose commands are taken here; NULL-terminated */
    const struct projection *const *projections; /* every read model: its service and sources */
    size_t projections_count;
    struct route_list routes; /* must live as long as the api */
    const struct databases *databases;
    const struct api_peer *peers; /* whom requests for services not served here are handed on to */
    size_t peers_count;
    bool behind_gateway;        /* believe only principals signed by one, with the same secret */
    struct text secret;         /* key of the request fingerprints; the same in every process */
    struct text email_secret;   /* key of the users' keys; never changed */
    struct seal_key master_key; /* opens the vault */
    int64_t key_rotation_us, key_ahead_us; /* of the keys that sign tokens: see keys.h */
    struct actor developer; /* who asks without a token; roles 0: nobody (--insecure-dev) */
    const char *address;    /* numeric */
    int port;
    unsigned threads; /* of HTTP */
    unsigned connections_max;
};

struct api;

/* Answers 503 to commands until it stands at the end of all logs it waits for: see api_ready. */
NODISCARD struct err api_start(const struct api_options *options, struct api **ret_api);
/* Accepts nothing more, and waits for what is under way while there may be owners who decide it, up
 * to API_DRAIN_MS. NULL is fine. */
void api_drain(struct api *api);
/* After api_drain: answers what is left (202 or 503), stops. NULL is fine. */
void api_stop(struct api *api);

enum api_kind { API_QUERIES, API_COMMANDS, API_KINDS };
enum { API_STATUSES = 600, API_BUCKETS = 13 };
extern const int64_t api_bucket_us[API_BUCKETS]; /* upper bounds */
struct api_durations {
    uint64_t buckets[API_BUCKETS + 1]; /* each its own; the last: longer than all bounds */
    uint64_t total_us;
};

/* What became of requests to log in. */
enum api_login { API_LOGIN_ACCEPTED, API_LOGIN_REFUSED, API_LOGIN_FAILED, API_LOGINS };

struct api_counts {
    uint64_t answers[API_STATUSES]; /* by status */
    struct api_durations durations[API_KINDS];
    bool ready;
    uint64_t requests, refused, commands, decided, replayed, undecided, overloaded, append_failed,
        queries;
    uint64_t catalogue_hits, catalogue_misses, voids;
    int64_t in_flight, connections, revocations_silence_ms;
    uint64_t logins[API_LOGINS];
};
struct api_counts api_counts(const struct api *api);
int api_port(const struct api *api);

#endif
