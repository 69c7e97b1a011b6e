"""SIGTERM while something that Foldlog depends on is silent (takes connections and says nothing) or gone: it ends in time,
keeps its seats, and nothing that was told a client is lost. usage: stopped_alone.py FOLDLOG"""
import os
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from crowd import Crowd
from system import STOP_S, System, check, check_accounts, equal, finish, services

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import network  # noqa: E402

LEAVE_GROUP = 13
ORDERS, BUYERS, STOCK = 24, 8, 400
# What is away, how, and for how long before the SIGTERM. A session is over after 6 s, a silent connection to the broker is
# given up after 6 to 12 s.
STORIES = (("kafka", "cut", 0.3), ("kafka", "cut", 9), ("kafka", "leave", 0.3), ("kafka", "leave", 9),
           ("postgres", "cut", 2), ("postgres", "leave", 2), ("sandbox", "cut", 2), ("sandbox", "leave", 2))
BACK = {"cut": ("heal", {"broken": False}), "leave": ("come_back", {})}


class Between:
    """All that Foldlog talks to, behind a network."""

    def __init__(self, named):
        self.network = network.Network()
        at = {"kafka": int(named["KAFKA"].rsplit(":", 1)[1]), "sandbox": urllib.parse.urlparse(named["SANDBOX"]).port,
              "postgres": int(dict(pair.split("=", 1) for pair in named["PG"].split())["port"])}
        self.ports = {name: self.network.open(name, port, name == "kafka").port for name, port in at.items()}
        self.settings = {"kafka": f"127.0.0.1:{self.ports['kafka']}",
                         "pg": named["PG"].replace(f"port={at['postgres']}", f"port={self.ports['postgres']}"),
                         "payment_url": f"http://127.0.0.1:{self.ports['sandbox']}"}

    def tell(self, link, method, **arguments):
        return self.network.call(link, method, **arguments)

    def requests(self, api_key):
        return self.network.links["kafka"].requested.get(api_key, 0)


def ends_in_time(foldlog, name):
    seconds, code = foldlog.stop()
    with open(f"{foldlog.name}.log") as log:
        late = [line.strip() for line in log if "did not end in time" in line]
    check(f"{name}: SIGTERM ends it within {STOP_S} s with 0", seconds < STOP_S and code == 0,
          f"{seconds:.1f} s, exit code {code}, {late}")
    return seconds


def stop_amid(foldlog, between, skus, away, how, wait_s):
    name = f"{away} {'silent' if how == 'cut' else 'gone'} for {wait_s} s"
    crowd = Crowd(foldlog, list(skus), f"{away}-{how}-{wait_s}")
    with ThreadPoolExecutor(BUYERS) as pool:
        buyers = [pool.submit(crowd.buy, n) for n in range(ORDERS)]
        crowd.wait_for(ORDERS // 3, buyers)
        between.tell(away, how)
        told = {n: set(ids) for n, ids in crowd.taken.items()}
        time.sleep(wait_s)
        stopped = ends_in_time(foldlog, name)
        back, arguments = BACK[how]
        between.tell(away, back, **arguments)
        began = time.monotonic()
        foldlog.start()
        print(f"      {name}: stopped in {stopped:.1f} s, ready again in {time.monotonic() - began:.1f} s", flush=True)
        for buyer in buyers:
            buyer.result()
    check(f"{name}: every order is taken, and a repeat gets the first answer", len(crowd.taken) == ORDERS and
          all(len(ids) == 1 for ids in crowd.taken.values()) and all(crowd.taken[n] == ids for n, ids in told.items()),
          crowd.taken)
    return [next(iter(ids)) for ids in crowd.taken.values()]


def stop_at_start(foldlog, between):
    """Told to stop while it still waits for a broker that says nothing."""
    foldlog.stop_well()
    between.tell("kafka", "cut")
    foldlog.launch()
    time.sleep(2)
    seconds = ends_in_time(foldlog, "start on a silent broker")
    print(f"      start on a silent broker: stopped in {seconds:.1f} s", flush=True)
    between.tell("kafka", "heal", broken=False)
    foldlog.start()


between = Between(services())
with System(sys.argv[1], payment_call_ms=1000, **between.settings) as foldlog:
    skus = {foldlog.product(STOCK): STOCK for _ in range(3)}
    orders = []
    for story in STORIES:
        orders += stop_amid(foldlog, between, skus, *story)
    stop_at_start(foldlog, between)
    counts = check_accounts(foldlog, orders, skus)
    equal("all are at rest", sum(counts.values()), ORDERS * len(STORIES))
    equal("nobody ever left its groups", between.requests(LEAVE_GROUP), 0)
finish()
