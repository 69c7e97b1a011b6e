"""A start from snapshots: what owners remember is the same as without, from whichever moment a snapshot is, and one that
is broken is as good as none. usage: snapshots.py FOLDLOG"""
import glob
import json
import os
import shutil
import sys

from system import System, check, equal, finish, said, wait_until

RECORDS, ORDERS, STOCK, SLOW_MS = 1, 24, 500, 10000
WRITTEN_S = 30
OF_ORDERS = {"order.log", "inventory.log", "payment.log", "fulfilment.log"}


def facts(foldlog, fact):
    """What was cut short by a kill is left out."""
    return [json.loads(line) for lines in said(foldlog.name).values() for line in lines
            if f'"fact":"{fact}"' in line and line.endswith("}\n")]


def snapshots(foldlog):
    return sorted(glob.glob(f"{foldlog.snapshots}/*.snapshot"))


def of_sagas(foldlog):
    found = ""
    for path in snapshots(foldlog):
        if os.path.basename(path).startswith("fulfilment.log"):
            with open(path, encoding="latin-1") as file:
                found += file.read()
    return found


def restart(foldlog, meanwhile=lambda: None):
    """kill -9; where the folds began, and the names of the snapshots that were ignored."""
    foldlog.kill()
    taken, ignored = len(facts(foldlog, "took_over")), len(facts(foldlog, "snapshot_ignored"))
    meanwhile()
    foldlog.start()
    return ([int(f["from"]) for f in facts(foldlog, "took_over")[taken:]],
            {f"{f['topic']}-{f['partition']}.snapshot" for f in facts(foldlog, "snapshot_ignored")[ignored:]})


def buy(foldlog, key=None, quantity=1, method="ok"):
    return foldlog.post("/v1/orders", foldlog.order_body((lamp, quantity), method=method), key)


def remembers(foldlog, what):
    """All that was decided before is known: keys and their answers, and what may be done with an order."""
    again = buy(foldlog, key)
    equal(f"{what}: a key is answered as it was", (again.status, again.get("id")), (201, bought[0]))
    other = buy(foldlog, key, 2)
    equal(f"{what}: and refused with another request", other.status, 422)
    given_back = bought.pop()
    check(f"{what}: an order of before can be cancelled", foldlog.cancel(given_back).status in (200, 202))
    wait_until(f"{what}: and is", lambda: foldlog.settled(given_back)["status"] == "cancelled", WRITTEN_S)
    fresh = foldlog.done(buy(foldlog))["id"]
    equal(f"{what}: a new one is made", foldlog.settled(fresh)["status"], "confirmed")


def restore(foldlog, early):
    shutil.rmtree(foldlog.snapshots)
    shutil.copytree(early, foldlog.snapshots)


def break_all(foldlog):
    """One bit in the middle of each."""
    for path in snapshots(foldlog):
        broken.add(os.path.basename(path))
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 1]))


with System(sys.argv[1], snapshot_records=RECORDS, payment_call_ms=2 * SLOW_MS) as foldlog:
    early, broken = f"{foldlog.snapshots}-early", set()
    lamp = foldlog.product(STOCK)
    key = foldlog.key()
    bought = [foldlog.done(buy(foldlog, key))["id"]] + [foldlog.done(buy(foldlog))["id"] for _ in range(ORDERS)]
    equal("orders are made", {foldlog.settled(order)["status"] for order in bought}, {"confirmed"})
    wait_until("snapshots of the logs that orders write",
               lambda: OF_ORDERS <= {f["topic"] for f in facts(foldlog, "snapshot_written")}, WRITTEN_S)
    shutil.copytree(foldlog.snapshots, early, ignore=shutil.ignore_patterns("*.new"))

    began, ignored = restart(foldlog)
    check("takeovers begin where snapshots end", any(began), began)
    equal("no snapshot is ignored", ignored, set())
    remembers(foldlog, "from snapshots")

    midway = foldlog.done(buy(foldlog, method=f"slow:{SLOW_MS}"))["id"]
    wait_until("a snapshot with an order under way", lambda: midway in of_sagas(foldlog), WRITTEN_S)
    check("which is not over yet", foldlog.see(midway)["phase"] != "done")
    restart(foldlog)
    check("it comes to its end", foldlog.settled(midway, 60)["status"] in ("confirmed", "cancelled"))

    began, ignored = restart(foldlog, lambda: restore(foldlog, early))
    check("older snapshots are good too", any(began) and not ignored, f"{began} {ignored}")
    remembers(foldlog, "from older ones")

    began, ignored = restart(foldlog, lambda: break_all(foldlog))
    check("broken ones are ignored", broken and ignored == broken, f"{ignored} of {broken}")
    remembers(foldlog, "from broken ones")

    equal("read models are the fold of the logs", foldlog.verb("projections", "verify").returncode, 0)
    shutil.rmtree(early)
finish()
