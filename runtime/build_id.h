/* Which program this is: the linker's sum over what it linked. */
#ifndef RUNTIME_BUILD_ID_H
#define RUNTIME_BUILD_ID_H

#include <stdint.h>

enum { BUILD_ID_MAX = 32 };

struct build_id {
    uint32_t len; /* 0: the program was linked without */
    unsigned char bytes[BUILD_ID_MAX];
};

struct build_id build_id(void);

#endif
