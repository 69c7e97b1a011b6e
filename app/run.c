/* foldlog run: starts a thread for each part this process plays, answers HTTP if it is to, and
 * stops all of it in order on SIGTERM. */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/routes.h"
#include "app/house.h"
#include "app/instance.h"
#include "app/run_parts.h"
#include "app/run_sample.h"
#include "app/secrets.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "effects/effects.h"
#include "projections/projections.h"
#include "runtime/clock.h"
#include "runtime/file_shelf.h"
#include "runtime/http_admin.h"
#include "runtime/keeper.h"
#include "runtime/report.h"
#include "runtime/revocation.h"
#include "runtime/store.h"
#include "runtime/topics.h"

enum {
    STOP_DEADLINE_S = 9,
    STOP_PATIENCE_MS = 5000, /* with databases and a broker that say nothing; closing all clients of
                                such a broker takes seconds too */
    START_PATIENCE_S = 120,  /* for a Kafka that is away */
    START_RETRY_S = 1,
    PART_RETRY_MS = 1000, /* between two starts of a part that trouble outside keeps from it */
    PART_STEP_US = 20000,
    PART_RETRIES_PER_LINE = 10,
    SERVICES_MAX = 16,
    AHEAD_MS = 1000, /* at most, that commands get before all else at a start */
    AHEAD_STEP_US = 2000,
    HTTP_THREADS = 2,
    HTTP_CONNECTIONS_MAX = 1024,
};

static struct log *kafka;
static struct shelf *shelf; /* NULL: no snapshots */
static atomic_bool stop;
static struct secrets secrets;
static struct part_list parts;
static struct http_admin *admin;
static struct route routes[ROUTES_MAX];
static const struct service *aggregates[SERVICES_MAX + 1]; /* of --services; NULL-terminated */
static const struct service *sagas[SERVICES_MAX + 1];

/* ---- the parts ------------------------------------------------------------------------------ */

static struct err run_owners(struct part *part, const char *group,
                             const struct service *const *services)
{
    return owner_worker_run(&(struct owner_worker_options){
        .group = group,
        .log = kafka,
        .all = &house_services,
        .services = services,
        .limits = {.step = setting_number(SETTING_STEP_MS) * 1000,
                   .compensation = setting_number(SETTING_COMPENSATION_MS) * 1000},
        .shelf = shelf,
        .stop = &stop,
        .status = &part->owners,
    });
}

static struct err run_commands(struct part *part)
{
    return run_owners(part, "foldlog.commands", aggregates);
}

static struct err run_saga(struct part *part)
{
    return run_owners(part, "foldlog.saga", sagas);
}

static struct err run_snapshots(struct part *part, const struct service *const *services)
{
    return snapshot_worker_run(
        &(struct snapshot_worker_options){.log = kafka,
                                          .all = &house_services,
                                          .services = services,
                                          .shelf = shelf,
                                          .records = setting_number(SETTING_SNAPSHOT_RECORDS),
                                          .stop = &stop,
                                          .status = &part->snapshots});
}

static struct err run_command_snapshots(struct part *part)
{
    return run_snapshots(part, aggregates);
}

static struct err run_saga_snapshots(struct part *part)
{
    return run_snapshots(part, sagas);
}

static struct err run_publisher(struct part *part)
{
    return publisher_run(&(struct publisher_options){
        .log = kafka, .service = part->service, .stop = &stop, .stats = &part->published});
}

static struct err run_projections(struct part *part)
{
    char conninfo[STORE_CONNINFO_MAX];
    TRY(store_conninfo(settings_databases(), part->service, conninfo, sizeof conninfo));
    return projection_worker_run(
        &(struct projection_worker_options){.service = part->service,
                                            .log = kafka,
                                            .conninfo = conninfo,
                                            .instance = log_instance(kafka),
                                            .projections = projections,
                                            .projections_count = projections_count,
                                            .vocabularies = &house_vocabularies,
                                            .stop = &stop,
                                            .status = &part->projected});
}

