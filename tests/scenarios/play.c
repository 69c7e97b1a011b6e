/* Step after step; meanwhile a client reads the log as its owner's clients do. */
#include "tests/scenarios/play.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/partition.h"
#include "runtime/clock.h"
#include "runtime/cursor.h"
#include "tests/scenarios/stage.h"
#include "tests/scenarios/witness.h"

enum {
    PARTITIONS = 4,
    READERS = 4,
    MEMBERS = 4,
    ACTORS = 4,
    FACTS = 64,
    PATIENCE_MS = 60000,
    STEP_MS = 20,
    ARENA_BYTES = 1 << 20,
    WORDS_BYTES = 512,
};

/* Whoever reads with the product's own cursor. */
struct follower {
    char name; /* 0: the client */
    struct cursor cursor;
    struct err halted;
    bool rests;
    size_t told_count;
    char told[WORDS_BYTES]; /* commands, in the order in which it was told */
};

struct member {
    char name;
    struct log *log;
    struct log_reader *reader;
    struct log_group *group;
    bool seated;
};

static struct {
    const struct scenario *scenario;
    struct cast cast;
    char commands_name[TOPIC_LEN_MAX], log_name[TOPIC_LEN_MAX], orders_name[TOPIC_LEN_MAX];
    int partitions;
    char actors[ACTORS + 1];
    /* the audience: renewed when the broker comes back */
    struct log *judge_log;
    struct log_reader *judge;
    struct log_topic *log, *orders;
    struct witness witnesses[PARTITIONS], orders_witness;
    /* the client: keeps its place whatever happens */
    struct log *client_log;
    struct log_reader *client;
    struct log_producer *producer;
    struct log_topic *client_commands, *client_topic;
    struct follower clients[PARTITIONS], readers[READERS];
    size_t readers_count;
    struct member members[MEMBERS];
    size_t members_count;
    char positions[WORDS_BYTES];
    char *out;
    size_t used;
    bool failed;
} p;

static _Alignas(16) char arena_memory[ARENA_BYTES];

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(p.out + p.used, OUTCOME_BYTES - p.used, format, args);
    va_end(args);
    p.used = p.used + (size_t)n < OUTCOME_BYTES ? p.used + (size_t)n : OUTCOME_BYTES - 1;
}

static void add_word(char words[WORDS_BYTES], const char *word)
{
    size_t used = strlen(words);
    snprintf(words + used, WORDS_BYTES - used, " %s", word);
}

/* The scenario cannot go on. */
static void fail(const char *what, struct err e)
{
    if (!p.failed)
        say("FAILED %s: %s (%s)\n", what, err_text(e), e.what ? e.what : "");
    p.failed = true;
}

static bool good(const char *what, struct err e)
{
    if (e.code != ERR_OK)
        fail(what, e);
    return !p.failed;
}

/* ---- reading -------------------------------------------------------------------------------- */

static void take_facts(struct follower *f)
{
    static struct fact facts[FACTS];
    struct arena arena = {arena_memory, 0, sizeof arena_memory};
    size_t n = 0;
    int64_t at = -1;
    while (f->cursor.topic && !f->rests && f->halted.code == ERR_OK && f->cursor.next > at) {
        at = f->cursor.next;
        arena_reset(&arena);
        struct err e = cursor_read(&f->cursor, p.client, &arena, facts, FACTS, &n);
        if (err_class(e) == ERR_CLASS_HALT)
            f->halted = e;
        for (size_t i = 0; e.code == ERR_OK && i < n; i++) {
            if (facts[i].decision.outcome == OUTCOME_POSITION)
                continue;
            f->told_count++;
            add_word(f->told, cast_name(facts[i].decision.command_id));
            if (!f->name) {
                add_word(f->told, witness_answer(&facts[i].decision));
                add_word(f->told, "|");
            }
        }
    }
}

static void poll_members(void)
{
    const struct log_partition *owned;
    size_t n;
    for (size_t i = 0; i < p.members_count; i++)
        if (p.members[i].group && group_poll(p.members[i].group, &owned, &n) != GROUP_NOTHING)
            p.members[i].seated = n > 0;
}

static void read_all(void)
{
    for (int i = 0; i < p.partitions; i++)
        take_facts(&p.clients[i]);
    for (size_t i = 0; i < p.readers_count; i++)
        take_facts(&p.readers[i]);
    poll_members();
    producer_poll(p.producer, 0);
}

