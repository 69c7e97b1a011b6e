/* The partitions that a worker over some services could own, and the logs that these read from each
 * other. */
#ifndef RUNTIME_SHARDS_H
#define RUNTIME_SHARDS_H

#include "runtime/shard.h"

enum { SHARDS_MAX = 512 };

struct shards_options {
    struct log *log;
    const struct service_list *all;        /* every service known, to read foreign decisions */
    const struct service *const *services; /* whose partitions; NULL-terminated */
    struct saga_limits limits;
    struct log_reader *reader;
    struct log_producer *producer; /* NULL: nobody decides here */
    struct shelf *shelf;           /* of snapshots; NULL: all is folded from the beginning */
    const atomic_bool *stop;
    struct arena *scratch;
};

/* One partition of a log that shards read beside their own commands. */
struct source {
    const struct service *from;
    struct log_topic *topic;
    int partition;
};

struct shards {
    struct shard *at; /* by service, then by partition: the place is the owner's slot */
    size_t count;
    struct source sources[OWNER_SOURCES_MAX]; /* every shard has a position in each, in this order
                                               */
    size_t sources_count;
};

/* Trouble outside: ERR_CLASS_RETRY. To be closed also when it fails. */
NODISCARD struct err shards_open(const struct shards_options *options, struct shards *ret_shards);
void shards_close(struct shards *shards);

#endif
