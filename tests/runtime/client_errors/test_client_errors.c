/* Every error that a broker can answer, against every part of the product that can meet it.
 * usage: test_client_errors [PART...] */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/clock.h"
#include "tests/runtime/client_errors/cells.h"

enum { AT_ONCE = 32, CELLS_MAX = 512 };

#define E(name) RD_KAFKA_RESP_ERR_##name
#define CUT RD_KAFKA_RESP_ERR__TRANSPORT /* the mock closes the connection over the request */

struct part {
    const char *name;
    struct finding (*run)(const struct cell *cell);
    const struct cell *cells;
    size_t count;
};

#include "tests/runtime/client_errors/matrix.h"

static const char *const ending_texts[] = {
#define X(id, text) text,
    ENDING_MAP(X)
#undef X
};

static const char *const how_texts[HOWS] = {"once",          "5 times",      "lasting",
                                            "late by 0.7 s", "brokers down", "answer lost",
                                            "of others",     "no leader"};

struct finding broken(const char *format, ...)
{
    struct finding f = {.ending = V_BROKEN};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(f.detail, sizeof f.detail, format, arguments);
    va_end(arguments);
    return f;
}

struct finding found(enum ending ending)
{
    return (struct finding){.ending = ending};
}

static const char *api_name(enum api api)
{
    switch (api) {
    case API_PRODUCE:
        return "Produce";
    case API_FETCH:
        return "Fetch";
    case API_LIST_OFFSETS:
        return "ListOffsets";
    case API_METADATA:
        return "Metadata";
    case API_OFFSET_COMMIT:
        return "OffsetCommit";
    case API_OFFSET_FETCH:
        return "OffsetFetch";
    case API_FIND_COORDINATOR:
        return "FindCoordinator";
    case API_JOIN_GROUP:
        return "JoinGroup";
    case API_HEARTBEAT:
        return "Heartbeat";
    case API_SYNC_GROUP:
        return "SyncGroup";
    case API_INIT_PRODUCER_ID:
        return "InitProducerId";
    case API_ADD_PARTITIONS_TO_TXN:
        return "AddPartitionsToTxn";
    case API_ADD_OFFSETS_TO_TXN:
        return "AddOffsetsToTxn";
    case API_END_TXN:
        return "EndTxn";
    case API_TXN_OFFSET_COMMIT:
        return "TxnOffsetCommit";
    }
    return "?";
}

/* ---- running -------------------------------------------------------------------------------- */

struct task {
    const struct part *part;
    const struct cell *cell;
    struct finding finding;
    int64_t ms;
};

static struct task tasks[CELLS_MAX];
static size_t tasks_count;
static _Atomic size_t next_task, bad;

static bool is_as_wanted(enum ending found, enum ending wanted)
{
    return found == wanted || (wanted == V_DECIDED && (found == V_ONCE || found == V_RETAKEN));
}

/* A line of the matrix; as they come. */
static void print(const struct task *t)
{
    const struct cell *c = t->cell;
    bool named = c->how == HOW_ONCE || c->how == HOW_FIVE_TIMES || c->how == HOW_LASTING;
    const char *error = !named            ? "-"
                        : c->error == CUT ? "connection cut"
                                          : rd_kafka_err2name(c->error);
    char wanted[CELL_DETAIL + 64] = "";
    if (!is_as_wanted(t->finding.ending, c->wanted)) {
        atomic_fetch_add(&bad, 1);
        snprintf(wanted, sizeof wanted, "  WANTED: %s  %s", ending_texts[c->wanted],
                 t->finding.detail);
    }
    printf("%-8s %-18s %-36s %-13s %-18s %5.1f s%s\n", t->part->name, api_name(c->api), error,
           how_texts[c->how], ending_texts[t->finding.ending], (double)t->ms / 1000, wanted);
    fflush(stdout);
}

static void *work(void *context)
{
    size_t i;
    (void)context;
    while ((i = atomic_fetch_add(&next_task, 1)) < tasks_count) {
        int64_t began = clock_monotonic_ms();
        tasks[i].finding = tasks[i].part->run(tasks[i].cell);
        tasks[i].ms = clock_monotonic_ms() - began;
        print(&tasks[i]);
    }
    return NULL;
}

static void run_all(void)
{
    pthread_t threads[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            abort();
    for (int i = 0; i < AT_ONCE; i++)
        pthread_join(threads[i], NULL);
}

static bool is_wanted(const char *part, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(part, argv[i]) == 0)
            return true;
    return argc < 2;
}

static void plan(int argc, char **argv)
{
    for (size_t p = 0; p < COUNT(parts); p++)
        for (size_t i = 0; i < parts[p].count && is_wanted(parts[p].name, argc, argv); i++)
            tasks[tasks_count++] = (struct task){.part = &parts[p], .cell = &parts[p].cells[i]};
}

int main(int argc, char **argv)
{
    plan(argc, argv);
    run_all();
    printf("%zu cells, %zu not as promised\n", tasks_count, atomic_load(&bad));
    return atomic_load(&bad) > 0 || tasks_count == 0;
}
