/* foldlog doctor: looks at all that Foldlog needs, says what it sees and what is wrong. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/database.h"
#include "app/house.h"
#include "app/instance.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "core/json_write.h"
#include "effects/effects.h"
#include "projections/projections.h"
#include "runtime/clock.h"
#include "runtime/effect_worker.h"
#include "runtime/http_out.h"
#include "runtime/kafka_offsets.h"
#include "runtime/models.h"
#include "runtime/publisher.h"
#include "runtime/topics.h"

enum { NOTE_MAX = 400, PROVIDER_MS = 3000, POLL_MS = 10 };
static const int64_t lag_alarm = 100000; /* records */

struct doctor {
    bool json;
    bool deaf; /* Kafka does not answer: nothing else is asked of it */
    int wrong;
    struct log *log;
};

/* ---- findings ------------------------------------------------------------------------------- */

static void say_json(bool good, const char *what, const char *note)
{
    _Alignas(16) char memory[4 * NOTE_MAX];
    struct arena arena = {memory, 0, sizeof memory};
    struct json_write w = json_write_start(&arena);
    json_write_begin(&w, NULL, '{');
    json_write_text(&w, "check", text_of(what));
    json_write_boolean(&w, "good", good);
    json_write_text(&w, "note", text_of(note));
    json_write_end(&w, '}');
    struct text line = json_write_finish(&w, &arena);
    printf("%.*s\n", (int)line.len, line.at);
}

static void say(struct doctor *d, bool good, const char *what, const char *note)
{
    d->wrong += !good;
    if (d->json)
        say_json(good, what, note);
    else
        printf("%-5s %-30s %s\n", good ? "ok" : "WRONG", what, note);
}

static void say_err(struct doctor *d, const char *what, struct err e)
{
    char note[NOTE_MAX];
    snprintf(note, sizeof note, "%s: %s", err_text(e), e.what ? e.what : "");
    say(d, false, what, note);
}

/* ---- Kafka ---------------------------------------------------------------------------------- */

static void wrong_topic(void *context, const char *topic, const char *what)
{
    say(context, false, topic, what);
}

static void look_at_topics(struct doctor *d)
{
    struct topics_options topics = {.log = d->log,
                                    .services = &house_services,
                                    .partitions = (int)setting_number(SETTING_PARTITIONS),
                                    .replication = (int)setting_number(SETTING_REPLICATION),
                                    .dev = setting_flag(SETTING_DEV)};
    int before = d->wrong;
    struct err e = topics_check(&topics, wrong_topic, d);
    if (e.code == ERR_OK)
        say(d, true, "topics", "as the protocol needs them");
    else if (d->wrong == before)
        say_err(d, "topics", e);
    d->deaf = err_class(e) == ERR_CLASS_RETRY;
}

/* A position that lies outside its log stops its worker; how far it is behind is shown. */
static void look_at_group(struct doctor *d, const char *group, const char *service)
{
    char name[TOPIC_LEN_MAX], note[NOTE_MAX];
    int64_t offsets[PARTITIONS_MAX], lag = 0;
    struct log_topic *topic;
    snprintf(name, sizeof name, "%s.log", service);
    struct err e = log_topic(d->log, name, &topic);
    if (e.code == ERR_OK)
        e = offsets_read(d->log, group, topic, offsets);
    if (e.code != ERR_OK) {
        say_err(d, group, e);
        return;
    }
    for (int p = 0; p < log_topic_partitions(topic); p++) {
        int64_t first, end;
        e = log_ends(topic, p, &first, &end);
        if (e.code != ERR_OK) {
            say_err(d, group, e);
            return;
        }
        if (offsets[p] < first || offsets[p] > end) {
            snprintf(note, sizeof note, "position %lld of partition %d lies outside its log",
                     (long long)offsets[p], p);
            say(d, false, group, note);
            return;
        }
        lag += end - offsets[p];
    }
    snprintf(note, sizeof note, "%lld records behind", (long long)lag);
    say(d, lag < lag_alarm, group, note);
}

static void look_at_groups(struct doctor *d)
{
    char group[TOPIC_LEN_MAX];
    for (size_t i = 0; i < house_services.count; i++) {
        publisher_group(house_services.at[i].name, group);
        look_at_group(d, group, house_services.at[i].name);
    }
    effect_group(&payment_effect, group);
    look_at_group(d, group, payment_effect.service);
}

