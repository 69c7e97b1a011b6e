"""What is true, folded from the logs by the rule of docs/protocol.md: valid decisions, stock, orders. What breaks the
rules on the way is a complaint."""
import json
from collections import defaultdict
from dataclasses import dataclass, field

import records
from records import ACCEPTED, Decision, Torn

SAGA = "fulfilment"
SAGA_SOURCES = ("order", "payment", "inventory")


@dataclass
class Findings:
    """lost: what was acknowledged and is not there. doubled: what happened twice. violations: all else."""
    lost: list = field(default_factory=list)
    doubled: list = field(default_factory=list)
    violations: list = field(default_factory=list)

    def wrong(self, text):
        self.violations.append(text)

    def all(self):
        return [f"lost: {t}" for t in self.lost] + [f"doubled: {t}" for t in self.doubled] + \
            [f"violation: {t}" for t in self.violations]


class Shard:
    """One partition of a log, judged."""

    def __init__(self, service, partition, found, findings):
        self.service, self.partition = service, partition
        self.valid, self.voids, self.takeovers = [], 0, 0
        epoch, number, last, expected, decided = -1, 0, 0, 0, 0
        for record in found:
            where = f"{service}.log[{partition}]@{record.offset}"
            if record.offset != expected:
                findings.wrong(f"{where}: a hole, offset {expected} is not there")
            expected = record.offset + 1
            try:
                read = records.read_log_record(record.offset, record.value)
            except Torn as e:
                findings.wrong(f"{where}: {e}")
                continue
            if not isinstance(read, Decision):
                epoch, number = record.offset, 0
                self.takeovers += 1
                if read.commands_next > decided:
                    findings.wrong(f"{where}: TAKEOVER with commands_next {read.commands_next}, decided are {decided}")
            elif epoch >= 0 and read.epoch == epoch and read.number == number + 1 and read.follows == last:
                number, last = number + 1, read.print
                if record.key.decode(errors="replace") != read.target:
                    findings.wrong(f"{where}: key {record.key} of a decision for {read.target}")
                if read.input.topic == f"{service}.commands":
                    decided = read.input.offset + 1
                if read.commands_next != decided:
                    findings.wrong(f"{where}: commands_next {read.commands_next}, decided are {decided}")
                self.valid.append(read)
            else:
                self.voids += 1

    def where(self, decision):
        return f"{self.service}.log[{self.partition}]@{decision.offset}"


def judge_all(logs, findings):
    """{service: [Shard by partition]}"""
    return {service: [Shard(service, p, found[p], findings) for p in sorted(found)] for service, found in logs.items()}


def counts(decision):
    """Is this decision one that something happened by, or could have?"""
    return decision.outcome == ACCEPTED and not decision.replayed


# ---- stock ----

class Stock:
    def __init__(self):
        self.received = self.adjusted = self.on_hand = self.reserved = self.committed = 0
        self.lines = {}  # (order, line) -> (state, quantity)

    def amounts(self):
        return {n: getattr(self, n) for n in ("on_hand", "reserved", "committed", "received", "adjusted")}

    def complaint(self):
        if min(self.on_hand, self.reserved, self.committed, self.received) < 0:
            return f"less than nothing: {self.amounts()}"
        if self.received + self.adjusted != self.on_hand + self.reserved + self.committed:
            return f"does not balance: {self.amounts()}"
        held = sum(q for state, q in self.lines.values() if state == "reserved")
        return f"{held} reserved by lines, {self.reserved} in all" if held != self.reserved else None

    def move(self, line, before, after, quantity):
        """Complaint, when the line of the order was not there."""
        state, had = self.lines.get(line, ("free", quantity))
        if state != before or had != quantity:
            return f"{quantity} {after} for line {line}, which is {state} with {had}"
        self.lines[line] = (after, quantity)
        return None

    def apply(self, name, data):
        """Complaint, or None."""
        quantity = data.get("quantity", 0)
        line = (data.get("order_id"), data.get("line"))
        if name == "received":
            self.received += quantity
            self.on_hand += quantity
        elif name == "adjusted":
            self.adjusted += data["quantity_change"]
            self.on_hand += data["quantity_change"]
        elif name == "rejected":
            if data["on_hand"] != self.on_hand or quantity <= self.on_hand:
                return f"{quantity} rejected with {data['on_hand']} on hand; there were {self.on_hand}"
        elif name == "reserved":
            self.on_hand -= quantity
            self.reserved += quantity
            return self.move(line, "free", "reserved", quantity)
        elif name == "released":
            self.reserved -= quantity
            self.on_hand += quantity
            return self.move(line, "reserved", "free", quantity)
        elif name == "committed":
            self.reserved -= quantity
            self.committed += quantity
            return self.move(line, "reserved", "committed", quantity)
        elif name == "restocked":
            self.committed -= quantity
            self.on_hand += quantity
            return self.move(line, "committed", "restocked", quantity)
        else:
            return f"unknown event {name}"
        return None


