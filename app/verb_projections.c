/* foldlog projections: read models listed, compared with the log, dropped, built again. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/house.h"
#include "app/instance.h"
#include "app/progress.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "projections/projections.h"
#include "runtime/models.h"
#include "runtime/rebuild.h"

enum { MODELS_MAX = 64 };

struct work { /* what one call of the verb is about */
    struct log *log;
    const struct verb_options *options;
    const struct projection *chosen[MODELS_MAX];
    size_t count;
    struct progress_view view;
};

static struct err open_options(struct work *work, const struct projection *projection,
                               char conninfo[STORE_CONNINFO_MAX],
                               struct models_options *ret_options)
{
    TRY(store_conninfo(settings_databases(), projection->service, conninfo, STORE_CONNINFO_MAX));
    *ret_options = (struct models_options){
        .log = work->log, .conninfo = conninfo, .vocabularies = &house_vocabularies};
    return OK;
}

/* ---- which ---------------------------------------------------------------------------------- */

/* orders, or order/orders. */
static bool is_named(const struct projection *projection, const char *name)
{
    size_t len = strlen(projection->service);
    if (strncmp(name, projection->service, len) == 0 && name[len] == '/')
        name += len + 1;
    else if (strchr(name, '/'))
        return false;
    return strcmp(name, projection->name) == 0;
}

/* False: said on stderr. No name: all of them. */
static bool choose(struct work *work, int argc, char **argv)
{
    for (size_t i = 0; argc == 0 && i < projections_count && i < MODELS_MAX; i++)
        work->chosen[work->count++] = projections[i];
    for (int a = 0; a < argc; a++) {
        size_t before = work->count;
        for (size_t i = 0; i < projections_count && work->count < MODELS_MAX; i++)
            if (is_named(projections[i], argv[a]))
                work->chosen[work->count++] = projections[i];
        if (work->count == before) {
            fprintf(stderr, "foldlog: there is no read model \"%s\"\n", argv[a]);
            return false;
        }
    }
    return true;
}

/* ---- list and digest ------------------------------------------------------------------------ */

static void show_json(const struct model_info *info)
{
    const struct generation *g = &info->generation;
    printf(
        "{\"name\":\"%s\",\"service\":\"%s\",\"version\":%d,\"generation\":%lld,\"state\":\"%s\","
        "\"rebuilding\":%s,\"rows\":%lld,\"digest\":\"%016llx\",\"decided\":%lld,\"lag\":%lld,"
        "\"reason\":\"%s\"}\n",
        info->projection->name, info->projection->service, info->projection->version,
        (long long)g->number, model_state_text(info->state), info->rebuilding ? "true" : "false",
        (long long)g->rows, (unsigned long long)g->digest, (long long)info->decided,
        (long long)info->lag, g->reason);
}

static void show(const struct model_info *info)
{
    const struct generation *g = &info->generation;
    printf("%-11s %-20s v%-3d g%-4lld %-10s %10lld %8lld  %016llx%s%s\n", info->projection->service,
           info->projection->name, info->projection->version, (long long)g->number,
           info->rebuilding ? "rebuilding" : model_state_text(info->state), (long long)g->rows,
           (long long)info->lag, (unsigned long long)g->digest, *g->reason ? "  " : "", g->reason);
}

static struct err list(struct work *work)
{
    char conninfo[STORE_CONNINFO_MAX];
    struct models_options options;
    struct model_info info;
    if (!work->options->json)
        printf("%-11s %-20s %-4s %-5s %-10s %10s %8s  %s\n", "service", "name", "fold", "table",
               "state", "rows", "lag", "digest");
    for (size_t i = 0; i < work->count; i++) {
        TRY(open_options(work, work->chosen[i], conninfo, &options));
        TRY(models_list(&options, &work->chosen[i], 1, &info));
        if (work->options->json)
            show_json(&info);
        else
            show(&info);
    }
    return OK;
}

