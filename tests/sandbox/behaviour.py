"""Black-box test of the payment sandbox: every payment method, every rule, kill -9 and restart.

usage: behaviour.py PATH-TO-payment-sandbox
"""
import concurrent.futures
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

HANG_MS = 1500
ANSWER_S = 20  # nothing here may take longer on any machine
checks = 0
failed = 0


def check(name, good, seen=""):
    global checks, failed
    checks += 1
    if good:
        print(f"ok   {name}")
    else:
        failed += 1
        print(f"FAIL {name}: {seen}")
    sys.stdout.flush()


def same(name, seen, expected):
    check(name, seen == expected, f"{seen!r}, expected {expected!r}")


class Lost(Exception):
    """No answer came: connection closed or time over."""


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.raw = response.read()
        self.body = json.loads(self.raw)

    @property
    def error(self):
        return self.body.get("error")


class Sandbox:
    """One running sandbox; the port and the data file outlive a kill."""

    def __init__(self, binary, data=None, port=0, args=()):
        self.binary, self.data, self.args = binary, data, list(args)
        self.port = port
        self.made = {}  # id of every charge whose making was answered, by its key
        self.start()

    def start(self):
        command = [self.binary, "--port", str(self.port), *self.args]
        if self.data:
            command += ["--data", self.data]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.said = []
        for line in self.process.stderr:
            self.said.append(line.rstrip())
            if line.startswith("sandbox: listening on "):
                self.port = int(line.rsplit(":", 1)[1])
                return
        raise RuntimeError("sandbox did not start: " + " / ".join(self.said))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stderr.read()
        code = self.process.wait(ANSWER_S)
        self.process.stderr.close()
        return code, rest

    def call(self, method, path, body=None, key=None, timeout=ANSWER_S):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = {} if key is None else {"Idempotency-Key": key}
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        try:
            connection.request(method, path, body, headers)
            answer = Answer(connection.getresponse())
            if answer.status == 201:
                self.made[key] = answer.body["id"]
            return answer
        except (OSError, http.client.HTTPException) as lost:
            raise Lost(type(lost).__name__) from lost
        finally:
            connection.close()

    def get(self, path):
        return self.call("GET", path)

    def charge(self, key, method="ok", amount=1250, timeout=ANSWER_S, **fields):
        body = {"amount": amount, "currency": "EUR", "reference": "order-" + key,
                "payment_method": method, **fields}
        return self.call("POST", "/charges", body, key, timeout)

    def operate(self, charge_id, operation, key, body=None, timeout=ANSWER_S):
        return self.call("POST", f"/charges/{charge_id}/{operation}", body, key, timeout)

    def asked(self, key):
        return self.get("/charges?idempotency_key=" + key).body

    def ledger(self):
        return self.get("/ledger").body


def is_lost(call):
    try:
        call()
        return False
    except Lost:
        return True


def wait_for(condition):
    deadline = time.monotonic() + ANSWER_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)


def money(charge):
    return {name: charge[name] for name in ("status", "captured", "refunded", "voided")}


def holds(status, captured=0, refunded=0, voided=False):
    return {"status": status, "captured": captured, "refunded": refunded, "voided": voided}


# ---- HTTP ----

