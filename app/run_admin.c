/* /readyz and /metrics: what the parts of this process say of themselves. */
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app/run_parts.h"
#include "app/run_sample.h"
#include "app/settings.h"
#include "runtime/http_admin.h"

enum { NOTE_MAX = 96 };

/* ---- /readyz ------------------------------------------------------------------------------- */

static bool owners_ready(const struct owner_worker_status *s, char note[NOTE_MAX])
{
    snprintf(note, NOTE_MAX, "%d of %d partitions active, %d halted", atomic_load(&s->active),
             atomic_load(&s->owned), atomic_load(&s->halted));
    return owners_have_all(s);
}

static bool projections_ready(const struct projection_worker_status *s, char note[NOTE_MAX])
{
    bool seated = atomic_load(&s->seated), leader = atomic_load(&s->leader),
         caught_up = atomic_load(&s->caught_up);
    snprintf(note, NOTE_MAX, "%s, %d running, %d halted",
             !seated     ? "starting"
             : !leader   ? "standing by"
             : caught_up ? "caught up"
                         : "catching up",
             atomic_load(&s->running), atomic_load(&s->halted));
    return seated && (!leader || caught_up);
}

static bool part_ready(const struct part *part, char note[NOTE_MAX])
{
    switch (part->kind) {
    case PART_OWNERS:
        return owners_ready(&part->owners, note);
    case PART_PROJECTIONS:
        return projections_ready(&part->projected, note);
    case PART_EFFECTS:
        snprintf(note, NOTE_MAX, "%llu jobs%s",
                 (unsigned long long)atomic_load(&part->effected.jobs),
                 atomic_load(&part->effected.breaker_open) ? ", breaker open" : "");
        return atomic_load(&part->effected.begun);
    case PART_PUBLISHER:
        snprintf(note, NOTE_MAX, "%s",
                 !atomic_load(&part->published.begun)   ? "starting"
                 : atomic_load(&part->published.active) ? "active"
                                                        : "standing by");
        return atomic_load(&part->published.begun);
    case PART_KEEPER:
        snprintf(note, NOTE_MAX, "%s", atomic_load(&part->kept) ? "follows user.log" : "starting");
        return atomic_load(&part->kept);
    case PART_SNAPSHOTS:
        snprintf(note, NOTE_MAX, "%llu snapshots written",
                 (unsigned long long)atomic_load(&part->snapshots.written));
        return true;
    }
    return false;
}

static bool ready(void *context, struct admin_page *page)
{
    const struct part_list *parts = context;
    bool all = true;
    char note[NOTE_MAX];
    for (size_t i = 0; i < parts->count; i++) {
        const struct part *part = &parts->at[i];
        bool good = part_ready(part, note);
        admin_print(page, "%-9s %s%s%s: %s\n", good ? "ready" : "not ready", part->role,
                    part->service ? " " : "", part->service ? part->service : "", note);
        all &= good;
    }
    if (parts->api) {
        bool good = api_counts(parts->api).ready;
        admin_print(page, "%-9s api: %s\n", good ? "ready" : "not ready",
                    good ? "follows the logs" : "does not know the ends of the logs");
        all &= good;
    }
    return all;
}

/* ---- /metrics ------------------------------------------------------------------------------ */

/* One metric with a sample per part of a kind. */
struct sampled {
    enum part_kind kind;
    const char *name, *type, *help;
    long long (*value)(const struct part *part);
};

#define OWNERS(field)                                     \
    static long long owners_##field(const struct part *p) \
    {                                                     \
        return (long long)atomic_load(&p->owners.field);  \
    }
#define PROJECTED(field)                                     \
    static long long projected_##field(const struct part *p) \
    {                                                        \
        return (long long)atomic_load(&p->projected.field);  \
    }
#define EFFECTED(field)                                     \
    static long long effected_##field(const struct part *p) \
    {                                                       \
        return (long long)atomic_load(&p->effected.field);  \
    }
#define PUBLISHED(field)                                     \
    static long long published_##field(const struct part *p) \
    {                                                        \
        return (long long)atomic_load(&p->published.field);  \
    }
#define SNAPSHOTS(field)                                     \
    static long long snapshots_##field(const struct part *p) \
    {                                                        \
        return (long long)atomic_load(&p->snapshots.field);  \
    }
OWNERS(decisions)
OWNERS(refused)
OWNERS(replayed)
OWNERS(voids)
OWNERS(takeovers)
OWNERS(depositions)
OWNERS(undecodable)
OWNERS(owned)
OWNERS(active)
OWNERS(halted)
PROJECTED(decisions)
PROJECTED(batches)
PROJECTED(skipped)
PROJECTED(halted)
PROJECTED(caught_up)
EFFECTED(calls)
EFFECTED(unanswered)
EFFECTED(results)
EFFECTED(unknown)
EFFECTED(jobs)
EFFECTED(halted)
EFFECTED(breaker_open)
PUBLISHED(events)
PUBLISHED(transactions)
PUBLISHED(restarts)
PUBLISHED(halted)
SNAPSHOTS(written)
SNAPSHOTS(failed)