static struct err digest(struct work *work)
{
    char conninfo[STORE_CONNINFO_MAX];
    struct models_options options;
    for (size_t i = 0; i < work->count; i++) {
        int64_t rows;
        uint64_t sum;
        TRY(open_options(work, work->chosen[i], conninfo, &options));
        TRY(models_digest(&options, work->chosen[i], &rows, &sum));
        printf(work->options->json
                   ? "{\"service\":\"%s\",\"name\":\"%s\",\"rows\":%lld,\"digest\":\"%016llx\"}\n"
                   : "%-11s %-20s %10lld  %016llx\n",
               work->chosen[i]->service, work->chosen[i]->name, (long long)rows,
               (unsigned long long)sum);
    }
    return OK;
}

/* ---- verify --------------------------------------------------------------------------------- */

static void tell_refold(void *context, const struct refold_progress *p)
{
    struct work *work = context;
    progress_tell(&work->view, "comparing", p->share, p->events, "events", p->seconds);
}

static void show_verified(const struct projection *p, const struct verify_report *r, bool json)
{
    if (json)
        printf(
            "{\"name\":\"%s\",\"service\":\"%s\",\"equal\":%s,\"rows\":%lld,\"expected_rows\":%lld,"
            "\"digest\":\"%016llx\",\"expected_digest\":\"%016llx\",\"differing\":%lld}\n",
            p->name, p->service, r->equal ? "true" : "false", (long long)r->rows,
            (long long)r->expected_rows, (unsigned long long)r->digest,
            (unsigned long long)r->expected_digest, (long long)r->differing);
    else
        printf("%-11s %-20s %10lld rows  %s  %s\n", p->service, p->name, (long long)r->rows,
               r->equal ? "equal to the log" : "DIFFERENT", r->difference);
}

static struct err verify(struct work *work)
{
    char conninfo[STORE_CONNINFO_MAX];
    struct models_options options;
    bool equal = true;
    for (size_t i = 0; i < work->count; i++) {
        struct verify_report report = {0};
        TRY(open_options(work, work->chosen[i], conninfo, &options));
        work->view = progress_open(work->options->progress, work->chosen[i]->name);
        options.progress = tell_refold;
        options.context = work;
        struct err e = models_verify(&options, work->chosen[i], &report);
        progress_close(&work->view);
        if (report.failure[0])
            fprintf(stderr, "foldlog: %s: %s\n", work->chosen[i]->name, report.failure);
        TRY(e);
        show_verified(work->chosen[i], &report, work->options->json);
        equal = equal && report.equal;
    }
    return equal ? OK : FAIL(ERR_GAP, "a read model is not the fold of its logs");
}

/* ---- drop ----------------------------------------------------------------------------------- */

static struct err drop(struct work *work)
{
    char conninfo[STORE_CONNINFO_MAX];
    struct models_options options;
    for (size_t i = 0; i < work->count; i++) {
        TRY(open_options(work, work->chosen[i], conninfo, &options));
        TRY(models_drop(&options, work->chosen[i]));
        printf(work->options->json ? "{\"service\":\"%s\",\"name\":\"%s\",\"dropped\":true}\n"
                                   : "%-11s %-20s dropped; it can be rebuilt from the log\n",
               work->chosen[i]->service, work->chosen[i]->name);
    }
    return OK;
}

/* ---- rebuild -------------------------------------------------------------------------------- */

static void tell_rebuild(void *context, const struct rebuild_progress *p)
{
    static const char *const phases[] = {
        [REBUILD_FOLD] = "folding",   [REBUILD_COPY] = "copying",
        [REBUILD_INDEX] = "indexing", [REBUILD_CATCH_UP] = "catching up",
        [REBUILD_SWAP] = "swapping",  [REBUILD_DONE] = "done",
    };
    struct work *work = context;
    progress_tell(&work->view, phases[p->phase], p->phase == REBUILD_DONE ? 1 : p->fold.share,
                  p->fold.events, "events", p->fold.seconds);
}