def test_http(box):
    same("livez answers 200", box.get("/livez").status, 200)
    same("an unknown route is 404", box.get("/nothing").status, 404)
    same("an unknown operation is 404", box.operate("ch_x", "steal", "h1").status, 404)
    same("authorize is no route of a charge", box.operate("ch_x", "authorize", "h1").status, 404)
    same("an empty charge id is 404", box.get("/charges/").status, 404)
    wrong = box.call("PUT", "/charges", {}, "h2")
    same("a wrong method is 405 with Allow", (wrong.status, wrong.headers["Allow"]),
         (405, "GET, POST"))
    same("POST /ledger is 405", box.call("POST", "/ledger", {}, "h3").status, 405)
    same("GET of an operation is 405", box.get("/charges/ch_x/capture").status, 405)
    same("an unknown charge is 404", box.get("/charges/ch_none").error, "charge_not_found")
    same("capturing an unknown charge is 404", box.operate("ch_none", "capture", "h4").status, 404)
    same("bad JSON is 400", box.call("POST", "/charges", "{", "h5").status, 400)
    same("a JSON array is 400", box.call("POST", "/charges", "[]", "h5").status, 400)
    same("a field given twice is 400",
         box.call("POST", "/charges", '{"amount":1,"amount":2}', "h5").status, 400)
    same("deep nesting is 400", box.call("POST", "/charges", "[" * 15000, "h5").status, 400)
    same("bytes that are not UTF-8 are 400",
         box.call("POST", "/charges", b'{"reference":"\xff"}', "h5").status, 400)
    no_key = box.call("POST", "/charges", {"amount": 1, "currency": "EUR", "reference": "r"})
    same("no key is 400", (no_key.status, no_key.error), (400, "idempotency_key_missing"))
    same("an empty key is 400", box.charge("").status, 400)
    same("a key with a blank is 400", box.charge("a b").status, 400)
    same("a key of 256 characters is 400", box.charge("k" * 256).status, 400)
    same("a key of 255 characters is taken", box.charge("k" * 255, reference="r").status, 201)
    same("a query without a key is 400", box.get("/charges").status, 400)
    same("capture without a key is 400", box.operate("ch_none", "capture", None).status, 400)


def test_limits(box):
    padding = "x" * (16 * 1024)
    same("a body over 16 KiB is 413", box.charge("l1", note=padding).status, 413)
    exact = json.dumps({"amount": 1, "currency": "EUR", "reference": "r", "note": ""})
    exact = exact.replace('"note": ""', '"note": "' + "x" * (16 * 1024 - len(exact)) + '"')
    same("a body of exactly 16 KiB is taken",
         (len(exact), box.call("POST", "/charges", exact, "l2").status), (16384, 201))
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=ANSWER_S)
    chunks = (b"x" * 1024 for _ in range(20))
    connection.request("POST", "/charges", chunks, {"Idempotency-Key": "l3"}, encode_chunked=True)
    same("a chunked body over 16 KiB is 413", connection.getresponse().status, 413)
    connection.close()


def test_fields(box):
    for name, amount in (("negative", -1), ("over 1e12", 10**12 + 1), ("a fraction", 1.5),
                         ("a float", 10.0), ("a string", "10"), ("null", None), ("true", True),
                         ("beyond 64 bits", 10**30)):
        answer = box.charge("f1", amount=amount)
        # A number that JSON's integers cannot hold is malformed to the parser.
        check(f"an amount that is {name} is refused", answer.status in (400, 422), answer.status)
    for name, fields, error in (
            ("a lower-case currency", {"currency": "eur"}, "invalid_currency"),
            ("a long currency", {"currency": "EURO"}, "invalid_currency"),
            ("a short currency", {"currency": "EU"}, "invalid_currency"),
            ("no reference", {"reference": None}, "invalid_reference"),
            ("an empty reference", {"reference": ""}, "invalid_reference"),
            ("a reference of 256", {"reference": "r" * 256}, "invalid_reference"),
            *((f"payment_method {method!r}", {"method": method}, "unknown_payment_method")
              for method in ("gold", "", "OK", "ok:1", "slow", "slow:", "slow:x", "slow:-1",
                             "slow:999999999999", "error:1 ", "refund-error", 7, None))):
        answer = box.charge("f1", **fields)
        same(f"{name} is 422", (answer.status, answer.error), (422, error))
    same("no amount is 422", box.call("POST", "/charges", {"currency": "EUR"}, "f1").status, 422)
    same("none of these used the key up", box.charge("f1").status, 201)
    same("amount 1e12 is taken", box.charge("f2", amount=10**12).body["amount"], 10**12)
    body = {"amount": 5, "currency": "EUR", "reference": "r"}
    same("payment_method is ok unless given",
         box.call("POST", "/charges", body, "f3").body["payment_method"], "ok")
    zero = box.charge("f4", amount=0).body["id"]
    same("amount 0 is captured", money(box.operate(zero, "capture", "f4c").body), holds("captured"))
    same("amount 0 is refunded", money(box.operate(zero, "refund", "f4r").body), holds("refunded"))
    same("amount 0 is refunded once", box.operate(zero, "refund", "f4s").error, "already_refunded")


