#include "core/uuid.h"

#include <assert.h>
#include <uuid/uuid.h>

enum { PARTS_BYTES_MAX = 8192 };

void uuid_format(struct uuid id, char out[UUID_TEXT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    char *o = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *o++ = '-';
        *o++ = hex[id.bytes[i] >> 4];
        *o++ = hex[id.bytes[i] & 15];
    }
    *o = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_read(struct text text, struct uuid *ret_id)
{
    struct uuid id;
    if (text.len != UUID_TEXT_LEN)
        return false;
    const char *c = text.at;
    for (int i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *c++ != '-')
            return false;
        int high = nibble(*c++);
        int low = nibble(*c++);
        if (high < 0 || low < 0)
            return false;
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_id = id;
    return true;
}

struct uuid uuid_derive(struct uuid space, struct text name)
{
    struct uuid id;
    uuid_generate_sha1(id.bytes, space.bytes, name.len ? name.at : "", name.len);
    return id;
}

struct uuid uuid_derive_parts(struct uuid space, const struct text *parts, size_t count)
{
    char name[PARTS_BYTES_MAX];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t len = (uint16_t)parts[i].len;
        assert(parts[i].len <= UINT16_MAX && used + 2 + parts[i].len <= sizeof name);
        name[used++] = (char)(len >> 8);
        name[used++] = (char)len;
        if (len)
            memcpy(name + used, parts[i].at, len);
        used += len;
    }
    return uuid_derive(space, (struct text){name, used});
}
