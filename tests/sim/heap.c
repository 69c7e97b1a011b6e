/* malloc and its family, linked in their place (--wrap): what a simulated process allocates is its
 * own and is gone when it crashes. Everything else goes to the C library. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/sim/world.h"

enum { MAPPED_FROM = 128 * 1024, CHUNK_BYTES = 4 * 1024 * 1024, KEPT_MAX = 64 };

struct heap_block {
    struct heap_block *before, *after;
    size_t size; /* of what was asked for */
    struct proc *owner;
    size_t mapped; /* bytes of the mapping, or of a kept block; 0: the C library's */
    bool kept;     /* goes back to the pool of large blocks */
    _Alignas(16) char bytes[];
};

/* The names are the linker's. */
void *real_malloc(size_t size) __asm__("__real_malloc");
void *real_calloc(size_t count, size_t size) __asm__("__real_calloc");
void *real_realloc(void *at, size_t size) __asm__("__real_realloc");
void *real_aligned_alloc(size_t alignment, size_t size) __asm__("__real_aligned_alloc");
void real_free(void *at) __asm__("__real_free");
void *wrap_malloc(size_t size) __asm__("__wrap_malloc");
void *wrap_calloc(size_t count, size_t size) __asm__("__wrap_calloc");
void *wrap_realloc(void *at, size_t size) __asm__("__wrap_realloc");
void *wrap_aligned_alloc(size_t alignment, size_t size) __asm__("__wrap_aligned_alloc");
void wrap_free(void *at) __asm__("__wrap_free");

/* Large blocks whose content nobody may rely on are kept: page faults cost more than the work. */
static struct heap_block *pool[KEPT_MAX];
static int pool_count;

static struct heap_block *pool_take(size_t size)
{
    for (int i = 0; i < pool_count; i++)
        if (pool[i]->mapped >= sizeof(struct heap_block) + size &&
            pool[i]->mapped < 2 * (sizeof(struct heap_block) + size)) {
            struct heap_block *block = pool[i];
            pool[i] = pool[--pool_count];
            return block;
        }
    return NULL;
}

static struct heap_block *map_block(size_t size, bool zeroed)
{
    struct heap_block *block = zeroed ? NULL : pool_take(size);
    if (!block) {
        size_t bytes = (sizeof *block + size + 4095) & ~(size_t)4095;
        void *memory =
            mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            abort();
        block = memory;
        block->mapped = bytes;
    }
    block->kept = !zeroed;
    return block;
}

static void *block_new(size_t size, bool zeroed)
{
    struct proc *owner = world.current;
    struct heap_block *block;
    if (size >= MAPPED_FROM) {
        block = map_block(size, zeroed);
    } else {
        block = zeroed ? real_calloc(1, sizeof *block + size) : real_malloc(sizeof *block + size);
        if (!block)
            abort();
        block->mapped = 0;
        block->kept = false;
    }
    block->size = size;
    block->owner = owner;
    block->before = NULL;
    block->after = owner ? owner->heap : NULL;
    if (block->after)
        block->after->before = block;
    if (owner)
        owner->heap = block;
    return block->bytes;
}

static void block_free(struct heap_block *block)
{
    if (block->before)
        block->before->after = block->after;
    else if (block->owner && block->owner->heap == block)
        block->owner->heap = block->after;
    if (block->after)
        block->after->before = block->before;
    if (!block->mapped)
        real_free(block);
    else if (block->kept && pool_count < KEPT_MAX)
        pool[pool_count++] = block;
    else
        munmap(block, block->mapped);
}

static struct heap_block *block_of(void *at)
{
    return (struct heap_block *)(void *)((char *)at - offsetof(struct heap_block, bytes));
}

void *wrap_malloc(size_t size)
{
    return block_new(size, false);
}

void *wrap_calloc(size_t count, size_t size)
{
    return block_new(count * size, true);
}

void *wrap_aligned_alloc(size_t alignment, size_t size)
{
    if (alignment > 16)
        abort();
    return block_new(size, false);
}

void wrap_free(void *at)
{
    if (at)
        block_free(block_of(at));
}

void *wrap_realloc(void *at, size_t size)
{
    void *moved = block_new(size, false);
    if (at) {
        struct heap_block *old = block_of(at);
        memcpy(moved, at, old->size < size ? old->size : size);
        block_free(old);
    }
    return moved;
}

void heap_drop(struct proc *proc)
{
    while (proc->heap)
        block_free(proc->heap);
}

size_t heap_blocks(const struct proc *proc)
{
    size_t count = 0;
    for (const struct heap_block *block = proc->heap; block; block = block->after)
        count++;
    return count;
}

/* ---- the world's own memory ---- */

static struct chunk {
    struct chunk *next;
    size_t size;
    _Alignas(16) char bytes[];
} * chunks, *chunk_now;
static size_t chunk_used;

static void chunk_next(size_t size)
{
    struct chunk *next = chunk_now ? chunk_now->next : chunks;
    if (!next || next->size < size) {
        size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        struct chunk *fresh = real_malloc(sizeof *fresh + room);
        if (!fresh)
            abort();
        *fresh = (struct chunk){.next = next, .size = room};
        if (chunk_now)
            chunk_now->next = fresh;
        else
            chunks = fresh;
        next = fresh;
    }
    chunk_now = next;
    chunk_used = 0;
}

void *world_alloc(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (!chunk_now || chunk_used + size > chunk_now->size)
        chunk_next(size);
    void *at = chunk_now->bytes + chunk_used;
    chunk_used += size;
    return memset(at, 0, size);
}

void world_memory_reset(void);
void world_memory_reset(void)
{
    chunk_now = NULL;
    chunk_used = 0;
}

struct text world_copy(struct text text)
{
    char *copy = world_alloc(text.len + 1);
    if (text.len)
        memcpy(copy, text.at, text.len);
    return (struct text){copy, text.len};
}