# ---- the life of a charge ----

def test_idempotency(box):
    first = box.charge("i1")
    again = box.charge("i1")
    other = box.charge("i1", amount=1251)
    same("a new charge is 201", (first.status, first.body["status"]), (201, "authorized"))
    check("its id is opaque", first.body["id"].startswith("ch_") and len(first.body["id"]) == 27,
          first.body["id"])
    same("it says what was asked", [first.body[name] for name in (
        "amount", "currency", "reference", "captured", "refunded", "idempotency_key")],
        [1250, "EUR", "order-i1", 0, 0, "i1"])
    same("same key and body: the same answer, 200", (again.status, again.raw), (200, first.raw))
    same("and it says so", (first.headers["Idempotent-Replayed"],
                            again.headers["Idempotent-Replayed"]), (None, "true"))
    same("same key, other body is 422", (other.status, other.error),
         (422, "idempotency_key_reused"))
    reordered = '{"reference":"order-i1","payment_method":"ok", "currency":"EUR","amount":1250}'
    same("the order of fields does not make another body",
         box.call("POST", "/charges", reordered, "i1").raw, first.raw)
    charge_id = first.body["id"]
    same("an authorize key cannot capture", box.operate(charge_id, "capture", "i1").status, 422)
    captured = box.operate(charge_id, "capture", "i1c")
    same("capture", (captured.status, money(captured.body)), (200, holds("captured", 1250)))
    same("capture twice by key: the same answer, one capture",
         box.operate(charge_id, "capture", "i1c").raw, captured.raw)
    same("authorize by key after the capture: still its first answer", box.charge("i1").raw,
         first.raw)
    same("a capture key cannot void", box.operate(charge_id, "void", "i1c").status, 422)
    other_id = box.charge("i2").body["id"]
    same("nor capture another charge", box.operate(other_id, "capture", "i1c").status, 422)
    box.operate(charge_id, "refund", "i1r", {"amount": 100})
    same("a refund key with another amount is 422",
         box.operate(charge_id, "refund", "i1r", {"amount": 200}).status, 422)
    same("the charge moved once by each key", money(box.get("/charges/" + charge_id).body),
         holds("partially_refunded", 1250, 100))


def test_together(box):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: box.charge("t1"), range(16)))
    same("16 at once with one key: one new", sorted(a.status for a in answers), [200] * 15 + [201])
    same("and one charge", len({a.body["id"] for a in answers}), 1)
    charge_id = answers[0].body["id"]
    box.operate(charge_id, "capture", "t1c")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(
            lambda n: box.operate(charge_id, "refund", f"t1r{n}", {"amount": 500}).status,
            range(16)))
    same("16 refunds of 500 of 1250: two fit", sorted(answers), [200] * 2 + [409] * 14)
    same("refunded 1000", box.get("/charges/" + charge_id).body["refunded"], 1000)


