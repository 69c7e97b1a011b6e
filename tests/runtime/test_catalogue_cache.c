/* What the api remembers of products, over a read model that is a table here: an old row must never
 * outlive what the log has told, whatever was forgotten in between. */
#include <stdlib.h>

#include "core/partition.h"
#include "runtime/api_internal.h"
#include "tests/runtime/run_suite.h"

enum { KEYS = 5, SETS = API_CATALOGUE_ENTRIES_MAX / 4, OLD = 1, NEW = 2 };

static char keys[KEYS][16]; /* of one set, which has room for four */
static int64_t versions[KEYS];
static int64_t model_at; /* how much of the log the read model has seen */
static struct api_cache *cache;

static struct text key_of(int i)
{
    return text_of(keys[i]);
}

/* ---- the read model ------------------------------------------------------------------------- */

struct err __wrap_reader_ask(struct api_reader *reader, const char *service, const char *sql,
                             const struct query_value *values, size_t count,
                             struct query_rows *ret_rows);
struct err __wrap_reader_reached(struct api_reader *reader, const char *service, const char *model,
                                 const struct log_topic *source, const int64_t *ends,
                                 bool *ret_reached);

struct err __wrap_reader_ask(struct api_reader *reader, const char *service, const char *sql,
                             const struct query_value *values, size_t count,
                             struct query_rows *ret_rows)
{
    static struct query_value row;
    (void)reader, (void)service, (void)sql, (void)count;
    for (int i = 0; i < KEYS; i++)
        if (text_equal(values[0].text, key_of(i)))
            row = QUERY_NUMBER(versions[i]);
    *ret_rows = (struct query_rows){.count = 1, .columns = 1, .values = &row};
    return OK;
}

struct err __wrap_reader_reached(struct api_reader *reader, const char *service, const char *model,
                                 const struct log_topic *source, const int64_t *ends,
                                 bool *ret_reached)
{
    (void)reader, (void)service, (void)model, (void)source;
    *ret_reached = model_at >= ends[0];
    return OK;
}

int __wrap_log_topic_partitions(const struct log_topic *topic);
int __wrap_log_topic_partitions(const struct log_topic *topic)
{
    (void)topic;
    return 1;
}

static bool read_fact(const struct query_value *row, struct catalogue_fact *ret_fact)
{
    *ret_fact = (struct catalogue_fact){.known = true, .version = row->number};
    return true;
}

static bool apply(struct catalogue_fact *fact, const struct event *event)
{
    *fact = (struct catalogue_fact){.known = true, .version = event->version};
    return true;
}

static const struct catalogue catalogue = {
    .service = "order", .model = "rows", .source = "product", .read = read_fact, .apply = apply};

/* ---- stories -------------------------------------------------------------------------------- */

static void find_keys(void)
{
    uint32_t set = 0;
    for (int i = 0, n = 0; i < KEYS; n++) {
        snprintf(keys[i], sizeof keys[i], "sku-%d", n);
        if (i == 0)
            set = murmur2(key_of(0)) % SETS;
        i += murmur2(key_of(i)) % SETS == set;
    }
}

static void set_up(void)
{
    find_keys();
    struct err e = cache_create(&catalogue, NULL, &cache);
    ck_assert_int_eq(e.code, ERR_OK);
    cache_restart(cache, 0, 0);
    model_at = 10;
    for (int i = 0; i < KEYS; i++)
        versions[i] = OLD;
}

static void tear_down(void)
{
    cache_destroy(cache);
}

static int64_t load(int i)
{
    struct catalogue_fact fact = {0};
    const struct text key = key_of(i);
    ck_assert_int_eq(cache_load(cache, NULL, &key, 1, &fact), PROBLEM_NONE);
    ck_assert(fact.known);
    return fact.version;
}

static void news(int i, int64_t version, int64_t offset)
{
    cache_news(cache, key_of(i), &(struct event){.version = version, .offset = offset});
}

static void push_out(int spared)
{
    for (int i = 0; i < KEYS; i++)
        if (i != spared)
            load(i);
}

START_TEST(what_is_read_is_kept)
{
    load(0);
    versions[0] = NEW; /* nobody told */
    ck_assert_int_eq(load(0), OLD);
}
END_TEST

START_TEST(an_old_row_does_not_hide_what_the_log_told_before_it_was_pushed_out)
{
    load(0);
    news(0, NEW, 20); /* the read model stands at 10 */
    push_out(0);
    load(0); /* the old row: nobody knows better at this moment */
    versions[0] = NEW;
    model_at = 21;
    ck_assert_int_eq(load(0), NEW);
}
END_TEST

START_TEST(rows_are_kept_again_when_the_read_model_has_passed_what_was_pushed_out)
{
    load(0);
    news(0, NEW, 20);
    push_out(0);
    versions[0] = NEW;
    model_at = 21;
    load(0);
    versions[0] = NEW + 1; /* nobody told */
    ck_assert_int_eq(load(0), NEW);
}
END_TEST

START_TEST(an_old_row_does_not_hide_an_event_that_could_not_be_read)
{
    load(0);
    cache_unreadable(cache, key_of(0), 0, 20);
    load(0);
    versions[0] = NEW;
    model_at = 21;
    ck_assert_int_eq(load(0), NEW);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_is_read_is_kept, an_old_row_does_not_hide_what_the_log_told_before_it_was_pushed_out,
        rows_are_kept_again_when_the_read_model_has_passed_what_was_pushed_out,
        an_old_row_does_not_hide_an_event_that_could_not_be_read};
    return run_suite_with("catalogue_cache", tests, COUNT(tests), set_up, tear_down);
}
