"""Idempotency-Key: one key, one effect, one answer. usage: idempotency.py FOLDLOG"""
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from system import System, agrees, check, equal, finish, stock_complaint, wait_until

ROUNDS, AT_ONCE = 20, 4


def replayed(answer):
    return answer.headers.get("idempotent-replayed") == "true"


def same(a, b):
    return (a.status, a.json, a.headers.get("location")) == (b.status, b.json, b.headers.get("location"))


def missing(foldlog, sku):
    answer = foldlog.client.call("POST", "/v1/orders", foldlog.order_body((sku, 1)))
    equal("without a key: 400", (answer.status, answer.code()), (400, "idempotency-key-required"))
    long = foldlog.post("/v1/orders", foldlog.order_body((sku, 1)), "k" * 256)
    equal("a key of 256 characters: 400", long.status, 400)
    fits = foldlog.post("/v1/orders", foldlog.order_body((sku, 1)), "k" * (255 - 9) + "-" + foldlog.run)
    equal("one of 255 is fine", fits.status, 201)


def repeated(foldlog, sku):
    key = foldlog.key()
    first = foldlog.post("/v1/orders", foldlog.order_body((sku, 1)), key)
    again = foldlog.post("/v1/orders", foldlog.order_body((sku, 1)), key)
    check("same key, same body: the first answer again", same(first, again), (first, again))
    check("and it says so", replayed(again) and not replayed(first), (first.headers, again.headers))
    reordered = dict(reversed(list(foldlog.order_body((sku, 1)).items())))
    check("the order of properties does not matter", same(first, foldlog.post("/v1/orders", reordered, key)))
    other = foldlog.post("/v1/orders", foldlog.order_body((sku, 2)), key)
    equal("same key, other body: 422", (other.status, other.code()), (422, "idempotency-key-reused"))
    check("after which the first still stands", same(first, foldlog.post("/v1/orders", foldlog.order_body((sku, 1)), key)))


def scope(foldlog):
    """The same key on another target is another command."""
    a, b = foldlog.product(), foldlog.product()
    key = foldlog.key()
    for sku in (a, b, a):
        foldlog.done(foldlog.post(f"/v1/inventory/{sku}/receipts", {"quantity": 7}, key))
    for sku in (a, b):
        complaint = agrees(lambda s=sku: stock_complaint(foldlog, s, received=7, on_hand=7))
        check("a key's scope is the target", not complaint, complaint)


def refusals(foldlog):
    sku = foldlog.product(3)
    key = foldlog.key()
    first = foldlog.post(f"/v1/inventory/{sku}/adjustments", {"quantity_change": -5, "reason": "lost"}, key)
    equal("a refusal of the domain", (first.status, first.code()), (409, "stock-too-low"))
    foldlog.done(foldlog.post(f"/v1/inventory/{sku}/receipts", {"quantity": 100}))
    again = foldlog.post(f"/v1/inventory/{sku}/adjustments", {"quantity_change": -5, "reason": "lost"}, key)
    equal("stays a refusal under its key", (again.status, again.code(), replayed(again)), (409, "stock-too-low", True))
    fresh = foldlog.post(f"/v1/inventory/{sku}/adjustments", {"quantity_change": -5, "reason": "lost"})
    equal("and is possible under a new one", fresh.status, 201)
    key = foldlog.key()
    bad = foldlog.post(f"/v1/inventory/{sku}/receipts", {"quantity": 0}, key)
    good = foldlog.post(f"/v1/inventory/{sku}/receipts", {"quantity": 1}, key)
    equal("an invalid request does not use the key up", (bad.status, good.status), (422, 201))


def at_once(foldlog):
    """The same request several times at the same moment: one effect, one answer for all."""
    sku = foldlog.product(10000)
    odd = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(ROUNDS):
            key, gate = foldlog.key(), threading.Barrier(AT_ONCE)

            def send(key=key, gate=gate):
                gate.wait()
                return foldlog.post("/v1/orders", foldlog.order_body((sku, 1)), key)

            answers = [f.result() for f in [pool.submit(send) for _ in range(AT_ONCE)]]
            if not all(same(answers[0], a) for a in answers) or sum(not replayed(a) for a in answers) != 1:
                odd.append(answers)
            foldlog.settled(answers[0].get("id"))
    check(f"{AT_ONCE} at once, {ROUNDS} times: all get the first's answer", not odd, odd[:1])
    complaint = agrees(lambda: stock_complaint(foldlog, sku, committed=ROUNDS, reserved=0))
    check("and one order each", not complaint, complaint)


def asynchronous(foldlog, sku):
    key = foldlog.key()
    answer = foldlog.post("/v1/orders", foldlog.order_body((sku, 1)), key, Prefer="respond-async")
    equal("respond-async: 202", answer.status, 202)
    check("it says that it did so", "respond-async" in answer.headers.get("preference-applied", ""), answer.headers)
    where = answer.headers.get("location", "")
    check("with the command's address", where.startswith("/v1/commands/"), where)
    done = wait_until("the command decided", lambda: (a := foldlog.get(where)).get("status") != "pending" and a, 10)
    equal("which tells its outcome", (done.status, done["status"]), (200, "accepted"))
    order_id = done["outcome"]["id"]
    equal("and the order is made", foldlog.settled(order_id)["status"], "confirmed")
    later = foldlog.post("/v1/orders", foldlog.order_body((sku, 1)), key)
    equal("the key answers with the same order", (later.status, later.get("id")), (201, order_id))


with System(sys.argv[1]) as foldlog:
    sku = foldlog.product(100)
    missing(foldlog, sku)
    repeated(foldlog, sku)
    scope(foldlog)
    refusals(foldlog)
    at_once(foldlog)
    asynchronous(foldlog, sku)
finish()
