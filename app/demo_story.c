/* Places, follows, cancels; folds the timeline's entries into what each order came to. */
#include "app/demo_story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/demo_screen.h"
#include "app/demo_timeline.h"

enum { LAMP, MUG, CHAIR };
enum { POLL_MS = 20, STORY_MS = 20000, SETTLE_MS = 2000, KEY_MAX = 96 };

const struct demo_story demo_stories[DEMO_STORIES] = {
    {.title = "An order of two lines",
     .name = "two lines",
     .lines = {{LAMP, 2}, {MUG, 1}},
     .lines_count = 2,
     .payment_method = "ok",
     .status = "confirmed",
     .authorized = true,
     .captured = true},
    {.title = "The payment is declined",
     .name = "declined",
     .lines = {{LAMP, 1}},
     .lines_count = 1,
     .payment_method = "declined",
     .status = "cancelled",
     .reason = "payment_declined"},
    {.title = "The second line is out of stock",
     .name = "out of stock",
     .lines = {{LAMP, 3}, {CHAIR, 2}},
     .lines_count = 2,
     .payment_method = "ok",
     .status = "cancelled",
     .reason = "out_of_stock",
     .authorized = true,
     .voided = true},
    {.title = "The customer cancels while the provider is still thinking",
     .name = "in the middle",
     .lines = {{LAMP, 1}, {MUG, 2}},
     .lines_count = 2,
     .payment_method = "slow:600",
     .cancel_after = "payment.requested.v1",
     .status = "cancelled",
     .reason = "customer_request",
     .authorized = true,
     .voided = true},
    {.title = "The customer cancels after confirmation",
     .name = "afterwards",
     .lines = {{LAMP, 1}, {CHAIR, 1}},
     .lines_count = 2,
     .payment_method = "ok",
     .cancel_after = "fulfilment.completed.v1",
     .status = "cancelled",
     .reason = "customer_request",
     .authorized = true,
     .captured = true,
     .refunded = true},
};

int64_t demo_story_total(const struct demo_story *story)
{
    int64_t total = 0;
    for (size_t i = 0; i < story->lines_count; i++)
        total += story->lines[i].quantity * demo_products[story->lines[i].product].price;
    return total;
}

struct demo_money demo_story_money(const struct demo_story *story)
{
    int64_t total = demo_story_total(story);
    return (struct demo_money){.authorized = story->authorized ? total : 0,
                               .captured = story->captured ? total : 0,
                               .voided = story->voided ? total : 0,
                               .refunded = story->refunded ? total : 0};
}

/* ---- placing and cancelling ----------------------------------------------------------------- */

static json_t *order_body(const struct demo_story *story)
{
    json_t *items = json_array();
    for (size_t i = 0; i < story->lines_count; i++)
        json_array_append_new(items, json_pack("{s:s,s:I}", "sku",
                                               demo_products[story->lines[i].product].sku,
                                               "quantity", (json_int_t)story->lines[i].quantity));
    return json_pack("{s:o,s:s,s:{s:s,s:s,s:s,s:s},s:{s:I,s:s}}", "items", items, "payment_method",
                     story->payment_method, "shipping_address", "name", "Ada Lovelace", "line1",
                     "12 St James's Square", "city", "London", "country", "GB", "expected_total",
                     "amount", (json_int_t)demo_story_total(story), "currency", "EUR");
}

static bool place(struct demo_http *api, const char *run, int number, struct demo_order *order)
{
    char key[KEY_MAX];
    snprintf(key, sizeof key, "order-%s-%d", run, number);
    json_t *answer =
        demo_http_must(api, "POST", "/v1/orders", key, order_body(&demo_stories[number]));
    const char *id = json_string_value(json_object_get(answer, "id"));
    if (id)
        snprintf(order->id, sizeof order->id, "%s", id);
    else if (answer)
        fputs("foldlog demo: the answer to POST /v1/orders has no id\n", stderr);
    json_decref(answer);
    return order->id[0] != '\0';
}

static bool cancel(struct demo_http *api, const struct demo_order *order)
{
    char path[DEMO_URL_MAX], key[KEY_MAX + DEMO_ID_MAX];
    snprintf(path, sizeof path, "/v1/orders/%s/cancellation", order->id);
    snprintf(key, sizeof key, "cancel-%s", order->id);
    json_t *answer =
        demo_http_must(api, "POST", path, key, json_pack("{s:s}", "reason", "changed my mind"));
    json_decref(answer);
    return answer != NULL;
}

/* ---- what the events say -------------------------------------------------------------------- */

static void fold_stock(struct demo_order *order, const char *event, const char *detail)
{
    long long units;
    char sku[DEMO_SKU_MAX];
    int product = sscanf(detail, "%lld x %64s", &units, sku) == 2 ? demo_shop_find(sku) : -1;
    if (product < 0)
        return;
    struct demo_stock *moved = &order->moved[product];
    if (strcmp(event, "reserved.v1") == 0)
        moved->on_hand -= units, moved->reserved += units;
    else if (strcmp(event, "released.v1") == 0)
        moved->reserved -= units, moved->on_hand += units;
    else if (strcmp(event, "committed.v1") == 0)
        moved->reserved -= units, moved->committed += units;
    else if (strcmp(event, "restocked.v1") == 0)
        moved->committed -= units, moved->on_hand += units;
}

