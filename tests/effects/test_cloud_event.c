/* The public form of an event, header by header. */
#include "runtime/cloud_event.h"
#include "tests/runtime/run_suite.h"

static struct payload payloads[2];
static struct decision decision;
static struct cloud_event event;

static void given_decision(void)
{
    payloads[0] = (struct payload){TEXT("order.placed.v1"), TEXT("{}")};
    payloads[1] = (struct payload){TEXT("order.confirmed.v1"), TEXT("{}")};
    decision = (struct decision){.command_id = {{0x11}},
                                 .at = 1700000000000042,
                                 .target = TEXT("agg"),
                                 .version = 9,
                                 .events_count = 2,
                                 .events = payloads};
}

static struct text header(const char *name)
{
    for (size_t i = 0; i < event.headers_count; i++)
        if (strcmp(event.headers[i].name, name) == 0)
            return event.headers[i].value;
    return (struct text){NULL, 0};
}

static void then_header(const char *name, const char *value)
{
    struct text is = header(name);
    ck_assert_msg(is.at && text_is(is, value), "%s: %.*s", name, (int)is.len, is.at ? is.at : "");
}

START_TEST(an_event_says_what_cloudevents_asks_for)
{
    char id[UUID_TEXT_LEN + 1];
    given_decision();
    cloud_event_init(&event, "order", &decision, 1);
    uuid_format(event_id(&decision, 1), id);
    then_header("ce_specversion", "1.0");
    then_header("ce_id", id);
    then_header("ce_source", "/foldlog/order");
    then_header("ce_type", "order.confirmed.v1");
    then_header("ce_time", "2023-11-14T22:13:20.000042Z");
    then_header("ce_subject", "agg");
    then_header("ce_dataschema",
                "https://foldlog.example/schemas/order.json#/$defs/order.confirmed.v1");
    then_header("content-type", "application/json");
    then_header("ce_causationid", "11000000-0000-0000-0000-000000000000");
}
END_TEST

START_TEST(events_of_one_decision_are_numbered_up_to_its_version)
{
    given_decision();
    cloud_event_init(&event, "order", &decision, 0);
    then_header("ce_sequence", "00000000000000000008");
    cloud_event_init(&event, "order", &decision, 1);
    then_header("ce_sequence", "00000000000000000009");
}
END_TEST

START_TEST(it_correlates_by_the_order_or_else_by_itself)
{
    given_decision();
    cloud_event_init(&event, "product", &decision, 0);
    then_header("ce_correlationid", "agg");
    decision.saga = (struct uuid){{0x22}};
    cloud_event_init(&event, "product", &decision, 0);
    then_header("ce_correlationid", "22000000-0000-0000-0000-000000000000");
}
END_TEST

START_TEST(a_trace_goes_on_where_there_is_one)
{
    given_decision();
    cloud_event_init(&event, "order", &decision, 0);
    ck_assert_ptr_null(header("traceparent").at);
    decision.traceparent = TEXT("00-x-y-01");
    cloud_event_init(&event, "order", &decision, 0);
    then_header("traceparent", "00-x-y-01");
}
END_TEST

START_TEST(times_before_1970_are_times)
{
    given_decision();
    decision.at = -1;
    cloud_event_init(&event, "order", &decision, 0);
    then_header("ce_time", "1969-12-31T23:59:59.999999Z");
}
END_TEST

int main(void)
{
    const TTest *const stories[] = {
        an_event_says_what_cloudevents_asks_for,
        events_of_one_decision_are_numbered_up_to_its_version,
        it_correlates_by_the_order_or_else_by_itself,
        a_trace_goes_on_where_there_is_one,
        times_before_1970_are_times,
    };
    return run_suite("cloud event", stories, COUNT(stories));
}
