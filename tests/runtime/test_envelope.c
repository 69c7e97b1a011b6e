/* What is written is read again, and nothing else is. */
#include <stdlib.h>

#include "core/envelope.h"
#include "tests/runtime/run_suite.h"

static _Alignas(16) char memory[1 << 20];

static struct uuid id_of(int n)
{
    struct uuid id = {{0}};
    id.bytes[0] = (uint8_t)n;
    id.bytes[15] = 7;
    return id;
}

static struct command a_command(void)
{
    return (struct command){.id = id_of(1),
                            .attempt = id_of(2),
                            .saga = id_of(3),
                            .cause = id_of(4),
                            .actor = {id_of(5), ROLE_CUSTOMER},
                            .fingerprint = 0x0102030405060708u,
                            .sent_at = -5,
                            .expected_version = 42,
                            .service = TEXT("order"),
                            .target = TEXT("o-1"),
                            .type = TEXT("order.place.v1"),
                            .traceparent = TEXT("00-ab-cd-01"),
                            .data = TEXT("{\"a\":1}")};
}

static bool commands_equal(const struct command *a, const struct command *b)
{
    return uuid_equal(a->id, b->id) && uuid_equal(a->attempt, b->attempt) &&
           uuid_equal(a->saga, b->saga) && uuid_equal(a->cause, b->cause) &&
           uuid_equal(a->actor.id, b->actor.id) && a->actor.roles == b->actor.roles &&
           a->fingerprint == b->fingerprint && a->sent_at == b->sent_at &&
           a->expected_version == b->expected_version && text_equal(a->service, b->service) &&
           text_equal(a->target, b->target) && text_equal(a->type, b->type) &&
           text_equal(a->traceparent, b->traceparent) && text_equal(a->data, b->data);
}

static struct text a_decision(struct arena *arena)
{
    static struct payload events[] = {{TEXT("order.placed.v1"), TEXT("{}")},
                                      {TEXT("order.confirmed.v1"), TEXT("{\"x\":2}")}};
    static struct command commands[1];
    static struct input positions[] = {{TEXT("payment.log"), 1, 0, 9, 11}};
    commands[0] = a_command();
    struct decision d = {.mark = {.kind = RECORD_DECISION,
                                  .epoch = 100,
                                  .number = 3,
                                  .commands_next = 77,
                                  .follows = 5},
                         .input = {TEXT("order.commands"), 2, 0, 76, PRINT_NONE},
                         .outcome = OUTCOME_ACCEPTED,
                         .replayed = true,
                         .first_offset = 50,
                         .command_id = id_of(1),
                         .attempt = id_of(2),
                         .saga = id_of(3),
                         .at = 123456789,
                         .detail = TEXT("why"),
                         .pointer = TEXT("/items/0"),
                         .target = TEXT("o-1"),
                         .version = 8,
                         .type = TEXT("order.place.v1"),
                         .events_count = 2,
                         .events = events,
                         .commands_count = 1,
                         .commands = commands,
                         .positions_count = 1,
                         .positions = positions};
    return decision_encode(&d, arena);
}

START_TEST(a_command_comes_back_whole)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct command in = a_command(), out;
    struct text record = command_encode(&in, &arena);
    ck_assert_int_eq(command_decode(record, &out).code, ERR_OK);
    ck_assert(commands_equal(&in, &out));
}
END_TEST

START_TEST(a_decision_comes_back_whole)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct command expected = a_command();
    struct decision d;
    struct mark mark;
    struct text record = a_decision(&arena);
    ck_assert_int_eq(mark_decode(record, &mark).code, ERR_OK);
    ck_assert(mark.kind == RECORD_DECISION && mark.epoch == 100 && mark.number == 3 &&
              mark.commands_next == 77);
    ck_assert_int_eq(decision_decode(record, &arena, &d).code, ERR_OK);
    ck_assert(d.replayed && d.first_offset == 50 && d.at == 123456789 && d.version == 8);
    ck_assert(text_is(d.input.topic, "order.commands") && d.input.partition == 2 &&
              d.input.offset == 76);
    ck_assert_uint_eq(d.events_count, 2);
    ck_assert(text_is(d.events[1].type, "order.confirmed.v1") &&
              text_is(d.events[1].data, "{\"x\":2}"));
    ck_assert(d.commands_count == 1 && commands_equal(&d.commands[0], &expected));
    ck_assert(d.positions_count == 1 && d.positions[0].offset == 9);
    ck_assert_int_eq(event_version(&d, 0), 7);
    ck_assert_int_eq(event_version(&d, 1), 8);
}
END_TEST

/* Every cut in a copy that ends where its memory does, so that a read too far is seen by the
 * sanitizer. */
START_TEST(a_torn_record_is_refused_at_every_length)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct text decision = a_decision(&arena),
                command = command_encode(&(struct command){.data = TEXT("{}")}, &arena);
    size_t used = arena.used;
    for (size_t len = 0; len < decision.len; len++) {
        struct decision d;
        struct command c;
        char *cut = malloc(len + 1);
        memcpy(cut + 1, decision.at, len);
        arena.used = used;
        ck_assert_int_eq(decision_decode((struct text){cut + 1, len}, &arena, &d).code,
                         ERR_MALFORMED);
        if (len < command.len) {
            memcpy(cut + 1, command.at, len);
            ck_assert_int_eq(command_decode((struct text){cut + 1, len}, &c).code, ERR_MALFORMED);
        }
        free(cut);
    }
}
END_TEST

START_TEST(flipped_bits_never_read_outside_the_record)
{
    struct arena arena = {memory, 0, sizeof memory};
    struct text record = a_decision(&arena);
    size_t used = arena.used, refused = 0;
    for (size_t bit = 0; bit < 8 * record.len; bit++) {
        struct decision d;
        char *copy = malloc(record.len);
        memcpy(copy, record.at, record.len);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        arena.used = used;
        refused += decision_decode((struct text){copy, record.len}, &arena, &d).code != ERR_OK;
        free(copy);
    }
    ck_assert_uint_gt(refused, record.len); /* lengths, kinds and counts at the least */
}
END_TEST

START_TEST(a_record_that_does_not_fit_is_not_written)
{
    struct arena arena = {memory, 0, 64};
    ck_assert_ptr_null(a_decision(&arena).at);
    ck_assert_uint_eq(arena.used, 0);
}
END_TEST

START_TEST(derived_ids_differ_by_index_and_place)
{
    struct decision d = {.command_id = id_of(1)};
    struct input a = {TEXT("x.log"), 1, 0, 5, 0}, b = {TEXT("x.log"), 1, 1, 5, 0};
    ck_assert(!uuid_equal(event_id(&d, 0), event_id(&d, 1)));
    ck_assert(!uuid_equal(input_id(&a), input_id(&b)));
    ck_assert(uuid_equal(input_id(&a), input_id(&a)));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {a_command_comes_back_whole,
                                  a_decision_comes_back_whole,
                                  a_torn_record_is_refused_at_every_length,
                                  flipped_bits_never_read_outside_the_record,
                                  a_record_that_does_not_fit_is_not_written,
                                  derived_ids_differ_by_index_and_place};
    return run_suite("envelope", tests, COUNT(tests));
}
