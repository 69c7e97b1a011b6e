/* The broker of the world: topics, and who is told of what. Behind runtime/event_log.h. */
#ifndef TESTS_SIM_BROKER_H
#define TESTS_SIM_BROKER_H

#include "runtime/event_log.h"
#include "tests/sim/world.h"

enum { SIM_TOPICS_MAX = 24, SIM_PARTITIONS_MAX = 4, SIM_GROUPS_MAX = 8 };

struct log { /* a process's own */
    struct proc *proc;
    uint32_t incarnation;
    char instance[PROC_NAME_MAX];
};

struct part {
    struct log_record *records;
    int64_t *landed;                /* when */
    const struct log_producer **by; /* whom the broker remembers as having appended it */
    int64_t first, end, room;
};

struct log_topic {
    char name[TOPIC_LEN_MAX];
    int index;
    int partitions;
    struct part parts[SIM_PARTITIONS_MAX];
};

struct log_reader {
    int64_t seen_end[SIM_TOPICS_MAX][SIM_PARTITIONS_MAX]; /* when it began to follow */
    struct log *log;
    struct log_reader *next; /* of all readers of the world */
    bool closed, news, waiting;
    uint32_t follows[SIM_TOPICS_MAX]; /* bit per partition */
};

void broker_begin(void);
struct log_topic *broker_topic_add(const char *name, int partitions);
struct log_topic *broker_topic(const char *service, const char *suffix);
/* The broker takes it: it has an offset now, and readers are told. */
int64_t broker_land(struct log_topic *topic, int partition, struct text key, struct text value);
const struct log_record *broker_record(const struct log_topic *topic, int partition,
                                       int64_t offset);
/* What only a script does. The broker is away and comes back: nobody gets an answer meanwhile. */
void broker_go(void);
void broker_come(void);
bool broker_away(void);
/* Its last records are gone: they were not on the disk, or an unclean leader never had them. */
void broker_cut(struct log_topic *topic, int partition, int64_t records);
/* Records on their way, and how long nothing has landed. */
int broker_flying(void);
int64_t broker_quiet_us(void);
/* Tells a reader, if it is there still. */
void reader_poke(struct log_reader *reader);
/* Is whoever opened this log still the same process? */
bool log_alive(const struct log *log);
struct log *broker_log(struct proc *proc, const char *instance);

/* ---- producers (producer.c) ---- */
void producers_begin(void);
void producers_gone(struct proc *proc);
/* Those who appended both before and after `end` have lost their place in the order. */
void producers_cut(const struct log_topic *topic, int partition, int64_t end, int64_t end_before);
/* Appends of this process that a script holds, and letting them go. */
int producers_held(const struct proc *proc);
void producers_release(const struct proc *proc);

struct proc *producer_owner(const struct log_producer *producer);

/* ---- groups (group.c) ---- */
void groups_begin(void);
/* `topics apply`: this group starts at 0 everywhere. */
void group_set_start(const char *name, const struct log_topic *topic);
void groups_gone(struct proc *proc);
void groups_paused(struct proc *proc);
/* Its heartbeats do not arrive from now on. */
void groups_silent(struct proc *proc);
/* Somebody loses its seat; now and then everybody, as when the coordinator moves. */
void groups_kick(void);

#endif