static struct err run_keeper(struct part *part)
{
    return keeper_run(&(struct keeper_options){.log = kafka,
                                               .databases = settings_databases(),
                                               .master_key = secrets.master_key,
                                               .stop = &stop,
                                               .begun = &part->kept});
}

static struct err run_payment_effect(struct part *part)
{
    return effect_worker_run(&(struct effect_options){
        .log = kafka,
        .effect = &payment_effect,
        .url = setting_text(SETTING_PAYMENT_URL),
        .limits = {.call_ms = (int)setting_number(SETTING_PAYMENT_CALL_MS),
                   .deadline_ms = (int)setting_number(SETTING_PAYMENT_GIVE_UP_MS)},
        .stop = &stop,
        .stats = &part->effected,
    });
}

/* ---- which of them -------------------------------------------------------------------------- */

static void add_part(enum part_kind kind, const char *role, const char *service,
                     struct err (*run)(struct part *))
{
    assert(parts.count < PARTS_MAX);
    parts.at[parts.count++] =
        (struct part){.kind = kind, .role = role, .service = service, .run = run};
}

/* A saga belongs where it is named, and where all the services are that it is fed by. */
static bool saga_is_chosen(const struct service *service)
{
    bool all = true;
    for (const char *const *source = service->saga->sources; *source; source++)
        all &= setting_has(SETTING_SERVICES, *source);
    return all || setting_has(SETTING_SERVICES, service->name);
}

static void choose_services(void)
{
    size_t n = 0, m = 0;
    for (size_t i = 0; i < house_services.count; i++) {
        const struct service *s = &house_services.at[i];
        if (s->saga && saga_is_chosen(s))
            sagas[m++] = s;
        else if (!s->saga && setting_has(SETTING_SERVICES, s->name))
            aggregates[n++] = s;
    }
}

/* One for each service, and for each saga. */
static void add_parts(enum part_kind kind, const char *role, struct err (*run)(struct part *))
{
    for (size_t i = 0; setting_has(SETTING_ROLES, role) && aggregates[i]; i++)
        add_part(kind, role, aggregates[i]->name, run);
    for (size_t i = 0; setting_has(SETTING_ROLES, role) && sagas[i]; i++)
        add_part(kind, role, sagas[i]->name, run);
}

static void choose_parts(void)
{
    if (setting_has(SETTING_ROLES, "commands") && aggregates[0])
        add_part(PART_OWNERS, "commands", NULL, run_commands);
    if (setting_has(SETTING_ROLES, "saga") && sagas[0])
        add_part(PART_OWNERS, "saga", NULL, run_saga);
    if (shelf && setting_has(SETTING_ROLES, "commands") && aggregates[0])
        add_part(PART_SNAPSHOTS, "commands-snapshots", NULL, run_command_snapshots);
    if (shelf && setting_has(SETTING_ROLES, "saga") && sagas[0])
        add_part(PART_SNAPSHOTS, "saga-snapshots", NULL, run_saga_snapshots);
    add_parts(PART_PUBLISHER, "publisher", run_publisher);
    add_parts(PART_PROJECTIONS, "projections", run_projections);
    if (setting_has(SETTING_ROLES, "projections") && setting_has(SETTING_SERVICES, "user"))
        add_part(PART_KEEPER, "keeper", "user", run_keeper);
    if (setting_has(SETTING_ROLES, "effects") &&
        setting_has(SETTING_SERVICES, payment_effect.service))
        add_part(PART_EFFECTS, "effects", payment_effect.service, run_payment_effect);
}

/* ---- HTTP ----------------------------------------------------------------------------------- */

static bool answers_http(void)
{
    return setting_has(SETTING_ROLES, "gateway") || setting_has(SETTING_ROLES, "api");
}

