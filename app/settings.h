/* Every setting, written once: flag > environment FOLDLOG_X (or FOLDLOG_X_FILE) > default. */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/text.h"

/* clang-format off */
/*    id               flag                 default                kind     help */
#define SETTING_MAP(X)                                                                                                \
    X(KAFKA,           "kafka",             "127.0.0.1:9092",      TEXT,    "Kafka bootstrap servers")                \
    X(PG,              "pg",                "host=127.0.0.1 port=5432 user=postgres dbname=postgres", SECRET,          \
                                                                            "PostgreSQL server (libpq conninfo of an administrator)") \
    X(USER_PG, "user-pg", "", SECRET, "conninfo of user's own database and role, if --pg is not what it is reached by") \
    X(PRODUCT_PG, "product-pg", "", SECRET, "the same for product") \
    X(INVENTORY_PG, "inventory-pg", "", SECRET, "the same for inventory") \
    X(ORDER_PG, "order-pg", "", SECRET, "the same for order") \
    X(PAYMENT_PG, "payment-pg", "", SECRET, "the same for payment") \
    X(FULFILMENT_PG, "fulfilment-pg", "", SECRET, "the same for fulfilment") \
    X(VAULT_PG, "vault-pg", "", SECRET, "the same for the vault") \
    X(PORT,            "port",              "8080",                NUMBER,  "HTTP port")                              \
    X(ADMIN_PORT,      "admin-port",        "9464",                NUMBER,  "port of /livez, /readyz and /metrics")   \
    X(BIND,            "bind",              "127.0.0.1",           TEXT,    "address to listen on")                   \
    X(ROLES,           "roles",             "gateway,api,commands,projections,saga,effects,publisher", TEXT,          \
                                                                            "what this process does")                 \
    X(SERVICES,        "services",          "user,product,order,payment,inventory", TEXT, "for which services; fulfilment goes with the last of those it is fed by, or by name") \
    X(PRODUCT_API,     "product-api",       "",                    TEXT,    "gateway: where product's routes are served, if not in this process") \
    X(INVENTORY_API,   "inventory-api",     "",                    TEXT,    "the same for inventory")                 \
    X(ORDER_API,       "order-api",         "",                    TEXT,    "the same for order")                     \
    X(PAYMENT_API,     "payment-api",       "",                    TEXT,    "the same for payment")                   \
    X(USER_API,        "user-api",          "",                    TEXT,    "the same for user")                      \
    X(FULFILMENT_API,  "fulfilment-api",    "",                    TEXT,    "the same for fulfilment (the timelines of orders)") \
    X(INSTANCE,        "instance",          "",                    TEXT,    "name of this process: static group membership (default: host name and a free ordinal)") \
    X(PARTITIONS,      "partitions",        "4",                   NUMBER,  "partitions of each topic; never changed later") \
    X(REPLICATION,     "replication",       "3",                   NUMBER,  "replication factor of new topics (1 with --dev)") \
    X(DEV,             "dev",               "false",               BOOLEAN, "a single broker is good enough")         \
    X(INSECURE_DEV,    "insecure-dev",      "false",               BOOLEAN, "who has no token is one developer, missing secrets are well known; loopback only, for tests; implies --dev") \
    X(SECRET,          "secret",            "",                    SECRET,  "key of the request fingerprints; the same in every process") \
    X(EMAIL_SECRET,    "email-secret",      "",                    SECRET,  "key of the hash by which a user is found; the same in every process, never changed") \
    X(MASTER_KEY,      "master-key",        "",                    SECRET,  "64 hex digits: seals the keys in the vault; never changed") \
    X(KEY_ROTATION_S,  "key-rotation-s",    "86400",               NUMBER,  "for so long a key signs access tokens")  \
    X(KEY_AHEAD_S,     "key-ahead-s",       "60",                  NUMBER,  "so long before it signs a key is shown")  \
    X(ADMIN_FILE,      "admin-file",        ".run/admin.json",     TEXT,    "address and password of the administrator whom `foldlog admin` makes") \
    X(PAYMENT_URL,     "payment-url",       "http://127.0.0.1:8090", TEXT,  "base URL of the payment provider")       \
    X(PAYMENT_CALL_MS, "payment-call-ms",   "3000",                NUMBER,  "time limit of one call to the provider")  \
    X(PAYMENT_GIVE_UP_MS, "payment-give-up-ms", "600000",          NUMBER,  "after which an unanswered operation is reported as unknown") \
    X(STEP_MS,         "step-ms",           "900000",              NUMBER,  "time limit of a fulfilment step")         \
    X(COMPENSATION_MS, "compensation-ms",   "3600000",             NUMBER,  "time limit of a compensation before it needs an operator") \
    X(SNAPSHOTS,       "snapshots",         "",                    TEXT,    "folder for snapshots of what owners remember, so that a start need not fold whole logs (default: none are made)") \
    X(SNAPSHOT_RECORDS, "snapshot-records", "10000",               NUMBER,  "by so many records a log grows until its next snapshot") \
    X(LOG_LEVEL,       "log-level",         "info",                TEXT,    "least level of the lines on stderr: debug, info, warn or error") \
    X(LOCK_DIR,        "lock-dir",          "/tmp",                TEXT,    "where the ordinals of default instance names are locked")
/* clang-format on */

enum setting {
#define X(id, flag, fallback, kind, help) SETTING_##id,
    SETTING_MAP(X)
#undef X
        SETTINGS
};

/* Takes `--flag=value`, `--flag value` and `--no-...`-less booleans out of argv; reads the
 * environment for the rest. Returns how many arguments are left in argv, or -1 after saying on
 * stderr what is wrong. */
int settings_read(int argc, char **argv);
/* Never NULL; lives as long as the process. */
const char *setting_text(enum setting setting);
int64_t setting_number(enum setting setting);
bool setting_flag(enum setting setting);
struct databases;
/* --pg, and --SERVICE-pg for who has a conninfo of its own. */
const struct databases *settings_databases(void);
/* Which of these is a service's: "order-pg", or "pg". */
const char *settings_database_flag(const char *service);
/* Is `word` in this comma-separated setting? */
bool setting_has(enum setting setting, const char *word);
/* Is each word of this list one that is_known? The first that is not is named on stderr. */
bool setting_all(enum setting setting, bool (*is_known)(struct text word));
/* --kafka.NAME=VALUE, and FOLDLOG_KAFKA__NAME in the environment with _ for each dot: handed on to
 * librdkafka. Pairs of name and value, ended by NULL. */
const char *const *settings_kafka(void);
/* All of them with value and source; secrets hidden. */
void settings_show(bool json);
/* One line per setting, for --help. */
void settings_help(void);

#endif
