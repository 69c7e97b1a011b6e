/* What Foldlog needs from the database of a service's read models, and nothing more: a lease, a
 * catalogue of read models, and tables of typed rows that change together with the positions they
 * stand for. Implemented by pg_store.c and pg_catalogue.c on PostgreSQL; no libpq type leaves
 * those. A store is used by one thread.
 *
 * A read model NAME is a view; behind it stands a table NAME_gN, its generation N. Errors of every
 * function: ERR_UNAVAILABLE  unreachable, shutting down, serialisation, deadlock, lock not had in
 * time: back off, start anew ERR_TIMEOUT      a statement took longer than STORE_STATEMENT_MS:
 * likewise ERR_DEPOSED      the fence: another owner, another position, or the catalogue changed:
 * forget all, start anew ERR_NOT_FOUND    the table is not there (an operator dropped it)
 *   ERR_REFUSED      anything else the database says no to; the text is in store_message */
#ifndef RUNTIME_STORE_H
#define RUNTIME_STORE_H

#include "core/arena.h"
#include "core/err.h"
#include "core/limits.h"
#include "core/position.h"
#include "core/projection.h"

enum {
    MODEL_NAME_MAX = 40,
    MODEL_REASON_MAX = 300,
    STORE_MESSAGE_MAX = 400,
    STORE_STATEMENT_MS = 60000, /* the longest one statement of a worker may take */
    STORE_LOCK_MS = 3000,       /* the longest it waits for a lock */
    STORE_CONNECT_SECONDS = 3,
    STORE_CONNINFO_MAX = 1024,
};

struct store;

/* conninfo: libpq's. */
NODISCARD struct err store_open(const char *conninfo, const char *application,
                                struct store **ret_store);
void store_close(struct store *store); /* NULL is fine */
/* For a process that must end: breaks every connection to a database that it has, query.h's too, so
 * that nobody waits any longer for a server that says nothing; later ones fail at once. What was
 * under way fails with ERR_UNAVAILABLE. Any thread; does not block. */
void store_hang_up(void);
/* What the database said last when it refused; never NULL. */
const char *store_message(const struct store *store);
/* Where the databases of the services, and the vault, are. */
struct databases {
    const char *server; /* conninfo of the server of those that have none of their own */
    /* The conninfo of one service; NULL or empty: it has none. May be NULL. */
    const char *(*own)(const char *service);
};
/* A service's own database and role: as its conninfo says, else foldlog_SERVICE on the server. */
NODISCARD struct err store_conninfo(const struct databases *databases, const char *service,
                                    char *ret_conninfo, size_t size);

/* ---- who may write: one owner per service, by the database's clock ---- */

/* Takes or renews the lease when it is free, mine, or has run out; with `succeeds` also when it is
 * held under the same instance name, by a process that this one has come after. An owner whose
 * lease has run out while it stood in a unit loses its connection. */
NODISCARD struct err store_lease_take(struct store *store, const char *service, struct uuid owner,
                                      const char *instance, bool succeeds, int lease_ms,
                                      bool *ret_held);
NODISCARD struct err store_lease_return(struct store *store, const char *service,
                                        struct uuid owner);

/* ---- the catalogue ---- */

enum generation_state { GENERATION_BUILDING = 1, GENERATION_LIVE, GENERATION_OLD };

struct generation {
    char name[MODEL_NAME_MAX + 1];
    int64_t number;
    int version; /* of the fold that made it */
    enum generation_state state;
    bool halted;
    bool table;                        /* it is really there */
    char reason[MODEL_REASON_MAX + 1]; /* why it is halted */
    int64_t rows;
    uint64_t digest;
};

struct generations {
    size_t count;
    struct generation *at; /* in the arena; by name, then number */
    int64_t catalogue;     /* changes whenever a generation is shown, halted or added */
};

struct model_position {
    char topic[TOPIC_LEN_MAX + 1];
    int32_t partition;
    struct position done;  /* after the last valid decision applied: the only one resumed from */
    int64_t commands_next; /* as told by the last record read */
    int64_t seen_to;       /* every record below has been read */
};

struct model_positions {
    size_t count;
    struct model_position *at; /* in the arena; by topic, then partition */
};

NODISCARD struct err store_generations(struct store *store, const char *service,
                                       struct arena *arena, struct generations *ret_generations);
NODISCARD struct err store_positions(struct store *store, const char *name, int64_t generation,
                                     struct arena *arena, struct model_positions *ret_positions);
