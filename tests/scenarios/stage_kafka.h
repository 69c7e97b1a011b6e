/* What the program on the real broker tells its stage. */
#ifndef TESTS_SCENARIOS_STAGE_KAFKA_H
#define TESTS_SCENARIOS_STAGE_KAFKA_H

extern const char *stage_brokers; /* host:port of the broker itself */

#endif