def test_transitions(box):
    """Every operation in every status: what is legal, and the code of what is not."""
    def reach(status):
        key = f"s{next(numbers)}"
        charge = box.charge(key, "declined" if status == "declined" else "ok").body
        steps = {"authorized": [], "declined": [], "captured": [("capture", None)],
                 "voided": [("void", None)],
                 "refunded": [("capture", None), ("refund", None)],
                 "partially_refunded": [("capture", None), ("refund", {"amount": 1})]}[status]
        for operation, body in steps:
            charge = box.operate(charge["id"], operation, f"{key}-{operation}", body).body
        same(f"a charge comes to be {status}", charge["status"], status)
        return charge["id"], key

    numbers = iter(range(1000))
    table = {
        "authorized": {"capture": holds("captured", 1250), "refund": "not_captured",
                       "void": holds("voided", voided=True)},
        "declined": {"capture": "charge_declined", "refund": "charge_declined",
                     "void": "charge_declined"},
        "captured": {"capture": "already_captured", "refund": holds("refunded", 1250, 1250),
                     "void": "already_captured"},
        "voided": {"capture": "already_voided", "refund": "already_voided",
                   "void": "already_voided"},
        "refunded": {"capture": "already_captured", "refund": "already_refunded",
                     "void": "already_captured"},
        "partially_refunded": {"capture": "already_captured",
                               "refund": holds("refunded", 1250, 1250),
                               "void": "already_captured"},
    }
    for status, operations in table.items():
        for operation, expected in operations.items():
            charge_id, key = reach(status)
            before = money(box.get("/charges/" + charge_id).body)
            answer = box.operate(charge_id, operation, key + "-x")
            if isinstance(expected, dict):
                same(f"{operation} of {status}", (answer.status, money(answer.body)),
                     (200, expected))
                continue
            same(f"{operation} of {status} is 409", (answer.status, answer.error), (409, expected))
            again = box.operate(charge_id, operation, key + "-x")
            same("  the same key is refused the same way", (again.status, again.raw,
                 again.headers["Idempotent-Replayed"]), (409, answer.raw, "true"))
            same("  nothing moved", money(box.get("/charges/" + charge_id).body), before)
            asked = box.asked(key + "-x")["operations"]
            same("  the refusal is on record", [(o["status"], o["error"]) for o in asked],
                 [("refused", expected)])


def test_amounts(box):
    charge_id = box.charge("a1").body["id"]
    refused = box.operate(charge_id, "capture", "a1c", {"amount": 1249})
    same("a partial capture is 422", (refused.status, refused.error), (422, "invalid_amount"))
    same("a capture may name the whole amount",
         box.operate(charge_id, "capture", "a1c", {"amount": 1250}).status, 200)
    for name, amount in (("0", 0), ("a string", "1"), ("negative", -1)):
        same(f"a refund of {name} is 422",
             box.operate(charge_id, "refund", "a1r", {"amount": amount}).status, 422)
    much = box.operate(charge_id, "refund", "a1r", {"amount": 1251})
    same("more than captured is 409", (much.status, much.error), (409, "refund_exceeds_captured"))
    part = box.operate(charge_id, "refund", "a1s", {"amount": 1000})
    same("a part", money(part.body), holds("partially_refunded", 1250, 1000))
    same("more than what is left is 409",
         box.operate(charge_id, "refund", "a1t", {"amount": 251}).error, "refund_exceeds_captured")
    rest = box.operate(charge_id, "refund", "a1u")
    same("without an amount: the rest", money(rest.body), holds("refunded", 1250, 1250))
    same("which its record says", rest.body["operation"]["amount"], 250)


def test_asking(box):
    same("an unknown key: nothing happened", box.asked("q-none"),
         {"charges": [], "operations": []})
    charge_id = box.charge("q1").body["id"]
    box.operate(charge_id, "capture", "q1c")
    box.operate(charge_id, "refund", "q1r", {"amount": 250})
    for key, operation, amount in (("q1", "authorize", 1250), ("q1c", "capture", 1250),
                                   ("q1r", "refund", 250)):
        asked = box.asked(key)
        same(f"the key of {operation} finds the charge as it is now",
             [(c["id"], money(c)) for c in asked["charges"]],
             [(charge_id, holds("partially_refunded", 1250, 250))])
        same("  and that operation alone",
             [(o["key"], o["operation"], o["charge_id"], o["status"], o["amount"])
              for o in asked["operations"]], [(key, operation, charge_id, "ok", amount)])
    second = box.charge("q2").body["id"]
    box.operate(second, "void", "q2v")
    same("a void is found by its key", box.asked("q2v")["operations"][0]["operation"], "void")
    box.charge("q/3?&=%", reference="r")
    same("a key with URL characters is found",
         len(box.asked("q%2F3%3F%26%3D%25")["charges"]), 1)


# ---- payment methods ----