/* A gateway alone serves nothing itself. */
static const struct service *const *served_here(void)
{
    static const struct service *served[2 * SERVICES_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; setting_has(SETTING_ROLES, "api") && aggregates[i]; i++)
        served[n++] = aggregates[i];
    for (size_t i = 0; setting_has(SETTING_ROLES, "api") && sagas[i]; i++)
        served[n++] = sagas[i];
    return served;
}

static struct err start_api(void)
{
    const struct api_peer peers[] = {{"product", setting_text(SETTING_PRODUCT_API)},
                                     {"inventory", setting_text(SETTING_INVENTORY_API)},
                                     {"order", setting_text(SETTING_ORDER_API)},
                                     {"payment", setting_text(SETTING_PAYMENT_API)},
                                     {"user", setting_text(SETTING_USER_API)},
                                     {"fulfilment", setting_text(SETTING_FULFILMENT_API)}};
    static struct api_peer kept[COUNT(peers)];
    memcpy(kept, peers, sizeof peers);
    bool dev = setting_flag(SETTING_INSECURE_DEV);
    return api_start(
        &(struct api_options){
            .log = kafka,
            .all = &house_services,
            .services = served_here(),
            .peers = kept,
            .peers_count = COUNT(kept),
            .behind_gateway = !setting_has(SETTING_ROLES, "gateway"),
            .projections = projections,
            .projections_count = projections_count,
            .routes = routes_all(routes),
            .databases = settings_databases(),
            .secret = text_of(secrets.secret),
            .email_secret = text_of(secrets.email_secret),
            .master_key = secrets.master_key,
            .key_rotation_us = setting_number(SETTING_KEY_ROTATION_S) * 1000000,
            .key_ahead_us = setting_number(SETTING_KEY_AHEAD_S) * 1000000,
            .developer = {.id = uuid_derive((struct uuid){{0}}, TEXT("developer")),
                          .roles = dev ? ROLES_OF_USERS : 0},
            .address = setting_text(SETTING_BIND),
            .port = (int)setting_number(SETTING_PORT),
            .threads = HTTP_THREADS,
            .connections_max = HTTP_CONNECTIONS_MAX,
        },
        &parts.api);
}

/* Whose databases this process reads or writes; NULL-terminated. */
static const char *const *databases_needed(void)
{
    static const char *needed[2 * SERVICES_MAX + 2];
    bool models = setting_has(SETTING_ROLES, "api") || setting_has(SETTING_ROLES, "projections");
    size_t n = 0;
    for (size_t i = 0; models && aggregates[i]; i++)
        needed[n++] = aggregates[i]->name;
    for (size_t i = 0; models && sagas[i]; i++)
        needed[n++] = sagas[i]->name;
    if (secrets_needed())
        needed[n++] = "vault";
    return needed;
}

/* ---- starting and stopping ------------------------------------------------------------------ */

static bool commands_are_decided(void)
{
    const struct part *deciding = &parts.at[0];
    return (deciding->run != run_commands || owners_have_all(&deciding->owners)) &&
           (!parts.api || api_counts(parts.api).ready);
}

/* Who takes and decides commands goes first: clients wait for that alone, and at a start all parts
 * and the broker want the same processors. */
static void let_deciding_go_first(const struct part *part)
{
    int64_t until_ms = clock_monotonic_ms() + AHEAD_MS;
    if (part->run == run_commands)
        return;
    while (!atomic_load(&stop) && !commands_are_decided() && clock_monotonic_ms() < until_ms)
        clock_sleep_us(AHEAD_STEP_US);
}

static bool has_failed(const struct part *part)
{
    return part->result.code != ERR_OK && err_class(part->result) != ERR_CLASS_RETRY;
}

static void rest(int ms)
{
    int64_t until_ms = clock_monotonic_ms() + ms;
    while (!atomic_load(&stop) && clock_monotonic_ms() < until_ms)
        clock_sleep_us(PART_STEP_US);
}

/* What a part needs to begin, a topic's partitions or a group, may be out of reach for a while: it
 * begins anew until it is told to stop. */
