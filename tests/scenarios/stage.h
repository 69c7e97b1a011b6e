/* Where a scenario is played: what the simulated world and the real one do each in its own way.
 * All else goes through runtime/'s contracts, which both have. */
#ifndef TESTS_SCENARIOS_STAGE_H
#define TESTS_SCENARIOS_STAGE_H

#include "tests/scenarios/cast.h"
#include "tests/scenarios/scenario.h"

/* Topics of the cast exist afterwards. */
void stage_begin(const struct scenario *scenario, const struct cast *cast, const char *suffix);
/* A log of the audience itself: no script touches its network. Closed with stage_log_close. */
struct log *stage_log(const char *instance);
/* A log whose network is this letter's. */
struct log *stage_log_of(char who);
void stage_log_close(struct log *log);

void stage_start(char who, enum duty duty);
/* Returns when it has ended. */
void stage_stop(char who);
void stage_kill(char who);
void stage_pause(char who);
void stage_resume(char who);

void stage_hold(char who, enum api api);
void stage_release(char who, enum api api);
void stage_lose_answer(char who);
void stage_double(char who);
/* Produce requests of it that are held. */
int stage_held(char who);

void stage_delete(struct log_topic *topic, int partition, int64_t before);
void stage_broker_down(void);
/* While it is down. */
void stage_cut(const char *topic, int partition, int records);
void stage_broker_up(void);

/* The i-th halt that it has reported: its topic, partition and reason; false: there is none. */
struct stage_halt {
    char topic[TOPIC_LEN_MAX];
    int partition;
    char why[200];
};
bool stage_halt(char who, int i, struct stage_halt *ret_halt);

#endif