static void fold_payment(struct demo_order *order, const char *event, int64_t amount)
{
    if (strcmp(event, "requested.v1") == 0)
        order->total = amount;
    else if (strcmp(event, "authorized.v1") == 0)
        order->money.authorized += order->total;
    else if (strcmp(event, "captured.v1") == 0)
        order->money.captured += amount;
    else if (strcmp(event, "voided.v1") == 0)
        order->money.voided += order->total;
    else if (strcmp(event, "refunded.v1") == 0)
        order->money.refunded += amount;
}

static void fold_order(struct demo_order *order, const char *event, const char *detail)
{
    if (strcmp(event, "confirmed.v1") != 0 && strcmp(event, "cancelled.v1") != 0)
        return;
    snprintf(order->status, sizeof order->status, "%.*s", (int)strcspn(event, "."), event);
    snprintf(order->reason, sizeof order->reason, "%s",
             *event == 'c' && event[1] == 'a' ? detail : "");
}

static int by_time(const void *a, const void *b)
{
    const struct demo_entry *x = a, *y = b;
    return (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

/* All entries again, in order of time: payment.requested has the amount of what follows it. */
static void fold(const struct demo_timeline *timeline, struct demo_order *order)
{
    static struct demo_entry entries[DEMO_ENTRIES_MAX];
    struct demo_order folded = {0};
    memcpy(folded.id, order->id, sizeof folded.id);
    memcpy(entries, timeline->entries, sizeof entries);
    qsort(entries, (size_t)timeline->count, sizeof *entries, by_time);
    for (int i = 0; i < timeline->count; i++) {
        const struct demo_entry *e = &entries[i];
        folded.events += !e->command;
        if (strncmp(e->type, "inventory.", 10) == 0)
            fold_stock(&folded, e->type + 10, e->detail);
        else if (strncmp(e->type, "payment.", 8) == 0)
            fold_payment(&folded, e->type + 8, strtoll(e->detail, NULL, 10));
        else if (strncmp(e->type, "order.", 6) == 0)
            fold_order(&folded, e->type + 6, e->detail);
    }
    if (timeline->count)
        folded.took_us = entries[timeline->count - 1].at_us - timeline->began_us;
    *order = folded;
}

/* ---- following ------------------------------------------------------------------------------ */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* As the story wants it: or does a log still have to be read? */
static bool is_complete(const struct demo_story *story, const struct demo_order *order)
{
    struct demo_money money = demo_story_money(story);
    return strcmp(order->status, story->status) == 0 && demo_money_equal(&order->money, &money);
}

struct follower {
    struct demo_timeline timeline;
    const struct demo_story *story;
    struct demo_order *order;
    int64_t deadline;
    bool cancelled; /* the cancellation was posted, or is not wanted */
};

static bool is_over(struct follower *f)
{
    if (!f->cancelled)
        return false;
    bool over =
        demo_timeline_has(&f->timeline, "fulfilment.ended.v1") ||
        (!f->story->cancel_after && demo_timeline_has(&f->timeline, "fulfilment.completed.v1"));
    if (over && f->deadline > now_ms() + SETTLE_MS)
        f->deadline = now_ms() + SETTLE_MS; /* what is missing now must come soon */
    return over && is_complete(f->story, f->order);
}

static bool cancel_in_time(struct follower *f, struct demo_http *api)
{
    if (f->cancelled || !demo_timeline_has(&f->timeline, f->story->cancel_after))
        return true;
    f->cancelled = true;
    return cancel(api, f->order);
}

static bool follow(struct follower *f, struct demo_http *api)
{
    static const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    while (now_ms() < f->deadline) {
        int fresh = demo_timeline_poll(&f->timeline, api, f->order->id);
        if (fresh < 0)
            return false;
        if (fresh > 0)
            fold(&f->timeline, f->order);
        demo_timeline_show(&f->timeline, false);
        if (!cancel_in_time(f, api))
            return false;
        if (is_over(f))
            return true;
        nanosleep(&pause, NULL);
    }
    return true; /* the checks will say what is wrong */
}

static void show_verdict(const struct demo_story *story, const struct demo_order *order)
{
    bool good = strcmp(order->status, story->status) == 0;
    demo_print(INK_DIM, "                ");
    demo_print(good ? INK_GOOD : INK_BAD, "%s %s", good ? "✓" : "✗",
               *order->status ? order->status : "not ended");
    if (story->reason)
        demo_print(INK_DIM, "  %s", order->reason);
    demo_print(INK_DIM, "  %.0f ms, %d events\n", (double)order->took_us / 1000.0, order->events);
}

bool demo_story_tell(struct demo_http *api, const char *run, int number,
                     struct demo_order *ret_order)
{
    static struct follower f;
    f = (struct follower){.story = &demo_stories[number],
                          .order = ret_order,
                          .deadline = now_ms() + STORY_MS,
                          .cancelled = demo_stories[number].cancel_after == NULL};
    *ret_order = (struct demo_order){0};
    demo_print(INK_BOLD, "\n%d  %s\n", number + 1, f.story->title);
    if (!place(api, run, number, ret_order))
        return false;
    bool read = follow(&f, api);
    demo_timeline_show(&f.timeline, true);
    show_verdict(f.story, ret_order);
    return read;
}
