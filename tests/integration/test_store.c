/* Read models on a real PostgreSQL (FOLDLOG_TEST_PG: conninfo of a superuser) over logs in memory:
 * however they are folded, killed, fenced, dropped or rebuilt, the tables are what the logs say. */
#include <check.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "projections/projections.h"
#include "runtime/clock.h"
#include "runtime/migrate.h"
#include "runtime/models.h"
#include "runtime/projection_worker.h"
#include "runtime/query.h"
#include "runtime/rebuild.h"
#include "schemas/product.h"
#include "tests/support/trade.h"

enum { TIMEOUT_S = 60, PATIENCE_MS = 20000, SKIPPED = 77 };

static const char *const services[] = {"fulfilment", "inventory", "order",
                                       "payment",    "product",   "user"};
static struct trade *trade;
static char server[512];
static const struct databases homes = {.server = server};
static char conninfos[TRADE_SERVICES][600];
static int run; /* names the databases of this run */
static int databases;

/* ---- databases ---- */

static PGconn *pg_to(const char *conninfo)
{
    PGconn *pg = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(pg) == CONNECTION_OK, "%s", PQerrorMessage(pg));
    return pg;
}

static long long sql_to(const char *conninfo, const char *sql)
{
    PGconn *pg = pg_to(conninfo);
    PGresult *r = PQexec(pg, sql);
    ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK,
                  "%s: %s", sql, PQerrorMessage(pg));
    long long value = PQntuples(r) == 1 ? atoll(PQgetvalue(r, 0, 0)) : 0;
    PQclear(r);
    PQfinish(pg);
    return value;
}

static struct migrate_options migration(void)
{
    return (struct migrate_options){
        .databases = &homes, .projections = projections, .projections_count = projections_count};
}

static void make_database(enum trade_service s)
{
    char sql[200], name[64];
    struct migrate_options options = migration();
    snprintf(name, sizeof name, "store_test_%d_%d_%d", run, (int)getpid(), databases++);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0", name);
    sql_to(server, sql);
    snprintf(conninfos[s], sizeof conninfos[s], "%s dbname=%s", server, name);
    struct err err = migrate_service(conninfos[s], services[s], &options);
    ck_assert_msg(err.code == ERR_OK, "%s", err.what);
}

static void setup(void)
{
    trade = trade_create(1);
    for (int s = 0; s < TRADE_SERVICES; s++)
        make_database((enum trade_service)s);
}

static void teardown(void)
{
    char sql[700];
    for (int s = 0; s < TRADE_SERVICES; s++) {
        snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)",
                 strstr(conninfos[s], "store_test_"));
        sql_to(server, sql);
    }
    trade_destroy(trade);
}

/* ---- workers ---- */

struct running {
    pthread_t thread;
    atomic_bool stop;
    struct projection_worker_status status;
    struct projection_worker_options options;
    struct err err;
};

static void *run_worker(void *arg)
{
    struct running *r = arg;
    r->err = projection_worker_run(&r->options);
    return NULL;
}

static void prepare_worker(struct running *r, enum trade_service s, size_t cache_bytes)
{
    *r = (struct running){0};
    r->options = (struct projection_worker_options){.service = services[s],
                                                    .log = trade_log(trade),
                                                    .conninfo = conninfos[s],
                                                    .instance = "test",
                                                    .projections = projections,
                                                    .projections_count = projections_count,
                                                    .vocabularies = &trade_vocabularies,
                                                    .stop = &r->stop,
                                                    .cache_bytes = cache_bytes,
                                                    .status = &r->status};
}

static void launch_worker(struct running *r)
{
    ck_assert_int_eq(pthread_create(&r->thread, NULL, run_worker, r), 0);
}

static void start_worker(struct running *r, enum trade_service s, size_t cache_bytes)
{
    prepare_worker(r, s, cache_bytes);
    launch_worker(r);
}

static void stop_worker(struct running *r)
{
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    ck_assert_int_eq(r->err.code, ERR_OK);
}

/* ---- what is expected ---- */

static struct models_options look_at(enum trade_service s)
{
    return (struct models_options){
        .log = trade_log(trade), .conninfo = conninfos[s], .vocabularies = &trade_vocabularies};
}

static bool is_of(const struct projection *projection, enum trade_service s)
{
    return strcmp(projection->service, services[s]) == 0;
}