static void run_patiently(struct part *part)
{
    for (int tries = 0; !atomic_load(&stop); tries++) {
        part->result = part->run(part);
        if (atomic_load(&stop) || err_class(part->result) != ERR_CLASS_RETRY)
            return;
        if (tries % PART_RETRIES_PER_LINE == 0)
            report(REPORT_WARN, "part_waits", "role", part->role, "service",
                   part->service ? part->service : "", "why", report_err(part->result), NULL);
        rest(PART_RETRY_MS);
    }
}

static void *run_part(void *context)
{
    struct part *part = context;
    let_deciding_go_first(part);
    run_patiently(part);
    if (has_failed(part) && !atomic_load(&stop)) {
        report(REPORT_ERROR, "part_failed", "role", part->role, "service",
               part->service ? part->service : "", "why", report_err(part->result), NULL);
        kill(getpid(), SIGTERM);
    }
    atomic_store(&part->ended, true);
    return NULL;
}

static void start_parts(void)
{
    for (size_t i = 0; i < parts.count; i++)
        if (pthread_create(&parts.at[i].thread, NULL, run_part, &parts.at[i]) != 0)
            abort();
}

static atomic_bool answered; /* when stopping: all who asked over HTTP */

/* In a signal handler: no memory, no locks. */
static void say_unended(const char *role, const char *service)
{
    const char *const words[] = {"foldlog: did not end in time: ", role, service ? " " : "",
                                 service ? service : "", "\n"};
    for (size_t i = 0; i < COUNT(words); i++)
        if (write(STDERR_FILENO, words[i], strlen(words[i])) < 0)
            return;
}

/* A part that does not stop in time must not keep the process: what it promised is in the log. A
 * publisher may stand in a step of a transaction for longer than it has told the client library;
 * its next start ends that transaction, so nothing is amiss. */
static void deadline(int signal_number)
{
    bool amiss = !atomic_load(&answered);
    (void)signal_number;
    if (amiss)
        say_unended("answers", NULL);
    for (size_t i = 0; i < parts.count; i++)
        if (!atomic_load(&parts.at[i].ended)) {
            say_unended(parts.at[i].role, parts.at[i].service);
            amiss |= parts.at[i].kind != PART_PUBLISHER;
        }
    _exit(amiss ? EXIT_FAILED : EXIT_OK);
}

/* A database that says nothing must not keep the others from an orderly end. */
static void *hurry(void *context)
{
    (void)context;
    clock_sleep_us((int64_t)STOP_PATIENCE_MS * 1000);
    store_hang_up();
    return NULL;
}

static int join_parts(void)
{
    int code = EXIT_OK;
    for (size_t i = 0; i < parts.count; i++) {
        pthread_join(parts.at[i].thread, NULL);
        if (has_failed(&parts.at[i]))
            code = EXIT_FAILED;
    }
    return code;
}

/* Whoever waits for something that is silent waits no longer than a process may take to end. */
static void limit_waiting(void)
{
    pthread_t hurrying;
    signal(SIGALRM, deadline);
    alarm(STOP_DEADLINE_S);
    log_end_by(kafka, clock_monotonic_ms() + STOP_PATIENCE_MS);
    if (pthread_create(&hurrying, NULL, hurry, NULL) != 0 || pthread_detach(hurrying) != 0)
        abort();
}

/* The api goes first, while there are owners to decide what its clients wait for; then all the rest
 * at once. */
static int stop_all(void)
{
    limit_waiting();
    http_admin_stop(admin);
    sampler_tell_stop();
    api_drain(parts.api);
    atomic_store(&stop, true);
    api_stop(parts.api);
    atomic_store(&answered, true);
    sampler_stop();
    int code = join_parts();
    log_close(kafka);
    shelf_close(shelf);
    return code;
}

static void tell(void *context, const char *topic, const char *what)
{
    (void)context;
    fprintf(stderr, "foldlog: topic %s %s\n", topic, what);
}

