/* Reads a log partition and passes on what log_judge says is true. */
#include "runtime/cursor.h"

#include <assert.h>
#include <stdlib.h>

#include "core/mutant.h"
#include "runtime/clock.h"

enum { RECORDS_MAX = 256, PEEK_BYTES = 2 * DECISION_BYTES_MAX };

static void release(char **memory)
{
    free(*memory);
}

/* A shared tail may have missed that the log was cut back; the broker has it as it is. */
enum source { FROM_TAIL, FROM_BROKER };
enum { AT_ONCE_MS = 0, PATIENT_MS = 5000, WAIT_MS = 20 };

/* Waits for a record that is known to be there. */
static struct err read_one(struct cursor *c, struct log_reader *reader, enum source source,
                           int patience_ms, int64_t offset, struct arena *arena,
                           struct log_record *ret_record)
{
    int64_t until_ms = clock_monotonic_ms() + patience_ms;
    size_t n = 0;
    for (;;) {
        TRY(source == FROM_BROKER
                ? log_read_again(reader, c->topic, c->partition, offset, arena, ret_record, &n)
                : log_read(reader, c->topic, c->partition, offset, arena, ret_record, 1, &n));
        if (n > 0)
            break;
        if (clock_monotonic_ms() >= until_ms)
            return FAIL(ERR_TIMEOUT, "record does not arrive");
        log_wait(reader, WAIT_MS);
    }
    return ret_record->offset == offset ? OK : FAIL(ERR_LOST, "record is no longer kept");
}

static struct err read_mark(struct cursor *c, struct log_reader *reader, enum source source,
                            int patience_ms, int64_t offset, struct mark *ret_mark)
{
    CLEANUP(release) char *memory = aligned_alloc(16, PEEK_BYTES);
    struct arena arena = {memory, 0, PEEK_BYTES};
    struct log_record record;
    assert(memory);
    TRY(read_one(c, reader, source, patience_ms, offset, &arena, &record));
    return mark_decode(record.value, ret_mark);
}

static struct err check_same(uint64_t found, uint64_t remembered)
{
    if (found == remembered || remembered == PRINT_UNKNOWN || MUTANT(cut_unseen_at_resume))
        return OK;
    return FAIL(ERR_LOST, "the log was cut back: another record lies at the position");
}

static struct err check_end(struct log_topic *topic, int partition, int64_t done)
{
    int64_t end;
    TRY(log_ends(topic, partition, NULL, &end));
    return done <= end ? OK : FAIL(ERR_LOST, "position lies outside the log");
}

struct err cursor_resume(struct cursor *cursor, struct log_reader *reader, struct log_topic *topic,
                         int partition, struct position from)
{
    int64_t done = from.offset;
    struct cursor c = {
        .topic = topic, .partition = partition, .next = done, .done = done, .judge = JUDGE_START};
    struct mark mark;
    TRY(log_follow(reader, topic, partition));
    if (done > log_seen_end(reader, topic, partition))
        TRY(check_end(topic, partition, done));
    if (done > 0 && !MUTANT(resume_without_context)) {
        TRY(read_mark(&c, reader, FROM_BROKER, PATIENT_MS, done - 1, &mark));
        TRY(check_same(mark.print, from.print));
        if (mark.kind != RECORD_DECISION)
            return FAIL(ERR_GAP, "position does not follow a decision");
        c.judge = (struct judge){mark.epoch, mark.number, mark.print};
        c.last = done - 1;
        c.commands_next = mark.commands_next;
    }
    *cursor = c;
    return OK;
}

struct err cursor_resume_at(struct cursor *cursor, struct log_reader *reader,
                            struct log_topic *topic, int partition, int64_t offset, uint64_t print)
{
    /* done 0: what lies before is not known to end with a decision, so this is no position to keep.
     */
    struct cursor c = {.topic = topic, .partition = partition, .next = offset, .last = -1};
    struct mark mark;
    TRY(log_follow(reader, topic, partition));
    TRY(read_mark(&c, reader, FROM_BROKER, PATIENT_MS, offset, &mark));
    TRY(check_same(mark.print, print));
    if (mark.kind != RECORD_DECISION)
        return FAIL(ERR_GAP, "position is not a decision");
    c.judge = judge_before(&mark);
    *cursor = c;
    return OK;
}

