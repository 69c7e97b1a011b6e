"""Everything in one process that was built with ThreadSanitizer, under a short load: no data race in it.
usage: races.py FOLDLOG PRELOAD SUPPRESSIONS"""
import glob
import sys
from concurrent.futures import ThreadPoolExecutor

from crowd import Crowd
from system import System, check, check_accounts, equal, finish

ORDERS, BUYERS, STOCK = 60, 8, 200


class Watched(System):
    def __init__(self, binary, preload, suppressions):
        super().__init__(binary, payment_call_ms=5000)
        self.environment |= {
            "LD_PRELOAD": preload,
            "TSAN_OPTIONS": f"suppressions={suppressions}:log_path={self.name}-race:history_size=4:exitcode=0",
        }


def questions(foldlog, lamp, person, n):
    for path in (f"/v1/products/{lamp}", "/v1/products?limit=20", f"/v1/inventory/{lamp}", "/v1/orders?limit=20"):
        foldlog.done(foldlog.get(path))
    if n % 8 == 0:  # passwords, the vault, refresh tokens
        foldlog.person(f"guest{n}")
        person.log_in()
        person.refresh()


with Watched(*sys.argv[1:4]) as foldlog:
    skus = {foldlog.product(STOCK): STOCK for _ in range(3)}
    crowd = Crowd(foldlog, list(skus))
    people = [foldlog.person("reader") for _ in range(BUYERS)]
    with ThreadPoolExecutor(BUYERS) as pool:
        bought = [pool.submit(crowd.buy, n) for n in range(ORDERS)]
        asked = [pool.submit(questions, foldlog, next(iter(skus)), people[n % BUYERS], n) for n in range(ORDERS)]
        for one in bought + asked:
            one.result()
    counts = check_accounts(foldlog, [next(iter(ids)) for ids in crowd.taken.values()], skus)
    equal("all are at rest", sum(counts.values()), ORDERS)
    foldlog.done(foldlog.admin.call("GET", "/metrics"))
reports = [open(name).read() for name in glob.glob(f"{foldlog.name}-race.*")]
check("no data race", not reports, "".join(reports)[:20000])
finish()
