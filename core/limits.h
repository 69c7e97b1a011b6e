/* Every bound of the house that more than one file must know. */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

enum {
    DECISION_EVENTS_MAX = 64,
    DECISION_COMMANDS_MAX = 64,
    DECISION_POSITIONS_MAX = 256,
    DECISION_BYTES_MAX = 64 * 1024, /* of one encoded DECISION record */
    COMMAND_BYTES_MAX = 64 * 1024,  /* of one encoded command record */
    BODY_BYTES_MAX = 64 * 1024,     /* of one HTTP request body */
    UNIT_ARENA_BYTES = 1024 * 1024, /* memory for deciding or folding one record */
    PARTITIONS_MAX = 64,            /* per topic */
    PARTITIONS_DEFAULT = 4,
    KEY_LEN_MAX = 64,  /* aggregate id */
    TYPE_LEN_MAX = 64, /* message type name */
    TRACEPARENT_LEN_MAX = 64,
    DETAIL_LEN_MAX = 240,  /* a problem's detail */
    POINTER_LEN_MAX = 120, /* a problem's JSON pointer */
    TOPIC_LEN_MAX = 64,
};

#endif
