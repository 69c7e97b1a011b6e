#!/usr/bin/env python3
"""Foldlog under load while its processes are killed, paused and deposed; then a checker that shares no code with it.
usage: chaos.py [--minutes N] [--commands N] [--seed S] [--clients N] [--clerks N], from ./dev chaos. The last line says
how it went; 0: nothing is wrong."""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import history as h  # noqa: E402
import load  # noqa: E402
import nemesis  # noqa: E402
import schedule  # noqa: E402
import times  # noqa: E402
import world  # noqa: E402
from crew import Crew  # noqa: E402
from history import History  # noqa: E402

HEAL_S = 120  # to answer every client
REST_S = 180  # for every order to end and every follower to follow
STOP_S = 10
ERRORS_TOLD = 8
READS_A_MINUTE = 30  # at least, after a write to the other instance
NAMED = ("KAFKA", "PG", "PG_PORT", "SANDBOX_PORT", "FOLDLOG", "SANDBOX")


class Run:
    def __init__(self, run, chosen):
        self.run, self.seed, self.minutes = run, chosen.seed, chosen.minutes
        self.commands, self.clients, self.clerks = chosen.commands, chosen.clients, chosen.clerks
        self.complaints = []
        self.over = threading.Event()
        self.hands = None
        self.named = {n: os.environ[f"CHAOS_{n}"] for n in NAMED}
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("FOLDLOG_", "CHAOS_"))}
        self.environment |= {
            "FOLDLOG_KAFKA": self.named["KAFKA"], "FOLDLOG_PG": self.named["PG"], "FOLDLOG_DEV": "true",
            "FOLDLOG_SECRET": f"chaos {self.seed}".ljust(32, "."), "FOLDLOG_PAYMENT_CALL_MS": "1000",
            "FOLDLOG_STEP_MS": "20000", "FOLDLOG_COMPENSATION_MS": "300000",
        }
        self.crew = Crew(run, self.named, self.environment)

    def tell(self, text):
        print(text, flush=True)

    def verb(self, *arguments):
        return subprocess.run([self.named["FOLDLOG"], *arguments], env=self.environment, text=True,
                              capture_output=True, timeout=REST_S, check=False)

    def must(self, *arguments):
        done = self.verb(*arguments)
        if done.returncode != 0:
            raise SystemExit(f"foldlog {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")

    # ---- the steps ----

    def start(self):
        self.crew.start(("postgres", "kafka", "sandbox"))
        self.must("topics", "apply")
        self.must("migrate")
        self.crew.start(self.crew.foldlogs())

    def supervise(self):
        """As an orchestrator would: what ends by itself is started again; and it is written down."""
        while not self.over.wait(0.2):
            for process in self.crew.processes.values():
                process.revive()

    def harm(self):
        """Load, and what goes wrong under it; then everything is healed and every client answered."""
        seconds = self.minutes * 60
        history = History(f"{self.run}/history.jsonl")
        shop = load.Shop(self.crew.ports, history, self.seed)
        load.open_shop(shop, max(4000, int(30 * seconds * self.clients / 12)))
        threads = load.send_clients(shop, self.clients, self.clerks, self.complaints.append)
        threading.Thread(target=self.supervise, daemon=True).start()
        self.hands = hands = nemesis.Nemesis(self.crew, self.named["KAFKA"], self.run, self.seed, self.tell)
        began = time.monotonic()
        hands.carry_out(schedule.plan(self.minutes, self.seed, self.crew), self.over)
        time.sleep(max(0, began + seconds - time.monotonic()))
        hands.heal()
        self.await_commands(history)
        shop.stop.set()
        self.tell(f"{time.monotonic() - began:6.1f} s  all is healed, no new load")
        for name in self.crew.await_ready():
            self.complaints.append(f"{name} is not ready although all was healed: {self.crew.why(name)}")
        shop.give_up_at = time.monotonic() + HEAL_S
        for thread in threads:
            thread.join(HEAL_S + 60)
        history.close()
        return hands

    def await_commands(self, history):
        """What a slow machine had no time for, comes after."""
        end = time.monotonic() + self.minutes * 60
        while len(history.accepted) < self.commands and time.monotonic() < end:
            time.sleep(0.2)
        if len(history.accepted) < self.commands:
            self.complaints.append(f"only {len(history.accepted)} commands of {self.commands} wanted")

    def verify(self):
        """The product's own comparison of its read models with the log, for what the checker does not see."""
        done = self.verb("projections", "verify")
        if done.returncode != 0:
            self.complaints.append(f"foldlog projections verify: {done.returncode}\n{done.stdout}{done.stderr}")

    def stop_foldlogs(self):
        for name, seconds, code in self.crew.stop_foldlogs():
            if seconds > STOP_S or code != 0:
                self.complaints.append(f"{name} took {seconds:.1f} s to stop and exited with {code}")

    def note_deaths(self):
        """Nobody ends by himself, also not one that finds no broker when it starts."""
        for name, process in self.crew.processes.items():
            for lived, code in process.deaths:
                self.complaints.append(f"{name} ended by itself with {code} after {lived:.1f} s:\n{self.last_errors(name)}")

    def last_errors(self, name):
        with open(f"{self.run}/{name}.log", encoding="utf-8", errors="replace") as file:
            told = [line for line in file if '"level":"error"' in line or not line.startswith("{")]
        return "".join(told[-ERRORS_TOLD:])

    def note_halts(self):
        """What stands still holds up only those who wait for it, and may be nobody."""
        for name in self.crew.foldlogs():
            with open(f"{self.run}/{name}.log", encoding="utf-8", errors="replace") as file:
                self.complaints += [f"{name}: {line.strip()}" for line in file if '_halted","' in line]

    def snapshots(self):
        """(line, complaints): whether they were made and used at all."""
        facts = [line for name in self.crew.foldlogs() for _, _, line in times.facts_of(
            f"{self.run}/{name}.log", ("snapshot_written", "snapshot_ignored", "snapshot_failed", "took_over"))]
        count = Counter(line["fact"] for line in facts)
        used = sum(line["fact"] == "took_over" and int(line["from"]) > 0 for line in facts)
        told = (f"{count['snapshot_written']} snapshots written, {count['snapshot_failed']} failed, "
                f"{count['snapshot_ignored']} ignored; {used} of {count['took_over']} takeovers began from one")
        promising = self.minutes >= schedule.PROMISING_MINUTES
        return told, ["no takeover began from a snapshot"] if promising and not used else []

    def times(self):
        names = self.crew.foldlogs()
        seen = ({n: f"{self.run}/{n}.log" for n in names}, {n: self.crew.processes[n].history for n in names},
                self.hands.harms)
        with open(f"{self.run}/times.json", "w", encoding="utf-8") as f:
            json.dump(seen, f)
        lines, complaints = times.summary(*seen)
        return lines, complaints if self.minutes >= schedule.PROMISING_MINUTES else []

    def stop(self):
        self.over.set()
        if self.hands:
            self.hands.give_up()
        self.crew.stop()


