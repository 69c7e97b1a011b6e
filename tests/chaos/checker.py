"""Judges a run by its log, its public events, the provider's ledger, the read models and what clients were told; shares
no code with the product. `check(world)` returns what was found; the world comes from world.py or from a test."""
import json
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import history as h
import records
from records import ACCEPTED, NIL, POSITION, REFUSED, Torn
from seen import Seen, split_position
from truth import SAGA, SAGA_SOURCES, Findings, counts, fold_orders, fold_stock, judge_all

SYSTEM = 8  # role


@dataclass
class World:
    """Everything a run left behind. Topics are {service: {partition: [records.Record]}}."""
    logs: dict
    commands: dict
    events: dict = None
    dead_letters: dict = field(default_factory=dict)  # {service: count}
    ledger: list = None  # charges
    orders: list = None  # as GET /v1/orders shows them
    stock: dict = None  # {sku: as GET /v1/inventory shows it}
    history: list = field(default_factory=list)  # [history.Operation]


class Check:
    def __init__(self, world):
        self.world, self.findings = world, Findings()
        self.truth = judge_all(world.logs, self.findings)
        self.commands = {s: {p: self.read_commands(s, p, found) for p, found in ps.items()}
                         for s, ps in world.commands.items()}
        self.by_id = defaultdict(list)  # (service, command id) -> [(shard, decision)]
        for service, shards in self.truth.items():
            for shard in shards:
                for decision in shard.valid:
                    self.by_id[service, decision.command_id].append((shard, decision))

    def wrong(self, text):
        self.findings.wrong(text)

    def read_commands(self, service, partition, found):
        """[Command or None], None where the bytes are not a command; by offset."""
        read = []
        for expected, record in enumerate(found):
            if record.offset != expected:
                self.wrong(f"{service}.commands[{partition}]@{record.offset}: a hole, offset {expected} is not there")
            try:
                read.append(records.read_command(record.value))
            except Torn:
                read.append(None)
        return read

    def summary(self):
        """How much the run felt of what was done to it."""
        shards = [s for found in self.truth.values() for s in found]
        valid = [d for s in shards for d in s.valid]
        endings = Counter(f"{o.status} ({o.reason})" if o.status == "cancelled" else o.status
                          for o in self.orders.values())
        tries = [f for op in self.world.history for f in op.facts]
        reads = [f for f in tries if f["what"] == h.READ]
        return (f"{len(valid)} decisions, {sum(d.replayed for d in valid)} replayed, "
                f"{sum(d.outcome == REFUSED for d in valid)} refused; {sum(s.voids for s in shards)} void records, "
                f"{sum(s.takeovers for s in shards)} TAKEOVERs\n"
                f"{sum(f['what'] == h.INVOKED for f in tries)} requests, "
                f"{sum(f['what'] == h.UNKNOWN for f in tries)} without an answer, "
                f"{sum(f['what'] == h.ACCEPTED for f in tries)} answered 202\n"
                f"{len(reads)} reads after a position, {sum(f['status'] == 404 for f in reads)} of them 404; "
                f"{sum(f['what'] == h.UNREAD for f in tries)} without an answer\n"
                f"{len(self.orders)} orders: " + ", ".join(f"{n} {e}" for e, n in sorted(endings.items())))

    def run(self):
        self.inputs()
        self.versions()
        self.outcomes()
        self.once()
        self.acknowledged()
        Seen(self.truth, self.world.history, self.wrong, self.made).judge()
        self.stock = fold_stock(self.truth["inventory"], self.findings)
        self.orders = fold_orders(self.truth, self.findings)
        self.endings()
        self.goods()
        if self.world.ledger is not None:
            self.money()
        if self.world.events is not None:
            self.published()
        if self.world.orders is not None:
            self.read_models()
        for service, count in self.world.dead_letters.items():
            if count:
                self.wrong(f"{service}.deadletters holds {count} records")
        return self.findings

    # ---- inputs: each decided once, in order, none left out ----

    def inputs(self):
        sent = self.sent_by_sagas()
        for service, shards in self.truth.items():
            for shard in shards:
                wanted = {f"{service}.commands": self.from_commands(service, shard.partition)}
                if service == SAGA:
                    wanted |= self.from_sources(shard.partition, len(shards))
                else:
                    wanted |= {f"{SAGA}.log": sent[service, shard.partition]}
                self.compare_inputs(shard, wanted)

    def from_commands(self, service, partition):
        """{(partition, offset, index): Command}"""
        return {(partition, offset, 0): c for offset, c in enumerate(self.commands[service].get(partition, []))}

    def sent_by_sagas(self):
        found = defaultdict(dict)
        for shard in self.truth[SAGA]:
            for decision in shard.valid:
                for i, c in enumerate(decision.commands):
                    to = records.partition_of(c.target, len(self.truth[c.service]))
                    found[c.service, to][shard.partition, decision.offset, i] = c
        return found

    def from_sources(self, partition, partitions):
        """The decisions of other services that a saga's partition must react to: {topic: {place: Decision}}"""
        found = {f"{s}.log": {} for s in SAGA_SOURCES}
        for source in SAGA_SOURCES:
            for shard in self.truth[source]:
                for d in shard.valid:
                    if d.saga != NIL and not d.replayed and d.outcome != POSITION and \
                            records.partition_of(str(d.saga), partitions) == partition:
                        found[f"{source}.log"][shard.partition, d.offset, 0] = d
        return found

    def compare_inputs(self, shard, wanted):
        last, seen = {}, defaultdict(set)
        for d in shard.valid:
            place = d.input.partition, d.input.offset, d.input.index
            if d.input.topic == "":
                if place[:2] != (-1, -1):
                    self.wrong(f"{shard.where(d)}: no topic, but {d.input}")
                continue
            source = wanted.get(d.input.topic)
            if source is None or place not in source:
                self.wrong(f"{shard.where(d)}: decides {d.input}, which is not an input of this partition")
                continue
            if place in seen[d.input.topic]:
                self.findings.doubled.append(f"{shard.where(d)}: {d.input} is decided again")
            elif place[1:] <= last.get((d.input.topic, place[0]), (-1, -1)):
                self.wrong(f"{shard.where(d)}: {d.input} is decided out of its order")
            seen[d.input.topic].add(place)
            last[d.input.topic, place[0]] = max(place[1:], last.get((d.input.topic, place[0]), (-1, -1)))
            self.compare_command(shard, d, source[place])
        for topic, source in wanted.items():
            missing = sorted(set(source) - seen[topic])
            if missing:
                first = missing[0]
                self.wrong(f"{shard.service}.log[{shard.partition}]: {len(missing)} of {len(source)} inputs of {topic} "
                           f"are not decided, first {topic}[{first[0]}]@{first[1]}.{first[2]}")

    def compare_command(self, shard, d, c):
        """A decision speaks of the command that stands where it says."""
        if isinstance(c, records.Command):
            got = d.command_id, d.attempt, d.saga, d.cause, d.actor, d.roles, d.fingerprint, d.target, d.type
            if got != (c.id, c.attempt, c.saga, c.cause, c.actor, c.roles, c.fingerprint, c.target, c.type):
                self.wrong(f"{shard.where(d)}: is not about the command {c.id} at {d.input}")
            if records.partition_of(c.target, len(self.truth[shard.service])) != shard.partition:
                self.wrong(f"{shard.where(d)}: {c.target} does not belong to this partition")
        elif c is not None and (d.saga, d.target) != (c.saga, str(c.saga)):
            self.wrong(f"{shard.where(d)}: is about {d.target}, its input {d.input} about {c.saga}")

    # ---- decisions ----

    def versions(self):
        for shards in self.truth.values():
            for shard in shards:
                now = Counter()
                for d in shard.valid:
                    if d.outcome == ACCEPTED and not d.replayed:
                        if d.version != now[d.target] + len(d.events):
                            self.wrong(f"{shard.where(d)}: version {d.version} of {d.target} with {len(d.events)} "
                                       f"events after version {now[d.target]}")
                        now[d.target] = d.version

    def outcomes(self):
        for shards in self.truth.values():
            for shard in shards:
                at = {d.offset: d for d in shard.valid}
                for d in shard.valid:
                    if (d.events or d.commands) and not counts(d):
                        self.wrong(f"{shard.where(d)}: has effects, but is "
                                   + ("replayed" if d.replayed else "not accepted"))
                    if d.replayed:
                        self.compare_replay(shard, d, at.get(d.first_offset))

    def compare_replay(self, shard, d, first):
        if first is None or first.replayed or first.command_id != d.command_id or first.offset >= d.offset:
            self.wrong(f"{shard.where(d)}: replays offset {d.first_offset}, which is not its first decision")
        elif (first.outcome, first.problem, first.version, first.target, first.fingerprint) != \
                (d.outcome, d.problem, d.version, d.target, d.fingerprint):
            self.wrong(f"{shard.where(d)}: does not repeat the answer at offset {d.first_offset}")

    def once(self):
        for (service, command_id), decisions in self.by_id.items():
            made = [(s, d) for s, d in decisions if counts(d) and d.type != "position"]
            if len(made) > 1 and command_id != NIL:
                places = ", ".join(s.where(d) for s, d in made)
                self.findings.doubled.append(
                    f"command {command_id} of {service} is accepted {len(made)} times: {places}")

    # ---- what clients were told ----

    def acknowledged(self):
        owners = {}
        for op in self.world.history:
            self.check_operation(op)
            for command_id in op.command_ids() if not op.reuses else ():
                other = owners.setdefault((op.service, command_id), op)
                if other is not op:
                    self.wrong(f"{op} and {other} are one command {command_id}")
        self.nobody_asked()

    def check_operation(self, op):
        told = op.told(h.OK)
        if op.told(h.DENIED):
            self.findings.lost.append(f"{op}: accepted, then unknown: {op.told(h.DENIED)[0]['why']}")
        if op.reuses:
            # 202 says only that it lies in the topic: the decision may still refuse it
            if told or {f["problem"] for f in op.told(h.REFUSED)} - {"idempotency-key-reused"}:
                self.wrong(f"{op}: another body under a used key was taken: {op.facts}")
            return
        if not op.resolved():
            self.wrong(f"{op}: nobody could say in the end what became of it")
        if len(op.command_ids()) > 1:
            self.findings.doubled.append(f"{op}: one key, commands {sorted(op.command_ids())}")
        answers = {json.dumps(f["answer"], sort_keys=True) for f in told}
        if len(answers) > 1:
            self.findings.doubled.append(f"{op}: one key, several answers {sorted(answers)}")
        for fact in told:
            self.check_accepted(op, fact)
        for fact in op.told(h.ACCEPTED):
            self.check_durable(op, fact)
        for fact in op.told(h.DECIDED):
            self.check_decided(op, fact["answer"])
        self.check_refused(op)

    def made(self, op, command_id):
        """The accepted, first decisions of a command."""
        return [(s, d) for s, d in self.by_id.get((op.service, uuid.UUID(command_id)), []) if counts(d)]

    def check_accepted(self, op, fact):
        answer = fact["answer"]
        made = self.made(op, answer["command_id"])
        if not made:
            self.findings.lost.append(f"{op}: answered {fact['status']} as command {answer['command_id']}, "
                                      f"which no valid decision accepts")
            return
        shard, d = made[0]
        if (answer["id"], answer["version"]) != (d.target, d.version):
            self.wrong(f"{op}: was told {answer}, {shard.where(d)} says {d.target} version {d.version}")
        service, partition, offset = split_position(fact["position"])
        if (service, partition) != (op.service, shard.partition) or not any(
                e.input.topic == f"{service}.commands" and e.input.offset == offset
                for _, e in self.by_id[op.service, d.command_id]):
            self.wrong(f"{op}: was told position {fact['position']}, where no decision of it belongs")

    def check_durable(self, op, fact):
        service, partition, offset = split_position(fact["position"])
        found = self.commands[service].get(partition, [])
        if offset >= len(found) or found[offset] is None or str(found[offset].id) != fact["answer"]["command_id"]:
            self.findings.lost.append(f"{op}: answered 202 for {fact['position']}, where its command does not stand")
        # that it is decided is the rule of the inputs

    def check_decided(self, op, answer):
        made = self.made(op, answer["command_id"])
        if answer["status"] == "accepted":
            if not made:
                self.findings.lost.append(f"{op}: shown as accepted, which no valid decision says")
            elif (answer["outcome"]["id"], answer["outcome"]["version"]) != (made[0][1].target, made[0][1].version):
                self.wrong(f"{op}: shown as {answer['outcome']}, {made[0][0].where(made[0][1])} says otherwise")
        elif made:
            self.wrong(f"{op}: shown as refused, {made[0][0].where(made[0][1])} accepts it")

    def check_refused(self, op):
        """A refusal by the domain (409, 412) is remembered: the key is never accepted."""
        refused = [f for f in op.told(h.REFUSED) if f["status"] in (409, 412)]
        for fact in refused:
            service, partition, offset = split_position(fact["position"])
            found = self.commands[service].get(partition, [])
            command = found[offset] if offset < len(found) else None
            decisions = self.by_id.get((service, command.id), []) if command else []
            if not any(d.outcome == REFUSED and d.problem == fact["problem"] for _, d in decisions):
                self.findings.lost.append(
                    f"{op}: refused as {fact['problem']} at {fact['position']}, which no decision says")
            if any(counts(d) for _, d in decisions):
                self.wrong(f"{op}: refused as {fact['problem']}, and accepted too")
        if refused and op.told(h.OK):
            self.wrong(f"{op}: one key, refused and accepted")

    def nobody_asked(self):
        """No client's command was accepted that no client sent: at most those of which nobody heard again."""
        known = {(op.service, uuid.UUID(c)) for op in self.world.history for c in op.command_ids()}
        open_ends = sum(not op.resolved() and not op.reuses for op in self.world.history)
        strangers = [(s, d) for (service, command_id), found in self.by_id.items() for s, d in found
                     if counts(d) and d.input.topic == f"{service}.commands" and not d.roles & SYSTEM
                     and (service, command_id) not in known]
        if len(strangers) > open_ends:
            self.wrong(f"{len(strangers)} accepted commands that no client knows, {open_ends} would be possible; first "
                       f"{strangers[0][0].where(strangers[0][1])}")

    # ---- how it ended ----

    def endings(self):
        for order in self.orders.values():
            if order.needs_attention:
                self.wrong(f"order {order.id} ({order.method}) needs attention")
            if not order.at_rest():
                self.wrong(f"order {order.id} ({order.method}) is not at rest: {order.status or 'not placed'}, "
                           f"{order.stage or 'no fulfilment'}")
            elif order.keeps() != (order.stage == "confirmed"):
                self.wrong(f"order {order.id} is {order.status}, its fulfilment {order.stage}")
        for op in self.world.history:
            for fact in op.told(h.OK) if op.kind == "order" and not op.reuses else ():
                order = self.orders.get(fact["answer"]["id"])
                wanted = [(i["sku"], i["quantity"]) for i in op.body["items"]]
                if order and [(i["sku"], i["quantity"]) for i in order.items] != wanted:
                    self.wrong(f"{op}: wanted {wanted}, order {order.id} has {order.items}")

    def goods(self):
        """Stock is held for confirmed orders only, and for each of their lines."""
        for sku, stock in self.stock.items():
            for (order_id, line), (state, quantity) in stock.lines.items():
                order = self.orders.get(order_id)
                if state == "reserved" or (state == "committed") != bool(order and order.keeps()):
                    self.wrong(f"stock {sku}: {quantity} {state} for line {line} of order {order_id}, which is "
                               f"{order.status if order else 'nowhere'}")
        for order in self.orders.values():
            for n, item in enumerate(order.items if order.keeps() else ()):
                stock = self.stock.get(item["sku"])
                if not stock or stock.lines.get((order.id, n)) != ("committed", item["quantity"]):
                    self.wrong(f"order {order.id} is {order.status}, but line {n} holds no {item['quantity']} of "
                               f"{item['sku']}")

    def money(self):
        charges = defaultdict(list)
        for charge in self.world.ledger:
            charges[charge["reference"]].append(charge)
        for order_id in set(charges) - set(self.orders):
            self.wrong(f"charges for {order_id}, which is no order: {charges[order_id]}")
        for order in self.orders.values():
            mine = charges[order.id]
            if len(mine) > 1:
                self.findings.doubled.append(
                    f"order {order.id} is charged {len(mine)} times: {[c['id'] for c in mine]}")
            complaint = money_complaint(order, mine)
            if complaint:
                self.wrong(f"order {order.id} ({order.method}) is {order.status}: {complaint}")

    # ---- what others see ----

    def published(self):
        for service, shards in self.truth.items():
            found = self.world.events.get(service, {})
            for shard in shards:
                wanted = [(str(d.event_id(i)), d, i) for d in shard.valid for i in range(len(d.events))]
                self.compare_events(shard, wanted, found.get(shard.partition, []))

    def compare_events(self, shard, wanted, found):
        topic = f"{shard.service}.events[{shard.partition}]"
        seen = [r.headers.get("ce_id") for r in found]
        twice = [i for i, n in Counter(seen).items() if n > 1]
        ids, there = {i for i, _, _ in wanted}, set(seen)
        missing, foreign = sorted(ids - there), [i for i in seen if i not in ids]
        if missing or twice or foreign:
            self.wrong(f"{topic}: of {len(wanted)} events {len(missing)} missing {missing[:2]}, {len(twice)} twice "
                       f"{twice[:2]}, {len(foreign)} of no valid decision {foreign[:2]}")
        elif seen != [i for i, _, _ in wanted]:
            self.wrong(f"{topic}: not in the order of the log")
        else:
            for (_, d, i), record in zip(wanted, found):
                headers = record.headers
                got = record.key.decode(), headers["ce_type"], record.value, headers["ce_sequence"]
                if got != (d.target, d.events[i][0], d.events[i][1], f"{d.event_version(i):020d}"):
                    self.wrong(f"{topic}@{record.offset}: is not event {i} of {shard.where(d)}")

    def read_models(self):
        shown = {o["id"]: o for o in self.world.orders}
        placed = {i: o for i, o in self.orders.items() if o.status}
        for order_id in set(shown) ^ set(placed):
            self.wrong(f"order {order_id} is {'in the log only' if order_id in placed else 'in the read model only'}")
        for order_id in set(shown) & set(placed):
            order, seen = placed[order_id], shown[order_id]
            got = {k: seen.get(k) for k in ("status", "version", "reason", "items", "phase")}
            got["total"] = seen["total"]["amount"]
            items = [{k: i[k] for k in ("sku", "quantity", "unit_price")} for i in order.items]
            wanted = {"status": order.status, "version": order.version, "reason": order.reason, "items": items,
                      "phase": "done" if order.at_rest() else seen["phase"], "total": order.total}
            if got != wanted:
                self.wrong(f"order {order_id}: read model {got}, log {wanted}")
        for sku, stock in self.stock.items():
            seen = {k: (self.world.stock.get(sku) or {}).get(k) for k in stock.amounts()}
            if seen != stock.amounts():
                self.wrong(f"stock {sku}: read model {seen}, log {stock.amounts()}")


def money_complaint(order, charges):
    """One charge, kept if and only if the order stands."""
    charge = charges[0] if charges else None
    if order.keeps():
        good = charge and charge["amount"] == charge["captured"] == order.total and charge["refunded"] == 0 \
            and not charge["voided"]
        return None if good else f"of {order.total}, but the charge is {charge}"
    if charge is None or charge["status"] == "declined":
        return None
    given_back = charge["voided"] and charge["captured"] == 0 or 0 < charge["captured"] == charge["refunded"]
    return None if given_back else f"but the charge is {charge}"


def check(world):
    """(Findings, summary)"""
    one = Check(world)
    return one.run(), one.summary()
