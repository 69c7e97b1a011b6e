/* A DECISION counts if it names the latest TAKEOVER and bears the next number. */
#include "tests/sim/tape.h"

#include <assert.h>

#include "app/house.h"

enum {
    TAPES_MAX = SIM_SERVICES * SIM_PARTITIONS_MAX,
    SCRATCH_BYTES = 512 * 1024,
    EPOCH_SLACK = 120
};

static struct tape tapes[TAPES_MAX];
static size_t count;
static _Alignas(16) char scratch[SCRATCH_BYTES];

void tapes_begin(void)
{
    count = 0;
    for (size_t s = 0; s < house_services.count; s++) {
        const struct service *service = &house_services.at[s];
        struct log_topic *log = broker_topic(service->name, "log");
        for (int p = 0; p < log->partitions; p++)
            tapes[count++] = (struct tape){.service = service,
                                           .log = log,
                                           .commands = broker_topic(service->name, "commands"),
                                           .partition = p,
                                           .takeover = -1,
                                           .next_number = 1};
    }
}

size_t tapes_count(void)
{
    return count;
}

struct tape *tape_at(size_t i)
{
    return &tapes[i];
}

struct tape *tape_of(struct text service, int partition)
{
    for (size_t i = 0; i < count; i++)
        if (tapes[i].partition == partition && text_is(service, tapes[i].service->name))
            return &tapes[i];
    return NULL;
}

const struct decision *tape_decision(const struct tape *tape, int64_t offset)
{
    return offset >= 0 && offset < tape->read ? tape->records[offset].decision : NULL;
}

static void *kept(const void *list, size_t size)
{
    void *copy = world_alloc(size + 1);
    if (size)
        memcpy(copy, list, size);
    return copy;
}

static const struct decision *keep(const struct decision *d)
{
    struct decision *copy = kept(d, sizeof *d);
    copy->events = kept(d->events, d->events_count * sizeof *d->events);
    copy->commands = kept(d->commands, d->commands_count * sizeof *d->commands);
    copy->positions = kept(d->positions, d->positions_count * sizeof *d->positions);
    return copy;
}

static void take_takeover(struct tape *t, int64_t offset, struct text value)
{
    struct takeover takeover;
    if (takeover_decode(value, &takeover).code != ERR_OK) {
        violate("LOG %s[%d]@%lld is neither takeover nor decision", t->log->name, t->partition,
                (long long)offset);
        return;
    }
    t->takeover = offset;
    t->next_number = 1;
}

static struct tape_record *room_for(struct tape *t)
{
    if (t->read == t->room) {
        int64_t room = t->room ? 2 * t->room : 128;
        struct tape_record *grown = world_alloc((size_t)room * sizeof *grown);
        if (t->read)
            memcpy(grown, t->records, (size_t)t->read * sizeof *grown);
        t->records = grown;
        t->room = room;
    }
    return &t->records[t->read++];
}

static void take(struct tape *t, int64_t offset, tape_fold fold)
{
    struct arena arena = {scratch, 0, sizeof scratch};
    struct text value = broker_record(t->log, t->partition, offset)->value;
    struct tape_record *r = room_for(t);
    struct decision d;
    if (decision_decode(value, &arena, &d).code != ERR_OK) {
        r->kind = TAPE_TAKEOVER;
        take_takeover(t, offset, value);
        return;
    }
    r->kind = TAPE_VOID;
    if (d.mark.epoch != t->takeover) {
        SOMETIMES(void_epoch);
        return;
    }
    if (d.mark.number != t->next_number) {
        SOMETIMES(void_number);
        return;
    }
    if (d.mark.follows != t->last)
        return;
    t->last = print_of(value);
    if (t->next_number++ > world.swarm.renew_decisions + EPOCH_SLACK)
        violate("LIVENESS %s[%d]: %llu decisions in one epoch", t->log->name, t->partition,
                (unsigned long long)t->next_number);
    r->kind = TAPE_VALID;
    r->decision = keep(&d);
    t->after_valid = offset + 1;
    fold(t, offset, r->decision);
}

void tapes_advance(tape_fold fold)
{
    for (size_t i = 0; i < count; i++)
        while (tapes[i].read < tapes[i].log->parts[tapes[i].partition].end)
            take(&tapes[i], tapes[i].read, fold);
}
