/* foldlog sagas: fulfilments by their read model, for operators. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/print.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "core/json_write.h"
#include "projections/progress.h"
#include "runtime/query.h"
#include "runtime/store.h"

enum { LIST_MAX = 200, ARENA_BYTES = 1024 * 1024, JSON_BYTES = 64 * 1024 };

#define COLUMNS                                                                              \
    "order_id, state, needs_attention, reason, failed_step, due_step, due_at, lines, tries," \
    " started_at, updated_at, ended_at, version, payment_id, customer_id"
enum {
    ORDER,
    STATE,
    ATTENTION,
    REASON,
    FAILED_STEP,
    DUE_STEP,
    DUE_AT,
    LINES,
    TRIES,
    STARTED,
    UPDATED,
    ENDED,
    VERSION,
    PAYMENT,
    CUSTOMER,
};

struct desk {
    struct query_connection *connection;
    struct arena arena;
    bool json;
};

static struct err open_desk(struct desk *desk)
{
    char conninfo[STORE_CONNINFO_MAX];
    desk->arena = (struct arena){aligned_alloc(16, ARENA_BYTES), 0, ARENA_BYTES};
    if (!desk->arena.base)
        return FAIL(ERR_NOMEM, "rows");
    TRY(store_conninfo(settings_databases(), "fulfilment", conninfo, sizeof conninfo));
    return query_open(conninfo, &desk->connection);
}

static void close_desk(struct desk *desk)
{
    query_close(desk->connection);
    free(desk->arena.base);
}

/* ---- one fulfilment ------------------------------------------------------------------------- */

static void write_time(struct json_write *w, const char *name, const struct query_value *value)
{
    if (value->kind != QUERY_KIND_NULL)
        json_write_time(w, name, value->number);
}

static void write_word(struct json_write *w, const char *name, const struct query_value *value)
{
    if (value->text.len)
        json_write_text(w, name, value->text);
}

static void write_saga(struct json_write *w, const struct query_rows *rows, size_t row)
{
    json_write_begin(w, NULL, '{');
    json_write_uuid(w, "order_id", query_at(rows, row, ORDER)->uuid);
    json_write_text(w, "state", query_at(rows, row, STATE)->text);
    json_write_boolean(w, "needs_attention", query_at(rows, row, ATTENTION)->boolean);
    write_word(w, "reason", query_at(rows, row, REASON));
    write_word(w, "failed_step", query_at(rows, row, FAILED_STEP));
    write_word(w, "due_step", query_at(rows, row, DUE_STEP));
    write_time(w, "due_at", query_at(rows, row, DUE_AT));
    json_write_number(w, "lines", query_at(rows, row, LINES)->number);
    json_write_number(w, "tries", query_at(rows, row, TRIES)->number);
    write_time(w, "started_at", query_at(rows, row, STARTED));
    write_time(w, "updated_at", query_at(rows, row, UPDATED));
    write_time(w, "ended_at", query_at(rows, row, ENDED));
    json_write_number(w, "version", query_at(rows, row, VERSION)->number);
    json_write_uuid(w, "payment_id", query_at(rows, row, PAYMENT)->uuid);
    json_write_uuid(w, "customer_id", query_at(rows, row, CUSTOMER)->uuid);
    json_write_end(w, '}');
}

static void print_json(const struct query_rows *rows, size_t row, bool one_line)
{
    _Alignas(16) static char memory[JSON_BYTES];
    struct arena arena = {memory, 0, sizeof memory};
    struct json_write w = json_write_start(&arena);
    write_saga(&w, rows, row);
    struct text text = json_write_finish(&w, &arena);
    if (text.at)
        (void)print_document(text, one_line);
}

