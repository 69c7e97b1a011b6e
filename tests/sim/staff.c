/* Workers and their options. */
#include "tests/sim/staff.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "app/house.h"
#include "effects/effects.h"
#include "projections/projections.h"
#include "runtime/effect_worker.h"
#include "runtime/owner_worker.h"
#include "runtime/projection_worker.h"
#include "runtime/snapshot_worker.h"
#include "tests/sim/broker.h"
#include "tests/sim/database.h"
#include "tests/sim/shelf.h"

enum { PROJECTIONS_MAX = 64, SNAPSHOT_MS = 300 };

static const struct projection *kept[PROJECTIONS_MAX];
static size_t kept_count;

static bool keeps(const char *service)
{
    for (size_t i = 0; i < house_services.count; i++)
        if (strcmp(house_services.at[i].name, service) == 0)
            return world.swarm.projections >> i & 1;
    return false;
}

size_t staff_projections(const struct projection **ret_projections)
{
    for (size_t i = 0; i < kept_count; i++)
        ret_projections[i] = kept[i];
    return kept_count;
}

void staff_prepare(void)
{
    static const char *const suffixes[] = {"commands", "log", "deadletters"};
    char name[TOPIC_LEN_MAX];
    assert(house_services.count <= SIM_SERVICES && projections_count <= PROJECTIONS_MAX);
    for (size_t i = 0; i < house_services.count; i++)
        for (size_t k = 0; k < COUNT(suffixes); k++) {
            snprintf(name, sizeof name, "%s.%s", house_services.at[i].name, suffixes[k]);
            broker_topic_add(name, world.swarm.partitions[i]);
        }
    effect_group(&payment_effect, name);
    group_set_start(name, broker_topic("payment", "log"));
    kept_count = 0;
    for (size_t i = 0; i < projections_count; i++)
        if (keeps(projections[i]->service))
            kept[kept_count++] = projections[i];
    database_migrate(kept, kept_count);
    shelves_begin();
}

/* ---- what each does ------------------------------------------------------------------------- */

static struct log *log_of(struct proc *p)
{
    return broker_log(p, world.swarm.same_names ? "twin" : p->name);
}

static void note_end(struct err e)
{
    if (e.code != ERR_OK)
        note("ends: %s %s", err_text(e), e.what);
    if (err_class(e) == ERR_CLASS_HALT || err_class(e) == ERR_CLASS_FATAL)
        violate("%s cannot go on: %s", world.current->name, e.what);
}

/* Processes of one number live on one machine. */
static struct shelf *shelf_at(const struct proc *p)
{
    return world.swarm.snapshot_records ? shelf_of(p->name[strlen(p->name) - 1] - '0') : NULL;
}

static void own(struct proc *p, const char *group, const struct service *const *services)
{
    struct owner_worker_status status = {0};
    const struct owner_worker_options options = {
        .group = group,
        .log = log_of(p),
        .all = &house_services,
        .services = services,
        .limits = {.step = world.swarm.short_steps ? STEP_SHORT_US : STEP_US,
                   .compensation = COMPENSATION_US},
        .renew_decisions = world.swarm.renew_decisions,
        .position_ms = world.swarm.position_ms,
        .shelf = shelf_at(p),
        .stop = &p->stop,
        .status = &status,
    };
    note_end(owner_worker_run(&options));
}

static void keep_snapshots(struct proc *p, const struct service *const *services)
{
    struct snapshot_worker_status status = {0};
    const struct snapshot_worker_options options = {
        .log = log_of(p),
        .all = &house_services,
        .services = services,
        .shelf = shelf_at(p),
        .records = world.swarm.snapshot_records,
        .look_ms = SNAPSHOT_MS,
        .stop = &p->stop,
        .status = &status,
    };
    note_end(snapshot_worker_run(&options));
}

/* NULL-terminated. */
static void services_of(bool sagas, const struct service *ret_services[SIM_SERVICES + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < house_services.count; i++)
        if (sagas ? house_services.at[i].saga != NULL : house_services.at[i].aggregate != NULL)
            ret_services[n++] = &house_services.at[i];
    ret_services[n] = NULL;
}

static void own_aggregates(struct proc *p)
{
    const struct service *services[SIM_SERVICES + 1];
    services_of(false, services);
    own(p, "foldlog.commands", services);
}

static void own_sagas(struct proc *p)
{
    const struct service *services[SIM_SERVICES + 1];
    services_of(true, services);
    own(p, "foldlog.saga", services);
}

static void keep_snapshots_of_aggregates(struct proc *p)
{
    const struct service *services[SIM_SERVICES + 1];
    services_of(false, services);
    keep_snapshots(p, services);
}

static void keep_snapshots_of_sagas(struct proc *p)
{
    const struct service *services[SIM_SERVICES + 1];
    services_of(true, services);
    keep_snapshots(p, services);
}

static void pay(struct proc *p)
{
    const struct effect_options options = {
        .log = log_of(p),
        .effect = &payment_effect,
        .url = "bank",
        .limits = {.calls_max = 8,
                   .call_ms = CALL_MS,
                   .deadline_ms = world.swarm.calls_deadline_ms},
        .stop = &p->stop,
    };
    note_end(effect_worker_run(&options));
}

static void project(struct proc *p)
{
    const struct service *service = p->what;
    const struct projection_worker_options options = {
        .service = service->name,
        .log = log_of(p),
        .conninfo = service->name,
        .instance = p->name,
        .projections = projections,
        .projections_count = projections_count,
        .vocabularies = &house_vocabularies,
        .stop = &p->stop,
        .cache_bytes = 16 * 1024,
    };
    note_end(projection_worker_run(&options));
}

void staff_hire(void)
{
    char name[PROC_NAME_MAX];
    for (int i = 0; i < world.swarm.workers; i++) {
        snprintf(name, sizeof name, "commands-%d", i);
        proc_add(name, own_aggregates, NULL, false);
        snprintf(name, sizeof name, "saga-%d", i);
        proc_add(name, own_sagas, NULL, false);
        snprintf(name, sizeof name, "effect-%d", i);
        proc_add(name, pay, NULL, false);
        if (world.swarm.snapshot_records) {
            snprintf(name, sizeof name, "snapshots-commands-%d", i);
            proc_add(name, keep_snapshots_of_aggregates, NULL, false);
            snprintf(name, sizeof name, "snapshots-saga-%d", i);
            proc_add(name, keep_snapshots_of_sagas, NULL, false);
        }
        for (size_t k = 0; k < house_services.count && i < 2; k++) {
            if (!keeps(house_services.at[k].name))
                continue;
            snprintf(name, sizeof name, "views-%.9s-%d", house_services.at[k].name, i);
            proc_add(name, project, &house_services.at[k], false);
        }
    }
}
