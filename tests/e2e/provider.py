"""Every bad habit of a payment provider: never charged twice, nothing kept of what is cancelled, and what cannot be
given back is seen. usage: provider.py FOLDLOG"""
import sys

from system import System, agrees, check, check_accounts, equal, finish, stock_complaint

CALL_MS, GIVE_UP_MS = 500, 4000


def rest(name, foldlog, order_id, *wanted):
    order = foldlog.settled(order_id)
    equal(name, (order["status"], order["phase"], order.get("reason")), wanted)
    return order


def charges(foldlog, order_id):
    return foldlog.ledger().get(order_id, [])


def balance(name, foldlog, sku, **wanted):
    complaint = agrees(lambda: stock_complaint(foldlog, sku, **wanted))
    check(name, not complaint, complaint)


def confirmed_with(foldlog, method, skus, orders):
    sku = foldlog.product(5)
    order_id = foldlog.order((sku, 2), method=method)
    rest(f"{method}: confirmed", foldlog, order_id, "confirmed", "done", None)
    got = [(c["status"], c["captured"]) for c in charges(foldlog, order_id)]
    equal(f"{method}: charged once", got, [("captured", 2000)])
    skus[sku] = 5
    orders.append(order_id)


def capture_declined(foldlog, skus, orders):
    sku = foldlog.product(5)
    order_id = foldlog.order((sku, 2), method="capture-declined")
    rest("capture-declined: cancelled", foldlog, order_id, "cancelled", "done", "payment_failed")
    equal("capture-declined: voided", [(c["voided"], c["captured"]) for c in charges(foldlog, order_id)], [(True, 0)])
    skus[sku] = 5
    orders.append(order_id)


def refund_error(foldlog, skus, orders):
    sku = foldlog.product(5)
    order_id = foldlog.order((sku, 1), method="refund-error:2")
    rest("refund-error: confirmed first", foldlog, order_id, "confirmed", "done", None)
    foldlog.done(foldlog.cancel(order_id))
    foldlog.happened(order_id, "fulfilment.ended.v1", 30)
    rest("refund-error: cancelled", foldlog, order_id, "cancelled", "done", "customer_request")
    equal("refund-error: refunded once", [c["refunded"] for c in charges(foldlog, order_id)], [1000])
    skus[sku] = 5
    orders.append(order_id)


def needs_an_operator(foldlog, method, prepare, wanted):
    """What cannot be given back waits, visibly, for a human."""
    sku = foldlog.product(5)
    order_id = prepare(sku)
    foldlog.happened(order_id, "fulfilment.compensation_failed.v1", 30)
    complaint = agrees(lambda: None if (o := foldlog.see(order_id))["phase"] == "needs_attention" else o)
    check(f"{method}: needs attention", not complaint, complaint)
    equal(f"{method}: and is not called cancelled", foldlog.see(order_id)["status"] in ("cancelling", "pending"), True)
    equal(f"{method}: the provider keeps what it keeps", [(c["captured"], c["refunded"], c["voided"])
                                                         for c in charges(foldlog, order_id)], [wanted])
    balance(f"{method}: the goods are back all the same", foldlog, sku, on_hand=5, reserved=0, committed=0)


def refund_refused(foldlog):
    def prepare(sku):
        order_id = foldlog.order((sku, 2), method="refund-refused")
        foldlog.settled(order_id)
        foldlog.done(foldlog.cancel(order_id))
        return order_id
    needs_an_operator(foldlog, "refund-refused", prepare, (2000, 0, False))


def void_refused(foldlog):
    chair = foldlog.product(0)
    needs_an_operator(foldlog, "void-refused",
                      lambda sku: foldlog.order((sku, 2), (chair, 1), method="void-refused"), (0, 0, False))


def sick_provider(foldlog, skus, orders):
    """Only errors, until the time is over and beyond: the order is cancelled when it is sure that nothing can come."""
    sku = foldlog.product(5)
    order_id = foldlog.order((sku, 2), method="error:8")
    rest("errors for long: cancelled", foldlog, order_id, "cancelled", "done", "payment_failed")
    happened = [e["type"] for e in foldlog.timeline(order_id)]
    equal("errors for long: it was given up, and asked for nothing but a void",
          [happened.count(t) for t in ("payment.unknown.v1", "payment.void_requested.v1", "payment.voided.v1")], [1, 1, 1])
    equal("errors for long: nothing is held", [(c["status"], c["captured"]) for c in charges(foldlog, order_id)],
          [("voided", 0)])
    skus[sku] = 5
    orders.append(order_id)


with System(sys.argv[1], payment_call_ms=CALL_MS, payment_give_up_ms=GIVE_UP_MS) as foldlog:
    skus, orders = {}, []
    for method in ("slow:200", "slow:1500", "error:2", "timeout-after-charge", "duplicate-response"):
        confirmed_with(foldlog, method, skus, orders)
    capture_declined(foldlog, skus, orders)
    refund_error(foldlog, skus, orders)
    refund_refused(foldlog)
    void_refused(foldlog)
    sick_provider(foldlog, skus, orders)
    counts = check_accounts(foldlog, orders, skus)
    equal("five confirmed, three cancelled", counts, {"confirmed": 5, "cancelled": 3})
finish()
