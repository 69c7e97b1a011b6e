/* Every version that was kept, the newest first. */
#include "tests/sim/shelf.h"

#include <string.h>

#include "tests/sim/world.h"

enum { WRITTEN_MAX = 4 * 1024 * 1024, RESTORED_ONE_IN = 4, BROKEN_ONE_IN = 12 };

struct version {
    struct version *next;
    char name[SHELF_NAME_MAX];
    char *bytes;
    size_t len;
};

struct shelf {
    struct version *versions;
};

static struct shelf shelves[SHELVES];
static char written[WRITTEN_MAX]; /* nobody else runs while one writes */
static size_t written_len;

void shelves_begin(void)
{
    memset(shelves, 0, sizeof shelves);
}

struct shelf *shelf_of(int machine)
{
    return &shelves[machine % SHELVES];
}

static ssize_t take(void *cookie, const char *bytes, size_t len)
{
    (void)cookie;
    if (len > WRITTEN_MAX - written_len)
        return 0;
    memcpy(written + written_len, bytes, len);
    written_len += len;
    return (ssize_t)len;
}

struct err shelf_write(struct shelf *shelf, const char *name, FILE **ret_stream)
{
    (void)shelf;
    (void)name;
    world_point();
    written_len = 0;
    *ret_stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = take});
    return *ret_stream ? OK : FAIL(ERR_UNAVAILABLE, "shelf");
}

struct err shelf_keep(struct shelf *shelf, const char *name, FILE *stream, bool whole)
{
    bool good = fclose(stream) == 0 && whole;
    struct version *version = world_alloc(sizeof *version);
    snprintf(version->name, sizeof version->name, "%s", name);
    version->len = written_len;
    version->bytes = world_alloc(written_len);
    memcpy(version->bytes, written, written_len);
    world_point();
    if (!good)
        return FAIL(ERR_UNAVAILABLE, "shelf");
    version->next = shelf->versions;
    shelf->versions = version;
    SOMETIMES(snapshots_written);
    return OK;
}

static const struct version *find(const struct version *from, const char *name)
{
    while (from && strcmp(from->name, name) != 0)
        from = from->next;
    return from;
}

/* Any that there ever was, on any machine. */
static const struct version *restore(const char *name)
{
    const struct version *found = find(shelves[chance_under(SHELVES)].versions, name);
    while (found && chance_one_in(2)) {
        const struct version *older = find(found->next, name);
        if (!older)
            break;
        found = older;
    }
    if (found)
        SOMETIMES(snapshots_restored);
    return found;
}

static void flip(char *byte)
{
    *byte = (char)(*byte ^ 1 << chance_under(8));
}

/* A copy of which the end is missing, or a bit is another one. */
static const struct version *break_one(const struct version *whole)
{
    struct version *broken = world_alloc(sizeof *broken);
    *broken = *whole;
    broken->bytes = world_alloc(whole->len);
    memcpy(broken->bytes, whole->bytes, whole->len);
    if (chance_one_in(2))
        broken->len = (size_t)chance_under(whole->len);
    else
        flip(&broken->bytes[chance_under(whole->len)]);
    SOMETIMES(snapshots_broken);
    return broken;
}

struct err shelf_read(struct shelf *shelf, const char *name, FILE **ret_stream)
{
    world_point();
    const struct version *found = world.faults && chance_one_in(RESTORED_ONE_IN)
                                      ? restore(name)
                                      : find(shelf->versions, name);
    if (found && found->len > 0 && world.faults && chance_one_in(BROKEN_ONE_IN))
        found = break_one(found);
    if (!found || found->len == 0)
        return FAIL(ERR_NOT_FOUND, "shelf");
    SOMETIMES(snapshots_read);
    *ret_stream = fmemopen(found->bytes, found->len, "r");
    return *ret_stream ? OK : FAIL(ERR_INVALID, "shelf");
}

/* What was there may come back all the same. */
void shelf_remove(struct shelf *shelf, const char *name)
{
    struct version *none = world_alloc(sizeof *none);
    snprintf(none->name, sizeof none->name, "%s", name);
    none->next = shelf->versions;
    shelf->versions = none;
}
