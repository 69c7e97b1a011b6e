"""The publisher is killed, paused and stopped while a log grows; a plain read_committed consumer (kcat)
must still see every event of a valid decision exactly once, in order, with the headers of the contract.
usage: publisher_kills.py RIG"""
import datetime
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

RIG = sys.argv[1]
BROKERS = os.environ.get("FOLDLOG_TEST_KAFKA")
SEED = int(os.environ.get("FOLDLOG_TEST_SEED", time.time_ns() % 100000))
SESSION_S = 6
chance = random.Random(SEED)


def rig(verb, service, *arguments, **more):
    return subprocess.run([RIG, verb, BROKERS, service, *arguments], text=True, **more)


def start(service, instance):
    log = open(f"publisher.{service}.{instance}.log", "a")
    return subprocess.Popen([RIG, "run", BROKERS, service, instance], stderr=log)


def stop(process):
    process.send_signal(signal.SIGTERM)
    if process.wait(timeout=15) != 0:
        raise SystemExit(f"a publisher exited with {process.returncode}")


def fresh(name):
    service = f"{name}{os.getpid()}"
    rig("topics", service, check=True)
    return service


def published(service):
    """What a foreign consumer reads, up to the end of the topic as of now."""
    out = subprocess.run(
        ["kcat", "-C", "-b", BROKERS, "-t", f"{service}.events", "-o", "beginning", "-e", "-q", "-J",
         "-X", "isolation.level=read_committed"], capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines() if line]


def ids(records, partition):
    return [headers(r)["ce_id"] for r in records if r["partition"] == partition]


def headers(record):
    flat = record["headers"]
    return dict(zip(flat[::2], flat[1::2]))


def expected(text):
    rows = [line.split() for line in text.splitlines()]
    names = ("partition", "id", "version", "key", "type", "command", "saga", "at", "traced")
    return [dict(zip(names, row)) for row in rows]


def wait_for(service, want, seconds):
    """Until all is published, then once more a little later: nothing may follow."""
    end = time.monotonic() + seconds
    got = published(service)
    while len(got) < len(want) and time.monotonic() < end:
        time.sleep(0.2)
        got = published(service)
    time.sleep(0.5)
    return published(service)


def check_same(service, want, got):
    for partition in range(3):
        wanted = [w["id"] for w in want if w["partition"] == str(partition)]
        seen = ids(got, partition)
        if wanted != seen:
            lost, twice = set(wanted) - set(seen), len(seen) - len(set(seen))
            raise SystemExit(f"{service}[{partition}], seed {SEED}: {len(wanted)} events, {len(seen)} "
                             f"published, {len(lost)} lost, {twice} twice, order kept: "
                             f"{[i for i in seen if i in set(wanted)] == wanted}")


def check_contract(service, want, got):
    by_id = {headers(r)["ce_id"]: r for r in got}
    for w in want:
        record = by_id[w["id"]]
        at = datetime.datetime.fromtimestamp(int(w["at"]) / 1e6, datetime.timezone.utc)
        wanted = {
            "ce_specversion": "1.0", "ce_id": w["id"], "ce_source": f"/foldlog/{service}",
            "ce_type": w["type"], "ce_subject": w["key"], "content-type": "application/json",
            "ce_dataschema": f"https://foldlog.example/schemas/{service}.json#/$defs/{w['type']}",
            "ce_sequence": w["version"].zfill(20), "ce_causationid": w["command"],
            "ce_correlationid": w["key"] if w["saga"] == "-" else w["saga"],
            "ce_time": at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        if w["traced"] == "1":
            wanted["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        if headers(record) != wanted:
            raise SystemExit(f"headers {headers(record)}, wanted {wanted}")
        if record["key"] != w["key"] or "n" not in json.loads(record["payload"]):
            raise SystemExit(f"key or data wrong: {record}")


class Writer:
    """Lets the log grow; what it says is read beside it, so that its pipe never fills."""

    def __init__(self, service, decisions, pause_us):
        self.process = subprocess.Popen([RIG, "append", BROKERS, service, f"{decisions}:{pause_us}"],
                                        stdout=subprocess.PIPE, text=True)
        self.text = ""
        self.reading = threading.Thread(target=self.read, daemon=True)
        self.reading.start()

    def read(self):
        self.text = self.process.stdout.read()

    def running(self):
        return self.process.poll() is None

    def finish(self):
        self.reading.join()
        if self.process.wait() != 0:
            raise SystemExit("the writer of the log failed")
        return self.text


def killed_at_any_moment():
    service = fresh("kill")
    rig("init", service, check=True)
    writer = Writer(service, 6000, 40000)  # about 12 s
    kills = 0
    while writer.running() and kills < 14:
        publisher = start(service, "a")
        time.sleep(chance.uniform(0.15, 1.2))
        publisher.send_signal(signal.SIGKILL)
        publisher.wait()
        kills += 1
    publisher = start(service, "a")
    text = writer.finish()
    want = expected(text)
    got = wait_for(service, want, 30)
    stop(publisher)
    check_same(service, want, got)
    check_contract(service, want, got)
    publisher = start(service, "a")  # a clean restart publishes nothing again
    time.sleep(2)
    stop(publisher)
    check_same(service, want, published(service))
    return f"{kills} kills, {len(want)} events"


def handed_over():
    """Two instances: the active one is paused past its session, the other goes on, the zombie wakes up."""
    service = fresh("hand")
    rig("init", service, check=True)
    writer = Writer(service, 6000, 60000)
    pair = {"a": start(service, "a"), "b": start(service, "b")}
    time.sleep(2)
    for victim in ("a", "b"):
        pair[victim].send_signal(signal.SIGSTOP)
        time.sleep(SESSION_S + 2)
        pair[victim].send_signal(signal.SIGCONT)
        time.sleep(1)
    text = writer.finish()
    want = expected(text)
    got = wait_for(service, want, 30)
    for publisher in pair.values():
        stop(publisher)
    check_same(service, want, got)
    return f"2 hand-overs, {len(want)} events"


def never_guesses():
    """Without a position nothing is published, neither before `topics apply` nor after a position was lost."""
    service = fresh("lost")
    writer = Writer(service, 300, 0)
    want = expected(writer.finish())
    publisher = start(service, "a")
    time.sleep(2)
    stop(publisher)
    if published(service):
        raise SystemExit("published without a position")
    rig("init", service, check=True)
    rig("init", service, check=True)  # again: nothing to do
    publisher = start(service, "a")
    got = wait_for(service, want, 20)
    stop(publisher)
    check_same(service, want, got)
    time.sleep(SESSION_S + 1)  # the static member's seat
    rig("forget", service, check=True)
    if rig("init", service).returncode == 0:
        raise SystemExit("a lost position was invented anew")
    publisher = start(service, "a")
    time.sleep(2)
    stop(publisher)
    check_same(service, want, published(service))
    return f"{len(want)} events, once"


def main():
    if not BROKERS:
        print("FOLDLOG_TEST_KAFKA is not set")
        return 77
    stories = (killed_at_any_moment, handed_over, never_guesses)
    for story in stories:
        if len(sys.argv) < 3 or story.__name__ in sys.argv[2:]:
            print(f"{story.__name__}: {story()} (seed {SEED})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