def test_declined(box):
    first = box.charge("d1", "declined")
    same("declined is 201 with a declined charge", (first.status, money(first.body)),
         (201, holds("declined")))
    same("the same again by key", (box.charge("d1", "declined").status,
                                   box.charge("d1", "declined").raw), (200, first.raw))
    asked = box.asked("d1")
    same("by key: a declined charge, a refused operation",
         (asked["charges"][0]["status"], asked["operations"][0]["status"]),
         ("declined", "refused"))


def test_slow(box):
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        slow = pool.submit(box.charge, "w1", "slow:700")
        wait_for(lambda: slow.done() or box.asked("w1")["charges"])
        check("a slow charge is on the books before it is answered", not slow.done())
        answer = slow.result()
    took = time.monotonic() - begin
    check("slow:700 takes 700 ms", 0.7 <= took < ANSWER_S, took)
    same("and is authorized", (answer.status, answer.body["status"]), (201, "authorized"))
    check("a client that gives up gets no answer",
          is_lost(lambda: box.charge("w2", "slow:60000", timeout=0.3)))
    begin = time.monotonic()
    same("its repeat is served", box.charge("w2", "slow:60000").body["status"], "authorized")
    check("at once", time.monotonic() - begin < 10)


def test_error(box):
    for n in range(3):
        answer = box.charge("e1", "error:3")
        same(f"error:3 fails, call {n + 1}", (answer.status, answer.error),
             (500, "provider_error"))
        same("  without effect", box.asked("e1"), {"charges": [], "operations": []})
    same("then it works", box.charge("e1", "error:3").status, 201)
    same("error:0 works at once", box.charge("e2", "error:0").status, 201)
    same("another key counts for itself", box.charge("e3", "error:1").status, 500)


def test_timeout_after_charge(box):
    begin = time.monotonic()
    check("timeout-after-charge gives no answer",
          is_lost(lambda: box.charge("o1", "timeout-after-charge")))
    took = time.monotonic() - begin
    check(f"after holding the line for {HANG_MS} ms", HANG_MS / 1000 <= took < ANSWER_S, took)
    asked = box.asked("o1")
    same("the charge was made", [c["status"] for c in asked["charges"]], ["authorized"])
    again = box.charge("o1", "timeout-after-charge")
    same("the second call finds it", (again.status, again.body["id"]),
         (200, asked["charges"][0]["id"]))


def test_duplicate_response(box):
    first = box.charge("r1", "duplicate-response")
    again = box.charge("r1", "duplicate-response")
    same("duplicate-response: the second answer is the very first, 201 too",
         (again.status, again.raw, again.headers["Idempotent-Replayed"]), (201, first.raw, None))
    charge_id = first.body["id"]
    stale = box.operate(charge_id, "capture", "r1c")
    same("the first answer to capture is authorize's once more",
         (stale.status, stale.raw, stale.headers["Idempotency-Key"]), (200, first.raw, "r1"))
    same("although it was captured", money(box.get("/charges/" + charge_id).body),
         holds("captured", 1250))
    for time_name in ("repeat", "next repeat"):
        fresh = box.operate(charge_id, "capture", "r1c")
        same(f"the {time_name} tells the truth",
             (fresh.status, money(fresh.body), fresh.headers["Idempotency-Key"]),
             (200, holds("captured", 1250), "r1c"))
    same("one authorize and one capture on the books",
         [o["operation"] for c in box.ledger()["charges"] if c["id"] == charge_id
          for o in c["operations"]], ["authorize", "capture"])