static struct model_info info_of(enum trade_service s, const struct projection *projection)
{
    struct model_info info;
    struct models_options options = look_at(s);
    struct err err = models_list(&options, &projection, 1, &info);
    ck_assert_msg(err.code == ERR_OK, "%s", err.what);
    return info;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void wait_until(bool (*holds)(enum trade_service, const struct projection *),
                       enum trade_service s, const struct projection *projection)
{
    int64_t end = clock_monotonic_ms() + PATIENCE_MS;
    while (!holds(s, projection)) {
        ck_assert_msg(clock_monotonic_ms() < end, "%s of %s: not in time", projection->name,
                      services[s]);
        pause_ms(5);
    }
}

static bool is_caught_up(enum trade_service s, const struct projection *projection)
{
    return info_of(s, projection).lag == 0;
}

static bool is_halted(enum trade_service s, const struct projection *projection)
{
    return info_of(s, projection).generation.halted;
}

static void wait_for_all(enum trade_service s)
{
    for (size_t i = 0; i < projections_count; i++)
        if (is_of(projections[i], s))
            wait_until(is_caught_up, s, projections[i]);
}

static void must_be_the_fold(enum trade_service s, const struct projection *projection)
{
    struct models_options options = look_at(s);
    struct verify_report report;
    int64_t rows;
    uint64_t digest;
    struct err err = models_verify(&options, projection, &report);
    ck_assert_msg(err.code == ERR_OK, "%s: %s %s", projection->name, err.what, report.failure);
    ck_assert_msg(report.equal, "%s: %s", projection->name, report.difference);
    ck_assert_int_gt(report.rows, 0);
    ck_assert_int_eq(report.rows, report.expected_rows);
    ck_assert_uint_eq(report.digest, report.expected_digest);
    struct model_info info = info_of(s, projection);
    ck_assert_int_eq(info.generation.rows, report.rows); /* kept step by step */
    ck_assert_uint_eq(info.generation.digest, report.digest);
    err = models_digest(&options, projection, &rows, &digest);
    ck_assert_int_eq(err.code, ERR_OK);
    ck_assert_uint_eq(digest, report.digest);
}

static void all_must_be_the_fold(enum trade_service s)
{
    for (size_t i = 0; i < projections_count; i++)
        if (is_of(projections[i], s))
            must_be_the_fold(s, projections[i]);
}

/* ---- folding ---- */

START_TEST(live_tables_are_the_fold)
{
    static const size_t caches[] = {0, 1, 20000}; /* all, none, some */
    struct running workers[TRADE_SERVICES];
    trade_orders(trade, 100);
    for (int s = 0; s < TRADE_SERVICES; s++)
        start_worker(&workers[s], (enum trade_service)s, caches[_i]);
    trade_orders(trade, 200);
    for (int s = 0; s < TRADE_SERVICES; s++) {
        wait_for_all((enum trade_service)s);
        all_must_be_the_fold((enum trade_service)s);
        stop_worker(&workers[s]);
    }
    ck_assert_int_eq(sql_to(conninfos[TRADE_ORDER], "SELECT count(*) FROM orders"), 300);
    ck_assert_int_eq(sql_to(conninfos[TRADE_ORDER], "SELECT count(*) FROM order_lines"), 600);
    ck_assert_int_eq(sql_to(conninfos[TRADE_INVENTORY],
                            "SELECT count(*) FROM stock WHERE on_hand + reserved + "
                            "committed <> received + adjusted"),
                     0);
}
END_TEST

static void die_now_and_then(void *context)
{
    int *left = context;
    if ((*left)-- == 0)
        raise(SIGKILL);
}

/* A worker in a process of its own that dies at its n-th commit, or when it has caught up. */
static int run_and_die(enum trade_service s, int commits, size_t cache_bytes)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct running r;
        prepare_worker(&r, s, cache_bytes);
        r.options.before_commit = die_now_and_then;
        r.options.context = &commits;
        pthread_create(&r.thread, NULL, run_worker, &r);
        while (!atomic_load(&r.status.caught_up))
            pause_ms(2);
        atomic_store(&r.stop, true);
        pthread_join(r.thread, NULL);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return status;
}

static void expire_lease(enum trade_service s)
{
    sql_to(conninfos[s], "UPDATE projection_lease SET until = '-infinity'");
}

START_TEST(kill_9_in_mid_batch_loses_and_doubles_nothing)
{
    int deaths = 0;
    for (int round = 0; round < 40; round++) {
        trade_orders(trade, 60);
        deaths += run_and_die(TRADE_ORDER, round % 3, round % 2 ? 0 : 4000) != 0;
        expire_lease(TRADE_ORDER);
    }
    ck_assert_int_gt(deaths, 10);
    ck_assert_int_eq(run_and_die(TRADE_ORDER, -1, 0), 0);
    wait_for_all(TRADE_ORDER);
    all_must_be_the_fold(TRADE_ORDER);
}
END_TEST

START_TEST(connections_cut_at_any_moment_lose_nothing)
{
    struct running worker;
    start_worker(&worker, TRADE_FULFILMENT, 8000);
    for (int i = 0; i < 60; i++) {
        trade_orders(trade, 10);
        sql_to(conninfos[TRADE_FULFILMENT],
               "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
               " WHERE datname = current_database() AND application_name = 'test'");
        pause_ms(i % 7 * 3);
    }
    wait_for_all(TRADE_FULFILMENT);
    all_must_be_the_fold(TRADE_FULFILMENT);
    stop_worker(&worker);
}
END_TEST

/* ---- fencing ---- */

static atomic_int gate; /* 1: stand before the commit; 2: go on */
static void stand_before_commit(void *context)
{
    (void)context;
    int open = 0;
    if (!atomic_compare_exchange_strong(&gate, &open, 1))
        return;
    while (atomic_load(&gate) != 2)
        pause_ms(2);
}

