"""kill -9 in the middle of fifty orders, several times: what was acknowledged ends, what was not can be sent again
under its key, and all accounts agree. usage: killed.py FOLDLOG"""
import sys
from concurrent.futures import ThreadPoolExecutor

from crowd import Crowd
from system import System, check, check_accounts, equal, finish

ORDERS, BUYERS, KILLS, STOCK = 50, 10, 3, 40


def rush(foldlog, crowd):
    with ThreadPoolExecutor(BUYERS) as pool:
        waiting = [pool.submit(crowd.buy, n) for n in range(ORDERS)]
        for kill in range(KILLS):
            crowd.wait_for(ORDERS * (kill + 1) // (KILLS + 1), waiting)
            foldlog.kill()
            foldlog.start()
        for one in waiting:
            one.result()


with System(sys.argv[1], payment_call_ms=1000, snapshots="") as foldlog:
    skus = {foldlog.product(STOCK): STOCK for _ in range(3)}
    crowd = Crowd(foldlog, list(skus))
    rush(foldlog, crowd)
    equal(f"after {KILLS} kills every order is taken", len(crowd.taken), ORDERS)
    for n in range(ORDERS):  # once more: the answer of a key outlives the process that gave it
        crowd.buy(n)
    check("each key always answers with the same order", all(len(ids) == 1 for ids in crowd.taken.values()), crowd.taken)
    orders = [next(iter(ids)) for ids in crowd.taken.values()]
    equal("no two keys with one order", len(set(orders)), ORDERS)
    counts = check_accounts(foldlog, orders, skus)
    equal("all are at rest", sum(counts.values()), ORDERS)
    check("some are confirmed, some are not", counts.get("confirmed") and counts.get("cancelled"), counts)
finish()