def test_refusals(box):
    charge_id = box.charge("n1", "capture-declined").body["id"]
    for _ in range(2):
        answer = box.operate(charge_id, "capture", "n1c")
        same("capture-declined", (answer.status, answer.body), (402, {"error": "capture_declined"}))
    same("it can still be voided", money(box.operate(charge_id, "void", "n1v").body),
         holds("voided", voided=True))

    charge_id = box.charge("n2", "refund-refused").body["id"]
    box.operate(charge_id, "capture", "n2c")
    answer = box.operate(charge_id, "refund", "n2r")
    same("refund-refused", (answer.status, answer.error), (402, "refund_refused"))
    same("a refused refund has its amount on record", [
        (o["status"], o["amount"]) for o in box.asked("n2r")["operations"]], [("refused", 1250)])
    same("nothing was refunded", box.get("/charges/" + charge_id).body["refunded"], 0)

    charge_id = box.charge("n3", "void-refused").body["id"]
    answer = box.operate(charge_id, "void", "n3v")
    same("void-refused", (answer.status, answer.error), (402, "void_refused"))
    same("it can still be captured", box.operate(charge_id, "capture", "n3c").status, 200)

    charge_id = box.charge("n4", "refund-error:2").body["id"]
    box.operate(charge_id, "capture", "n4c")
    same("refund-error:2 fails twice, then works",
         [box.operate(charge_id, "refund", "n4r").status for _ in range(4)], [500, 500, 200, 200])
    same("and refunds once", box.get("/charges/" + charge_id).body["refunded"], 1250)


# ---- the books ----

def audit(name, ledger):
    """The entries alone must give the charges: the check that a checker would make."""
    totals = {}
    for entry in ledger["entries"]:
        of_charge = totals.setdefault(entry["charge_id"], {})
        of_charge[entry["operation"]] = of_charge.get(entry["operation"], 0) + entry["amount"]
    wrong = [c["id"] for c in ledger["charges"]
             if totals.get(c["id"], {}).get("capture", 0) != c["captured"]
             or totals.get(c["id"], {}).get("refund", 0) != c["refunded"]
             or ("void" in totals.get(c["id"], {})) != c["voided"]
             or ("authorize" in totals.get(c["id"], {})) != (c["status"] != "declined")]
    same(f"{name}: the entries add up to the charges", wrong, [])
    everything = ledger["entries"] + ledger["refusals"]
    keys = [e["key"] for e in everything]
    same(f"{name}: no key twice", len(keys), len(set(keys)))
    same(f"{name}: as many entries as operations", len(everything),
         sum(len(c["operations"]) for c in ledger["charges"]))
    seqs = [e["seq"] for e in ledger["entries"]]
    check(f"{name}: in order", seqs == sorted(set(seqs)))


def test_ledger(box):
    ledger = box.ledger()
    listed = {c["idempotency_key"]: c["id"] for c in ledger["charges"]}
    same("the ledger holds every charge that was answered",
         sorted(box.made.items() - listed.items()), [])
    same("and besides only the two whose answer was lost", sorted(listed.keys() - box.made.keys()),
         ["o1", "w2"])
    charge = ledger["charges"][0]
    same("a charge in the ledger", sorted(charge), sorted([
        "id", "reference", "amount", "currency", "status", "captured", "refunded", "voided",
        "payment_method", "idempotency_key", "operations"]))
    same("an entry of the ledger", sorted(ledger["entries"][0]), sorted([
        "seq", "operation", "charge_id", "key", "reference", "amount", "at", "status"]))
    check("refusals stand apart from what moved money",
          all(e["status"] == "ok" for e in ledger["entries"])
          and ledger["refusals"] and all(e["status"] == "refused" for e in ledger["refusals"]))
    audit("ledger", ledger)


def test_restart(box):
    box.charge("x1", "error:3")
    box.charge("x1", "error:3")
    check("a hang under way", is_lost(
        lambda: box.charge("x2", "timeout-after-charge", timeout=0.3)))
    charge_id = box.charge("x3").body["id"]
    captured = box.operate(charge_id, "capture", "x3c")
    before = box.ledger()
    box.kill()
    box.start()
    after = box.ledger()
    same("kill -9 loses nothing of the ledger", after, before)
    same("an answer outlives it", box.operate(charge_id, "capture", "x3c").raw, captured.raw)
    same("so does a count of errors",
         [box.charge("x1", "error:3").status for _ in range(2)], [500, 201])
    same("the held charge is found", box.charge("x2", "timeout-after-charge").status, 200)
    same("a key is still taken", box.charge("x3", amount=7).status, 422)