def settings():
    parser = argparse.ArgumentParser(prog="./dev chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(100000))
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--clerks", type=int, default=4, help="who order nothing: small commands, many of them")
    parser.add_argument("--commands", type=int, default=0, help="so many at least: the load goes on until then")
    return parser.parse_args()


def main():
    chosen = settings()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run(os.environ["FOLDLOG_RUN"], chosen)
    run.tell(f"seed {chosen.seed}, {chosen.minutes:g} minutes, {chosen.clients} clients, {chosen.clerks} clerks; "
             f"logs and history in {run.run}")
    try:
        run.start()
        hands = run.harm()
        site = world.Site(run.named["KAFKA"], int(run.named["SANDBOX_PORT"]), run.crew.ports,
                          f"{run.run}/history.jsonl")
        seen, findings, summary = world.judge(site, REST_S, run.tell)
        run.verify()
        run.stop_foldlogs()
        run.note_deaths()
        run.note_halts()
        findings.violations += run.complaints
    except KeyboardInterrupt:
        run.tell("interrupted")
        return 130
    finally:
        run.stop()
    run.tell(summary)
    return report(run, hands, seen, findings)


def report(run, hands, seen, findings):
    lines, slow = run.times()
    snapshots, unused = run.snapshots()
    missed = [*hands.broken_promises(run.minutes), *slow, *unused, *few_reads(run, seen.history)]
    for line in [*lines, snapshots, *hands.table(), *findings.all(), *missed]:
        run.tell(line)
    commands = sum(op.took_effect() for op in seen.history)
    faults = hands.total("hit", "cut", "starve", "full", "takeover", "echo")
    run.tell(f"chaos: {hands.total('kill')} kills, {hands.total('pause')} pauses, {faults} faults, "
             f"{commands} commands, {len(findings.lost)} lost, {len(findings.doubled)} doubled, "
             f"{len(findings.violations)} violations")
    return 1 if findings.all() or missed else 0


def few_reads(run, operations):
    """What nobody read was not judged."""
    elsewhere = sum(f["instance"] != f["wrote_to"] for op in operations for f in op.told(h.READ))
    least = int(READS_A_MINUTE * run.minutes)
    return [f"only {elsewhere} reads of {least} from the instance that was not written to"] if elsewhere < least else []


if __name__ == "__main__":
    sys.exit(main())
