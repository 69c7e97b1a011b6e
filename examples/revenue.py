#!/usr/bin/env python3
"""A read model of one's own, from the public events alone: what each product has earned.

    pip install -r requirements.txt
    python3 revenue.py [BROKERS]    reads order.events to its end; prints one JSON object per product
"""
import collections
import json
import sys

from cloudevents.kafka import KafkaMessage, from_binary
from confluent_kafka import Consumer, KafkaError, TopicPartition

consumer = Consumer({"bootstrap.servers": sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:9092", "group.id": "revenue",
                     "isolation.level": "read_committed", "enable.auto.commit": False, "enable.partition.eof": True})
partitions = consumer.list_topics("order.events").topics["order.events"].partitions
consumer.assign([TopicPartition("order.events", p, 0) for p in partitions])

versions, items, sold, reading = {}, {}, set(), set(partitions)
earned = collections.defaultdict(lambda: {"units": 0, "minor": 0})
while reading:
    record = consumer.poll(10)
    if record is None or (record.error() and record.error().code() != KafkaError._PARTITION_EOF):
        sys.exit(f"cannot read: {record and record.error()}")
    if record.error():  # the end of a partition
        reading.discard(record.partition())
        continue
    event = from_binary(KafkaMessage(dict(record.headers()), record.key(), record.value()))
    order, version = event["subject"], int(event["sequence"])
    if version != versions.get(order, 0) + 1:  # each event of an order once, in order: the contract
        sys.exit(f"order {order} went from {versions.get(order, 0)} to {version}")
    versions[order] = version
    sign = 0
    if event["type"] == "order.placed.v1":
        items[order] = event.data["items"]
    elif event["type"] == "order.confirmed.v1":
        sold.add(order)
        sign = 1
    elif event["type"] == "order.cancelled.v1" and order in sold:
        sign = -1
    for item in items[order] if sign else []:
        earned[item["sku"]]["units"] += sign * item["quantity"]
        earned[item["sku"]]["minor"] += sign * item["quantity"] * item["unit_price"]["amount"]
for sku in sorted(earned):
    print(json.dumps({"sku": sku, **earned[sku]}))
