"""Orders from the customer's side: to CONFIRMED, and to CANCELLED with everything given back.
usage: orders.py FOLDLOG"""
import sys

from system import System, agrees, check, check_accounts, equal, finish, stock_complaint


def kinds(foldlog, order_id):
    return [e["type"].removesuffix(".v1") for e in foldlog.timeline(order_id) if e["kind"] == "event"]


def commands(foldlog, order_id):
    return [e["type"] for e in foldlog.timeline(order_id) if e["kind"] == "command"]


def balance(name, foldlog, sku, **wanted):
    complaint = agrees(lambda: stock_complaint(foldlog, sku, **wanted))
    check(name, not complaint, complaint)


def ended(name, foldlog, order_id, status, reason):
    order = foldlog.settled(order_id)
    equal(name, (order["status"], order["phase"], order.get("reason")), (status, "done", reason))
    return order


def happy(foldlog):
    lamp, mug = foldlog.product(10, 4900, "lamp"), foldlog.product(20, 1250, "mug")
    placed = foldlog.done(foldlog.post("/v1/orders", foldlog.order_body((lamp, 2), (mug, 3))))
    equal("placing answers 201", placed.status, 201)
    order_id = placed["id"]
    equal("with the order's address", placed.headers.get("location"), f"/v1/orders/{order_id}")
    order = ended("an order of two lines is confirmed", foldlog, order_id, "confirmed", None)
    equal("its total is by the catalogue's prices", order["total"], {"amount": 2 * 4900 + 3 * 1250, "currency": "EUR"})
    balance("the first line is committed", foldlog, lamp, received=10, on_hand=8, reserved=0, committed=2)
    balance("the second line is committed", foldlog, mug, received=20, on_hand=17, reserved=0, committed=3)
    equal("its payment is captured", agrees(lambda: None if foldlog.payment(order_id)["status"] == "captured" else 1),
          None)
    seen = kinds(foldlog, order_id)
    story = ["order.placed", "payment.requested", "payment.authorized", "inventory.reserved", "payment.captured",
             "inventory.committed", "order.confirmed"]
    missing = [e for e in story if e not in seen]
    check("the timeline tells all of it", not missing, missing)
    first = [seen.index(e) for e in story if e in seen]
    check("in order", first == sorted(first) or first[:-2] == sorted(first[:-2]), seen)
    entries = foldlog.timeline(order_id)
    equal("and begins with the command", (entries[0]["kind"], entries[0]["type"]), ("command", "order.place.v1"))
    equal("the saga's commands are told by their events", commands(foldlog, order_id), ["order.place.v1"])
    return order_id, {lamp: 10, mug: 20}


def declined(foldlog):
    lamp = foldlog.product(5)
    order_id = foldlog.order((lamp, 2), method="declined")
    ended("a declined payment cancels", foldlog, order_id, "cancelled", "payment_declined")
    balance("nothing stays reserved", foldlog, lamp, on_hand=5, reserved=0, committed=0)
    check("nothing was ever reserved", "inventory.reserved" not in kinds(foldlog, order_id), kinds(foldlog, order_id))
    return order_id, {lamp: 5}


def out_of_stock(foldlog):
    lamp, chair = foldlog.product(5), foldlog.product(1)
    order_id = foldlog.order((lamp, 3), (chair, 2))
    ended("a line out of stock cancels", foldlog, order_id, "cancelled", "out_of_stock")
    balance("the other line is given back", foldlog, lamp, on_hand=5, reserved=0, committed=0)
    balance("the missing one is untouched", foldlog, chair, on_hand=1, reserved=0, committed=0)
    equal("the authorization is voided", [c["voided"] for c in foldlog.ledger()[order_id]], [True])
    return order_id, {lamp: 5, chair: 1}