START_TEST(who_lost_the_lease_writes_nothing)
{
    struct running zombie, heir;
    atomic_store(&gate, 2);
    prepare_worker(&zombie, TRADE_ORDER, 0);
    zombie.options.before_commit = stand_before_commit;
    launch_worker(&zombie);
    wait_for_all(TRADE_ORDER);
    atomic_store(&gate, 0);
    trade_orders(trade, 1); /* so small a unit is still all in the client */
    while (atomic_load(&gate) != 1)
        pause_ms(2);
    expire_lease(TRADE_ORDER); /* it sleeps with a batch in hand */
    start_worker(&heir, TRADE_ORDER, 0);
    wait_for_all(TRADE_ORDER);
    trade_orders(trade, 50);
    wait_for_all(TRADE_ORDER);
    long long rows = sql_to(conninfos[TRADE_ORDER], "SELECT count(*) FROM orders");
    atomic_store(&gate, 2);
    pause_ms(200);
    ck_assert(!atomic_load(&zombie.status.leader));
    ck_assert(atomic_load(&heir.status.leader));
    ck_assert_int_eq(sql_to(conninfos[TRADE_ORDER], "SELECT count(*) FROM orders"), rows);
    all_must_be_the_fold(TRADE_ORDER);
    stop_worker(&heir);
    trade_orders(trade, 10);
    wait_for_all(TRADE_ORDER); /* the lease was given back: the other one has it again */
    all_must_be_the_fold(TRADE_ORDER);
    stop_worker(&zombie);
}
END_TEST

/* It has sent more than libpq keeps: the database holds the lock of its unit for it. */
START_TEST(who_stands_in_a_unit_holds_up_nobody)
{
    struct running zombie, heir;
    atomic_store(&gate, 0);
    trade_orders(trade, 400);
    prepare_worker(&zombie, TRADE_ORDER, 0);
    zombie.options.before_commit = stand_before_commit;
    launch_worker(&zombie);
    while (atomic_load(&gate) != 1)
        pause_ms(2);
    prepare_worker(&heir, TRADE_ORDER, 0);
    heir.options.instance = "heir";
    launch_worker(&heir);
    wait_for_all(TRADE_ORDER);
    ck_assert(atomic_load(&heir.status.leader));
    atomic_store(&gate, 2);
    stop_worker(&zombie);
    stop_worker(&heir);
    all_must_be_the_fold(TRADE_ORDER);
}
END_TEST

START_TEST(a_standby_takes_over_when_the_lease_runs_out)
{
    struct running standby;
    trade_orders(trade, 30);
    ck_assert_int_ne(run_and_die(TRADE_ORDER, 0, 0), 0);
    prepare_worker(&standby, TRADE_ORDER, 0);
    standby.options.instance = "standby";
    launch_worker(&standby);
    pause_ms(1000);
    ck_assert(!atomic_load(&standby.status.leader)); /* not before it has run out */
    wait_for_all(TRADE_ORDER);
    all_must_be_the_fold(TRADE_ORDER);
    stop_worker(&standby);
}
END_TEST

/* What it holds for a broken log were rows that somebody else has moved on from. */
START_TEST(the_halt_of_who_lost_the_lease_counts_for_nothing)
{
    static const struct uuid first = {{1}}, second = {{2}};
    const char *model = orders_projection.name;
    struct running worker;
    struct store *store;
    bool held;
    trade_orders(trade, 5);
    start_worker(&worker, TRADE_ORDER, 0);
    wait_for_all(TRADE_ORDER);
    stop_worker(&worker);
    ck_assert_int_eq(store_open(conninfos[TRADE_ORDER], "test", &store).code, ERR_OK);
    ck_assert_int_eq(store_lease_take(store, "order", first, "a", false, 6000, &held).code, ERR_OK);
    ck_assert(held);
    int64_t catalogue = sql_to(conninfos[TRADE_ORDER],
                               "SELECT catalogue FROM projection_lease WHERE service = 'order'");
    int64_t generation = info_of(TRADE_ORDER, &orders_projection).generation.number;
    expire_lease(TRADE_ORDER);
    ck_assert_int_eq(store_lease_take(store, "order", second, "b", false, 6000, &held).code,
                     ERR_OK);
    ck_assert(held);
    ck_assert_int_eq(store_halt(store, "order", first, catalogue, model, generation, "?").code,
                     ERR_DEPOSED);
    ck_assert_int_eq(store_halt(store, "order", second, catalogue - 1, model, generation, "?").code,
                     ERR_DEPOSED);
    ck_assert(!is_halted(TRADE_ORDER, &orders_projection));
    ck_assert_int_eq(store_halt(store, "order", second, catalogue, model, generation, "?").code,
                     ERR_OK);
    ck_assert(is_halted(TRADE_ORDER, &orders_projection));
    store_close(store);
}
END_TEST

/* Who was killed and started again does not wait for its own lease to run out. */
START_TEST(a_restarted_process_succeeds_itself)
{
    static const struct uuid killed = {{1}}, again = {{2}}, other = {{3}};
    struct store *store;
    bool held;
    ck_assert_int_eq(store_open(conninfos[TRADE_ORDER], "test", &store).code, ERR_OK);
    ck_assert_int_eq(store_lease_take(store, "order", killed, "a", true, 6000, &held).code, ERR_OK);
    ck_assert(held);
    ck_assert_int_eq(store_lease_take(store, "order", other, "b", true, 6000, &held).code, ERR_OK);
    ck_assert(!held);
    ck_assert_int_eq(store_lease_take(store, "order", again, "a", true, 6000, &held).code, ERR_OK);
    ck_assert(held);
    /* and a former process that was only paused does not take it back */
    ck_assert_int_eq(store_lease_take(store, "order", killed, "a", false, 6000, &held).code,
                     ERR_OK);
    ck_assert(!held);
    store_close(store);
}
END_TEST