struct err cursor_fetch(struct cursor *cursor, struct log_reader *reader, int64_t offset,
                        struct arena *arena, struct decision *ret_decision)
{
    struct log_record record;
    TRY(read_one(cursor, reader, FROM_TAIL, PATIENT_MS, offset, arena, &record));
    return decision_decode(record.value, arena, ret_decision);
}

/* Judges from the last record's TAKEOVER to the end, without handing anything out. */
static struct err skip_to(struct cursor *c, struct log_reader *reader, int64_t end)
{
    CLEANUP(release) char *memory = aligned_alloc(16, 4 * PEEK_BYTES);
    UNZEROED struct log_record records[RECORDS_MAX];
    int64_t until_ms = clock_monotonic_ms() + PATIENT_MS;
    assert(memory);
    while (c->next < end) {
        struct arena arena = {memory, 0, 4 * PEEK_BYTES};
        size_t n;
        TRY(log_read(reader, c->topic, c->partition, c->next, &arena, records, RECORDS_MAX, &n));
        if (n > 0)
            until_ms = clock_monotonic_ms() + PATIENT_MS;
        else if (clock_monotonic_ms() >= until_ms)
            return FAIL(ERR_TIMEOUT, "the end of the log does not arrive");
        else
            log_wait(reader, WAIT_MS);
        for (size_t i = 0; i < n && c->next < end; i++) {
            struct mark mark;
            TRY(mark_decode(records[i].value, &mark));
            enum verdict verdict = log_judge(&c->judge, records[i].offset, &mark);
            if (verdict == VERDICT_VALID)
                c->last = records[i].offset;
            if (verdict != VERDICT_VOID && mark.commands_next > c->commands_next)
                c->commands_next = mark.commands_next;
            c->next = records[i].offset + 1;
        }
    }
    return OK;
}

struct err cursor_from_end(struct cursor *cursor, struct log_reader *reader,
                           struct log_topic *topic, int partition)
{
    struct cursor c = {.topic = topic,
                       .partition = partition,
                       .judge = {.epoch = -1, .last = PRINT_UNKNOWN},
                       .last = -1};
    struct mark mark;
    int64_t end;
    TRY(log_follow(reader, topic, partition));
    TRY(log_ends(topic, partition, NULL, &end));
    if (end > 0 && !MUTANT(reader_starts_blind)) {
        TRY(read_mark(&c, reader, FROM_TAIL, PATIENT_MS, end - 1, &mark));
        c.next = mark.kind == RECORD_TAKEOVER ? end - 1 : mark.epoch;
        TRY(skip_to(&c, reader, end));
    } else {
        c.next = end;
    }
    c.done = c.next;
    *cursor = c;
    return OK;
}

static struct err take_decision(struct cursor *c, const struct log_record *r, struct arena *arena,
                                struct fact *fact)
{
    TRY(decision_decode(r->value, arena, &fact->decision));
    fact->offset = r->offset;
    fact->partition = c->partition;
    c->last = r->offset;
    c->done = r->offset + 1;
    return OK;
}

static struct err read_checked(struct cursor *c, struct log_reader *reader, int patience_ms)
{
    struct mark mark;
    if (c->last < 0 || c->judge.last == PRINT_NONE || c->judge.last == PRINT_UNKNOWN)
        return OK;
    TRY(read_mark(c, reader, FROM_BROKER, patience_ms, c->last, &mark));
    return mark.print == c->judge.last
               ? OK
               : FAIL(ERR_LOST,
                      "the log was cut back: another record lies where the last was read");
}