def test_kill_under_load(box):
    """Whatever was answered before the kill must be there after it."""
    answered = []

    def work(worker):
        try:
            for n in range(100000):
                key = f"y{worker}-{n}"
                charge = box.charge(key).body
                answered.append((key, charge["id"]))
                box.operate(charge["id"], "capture", key + "c")
                answered.append((key + "c", charge["id"]))
        except Lost:
            return

    for _ in range(3):
        enough = len(answered) + 200
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            workers = [pool.submit(work, f"{enough}-{n}") for n in range(4)]
            wait_for(lambda: len(answered) >= enough)
            box.kill()
            for worker in workers:
                worker.result()
        box.start()
        check("answers came before the kill", len(answered) >= enough, len(answered))
    ledger = box.ledger()
    ok = {(e["key"], e["charge_id"]) for e in ledger["entries"]}
    same("kill -9 under load: every answered operation is there",
         [a for a in answered if a not in ok], [])
    audit("after kills", ledger)


def test_torn_journal(binary, box):
    before = box.ledger()
    box.kill()
    with open(box.data, "ab") as file:
        file.write(b'{"seq":99999999,"operation":"capt')
    box.start()
    check("a torn last line is cut off, aloud", any("torn" in line for line in box.said), box.said)
    same("and nothing else", box.ledger(), before)
    same("the journal goes on", box.charge("z1").status, 201)
    box.kill()
    box.start()
    same("and is sound again", box.asked("z1")["charges"][0]["status"], "authorized")
    same("SIGTERM ends it with 0", box.stop()[0], 0)

    with open(box.data, "rb") as file:
        lines = file.readlines()
    with open(box.data + ".gap", "wb") as file:
        file.writelines(lines[:5] + lines[6:])
    same("a missing entry is refused", start_failure(binary, box.data + ".gap"),
         (1, "line 6 is not a sound journal entry"))
    with open(box.data + ".alien", "wb") as file:
        file.write(b"something dear to its owner")
    same("a file of something else is refused", start_failure(binary, box.data + ".alien"),
         (1, "line 1 is not a sound journal entry"))
    with open(box.data + ".alien", "rb") as file:
        same("and not touched", file.read(), b"something dear to its owner")


# ---- start, stop, faults ----

def start_failure(binary, data=None, port=0, args=()):
    command = [binary, "--port", str(port), *args] + (["--data", data] if data else [])
    ran = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    return ran.returncode, ran.stderr.strip().split(": ", 2)[-1]


def test_start(binary, box):
    code, message = start_failure(binary, port=box.port)
    same("a taken port exits 1", code, 1)
    check("and says so", f"port {box.port} on 127.0.0.1 is already taken" in message, message)
    same("a second sandbox on the same data exits 1", start_failure(binary, box.data),
         (1, "in use by another process"))
    for name, args in (("no port", []), ("a bad port", ["--port", "65536"]),
                       ("a rate over 1", ["--port", "0", "--fault-rate", "1.1"]),
                       ("an unknown option", ["--port", "0", "--nonsense"]),
                       ("an argument too many", ["--port", "0", "more"])):
        ran = subprocess.run([binary, *args], capture_output=True, text=True, timeout=ANSWER_S,
                             check=False)
        check(f"{name} is a usage error", ran.returncode == 2 and "usage:" in ran.stderr, ran)


def test_stop_while_held(binary):
    box = Sandbox(binary)
    check("without --data it says so", any("memory only" in line for line in box.said), box.said)
    threads = f"/proc/{box.process.pid}/task"
    idle = len(os.listdir(threads))
    for n in range(4):
        is_lost(lambda n=n: box.charge(f"gone{n}", "timeout-after-charge", timeout=0.3))
    wait_for(lambda: len(os.listdir(threads)) <= idle)
    check("a client that went away does not keep its thread for 30 s",
          len(os.listdir(threads)) <= idle, len(os.listdir(threads)))
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        held = [pool.submit(is_lost, lambda n=n: box.charge(f"p{n}", "timeout-after-charge"))
                for n in range(32)]
        wait_for(lambda: len(box.ledger()["charges"]) == 36)
        others = [box.charge(f"other{n}").status for n in range(32)]
        same("32 held calls do not hold up 32 others", others, [201] * 32)
        check("and are still held", not any(call.done() for call in held))
        begin = time.monotonic()
        code, _ = box.stop()
        same("SIGTERM during hangs of 30 s ends with 0", code, 0)
        check("and at once", time.monotonic() - begin < 10, time.monotonic() - begin)
        check("the held calls are lost", all(call.result() for call in held))