static void print_line(const struct query_rows *rows, size_t row)
{
    char id[UUID_TEXT_LEN + 1];
    const struct text state = query_at(rows, row, STATE)->text;
    const struct text reason = query_at(rows, row, REASON)->text;
    const struct text failed = query_at(rows, row, FAILED_STEP)->text;
    const struct text due = query_at(rows, row, DUE_STEP)->text;
    uuid_format(query_at(rows, row, ORDER)->uuid, id);
    printf("%s  %-13.*s %-17.*s %s%.*s%s%.*s\n", id, (int)state.len, state.at, (int)reason.len,
           reason.at, failed.len ? "FAILED: " : "", (int)failed.len, failed.at,
           due.len ? "waits for " : "", (int)due.len, due.at);
}

/* ---- the verb ------------------------------------------------------------------------------- */

/* One of fulfilments.state, "open" (not ended, not at rest), "attention" or "all". */
static bool is_state(const char *word)
{
    static const char *const kinds[] = {"open", "attention", "all"};
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (strcmp(word, kinds[i]) == 0)
            return true;
    for (int stage = STAGE_NONE + 1; stage <= STAGE_CANCELLED; stage++)
        if (text_is(stage_text((enum stage)stage), word))
            return true;
    return false;
}

static int no_such_state(const char *word)
{
    fprintf(stderr, "foldlog: no saga is ever \"%s\"; there are open, attention, all", word);
    for (int stage = STAGE_NONE + 1; stage <= STAGE_CANCELLED; stage++) {
        struct text text = stage_text((enum stage)stage);
        fprintf(stderr, ", %.*s", (int)text.len, text.at);
    }
    fputc('\n', stderr);
    return EXIT_USAGE;
}

static struct err list(struct desk *desk, const char *state)
{
    struct query_rows rows;
    const struct query_value values[] = {QUERY_TEXT(text_of(state)), QUERY_NUMBER(LIST_MAX)};
    TRY(query_run(desk->connection,
                  "SELECT " COLUMNS " FROM fulfilments WHERE state = $1"
                  " OR ($1 = 'open' AND ended_at IS NULL AND state <> 'confirmed')"
                  " OR ($1 = 'attention' AND needs_attention) OR $1 = 'all'"
                  " ORDER BY needs_attention DESC, updated_at DESC LIMIT $2",
                  values, COUNT(values), &desk->arena, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        if (desk->json)
            print_json(&rows, i, true);
        else
            print_line(&rows, i);
    }
    if (!desk->json)
        fprintf(stderr, "%zu%s %s\n", rows.count, rows.count == LIST_MAX ? " or more" : "", state);
    return OK;
}

static struct err show(struct desk *desk, struct uuid order_id)
{
    struct query_rows rows;
    const struct query_value values[] = {QUERY_UUID(order_id)};
    TRY(query_run(desk->connection, "SELECT " COLUMNS " FROM fulfilments WHERE order_id = $1",
                  values, COUNT(values), &desk->arena, &rows));
    if (rows.count == 0)
        return FAIL(ERR_NOT_FOUND, "no fulfilment of this order");
    print_json(&rows, 0, desk->json);
    return OK;
}

int verb_sagas(int argc, char **argv, const struct verb_options *options)
{
    struct desk desk = {.json = options->json};
    struct uuid order_id;
    bool listing = argc >= 1 && argc <= 2 && strcmp(argv[0], "list") == 0;
    bool showing = argc == 2 && strcmp(argv[0], "show") == 0;
    if (showing && !uuid_read(text_of(argv[1]), &order_id))
        return verb_usage("sagas show ORDER (a UUID)");
    if (!listing && !showing)
        return verb_usage("sagas list [open|attention|all|STATE] | sagas show ORDER");
    const char *state = argc == 2 ? argv[1] : "open";
    if (listing && !is_state(state))
        return no_such_state(state);
    struct err e = open_desk(&desk);
    if (e.code == ERR_OK)
        e = showing ? show(&desk, order_id) : list(&desk, state);
    close_desk(&desk);
    return e.code == ERR_OK ? EXIT_OK : verb_failed("sagas", e);
}