/* ---- rebuilding ---- */

static struct rebuild_report rebuild_it(enum trade_service s, const struct projection *projection,
                                        size_t max_rows)
{
    struct rebuild_report report;
    struct rebuild_options options = {.projection = projection,
                                      .log = trade_log(trade),
                                      .conninfo = conninfos[s],
                                      .vocabularies = &trade_vocabularies,
                                      .max_rows = max_rows};
    struct err err = rebuild(&options, &report);
    ck_assert_msg(err.code == ERR_OK, "%s: %s %s", projection->name, err.what, report.failure);
    return report;
}

START_TEST(rebuilt_tables_equal_live_ones_in_little_memory)
{
    struct running worker;
    trade_orders(trade, 200);
    for (int s = 0; s < TRADE_SERVICES; s++) {
        enum trade_service service = (enum trade_service)s;
        start_worker(&worker, service, 0);
        wait_for_all(service);
        for (size_t i = 0; i < projections_count; i++) {
            if (!is_of(projections[i], service))
                continue;
            struct rebuild_report report = rebuild_it(service, projections[i], _i ? 30 : 0);
            ck_assert(report.compared);
            ck_assert_msg(report.equal, "%s", projections[i]->name);
            ck_assert(_i == 0 || report.rows <= 30 || report.passes > 1);
            ck_assert_int_eq(info_of(service, projections[i]).generation.number, report.generation);
            must_be_the_fold(service, projections[i]);
        }
        stop_worker(&worker);
    }
}
END_TEST

static atomic_bool trading;
static void *trade_on(void *arg)
{
    (void)arg;
    while (atomic_load(&trading)) {
        trade_orders(trade, 5);
        pause_ms(10);
    }
    return NULL;
}

struct reading {
    atomic_bool stop;
    int64_t reads, fewer, errors, most;
};

static void *read_view(void *arg)
{
    static _Thread_local char memory[65536];
    struct reading *r = arg;
    struct query_connection *connection;
    struct err err = query_open(conninfos[TRADE_ORDER], &connection);
    while (err.code == ERR_OK && !atomic_load(&r->stop)) {
        struct arena arena = {.base = memory, .size = sizeof memory};
        struct query_rows rows;
        struct err ran = query_run(connection, "SELECT count(*), min(status) FROM orders", NULL, 0,
                                   &arena, &rows);
        r->reads++;
        r->errors += ran.code != ERR_OK;
        if (ran.code != ERR_OK)
            continue;
        r->fewer += query_at(&rows, 0, 0)->number < r->most;
        r->most = query_at(&rows, 0, 0)->number;
    }
    query_close(connection);
    return NULL;
}

START_TEST(readers_and_the_worker_go_on_while_it_is_swapped)
{
    struct running worker;
    struct reading reading = {0};
    pthread_t reader, trader;
    trade_orders(trade, 100);
    start_worker(&worker, TRADE_ORDER, 0);
    wait_for_all(TRADE_ORDER);
    atomic_store(&trading, true);
    pthread_create(&trader, NULL, trade_on, NULL);
    pthread_create(&reader, NULL, read_view, &reading);
    size_t few = 40; /* rows in memory at once, so that it takes several passes */
    for (int i = 0; i < 15; i++) {
        struct rebuild_report report = rebuild_it(TRADE_ORDER, &orders_projection, i % 2 ? few : 0);
        few = 40 + (size_t)report.rows / 4;
        ck_assert_msg(!report.compared || report.equal, "round %d", i);
    }
    atomic_store(&trading, false);
    pthread_join(trader, NULL);
    wait_for_all(TRADE_ORDER);
    atomic_store(&reading.stop, true);
    pthread_join(reader, NULL);
    ck_assert_int_gt(reading.reads, 100);
    ck_assert_int_eq(reading.errors, 0);
    ck_assert_int_eq(reading.fewer, 0); /* never an older state */
    all_must_be_the_fold(TRADE_ORDER);
    ck_assert_int_eq(sql_to(conninfos[TRADE_ORDER],
                            "SELECT count(*) FROM projection_version WHERE projection = 'orders'"),
                     1);
    stop_worker(&worker);
}
END_TEST

START_TEST(a_dropped_one_comes_back_the_same)
{
    struct running worker;
    struct models_options look = look_at(TRADE_ORDER);
    int64_t rows[2];
    uint64_t digest[2];
    trade_orders(trade, 120);
    start_worker(&worker, TRADE_ORDER, 0);
    wait_for_all(TRADE_ORDER);
    ck_assert_int_eq(models_digest(&look, &orders_projection, &rows[0], &digest[0]).code, ERR_OK);
    ck_assert_int_eq(models_drop(&look, &orders_projection).code, ERR_OK);
    ck_assert_int_eq(info_of(TRADE_ORDER, &orders_projection).state, MODEL_STATE_DROPPED);
    ck_assert_int_eq(models_digest(&look, &orders_projection, &rows[1], &digest[1]).code,
                     ERR_NOT_FOUND);
    struct rebuild_report report = rebuild_it(TRADE_ORDER, &orders_projection, 0);
    ck_assert_int_eq(models_digest(&look, &orders_projection, &rows[1], &digest[1]).code, ERR_OK);
    ck_assert_int_eq(rows[0], rows[1]);
    ck_assert_uint_eq(digest[0], digest[1]);
    ck_assert_uint_eq(report.digest, digest[0]);
    trade_orders(trade, 30); /* and it goes on */
    wait_for_all(TRADE_ORDER);
    all_must_be_the_fold(TRADE_ORDER);
    ck_assert_int_eq(sql_to(conninfos[TRADE_ORDER], "SELECT count(*) FROM orders"), 150);
    stop_worker(&worker);
}
END_TEST

