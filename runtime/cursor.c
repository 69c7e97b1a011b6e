/* Reads a log partition and passes on what log_judge says is true. */
#include "runtime/cursor.h"
#include "core/mutant.h"

#include <assert.h>
#include <stdlib.h>

enum { RECORDS_MAX = 256, PEEK_BYTES = 2 * DECISION_BYTES_MAX };

static void release(char **memory)
{
    free(*memory);
}

/* Waits for a record that is known to be there. */
static struct err read_one(struct cursor *c, struct log_reader *reader, int64_t offset,
                           struct arena *arena, struct log_record *ret_record)
{
    enum { TRIES = 250, WAIT_MS = 20 };
    size_t n = 0;
    for (int i = 0; i < TRIES && n == 0; i++) {
        TRY(log_read(reader, c->topic, c->partition, offset, arena, ret_record, 1, &n));
        if (n == 0)
            log_wait(reader, WAIT_MS);
    }
    if (n == 0)
        return FAIL(ERR_TIMEOUT, "record does not arrive");
    return ret_record->offset == offset ? OK : FAIL(ERR_LOST, "record is no longer kept");
}

static struct err read_mark(struct cursor *c, struct log_reader *reader, int64_t offset,
                            struct mark *ret_mark)
{
    CLEANUP(release) char *memory = aligned_alloc(16, PEEK_BYTES);
    struct arena arena = {memory, 0, PEEK_BYTES};
    struct log_record record;
    assert(memory);
    TRY(read_one(c, reader, offset, &arena, &record));
    return mark_decode(record.value, ret_mark);
}

struct err cursor_resume(struct cursor *cursor, struct log_reader *reader, struct log_topic *topic,
                         int partition, int64_t done)
{
    struct cursor c = {
        .topic = topic, .partition = partition, .next = done, .done = done, .judge = JUDGE_START};
    struct mark mark;
    int64_t first, end;
    TRY(log_follow(reader, topic, partition));
    TRY(log_ends(topic, partition, &first, &end));
    if (done < first || done > end)
        return FAIL(ERR_LOST, "position lies outside the log");
    if (done > 0 && !MUTANT(resume_without_context)) {
        TRY(read_mark(&c, reader, done - 1, &mark));
        if (mark.kind != RECORD_DECISION)
            return FAIL(ERR_GAP, "position does not follow a decision");
        c.judge = (struct judge){.epoch = mark.epoch, .number = mark.number};
        c.commands_next = mark.commands_next;
    }
    *cursor = c;
    return OK;
}

struct err cursor_resume_at(struct cursor *cursor, struct log_reader *reader,
                            struct log_topic *topic, int partition, int64_t offset)
{
    /* done 0: what lies before is not known to end with a decision, so this is no position to keep.
     */
    struct cursor c = {.topic = topic, .partition = partition, .next = offset};
    struct mark mark;
    TRY(log_follow(reader, topic, partition));
    TRY(read_mark(&c, reader, offset, &mark));
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
    TRY(read_one(cursor, reader, offset, arena, &record));
    return decision_decode(record.value, arena, ret_decision);
}

/* Judges from the last record's TAKEOVER to the end, without handing anything out. */
static struct err skip_to(struct cursor *c, struct log_reader *reader, int64_t end)
{
    CLEANUP(release) char *memory = aligned_alloc(16, 4 * PEEK_BYTES);
    UNZEROED struct log_record records[RECORDS_MAX];
    assert(memory);
    while (c->next < end) {
        struct arena arena = {memory, 0, 4 * PEEK_BYTES};
        size_t n;
        TRY(log_read(reader, c->topic, c->partition, c->next, &arena, records, RECORDS_MAX, &n));
        for (size_t i = 0; i < n && c->next < end; i++) {
            struct mark mark;
            TRY(mark_decode(records[i].value, &mark));
            if (log_judge(&c->judge, records[i].offset, &mark) != VERDICT_VOID &&
                mark.commands_next > c->commands_next)
                c->commands_next = mark.commands_next;
            c->next = records[i].offset + 1;
        }
    }
    return OK;
}

struct err cursor_from_end(struct cursor *cursor, struct log_reader *reader,
                           struct log_topic *topic, int partition)
{
    struct cursor c = {.topic = topic, .partition = partition, .judge = JUDGE_START};
    struct mark mark;
    int64_t first, end;
    TRY(log_follow(reader, topic, partition));
    TRY(log_ends(topic, partition, &first, &end));
    if (end > first && !MUTANT(reader_starts_blind)) {
        TRY(read_mark(&c, reader, end - 1, &mark));
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
    c->done = r->offset + 1;
    return OK;
}

/* A void decision whose TAKEOVER lies between the one in force and itself, where it should have
 * been read: this is another log than the one that was read so far. */
static struct err check_history(struct cursor *c, struct log_reader *reader,
                                const struct log_record *r, const struct mark *mark)
{
    struct mark at_epoch;
    if (mark->epoch <= c->judge.epoch || mark->epoch >= r->offset)
        return OK;
    TRY(read_mark(c, reader, mark->epoch, &at_epoch));
    if (at_epoch.kind != RECORD_TAKEOVER)
        return OK;
    return FAIL(ERR_LOST, "the log was cut back: a takeover was not seen");
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
        TRY(check_history(c, reader, r, &mark));
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
