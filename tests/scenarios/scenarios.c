/* The table. Command n adds product n, so that its version is 1; c51 is another command for product
 * 1. */
#include "tests/scenarios/scenario.h"

#include "core/text.h"

#define ARRAY(...) ((const struct step[]){__VA_ARGS__, {SCENARIO_END, 0, 0}})
#define SCENARIO(id, what, happens, found, ...) \
    static const struct scenario id = {         \
        .name = (what), .steps = (happens), .outcome = (found), __VA_ARGS__}

#define START(who)       \
    {                    \
        DO_START, who, 0 \
    }
#define START_RIVAL(who)       \
    {                          \
        DO_START_RIVAL, who, 0 \
    }
#define START_SAGA(who)       \
    {                         \
        DO_START_SAGA, who, 0 \
    }
#define STOP(who)       \
    {                   \
        DO_STOP, who, 0 \
    }
#define KILL(who)       \
    {                   \
        DO_KILL, who, 0 \
    }
#define PAUSE(who)       \
    {                    \
        DO_PAUSE, who, 0 \
    }
#define RESUME(who)       \
    {                     \
        DO_RESUME, who, 0 \
    }
#define SEND(n)       \
    {                 \
        DO_SEND, 0, n \
    }
#define SEND_FOR_SAGA(n)       \
    {                          \
        DO_SEND_FOR_SAGA, 0, n \
    }
#define SEND_TWIN(n)       \
    {                      \
        DO_SEND_TWIN, 0, n \
    }
#define SEND_AGAIN(n)       \
    {                       \
        DO_SEND_AGAIN, 0, n \
    }
#define SEND_OTHER(n)       \
    {                       \
        DO_SEND_OTHER, 0, n \
    }
#define SEND_GARBAGE(n)       \
    {                         \
        DO_SEND_GARBAGE, 0, n \
    }
#define FOREIGN_TAKEOVER          \
    {                             \
        DO_FOREIGN_TAKEOVER, 0, 0 \
    }
#define ECHO(n)       \
    {                 \
        DO_ECHO, 0, n \
    }
#define HOLD(who, api)    \
    {                     \
        DO_HOLD, who, api \
    }
#define RELEASE(who, api)    \
    {                        \
        DO_RELEASE, who, api \
    }
#define LOSE_ANSWER(who)       \
    {                          \
        DO_LOSE_ANSWER, who, 0 \
    }
#define DOUBLE(who)       \
    {                     \
        DO_DOUBLE, who, 0 \
    }
#define DELETE_COMMANDS(n) \
    {                      \
        DO_DELETE, 0, n    \
    }
#define BROKER_DOWN          \
    {                        \
        DO_BROKER_DOWN, 0, 0 \
    }
#define CUT_LOG(n)       \
    {                    \
        DO_CUT_LOG, 0, n \
    }
#define CUT_COMMANDS(n)       \
    {                         \
        DO_CUT_COMMANDS, 0, n \
    }
#define BROKER_UP          \
    {                      \
        DO_BROKER_UP, 0, 0 \
    }
#define READ_FROM_END(who)       \
    {                            \
        DO_READ_FROM_END, who, 0 \
    }
#define READ_FROM(who, n)    \
    {                        \
        DO_READ_FROM, who, n \
    }
#define REST(who)       \
    {                   \
        DO_REST, who, 0 \
    }
#define READ_ON(who)       \
    {                      \
        DO_READ_ON, who, 0 \
    }
#define JOIN(who)       \
    {                   \
        DO_JOIN, who, 0 \
    }
#define LEAVE(who)       \
    {                    \
        DO_LEAVE, who, 0 \
    }
#define COMMIT(who, n)    \
    {                     \
        DO_COMMIT, who, n \
    }
#define COMMITTED(who)       \
    {                        \
        DO_COMMITTED, who, 0 \
    }
#define DECIDED(n)          \
    {                       \
        AWAIT_DECIDED, 0, n \
    }
#define SAGA_DECIDED(n)          \
    {                            \
        AWAIT_SAGA_DECIDED, 0, n \
    }
#define VOID_RECORDS(n)  \
    {                    \
        AWAIT_VOID, 0, n \
    }