START_TEST(a_dropped_one_that_meets_an_event_halts_alone_until_rebuilt)
{
    struct running worker;
    struct models_options look = look_at(TRADE_ORDER);
    trade_orders(trade, 20);
    start_worker(&worker, TRADE_ORDER, 0);
    wait_for_all(TRADE_ORDER);
    ck_assert_int_eq(models_drop(&look, &orders_projection).code, ERR_OK);
    trade_orders(trade, 20);
    wait_until(is_halted, TRADE_ORDER, &orders_projection);
    wait_until(is_caught_up, TRADE_ORDER, &order_lines_projection);
    must_be_the_fold(TRADE_ORDER, &order_lines_projection);
    rebuild_it(TRADE_ORDER, &orders_projection, 0);
    wait_for_all(TRADE_ORDER);
    all_must_be_the_fold(TRADE_ORDER);
    stop_worker(&worker);
}
END_TEST

static void die_at_swap(void *context, const struct rebuild_progress *progress)
{
    if (progress->phase == *(enum rebuild_phase *)context)
        raise(SIGKILL);
}

START_TEST(a_rebuild_that_is_killed_leaves_the_old_one_in_place)
{
    struct running worker;
    enum rebuild_phase phase = (enum rebuild_phase)_i;
    trade_orders(trade, 60);
    start_worker(&worker, TRADE_PAYMENT, 0);
    wait_for_all(TRADE_PAYMENT);
    int64_t generation = info_of(TRADE_PAYMENT, &payments_projection).generation.number;
    pid_t child = fork();
    if (child == 0) {
        struct rebuild_report report;
        struct rebuild_options options = {.projection = &payments_projection,
                                          .log = trade_log(trade),
                                          .conninfo = conninfos[TRADE_PAYMENT],
                                          .vocabularies = &trade_vocabularies,
                                          .progress = die_at_swap,
                                          .context = &phase};
        struct err err = rebuild(&options, &report);
        _exit(err.code == ERR_OK ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(info_of(TRADE_PAYMENT, &payments_projection).generation.number, generation);
    trade_orders(trade, 20);
    wait_for_all(TRADE_PAYMENT);
    must_be_the_fold(TRADE_PAYMENT, &payments_projection);
    rebuild_it(TRADE_PAYMENT, &payments_projection, 0);
    must_be_the_fold(TRADE_PAYMENT, &payments_projection);
    ck_assert_int_eq(sql_to(conninfos[TRADE_PAYMENT],
                            "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'payments_g%'"),
                     1);
    stop_worker(&worker);
}
END_TEST

/* The same table under another version of the fold, with a column less. */
START_TEST(a_new_version_with_other_columns_takes_the_view_over)
{
    struct projection narrow = stock_projection;
    struct rebuild_report report;
    narrow.version = 2;
    narrow.columns_count--; /* updated_at is the last */
    trade_orders(trade, 40);
    struct running worker;
    start_worker(&worker, TRADE_INVENTORY, 0);
    wait_for_all(TRADE_INVENTORY);
    struct rebuild_options options = {.projection = &narrow,
                                      .log = trade_log(trade),
                                      .conninfo = conninfos[TRADE_INVENTORY],
                                      .vocabularies = &trade_vocabularies};
    ck_assert_int_eq(rebuild(&options, &report).code, ERR_OK);
    ck_assert(!report.compared);
    ck_assert_int_eq(sql_to(conninfos[TRADE_INVENTORY], "SELECT count(*) FROM stock"),
                     TRADE_PRODUCTS);
    ck_assert_int_eq(sql_to(conninfos[TRADE_INVENTORY],
                            "SELECT count(*) FROM information_schema.columns"
                            " WHERE table_name = 'stock' AND column_name = 'updated_at'"),
                     0);
    ck_assert_int_eq(info_of(TRADE_INVENTORY, &stock_projection).state, MODEL_STATE_OUTDATED);
    trade_orders(trade, 10);
    wait_until(is_caught_up, TRADE_INVENTORY, &inventory_commands_projection); /* the worker leaves
                                                                                  it alone */
    stop_worker(&worker);
}
END_TEST

/* ---- verifying ---- */

START_TEST(verify_finds_what_was_changed_by_hand)
{
    static const struct {
        const char *sql, *says;
    } cases[] = {
        {"UPDATE products_g1 SET price = price + 1 WHERE sku = 'sku-4'",
         "sku=sku-4: price is '501', the log says '500'"},
        {"DELETE FROM products_g1 WHERE sku = 'sku-4'", "sku=sku-4: is missing from the table"},
        {"INSERT INTO products_g1 SELECT 'sku-x', name, price, currency, status, merchant_id, "
         "added_at, updated_at, version"
         " FROM products_g1 WHERE sku = 'sku-4'",
         "sku=sku-x: is in the table, the log has no such row"},
    };
    struct running worker;
    struct verify_report report;
    struct models_options options = look_at(TRADE_PRODUCT);
    options.max_rows = 7;
    start_worker(&worker, TRADE_PRODUCT, 0);
    wait_for_all(TRADE_PRODUCT);
    stop_worker(&worker);
    sql_to(conninfos[TRADE_PRODUCT], cases[_i].sql);
    ck_assert_int_eq(models_verify(&options, &products_projection, &report).code, ERR_OK);
    ck_assert(!report.equal);
    ck_assert_int_eq(report.differing, 1);
    ck_assert_str_eq(report.difference, cases[_i].says);
    ck_assert_uint_ne(report.digest, report.expected_digest);
    rebuild_it(TRADE_PRODUCT, &products_projection, 0);
    must_be_the_fold(TRADE_PRODUCT, &products_projection);
}
END_TEST

/* ---- halting ---- */

static struct product_event price_of(struct text sku)
{
    return (struct product_event){
        .tag = PRODUCT_EVENT_PRICE_CHANGED_V1,
        .as.price_changed_v1 = {.sku = sku,
                                .price = {.amount = 1, .currency = COMMON_CURRENCY_EUR}}};
}

static void must_halt_at_the_end(enum trade_service s, const struct projection *projection,
                                 const char *why)
{
    char place[64];
    int partition = -1;
    wait_until(is_halted, s, projection);
    struct model_info info = info_of(s, projection);
    ck_assert_msg(strstr(info.generation.reason, why) != NULL, "%s", info.generation.reason);
    /* the last valid record of the partition: the one before what a deposed owner may have written
     */
    for (int p = 0; p < TRADE_PARTITIONS; p++)
        for (int64_t o = 0; o < 2000 && partition < 0; o++) {
            snprintf(place, sizeof place, "product.log[%d]@%lld", p, (long long)o);
            partition = strncmp(info.generation.reason, place, strlen(place)) == 0 &&
                                info.generation.reason[strlen(place)] != '0' + 0
                            ? p
                            : -1;
        }
    ck_assert_msg(partition >= 0, "%s", info.generation.reason);
}

START_TEST(a_gap_halts_that_read_model_alone_and_says_where)
{
    struct running product, order;
    struct product_event event = price_of(TEXT("sku-1"));
    start_worker(&product, TRADE_PRODUCT, 0);
    start_worker(&order, TRADE_ORDER, 0);
    wait_for_all(TRADE_PRODUCT);
    wait_for_all(TRADE_ORDER);
    trade_event(trade, TRADE_PRODUCT, TEXT("sku-1"), &event, 7);
    must_halt_at_the_end(TRADE_PRODUCT, &products_projection,
                         "product.price_changed.v1: event does not follow");
    must_halt_at_the_end(TRADE_ORDER, &order_catalogue_projection, "event does not follow");
    wait_until(is_caught_up, TRADE_PRODUCT, &product_commands_projection);
    trade_orders(trade, 20);
    wait_until(is_caught_up, TRADE_ORDER, &orders_projection);
    must_be_the_fold(TRADE_ORDER, &orders_projection);
    must_be_the_fold(TRADE_PRODUCT, &products_projection); /* as far as it came */
    ck_assert_int_eq(atomic_load(&product.status.halted), 1);
    stop_worker(&product);
    stop_worker(&order);
}
END_TEST

START_TEST(an_unknown_type_halts_its_own_service_and_is_passed_over_by_others)
{
    struct running product, order;
    trade_raw(trade, TRADE_PRODUCT, TEXT("sku-2"), TEXT("product.painted.v1"),
              TEXT("{\"colour\":\"red\"}"));
    start_worker(&product, TRADE_PRODUCT, 0);
    start_worker(&order, TRADE_ORDER, 0);
    must_halt_at_the_end(TRADE_PRODUCT, &products_projection, "unknown type or version");
    wait_until(is_caught_up, TRADE_ORDER, &order_catalogue_projection);
    must_be_the_fold(TRADE_ORDER, &order_catalogue_projection);
    ck_assert_int_ge(atomic_load(&order.status.skipped), 1);
    trade_raw(trade, TRADE_PRODUCT, TEXT("sku-2"), TEXT("product.added.v2"), TEXT("{}"));
    must_halt_at_the_end(TRADE_ORDER, &order_catalogue_projection, "unknown type or version");
    stop_worker(&product);
    stop_worker(&order);
}
END_TEST

START_TEST(a_log_that_lost_its_end_halts_who_read_further)
{
    struct running worker;
    start_worker(&worker, TRADE_PRODUCT, 0);
    wait_for_all(TRADE_PRODUCT);
    stop_worker(&worker);
    for (int p = 0; p < TRADE_PARTITIONS; p++)
        memory_log_cut(trade_topic(trade, TRADE_PRODUCT), p, 1);
    start_worker(&worker, TRADE_PRODUCT, 0);
    wait_until(is_halted, TRADE_PRODUCT, &products_projection);
    ck_assert_ptr_nonnull(
        strstr(info_of(TRADE_PRODUCT, &products_projection).generation.reason, "outside the log"));
    stop_worker(&worker);
}
END_TEST

/* A worker that is there, and then 20 orders whose rows the database does not take. How often it
 * was asked to, stands in a sequence: that is not rolled back. */
static void start_failing_with(const char *state, struct running *worker)
{
    char sql[700];
    start_worker(worker, TRADE_ORDER, 0);
    wait_for_all(TRADE_ORDER);
    snprintf(sql, sizeof sql,
             "CREATE SEQUENCE IF NOT EXISTS failures;"
             "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
             " PERFORM nextval('failures'); RAISE EXCEPTION 'as told' USING ERRCODE = '%s';"
             " END $$; CREATE TRIGGER failing BEFORE INSERT ON orders_g1 FOR EACH ROW"
             " EXECUTE FUNCTION fail()",
             state);
    sql_to(conninfos[TRADE_ORDER], sql);
    trade_orders(trade, 20);
}

static bool has_failed(enum trade_service s, const struct projection *projection)
{
    (void)projection;
    return sql_to(conninfos[s], "SELECT last_value FROM failures") > 2;
}

START_TEST(trouble_of_the_database_is_waited_out)
{
    static const char *const states[] = {"58030", "XX000", "42501", "40003", "53100"};
    struct running worker;
    start_failing_with(states[_i], &worker);
    wait_until(has_failed, TRADE_ORDER, &orders_projection);
    ck_assert(!is_halted(TRADE_ORDER, &orders_projection));
    sql_to(conninfos[TRADE_ORDER], "DROP TRIGGER failing ON orders_g1");
    wait_for_all(TRADE_ORDER);
    all_must_be_the_fold(TRADE_ORDER);
    stop_worker(&worker);
}
END_TEST

START_TEST(a_row_that_the_database_refuses_halts_its_read_model_alone)
{
    static const char *const states[] = {"23514", "22001", "54000"};
    struct running worker;
    start_failing_with(states[_i], &worker);
    wait_until(is_halted, TRADE_ORDER, &orders_projection);
    ck_assert_ptr_nonnull(
        strstr(info_of(TRADE_ORDER, &orders_projection).generation.reason, "as told"));
    wait_until(is_caught_up, TRADE_ORDER, &order_lines_projection);
    must_be_the_fold(TRADE_ORDER, &order_lines_projection);
    stop_worker(&worker);
}
END_TEST

/* ---- asking ---- */

START_TEST(queries_read_all_kinds_and_write_nothing)
{
    static char memory[65536];
    struct arena arena = {.base = memory, .size = sizeof memory};
    struct running worker;
    struct query_connection *c;
    struct query_rows rows;
    struct uuid id = trade_order_id(0);
    int64_t next;
    enum model_status status;
    trade_orders(trade, 10);
    start_worker(&worker, TRADE_ORDER, 0);
    wait_for_all(TRADE_ORDER);
    ck_assert_int_eq(query_open(conninfos[TRADE_ORDER], &c).code, ERR_OK);
    struct query_value params[] = {QUERY_UUID(id),
                                   QUERY_NUMBER(1),
                                   QUERY_TEXT(TEXT("EUR")),
                                   QUERY_BOOLEAN(false),
                                   QUERY_TIME(1700000000000000),
                                   QUERY_NULL};
    struct err err = query_run(
        c,
        "SELECT id, total, currency, placed_at, needs_attention, stage, NULL::text FROM orders"
        " WHERE id = $1 AND version >= $2 AND currency = $3 AND needs_attention = $4"
        " AND placed_at > $5 AND ($6::uuid IS NULL OR customer_id = $6)",
        params, COUNT(params), &arena, &rows);
    ck_assert_msg(err.code == ERR_OK, "%s", query_message(c));
    ck_assert_uint_eq(rows.count, 1);
    ck_assert(uuid_equal(query_at(&rows, 0, 0)->uuid, id));
    ck_assert_int_eq(query_at(&rows, 0, 1)->number, 1500);
    ck_assert(text_is(query_at(&rows, 0, 2)->text, "EUR"));
    ck_assert_int_gt(query_at(&rows, 0, 3)->number, 1700000000000000);
    ck_assert_int_lt(query_at(&rows, 0, 3)->number, 1800000000000000);
    ck_assert_int_eq(query_at(&rows, 0, 4)->kind, QUERY_KIND_BOOLEAN);
    ck_assert_int_eq(query_at(&rows, 0, 5)->kind, QUERY_KIND_NUMBER);
    ck_assert_int_eq(query_at(&rows, 0, 6)->kind, QUERY_KIND_NULL);
    ck_assert_int_eq(query_run(c, "DELETE FROM order_lines_g1", NULL, 0, &arena, &rows).code,
                     ERR_UNAVAILABLE);
    ck_assert_int_eq(query_run(c, "SELECT 1 FROM nowhere", NULL, 0, &arena, &rows).code,
                     ERR_NOT_FOUND);
    ck_assert_int_eq(query_run(c, "SELECT 1 +", NULL, 0, &arena, &rows).code, ERR_REFUSED);
    ck_assert_int_eq(query_run(c, "SELECT pg_sleep(60), 1", NULL, 0, &arena, &rows).code,
                     ERR_TIMEOUT);
    sql_to(conninfos[TRADE_ORDER],
           "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
           " WHERE datname = current_database() AND application_name = 'foldlog query'");
    ck_assert_int_eq(query_run(c, "SELECT 1", NULL, 0, &arena, &rows).code, ERR_OK); /* reconnected
                                                                                      */
    ck_assert_int_eq(query_position(c, "orders", "order", 0, &arena, &next, &status).code, ERR_OK);
    ck_assert_int_eq(status, MODEL_LIVE);
    ck_assert_int_gt(next, 0);
    ck_assert_int_eq(query_position(c, "nothing", "order", 0, &arena, &next, &status).code,
                     ERR_NOT_FOUND);
    query_close(c);
    stop_worker(&worker);
}
END_TEST

START_TEST(migrate_twice_makes_everything_once)
{
    char name[32], sql[200];
    snprintf(name, sizeof name, "test%d", (int)getpid());
    const char *const own[] = {name, NULL};
    struct migrate_options options = migration();
    struct projection mine = stock_projection;
    const struct projection *const list[] = {&mine};
    mine.service = name;
    options.services = own;
    options.projections = list;
    options.projections_count = 1;
    for (int i = 0; i < 2; i++) {
        struct err err = migrate(&options);
        ck_assert_msg(err.code == ERR_OK, "%s", err.what);
    }
    char conninfo[STORE_CONNINFO_MAX];
    ck_assert_int_eq(store_conninfo(&homes, name, conninfo, sizeof conninfo).code, ERR_OK);
    ck_assert_int_eq(sql_to(conninfo, "SELECT count(*) FROM projection_version"), 1);
    ck_assert_int_eq(sql_to(conninfo, "SELECT count(*) FROM stock"), 0);
    snprintf(sql, sizeof sql, "DROP DATABASE foldlog_%s WITH (FORCE)", name);
    sql_to(server, sql);
    snprintf(sql, sizeof sql, "DROP ROLE foldlog_%s", name);
    sql_to(server, sql);
}
END_TEST

/* Those of tests that failed: their teardown never ran. */
static void drop_leftovers(void)
{
    char sql[200];
    snprintf(sql, sizeof sql,
             "SELECT datname FROM pg_database WHERE datname LIKE 'store\\_test\\_%d\\_%%'", run);
    PGconn *pg = PQconnectdb(server);
    PGresult *names = PQexec(pg, sql);
    for (int i = 0; i < PQntuples(names); i++) {
        snprintf(sql, sizeof sql, "DROP DATABASE %s WITH (FORCE)", PQgetvalue(names, i, 0));
        PQclear(PQexec(pg, sql));
    }
    PQclear(names);
    PQfinish(pg);
}

static Suite *store_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *t = tcase_create("read models");
    tcase_set_timeout(t, TIMEOUT_S);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, live_tables_are_the_fold, 0, 3);
    tcase_add_test(t, kill_9_in_mid_batch_loses_and_doubles_nothing);
    tcase_add_test(t, connections_cut_at_any_moment_lose_nothing);
    tcase_add_test(t, who_lost_the_lease_writes_nothing);
    tcase_add_test(t, a_standby_takes_over_when_the_lease_runs_out);
    tcase_add_test(t, the_halt_of_who_lost_the_lease_counts_for_nothing);
    tcase_add_test(t, a_restarted_process_succeeds_itself);
    tcase_add_test(t, who_stands_in_a_unit_holds_up_nobody);
    tcase_add_loop_test(t, rebuilt_tables_equal_live_ones_in_little_memory, 0, 2);
    tcase_add_test(t, readers_and_the_worker_go_on_while_it_is_swapped);
    tcase_add_test(t, a_dropped_one_comes_back_the_same);
    tcase_add_test(t, a_dropped_one_that_meets_an_event_halts_alone_until_rebuilt);
    tcase_add_loop_test(t, a_rebuild_that_is_killed_leaves_the_old_one_in_place, REBUILD_FOLD,
                        REBUILD_SWAP + 1);
    tcase_add_test(t, a_new_version_with_other_columns_takes_the_view_over);
    tcase_add_loop_test(t, verify_finds_what_was_changed_by_hand, 0, 3);
    tcase_add_test(t, a_gap_halts_that_read_model_alone_and_says_where);
    tcase_add_test(t, an_unknown_type_halts_its_own_service_and_is_passed_over_by_others);
    tcase_add_test(t, a_log_that_lost_its_end_halts_who_read_further);
    tcase_add_loop_test(t, trouble_of_the_database_is_waited_out, 0, 5);
    tcase_add_loop_test(t, a_row_that_the_database_refuses_halts_its_read_model_alone, 0, 3);
    tcase_add_test(t, queries_read_all_kinds_and_write_nothing);
    tcase_add_test(t, migrate_twice_makes_everything_once);
    suite_add_tcase(suite, t);
    return suite;
}

int main(void)
{
    const char *conninfo = getenv("FOLDLOG_TEST_PG");
    if (!conninfo || !*conninfo) {
        fprintf(stderr, "FOLDLOG_TEST_PG is not set\n");
        return SKIPPED;
    }
    snprintf(server, sizeof server, "%s", conninfo);
    run = (int)getpid();
    SRunner *runner = srunner_create(store_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    drop_leftovers();
    return failed != 0;
}
