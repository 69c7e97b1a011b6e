#!/usr/bin/env python3
"""Foldlog under load while its processes are killed, paused and deposed; then a checker that shares no code with it.
usage: chaos.py [--minutes N] [--seed S], from ./dev chaos. The last line says how it went; 0: nothing is wrong."""
import argparse
import os
import random
import signal
import subprocess
import sys
import threading
import time

import load
import nemesis
import services
import world
from history import History, OK

READY_S = 90
HEAL_S = 120  # to answer every client
REST_S = 180  # for every order to end and every follower to follow
STOP_S = 10
INSTANCES = ("foldlog-a", "foldlog-b")


class Run:
    def __init__(self, run, seed):
        self.run, self.seed = run, seed
        self.complaints = []
        self.over = threading.Event()
        self.hands = None
        named = {n: os.environ[f"CHAOS_{n}"] for n in ("KAFKA", "PG", "SANDBOX_PORT", "FOLDLOG", "SANDBOX")}
        self.brokers, self.binary = named["KAFKA"], named["FOLDLOG"]
        self.sandbox_port = int(named["SANDBOX_PORT"])
        self.ports = {i: services.free_port() for i in INSTANCES}
        self.admin_ports = {i: services.free_port() for i in INSTANCES}
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("FOLDLOG_", "CHAOS_"))}
        self.environment |= {
            "FOLDLOG_KAFKA": named["KAFKA"], "FOLDLOG_PG": named["PG"], "FOLDLOG_DEV": "true",
            "FOLDLOG_PAYMENT_URL": f"http://127.0.0.1:{self.sandbox_port}", "FOLDLOG_SECRET": f"chaos {seed}".ljust(32, "."),
            "FOLDLOG_PAYMENT_CALL_MS": "1000", "FOLDLOG_STEP_MS": "20000", "FOLDLOG_COMPENSATION_MS": "300000",
        }
        kafka, postgres = (services.command_of(f"{run}/{n}.argv") for n in ("kafka", "postgres"))
        pg_port = int(os.environ["CHAOS_PG_PORT"])
        make = services.Process
        self.processes = {
            "kafka": make(run, "kafka", kafka, ready=lambda: services.broker_answers(self.brokers)),
            "postgres": make(run, "postgres", postgres, ready=lambda: services.listens(pg_port),
                             stop_signal=signal.SIGINT, cwd="/"),
            "sandbox": make(run, "sandbox", [named["SANDBOX"], "--port", str(self.sandbox_port),
                                             "--data", f"{run}/sandbox.ledger"],
                            ready=lambda: services.listens(self.sandbox_port)),
        }
        self.processes |= {i: make(run, i, [self.binary, "run", "--insecure-dev"], self.foldlog_environment(i),
                                   lambda i=i: self.is_ready(i)) for i in INSTANCES}

    def foldlog_environment(self, instance):
        return self.environment | {"FOLDLOG_INSTANCE": instance, "FOLDLOG_PORT": str(self.ports[instance]),
                                   "FOLDLOG_ADMIN_PORT": str(self.admin_ports[instance])}

    def is_ready(self, instance):
        try:
            line = services.http_get(self.admin_ports[instance], "/readyz?verbose")
        except OSError:
            return False
        return line[0] == 200

    def tell(self, text):
        print(text, flush=True)

    def verb(self, *arguments):
        return subprocess.run([self.binary, *arguments], env=self.environment, text=True, capture_output=True,
                              timeout=REST_S, check=False)

    def must(self, *arguments):
        done = self.verb(*arguments)
        if done.returncode != 0:
            raise SystemExit(f"foldlog {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")

    # ---- the steps ----

    def start(self):
        for name in ("postgres", "kafka", "sandbox"):
            self.processes[name].start()
        self.wait_ready(("postgres", "kafka", "sandbox"))
        self.must("topics", "apply")
        self.must("migrate")
        for name in INSTANCES:
            self.processes[name].start()
        self.wait_ready(INSTANCES)

    def wait_ready(self, names):
        for name in names:
            if not self.processes[name].wait_ready(READY_S):
                raise SystemExit(f"{name} did not become ready within {READY_S} s, see {self.run}/{name}.log")

    def supervise(self):
        """As an orchestrator would: what ends by itself is started again; and it is written down."""
        while not self.over.wait(0.2):
            for process in self.processes.values():
                process.revive()

    def harm(self, seconds):
        """Load, and what goes wrong under it; then everything is healed and every client answered."""
        history = History(f"{self.run}/history.jsonl")
        shop = load.Shop(self.ports, history, self.seed)
        load.open_shop(shop)
        threads = load.send_clients(shop, self.complaints.append)
        threading.Thread(target=self.supervise, daemon=True).start()
        self.hands = hands = nemesis.Nemesis(self.processes, self.brokers, self.run, self.tell)
        began = time.monotonic()
        hands.carry_out(nemesis.plan(seconds, self.seed), self.over)
        time.sleep(max(0, began + seconds - time.monotonic()))
        hands.heal()
        shop.stop.set()
        self.tell(f"{time.monotonic() - began:6.1f} s  all is healed, no new load")
        self.await_ready()
        shop.give_up_at = time.monotonic() + HEAL_S
        for thread in threads:
            thread.join(HEAL_S + 60)
        history.close()
        return hands

    def await_ready(self):
        for name, process in self.processes.items():
            if not process.wait_ready(READY_S):
                self.complaints.append(f"{name} is not ready {READY_S} s after all was healed{self.why(name)}")

    def why(self, name):
        try:
            if name not in INSTANCES:
                return ""
            return ": " + services.http_get(self.admin_ports[name], "/readyz?verbose")[1]
        except OSError as e:
            return f": {e}"

    def verify(self):
        """The product's own comparison of its read models with the log, for what the checker does not see."""
        done = self.verb("projections", "verify")
        if done.returncode != 0:
            self.complaints.append(f"foldlog projections verify: {done.returncode}\n{done.stdout}{done.stderr}")

    def stop_foldlogs(self):
        for name in INSTANCES:
            ended = self.processes[name].stop()
            if ended and (ended[0] > STOP_S or ended[1] != 0):
                self.complaints.append(f"{name} took {ended[0]:.1f} s to stop and exited with {ended[1]}")

    def note_deaths(self):
        """Nobody ends by himself, also not one that finds no broker when it starts."""
        for name, process in self.processes.items():
            for lived, code in process.deaths:
                self.complaints.append(f"{name} ended by itself with {code} after {lived:.1f} s, see {name}.log")

    def stop(self):
        self.over.set()
        if self.hands:
            self.hands.give_up()
        for name in (*INSTANCES, "sandbox", "postgres", "kafka"):
            self.processes[name].stop()