def movements(foldlog):
    lamp = foldlog.product(5)
    order_id = foldlog.order((lamp, 2))
    foldlog.settled(order_id)
    agrees(lambda: None if foldlog.stock(lamp)["committed"] == 2 else "not committed")
    seen, path = [], f"/v1/inventory/{lamp}/movements?limit=2"
    while path:
        page = foldlog.done(foldlog.get(path)).json
        seen += [(m["version"], m["kind"], m["quantity"], m.get("order_id")) for m in page["items"]]
        path = page["next_cursor"] and f"/v1/inventory/{lamp}/movements?limit=2&cursor={page['next_cursor']}"
    equal("every movement of a product's stock, newest first, in pages", seen,
          [(3, "committed", 2, order_id), (2, "reserved", 2, order_id), (1, "received", 5, None)])


def cancelled_in_the_middle(foldlog):
    lamp = foldlog.product(5)
    order_id = foldlog.order((lamp, 2), method="slow:800")
    foldlog.happened(order_id, "payment.requested.v1")
    answer = foldlog.cancel(order_id)
    equal("cancelling while the provider thinks is accepted", answer.status, 200)
    order = ended("and ends cancelled", foldlog, order_id, "cancelled", "customer_request")
    equal("with the customer's words", order.get("reason_note"), "changed my mind")
    equal("what the provider authorized is voided", [(c["voided"], c["captured"]) for c in foldlog.ledger()[order_id]],
          [(True, 0)])
    balance("nothing is held", foldlog, lamp, on_hand=5, reserved=0, committed=0)
    return order_id, {lamp: 5}


def cancelled_after_confirmation(foldlog):
    lamp, mug = foldlog.product(5, 4900), foldlog.product(5, 100)
    order_id = foldlog.order((lamp, 2), (mug, 1))
    ended("confirmed first", foldlog, order_id, "confirmed", None)
    equal("cancelling a confirmed order is accepted", foldlog.cancel(order_id).status, 200)
    foldlog.happened(order_id, "fulfilment.ended.v1")
    agrees(lambda: "still confirmed" if foldlog.see(order_id)["status"] == "confirmed" else None)  # another read model
    ended("and ends cancelled", foldlog, order_id, "cancelled", "customer_request")
    equal("refunded in full", [(c["captured"], c["refunded"]) for c in foldlog.ledger()[order_id]], [(9900, 9900)])
    balance("restocked", foldlog, lamp, on_hand=5, reserved=0, committed=0)
    balance("every line", foldlog, mug, on_hand=5, reserved=0, committed=0)
    equal("cancelling again changes nothing", foldlog.cancel(order_id).status in (200, 409), True)
    return order_id, {lamp: 5, mug: 5}


def shipped(foldlog):
    lamp = foldlog.product(5)
    order_id = foldlog.order((lamp, 1))
    foldlog.settled(order_id)
    equal("a confirmed order is shipped",
          foldlog.post(f"/v1/orders/{order_id}/shipments", {"carrier": "DHL", "tracking": "1Z"}).status, 200)
    late = foldlog.cancel(order_id)
    equal("then it is too late to cancel", (late.status, late.code()), (409, "already-shipped"))
    equal("and delivered", foldlog.post(f"/v1/orders/{order_id}/deliveries").status, 200)
    complaint = agrees(lambda: None if foldlog.see(order_id)["status"] == "delivered" else foldlog.see(order_id))
    check("the read model has it delivered", not complaint, complaint)
    balance("and sold", foldlog, lamp, on_hand=4, reserved=0, committed=1)


with System(sys.argv[1]) as foldlog:
    stories = [story(foldlog) for story in (happy, declined, out_of_stock, cancelled_in_the_middle,
                                            cancelled_after_confirmation)]
    shipped(foldlog)
    movements(foldlog)
    counts = check_accounts(foldlog, [o for o, _ in stories], {s: n for _, skus in stories for s, n in skus.items()})
    equal("one confirmed, four cancelled", counts, {"confirmed": 1, "cancelled": 4})
finish()
