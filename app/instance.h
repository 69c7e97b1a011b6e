/* The name of this process: its static seat in the consumer groups. */
#ifndef APP_INSTANCE_H
#define APP_INSTANCE_H

#include "core/err.h"

/* The setting, or the host name with the first ordinal that no other process on this machine has
 * locked. The lock is held until the process ends. */
NODISCARD struct err instance_name(char *ret_name, unsigned size);

/* The process's, or a verb's, connection to Kafka, by the settings. */
struct log;
NODISCARD struct err instance_log(const char *name, struct log **ret_log);

#endif