def settings():
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(100000))
    return parser.parse_args()


def main():
    chosen = settings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run(os.environ["FOLDLOG_RUN"], chosen.seed)
    run.tell(f"seed {chosen.seed}, {chosen.minutes:g} minutes; logs and history in {run.run}")
    try:
        run.start()
        hands = run.harm(chosen.minutes * 60)
        site = world.Site(run.brokers, run.sandbox_port, run.ports, f"{run.run}/history.jsonl")
        seen, findings, summary = world.judge(site, REST_S, run.tell)
        run.verify()
        run.stop_foldlogs()
        run.note_deaths()
        findings.violations += run.complaints
    except KeyboardInterrupt:
        run.tell("interrupted")
        return 130
    finally:
        run.stop()
    run.tell(summary)
    return report(run, hands, seen, findings)


def report(run, hands, seen, findings):
    for line in findings.all():
        run.tell(line)
    commands = sum(1 for op in seen.history if op.told(OK))
    run.tell(f"chaos: {hands.kills} kills, {hands.pauses} pauses, {hands.faults} faults, {commands} commands, "
             f"{len(findings.lost)} lost, {len(findings.doubled)} doubled, {len(findings.violations)} violations")
    return 1 if findings.all() else 0


if __name__ == "__main__":
    sys.exit(main())
