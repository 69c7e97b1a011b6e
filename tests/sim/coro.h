/* Stacks to run processes on: one thread, several stacks. Under AddressSanitizer by ucontext with
 * fiber annotations, else by a switch of a dozen instructions. */
#ifndef TESTS_SIM_CORO_H
#define TESTS_SIM_CORO_H

#include <stdbool.h>

enum { CORO_STACK_BYTES = 1024 * 1024 };

struct coro {
    void *stack; /* kept for the next one that runs here */
    void *sp;
    void *context;
    void *fake;
};

/* The stack begins with `entry`, which must not return. */
void coro_init(struct coro *coro, void (*entry)(void));
/* from_dies: it will never be gone on with. */
void coro_switch(struct coro *from, struct coro *to, bool from_dies);
/* First thing on a new stack. */
void coro_entered(void);

#endif
