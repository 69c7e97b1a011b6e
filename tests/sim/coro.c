/* Switching stacks. */
#include "tests/sim/coro.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { GUARD_BYTES = 4096 };

static void *stack_new(void)
{
    char *memory = mmap(NULL, CORO_STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, GUARD_BYTES, PROT_NONE) != 0)
        abort();
    return memory + GUARD_BYTES;
}

#if defined(__SANITIZE_ADDRESS__) || !defined(__x86_64__)

#include <ucontext.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

static void (*entry_of_new)(void);
#ifdef __SANITIZE_ADDRESS__
static const void *main_bottom;
static size_t main_size;
#endif

/* Outlives the process that begins another: not from that one's heap. */
static ucontext_t *context_new(void)
{
    void *memory =
        mmap(NULL, sizeof(ucontext_t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    return memory;
}

static void trampoline(void)
{
    entry_of_new();
    abort();
}

void coro_entered(void)
{
#ifdef __SANITIZE_ADDRESS__
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(NULL, &bottom, &size);
    if (!main_bottom) { /* the first switch always comes from main */
        main_bottom = bottom;
        main_size = size;
    }
#endif
}

void coro_init(struct coro *coro, void (*entry)(void))
{
    entry_of_new = entry;
    if (!coro->stack)
        coro->stack = stack_new();
    if (!coro->context)
        coro->context = context_new();
    ucontext_t *context = coro->context;
    if (getcontext(context) != 0)
        abort();
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(coro->stack, CORO_STACK_BYTES);
#endif
    context->uc_stack.ss_sp = coro->stack;
    context->uc_stack.ss_size = CORO_STACK_BYTES;
    context->uc_link = NULL;
    makecontext(context, trampoline, 0);
}

void coro_switch(struct coro *from, struct coro *to, bool from_dies)
{
    (void)from_dies;
    if (!from->context)
        from->context = context_new();
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(from_dies ? NULL : &from->fake,
                                   to->stack ? to->stack : main_bottom,
                                   to->stack ? CORO_STACK_BYTES : main_size);
#endif
    swapcontext(from->context, to->context);
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(from->fake, NULL, NULL);
#endif
}

#else

void coro_entered(void)
{
}

void coro_switch_stacks(void **save, void *load);
__asm__(".text\n.globl coro_switch_stacks\n.type coro_switch_stacks,@function\n"
        "coro_switch_stacks:\n"
        "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp,(%rdi)\n movq %rsi,%rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n");

void coro_init(struct coro *coro, void (*entry)(void))
{
    if (!coro->stack)
        coro->stack = stack_new();
    uint64_t *top = (uint64_t *)(void *)((char *)coro->stack + CORO_STACK_BYTES);
    *--top = 0; /* keeps the stack 16-byte aligned at entry */
    *--top = (uint64_t)(uintptr_t)entry;
    for (int i = 0; i < 6; i++)
        *--top = 0;
    coro->sp = top;
}

void coro_switch(struct coro *from, struct coro *to, bool from_dies)
{
    (void)from_dies;
    coro_switch_stacks(&from->sp, to->sp);
}

#endif