static bool judge(void)
{
    for (int i = 0; i < p.partitions; i++)
        if (!good("reading the log", witness_read(&p.witnesses[i], p.judge, NULL, NULL)))
            return false;
    return !p.orders ||
           good("reading the saga's log", witness_read(&p.orders_witness, p.judge, NULL, NULL));
}

/* ---- opening and closing -------------------------------------------------------------------- */

static struct err open_judge(void)
{
    p.judge_log = stage_log("judge");
    TRY(log_topic(p.judge_log, p.log_name, &p.log));
    TRY(log_reader_open(p.judge_log, &p.judge));
    for (int i = 0; i < p.partitions; i++) {
        TRY(log_follow(p.judge, p.log, i));
        witness_init(&p.witnesses[i], p.log, i);
    }
    if (!p.scenario->with_saga)
        return OK;
    TRY(log_topic(p.judge_log, p.orders_name, &p.orders));
    TRY(log_follow(p.judge, p.orders, 0));
    witness_init(&p.orders_witness, p.orders, 0);
    return OK;
}

static void close_judge(void)
{
    log_reader_close(p.judge);
    stage_log_close(p.judge_log);
    p.judge = NULL;
    p.judge_log = NULL;
}

static struct err open_client(void)
{
    p.client_log = stage_log("client");
    TRY(log_topic(p.client_log, p.commands_name, &p.client_commands));
    TRY(log_topic(p.client_log, p.log_name, &p.client_topic));
    TRY(log_reader_open(p.client_log, &p.client));
    TRY(producer_open(p.client_log, NULL, NULL, p.client, &p.producer));
    for (int i = 0; i < p.partitions; i++)
        TRY(cursor_from_end(&p.clients[i].cursor, p.client, p.client_topic, i));
    return OK;
}

static void leave(struct member *m)
{
    group_close(m->group);
    log_reader_close(m->reader);
    if (m->log)
        stage_log_close(m->log);
    m->group = NULL;
    m->reader = NULL;
    m->log = NULL;
}

static void close_all(void)
{
    for (size_t i = 0; i < p.members_count; i++)
        leave(&p.members[i]);
    close_judge();
    producer_close(p.producer);
    log_reader_close(p.client);
    stage_log_close(p.client_log);
}

/* ---- clients and others --------------------------------------------------------------------- */

static void append(struct log_topic *topic, int partition, struct text key, struct text value)
{
    if (good("an append of the audience",
             producer_append(p.producer, topic, partition, key, value, 0)))
        (void)good("an append of the audience", producer_flush(p.producer, 30000));
}

static void send(int command, int product, uint64_t fingerprint, bool for_saga)
{
    struct arena arena = {arena_memory, 0, sizeof arena_memory};
    struct command c = cast_command(&p.cast, command, product, for_saga, &arena);
    c.attempt = random_uuid();
    c.fingerprint += fingerprint;
    append(p.client_commands, partition_of(c.target, p.partitions), c.target,
           command_encode(&c, &arena));
}

static void send_garbage(int n)
{
    for (int i = 0; i < n; i++)
        append(p.client_commands, 0, TEXT("SKU-1"), TEXT("this is no command"));
}

static void announce(void)
{
    struct arena arena = {arena_memory, 0, sizeof arena_memory};
    struct takeover t = {.mark = {.kind = RECORD_TAKEOVER, .epoch = -1},
                         .nonce = random_uuid(),
                         .instance = TEXT("thief"),
                         .at = clock_now_us()};
    append(p.client_topic, 0, TEXT(""), takeover_encode(&t, &arena));
}

static void echo(int n)
{
    enum { ECHO_MAX = 32 };
    struct log_record records[ECHO_MAX];
    struct arena arena = {arena_memory, 0, sizeof arena_memory};
    size_t got = 0;
    if (!judge())
        return;
    int64_t from = p.witnesses[0].next - n;
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         got < (size_t)n && clock_monotonic_ms() < until;) {
        arena_reset(&arena);
        if (!good("an echo", log_read(p.judge, p.log, 0, from, &arena, records, (size_t)n, &got)))
            return;
        if (got < (size_t)n)
            log_wait(p.judge, STEP_MS);
    }
    for (size_t i = 0; i < got; i++)
        append(p.client_topic, 0, records[i].key, records[i].value);
}

