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

/* One more than the digit's value; 0 where the character is no hexadecimal digit. */
static const uint8_t digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

bool uuid_read(struct text text, struct uuid *ret_id)
{
    struct uuid id;
    bool wrong = false;
    if (text.len != UUID_TEXT_LEN || text.at[8] != '-' || text.at[13] != '-' ||
        text.at[18] != '-' || text.at[23] != '-')
        return false;
    const char *c = text.at;
    for (int i = 0; i < 16; i++, c += 2) {
        c += i == 4 || i == 6 || i == 8 || i == 10;
        unsigned high = digits[(uint8_t)c[0]], low = digits[(uint8_t)c[1]];
        wrong |= !high || !low;
        id.bytes[i] = (uint8_t)((high - 1) << 4 | (low - 1));
    }
    if (wrong)
        return false;
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