/* Rows at 0 for partitions that have none yet. */
NODISCARD struct err store_positions_add(struct store *store, const struct projection *projection,
                                         int64_t generation, const char *topic, int partitions);
/* Records that this generation cannot go on, and why; tells the other workers by the catalogue.
 * ERR_DEPOSED, and nothing recorded, when somebody else leads or the catalogue is another: then it
 * was old rows that did not fit. */
NODISCARD struct err store_halt(struct store *store, const char *service, struct uuid owner,
                                int64_t catalogue, const char *name, int64_t generation,
                                const char *reason);

/* ---- generations come and go ---- */

/* An empty table without indexes, state BUILDING. */
NODISCARD struct err store_generation_create(struct store *store,
                                             const struct projection *projection,
                                             int64_t *ret_generation);
/* Primary key and indexes; statistics. */
NODISCARD struct err store_generation_index(struct store *store,
                                            const struct projection *projection,
                                            int64_t generation);
/* Begins a transaction in which the service's worker stands still until store_commit or
 * store_rollback. */
NODISCARD struct err store_hold(struct store *store, const char *service);
/* Inside store_hold: the view shows this generation, which becomes LIVE; the former one becomes
 * OLD. */
NODISCARD struct err store_generation_show(struct store *store, const struct projection *projection,
                                           int64_t generation);
NODISCARD struct err store_commit(struct store *store);
void store_rollback(struct store *store);
/* Drops the table and all that is known of it, unless it is live. */
NODISCARD struct err store_generation_drop(struct store *store, const char *name,
                                           int64_t generation);
/* Drops the view and the live table, as an operator's DROP would: the catalogue still names them.
 */
NODISCARD struct err store_model_drop(struct store *store, const char *name, int64_t generation);
/* One rebuild of a read model at a time: held until the store is closed. ERR_CONFLICT: somebody
 * else has it. */
NODISCARD struct err store_rebuild_lock(struct store *store, const char *name);
/* A read-only transaction that sees one moment; ended by store_commit. */
NODISCARD struct err store_snapshot(struct store *store);

/* ---- rows ---- */

struct store_table;
typedef void (*store_row)(void *context, const void *row); /* the row is the callee's only while
                                                              called */

/* Prepares the statements of one generation. */
NODISCARD struct err store_table_open(struct store *store, const struct projection *projection,
                                      int64_t generation, struct store_table **ret_table);
void store_table_close(struct store_table *table); /* NULL is fine */
/* The rows that have the keys of `rows`. */
NODISCARD struct err store_table_load(struct store_table *table, const void *const *rows,
                                      size_t count, store_row found, void *context);
/* All rows, in no order. */
NODISCARD struct err store_table_scan(struct store_table *table, store_row found, void *context);
/* Appends rows that are known to be new, fast; one transaction. */
NODISCARD struct err store_table_copy(struct store_table *table, const void *const *rows,
                                      size_t count);

/* ---- one unit of change: the fence, then rows, all or nothing ---- */

struct store_advance { /* one position that moves */
    ROW_TEXT(MODEL_NAME_MAX) name;
    ROW_TEXT(TOPIC_LEN_MAX) topic;
    int64_t generation;
    int32_t partition;
    int64_t from; /* the offset as it must be ... */
    int64_t to;   /* ... and becomes */
    int64_t commands_next, seen_to;
    int64_t print; /* of the decision before `to` */
};
struct store_tally { /* what a generation holds after the unit */
    ROW_TEXT(MODEL_NAME_MAX) name;
    int64_t generation, rows, digest;
};
struct store_fence {
    const char *service;
    struct uuid owner; /* nil: no lease is asked for (a generation still being built) */
    int64_t catalogue; /* what it must still be */
    int lease_ms;
    const struct store_advance *advances;
    size_t advances_count;
    const struct store_tally *tallies;
    size_t tallies_count;
};

/* Sends the fence; rows written behind it are lost when it raises. */
NODISCARD struct err store_unit_begin(struct store *store, const struct store_fence *fence);
NODISCARD struct err store_unit_write(struct store_table *table, const void *const *inserts,
                                      size_t inserts_count, const void *const *updates,
                                      size_t updates_count, const void *const *removes,
                                      size_t removes_count);
/* *ret_failed: the table whose rows were refused; NULL when it was not about rows. ERR_UNAVAILABLE
 * may also mean that the answer was lost: read the positions again. Inside store_hold nothing is
 * final before store_commit. */
NODISCARD struct err store_unit_end(struct store *store, struct store_table **ret_failed);

#endif
