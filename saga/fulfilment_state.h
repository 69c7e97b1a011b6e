/* Where one order's fulfilment stands: a fold of its own events. What has been asked of whom is
 * part of it, so what must be sent follows from two states, and an answer is known by what is
 * awaited. */
#ifndef SAGA_FULFILMENT_STATE_H
#define SAGA_FULFILMENT_STATE_H

#include "core/saga.h"
#include "schemas/fulfilment.h"

enum { LINES_MAX = 50, TRY_MAX = 60000 };

/* Up to CAPTURING everything can be given back; the first commit sent is the pivot. */
enum phase {
    PHASE_NONE,
    PHASE_AUTHORIZING,
    PHASE_RESERVING,
    PHASE_CAPTURING,
    PHASE_CONFIRMING, /* commits and the confirmation are out: forward only */
    PHASE_CONFIRMED,  /* at rest until it is shipped or cancelled */
    PHASE_COMPENSATING,
    PHASE_ENDED,
};

enum answer { ANSWER_UNASKED, ANSWER_AWAITED, ANSWER_YES, ANSWER_NO };

/* One command to somebody, and what became of it. */
struct ask {
    uint16_t try;
    uint8_t answer; /* enum answer */
};

struct line {
    struct ask reserve;
    struct ask commit;
    struct ask give_back; /* release before the pivot, restock after it */
    int32_t quantity;
    uint8_t sku_len;
    char sku[KEY_LEN_MAX];
};

struct fulfilment {
    struct uuid order_id;
    int64_t due; /* microseconds; INT64_MAX: no timer */
    struct line *lines;
    uint8_t lines_count;
    uint8_t phase;        /* enum phase */
    uint8_t timer_step;   /* enum fulfilment_step; 0: none */
    uint8_t reason;       /* enum fulfilment_reason, once compensating */
    uint16_t try;         /* of commands sent from now on */
    bool restocking;      /* compensating from beyond the pivot */
    bool needs_attention; /* of an operator */
    bool cancelling;      /* past the pivot: the order awaits its cancellation */
    bool operator_asked;  /* past the pivot: an operator wants it cancelled */
    bool shipped;         /* before all commits were answered */
    struct ask authorize;
    struct ask capture;
    struct ask confirm;
    struct ask payment_release;
    struct ask cancel;
};

void fulfilment_evolve(void *state, const void *event);
extern const struct owned fulfilment_owned[];
void fulfilment_show(const void *state, struct json_write *out);
int64_t fulfilment_due(const void *state);
/* With lines of its own: to be freed (owned_free). */
struct fulfilment fulfilment_copy(const struct fulfilment *state);

/* Steps that are asked once per line; all others have one ask, found at any line. */
bool step_is_per_line(enum fulfilment_step step);
struct ask *fulfilment_ask(struct fulfilment *state, enum fulfilment_step step, size_t line);
/* How many asks this step can have now: a release only before the pivot, a restock only after it.
 */
size_t fulfilment_asks(const struct fulfilment *state, enum fulfilment_step step);

struct text line_sku(const struct line *line);
struct uuid fulfilment_payment_id(const struct fulfilment *state);
/* Of the command that asks for this step, in the ask's present try. */
struct uuid fulfilment_command_id(const struct fulfilment *state, enum fulfilment_step step,
                                  size_t line, unsigned try);

bool fulfilment_is_before_pivot(const struct fulfilment *state);
bool fulfilment_has_reserved_all(const struct fulfilment *state);
/* Beyond the pivot everything asked was done. */
bool fulfilment_is_fulfilled(const struct fulfilment *state);
/* The step whose deadline runs; 0: at rest, over, or an operator's turn. */
enum fulfilment_step fulfilment_timed_step(const struct fulfilment *state);

#endif