static struct err check(struct cursor *c, struct log_reader *reader, int patience_ms)
{
    struct err e = read_checked(c, reader, patience_ms);
    if (e.code == ERR_LOST)
        log_forget(c->topic, c->partition);
    return e;
}

struct err cursor_check(struct cursor *cursor, struct log_reader *reader)
{
    return check(cursor, reader, PATIENT_MS);
}

/* A record may be void for this reader alone: because the log is not any more what it has read
 * before, or because this record, kept by the tail, is not in the log any more. Whoever cannot look
 * at once goes on with what else he has to do, and comes back. */
static struct err check_void(struct cursor *c, struct log_reader *reader, int64_t offset,
                             const struct mark *read)
{
    struct mark mark;
    if (offset < c->vouched || MUTANT(cut_unseen_by_readers))
        return OK;
    TRY(check(c, reader, AT_ONCE_MS));
    TRY(read_mark(c, reader, FROM_BROKER, AT_ONCE_MS, offset, &mark));
    if (mark.print != read->print) {
        log_forget(c->topic, c->partition);
        return FAIL(ERR_UNAVAILABLE, "the tail must be read again");
    }
    c->vouched = c->fetched;
    return OK;
}

/* One record, judged; decoded when it is a valid decision. On an error nothing has moved. */
static struct err take(struct cursor *c, struct log_reader *reader, const struct log_record *r,
                       struct arena *arena, struct fact *fact, enum verdict *ret_verdict)
{
    struct mark mark;
    struct takeover takeover;
    struct judge judge = c->judge;
    if (r->offset != c->next)
        return FAIL(ERR_LOST, "offsets of the log are not contiguous");
    TRY(mark_decode(r->value, &mark));
    enum verdict verdict = log_judge(&judge, r->offset, &mark);
    if (verdict == VERDICT_VOID && MUTANT(void_is_handed_out))
        verdict = VERDICT_VALID;
    switch (verdict) {
    case VERDICT_VALID:
        TRY(take_decision(c, r, arena, fact));
        break;
    case VERDICT_TAKEOVER:
        TRY(takeover_decode(r->value, &takeover));
        c->nonce = takeover.nonce;
        break;
    case VERDICT_VOID:
        TRY(check_void(c, reader, r->offset, &mark));
        c->voids++;
        c->gaps += mark.epoch == judge.epoch;
        break;
    }
    if (verdict != VERDICT_VOID && mark.commands_next > c->commands_next)
        c->commands_next = mark.commands_next;
    c->judge = judge;
    c->next = r->offset + 1;
    *ret_verdict = verdict;
    return OK;
}

struct err cursor_read(struct cursor *cursor, struct log_reader *reader, struct arena *arena,
                       struct fact *facts, size_t max, size_t *ret_count)
{
    UNZEROED struct log_record records[RECORDS_MAX];
    size_t n, valid = 0;
    enum verdict verdict;
    bool own = false;
    /* a third of the arena for the bytes, the rest for what they decode to */
    struct arena bytes = {arena->base, arena->used, arena->used + (arena->size - arena->used) / 3};
    assert(bytes.size - bytes.used >= PEEK_BYTES);
    TRY(log_read(reader, cursor->topic, cursor->partition, cursor->next, &bytes, records,
                 max < RECORDS_MAX ? max : RECORDS_MAX, &n));
    arena->used = bytes.used;
    cursor->fetched = n ? records[n - 1].offset + 1 : cursor->fetched;
    for (size_t i = 0; i < n && !own; i++) {
        struct err e = take(cursor, reader, &records[i], arena, &facts[valid], &verdict);
        if (e.code != ERR_OK && valid == 0)
            return e;
        if (e.code != ERR_OK)
            break; /* the arena is full, or the record bad: met again, alone, by the next call */
        valid += verdict == VERDICT_VALID;
        own = verdict == VERDICT_TAKEOVER && uuid_equal(cursor->nonce, cursor->awaited);
    }
    *ret_count = valid;
    return OK;
}
