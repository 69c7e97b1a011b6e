/* Who and what stories are about. */
#ifndef TESTS_SUPPORT_PEOPLE_H
#define TESTS_SUPPORT_PEOPLE_H

#include "core/envelope.h"

/* The same number, the same id. */
static inline struct uuid id_of(uint64_t number)
{
    struct uuid id = {{0x70}};
    memcpy(id.bytes + 8, &number, sizeof number);
    return uuid_derive(id, TEXT("people"));
}

#define ADA id_of(1)   /* a customer */
#define BOB id_of(2)   /* another */
#define MILL id_of(3)  /* a merchant */
#define FORGE id_of(4) /* another */

static inline struct actor customer(struct uuid id)
{
    return (struct actor){.id = id, .roles = ROLE_CUSTOMER};
}

static inline struct actor merchant(struct uuid id)
{
    return (struct actor){.id = id, .roles = ROLE_CUSTOMER | ROLE_MERCHANT};
}

#define ADMIN ((struct actor){.id = id_of(5), .roles = ROLE_ADMIN})
#define SYSTEM ((struct actor){.id = id_of(6), .roles = ROLE_SYSTEM})

/* xorshift64*: the same seed, the same story, on every machine. */
struct chance {
    uint64_t state;
};

static inline struct chance chance_of(uint64_t seed)
{
    return (struct chance){.state = seed * 0x9e3779b97f4a7c15u + 1};
}

static inline uint64_t chance_next(struct chance *chance)
{
    chance->state ^= chance->state >> 12;
    chance->state ^= chance->state << 25;
    chance->state ^= chance->state >> 27;
    return chance->state * 0x2545f4914f6cdd1du >> 16;
}

/* 0 .. bound - 1. */
static inline size_t chance_below(struct chance *chance, size_t bound)
{
    return (size_t)(chance_next(chance) % bound);
}

static inline bool chance_percent(struct chance *chance, unsigned percent)
{
    return chance_below(chance, 100) < percent;
}

#endif