/* ---- readers and members -------------------------------------------------------------------- */

static struct follower *reader_add(char name)
{
    p.readers[p.readers_count] = (struct follower){.name = name};
    return &p.readers[p.readers_count++];
}

static void read_from_end(char name)
{
    struct follower *f = reader_add(name);
    (void)good("a reader from the end", cursor_from_end(&f->cursor, p.client, p.client_topic, 0));
}

static void read_from(char name, int64_t offset)
{
    struct follower *f = reader_add(name);
    f->halted = cursor_resume(&f->cursor, p.client, p.client_topic, 0,
                              (struct position){offset, PRINT_UNKNOWN});
}

/* name 0: the client of partition 0. */
static struct follower *reader_of(char name)
{
    for (size_t i = 0; i < p.readers_count; i++)
        if (p.readers[i].name == name)
            return &p.readers[i];
    return &p.clients[0];
}

static void read_on(char name)
{
    struct follower *f = reader_of(name);
    f->rests = false;
    f->halted = cursor_resume(&f->cursor, p.client, p.client_topic, 0, cursor_position(&f->cursor));
}

static struct member *member(char name)
{
    for (size_t i = 0; i < p.members_count; i++)
        if (p.members[i].name == name)
            return &p.members[i];
    p.members[p.members_count] = (struct member){.name = name};
    return &p.members[p.members_count++];
}

static void join(char name)
{
    struct member *m = member(name);
    struct log_topic *topic;
    char group[TOPIC_LEN_MAX];
    snprintf(group, sizeof group, "%s.readers", p.cast.product);
    m->log = stage_log_of(name);
    if (!good("a member", log_topic(m->log, p.log_name, &topic)) ||
        !good("a member", log_reader_open(m->log, &m->reader)) ||
        !good("a member", group_open(m->log, group, &topic, 1, m->reader, &m->group)))
        return;
    for (int64_t until = clock_monotonic_ms() + PATIENCE_MS;
         !m->seated && clock_monotonic_ms() < until;) {
        log_wait(m->reader, STEP_MS);
        poll_members();
    }
    if (!m->seated)
        fail("a member's seat", FAIL(ERR_TIMEOUT, NULL));
}

static struct log_partition place_of(struct member *m)
{
    struct log_topic *topic = NULL;
    (void)good("a member's topic", log_topic(m->log, p.log_name, &topic));
    return (struct log_partition){topic, 0};
}

static int64_t committed(char name)
{
    struct member *m = member(name);
    struct position position = {-1, PRINT_UNKNOWN};
    (void)good("a position", group_committed(m->group, place_of(m), &position));
    return position.offset;
}

static void tell_committed(char name)
{
    char word[40];
    snprintf(word, sizeof word, "%c:%lld", name, (long long)committed(name));
    add_word(p.positions, word);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static size_t sum(bool voids)
{
    size_t n = 0;
    for (int i = 0; i < p.partitions; i++)
        n += voids ? p.witnesses[i].voids : p.witnesses[i].decided;
    return n;
}

static bool has_come(const struct step *s)
{
    struct stage_halt halt;
    switch (s->verb) {
    case AWAIT_DECIDED:
        return judge() && sum(false) >= (size_t)s->n;
    case AWAIT_SAGA_DECIDED:
        return judge() && p.orders_witness.decided >= (size_t)s->n;
    case AWAIT_VOID:
        return judge() && sum(true) >= (size_t)s->n;
    case AWAIT_OWNER:
        return judge() && witness_owner(&p.witnesses[0]) == s->who;
    case AWAIT_HELD:
        return stage_held(s->who) > 0;
    case AWAIT_HALT:
        return stage_halt(s->who, 0, &halt);
    case AWAIT_COMMITTED:
        return committed(s->who) == s->n;
    case AWAIT_TOLD:
        return reader_of(s->who)->told_count >= (size_t)s->n;
    case AWAIT_READER_HALT:
        return reader_of(s->who)->halted.code != ERR_OK;
    default:
        return true;
    }
}

static const char *awaited(enum verb verb)
{
    switch (verb) {
    case AWAIT_DECIDED:
        return "decisions";
    case AWAIT_SAGA_DECIDED:
        return "decisions of the saga";
    case AWAIT_VOID:
        return "void records";
    case AWAIT_OWNER:
        return "an owner";
    case AWAIT_HELD:
        return "a request to hold";
    case AWAIT_HALT:
        return "a halt";
    case AWAIT_TOLD:
        return "what a reader is told";
    case AWAIT_READER_HALT:
        return "a reader's halt";
    default:
        return "something";
    }
}

static void await(const struct step *s)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (!p.failed && !has_come(s)) {
        if (clock_monotonic_ms() > until) {
            fail(awaited(s->verb), FAIL(ERR_TIMEOUT, "awaited in vain"));
            return;
        }
        log_wait(p.client, STEP_MS);
        read_all();
    }
    read_all();
}