static struct err check_topics(void)
{
    return topics_check(
        &(struct topics_options){.log = kafka,
                                 .services = &house_services,
                                 .partitions = (int)setting_number(SETTING_PARTITIONS),
                                 .replication = (int)setting_number(SETTING_REPLICATION),
                                 .dev = setting_flag(SETTING_DEV)},
        tell, NULL);
}

/* The start of HTTP finds them known then, and need not be patient itself. */
static struct err learn_topics(void)
{
    char name[TOPIC_LEN_MAX];
    struct log_topic *topic;
    for (size_t i = 0; i < house_services.count; i++) {
        snprintf(name, sizeof name, "%s.log", house_services.at[i].name);
        TRY(log_topic(kafka, name, &topic));
        snprintf(name, sizeof name, "%s.commands", house_services.at[i].name);
        TRY(log_topic(kafka, name, &topic));
    }
    return log_topic(kafka, REVOCATIONS_TOPIC, &topic);
}

static struct err look_at_kafka(void)
{
    TRY(check_topics());
    return answers_http() ? learn_topics() : OK;
}

/* Nothing has been promised yet. */
static void leave(int signal_number)
{
    (void)signal_number;
    _exit(EXIT_OK);
}

/* Waits for a Kafka that is away, for a while: at a start of everything the broker may come last.
 */
static struct err reach_kafka(void)
{
    struct err e;
    for (int s = 0; (e = look_at_kafka()).code != ERR_OK && err_class(e) == ERR_CLASS_RETRY; s++) {
        if (s == 0)
            report(REPORT_WARN, "waiting_for_kafka", "why", report_err(e), NULL);
        if (s >= START_PATIENCE_S)
            return e;
        clock_sleep_us((int64_t)START_RETRY_S * 1000000);
    }
    return e;
}

static struct err open_kafka(const sigset_t *signals)
{
    static char instance[128];
    TRY(instance_name(instance, sizeof instance));
    TRY(instance_log(instance, &kafka));
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    struct err e = reach_kafka();
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    return e;
}

/* HTTP first: a port that is taken ends the start before anything is owned. */
static struct err start(const sigset_t *signals)
{
    if (secrets_needed())
        TRY(secrets_read(&secrets));
    if (*setting_text(SETTING_SNAPSHOTS))
        TRY(shelf_open(setting_text(SETTING_SNAPSHOTS), &shelf));
    TRY(open_kafka(signals));
    choose_services();
    choose_parts();
    if (answers_http())
        TRY(start_api());
    TRY(admin_start(&parts, &admin));
    start_parts();
    sampler_start(&parts, databases_needed(), kafka);
    return OK;
}

static bool is_role(struct text word)
{
    static const char *const roles[] = {"gateway", "api",     "commands", "projections",
                                        "saga",    "effects", "publisher"};
    for (size_t i = 0; i < COUNT(roles); i++)
        if (text_is(word, roles[i]))
            return true;
    return false;
}

/* notification: its name is promised, nothing runs for it yet. */
static bool is_service(struct text word)
{
    return service_find(&house_services, word) || text_is(word, "notification");
}

int verb_run(int argc, char **argv, const struct verb_options *options)
{
    sigset_t signals;
    int caught;
    (void)argv;
    (void)options;
    if (argc != 0)
        return verb_usage("run [--roles=...] [--services=...]");
    if (!setting_all(SETTING_ROLES, is_role) || !setting_all(SETTING_SERVICES, is_service))
        return EXIT_USAGE;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct err e = start(&signals);
    if (e.code != ERR_OK)
        return verb_failed("run", e);
    report(REPORT_INFO, "started", "instance", log_instance(kafka), "roles",
           setting_text(SETTING_ROLES), NULL);
    sigwait(&signals, &caught);
    int code = stop_all();
    report(REPORT_INFO, "stopped", NULL);
    return code;
}
