/* The topics of a deployment: made by `foldlog topics apply`, refused when they are not as the
 * protocol needs them. */
#ifndef RUNTIME_TOPICS_H
#define RUNTIME_TOPICS_H

#include "core/service.h"
#include "runtime/event_log.h"

struct topics_options {
    struct log *log;
    const struct service_list *services;
    int partitions;  /* of commands, log and events of each service */
    int replication; /* factor; min.insync.replicas is one less, at least 1 */
    bool dev;        /* a single broker is good enough */
};

/* One line about a topic for people: what is wrong, or what was done. */
typedef void (*topics_tell)(void *context, const char *topic, const char *what);

/* Creates what is missing; returns when the broker knows all of them and who leads them. */
NODISCARD struct err topics_apply(const struct topics_options *options, topics_tell tell,
                                  void *context);
/* Tells everything that is wrong: missing, other partition count, finite retention or compaction of
 * a log or events topic, too little replication outside dev. ERR_CONFIG when anything is. */
NODISCARD struct err topics_check(const struct topics_options *options, topics_tell tell,
                                  void *context);

#endif