def events_of(shard):
    """(where, decision, short name, data) of each event, in the order of the log."""
    for decision in shard.valid:
        for i, (kind, data) in enumerate(decision.events):
            yield f"{shard.where(decision)}.{i}", decision, kind.split(".")[1], json.loads(data)


def fold_stock(shards, findings):
    """{sku: Stock}, complaining at every prefix."""
    stock = defaultdict(Stock)
    for shard in shards:
        for where, decision, name, data in events_of(shard):
            one = stock[decision.target]
            if data["sku"] != decision.target:
                findings.wrong(f"{where}: {name} of {data['sku']} in the log of {decision.target}")
            for complaint in (one.apply(name, data), one.complaint()):
                if complaint:
                    findings.wrong(f"{where}: {decision.target}: {complaint}")
    return dict(stock)


# ---- orders ----

@dataclass
class Order:
    id: str
    status: str = ""
    version: int = 0
    reason: str = None
    items: list = field(default_factory=list)
    total: int = 0
    method: str = ""
    stage: str = ""  # of the fulfilment
    needs_attention: bool = False
    ended: bool = False

    def at_rest(self):
        return (self.keeps() or self.status == "cancelled") and self.stage in ("confirmed", "cancelled")

    def keeps(self):
        return self.status in ("confirmed", "shipped", "delivered")


ORDER_NEXT = {"placed": ("",), "confirmed": ("pending",), "cancellation_requested": ("pending", "confirmed"),
              "cancelled": ("pending", "confirmed", "cancelling"), "shipped": ("confirmed",), "delivered": ("shipped",)}
ORDER_STATUS = {"placed": "pending", "cancellation_requested": "cancelling"}
STAGES = {"started": "authorizing", "authorized": "reserving", "capturing": "capturing", "captured": "confirming",
          "completed": "confirmed", "compensation_started": "compensating", "cancelled": "cancelled"}


def fold_orders(truth, findings):
    """{id: Order}"""
    orders = {}
    for shard in truth["order"]:
        for where, decision, name, data in events_of(shard):
            order = orders.setdefault(decision.target, Order(decision.target))
            if order.status not in ORDER_NEXT[name]:
                findings.wrong(f"{where}: {name} for order {order.id}, which is {order.status or 'nowhere'}")
            order.status = ORDER_STATUS.get(name, name)
            order.version = decision.version
            if name == "placed":
                order.items, order.total, order.method = data["items"], data["total"]["amount"], data["payment_method"]
                worth = sum(i["quantity"] * i["unit_price"]["amount"] for i in order.items)
                if worth != order.total:
                    findings.wrong(f"{where}: order {order.id} of {order.total}, its items are worth {worth}")
            elif name == "cancellation_requested":
                order.reason = "customer_request"
            elif name == "cancelled":
                order.reason = data["reason"]
    for shard in truth[SAGA]:
        for where, decision, name, data in events_of(shard):
            order = orders.setdefault(decision.target, Order(decision.target))
            order.stage = STAGES.get(name, order.stage)
            order.ended = order.ended or name == "ended"
            if name in ("compensation_failed", "retried"):
                order.needs_attention = name == "compensation_failed"
            elif name in STAGES:
                order.needs_attention = False
    return orders
