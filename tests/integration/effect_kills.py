"""The payment effect is killed at any moment, and so is the provider; the provider also errs, hangs and answers
twice. At the end its ledger must agree with what Foldlog believes, payment by payment, and nobody was charged twice.
usage: effect_kills.py RIG SANDBOX"""
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

RIG, SANDBOX = sys.argv[1:3]
BROKERS = os.environ.get("FOLDLOG_TEST_KAFKA")
SEED = int(os.environ.get("FOLDLOG_TEST_SEED", time.time_ns() % 100000))
PAYMENTS = 352  # every plan with every payment method, eight times
AMOUNT = 1250
chance = random.Random(SEED)


class Sandbox:
    def __init__(self, folder):
        self.journal = os.path.join(folder, "ledger")
        self.port = 0
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [SANDBOX, "--port", str(self.port), "--data", self.journal, "--fault-rate", "0.05",
             "--seed", str(SEED), "--hang-ms", "1500"], stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "listening on" in line:
                self.port = int(line.rsplit(":", 1)[1])
                return
        raise SystemExit("the sandbox did not start")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ledger(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ledger", timeout=10) as answer:
            return json.load(answer)


def rig(verb, service, *arguments, **more):
    return subprocess.Popen([RIG, verb, BROKERS, service, *arguments], text=True, **more)


def agrees(end, charges):
    """What a payment ended as, against the provider's charges of its order."""
    if len(charges) > 1:
        return False
    charge = charges[0] if charges else {"status": "none", "captured": 0, "refunded": 0}
    status, captured, refunded = charge["status"], charge["captured"], charge["refunded"]
    return {
        "captured": status == "captured" and captured == AMOUNT and refunded == 0,
        "refunded": captured == AMOUNT and refunded == AMOUNT,
        "voided": status in ("voided", "declined", "none"),
        "declined": status in ("declined", "none"),
        "release_failed": status in ("authorized", "captured") and refunded == 0,
    }.get(end, False)


def expected_end(method, plan):
    if method in ("declined", "no-such-method"):
        return {"declined"}
    if method == "capture-declined" and plan in ("keep", "refund"):
        return {"voided"}
    if plan == "keep":
        return {"captured"}
    if plan == "refund":
        return {"release_failed"} if method == "refund-refused" else {"refunded"}
    return {"release_failed"} if method == "void-refused" else {"voided"}


def check(rows, ledger):
    charges = collections.defaultdict(list)
    for charge in ledger["charges"]:
        charges[charge["reference"]].append(charge)
    wrong = [row for row in rows if row[3] not in expected_end(row[1], row[2])
             or not agrees(row[3], charges[row[0]])]
    for order, method, plan, end in wrong[:5]:
        held = [(c["status"], c["captured"], c["refunded"]) for c in charges[order][:3]]
        print(f"{order} {method} {plan}: {end}, the provider has {len(charges[order])}: {held}",
              file=sys.stderr)
    strangers = set(charges) - {row[0] for row in rows}
    if wrong or strangers or len(rows) != PAYMENTS:
        raise SystemExit(f"seed {SEED}: {len(wrong)} of {len(rows)} payments disagree, "
                         f"{len(strangers)} charges nobody asked for")


def main():
    if not BROKERS:
        print("FOLDLOG_TEST_KAFKA is not set")
        return 77
    service = f"pay{os.getpid()}"
    if rig("topics", service).wait() != 0:
        raise SystemExit("no topics")
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(folder)
        url = f"http://127.0.0.1:{sandbox.port}"
        log = open(f"effect.{service}.log", "w")
        owner = rig("owner", service, "o", stderr=log)
        asker = rig("ask", service, "q", str(PAYMENTS), stdout=subprocess.PIPE)
        kills = outages = 0
        while asker.poll() is None and kills < 12:
            effect = rig("effect", service, "e", url, stderr=log)
            time.sleep(chance.uniform(0.4, 2.0))
            if kills % 5 == 2:
                sandbox.kill()
                time.sleep(chance.uniform(0.2, 1.5))
                sandbox.start()
                outages += 1
            effect.kill()
            effect.wait()
            kills += 1
        effect = rig("effect", service, "e", url, stderr=log)
        out, _ = asker.communicate(timeout=200)
        rows = [line.split() for line in out.splitlines()]
        time.sleep(1)  # long enough in its loop to hear a signal
        for process in (effect, owner):
            process.send_signal(signal.SIGTERM)
            if process.wait(timeout=15) != 0:
                raise SystemExit(f"{process.args[1]} exited with {process.returncode}")
        ledger = sandbox.ledger()
        sandbox.kill()
    check(rows, ledger)
    ends = collections.Counter(row[3] for row in rows)
    print(f"{kills} kills, {outages} outages, {len(ledger['charges'])} charges, {dict(ends)} (seed {SEED})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
