/* One partition of one service: who owns it, what it remembers, and how an input becomes a
 * decision. The same code serves aggregates (decide) and sagas (react). Single thread. */
#ifndef RUNTIME_SHARD_H
#define RUNTIME_SHARD_H

#include "core/service.h"
#include "runtime/dedup.h"
#include "runtime/owner.h"
#include "runtime/states.h"
#include "runtime/timers.h"

struct shard {
    /* given */
    const struct service *service;
    const struct service_list *services; /* to decode what other services decided */
    struct saga_limits limits;
    struct log_topic *dead_letters; /* where commands that cannot be decoded are copied; NULL:
                                       nowhere */
    struct shelf *shelf;            /* of snapshots; NULL: none are looked for */
    struct arena *scratch;          /* the worker's, for what lasts no longer than a call */
    bool assigned;                  /* by the group; nothing is decided while it is not */
    bool rewind; /* the sources must be read from its positions before anything is decided */
    int64_t rewind_at_ms; /* not before */
    /* kept */
    struct owner owner;
    struct states *states;
    struct dedup *dedup;
    struct timers timers;   /* sagas */
    void *blank;            /* a state of version 0, for commands to what does not exist */
    uint64_t commands_lost; /* the takeover (owner.takeovers) that was to tell whether they are */
    uint64_t accepted, refused, replayed, events, undecodable;
};

/* Forgets everything, and folds what the log is known to hold: from the snapshot, if there is one
 * that fits, else from the beginning. Errors as owner_catch_up. */
NODISCARD struct err shard_remember(struct shard *shard);
/* The same, and announces itself; then takes over: see owner.h. */
NODISCARD struct err shard_announce(struct shard *shard);
NODISCARD struct err shard_take_over(struct shard *shard);
/* Where its snapshot ends, a hint; -1: there is none that could fit. */
int64_t shard_begins_at(const struct shard *shard);
/* Frees what it remembers. */
void shard_finish(struct shard *shard);
/* Decides one record of S.commands: always appends exactly one decision. */
NODISCARD struct err shard_command_record(struct shard *shard, const struct log_record *record,
                                          struct arena *arena);
/* Decides a command that a saga's decision holds. */
NODISCARD struct err shard_command(struct shard *shard, const struct command *command,
                                   const struct input *input, struct arena *arena);
/* A saga: decides another service's decision. */
NODISCARD struct err shard_fact(struct shard *shard, const struct service *from,
                                const struct fact *fact, const struct input *input,
                                struct arena *arena);
/* A saga: fires at most one timer that is due; *ret_fired says whether. */
NODISCARD struct err shard_timer(struct shard *shard, struct arena *arena, bool *ret_fired);
/* Writes down how far the sources have been read, where nothing concerned this shard. */
NODISCARD struct err shard_position(struct shard *shard, struct input *positions, size_t count,
                                    struct arena *arena);
/* Reads back what was appended. */
void shard_watch(struct shard *shard, struct arena *arena);

#endif
