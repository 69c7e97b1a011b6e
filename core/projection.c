#include "core/projection.h"

#include <assert.h>

void row_text_set_(uint16_t *len, char *at, size_t size, struct text value)
{
    assert(value.len <= size);
    memset(at, 0, size);
    if (value.len)
        memcpy(at, value.at, value.len);
    *len = (uint16_t)value.len;
}
