"""The end of a transaction is held up in the network until the client has repeated it and the next transaction is
open: the late request must not end that one half-way. Three times over, then every event is there once. A producer
without the publisher's precautions goes the same way first: if nothing were torn there, this would show nothing.
usage: publisher_torn.py RIG"""
import os
import subprocess
import sys
import time

import publisher_kills as story

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "support"))
import network  # noqa: E402

ROUNDS = 3
NAIVE_NUMBERS = 120 * 20  # as the rig has them


def wait_until(what, seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{what} did not happen within {seconds} s")
        time.sleep(0.002)


def tear(proxy):
    """True: the late request reached the broker while a later transaction was open."""
    ended = proxy.answers(network.END_TXN)
    proxy.hold(network.END_TXN)
    wait_until("a transaction's end", 20, lambda: proxy.held())
    wait_until("its repetition", 30, lambda: proxy.answers(network.END_TXN) > ended)
    produced = proxy.answers(network.PRODUCE)
    wait_until("the next transaction", 30, lambda: proxy.answers(network.PRODUCE) > produced)
    return proxy.release()


def naive():
    """How many numbers a read_committed consumer misses or sees twice."""
    proxy = network.KafkaLink(int(story.BROKERS.rsplit(":", 1)[1]))
    service = story.fresh("naive")
    writer = subprocess.Popen([story.RIG, "naive", f"127.0.0.1:{proxy.port}", service],
                              stderr=open(f"publisher.{service}.log", "w"))
    for _ in range(ROUNDS):
        tear(proxy)
        time.sleep(1)
    if writer.wait(timeout=120) != 0:
        raise SystemExit("the naive producer failed")
    seen = [int(record["payload"]) for record in story.published(service)]
    once = [n for n in range(NAIVE_NUMBERS) if seen.count(n) == 1]
    return NAIVE_NUMBERS - len(once)


def main():
    if not story.BROKERS:
        print("FOLDLOG_TEST_KAFKA is not set")
        return 77
    torn = naive()
    print(f"without precautions: {torn} of {NAIVE_NUMBERS} numbers lost or there twice", flush=True)
    if torn == 0:
        return 1
    proxy = network.KafkaLink(int(story.BROKERS.rsplit(":", 1)[1]))
    service = story.fresh("torn")
    story.rig("init", service, check=True)
    writer = story.Writer(service, 12000, 50000)
    log = open(f"publisher.{service}.log", "w")
    publisher = subprocess.Popen([story.RIG, "run", f"127.0.0.1:{proxy.port}", service, "a"], stderr=log)
    late = 0
    for _ in range(ROUNDS):
        late += tear(proxy)
        time.sleep(1)
    want = story.expected(writer.finish())
    got = story.wait_for(service, want, 40)
    story.stop(publisher)
    story.check_same(service, want, got)
    print(f"{late} late requests, {len(want)} events")
    return 0 if late == ROUNDS else 1


if __name__ == "__main__":
    sys.exit(main())
