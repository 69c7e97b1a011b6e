/* A fulfilment's state for people: where it stands, and what has been asked of whom. */
#include "saga/fulfilment_state.h"

static void show_ask(struct json_write *out, const char *name, const struct ask *ask)
{
    static const char *const answers[] = {
        [ANSWER_UNASKED] = "unasked",
        [ANSWER_AWAITED] = "awaited",
        [ANSWER_YES] = "yes",
        [ANSWER_NO] = "no",
    };
    if (ask->answer != ANSWER_UNASKED)
        json_write_text(out, name, text_of(answers[ask->answer]));
}

static void show_line(struct json_write *out, const struct line *line)
{
    json_write_begin(out, NULL, '{');
    json_write_text(out, "sku", line_sku(line));
    json_write_number(out, "quantity", line->quantity);
    show_ask(out, "reserve", &line->reserve);
    show_ask(out, "commit", &line->commit);
    show_ask(out, "give_back", &line->give_back);
    json_write_end(out, '}');
}

void fulfilment_show(const void *state, struct json_write *out)
{
    static const char *const phases[] = {
        [PHASE_NONE] = "none",
        [PHASE_AUTHORIZING] = "authorizing",
        [PHASE_RESERVING] = "reserving",
        [PHASE_CAPTURING] = "capturing",
        [PHASE_CONFIRMING] = "confirming",
        [PHASE_CONFIRMED] = "confirmed",
        [PHASE_COMPENSATING] = "compensating",
        [PHASE_ENDED] = "ended",
    };
    const struct fulfilment *f = state;
    json_write_text(out, "phase", text_of(phases[f->phase]));
    json_write_boolean(out, "needs_attention", f->needs_attention);
    if (f->reason)
        json_write_text(out, "reason", fulfilment_reason_text(f->reason));
    if (f->due != INT64_MAX && f->due != 0)
        json_write_time(out, "due_at", f->due);
    if (f->timer_step)
        json_write_text(out, "due_step", fulfilment_step_text(f->timer_step));
    json_write_number(out, "try", f->try);
    show_ask(out, "authorize", &f->authorize);
    show_ask(out, "capture", &f->capture);
    show_ask(out, "confirm", &f->confirm);
    show_ask(out, "payment_release", &f->payment_release);
    show_ask(out, "cancel", &f->cancel);
    json_write_begin(out, "lines", '[');
    for (size_t i = 0; i < f->lines_count; i++)
        show_line(out, &f->lines[i]);
    json_write_end(out, ']');
}
