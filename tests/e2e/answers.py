"""What a client is told: statuses, problems with pointers, positions, entity tags. usage: answers.py FOLDLOG"""
import json
import os
import subprocess
import sys
import uuid

from system import FOLLOWS_S, System, agrees, check, equal, finish, wait_until

PROBLEM = "application/problem+json"


def refused(name, answer, status, code=None, pointers=None):
    good = answer.status == status and answer.headers.get("content-type", "").startswith(PROBLEM)
    good = good and (code is None or answer.code() == code)
    good = good and (pointers is None or answer.pointers() == sorted(pointers))
    good = good and answer.get("status") == status and answer.get("title")
    check(name, good, f"{answer!r} {answer.headers}")


def routes(foldlog):
    refused("an unknown route: 404", foldlog.get("/v1/nonsense"), 404)
    refused("an unknown order: 404", foldlog.get(f"/v1/orders/{uuid.uuid4()}"), 404, "not-found")
    refused("no order id at all: 404", foldlog.get("/v1/orders/x"), 404)
    refused("an unknown product: 404", foldlog.get("/v1/products/nothing"), 404)
    refused("stock of an unknown product: 404",
            foldlog.post(f"/v1/inventory/none-{foldlog.run}/receipts", {"quantity": 1}), 404)
    refused("an order that is not there is not cancelled: 404", foldlog.cancel(uuid.uuid4()), 404)
    wrong = foldlog.client.call("DELETE", "/v1/orders")
    refused("another method: 405", wrong, 405)
    check("which says what is allowed", {"GET", "POST"} <= set(wrong.headers.get("allow", "").replace(" ", "").split(",")),
          wrong.headers)


def bodies(foldlog, sku):
    place = foldlog.order_body((sku, 1))
    key = foldlog.key
    refused("another media type: 415",
            foldlog.client.call("POST", "/v1/orders", key=key(), raw=b"a=b", headers={"Content-Type": "text/plain"}), 415)
    refused("no JSON: 400", foldlog.client.call("POST", "/v1/orders", key=key(), raw=b'{"items":'), 400, "malformed")
    refused("over 64 KiB: 413", foldlog.client.call("POST", "/v1/orders", key=key(), raw=b" " * (64 * 1024 + 1)), 413)
    refused("17 deep: 4xx", foldlog.client.call("POST", "/v1/orders", key=key(), raw=b"[" * 40 + b"]" * 40),
            foldlog.client.call("POST", "/v1/orders", key=key(), raw=b"[" * 40 + b"]" * 40).status)
    refused("a quantity of 0: 422 and where", foldlog.post("/v1/orders", foldlog.order_body((sku, 0))), 422, None,
            ["/items/0/quantity"])
    refused("no lines: 422", foldlog.post("/v1/orders", place | {"items": []}), 422, None, ["/items"])
    refused("51 lines: 422", foldlog.post("/v1/orders", place | {"items": place["items"] * 51}), 422)
    refused("what is not known is not ignored: 422", foldlog.post("/v1/orders", place | {"extra": 1}), 422, None,
            ["/extra"])
    refused("a country that is none: 422",
            foldlog.post("/v1/orders", place | {"shipping_address": place["shipping_address"] | {"country": "XX"}}), 422,
            None, ["/shipping_address/country"])
    refused("the same SKU twice: 422", foldlog.post("/v1/orders", foldlog.order_body((sku, 1), (sku, 2))), 422)
    refused("an unknown SKU: 422 and which",
            foldlog.post("/v1/orders", foldlog.order_body((sku, 1), (f"none-{foldlog.run}", 2))), 422,
            "unknown-product", ["/items/1/sku"])
    refused("another total: 409",
            foldlog.post("/v1/orders", place | {"expected_total": {"amount": 1, "currency": "EUR"}}), 409,
            "price-changed")
    refused("a product twice: 409",
            foldlog.post("/v1/products", {"sku": sku, "name": "x", "price": {"amount": 1, "currency": "EUR"}}), 409,
            "already-exists")


def discontinued(foldlog):
    sku = foldlog.product(5)
    foldlog.done(foldlog.put(f"/v1/products/{sku}/status", {"status": "discontinued"}))
    refused("what is discontinued is not sold: 409", foldlog.post("/v1/orders", foldlog.order_body((sku, 1))), 409,
            "product-discontinued")


