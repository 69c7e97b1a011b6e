/* The bytes of memory as they are: a snapshot belongs to the very program that wrote it, and any
 * other ignores it. So there is no format to keep and no version to forget. */
#include "runtime/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "core/mutant.h"
#include "runtime/build_id.h"

#define MAGIC 0x31504e53444c4f46u /* FOLDSNP1 */

/* Without gaps: it is compared as bytes. */
struct head {
    uint64_t magic;
    struct build_id build;
    char topic[TOPIC_LEN_MAX];
    int32_t partition, partitions;
    uint32_t state_size;
    struct position position;
    int64_t commands_next;
    uint64_t sources, states, commands; /* how many follow */
};
_Static_assert(sizeof(struct head) == sizeof(struct build_id) + TOPIC_LEN_MAX +
                                          sizeof(struct position) + 3 * 4 + 5 * 8,
               "a gap");

struct source_entry {
    char topic[TOPIC_LEN_MAX];
    int64_t offset;
    uint64_t print;
    int32_t partition, index;
};

/* Followed by the key, the state's own bytes, and what it owns. */
struct state_entry {
    int64_t version;
    uint64_t key_len;
};

void snapshot_name(const struct shard *s, char out[SHELF_NAME_MAX])
{
    snprintf(out, SHELF_NAME_MAX, "%s-%d.snapshot", log_topic_name(s->owner.log),
             s->owner.partition);
}

/* ---- a stream with a sum -------------------------------------------------------------------- */

struct stream {
    FILE *file;
    uint64_t sum;
    uint64_t left; /* bytes that can still be read */
    bool bad;
    int cause; /* errno of a failed write */
};

static void add_to_sum(struct stream *t, const void *bytes, size_t len)
{
    t->sum = (t->sum ^ print_of((struct text){bytes, len})) * 0x9e3779b97f4a7c15u;
}

static void put(struct stream *t, const void *bytes, size_t len)
{
    if (len == 0 || t->bad)
        return;
    t->bad = fwrite(bytes, len, 1, t->file) != 1;
    t->cause = t->bad ? errno : 0;
    add_to_sum(t, bytes, len);
}

static void get(struct stream *t, void *bytes, size_t len)
{
    if (len == 0)
        return;
    t->bad = t->bad || len > t->left || fread(bytes, len, 1, t->file) != 1;
    if (t->bad)
        return;
    t->left -= len;
    add_to_sum(t, bytes, len);
}

static struct stream open_stream(FILE *file)
{
    struct stream t = {.file = file, .bad = fseek(file, 0, SEEK_END) != 0};
    long size = ftell(file);
    t.left = size > 0 ? (uint64_t)size : 0;
    rewind(file);
    return t;
}

/* ---- writing -------------------------------------------------------------------------------- */

static struct head head_of(const struct shard *s)
{
    const struct owner *o = &s->owner;
    struct head h;
    memset(&h, 0, sizeof h); /* also what follows a name */
    h.magic = MAGIC;
    h.build = build_id();
    snprintf(h.topic, sizeof h.topic, "%s", log_topic_name(o->log));
    h.partition = o->partition;
    h.partitions = log_topic_partitions(o->log);
    h.state_size = (uint32_t)service_state_size(s->service);
    h.position = cursor_position(&o->tail);
    h.commands_next = o->commands_next;
    h.sources = o->sources_count;
    h.states = s->states ? states_count(s->states) : 0;
    h.commands = s->dedup && !MUTANT(snapshot_without_window) ? dedup_count(s->dedup) : 0;
    return h;
}

static void put_source(struct stream *t, const struct owner_source *source)
{
    struct source_entry e;
    memset(&e, 0, sizeof e);
    snprintf(e.topic, sizeof e.topic, "%s", log_topic_name(source->topic));
    e.partition = source->partition;
    e.index = source->index;
    e.offset = MUTANT(snapshot_without_sources) ? 0 : source->offset;
    e.print = source->print;
    put(t, &e, sizeof e);
}

/* Of pointers only whether there is one: they would say where this process keeps what. */
static void put_data(struct stream *t, const struct shard *s, const struct state *state, char *copy)
{
    memcpy(copy, state->data, service_state_size(s->service));
    for (const struct owned *o = service_owned(s->service); o && o->element; o++)
        owned_set(o, copy, owned_array(o, copy) ? (void *)1 : NULL);
    put(t, copy, service_state_size(s->service));
}

static void put_state(struct stream *t, const struct shard *s, const struct state *state,
                      char *copy)
{
    const struct state_entry e = {state->version, state->key.len};
    put(t, &e, sizeof e);
    put(t, state->key.at, state->key.len);
    put_data(t, s, state, copy);
    for (const struct owned *o = service_owned(s->service); o && o->element; o++)
        if (owned_array(o, state->data))
            put(t, owned_array(o, state->data), owned_bytes(o, state->data));
}

static struct err put_all(FILE *file, const struct shard *s, char *copy)
{
    struct stream t = {.file = file};
    const struct head h = head_of(s);
    const struct state *state;
    size_t at = 0;
    put(&t, &h, sizeof h);
    for (size_t i = 0; i < s->owner.sources_count; i++)
        put_source(&t, &s->owner.sources[i]);
    while (!t.bad && (state = states_next(s->states, &at))) {
        put_state(&t, s, state, copy);
        if (atomic_load(s->owner.stop)) /* there may be gigabytes of them */
            return FAIL(ERR_STOPPING, "snapshot");
    }
    for (size_t i = 0; i < h.commands; i++)
        put(&t, dedup_entry(s->dedup, i), sizeof(struct dedup_entry));
    put(&t, &t.sum, sizeof t.sum);
    return t.bad ? FAIL_CAUSE(ERR_UNAVAILABLE, "snapshot not written", t.cause) : OK;
}