static void show_rebuilt(const struct projection *p, const struct rebuild_report *r, bool json)
{
    const char *same = !r->compared ? ""
                       : r->equal   ? "  equal to the one before"
                                    : "  DIFFERENT from the one before";
    if (json)
        printf("{\"service\":\"%s\",\"name\":\"%s\",\"generation\":%lld,\"rows\":%lld,\"digest\":"
               "\"%016llx\",\"events\":%lld,"
               "\"seconds\":%.3f,\"held_ms\":%.1f,\"compared\":%s,\"equal\":%s}\n",
               p->service, p->name, (long long)r->generation, (long long)r->rows,
               (unsigned long long)r->digest, (long long)r->events, r->seconds, r->held_ms,
               r->compared ? "true" : "false", r->compared && r->equal ? "true" : "false");
    else
        printf("  %s  %lld rows from %lld events in %.2f s%s\n", p->name, (long long)r->rows,
               (long long)r->events, r->seconds, same);
}

static struct err rebuild_all(struct work *work)
{
    char conninfo[STORE_CONNINFO_MAX];
    for (size_t i = 0; i < work->count; i++) {
        const struct projection *p = work->chosen[i];
        struct rebuild_report report = {0};
        TRY(store_conninfo(settings_databases(), p->service, conninfo, sizeof conninfo));
        work->view = progress_open(work->options->progress, p->name);
        struct err e = rebuild(&(struct rebuild_options){.projection = p,
                                                         .log = work->log,
                                                         .conninfo = conninfo,
                                                         .vocabularies = &house_vocabularies,
                                                         .progress = tell_rebuild,
                                                         .context = work},
                               &report);
        progress_close(&work->view);
        if (report.failure[0])
            fprintf(stderr, "foldlog: %s: %s\n", p->name, report.failure);
        TRY(e);
        show_rebuilt(p, &report, work->options->json);
    }
    return OK;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static const struct order {
    const char *name;
    struct err (*run)(struct work *work);
    bool all;  /* may be called without a name */
    bool asks; /* cannot be taken back */
} orders[] = {
    {"digest", digest, true, false}, {"drop", drop, false, true},
    {"list", list, true, false},     {"rebuild", rebuild_all, false, false},
    {"verify", verify, true, false},
};

/* --yes, or a human who says so. */
static bool agreed(const struct work *work, const char *what)
{
    if (work->options->yes)
        return true;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr, "foldlog: %s needs --yes where nobody can be asked\n", what);
        return false;
    }
    fprintf(stderr, "%s", what);
    for (size_t i = 0; i < work->count; i++)
        fprintf(stderr, " %s/%s", work->chosen[i]->service, work->chosen[i]->name);
    fprintf(stderr, "? [y/N] ");
    int answer = getchar();
    return answer == 'y' || answer == 'Y';
}

static int run(struct work *work, const struct order *order)
{
    for (size_t i = 0; work->options->dry_run && i < work->count; i++)
        printf("would %s %s/%s\n", order->name, work->chosen[i]->service, work->chosen[i]->name);
    if (work->options->dry_run)
        return EXIT_OK;
    if (order->asks && !agreed(work, order->name))
        return isatty(STDIN_FILENO) ? EXIT_FAILED : EXIT_USAGE;
    struct err e = instance_log("projections", &work->log);
    if (e.code == ERR_OK) {
        e = order->run(work);
        log_close(work->log);
    }
    return e.code == ERR_OK ? EXIT_OK : verb_failed(order->name, e);
}

int verb_projections(int argc, char **argv, const struct verb_options *options)
{
    struct work work = {.options = options};
    for (size_t i = 0; argc > 0 && i < COUNT(orders); i++) {
        if (strcmp(argv[0], orders[i].name) != 0)
            continue;
        if (argc == 1 && !orders[i].all)
            break;
        return choose(&work, argc - 1, argv + 1) ? run(&work, &orders[i]) : EXIT_NOT_FOUND;
    }
    return verb_usage("projections list|digest|verify [NAME...] | drop|rebuild NAME...");
}