#define OWNED_BY(who)       \
    {                       \
        AWAIT_OWNER, who, 0 \
    }
#define HELD(who)          \
    {                      \
        AWAIT_HELD, who, 0 \
    }
#define HALTED(who)        \
    {                      \
        AWAIT_HALT, who, 0 \
    }
#define HAS_COMMITTED(who, n)   \
    {                           \
        AWAIT_COMMITTED, who, n \
    }
#define TOLD(who, n)       \
    {                      \
        AWAIT_TOLD, who, n \
    }
#define READER_HALTED(who)        \
    {                             \
        AWAIT_READER_HALT, who, 0 \
    }
#define CLIENT 0
#define SECONDS(n)            \
    {                         \
        LET_PASS, 0, (n)*1000 \
    }

/* ---- commands ------------------------------------------------------------------------------- */

SCENARIO(each_once, "each command is decided once",
         ARRAY(START('A'), SEND(1), SEND(2), SEND(3), DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

SCENARIO(repeats, "a repeat is answered again, another request under its key is refused",
         ARRAY(SEND(1), SEND_AGAIN(1), START('A'), DECIDED(2), SEND_OTHER(1), SEND_TWIN(1),
               SEND_AGAIN(1), DECIDED(5)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c1 accepted 1 again\n"
         "log 0: A c1 refused idempotency-key-reused\n"
         "log 0: A c51 refused already-exists\n"
         "log 0: A c1 accepted 1 again\n"
         "client 0: c1 accepted 1 | c1 accepted 1 again | c1 refused idempotency-key-reused | "
         "c51 refused already-exists | c1 accepted 1 again |\n");

SCENARIO(repeat_after_takeover, "a repeat after a takeover is answered as before it",
         ARRAY(START('A'), SEND(1), SEND_TWIN(1), DECIDED(2), KILL('A'), SEND_AGAIN(1), START('B'),
               DECIDED(3), {DO_SEND_TWIN, 0, 1}, DECIDED(4)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c51 refused already-exists\n"
         "log 0: B c1 accepted 1 again\n"
         "log 0: B c51 refused already-exists again\n"
         "client 0: c1 accepted 1 | c51 refused already-exists | c1 accepted 1 again | "
         "c51 refused already-exists again |\n");

SCENARIO(garbage, "what nobody can read is refused, and the next goes on",
         ARRAY(SEND(1), SEND_GARBAGE(2), SEND(2), START('A'), DECIDED(4)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c? refused undecodable\n"
         "log 0: A c? refused undecodable\n"
         "log 0: A c2 accepted 1\n"
         "client 0: c1 accepted 1 | c? refused undecodable | c? refused undecodable | "
         "c2 accepted 1 |\n");

/* ---- owners come and go --------------------------------------------------------------------- */

SCENARIO(restart_in_place, "a restart in place goes on where the log ends",
         ARRAY(START('A'), SEND(1), DECIDED(1), STOP('A'), SEND(2), START('A'), DECIDED(2),
               STOP('A'), START('A'), SEND(3), DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

SCENARIO(killed, "another instance takes the seat of one that was killed",
         ARRAY(START('A'), SEND(1), DECIDED(1), START('B'), KILL('A'), SEND(2), SEND(3), DECIDED(3),
               OWNED_BY('B')),
         "log 0: A c1 accepted 1\n"
         "log 0: B c2 accepted 1\n"
         "log 0: B c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

SCENARIO(late_record, "the late record of a paused owner is void",
         ARRAY(START('A'), SEND(1), DECIDED(1), HOLD('A', API_PRODUCE), SEND(2), HELD('A'),
               PAUSE('A'), START('B'), DECIDED(2), RELEASE('A', API_PRODUCE), VOID_RECORDS(1),
               SEND(3), DECIDED(3), RESUME('A'), SEND(4), DECIDED(4)),
         "log 0: - c1 accepted 1\n"
         "log 0: - c2 accepted 1\n"
         "log 0: - void c2\n"
         "log 0: - c3 accepted 1\n"
         "log 0: - c4 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 | c4 accepted 1 |\n",
         .authors_vary = true);

SCENARIO(hand_over, "two instances share the partitions and hand them over",
         ARRAY(START('A'), SEND(1), SEND(2), SEND(3), SEND(4), DECIDED(4), START('B'), SEND(5),
               SEND(6), DECIDED(6), STOP('A'), SEND(7), SEND(8), DECIDED(8)),
         "log 0: - c1 accepted 1\n"
         "log 0: - c2 accepted 1\n"
         "log 0: - c4 accepted 1\n"
         "log 1: - c3 accepted 1\n"
         "log 1: - c5 accepted 1\n"
         "log 1: - c6 accepted 1\n"
         "log 1: - c7 accepted 1\n"
         "log 1: - c8 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c4 accepted 1 |\n"
         "client 1: c3 accepted 1 | c5 accepted 1 | c6 accepted 1 | c7 accepted 1 | "
         "c8 accepted 1 |\n",
         .partitions = 2, .authors_vary = true, .voids_vary = true);

SCENARIO(silent_heart, "an owner whose heartbeats do not arrive harms nobody",
         ARRAY(START('A'), SEND(1), DECIDED(1), START('B'), HOLD('A', API_HEARTBEAT), SECONDS(8),
               SEND(2), DECIDED(2), RELEASE('A', API_HEARTBEAT), SEND(3), DECIDED(3), SECONDS(2),
               SEND(4), DECIDED(4)),
         "log 0: - c1 accepted 1\n"
         "log 0: - c2 accepted 1\n"
         "log 0: - c3 accepted 1\n"
         "log 0: - c4 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 | c4 accepted 1 |\n",
         .authors_vary = true, .voids_vary = true);

SCENARIO(
    duel, "two owners whom nothing keeps apart decide each command once between them",
    ARRAY(START('A'), SEND(1), DECIDED(1), START_RIVAL('B'), SEND(2), SEND(3), DECIDED(3), SEND(4),
          DECIDED(4), SEND(5), SEND(6), SEND(7), DECIDED(7), STOP('B'), SEND(8), DECIDED(8)),
    "log 0: - c1 accepted 1\n"
    "log 0: - c2 accepted 1\n"
    "log 0: - c3 accepted 1\n"
    "log 0: - c4 accepted 1\n"
    "log 0: - c5 accepted 1\n"
    "log 0: - c6 accepted 1\n"
    "log 0: - c7 accepted 1\n"
    "log 0: - c8 accepted 1\n"
    "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 | c4 accepted 1 | c5 accepted 1 | "
    "c6 accepted 1 | c7 accepted 1 | c8 accepted 1 |\n",
    .authors_vary = true, .voids_vary = true);

SCENARIO(
    renewal, "an epoch is renewed in the middle and nobody is deposed",
    ARRAY(START('A'), SEND(1), SEND(2), SEND(3), DECIDED(3), READ_FROM_END('x'), SEND(4), SEND(5),
          SEND(6), SEND(7), DECIDED(7), SEND_AGAIN(1), DECIDED(8)),
    "log 0: A c1 accepted 1\n"
    "log 0: A c2 accepted 1\n"
    "log 0: A c3 accepted 1\n"
    "log 0: A c4 accepted 1\n"
    "log 0: A c5 accepted 1\n"
    "log 0: A c6 accepted 1\n"
    "log 0: A c7 accepted 1\n"
    "log 0: A c1 accepted 1 again\n"
    "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 | c4 accepted 1 | c5 accepted 1 | "
    "c6 accepted 1 | c7 accepted 1 | c1 accepted 1 again |\n"
    "reader x: c4 c5 c6 c7 c1\n",
    .renew = 2);

/* ---- who else writes ------------------------------------------------------------------------ */

SCENARIO(foreign_takeover, "a foreign TAKEOVER costs a takeover and nothing else",
         ARRAY(START('A'), SEND(1), DECIDED(1), FOREIGN_TAKEOVER, OWNED_BY('A'), SEND(2),
               DECIDED(2), FOREIGN_TAKEOVER, OWNED_BY('A'), SEND(3), DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

SCENARIO(echo_of_own, "an echo of its own decisions makes the owner begin anew",
         ARRAY(START('A'), SEND(1), SEND(2), DECIDED(2), ECHO(2), VOID_RECORDS(2), SEND(3),
               DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A void c1\n"
         "log 0: A void c2\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

SCENARIO(echo_of_former, "an echo of a former owner's decisions is void and costs nothing",
         ARRAY(START('A'), SEND(1), DECIDED(1), KILL('A'), START('B'), OWNED_BY('B'),
               /* the TAKEOVER itself lies last */
               SEND(2), DECIDED(2), SEND(3), DECIDED(3), ECHO(1), VOID_RECORDS(1), FOREIGN_TAKEOVER,
               OWNED_BY('B'), SEND(4), DECIDED(4)),
         "log 0: A c1 accepted 1\n"
         "log 0: B c2 accepted 1\n"
         "log 0: B c3 accepted 1\n"
         "log 0: B void c3\n"
         "log 0: B c4 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 | c4 accepted 1 |\n");

/* ---- the network ---------------------------------------------------------------------------- */

SCENARIO(answer_lost, "the lost answer of an append costs nothing",
         ARRAY(START('A'), SEND(1), DECIDED(1), LOSE_ANSWER('A'), SEND(2), DECIDED(2), SEND(3),
               DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

SCENARIO(doubled, "an append that arrives twice lies there once",
         ARRAY(START('A'), SEND(1), DECIDED(1), DOUBLE('A'), SEND(2), DECIDED(2), SECONDS(1),
               SEND(3), DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

SCENARIO(delayed, "an append that is held for a while is as good as any",
         ARRAY(START('A'), SEND(1), DECIDED(1), HOLD('A', API_PRODUCE), SEND(2), HELD('A'),
               SECONDS(3), SEND(3), RELEASE('A', API_PRODUCE), DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

SCENARIO(given_up, "an append that its owner gave up and that lands later is the owner's last",
         ARRAY(START('A'), SEND(1), DECIDED(1), HOLD('A', API_PRODUCE), SEND(2), HELD('A'),
               SECONDS(22), RELEASE('A', API_PRODUCE), DECIDED(2), SEND(3), DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

SCENARIO(takeover_held, "an owner that does not see its TAKEOVER writes another",
         ARRAY(SEND(1), START('A'), HOLD('A', API_PRODUCE), HELD('A'), SECONDS(17),
               RELEASE('A', API_PRODUCE), DECIDED(1), SEND(2), DECIDED(2)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 |\n");

SCENARIO(deaf, "an owner that reads nothing answers nothing, and loses nothing",
         ARRAY(START('A'), SEND(1), DECIDED(1), HOLD('A', API_FETCH), SEND(2), SECONDS(3),
               RELEASE('A', API_FETCH), SEND(3), DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 |\n");

/* ---- retention ------------------------------------------------------------------------------ */

SCENARIO(deleted_decided, "commands that were decided may be deleted",
         ARRAY(START('A'), SEND(1), SEND(2), DECIDED(2), DELETE_COMMANDS(2), SEND(3), DECIDED(3),
               STOP('A'), START('A'), SEND(4), DECIDED(4)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "log 0: A c4 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 | c4 accepted 1 |\n");

SCENARIO(deleted_undecided, "commands that were deleted before they were decided halt the owner",
         ARRAY(START('A'), SEND(1), DECIDED(1), STOP('A'), SEND(2), SEND(3), DELETE_COMMANDS(2),
               START('A'), HALTED('A')),
         "log 0: A c1 accepted 1\n"
         "client 0: c1 accepted 1 |\n"
         "A halts log 0: position lies outside the log\n");

SCENARIO(deleted_under_way,
         "commands that are deleted before a running owner has read them halt it",
         ARRAY(START('A'), SEND(1), DECIDED(1), HOLD('A', API_FETCH), SECONDS(1), SEND(2), SEND(3),
               DELETE_COMMANDS(2), RELEASE('A', API_FETCH), HALTED('A')),
         "log 0: A c1 accepted 1\n"
         "client 0: c1 accepted 1 |\n"
         "A halts log 0: position lies outside the log\n");

/* ---- readers -------------------------------------------------------------------------------- */

SCENARIO(readers, "whoever begins at the end or in the middle judges as one from the start",
         ARRAY(START('A'), SEND(1), SEND(2), DECIDED(2), READ_FROM_END('x'), FOREIGN_TAKEOVER,
               OWNED_BY('A'), SEND(3), DECIDED(3), READ_FROM_END('y'), READ_FROM('z', 2), SEND(4),
               DECIDED(4)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "log 0: A c4 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c3 accepted 1 | c4 accepted 1 |\n"
         "reader x: c3 c4\n"
         "reader y: c4\n"
         "reader z: c2 c3 c4\n");

SCENARIO(wrong_positions, "a position that is none is refused",
         ARRAY(START('A'), SEND(1), DECIDED(1), READ_FROM('x', 1), READ_FROM('y', 7)),
         "log 0: A c1 accepted 1\n"
         "client 0: c1 accepted 1 |\n"
         "reader x: halts: broken sequence\n"
         "reader y: halts: position lies outside the log\n");

SCENARIO(positions, "a commit that has not arrived is no position",
         ARRAY(START('A'), SEND(1), DECIDED(1), JOIN('m'), COMMITTED('m'), COMMIT('m', 1),
               HAS_COMMITTED('m', 1), HOLD('m', API_COMMIT), COMMIT('m', 2), SECONDS(1),
               COMMITTED('m'), RELEASE('m', API_COMMIT), COMMIT('m', 3), HAS_COMMITTED('m', 3),
               COMMITTED('m'), LEAVE('m'), JOIN('m'), COMMITTED('m')),
         "log 0: A c1 accepted 1\n"
         "client 0: c1 accepted 1 |\n"
         "committed: m:-1 m:1 m:3 m:3\n");

/* ---- sagas ---------------------------------------------------------------------------------- */

SCENARIO(pulls, "a saga reads the service's log, and the service reads the saga's",
         ARRAY(START('A'), START_SAGA('S'), SEND_FOR_SAGA(1), DECIDED(3), SAGA_DECIDED(3), SEND(2),
               SEND_FOR_SAGA(3), DECIDED(7), SAGA_DECIDED(6)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c1.1 accepted 2\n"
         "log 0: A c1.2 accepted 3\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "log 0: A c3.1 accepted 2\n"
         "log 0: A c3.2 accepted 3\n"
         "saga 0: S c1 accepted 1 sends c1.1 c1.2\n"
         "saga 0: S c1.1 accepted 1\n"
         "saga 0: S c1.2 accepted 1\n"
         "saga 0: S c3 accepted 1 sends c3.1 c3.2\n"
         "saga 0: S c3.1 accepted 1\n"
         "saga 0: S c3.2 accepted 1\n"
         "client 0: c1 accepted 1 | c1.1 accepted 2 | c1.2 accepted 3 | c2 accepted 1 | "
         "c3 accepted 1 | c3.1 accepted 2 | c3.2 accepted 3 |\n",
         .with_saga = true);

SCENARIO(pulls_after_kills, "what was pulled is not decided again after kills on both sides",
         ARRAY(START('A'), START_SAGA('S'), SEND_FOR_SAGA(1), DECIDED(3), SAGA_DECIDED(3),
               KILL('A'), SEND_FOR_SAGA(2), KILL('S'), START('A'), DECIDED(4), START_SAGA('S'),
               DECIDED(6), SAGA_DECIDED(6), STOP('S'), STOP('A'), START_SAGA('S'), START('A'),
               SEND(3), DECIDED(7)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c1.1 accepted 2\n"
         "log 0: A c1.2 accepted 3\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c2.1 accepted 2\n"
         "log 0: A c2.2 accepted 3\n"
         "log 0: A c3 accepted 1\n"
         "saga 0: S c1 accepted 1 sends c1.1 c1.2\n"
         "saga 0: S c1.1 accepted 1\n"
         "saga 0: S c1.2 accepted 1\n"
         "saga 0: S c2 accepted 1 sends c2.1 c2.2\n"
         "saga 0: S c2.1 accepted 1\n"
         "saga 0: S c2.2 accepted 1\n"
         "client 0: c1 accepted 1 | c1.1 accepted 2 | c1.2 accepted 3 | c2 accepted 1 | "
         "c2.1 accepted 2 | c2.2 accepted 3 | c3 accepted 1 |\n",
         .with_saga = true);

SCENARIO(pull_held, "a service that dies while its saga answers decides once what that sends",
         ARRAY(START('A'), START_SAGA('S'), SEND(9), DECIDED(1), HOLD('A', API_PRODUCE),
               SEND_FOR_SAGA(1), HELD('A'), RELEASE('A', API_PRODUCE), DECIDED(2), KILL('A'),
               START('A'), DECIDED(4), SAGA_DECIDED(3)),
         "log 0: A c9 accepted 1\n"
         "log 0: A c1 accepted 1\n"
         "log 0: A c1.1 accepted 2\n"
         "log 0: A c1.2 accepted 3\n"
         "saga 0: S c1 accepted 1 sends c1.1 c1.2\n"
         "saga 0: S c1.1 accepted 1\n"
         "saga 0: S c1.2 accepted 1\n"
         "client 0: c9 accepted 1 | c1 accepted 1 | c1.1 accepted 2 | c1.2 accepted 3 |\n",
         .with_saga = true);

/* ---- the broker ----------------------------------------------------------------------------- */

SCENARIO(broker_restarts, "a broker that dies and comes back loses nothing that was on its disk",
         ARRAY(START('A'), SEND(1), DECIDED(1), BROKER_DOWN, SECONDS(2), BROKER_UP, SEND(2),
               DECIDED(2), SEND_AGAIN(1), DECIDED(3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c1 accepted 1 again\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | c1 accepted 1 again |\n",
         .restarts_broker = true);

SCENARIO(log_cut, "a log that lost its end: its owner begins anew, whoever had read more halts",
         ARRAY(START('A'), SEND(1), DECIDED(1), SEND(2), DECIDED(2), READ_FROM('z', 0),
               TOLD(CLIENT, 2), TOLD('z', 2), BROKER_DOWN, CUT_LOG(1), BROKER_UP, SEND(3),
               DECIDED(3), SEND_AGAIN(1), DECIDED(4), READER_HALTED(CLIENT), READER_HALTED('z')),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "log 0: A c1 accepted 1 again\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | halts: position lies outside the log\n"
         "reader z: c1 c2 halts: position lies outside the log\n",
         .voids_vary = true, .restarts_broker = true);

SCENARIO(takeover_cut, "a log that lost its owner's TAKEOVER: the owner begins anew",
         ARRAY(START('A'), SEND(1), DECIDED(1), STOP('A'), START('A'), SEND(2), DECIDED(2),
               TOLD(CLIENT, 2), BROKER_DOWN, CUT_LOG(2), BROKER_UP, SEND(3), DECIDED(3),
               READER_HALTED(CLIENT)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | halts: position lies outside the log\n",
         .voids_vary = true, .restarts_broker = true);

SCENARIO(cut_unseen, "a log that lost its end while its owner was away: the owner goes on there",
         ARRAY(START('A'), SEND(1), DECIDED(1), SEND(2), DECIDED(2), TOLD(CLIENT, 2), KILL('A'),
               BROKER_DOWN, CUT_LOG(1), BROKER_UP, START('A'), SEND(3), DECIDED(3),
               READER_HALTED(CLIENT), READ_FROM('z', 0), TOLD('z', 3)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "log 0: A c3 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 | halts: position lies outside the log\n"
         "reader z: c1 c2 c3\n",
         .restarts_broker = true);

SCENARIO(commands_cut, "commands that were decided and are not there any more halt the owner",
         ARRAY(START('A'), SEND(1), DECIDED(1), SEND(2), DECIDED(2), BROKER_DOWN, CUT_COMMANDS(1),
               BROKER_UP, HALTED('A')),
         "log 0: A c1 accepted 1\n"
         "log 0: A c2 accepted 1\n"
         "client 0: c1 accepted 1 | c2 accepted 1 |\n"
         "A halts log 0: position lies outside the log\n",
         .restarts_broker = true);

SCENARIO(source_cut, "a saga whose source lost what it had read halts",
         ARRAY(START('A'), START_SAGA('S'), SEND_FOR_SAGA(1), DECIDED(3), SAGA_DECIDED(3),
               TOLD(CLIENT, 3), BROKER_DOWN, CUT_LOG(2), BROKER_UP, HALTED('S'), DECIDED(3),
               READER_HALTED(CLIENT)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c1.1 accepted 2\n"
         "log 0: A c1.2 accepted 3\n"
         "saga 0: S c1 accepted 1 sends c1.1 c1.2\n"
         "saga 0: S c1.1 accepted 1\n"
         "saga 0: S c1.2 accepted 1\n"
         "client 0: c1 accepted 1 | c1.1 accepted 2 | c1.2 accepted 3 | "
         "halts: position lies outside the log\n"
         "S halts saga 0: position lies outside the log\n",
         .with_saga = true, .voids_vary = true, .restarts_broker = true);

/* A TAKEOVER lies where the saga reads on, and those between which it was not seen are not its own.
 */
SCENARIO(source_grown,
         "a saga whose source lost what it had read and grew again halts when it asks",
         ARRAY(START('A'), START_SAGA('S'), SEND_FOR_SAGA(1), DECIDED(3), SAGA_DECIDED(3),
               TOLD(CLIENT, 3), HOLD('S', API_FETCH), KILL('A'), BROKER_DOWN, CUT_LOG(2), BROKER_UP,
               FOREIGN_TAKEOVER, FOREIGN_TAKEOVER, START('A'), DECIDED(3), SEND(2), DECIDED(4),
               RELEASE('S', API_FETCH), HALTED('S'), READER_HALTED(CLIENT)),
         "log 0: A c1 accepted 1\n"
         "log 0: A c1.1 accepted 2\n"
         "log 0: A c1.2 accepted 3\n"
         "log 0: A c2 accepted 1\n"
         "saga 0: S c1 accepted 1 sends c1.1 c1.2\n"
         "saga 0: S c1.1 accepted 1\n"
         "saga 0: S c1.2 accepted 1\n"
         "client 0: c1 accepted 1 | c1.1 accepted 2 | c1.2 accepted 3 | "
         "halts: position lies outside the log\n"
         "S halts saga 0: position lies outside the log\n",
         .with_saga = true, .restarts_broker = true);

/* A decision lies where each had read another. */
SCENARIO(away_meanwhile,
         "who was away while a log was cut back and grew again halts when it resumes",
         ARRAY(START('A'), START_SAGA('S'), SEND_FOR_SAGA(1), DECIDED(3), SAGA_DECIDED(3),
               TOLD(CLIENT, 3), READ_FROM('z', 0), TOLD('z', 3), REST('z'), KILL('S'), KILL('A'),
               BROKER_DOWN, CUT_LOG(2), BROKER_UP, START('A'), DECIDED(3), READER_HALTED(CLIENT),
               START_SAGA('S'), HALTED('S'), READ_ON('z')),
         "log 0: A c1 accepted 1\n"
         "log 0: A c1.1 accepted 2\n"
         "log 0: A c1.2 accepted 3\n"
         "saga 0: S c1 accepted 1 sends c1.1 c1.2\n"
         "saga 0: S c1.1 accepted 1\n"
         "saga 0: S c1.2 accepted 1\n"
         "client 0: c1 accepted 1 | c1.1 accepted 2 | c1.2 accepted 3 | "
         "halts: position lies outside the log\n"
         "reader z: c1 c1.1 c1.2 halts: position lies outside the log\n"
         "S halts saga 0: position lies outside the log\n",
         .with_saga = true, .restarts_broker = true);

const struct scenario *const scenarios[] = {
    &each_once,
    &repeats,
    &repeat_after_takeover,
    &garbage,
    &restart_in_place,
    &killed,
    &late_record,
    &hand_over,
    &silent_heart,
    &duel,
    &renewal,
    &foreign_takeover,
    &echo_of_own,
    &echo_of_former,
    &answer_lost,
    &doubled,
    &delayed,
    &given_up,
    &takeover_held,
    &deaf,
    &deleted_decided,
    &deleted_undecided,
    &deleted_under_way,
    &readers,
    &wrong_positions,
    &positions,
    &pulls,
    &pulls_after_kills,
    &pull_held,
    &broker_restarts,
    &log_cut,
    &takeover_cut,
    &cut_unseen,
    &commands_cut,
    &source_cut,
    &source_grown,
    &away_meanwhile,
};
const size_t scenarios_count = COUNT(scenarios);
