"""Two hundred customers want what fifty can have, all at once. usage: oversell.py FOLDLOG"""
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from system import System, agrees, check_accounts, equal, finish, stock_complaint

CUSTOMERS, STOCK = 200, 50


def rush(foldlog, sku, other):
    gate = threading.Barrier(CUSTOMERS)

    def buy(_):
        gate.wait()
        return foldlog.order((other, 1), (sku, 1))

    with ThreadPoolExecutor(CUSTOMERS) as pool:
        return list(pool.map(buy, range(CUSTOMERS)))


with System(sys.argv[1]) as foldlog:
    sku, other = foldlog.product(STOCK), foldlog.product(1000)
    orders = rush(foldlog, sku, other)
    counts = check_accounts(foldlog, orders, {sku: STOCK, other: 1000})
    equal("exactly what was there is sold", counts, {"confirmed": STOCK, "cancelled": CUSTOMERS - STOCK})
    equal("nothing is left", agrees(lambda: stock_complaint(foldlog, sku, on_hand=0)), None)
    reasons = {foldlog.see(o).get("reason") for o in orders} - {None}
    equal("the others are told why", reasons, {"out_of_stock"})
finish()
