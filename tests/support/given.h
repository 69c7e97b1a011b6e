/* GIVEN these events WHEN this command of this actor THEN these events, or this refusal. One story
 * at a time; what a command led to has happened before the next. */
#ifndef TESTS_SUPPORT_GIVEN_H
#define TESTS_SUPPORT_GIVEN_H

#include <check.h>

#include "core/aggregate.h"
#include "tests/support/people.h"

/* A new story of this aggregate, under this key. */
void given(const struct aggregate *aggregate, struct text target);
void given_event(const void *event);
void when(struct actor actor, const void *command);
void then_nothing(void);
void then_refused(enum problem problem);
/* Accepted with that many events. */
void then_events(size_t count);
/* Event i of the last command, as it was read again; must have this tag. */
const void *then_event(size_t i, int tag);
/* The JSON pointer of the last refusal; may be NULL. */
const char *then_pointer(void);
void given_finish(void);

/* HAPPENED(order, CONFIRMED, confirmed, .order_id = id); and ASKED(actor, order, CONFIRM, confirm,
 * ...); */
#define HAPPENED(service, NAME_UPPER, name_lower, ...) \
    given_event(&(struct service##_event){.tag = NAME_UPPER, .as.name_lower = {__VA_ARGS__}})
#define ASKED(actor, service, NAME_UPPER, name_lower, ...) \
    when((actor), &(struct service##_command){.tag = NAME_UPPER, .as.name_lower = {__VA_ARGS__}})
/* The fields of event i. */
#define THEN(i, service, NAME_UPPER, name_lower) \
    (((const struct service##_event *)then_event((i), NAME_UPPER))->as.name_lower)

/* Runs the suite and gives the exit status. */
int run_suite(Suite *suite);

#endif
