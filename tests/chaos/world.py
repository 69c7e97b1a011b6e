"""Collects what a run left behind, when it has come to rest."""
import http.client
import json
import subprocess
import time

import history as h
import records
from checker import World, check
from truth import Findings, fold_orders, judge_all

SERVICES = ("product", "order", "payment", "inventory", "fulfilment")
ASK_S = 15
STILL_S = 60  # what has not changed for so long will not


def ask(port, path):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_S)
    try:
        line.request("GET", path)
        got = line.getresponse()
        body = got.read()
    finally:
        line.close()
    if got.status != 200:
        raise OSError(f"GET {path}: {got.status} {body[:200]!r}")
    return json.loads(body)


def ask_all(port, path):
    """Every page of a list."""
    items, cursor = [], ""
    while cursor is not None:
        page = ask(port, f"{path}?limit=100{cursor}")
        items += page["items"]
        cursor = f"&cursor={page['next_cursor']}" if page.get("next_cursor") else None
    return items


class Site:
    """Where everything is."""

    def __init__(self, brokers, sandbox_port, ports, history_path):
        self.brokers, self.sandbox_port, self.ports, self.history_path = brokers, sandbox_port, ports, history_path
        self.partitions = {s: records.partitions_of(brokers, f"{s}.log") for s in SERVICES}

    def topic(self, service, kind):
        found = records.read_topic(self.brokers, f"{service}.{kind}")
        return {p: found.get(p, []) for p in range(self.partitions[service])}

    def history(self):
        with open(self.history_path, encoding="utf-8") as f:
            return h.read_history(f)

    def any_port(self):
        return next(iter(self.ports.values()))


def unrest(site):
    """By the logs alone: what has not come to its end yet; None when all has."""
    logs = {s: site.topic(s, "log") for s in SERVICES}
    orders = fold_orders(judge_all(logs, Findings()), Findings())
    restless = [o for o in orders.values() if not o.at_rest()]
    return f"{len(restless)} of {len(orders)} orders, first {restless[0]}" if restless else None


def collect(site):
    world = World(
        logs={s: site.topic(s, "log") for s in SERVICES},
        commands={s: site.topic(s, "commands") for s in SERVICES},
        events={s: site.topic(s, "events") for s in SERVICES},
        dead_letters={s: sum(map(len, site.topic(s, "deadletters").values())) for s in SERVICES},
        ledger=ask(site.sandbox_port, "/ledger")["charges"],
        history=site.history())
    world.orders = ask_all(site.any_port(), "/v1/orders")
    world.stock = {s["sku"]: s for s in ask_all(site.any_port(), "/v1/inventory")}
    return world


def judge(site, seconds, tell):
    """Waits, bounded, until all is at rest and the followers of the logs have followed; (world, findings,
    summary). What is still wrong when the time is over is wrong."""
    end = time.monotonic() + seconds
    while (why := unrest(site)) and time.monotonic() < end:
        tell(f"not at rest: {why}")
        time.sleep(2)
    last, since = None, 0
    while True:
        try:
            world = collect(site)
            findings, summary = check(world)
        except (OSError, http.client.HTTPException, subprocess.SubprocessError) as e:
            if time.monotonic() > end:
                raise
            tell(f"cannot be read yet: {e}")
            time.sleep(2)
            continue
        found = findings.all()
        if found != last:
            last, since = found, time.monotonic()
        if not found or time.monotonic() > min(end, since + STILL_S):
            return world, findings, summary
        tell(f"not the same yet: {found[0]}")
        time.sleep(2)