static void let_pass(int ms)
{
    for (int64_t until = clock_monotonic_ms() + ms; clock_monotonic_ms() < until;) {
        clock_sleep_us(STEP_MS * 1000);
        read_all();
    }
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void start(char who, enum duty duty)
{
    size_t n = strlen(p.actors);
    if (!strchr(p.actors, who) && n < ACTORS)
        p.actors[n] = who;
    stage_start(who, duty);
}

static void end_actor(char who, bool orderly)
{
    char *at = strchr(p.actors, who);
    if (orderly)
        stage_stop(who);
    else
        stage_kill(who);
    memmove(at, at + 1, strlen(at));
}

static void broker_up(void)
{
    stage_broker_up();
    close_judge();
    (void)good("opening again", open_judge());
}

/* NULL: it was not one of these. */
static bool do_actors(const struct step *s)
{
    switch (s->verb) {
    case DO_START:
        return start(s->who, DUTY_OWNER), true;
    case DO_START_RIVAL:
        return start(s->who, DUTY_RIVAL), true;
    case DO_START_SAGA:
        return start(s->who, DUTY_SAGA), true;
    case DO_STOP:
        return end_actor(s->who, true), true;
    case DO_KILL:
        return end_actor(s->who, false), true;
    case DO_PAUSE:
        return stage_pause(s->who), true;
    case DO_RESUME:
        return stage_resume(s->who), true;
    case DO_HOLD:
        return stage_hold(s->who, (enum api)s->n), true;
    case DO_RELEASE:
        return stage_release(s->who, (enum api)s->n), true;
    case DO_LOSE_ANSWER:
        return stage_lose_answer(s->who), true;
    case DO_DOUBLE:
        return stage_double(s->who), true;
    default:
        return false;
    }
}

static bool do_writers(const struct step *s)
{
    switch (s->verb) {
    case DO_SEND:
    case DO_SEND_AGAIN:
        return send(s->n, s->n, 0, false), true;
    case DO_SEND_FOR_SAGA:
        return send(s->n, s->n, 0, true), true;
    case DO_SEND_TWIN:
        return send(50 + s->n, s->n, 0, false), true;
    case DO_SEND_OTHER:
        return send(s->n, s->n, 1, false), true;
    case DO_SEND_GARBAGE:
        return send_garbage(s->n), true;
    case DO_FOREIGN_TAKEOVER:
        return announce(), true;
    case DO_ECHO:
        return echo(s->n), true;
    default:
        return false;
    }
}

static bool do_broker(const struct step *s)
{
    switch (s->verb) {
    case DO_DELETE:
        return stage_delete(p.client_commands, 0, s->n), true;
    case DO_BROKER_DOWN:
        return stage_broker_down(), true;
    case DO_CUT_LOG:
        return stage_cut(p.log_name, 0, s->n), true;
    case DO_CUT_COMMANDS:
        return stage_cut(p.commands_name, 0, s->n), true;
    case DO_BROKER_UP:
        return broker_up(), true;
    default:
        return false;
    }
}

static bool do_readers(const struct step *s)
{
    switch (s->verb) {
    case DO_READ_FROM_END:
        return read_from_end(s->who), true;
    case DO_READ_FROM:
        return read_from(s->who, s->n), true;
    case DO_REST:
        return reader_of(s->who)->rests = true;
    case DO_READ_ON:
        return read_on(s->who), true;
    case DO_JOIN:
        return join(s->who), true;
    case DO_LEAVE:
        return leave(member(s->who)), true;
    case DO_COMMIT:
        return good("a commit", group_commit(member(s->who)->group, place_of(member(s->who)),
                                             (struct position){s->n, (uint64_t)s->n})),
               true;
    case DO_COMMITTED:
        return tell_committed(s->who), true;
    case LET_PASS:
        return let_pass(s->n), true;
    default:
        return false;
    }
}

static void step(const struct step *s)
{
    if (!do_actors(s) && !do_writers(s) && !do_broker(s) && !do_readers(s))
        await(s);
}

/* ---- the outcome ---------------------------------------------------------------------------- */

struct telling {
    const char *log;
    int partition;
};

static void tell_decision(void *context, char author, bool valid, const struct decision *d)
{
    const struct telling *t = context;
    if (!valid && p.scenario->voids_vary)
        return;
    bool of_saga = text_is(d->type, "decision"); /* it has no command of its own */
    say("%s %d: %c %s%s", t->log, t->partition, p.scenario->authors_vary ? '-' : author,
        valid ? "" : "void ", cast_name(of_saga ? d->cause : d->command_id));
    if (valid)
        say(" %s", witness_answer(d));
    for (size_t i = 0; valid && i < d->commands_count; i++)
        say("%s %s", i ? "" : " sends", cast_name(d->commands[i].id));
    say("\n");
}

static void tell_log(const char *name, struct log_topic *topic, int partition)
{
    struct witness w;
    witness_init(&w, topic, partition);
    (void)good("the outcome",
               witness_read(&w, p.judge, tell_decision, &(struct telling){name, partition}));
}

static void tell_follower(const struct follower *f, int partition)
{
    char name[20];
    snprintf(name, sizeof name, f->name ? "reader %c" : "client %d", f->name ? f->name : partition);
    if (f->told[0] || f->halted.code != ERR_OK)
        say("%s:%s%s%s\n", name, f->told, f->halted.code != ERR_OK ? " halts: " : "",
            f->halted.code != ERR_OK ? err_text(f->halted) : "");
}

/* What an error is, without what led to it. */
static void tell_halts(char who)
{
    struct stage_halt halt;
    for (int i = 0; stage_halt(who, i, &halt); i++) {
        char *colon = strchr(halt.why, ':');
        if (colon)
            *colon = 0;
        say("%c halts %s %d: %s\n", who, halt.topic[0] == 's' ? "saga" : "log", halt.partition,
            halt.why);
    }
}

static void tell_all(const char *everybody)
{
    for (int i = 0; i < p.partitions; i++)
        tell_log("log", p.log, i);
    if (p.orders)
        tell_log("saga", p.orders, 0);
    for (int i = 0; i < p.partitions; i++)
        tell_follower(&p.clients[i], i);
    for (size_t i = 0; i < p.readers_count; i++)
        tell_follower(&p.readers[i], 0);
    if (p.positions[0])
        say("committed:%s\n", p.positions);
    for (const char *who = everybody; *who; who++)
        tell_halts(*who);
}

/* Whoever ever acted. */
static void list_actors(const struct scenario *s, char everybody[ACTORS + 1])
{
    memset(everybody, 0, ACTORS + 1);
    for (const struct step *at = s->steps; at->verb != SCENARIO_END; at++)
        if ((at->verb == DO_START || at->verb == DO_START_RIVAL || at->verb == DO_START_SAGA) &&
            !strchr(everybody, at->who))
            everybody[strlen(everybody)] = at->who;
}

static void begin(const struct scenario *s, const char *suffix, char *outcome)
{
    memset(&p, 0, sizeof p);
    p.scenario = s;
    p.out = outcome;
    outcome[0] = 0;
    p.partitions = s->partitions ? s->partitions : 1;
    cast_init(&p.cast, suffix, s->with_saga);
    snprintf(p.commands_name, sizeof p.commands_name, "%s.commands", p.cast.product);
    snprintf(p.log_name, sizeof p.log_name, "%s.log", p.cast.product);
    snprintf(p.orders_name, sizeof p.orders_name, "%s.log", p.cast.orders);
    stage_begin(s, &p.cast, suffix);
}

bool play(const struct scenario *s, const char *suffix, char outcome[OUTCOME_BYTES])
{
    char everybody[ACTORS + 1];
    begin(s, suffix, outcome);
    list_actors(s, everybody);
    if (good("opening", open_judge()) && good("opening", open_client())) {
        for (const struct step *at = s->steps; at->verb != SCENARIO_END && !p.failed; at++)
            step(at);
    }
    while (p.actors[0])
        end_actor(p.actors[0], !p.failed);
    read_all();
    tell_all(everybody);
    close_all();
    return !p.failed;
}
