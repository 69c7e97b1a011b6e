"""Judges what clients saw: reads that ask for a position, and the order of commands that were answered before others
were sent."""
import json
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

import history as h
from truth import ORDER_STATUS, SAGA, Stock, counts

READ_SERVICES = ("order", "inventory", "product")


@dataclass
class Past:
    """One aggregate: what is to be seen of it in each version, and where in the log the version came to be."""
    states: dict = field(default_factory=dict)  # version -> {name: value}
    offsets: list = field(default_factory=list)  # growing
    versions: list = field(default_factory=list)  # of the same places

    def add(self, decision, state):
        self.states[decision.version] = state
        self.offsets.append(decision.offset)
        self.versions.append(decision.version)

    def version_at(self, offset):
        n = bisect_right(self.offsets, offset)
        return self.versions[n - 1] if n else 0


class OrderSeen:
    def __init__(self):
        self.status = self.reason = None

    def apply(self, name, data):
        self.status = ORDER_STATUS.get(name, name)
        self.reason = "customer_request" if name == "cancellation_requested" else data.get("reason", self.reason)

    def shown(self):
        return {"status": self.status, "reason": self.reason}


class StockSeen(Stock):
    def shown(self):
        return self.amounts()


class ProductSeen:
    def __init__(self):
        self.status, self.price = "active", None

    def apply(self, name, data):
        self.status, self.price = data.get("status", self.status), data.get("price", self.price)

    def shown(self):
        return {"status": self.status, "price": self.price}


class FulfilmentSeen:
    def apply(self, name, data):
        pass

    def shown(self):
        return {}


SEEN = {"order": OrderSeen, "inventory": StockSeen, "product": ProductSeen, SAGA: FulfilmentSeen}


def pasts_of(truth):
    """{(service, id): Past}"""
    pasts, now = defaultdict(Past), {}
    for service, kind in SEEN.items():
        for shard in truth[service]:
            for d in shard.valid:
                if counts(d) and d.events:
                    one = now.setdefault((service, d.target), kind())
                    for event, data in d.events:
                        one.apply(event.split(".")[1], json.loads(data))
                    pasts[service, d.target].add(d, one.shown())
    return pasts


def places_of(truth):
    """{(service, partition, offset of a command): offset in the log of the decision about it}"""
    return {(service, shard.partition, d.input.offset): d.offset for service in READ_SERVICES
            for shard in truth[service] for d in shard.valid if d.input.topic == f"{service}.commands"}


def split_position(token):
    service, partition, offset = token.split(":")
    return service, int(partition), int(offset)


def split_tag(tag):
    """(version, sequence of the fulfilment) of an ETag."""
    version, _, sequence = (tag or "0").strip('"').partition(".")
    return int(version), int(sequence or 0)


class Seen:
    """`wrong` takes complaints; `made(operation, command id)` says which decisions accept a command."""

    def __init__(self, truth, history, wrong, made):
        self.history, self.wrong, self.made = history, wrong, made
        self.pasts, self.places = pasts_of(truth), places_of(truth)

    def judge(self):
        latest = {}  # (client, service, id) -> (offset asked for, versions seen)
        reads = [(f["n"], op, f) for op in self.history for f in op.told(h.READ)]
        for _, op, fact in sorted(reads, key=lambda r: r[0]):
            where = f"{op}: client {fact['client']} read {fact['service']} {fact['id']} of {fact['instance']} after " \
                    f"{fact['position']}"
            if fact["status"] not in (200, 404):
                self.wrong(f"{where}: answered {fact['status']}")
                continue
            self.compare(where, fact)
            self.compare_with_last(where, fact, latest)
        self.real_time()

    def compare(self, where, fact):
        """It shows a moment of the log, and none before the position."""
        past = self.pasts[fact["service"], fact["id"]]
        version, sequence = split_tag(fact["etag"])
        least = past.version_at(self.places.get(split_position(fact["position"]), -1))
        if version != fact["version"]:
            self.wrong(f"{where}: ETag {fact['etag']} of version {fact['version']}")
        if version < least:
            self.wrong(f"{where}: version {version}, older than {least}, which was there")
        if version and past.states.get(version) != fact["seen"]:
            self.wrong(f"{where}: version {version} shows {fact['seen']}, in the log it is {past.states.get(version)}")
        if sequence and sequence not in self.pasts[SAGA, fact["id"]].states:
            self.wrong(f"{where}: its fulfilment never had the version {sequence}")

    def compare_with_last(self, where, fact, latest):
        """What a client has seen it sees again, or something later."""
        who = fact["client"], fact["service"], fact["id"]
        offset, versions = split_position(fact["position"])[2], split_tag(fact["etag"])
        before = latest.get(who)
        if before and before[0] <= offset and any(now < then for now, then in zip(versions, before[1])):
            self.wrong(f"{where}: goes back to {versions}, it had seen {before[1]}")
        latest[who] = offset, versions

    # ---- what was answered before it was sent ----

    def real_time(self):
        """A command that was acknowledged before another was sent has not the later version."""
        spans = defaultdict(list)  # (service, id) -> [(sent, acknowledged, version, operation)]
        for op in self.history:
            told = [f for f in op.facts if f["what"] in (h.OK, h.ACCEPTED) or h.tells_of_effect(f["what"], f)]
            decisions = [d for c in op.command_ids() for _, d in self.made(op, c)] if not op.reuses else []
            if told and decisions:
                d = decisions[0]
                spans[op.service, d.target].append((op.began, min(f["n"] for f in told), d.version, op))
        for (service, target), found in spans.items():
            self.compare_spans(f"{service} {target}", found)

    def compare_spans(self, whom, found):
        acknowledged = sorted(found, key=lambda s: s[1])
        latest, n = (None, None, 0, None), 0
        for sent, _, version, op in sorted(found, key=lambda s: s[0]):
            while acknowledged[n][1] < sent:
                latest, n = max(latest, acknowledged[n], key=lambda s: s[2]), n + 1
            if version < latest[2]:
                self.wrong(f"{op}: {whom} version {version}, though {latest[3]} had version {latest[2]} before it was "
                           f"sent")
