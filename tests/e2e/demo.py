"""foldlog demo on a running system, twice, and on one that is not there. usage: demo.py FOLDLOG"""
import json
import sys
import time

from system import System, check, equal, finish

LIMIT_S = 20


def for_machines(foldlog):
    done = foldlog.verb("demo", "--json")
    equal("demo --json ends with 0", (done.returncode, done.stderr), (0, ""))
    told = json.loads(done.stdout)
    ends = [(o["status"], o["reason"]) for o in told["orders"]]
    equal("five orders end as they should", ends, [
        ("confirmed", ""), ("cancelled", "payment_declined"), ("cancelled", "out_of_stock"),
        ("cancelled", "customer_request"), ("cancelled", "customer_request")])
    equal("and everything agrees", (told["ok"], told["complaints"], told["rebuild"]["same"]), (True, [], True))
    check("the digest is one", told["rebuild"]["digest_before"] == told["rebuild"]["digest_after"] != "",
          told["rebuild"])


def for_people(foldlog):
    began = time.monotonic()
    done = foldlog.verb("demo")
    check("demo again, for people: 0", (done.returncode, done.stderr) == (0, ""), f"{done.returncode}\n{done.stdout}{done.stderr}")
    check(f"within {LIMIT_S} s", time.monotonic() - began < LIMIT_S, time.monotonic() - began)
    check("no colours where there is no terminal", "\033" not in done.stdout)
    check("timelines are shown", all(w in done.stdout for w in ("placed", "authorized", "reserved", "voided",
                                                               "refunded", "restocked")), done.stdout)


with System(sys.argv[1]) as foldlog:
    for_machines(foldlog)
    for_people(foldlog)
    foldlog.stop_well()
    alone = foldlog.verb("demo")
    check("without a system it fails and says why", alone.returncode == 1 and "foldlog demo:" in alone.stderr,
          (alone.returncode, alone.stderr))
finish()
