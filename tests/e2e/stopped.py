"""SIGTERM under load, and a start in the same seat: in time, with 0, and nothing is lost. usage: stopped.py FOLDLOG"""
import sys
from concurrent.futures import ThreadPoolExecutor

from crowd import Crowd
from system import System, check_accounts, equal, finish

ORDERS, BUYERS, STOPS, STOCK = 60, 10, 2, 100


def rush(foldlog, crowd):
    with ThreadPoolExecutor(BUYERS) as pool:
        waiting = [pool.submit(crowd.buy, n) for n in range(ORDERS)]
        for stop in range(STOPS):
            crowd.wait_for(ORDERS * (stop + 1) // (STOPS + 1), waiting)
            foldlog.stop_well()
            foldlog.start()
        for one in waiting:
            one.result()


with System(sys.argv[1], payment_call_ms=1000, snapshots="") as foldlog:
    skus = {foldlog.product(STOCK): STOCK for _ in range(3)}
    crowd = Crowd(foldlog, list(skus))
    rush(foldlog, crowd)
    orders = [next(iter(ids)) for ids in crowd.taken.values()]
    equal("every order is taken", len(orders), ORDERS)
    counts = check_accounts(foldlog, orders, skus)
    equal("all are at rest", sum(counts.values()), ORDERS)
finish()
