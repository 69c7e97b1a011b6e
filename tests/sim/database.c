/* Tables in memory behind one lock: every unit happens at one moment, or not at all, and whoever
 * asked may never learn which. */
#include "tests/sim/database.h"

#include <assert.h>
#include <stdio.h>

#include "runtime/row.h"
#include "runtime/store.h"
#include "tests/sim/broker.h"

enum { MODELS_MAX = 16, BUCKETS = 256, TOPICS_OF_MODEL = 8, DURABLE_US = SECOND, FEW_COMMITS = 6 };

struct row_kept {
    struct row_kept *next;
    uint32_t hash;
    char bytes[]; /* the row */
};

struct model {
    const struct projection *projection;
    int64_t rows_count, tally_rows;
    uint64_t tally_digest;
    bool halted;
    char reason[MODEL_REASON_MAX + 1];
    size_t positions_count;
    struct model_position positions[TOPICS_OF_MODEL * SIM_PARTITIONS_MAX];
    struct row_kept *buckets[BUCKETS];
};

struct lease {
    struct uuid owner;
    char instance[PROC_NAME_MAX];
    int64_t until;
};

/* How to take back one change. */
struct undo {
    struct undo *next;
    enum { UNDO_ROW, UNDO_POSITION, UNDO_TALLY, UNDO_LEASE } kind;
    struct model *model;
    const void *key, *old; /* a row; old NULL: there was none */
    struct model_position *position, position_was;
    int64_t rows;
    uint64_t digest;
    struct lease lease_was;
};

struct committed {
    struct committed *before;
    int64_t at;
    struct undo *undo;
};

struct database {
    char service[24];
    int64_t down_until;
    uint32_t epoch; /* of the server: rises with each fail-over */
    int losses;
    struct lease lease;
    int64_t catalogue;
    size_t models_count;
    struct model models[MODELS_MAX];
    struct committed *commits; /* the newest first */
};

enum change_kind { CHANGE_INSERT, CHANGE_UPDATE, CHANGE_REMOVE };

struct change {
    struct change *next;
    struct model *model;
    enum change_kind kind;
    struct store_table *table;
    const void *row;
};

struct unit { /* what was sent, until it is decided */
    struct database *db;
    struct uuid owner;
    int64_t catalogue;
    int lease_ms;
    struct store_advance *advances;
    size_t advances_count;
    struct store_tally *tallies;
    size_t tallies_count;
    struct change *changes, **changes_end;
};

struct store {
    struct proc *proc;
    struct database *db;
    uint32_t epoch;
    bool dead;
    struct unit *unit;
    char message[STORE_MESSAGE_MAX];
};

struct store_table {
    struct store *store;
    struct model *model;
};

static struct database *databases[SIM_SERVICES];
static int databases_count;

void database_begin(void)
{
    databases_count = 0;
}

static struct database *database_of(const char *service)
{
    for (int i = 0; i < databases_count; i++)
        if (strcmp(databases[i]->service, service) == 0)
            return databases[i];
    assert(databases_count < SIM_SERVICES);
    struct database *db = world_alloc(sizeof *db);
    snprintf(db->service, sizeof db->service, "%s", service);
    databases[databases_count++] = db;
    return db;
}

void database_migrate(const struct projection *const *projections, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct database *db = database_of(projections[i]->service);
        assert(db->models_count < MODELS_MAX);
        db->models[db->models_count++].projection = projections[i];
    }
}

