"""The public events, read by somebody else's libraries: examples/revenue.py beside the read models, and every header
by kcat. usage: wire.py FOLDLOG"""
import json
import os
import re
import subprocess
import sys

from system import System, agrees, check, equal, finish

EXAMPLE = os.path.join(os.path.dirname(__file__), "..", "..", "examples", "revenue.py")
HEADERS = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema", "content-type",
           "ce_sequence", "ce_correlationid", "ce_causationid"]


def revenue(foldlog):
    python = os.environ.get("FOLDLOG_TEST_PYTHON")
    if not python:
        raise SystemExit("FAIL  FOLDLOG_TEST_PYTHON is not set: ./dev test makes it")
    done = subprocess.run([python, EXAMPLE, foldlog.environment["FOLDLOG_KAFKA"]], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"FAIL  revenue.py: {done.stdout}{done.stderr}")
    return {line["sku"]: line for line in map(json.loads, done.stdout.splitlines())}


def own_read_model(foldlog):
    lamp, mug = foldlog.product(10, 4900), foldlog.product(10, 100)
    kept = foldlog.order((lamp, 2), (mug, 3))
    given_back = foldlog.order((lamp, 1))
    declined = foldlog.order((mug, 1), method="declined")
    for order in (kept, given_back, declined):
        foldlog.settled(order)
    foldlog.cancel(given_back)
    foldlog.happened(given_back, "fulfilment.ended.v1")

    def complaint():
        found = revenue(foldlog)
        got = {sku: (found.get(sku, {}).get("units"), found.get(sku, {}).get("minor")) for sku in (lamp, mug)}
        return None if got == {lamp: (2, 9800), mug: (3, 300)} else got

    wrong = agrees(complaint)
    check("a foreign consumer folds the same", not wrong, wrong)
    return kept


def headers(foldlog, order_id):
    out = subprocess.run(["kcat", "-C", "-b", foldlog.environment["FOLDLOG_KAFKA"], "-t", "order.events", "-o",
                          "beginning", "-e", "-q", "-J", "-X", "isolation.level=read_committed"],
                         capture_output=True, text=True, check=True).stdout
    events = [e for e in map(json.loads, out.splitlines()) if e["key"] == order_id]
    equal("kcat sees the order's events", len(events), 2)
    for event in events:
        fields = dict(zip(event["headers"][::2], event["headers"][1::2]))
        kind = fields["ce_type"]
        equal(f"{kind}: every header", [h for h in HEADERS if h not in fields], [])
        equal(f"{kind}: key, subject and correlation are the order", {event["key"], fields["ce_subject"],
                                                                     fields["ce_correlationid"]}, {order_id})
        check(f"{kind}: a sequence of 20 digits", re.fullmatch(r"\d{20}", fields["ce_sequence"]), fields)
        check(f"{kind}: a trace", re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", fields["traceparent"]), fields)
        check(f"{kind}: data is JSON", isinstance(json.loads(event["payload"]), dict))


def traced(foldlog, sku):
    """A client's trace is found in the events its order led to, also those of other services."""
    trace = os.urandom(16).hex()
    made = foldlog.done(foldlog.post("/v1/orders", foldlog.order_body((sku, 1)),
                                     traceparent=f"00-{trace}-{os.urandom(8).hex()}-01"))
    foldlog.settled(made["id"])
    types = {line["type"] for line in map(json.loads, foldlog.must("trace", trace, "--json").splitlines())}
    wanted = {"order.placed.v1", "payment.authorized.v1", "inventory.reserved.v1", "order.confirmed.v1"}
    check("traceparent goes from HTTP through all the logs", wanted <= types, wanted - types)


with System(sys.argv[1]) as foldlog:
    headers(foldlog, own_read_model(foldlog))
    traced(foldlog, foldlog.product(5))
finish()