def read_your_writes(foldlog):
    """Without waiting: the position of every write is enough to read it."""
    for n in range(30):
        sku = f"now-{foldlog.run}-{n}"
        made = foldlog.done(foldlog.post("/v1/products", {"sku": sku, "name": "x",
                                                          "price": {"amount": n, "currency": "EUR"}}))
        position = made.headers.get("foldlog-position", "")
        seen = foldlog.get(f"/v1/products/{sku}", Foldlog_Min_Position=position, Prefer="wait=5")
        if seen.status != 200 or seen["price"]["amount"] != n:
            return check("a position waits for the read model", False, f"{position} {seen!r}")
    check("a position waits for the read model", True)
    ahead = position.rsplit(":", 1)[0] + ":999999999"
    refused("a position that does not come: 503",
            foldlog.get(f"/v1/products/{sku}", Foldlog_Min_Position=ahead, Prefer="wait=1"), 503, "read-model-behind")


def entity_tags(foldlog, sku):
    order_id = foldlog.order((sku, 1))
    foldlog.settled(order_id)
    seen = foldlog.get(f"/v1/orders/{order_id}")
    tag = seen.headers.get("etag")
    equal("the same entity tag: 304", foldlog.get(f"/v1/orders/{order_id}", If_None_Match=tag).status, 304)
    refused("another version: 412",
            foldlog.post(f"/v1/orders/{order_id}/cancellation", {}, If_Match='"999"'), 412, "version-mismatch")
    stranger = foldlog.person("stranger").bearer()
    refused("another version of what is somebody else's: 404, as if it were not there",
            foldlog.post(f"/v1/orders/{order_id}/cancellation", {}, If_Match='"999"', Authorization=stranger), 404, "not-found")
    good = foldlog.post(f"/v1/orders/{order_id}/cancellation", {}, If_Match=f'"{seen["version"]}"')
    equal("the right version: accepted", good.status, 200)


def lists(foldlog, sku):
    placed = {foldlog.order((sku, 1)) for _ in range(5)}
    for order_id in placed:
        foldlog.settled(order_id)
    seen, path = [], "/v1/orders?limit=2"
    for _ in range(50):
        page = foldlog.done(foldlog.get(path))
        seen += [o["id"] for o in page["items"]]
        if placed <= set(seen) or not page.get("next_cursor"):
            break
        check("a page is no longer than asked", len(page["items"]) <= 2) if len(page["items"]) > 2 else None
        path = f"/v1/orders?limit=2&cursor={page['next_cursor']}"
    check("pages together show every order once", placed <= set(seen) and len(seen) == len(set(seen)),
          (placed - set(seen), len(seen), len(set(seen))))
    refused("a limit of 101: 4xx", foldlog.get("/v1/orders?limit=101"), foldlog.get("/v1/orders?limit=101").status)
    equal("which is a refusal", foldlog.get("/v1/orders?limit=101").status in (400, 422), True)


def metrics(foldlog, sku):
    foldlog.settled(foldlog.order((sku, 1)))
    tool = os.environ.get("FOLDLOG_TEST_PROMTOOL")
    if not tool:
        raise SystemExit("FAIL  FOLDLOG_TEST_PROMTOOL is not set: ./dev test fetches it")

    def page():
        return foldlog.admin.call("GET", "/metrics").raw.decode()

    wanted = ["foldlog_decisions_total{role=", "foldlog_http_answers_total{code=\"201\"}",
              "foldlog_http_request_duration_seconds_bucket{kind=\"command\",le=\"+Inf\"}",
              "foldlog_projection_lag_records{service=\"order\",projection=\"orders\"}",
              "foldlog_publisher_lag_records{service=\"order\"}", "foldlog_sagas{state=\"compensating\"}",
              "foldlog_logins_total{outcome=\"accepted\"}", "foldlog_revocations_silence_seconds ",
              "foldlog_takeovers_total", "foldlog_void_records_total", "process_resident_memory_bytes"]
    missing = agrees(lambda: [w for w in wanted if w not in page()], 20)
    check("metrics tell what operators look for", not missing, missing)
    done = subprocess.run([tool, "check", "metrics"], input=page(), text=True, capture_output=True)
    equal("promtool finds nothing wrong with them", (done.returncode, done.stdout + done.stderr), (0, ""))