static struct model *model_named(struct database *db, const char *name)
{
    for (size_t i = 0; i < db->models_count; i++)
        if (strcmp(db->models[i].projection->name, name) == 0)
            return &db->models[i];
    return NULL;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static struct row_kept **place(struct model *m, const void *key)
{
    uint32_t hash = row_key_hash(m->projection, key);
    struct row_kept **at = &m->buckets[hash % BUCKETS];
    while (*at && !((*at)->hash == hash && row_key_equal(m->projection, (*at)->bytes, key)))
        at = &(*at)->next;
    return at;
}

static void put(struct model *m, const void *row)
{
    struct row_kept **at = place(m, row), *old = *at;
    struct row_kept *kept = world_alloc(sizeof *kept + m->projection->row_size);
    kept->hash = row_key_hash(m->projection, row);
    memcpy(kept->bytes, row, m->projection->row_size);
    kept->next = old ? old->next : NULL;
    *at = kept;
    m->rows_count += !old;
}

static void drop(struct model *m, const void *key)
{
    struct row_kept **at = place(m, key);
    if (!*at)
        return;
    *at = (*at)->next;
    m->rows_count--;
}

static const void *row_of(struct model *m, const void *key)
{
    struct row_kept *kept = *place(m, key);
    return kept ? kept->bytes : NULL;
}

/* ---- commits and their undoing -------------------------------------------------------------- */

static void commit_begin(struct database *db)
{
    struct committed *c = world_alloc(sizeof *c);
    *c = (struct committed){.before = db->commits, .at = world.now};
    db->commits = c;
}

static struct undo *undo_add(struct database *db, struct model *m)
{
    struct undo *u = world_alloc(sizeof *u);
    u->model = m;
    u->next = db->commits->undo;
    db->commits->undo = u;
    return u;
}

static void undo(struct database *db, const struct undo *u)
{
    switch (u->kind) {
    case UNDO_ROW:
        if (u->old)
            put(u->model, u->old);
        else
            drop(u->model, u->key);
        break;
    case UNDO_POSITION:
        *u->position = u->position_was;
        break;
    case UNDO_TALLY:
        u->model->tally_rows = u->rows;
        u->model->tally_digest = u->digest;
        break;
    case UNDO_LEASE:
        db->lease = u->lease_was;
        break;
    }
}

static void set_lease(struct database *db, struct uuid owner, const char *instance, int64_t until)
{
    struct undo *u = undo_add(db, NULL);
    u->kind = UNDO_LEASE;
    u->lease_was = db->lease;
    db->lease = (struct lease){.owner = owner, .until = until};
    snprintf(db->lease.instance, sizeof db->lease.instance, "%s", instance);
}

static void prolong_lease(struct database *db, int64_t until)
{
    struct lease now = db->lease;
    set_lease(db, now.owner, now.instance, until);
}

static void undo_last_commit(struct database *db)
{
    SOMETIMES(store_commits_undone);
    for (const struct undo *u = db->commits->undo; u; u = u->next)
        undo(db, u);
    db->commits = db->commits->before;
}

/* To a backup of any moment. */
static void restore_backup(struct database *db)
{
    int64_t moment = (int64_t)chance_under((uint64_t)world.now);
    SOMETIMES(store_backups_restored);
    while (db->commits && db->commits->at > moment)
        undo_last_commit(db);
    note("database %s is restored as it was at %lld", db->service, (long long)moment);
}

void database_fail_over(void)
{
    if (databases_count == 0)
        return;
    struct database *db = databases[chance_under((uint64_t)databases_count)];
    int lost = chance_one_in(2) ? 0 : (int)chance_under(FEW_COMMITS);
    SOMETIMES(store_failovers);
    db->epoch++;
    db->down_until = world.now + (int64_t)chance_under(3 * SECOND);
    db->losses += lost > 0;
    if (lost == FEW_COMMITS - 1 && chance_one_in(2)) { /* seeds without one stay as they were */
        restore_backup(db);
        return;
    }
    for (; lost > 0 && db->commits && world.now - db->commits->at < DURABLE_US; lost--)
        undo_last_commit(db);
    note("database %s fails over", db->service);
}

void database_gone(struct proc *proc)
{
    (void)proc; /* connections end with their process; what was sent may still happen */
}

/* ---- connections ---------------------------------------------------------------------------- */

static struct err cut(struct store *s)
{
    s->dead = true;
    s->unit = NULL;
    snprintf(s->message, sizeof s->message, "connection lost");
    return FAIL(ERR_UNAVAILABLE, "database");
}

static struct err statement(struct store *s)
{
    world_point();
    world_sleep((int64_t)chance_under(2 * MS));
    if (s->dead || s->epoch != s->db->epoch || world.now < s->db->down_until)
        return cut(s);
    if (fault(world.swarm.store_cut)) {
        SOMETIMES(store_cut);
        return cut(s);
    }
    return OK;
}

struct err store_open(const char *conninfo, const char *application, struct store **ret_store)
{
    (void)application;
    struct database *db = database_of(conninfo);
    world_point();
    world_sleep(MS + (int64_t)chance_under(5 * MS));
    if (world.now < db->down_until)
        return FAIL(ERR_UNAVAILABLE, "database");
    struct store *s = world_alloc(sizeof *s);
    *s = (struct store){.proc = world.current, .db = db, .epoch = db->epoch};
    *ret_store = s;
    return OK;
}

void store_close(struct store *store)
{
    (void)store;
}

const char *store_message(const struct store *store)
{
    return store->message;
}

struct err store_lease_take(struct store *s, const char *service, struct uuid owner,
                            const char *instance, bool succeeds, int lease_ms, bool *ret_held)
{
    (void)service;
    TRY(statement(s));
    struct database *db = s->db;
    *ret_held = uuid_is_nil(db->lease.owner) || uuid_equal(db->lease.owner, owner) ||
                db->lease.until < world.now ||
                (succeeds && strcmp(db->lease.instance, instance) == 0);
    if (*ret_held) {
        commit_begin(db);
        set_lease(db, owner, instance, world.now + (int64_t)lease_ms * MS);
    }
    return OK;
}

struct err store_lease_return(struct store *s, const char *service, struct uuid owner)
{
    (void)service;
    TRY(statement(s));
    if (uuid_equal(s->db->lease.owner, owner)) {
        commit_begin(s->db);
        set_lease(s->db, (struct uuid){{0}}, "", 0);
    }
    return OK;
}

/* ---- the catalogue -------------------------------------------------------------------------- */

struct err store_generations(struct store *s, const char *service, struct arena *arena,
                             struct generations *ret_generations)
{
    (void)service;
    TRY(statement(s));
    struct database *db = s->db;
    struct generation *at = arena_alloc(arena, (db->models_count + 1) * sizeof *at);
    if (!at)
        return FAIL(ERR_NOMEM, "generations");
    for (size_t i = 0; i < db->models_count; i++) {
        const struct model *m = &db->models[i];
        at[i] = (struct generation){.number = 1,
                                    .version = m->projection->version,
                                    .state = GENERATION_LIVE,
                                    .halted = m->halted,
                                    .table = true,
                                    .rows = m->tally_rows,
                                    .digest = m->tally_digest};
        snprintf(at[i].name, sizeof at[i].name, "%s", m->projection->name);
        snprintf(at[i].reason, sizeof at[i].reason, "%s", m->reason);
    }
    *ret_generations =
        (struct generations){.count = db->models_count, .at = at, .catalogue = db->catalogue};
    return OK;
}

struct err store_positions(struct store *s, const char *name, int64_t generation,
                           struct arena *arena, struct model_positions *ret_positions)
{
    (void)generation;
    TRY(statement(s));
    struct model *m = model_named(s->db, name);
    struct model_position *at = arena_alloc(arena, (m->positions_count + 1) * sizeof *at);
    if (!at)
        return FAIL(ERR_NOMEM, "positions");
    memcpy(at, m->positions, m->positions_count * sizeof *at);
    *ret_positions = (struct model_positions){m->positions_count, at};
    return OK;
}

static struct model_position *position_of(struct model *m, const char *topic, int partition)
{
    for (size_t i = 0; i < m->positions_count; i++)
        if (m->positions[i].partition == partition && strcmp(m->positions[i].topic, topic) == 0)
            return &m->positions[i];
    return NULL;
}

struct err store_positions_add(struct store *s, const struct projection *projection,
                               int64_t generation, const char *topic, int partitions)
{
    (void)generation;
    TRY(statement(s));
    struct model *m = model_named(s->db, projection->name);
    for (int p = 0; p < partitions; p++) {
        if (position_of(m, topic, p))
            continue;
        struct model_position *at = &m->positions[m->positions_count++];
        *at = (struct model_position){.partition = p};
        snprintf(at->topic, sizeof at->topic, "%s", topic);
    }
    return OK;
}

struct err store_halt(struct store *s, const char *service, struct uuid owner, int64_t catalogue,
                      const char *name, int64_t generation, const char *reason)
{
    (void)service;
    (void)generation;
    TRY(statement(s));
    if (!uuid_equal(s->db->lease.owner, owner) || s->db->catalogue != catalogue) {
        SOMETIMES(store_fence_owner);
        return FAIL(ERR_DEPOSED, "another owner or another catalogue");
    }
    struct model *m = model_named(s->db, name);
    m->halted = true;
    snprintf(m->reason, sizeof m->reason, "%s", reason);
    s->db->catalogue++;
    return OK;
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct err store_table_open(struct store *s, const struct projection *projection,
                            int64_t generation, struct store_table **ret_table)
{
    (void)generation;
    TRY(statement(s));
    struct store_table *table = world_alloc(sizeof *table);
    *table = (struct store_table){s, model_named(s->db, projection->name)};
    *ret_table = table;
    return OK;
}

void store_table_close(struct store_table *table)
{
    (void)table;
}

struct err store_table_load(struct store_table *table, const void *const *rows, size_t count,
                            store_row found, void *context)
{
    TRY(statement(table->store));
    for (size_t i = 0; i < count; i++) {
        const void *row = row_of(table->model, rows[i]);
        if (row)
            found(context, row);
    }
    return OK;
}

struct err store_table_scan(struct store_table *table, store_row found, void *context)
{
    TRY(statement(table->store));
    for (int b = 0; b < BUCKETS; b++)
        for (const struct row_kept *kept = table->model->buckets[b]; kept; kept = kept->next)
            found(context, kept->bytes);
    return OK;
}

/* ---- units ---------------------------------------------------------------------------------- */

static void *copied(const void *from, size_t size)
{
    void *copy = world_alloc(size ? size : 1);
    if (size)
        memcpy(copy, from, size);
    return copy;
}

struct err store_unit_begin(struct store *s, const struct store_fence *fence)
{
    TRY(statement(s));
    struct unit *u = world_alloc(sizeof *u);
    *u = (struct unit){
        .db = s->db,
        .owner = fence->owner,
        .catalogue = fence->catalogue,
        .lease_ms = fence->lease_ms,
        .advances = copied(fence->advances, fence->advances_count * sizeof *fence->advances),
        .advances_count = fence->advances_count,
        .tallies = copied(fence->tallies, fence->tallies_count * sizeof *fence->tallies),
        .tallies_count = fence->tallies_count,
    };
    u->changes_end = &u->changes;
    s->unit = u;
    return OK;
}

static void add_changes(struct store_table *table, const void *const *rows, size_t count,
                        enum change_kind kind)
{
    struct unit *u = table->store->unit;
    for (size_t i = 0; i < count; i++) {
        struct change *c = world_alloc(sizeof *c);
        c->model = table->model;
        c->table = table;
        c->kind = kind;
        c->row = copied(rows[i], table->model->projection->row_size);
        *u->changes_end = c;
        u->changes_end = &c->next;
    }
}

struct err store_unit_write(struct store_table *table, const void *const *inserts,
                            size_t inserts_count, const void *const *updates, size_t updates_count,
                            const void *const *removes, size_t removes_count)
{
    if (!table->store->unit)
        return cut(table->store);
    add_changes(table, inserts, inserts_count, CHANGE_INSERT);
    add_changes(table, updates, updates_count, CHANGE_UPDATE);
    add_changes(table, removes, removes_count, CHANGE_REMOVE);
    return OK;
}

static bool name_is(uint16_t len, const char *at, const char *name)
{
    return text_is((struct text){at, len}, name);
}

static struct model_position *advanced(struct database *db, const struct store_advance *a)
{
    for (size_t i = 0; i < db->models_count; i++) {
        struct model *m = &db->models[i];
        if (!name_is(a->name.len, a->name.at, m->projection->name))
            continue;
        for (size_t k = 0; k < m->positions_count; k++)
            if (m->positions[k].partition == a->partition &&
                name_is(a->topic.len, a->topic.at, m->positions[k].topic))
                return &m->positions[k];
    }
    return NULL;
}

static struct err judge(const struct unit *u)
{
    struct database *db = u->db;
    if (!uuid_is_nil(u->owner) &&
        (!uuid_equal(db->lease.owner, u->owner) || db->catalogue != u->catalogue)) {
        SOMETIMES(store_fence_owner);
        return FAIL(ERR_DEPOSED, "another owner or another catalogue");
    }
    for (size_t i = 0; i < u->advances_count; i++) {
        const struct model_position *p = advanced(db, &u->advances[i]);
        if (!p || p->done.offset != u->advances[i].from)
            return FAIL(ERR_DEPOSED, "another position");
    }
    return OK;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void move_positions(struct database *db, const struct unit *u)
{
    for (size_t i = 0; i < u->advances_count; i++) {
        const struct store_advance *a = &u->advances[i];
        struct model_position *p = advanced(db, a);
        struct undo *back = undo_add(db, NULL);
        back->kind = UNDO_POSITION;
        back->position = p;
        back->position_was = *p;
        p->done = (struct position){a->to, (uint64_t)a->print};
        p->commands_next = later(p->commands_next, a->commands_next);
        p->seen_to = later(p->seen_to, a->seen_to);
    }
    for (size_t i = 0; i < u->tallies_count; i++)
        for (size_t k = 0; k < db->models_count; k++) {
            struct model *m = &db->models[k];
            const struct store_tally *t = &u->tallies[i];
            if (!name_is(t->name.len, t->name.at, m->projection->name))
                continue;
            struct undo *back = undo_add(db, m);
            back->kind = UNDO_TALLY;
            back->rows = m->tally_rows;
            back->digest = m->tally_digest;
            m->tally_rows = t->rows;
            m->tally_digest = (uint64_t)t->digest;
        }
}

static void change_row(struct database *db, const struct change *c)
{
    const void *old = row_of(c->model, c->row);
    struct undo *back = undo_add(db, c->model);
    back->kind = UNDO_ROW;
    back->key = c->row;
    back->old = old;
    if (c->kind == CHANGE_REMOVE)
        drop(c->model, c->row);
    else if (c->kind == CHANGE_INSERT || old)
        put(c->model, c->row);
}

static struct err apply(const struct unit *u, struct store_table **ret_failed)
{
    struct database *db = u->db;
    *ret_failed = NULL;
    TRY(judge(u));
    for (const struct change *c = u->changes; c; c = c->next)
        if (c->kind == CHANGE_INSERT && row_of(c->model, c->row)) {
            *ret_failed = c->table;
            return FAIL(ERR_REFUSED, "duplicate key");
        }
    commit_begin(db);
    if (!uuid_is_nil(u->owner))
        prolong_lease(db, world.now + (int64_t)u->lease_ms * MS);
    move_positions(db, u);
    for (const struct change *c = u->changes; c; c = c->next)
        change_row(db, c);
    trace(0xdb, u->advances_count);
    return OK;
}

struct late_unit {
    struct unit *unit;
    uint32_t epoch;
};

static void on_late_unit(void *context, uint64_t unused, uint64_t unused2)
{
    struct late_unit *late = context;
    struct store_table *failed;
    (void)unused;
    (void)unused2;
    if (late->epoch == late->unit->db->epoch && apply(late->unit, &failed).code == ERR_OK)
        SOMETIMES(store_commit_lost_applied);
}

/* The answer is lost: it happened, it never will, or it does a little later. */
static struct err lose_commit(struct store *s)
{
    struct store_table *failed;
    struct unit *u = s->unit;
    uint64_t fate = chance_under(3);
    if (fate == 0) {
        if (apply(u, &failed).code == ERR_OK)
            SOMETIMES(store_commit_lost_applied);
    } else if (fate == 1) {
        SOMETIMES(store_commit_lost_dropped);
    } else {
        struct late_unit *late = world_alloc(sizeof *late);
        *late = (struct late_unit){u, s->epoch};
        world_after((int64_t)chance_under(5 * SECOND), on_late_unit, late, 0, 0);
    }
    return cut(s);
}

struct err store_unit_end(struct store *s, struct store_table **ret_failed)
{
    *ret_failed = NULL;
    if (!s->unit)
        return cut(s);
    TRY(statement(s));
    if (fault(world.swarm.store_commit_lost))
        return lose_commit(s);
    if (fault(world.swarm.store_40001)) {
        SOMETIMES(store_40001);
        s->unit = NULL;
        return FAIL(ERR_UNAVAILABLE, "could not serialize access");
    }
    struct unit *u = s->unit;
    s->unit = NULL;
    struct err e = apply(u, ret_failed);
    snprintf(s->message, sizeof s->message, "%s", e.code == ERR_OK ? "" : e.what);
    if (e.code == ERR_OK)
        world_point(); /* done, but perhaps nobody lives to hear it */
    return e;
}

/* ---- seen from outside ---------------------------------------------------------------------- */

static struct model *model_of(const struct projection *projection)
{
    for (int i = 0; i < databases_count; i++)
        if (strcmp(databases[i]->service, projection->service) == 0)
            return model_named(databases[i], projection->name);
    return NULL;
}

bool database_has(const struct projection *projection)
{
    return model_of(projection) != NULL;
}

const void *database_row(const struct projection *projection, const void *key)
{
    return row_of(model_of(projection), key);
}

size_t database_rows(const struct projection *projection)
{
    return (size_t)model_of(projection)->rows_count;
}

void database_each(const struct projection *projection, void (*fn)(void *, const void *),
                   void *context)
{
    const struct model *m = model_of(projection);
    for (int b = 0; b < BUCKETS; b++)
        for (const struct row_kept *kept = m->buckets[b]; kept; kept = kept->next)
            fn(context, kept->bytes);
}

int64_t database_commands_next(const struct projection *projection, const char *topic,
                               int partition)
{
    const struct model_position *p = position_of(model_of(projection), topic, partition);
    return p ? p->commands_next : 0;
}

int64_t database_next_offset(const struct projection *projection, const char *topic, int partition)
{
    const struct model_position *p = position_of(model_of(projection), topic, partition);
    return p ? p->done.offset : 0;
}

bool database_tally_is(const struct projection *projection, int64_t rows, uint64_t digest)
{
    const struct model *m = model_of(projection);
    return m->tally_rows == rows && m->tally_digest == digest;
}

int database_losses(const char *service)
{
    return database_of(service)->losses;
}