def fault_run(binary, seed):
    box = Sandbox(binary, args=["--fault-rate", "0.3", "--seed", str(seed)])
    pattern = ""
    sound = True
    for n in range(200):
        try:
            status = box.charge(f"g{n}").status
            pattern += "b" if status == 500 else "."
            sound = sound and status in (201, 500)
        except Lost:
            pattern += "a"
    ledger, stats = box.ledger(), box.get("/stats").body
    keys = {e["key"] for e in ledger["entries"]}
    made = "".join("." if f"g{n}" in keys else "b" for n in range(200))
    check("livez and ledger are never faulty",
          all(box.get("/livez").status == 200 for _ in range(50)))
    box.stop()
    return pattern, made, stats, sound


def test_faults(binary):
    pattern, made, stats, sound = fault_run(binary, 7)
    check("faulty calls answer 500 or nothing, the others 201", sound, pattern)
    same("500 means no effect, a lost answer means the effect", pattern.replace("a", "."), made)
    check("about 30 % are faulty, both ways",
          15 <= pattern.count("a") <= 50 and 15 <= pattern.count("b") <= 50, pattern)
    same("the counters say the same", (stats["faults_before"], stats["faults_after"]),
         (pattern.count("b"), pattern.count("a")))
    same("the same seed, the same faults", fault_run(binary, 7)[0], pattern)
    check("another seed, others", fault_run(binary, 8)[0] != pattern)


def test_keep_alive(box):
    """Many calls on one connection, also after an error and a replay."""
    connection = http.client.HTTPConnection("127.0.0.1", box.port, timeout=ANSWER_S)
    connection.connect()
    local = connection.sock.getsockname()
    statuses = []
    for key in ("v1", "v1", "v 2", "v3"):
        body = json.dumps({"amount": 1, "currency": "EUR", "reference": "r"})
        connection.request("POST", "/charges", body, {"Idempotency-Key": key})
        answer = Answer(connection.getresponse())
        if answer.status == 201:
            box.made[key] = answer.body["id"]
        statuses.append((answer.status, connection.sock is not None
                         and connection.sock.getsockname() == local))
    connection.close()
    same("one connection serves many calls", statuses,
         [(201, True), (200, True), (400, True), (201, True)])


def test_half_request(box):
    """A client that stalls in the middle of a request blocks nobody."""
    with socket.create_connection(("127.0.0.1", box.port)) as stalled:
        stalled.sendall(b"POST /charges HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        same("a stalled request blocks no other", box.charge("u1").status, 201)


def main():
    binary = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        box = Sandbox(binary, os.path.join(folder, "ledger"), args=["--hang-ms", str(HANG_MS)])
        try:
            for test in (test_http, test_limits, test_fields, test_idempotency, test_together,
                         test_transitions, test_amounts, test_asking, test_declined, test_slow,
                         test_error, test_timeout_after_charge, test_duplicate_response,
                         test_refusals, test_keep_alive, test_half_request, test_ledger,
                         test_restart, test_kill_under_load):
                test(box)
            test_start(binary, box)
            test_torn_journal(binary, box)
        finally:
            if box.process.poll() is None:
                box.kill()
        test_stop_while_held(binary)
        test_faults(binary)
        synced = Sandbox(binary, os.path.join(folder, "synced"), args=["--sync"])
        same("--sync serves too", synced.charge("sync").status, 201)
        same("and ends well", synced.stop()[0], 0)
    print(f"{checks - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