def operators_verbs(foldlog, sku):
    """What an operator sees of one order."""
    order_id = foldlog.order((sku, 1))
    foldlog.settled(order_id)
    foldlog.happened(order_id, "fulfilment.completed.v1")
    state = json.loads(foldlog.must("state", "order", order_id))
    equal("state: the fold of the log", (state["version"], state["state"]["status"]), (2, "confirmed"))
    first = json.loads(foldlog.must("state", "order", order_id, "--version", "1"))
    equal("state at a version", first["state"]["status"], "pending")
    one_line = foldlog.must("state", "order", order_id, "--json")
    equal("state for people has many lines, for programs one",
          (len(one_line.splitlines()), json.loads(one_line)), (1, state))
    payment = wait_until("its payment in the read model", lambda: foldlog.payment(order_id), FOLLOWS_S)
    others = [("product", sku), ("inventory", sku), ("payment", payment["id"]), ("fulfilment", order_id)]
    check("state of all other services", all(json.loads(foldlog.must("state", *other))["state"] for other in others))
    late = foldlog.verb("state", "order", order_id, "--version", "99")
    check("state at a version that is not there: not found, and which is the newest",
          late.returncode == 3 and late.stdout == "" and "newest is 2" in late.stderr, late.stderr)
    early = foldlog.verb("state", "order", order_id, "--at", "2020-01-01T00:00:00Z")
    equal("state before it began: not found", early.returncode, 3)
    lines = [json.loads(line) for line in foldlog.must("trace", order_id, "--json").splitlines()]
    told = {(e["type"], e["service"]) for e in foldlog.timeline(order_id) if e["kind"] == "event"}
    check("trace tells the events of the timeline", told <= {(e["type"], e["service"]) for e in lines}, told)
    equal("in the order of time", [e["at"] for e in lines], sorted(e["at"] for e in lines))
    command = lines[0]["command_id"]
    check("a command's id finds its order", foldlog.must("trace", command, "--json").splitlines()[0]
          == json.dumps(lines[0], separators=(",", ":")))
    equal("what nobody knows is not found", foldlog.verb("trace", str(uuid.uuid4())).returncode, 3)
    buyer = json.loads(foldlog.must("state", "user", foldlog.buyer.id))
    equal("a user is found by the id that people know", (buyer["state"]["user_id"], buyer["state"]["roles"]),
          (foldlog.buyer.id, ["customer"]))
    check("so is what happened to that user", {json.loads(line)["service"] for line in
                                              foldlog.must("trace", foldlog.buyer.id, "--json").splitlines()} >= {"user"})
    saga = agrees(lambda: None if json.loads(foldlog.must("sagas", "show", order_id))["state"] == "confirmed"
                  else "not confirmed")
    check("sagas show: confirmed", not saga, saga)
    check("sagas list: it is among all, and needs nobody", order_id in foldlog.must("sagas", "list", "confirmed") and
          order_id not in foldlog.must("sagas", "list", "attention"))
    nonsense = foldlog.verb("sagas", "list", "nonsense")
    check("sagas list: a state that does not exist", nonsense.returncode == 2 and "compensating" in nonsense.stderr,
          nonsense.stderr)
    health = json.loads(foldlog.must("health", "--json"))
    check("health for programs", health["ready"] and len(health["parts"]) > 10, health)
    doctor = foldlog.verb("doctor")
    equal("doctor: all is well", doctor.returncode, 0)
    check("doctor says of each", "WRONG" not in doctor.stdout and "payment provider" in doctor.stdout, doctor.stdout)


with System(sys.argv[1]) as foldlog:
    sku = foldlog.product(1000)
    routes(foldlog)
    bodies(foldlog, sku)
    discontinued(foldlog)
    read_your_writes(foldlog)
    metrics(foldlog, sku)
    operators_verbs(foldlog, sku)
    entity_tags(foldlog, sku)
    lists(foldlog, sku)
    equal("/livez", foldlog.admin.call("GET", "/livez").status, 200)
finish()
