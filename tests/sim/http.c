/* Calls to the provider: answered, answered with nonsense, not answered, or carried out long after
 * the caller gave up. Behind runtime/http_out.h. */
#include "runtime/http_out.h"

#include <stdio.h>

#include "tests/sim/bank.h"
#include "tests/sim/broker.h"

enum { LATE_MAX_MS = 120000 };

struct call {
    struct http_out *http;
    uint64_t tag;
    char method[8], path[256], key[40];
    struct text body;
    int64_t timeout_us;
    bool arrived, answered;
    enum http_trouble trouble;
    struct bank_answer answer;
    struct call *next, *next_late;
};

struct http_out {
    struct log *log;
    http_answer answer;
    void *context;
    struct log_reader *waker;
    bool closed;
    int under_way;
    struct call *answers, **answers_end;
    struct bank_answer last; /* a success, which names its key: may be told once more. Refusals and
                                lists do not (sandbox/README.md) */
};

static int64_t down_until; /* nobody is there to be connected to */
static struct call *late;

void http_begin(void)
{
    down_until = 0;
    late = NULL;
}

struct err http_out_open(http_answer answer, void *context, struct log_reader *waker,
                         struct http_out **ret_http)
{
    world_point();
    struct http_out *http = world_alloc(sizeof *http);
    http->log = waker->log;
    http->answer = answer;
    http->context = context;
    http->waker = waker;
    http->answers_end = &http->answers;
    *ret_http = http;
    return OK;
}

void http_out_close(struct http_out *http)
{
    if (http)
        http->closed = true;
}

static void on_answer(void *context, uint64_t unused, uint64_t unused2)
{
    struct call *c = context;
    (void)unused;
    (void)unused2;
    if (c->answered || c->http->closed || !log_alive(c->http->log))
        return;
    c->answered = true;
    *c->http->answers_end = c;
    c->http->answers_end = &c->next;
    reader_poke(c->http->waker);
}

static void on_arrival(void *context, uint64_t told, uint64_t unused)
{
    struct call *c = context;
    (void)unused;
    struct bank_answer unheard;
    trace(0xca11, told);
    c->arrived = true;
    bank_ask(c->method, c->path, c->key, c->body, told ? &c->answer : &unheard);
    if (told)
        world_after((int64_t)chance_under(40 * MS), on_answer, c, 0, 0);
}

void http_deliver(void)
{
    for (struct call *c = late; c; c = c->next_late)
        if (!c->arrived) {
            SOMETIMES(provider_last);
            on_arrival(c, 0, 0);
        }
}

static void fail_later(struct call *c, enum http_trouble trouble, int64_t us)
{
    c->trouble = trouble;
    world_after(us, on_answer, c, 0, 0);
}

/* Late is as late as it likes: also when the caller has died, and another has given up what it
 * asked for. */
static void go_wrong(struct call *c)
{
    switch (chance_under(7)) {
    case 0: /* or broken off in the middle, or by something between */
        if (chance_one_in(2)) {
            SOMETIMES(provider_500_done);
            world_after((int64_t)chance_under(5 * MS), on_arrival, c, 0, 0);
        }
        SOMETIMES(provider_500);
        c->answer = (struct bank_answer){.status = chance_one_in(2) ? 500 : 201};
        c->answer.len =
            (size_t)snprintf(c->answer.body, sizeof c->answer.body, "{\"operation\":{\"k");
        world_after(5 * MS, on_answer, c, 0, 0);
        break;
    case 1:
        SOMETIMES(provider_silent_undone);
        fail_later(c, HTTP_NO_ANSWER, c->timeout_us);
        break;
    case 2:
        SOMETIMES(provider_silent_done);
        world_after((int64_t)chance_under(20 * MS), on_arrival, c, 0, 0);
        fail_later(c, HTTP_NO_ANSWER, c->timeout_us);
        break;
    case 3:
        SOMETIMES(provider_late);
        c->next_late = late;
        late = c;
        world_after((int64_t)chance_under(chance_under(4) ? (uint64_t)c->timeout_us * 3
                                                          : LATE_MAX_MS * (uint64_t)MS),
                    on_arrival, c, 0, 0);
        fail_later(c, HTTP_NO_ANSWER, c->timeout_us);
        break;
    case 4:
        SOMETIMES(provider_duplicate); /* the answer to the operation before, once more */
        world_after((int64_t)chance_under(20 * MS), on_arrival, c, 0, 0);
        c->answer = strcmp(c->method, "POST") == 0 ? c->http->last : (struct bank_answer){0};
        if (c->answer.status == 0)
            c->answer.status = 502;
        fail_later(c, HTTP_FINE, 30 * MS);
        break;
    case 5:
        SOMETIMES(provider_silent_undone);
        fail_later(c, HTTP_NO_CONNECTION, MS);
        break;
    default:
        SOMETIMES(provider_down);
        down_until = world.now + (int64_t)chance_under(8 * SECOND);
        fail_later(c, HTTP_NO_CONNECTION, MS);
        break;
    }
}

struct err http_out_send(struct http_out *http, const struct http_request *request, uint64_t tag)
{
    world_point();
    struct call *c = world_alloc(sizeof *c);
    *c = (struct call){.http = http,
                       .tag = tag,
                       .body = world_copy(request->body),
                       .timeout_us = (int64_t)request->timeout_ms * MS};
    snprintf(c->method, sizeof c->method, "%s", request->method);
    snprintf(c->path, sizeof c->path, "%s", request->url + strlen("bank"));
    snprintf(c->key, sizeof c->key, "%s", request->key ? request->key : "");
    http->under_way++;
    note("asks the provider: %s %s %s", c->method, c->path, c->key);
    if (down_until > world.now && world.faults)
        fail_later(c, HTTP_NO_CONNECTION, MS);
    else if (fault(world.swarm.provider))
        go_wrong(c);
    else
        world_after(MS + (int64_t)chance_under(30 * MS), on_arrival, c, 1, 0);
    return OK;
}

int http_out_poll(struct http_out *http)
{
    int n = 0;
    while (http->answers) {
        struct call *c = http->answers;
        http->answers = c->next;
        if (!http->answers)
            http->answers_end = &http->answers;
        c->next = NULL;
        http->under_way--;
        n++;
        note("is answered %d: %.*s", c->trouble == HTTP_FINE ? c->answer.status : 0,
             (int)c->answer.len, c->answer.body);
        bool fine = c->trouble == HTTP_FINE;
        if (fine && c->answer.status / 100 == 2 && strcmp(c->method, "POST") == 0)
            http->last = c->answer;
        http->answer(http->context, c->tag,
                     &(struct http_response){.trouble = c->trouble,
                                             .status = fine ? c->answer.status : 0,
                                             .body = {c->answer.body, fine ? c->answer.len : 0}});
    }
    return n;
}
