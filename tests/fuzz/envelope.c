/* Records read from arbitrary bytes: what is taken can be written, and is then read and written the
 * same; what log_judge looks at is the same by either way of reading it. */
#include "core/envelope.h"
#include "tests/fuzz/fuzz.h"

static _Alignas(16) char memory[2][1 << 20];

static bool marks_equal(struct mark a, struct mark b)
{
    return a.kind == b.kind && a.epoch == b.epoch && a.number == b.number &&
           a.commands_next == b.commands_next && a.follows == b.follows && a.print == b.print;
}

static void check_mark(struct text record, struct mark expected)
{
    struct mark mark;
    must(mark_decode(record, &mark).code == ERR_OK && marks_equal(mark, expected));
}

/* Each of the three: the record written again; .at is NULL when it was not taken. */
static struct text command_again(struct text record, struct arena *arena)
{
    struct command command;
    if (command_decode(record, &command).code != ERR_OK)
        return (struct text){NULL, 0};
    return command_encode(&command, arena);
}

static struct text takeover_again(struct text record, struct arena *arena)
{
    struct takeover takeover;
    if (takeover_decode(record, &takeover).code != ERR_OK)
        return (struct text){NULL, 0};
    check_mark(record, takeover.mark);
    return takeover_encode(&takeover, arena);
}

static struct text decision_again(struct text record, struct arena *arena)
{
    struct decision decision;
    if (decision_decode(record, arena, &decision).code != ERR_OK)
        return (struct text){NULL, 0};
    check_mark(record, decision.mark);
    for (size_t i = 0; i < decision.events_count; i++)
        event_id(&decision, i);
    input_id(&decision.input);
    return decision_encode(&decision, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text (*const again[])(struct text, struct arena *) = {
        command_again, takeover_again, decision_again};
    struct text record = {(const char *)data, size};
    int taken = 0;
    for (size_t i = 0; i < COUNT(again); i++) {
        struct arena first = {memory[0], 0, sizeof memory[0]};
        struct arena second = {memory[1], 0, sizeof memory[1]};
        struct text once = again[i](record, &first);
        if (!once.at)
            continue;
        taken++;
        struct text twice = again[i](once, &second);
        must(twice.at && text_equal(once, twice));
    }
    must(taken <= 1); /* no record is two things */
    return 0;
}
