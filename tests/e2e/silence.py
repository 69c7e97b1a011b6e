"""All connections to the broker fall silent, as when something between forgot them: nobody closes them, nothing comes any
more. Foldlog gives them up in seconds, not in a minute, also those that nobody needed just then; and a process that
starts waits for what it was not told. usage: silence.py FOLDLOG"""
import os
import sys
import time

from system import System, check, equal, finish, said, wait_until

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import network  # noqa: E402

AGAIN_S = 20
METADATA = 3


def made_within(foldlog, body, key, seconds):
    """The id of an order that is sent again until it is decided, or None; how long that took."""
    began = took = time.monotonic()
    while took - began < seconds:
        try:
            answer = foldlog.post("/v1/orders", body, key)
        except OSError:
            answer = None
        took = time.monotonic()
        if answer and answer.status == 201:
            return answer["id"], took - began
    return None, took - began


def said_to_wait(name, role):
    lines = [line for lines in said(name).values() for line in lines]
    return any('"part_waits"' in line and f'"{role}"' in line for line in lines)


with System(sys.argv[1]) as direct:
    lamp = direct.product(50, 4900)
    broker = network.KafkaLink(int(direct.environment["FOLDLOG_KAFKA"].rsplit(":", 1)[1]))
    direct.stop_well()
    direct.environment["FOLDLOG_KAFKA"] = f"127.0.0.1:{broker.port}"
    direct.start()
    direct.client.forget()  # the line to the process of before
    direct.buyer.bearer()  # logs in while all is well
    for _ in range(2):
        broker.silence()
        order, took = made_within(direct, direct.order_body((lamp, 1)), direct.key(), AGAIN_S)
        if check(f"an order after the silence is decided within {AGAIN_S} s", order):
            print(f"      {took:.1f} s")
            equal("and made", direct.settled(order, AGAIN_S)["status"], "confirmed")
    direct.stop_well()
    for topic in (b"order.deadletters", b"order.events"):  # what owners and a publisher ask for when they begin
        for _ in range(2):  # librdkafka asks once more by itself
            broker.hold(METADATA, topic)
    direct.start()  # ends with SystemExit if the process does
    for role in ("commands", "publisher"):
        wait_until(f"{role} says that it waits", lambda r=role: said_to_wait(direct.name, r), AGAIN_S)
    order, _ = made_within(direct, direct.order_body((lamp, 1)), direct.key(), AGAIN_S)
    equal("an order after it is made", order and direct.settled(order, AGAIN_S)["status"], "confirmed")
finish()
