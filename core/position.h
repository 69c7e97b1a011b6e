/* Where a reader of a log has come to, and what tells the record it read last from any other that
 * may come to lie there when the log is cut back and grows again. */
#ifndef CORE_POSITION_H
#define CORE_POSITION_H

#include <stdint.h>

/* print_of (core/envelope.h) a record's bytes. */
#define PRINT_NONE ((uint64_t)0)   /* there is no record */
#define PRINT_UNKNOWN (UINT64_MAX) /* nobody remembers it */

struct position {
    int64_t offset; /* after the last valid decision it has finished with; -1: nowhere */
    uint64_t print; /* of that decision */
};

#endif