// clang-format off
static const struct sampled metrics_of_parts[] = {
    {PART_OWNERS, "foldlog_decisions_total", "counter", "Decisions read back as valid", owners_decisions},
    {PART_OWNERS, "foldlog_decisions_refused_total", "counter", "Decisions that said no", owners_refused},
    {PART_OWNERS, "foldlog_decisions_replayed_total", "counter", "Repeated commands given their first answer", owners_replayed},
    {PART_OWNERS, "foldlog_void_records_total", "counter", "Records of former owners that were met and ignored", owners_voids},
    {PART_OWNERS, "foldlog_takeovers_total", "counter", "Partitions taken over", owners_takeovers},
    {PART_OWNERS, "foldlog_depositions_total", "counter", "Partitions lost to a later TAKEOVER", owners_depositions},
    {PART_OWNERS, "foldlog_undecodable_commands_total", "counter", "Commands refused because they cannot be decoded", owners_undecodable},
    {PART_OWNERS, "foldlog_partitions_owned", "gauge", "Partitions assigned to this process", owners_owned},
    {PART_OWNERS, "foldlog_partitions_active", "gauge", "Partitions this process decides for", owners_active},
    {PART_OWNERS, "foldlog_partitions_halted", "gauge", "Partitions that cannot go on", owners_halted},
    {PART_PROJECTIONS, "foldlog_projection_decisions_total", "counter", "Decisions folded into read models", projected_decisions},
    {PART_PROJECTIONS, "foldlog_projection_batches_total", "counter", "Transactions of read models", projected_batches},
    {PART_PROJECTIONS, "foldlog_projection_skipped_total", "counter", "Events of other services of an unknown type", projected_skipped},
    {PART_PROJECTIONS, "foldlog_projections_halted", "gauge", "Read models that cannot go on", projected_halted},
    {PART_PROJECTIONS, "foldlog_projection_caught_up", "gauge", "1: has been at the end of all its logs", projected_caught_up},
    {PART_EFFECTS, "foldlog_effect_calls_total", "counter", "Calls made to the outside", effected_calls},
    {PART_EFFECTS, "foldlog_effect_calls_unanswered_total", "counter", "Calls without an answer in time", effected_unanswered},
    {PART_EFFECTS, "foldlog_effect_results_total", "counter", "Results sent as commands", effected_results},
    {PART_EFFECTS, "foldlog_effect_unknown_total", "counter", "Results given up as unknown", effected_unknown},
    {PART_EFFECTS, "foldlog_effect_jobs", "gauge", "Jobs read and not finished", effected_jobs},
    {PART_EFFECTS, "foldlog_effect_partitions_halted", "gauge", "Partitions that cannot go on", effected_halted},
    {PART_EFFECTS, "foldlog_effect_breaker_open", "gauge", "1: the circuit breaker is open", effected_breaker_open},
    {PART_PUBLISHER, "foldlog_published_events_total", "counter", "Events committed to the events topic", published_events},
    {PART_PUBLISHER, "foldlog_publisher_transactions_total", "counter", "Transactions committed", published_transactions},
    {PART_PUBLISHER, "foldlog_publisher_restarts_total", "counter", "Producers made anew after trouble", published_restarts},
    {PART_PUBLISHER, "foldlog_publisher_partitions_halted", "gauge", "Partitions that cannot go on", published_halted},
    {PART_SNAPSHOTS, "foldlog_snapshots_written_total", "counter", "Snapshots of partitions written", snapshots_written},
    {PART_SNAPSHOTS, "foldlog_snapshots_failed_total", "counter", "Snapshots that could not be made; they are tried again", snapshots_failed},
};
// clang-format on

static void print_sampled(const struct part_list *parts, const struct sampled *m,
                          struct admin_page *page)
{
    bool first = true;
    for (size_t i = 0; i < parts->count; i++) {
        const struct part *part = &parts->at[i];
        if (part->kind != m->kind)
            continue;
        if (first)
            admin_print(page, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name, m->type);
        first = false;
        admin_print(page, "%s{role=\"%s\",service=\"%s\"} %lld\n", m->name, part->role,
                    part->service ? part->service : "", m->value(part));
    }
}

static void print_answers(const struct api_counts *c, struct admin_page *page)
{
    admin_print(page, "# HELP foldlog_http_answers_total Answers by status\n"
                      "# TYPE foldlog_http_answers_total counter\n");
    for (int status = 0; status < API_STATUSES; status++)
        if (c->answers[status])
            admin_print(page, "foldlog_http_answers_total{code=\"%d\"} %llu\n", status,
                        (unsigned long long)c->answers[status]);
}

