"""A thousand orders by 32 clients who repeat themselves: no key has two effects, and nobody misses what he wrote.
usage: properties.py FOLDLOG"""
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor

from system import System, agrees, check, equal, finish, stock_complaint

CLIENTS, ORDERS, SKUS = 32, 1000, 20
SEED = int(os.environ.get("FOLDLOG_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)


class Findings:
    """What must not be found; appended to by many threads."""

    def __init__(self):
        self.two_answers, self.missed, self.moved_back, self.odd = [], [], [], []


def told(answer):
    return (answer.status, answer.json, answer.headers.get("location"))


def write(foldlog, chance, n, skus, findings):
    """One order, sent up to three times under its key; its id and its position."""
    lines = [(s, chance.randrange(1, 3)) for s in chance.sample(skus, chance.randrange(1, 4))]
    key, body = f"{foldlog.run}-p-{n}", foldlog.order_body(*lines)
    first = foldlog.post("/v1/orders", body, key)
    if first.status != 201:
        findings.odd.append(repr(first))
        return None
    for _ in range(chance.choice((0, 0, 1, 2))):
        again = foldlog.post("/v1/orders", body, key)
        if told(again) != told(first):
            findings.two_answers.append((repr(first), repr(again)))
    return first["id"], first.headers["foldlog-position"], lines


def read(foldlog, order_id, position, version, findings):
    """By the position of its own write a client sees its order, and never an older one than before."""
    seen = foldlog.get(f"/v1/orders/{order_id}", Foldlog_Min_Position=position, Prefer="wait=30")
    if seen.status != 200:
        findings.missed.append((order_id, position, repr(seen)))
        return version
    if seen["version"] < version:
        findings.moved_back.append((order_id, version, seen["version"]))
    return seen["version"]


def client(foldlog, c, skus, findings):
    chance, made = random.Random(f"{SEED}/{c}"), []
    for n in range(c, ORDERS, CLIENTS):
        written = write(foldlog, chance, n, skus, findings)
        if not written:
            continue
        order_id, position, lines = written
        version = read(foldlog, order_id, position, 1, findings)
        if chance.random() < 0.2:
            answer = foldlog.cancel(order_id)
            if answer.status == 200:
                version = max(version, answer["version"])
                position = answer.headers["foldlog-position"]
            elif answer.status != 409:
                findings.odd.append(repr(answer))
        read(foldlog, order_id, position, version, findings)
        made.append((order_id, lines))
    return made


def ids_in_the_list(foldlog):
    ids, path = [], "/v1/orders?limit=100"
    while path:
        page = foldlog.done(foldlog.get(path)).json
        ids += [o["id"] for o in page["items"]]
        path = page["next_cursor"] and f"/v1/orders?limit=100&cursor={page['next_cursor']}"
    return ids


print(f"seed {SEED}", flush=True)
with System(sys.argv[1]) as foldlog:
    before = set(ids_in_the_list(foldlog))
    skus = [foldlog.product(5000) for _ in range(SKUS)]
    findings = Findings()
    with ThreadPoolExecutor(CLIENTS) as pool:
        made = sum(pool.map(lambda c: client(foldlog, c, skus, findings), range(CLIENTS)), [])
    equal("every order was taken", (len(made), findings.odd[:3]), (ORDERS, []))
    check("every key has one answer", not findings.two_answers, findings.two_answers[:3])
    check("nobody missed what he wrote", not findings.missed, findings.missed[:3])
    check("nobody saw an order go back", not findings.moved_back, findings.moved_back[:3])
    sold = dict.fromkeys(skus, 0)
    for order_id, lines in made:
        if foldlog.settled(order_id, 120)["status"] == "confirmed":
            for sku, quantity in lines:
                sold[sku] += quantity
    after = [i for i in ids_in_the_list(foldlog) if i not in before]
    equal("one order per key, in the list too", (len(after), set(after)), (ORDERS, {o for o, _ in made}))
    wrong = [c for sku in skus if (c := agrees(lambda s=sku: stock_complaint(
        foldlog, s, reserved=0, committed=sold[s], on_hand=5000 - sold[s])))]
    check("stock is what the confirmed orders leave", not wrong, wrong[:3])
finish()