struct err snapshot_write(const struct shard *s)
{
    char name[SHELF_NAME_MAX];
    FILE *file;
    if (build_id().len == 0)
        return FAIL(ERR_CONFIG, "the program was linked without --build-id");
    snapshot_name(s, name);
    TRY(shelf_write(s->shelf, name, &file));
    char *copy = malloc(service_state_size(s->service));
    struct err e = copy ? put_all(file, s, copy) : FAIL(ERR_NOMEM, "snapshot");
    free(copy);
    struct err kept = shelf_keep(s->shelf, name, file, e.code == ERR_OK);
    return e.code != ERR_OK ? e : kept;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* What is of this program, and of this partition, and leads to a state of this size, differs in
 * nothing but how far it goes. */
static bool fits(const struct shard *s, const struct head *h)
{
    struct head mine = head_of(s);
    mine.position = h->position;
    mine.commands_next = h->commands_next;
    mine.sources = h->sources;
    mine.states = h->states;
    mine.commands = h->commands;
    return mine.build.len > 0 && memcmp(&mine, h, sizeof mine) == 0;
}

static bool take_source(struct shard *s, const struct source_entry *e)
{
    for (size_t i = 0; i < s->owner.sources_count; i++) {
        struct owner_source *source = &s->owner.sources[i];
        if (source->partition != e->partition ||
            strcmp(log_topic_name(source->topic), e->topic) != 0)
            continue;
        source->index = e->index;
        source->offset = e->offset;
        source->print = e->print;
        return true;
    }
    return false; /* one that is not read any more says nothing */
}

/* All that are read now must be told of: one that is not would be read again from its beginning. */
static bool get_sources(struct stream *t, struct shard *s, uint64_t count)
{
    size_t known = 0;
    for (uint64_t i = 0; i < count && !t->bad; i++) {
        struct source_entry e = {0};
        get(t, &e, sizeof e);
        e.topic[sizeof e.topic - 1] = '\0';
        known += !t->bad && take_source(s, &e);
    }
    return known == s->owner.sources_count;
}

static void get_owned(struct stream *t, const struct owned *o, void *data)
{
    size_t len = owned_bytes(o, data);
    void *array = NULL;
    if (owned_array(o, data) && len > 0) { /* the pointer of another life: there was an array */
        array = len <= t->left ? malloc(len) : NULL;
        t->bad = t->bad || !array;
        if (array)
            get(t, array, len);
    }
    owned_set(o, data, array);
}

static void get_state(struct stream *t, struct shard *s)
{
    char key[KEY_LEN_MAX];
    struct state_entry e = {0};
    get(t, &e, sizeof e);
    t->bad = t->bad || e.key_len > KEY_LEN_MAX;
    if (t->bad)
        return;
    get(t, key, e.key_len);
    if (t->bad)
        return;
    size_t before = states_count(s->states);
    struct state *state = states_at(s->states, (struct text){key, e.key_len});
    t->bad = states_count(s->states) == before; /* a key that came before */
    if (t->bad)
        return;
    state->version = e.version;
    get(t, state->data, service_state_size(s->service));
    if (t->bad)
        memset(state->data, 0, service_state_size(s->service)); /* no pointers of another life */
    for (const struct owned *o = service_owned(s->service); o && o->element; o++)
        get_owned(t, o, state->data);
}

static bool get_all(struct stream *t, struct shard *s, struct head *h)
{
    struct dedup_entry entry = {0};
    uint64_t sum, told = 0;
    bool sources = get_sources(t, s, h->sources);
    s->owner.commands_next = MUTANT(snapshot_decides_anew) ? 0 : h->commands_next;
    for (uint64_t i = 0; i < h->states && !t->bad && !atomic_load(s->owner.stop); i++)
        get_state(t, s);
    for (uint64_t i = 0; i < h->commands && !t->bad; i++) {
        get(t, &entry, sizeof entry);
        t->bad = t->bad || !dedup_restore(s->dedup, &entry);
    }
    sum = t->sum;
    get(t, &told, sizeof told);
    return !t->bad && sources && (told == sum || MUTANT(snapshot_sum_ignored)) && t->left == 0;
}

static bool get_head(struct stream *t, const struct shard *s, struct head *h)
{
    get(t, h, sizeof *h);
    return !t->bad && fits(s, h);
}

struct err snapshot_read(struct shard *s, struct position *ret_position)
{
    char name[SHELF_NAME_MAX];
    struct head h;
    FILE *file;
    snapshot_name(s, name);
    TRY(shelf_read(s->shelf, name, &file));
    struct stream t = open_stream(file);
    bool ours = get_head(&t, s, &h), whole = ours && get_all(&t, s, &h);
    fclose(file);
    if (atomic_load(s->owner.stop))
        return FAIL(ERR_STOPPING, "snapshot");
    if (!whole)
        return FAIL(ERR_INVALID,
                    ours ? "broken, or of other sources" : "of another program or partition");
    *ret_position = h.position;
    return OK;
}

int64_t snapshot_begins_at(const struct shard *s)
{
    char name[SHELF_NAME_MAX];
    struct head h;
    FILE *file;
    snapshot_name(s, name);
    if (shelf_read(s->shelf, name, &file).code != ERR_OK)
        return -1;
    struct stream t = open_stream(file);
    bool good = get_head(&t, s, &h) && h.position.offset >= 0; /* no sum has been looked at */
    fclose(file);
    return good ? h.position.offset : -1;
}

void snapshot_remove(const struct shard *s)
{
    char name[SHELF_NAME_MAX];
    snapshot_name(s, name);
    shelf_remove(s->shelf, name);
}