static void look_at_kafka(struct doctor *d)
{
    struct err e = instance_log("doctor", &d->log);
    if (e.code != ERR_OK) {
        say_err(d, "kafka", e);
        return;
    }
    look_at_topics(d);
    if (!d->deaf)
        look_at_groups(d);
}

/* ---- databases ------------------------------------------------------------------------------ */

static bool look_at_database(struct doctor *d, const char *service)
{
    char what[64], said[DATABASE_SAID_MAX];
    snprintf(what, sizeof what, "database of %s", service);
    struct err e = database_try(service, said);
    say(d, e.code == ERR_OK, what, e.code == ERR_OK ? "lets us in" : said);
    return e.code == ERR_OK;
}

/* ---- read models ---------------------------------------------------------------------------- */

static void look_at_model(struct doctor *d, const struct projection *projection)
{
    char conninfo[STORE_CONNINFO_MAX], what[96], note[NOTE_MAX];
    struct model_info info;
    snprintf(what, sizeof what, "%s/%s", projection->service, projection->name);
    struct err e =
        store_conninfo(settings_databases(), projection->service, conninfo, sizeof conninfo);
    if (e.code == ERR_OK)
        e = models_list(&(struct models_options){.log = d->log,
                                                 .conninfo = conninfo,
                                                 .vocabularies = &house_vocabularies},
                        &projection, 1, &info);
    if (e.code != ERR_OK) {
        say_err(d, what, e);
        return;
    }
    snprintf(note, sizeof note, "%s, %lld rows, %lld records behind %.300s",
             info.rebuilding ? "rebuilding" : model_state_text(info.state),
             (long long)info.generation.rows, (long long)info.lag, info.generation.reason);
    say(d, info.state == MODEL_STATE_LIVE && info.lag < lag_alarm, what, note);
}

/* Where nobody gets in nothing is seen of the models either. */
static void look_at_service(struct doctor *d, const char *service)
{
    if (!look_at_database(d, service))
        return;
    for (size_t i = 0; d->log && !d->deaf && i < projections_count; i++)
        if (strcmp(projections[i]->service, service) == 0)
            look_at_model(d, projections[i]);
}

/* ---- the payment provider ------------------------------------------------------------------- */

static void keep_status(void *context, uint64_t tag, const struct http_response *response)
{
    (void)tag;
    *(int *)context = response->trouble == HTTP_FINE ? response->status : -1;
}

static struct err ask_provider(int *ret_status)
{
    char url[1024];
    struct http_out *http;
    int64_t until = clock_monotonic_ms() + PROVIDER_MS + 500;
    snprintf(url, sizeof url, "%s/charges?idempotency_key=doctor",
             setting_text(SETTING_PAYMENT_URL));
    TRY(http_out_open(keep_status, ret_status, NULL, &http));
    struct err e = http_out_send(
        http, &(struct http_request){.method = "GET", .url = url, .timeout_ms = PROVIDER_MS}, 1);
    while (e.code == ERR_OK && *ret_status == 0 && clock_monotonic_ms() < until)
        if (http_out_poll(http) == 0)
            nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000}, NULL);
    http_out_close(http);
    return e;
}

static void look_at_provider(struct doctor *d)
{
    int status = 0;
    char note[NOTE_MAX];
    struct err e = ask_provider(&status);
    if (e.code != ERR_OK) {
        say_err(d, "payment provider", e);
        return;
    }
    if (status > 0)
        snprintf(note, sizeof note, "answers (%d)", status);
    else
        snprintf(note, sizeof note, "does not answer");
    say(d, status > 0 && status < 500, "payment provider", note);
}

int verb_doctor(int argc, char **argv, const struct verb_options *options)
{
    struct doctor d = {.json = options->json};
    (void)argv;
    if (argc != 0)
        return verb_usage("doctor [--json]");
    look_at_kafka(&d);
    for (size_t i = 0; i < house_services.count; i++)
        look_at_service(&d, house_services.at[i].name);
    (void)look_at_database(&d, "vault");
    look_at_provider(&d);
    log_close(d.log);
    if (!d.json)
        fprintf(stderr, "%d wrong\n", d.wrong);
    return d.deaf ? EXIT_UNAVAILABLE : d.wrong ? EXIT_FAILED : EXIT_OK;
}