static void print_logins(const struct api_counts *c, struct admin_page *page)
{
    static const char *const outcomes[API_LOGINS] = {[API_LOGIN_ACCEPTED] = "accepted",
                                                     [API_LOGIN_REFUSED] = "refused",
                                                     [API_LOGIN_FAILED] = "failed"};
    admin_print(page, "# HELP foldlog_logins_total Requests to log in, by outcome\n"
                      "# TYPE foldlog_logins_total counter\n");
    for (int i = 0; i < API_LOGINS; i++)
        admin_print(page, "foldlog_logins_total{outcome=\"%s\"} %llu\n", outcomes[i],
                    (unsigned long long)c->logins[i]);
    admin_print(
        page,
        "# HELP foldlog_revocations_silence_seconds Since when it is not known what has been "
        "revoked\n# TYPE foldlog_revocations_silence_seconds gauge\n"
        "foldlog_revocations_silence_seconds %.3f\n",
        (double)c->revocations_silence_ms / 1e3);
}

/* From the request to its answer: with what a command waits for its decision. */
static void print_durations(const struct api_counts *c, struct admin_page *page)
{
    static const char name[] = "foldlog_http_request_duration_seconds";
    static const char *const kinds[API_KINDS] = {
        [API_QUERIES] = "query", [API_COMMANDS] = "command"};
    admin_print(page, "# HELP %s From a request to its answer\n# TYPE %s histogram\n", name, name);
    for (int kind = 0; kind < API_KINDS; kind++) {
        const struct api_durations *d = &c->durations[kind];
        uint64_t sum = 0;
        for (int i = 0; i < API_BUCKETS; i++) {
            sum += d->buckets[i];
            admin_print(page, "%s_bucket{kind=\"%s\",le=\"%g\"} %llu\n", name, kinds[kind],
                        (double)api_bucket_us[i] / 1e6, (unsigned long long)sum);
        }
        sum += d->buckets[API_BUCKETS];
        admin_print(page,
                    "%s_bucket{kind=\"%s\",le=\"+Inf\"} %llu\n%s_sum{kind=\"%s\"} %.6f\n"
                    "%s_count{kind=\"%s\"} %llu\n",
                    name, kinds[kind], (unsigned long long)sum, name, kinds[kind],
                    (double)d->total_us / 1e6, name, kinds[kind], (unsigned long long)sum);
    }
}

static void print_api(const struct api_counts *c, struct admin_page *page)
{
    // clang-format off
    const struct { const char *name, *type, *help; long long value; } rows[] = {
        {"foldlog_http_requests_total", "counter", "HTTP requests taken", (long long)c->requests},
        {"foldlog_http_refused_total", "counter", "HTTP requests answered with a problem before a decision", (long long)c->refused},
        {"foldlog_http_connections", "gauge", "HTTP connections open", (long long)c->connections},
        {"foldlog_commands_total", "counter", "Commands appended", (long long)c->commands},
        {"foldlog_commands_decided_total", "counter", "Commands answered with their decision", (long long)c->decided},
        {"foldlog_commands_replayed_total", "counter", "Of those: repeats", (long long)c->replayed},
        {"foldlog_commands_undecided_total", "counter", "Commands answered 202", (long long)c->undecided},
        {"foldlog_commands_overloaded_total", "counter", "Requests refused because too many were waiting", (long long)c->overloaded},
        {"foldlog_commands_append_failed_total", "counter", "Commands whose append failed", (long long)c->append_failed},
        {"foldlog_commands_in_flight", "gauge", "Commands that wait for their decision", (long long)c->in_flight},
        {"foldlog_queries_total", "counter", "Queries of read models", (long long)c->queries},
        {"foldlog_catalogue_hits_total", "counter", "Products known without asking the read model", (long long)c->catalogue_hits},
        {"foldlog_catalogue_misses_total", "counter", "Products the read model was asked for", (long long)c->catalogue_misses},
    };
    // clang-format on
    for (size_t i = 0; i < COUNT(rows); i++)
        admin_metric(page, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
    print_logins(c, page);
    print_answers(c, page);
    print_durations(c, page);
}

/* By the names that Prometheus's own clients use. */
static void print_process(struct admin_page *page)
{
    struct rusage usage;
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    admin_metric(page, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes",
                 (long long)pages * sysconf(_SC_PAGESIZE));
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        admin_print(page,
                    "# HELP process_cpu_seconds_total User and system CPU time spent\n"
                    "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.3f\n",
                    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                        (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

static void metrics(void *context, struct admin_page *page)
{
    const struct part_list *parts = context;
    for (size_t i = 0; i < COUNT(metrics_of_parts); i++)
        print_sampled(parts, &metrics_of_parts[i], page);
    if (parts->api) {
        struct api_counts counts = api_counts(parts->api);
        print_api(&counts, page);
    }
    sampler_print(page);
    print_process(page);
}

struct err admin_start(const struct part_list *parts, struct http_admin **ret_admin)
{
    union {
        const struct part_list *given;
        void *context;
    } p = {.given = parts};
    return http_admin_start(
        &(struct http_admin_options){.address = setting_text(SETTING_BIND),
                                     .port = (int)setting_number(SETTING_ADMIN_PORT),
                                     .context = p.context,
                                     .ready = ready,
                                     .metrics = metrics},
        ret_admin);
}
