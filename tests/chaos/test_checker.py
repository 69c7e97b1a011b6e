"""A checker that cannot fail proves nothing: small worlds, one clean, each other with one planted fault, which must be
found."""
import copy
import dataclasses
import json
import struct
import sys
import uuid

import history as h
import records
from checker import SYSTEM, World, check
from records import ACCEPTED, NIL, REFUSED, Record, write_text

CUSTOMER = 1
EURO = {"amount": 100, "currency": "EUR"}
DEVELOPER = uuid.UUID(int=7)
SERVICES = ("product", "order", "payment", "inventory", "fulfilment")


def some_id(name):
    return uuid.uuid5(NIL, name)


# ---- writing what the product would write ----

def write_command_body(c):
    return b"".join(i.bytes for i in (c.id, c.attempt, c.saga, c.cause, c.actor)) + \
        struct.pack("<BQqq", c.roles, c.fingerprint, c.sent_at, c.expected_version) + \
        b"".join(write_text(t) for t in (c.service, c.target, c.type, c.traceparent, c.data))


def write_input(i):
    return write_text(i.topic) + struct.pack("<iiqQ", i.partition, i.index, i.offset, i.print)


def write_decision(d):
    mark = records.LOG_MAGIC, records.LOG_FORMAT, records.DECISION, d.epoch, d.number, d.commands_next, d.follows
    return struct.pack("<BBBqQqQ", *mark) + \
        write_input(d.input) + b"".join(i.bytes for i in (d.command_id, d.attempt, d.saga, d.cause, d.actor)) + \
        struct.pack("<BQqBBq", d.roles, d.fingerprint, d.at, d.outcome, d.replayed, d.first_offset) + \
        b"".join(write_text(t) for t in (d.problem, d.detail, d.pointer, d.target)) + struct.pack("<q", d.version) + \
        write_text(d.type) + write_text(d.traceparent) + \
        struct.pack("<H", len(d.events)) + b"".join(write_text(t) + write_text(b) for t, b in d.events) + \
        struct.pack("<H", len(d.commands)) + b"".join(map(write_command_body, d.commands)) + \
        struct.pack("<H", len(d.positions)) + b"".join(map(write_input, d.positions))


class House:
    """Topics of one partition each, and what clients were told."""

    def __init__(self):
        self.logs = {s: [] for s in SERVICES}  # Takeover bytes or Decision, by offset
        self.commands = {s: [] for s in SERVICES}  # Command, by offset
        self.epoch, self.number, self.next = {}, {}, dict.fromkeys(SERVICES, 0)
        self.versions, self.facts = {}, []
        self.ledger, self.orders, self.stock, self.dead = [], [], {}, {}
        for service in SERVICES:
            self.take_over(service)

    def take_over(self, service):
        self.epoch[service], self.number[service] = len(self.logs[service]), 0
        self.logs[service].append(records.write_takeover(uuid.uuid4(), "test", 1, self.next[service]))

    def command(self, service, kind, target, name, saga=NIL, roles=CUSTOMER):
        return records.Command(some_id(name), uuid.uuid4(), saga, NIL, DEVELOPER, roles, 5, 1, -1, service, target,
                               kind, "", b"{}")

    def send(self, c):
        """To S.commands; its input."""
        self.commands[c.service].append(c)
        return records.Input(f"{c.service}.commands", 0, 0, len(self.commands[c.service]) - 1)

    def decide(self, c, source, events=(), problem="about:blank", commands=(), **more):
        service = c.service
        if source.topic == f"{service}.commands":
            self.next[service] = source.offset + 1
        self.number[service] += 1
        accepted = problem == "about:blank"
        version = self.versions.get((service, c.target), 0) + len(events)
        self.versions[service, c.target] = version
        d = records.Decision(
            len(self.logs[service]), self.epoch[service], self.number[service], self.next[service], 0, source, c.id,
            c.attempt, c.saga, c.cause, c.actor, c.roles, c.fingerprint, 1, ACCEPTED if accepted else REFUSED, False,
            -1, problem, "", "", c.target, version, c.type, "",
            [(f"{service}.{t}.v1", json.dumps(b).encode()) for t, b in events], list(commands))
        for name, value in more.items():
            setattr(d, name, value)
        self.logs[service].append(d)
        return d

    def react(self, service, d, events=(), commands=()):
        """The saga, on a decision of a service."""
        c = records.Command(some_id(f"{service}/{d.offset}"), uuid.uuid4(), d.saga, d.command_id, NIL, SYSTEM, 0, 1, -1,
                            "fulfilment", str(d.saga), "decision", "", b"")
        return self.decide(c, records.Input(f"{service}.log", 0, 0, d.offset), events, commands=commands)

    # ---- clients ----

    def told(self, number, what, **more):
        self.facts.append({"op": number, "what": what, "at": 0, **more})

    def operation(self, kind, service, path, body, key, **more):
        number = len({f["op"] for f in self.facts}) + 1
        self.told(number, "operation", kind=kind, service=service, method="POST", path=path, body=body, key=key, **more)
        return number

    def acknowledge(self, number, d, status=201, **answer):
        self.told(number, h.OK, status=status, replayed=d.replayed, position=f"{d.input.topic[:-9]}:0:{d.input.offset}",
                  answer={"id": d.target, "version": d.version, "command_id": str(d.command_id)} | answer)

    def receive(self, sku, quantity, key):
        number = self.operation("receipt", "inventory", f"/v1/inventory/{sku}/receipts", {"quantity": quantity}, key)
        c = self.command("inventory", "inventory.receive.v1", sku, key)
        d = self.decide(c, self.send(c), [("received", {"sku": sku, "quantity": quantity})])
        self.acknowledge(number, d)
        return number, c, d

    def refuse(self, sku, key):
        number = self.operation("adjustment", "inventory", f"/v1/inventory/{sku}/adjustments", {}, key)
        c = self.command("inventory", "inventory.adjust.v1", sku, key)
        d = self.decide(c, self.send(c), problem="stock-too-low")
        self.told(number, h.REFUSED, status=409, problem="stock-too-low", position=f"inventory:0:{d.input.offset}",
                  replayed=False)
        return number, c, d

    def read(self, number, d, version, seen, **more):
        """After the command of `d`."""
        asked = {"client": 1, "instance": "b", "service": d.input.topic[:-9], "id": d.target, "status": 200,
                 "position": f"{d.input.topic[:-9]}:0:{d.input.offset}", "etag": f'"{version}"', "version": version}
        self.told(number, h.READ, **asked | {"seen": seen} | more)

    def add_product(self, sku, key):
        number = self.operation("product", "product", "/v1/products", {"sku": sku}, key)
        c = self.command("product", "product.add.v1", sku, key)
        d = self.decide(c, self.send(c), [("added", {"sku": sku, "price": EURO})])
        self.acknowledge(number, d)
        return number, c, d

    # ---- an order and all that follows ----

    def order(self, sku, quantity, key, good=True):
        order_id = some_id(f"{key}/order")
        o, price = str(order_id), 100
        number = self.operation("order", "order", "/v1/orders", {"items": [{"sku": sku, "quantity": quantity}]}, key)
        c = self.command("order", "order.place.v1", o, key, order_id)
        unit_price = {"amount": price, "currency": "EUR"}
        items = [{"sku": sku, "quantity": quantity, "unit_price": unit_price, "merchant_id": o}]
        placed = self.decide(c, self.send(c), [("placed", {"order_id": o, "items": items, "payment_method": "ok",
                                                           "total": {"amount": price * quantity, "currency": "EUR"}})])
        self.acknowledge(number, placed)
        step = Steps(self, order_id, sku, quantity, key)
        step.authorize(placed)
        (step.confirm if good else step.run_out)()
        charge = {"id": f"ch-{key}", "reference": o, "amount": price * quantity,
                  "status": "captured" if good else "voided",
                  "captured": price * quantity if good else 0, "refunded": 0, "voided": not good}
        self.ledger.append(charge)
        self.orders.append({"id": o, "status": "confirmed" if good else "cancelled", "phase": "done", "version": 2,
                            "reason": None if good else "out_of_stock",
                            "items": [{k: v for k, v in i.items() if k != "merchant_id"} for i in items],
                            "total": {"amount": price * quantity, "currency": "EUR"}})
        return number, c, placed

    # ---- the world ----

    def written(self, service):
        """Each decision follows the valid one before it, whatever a test has changed in that."""
        epoch, number, last = -1, 0, 0
        for i, d in enumerate(self.logs[service]):
            if isinstance(d, bytes):
                if d[2] == records.TAKEOVER:
                    epoch, number = i, 0
                yield Record(i, b"", d, {})
                continue
            data = write_decision(dataclasses.replace(d, follows=last))
            if (d.epoch, d.number) == (epoch, number + 1):
                number, last = number + 1, records.print_of(data)
            yield Record(i, d.target.encode(), data, {})

    def world(self):
        logs = {s: {0: list(self.written(s))} for s in self.logs}
        head = struct.pack("<BB", records.COMMAND_MAGIC, records.COMMAND_FORMAT)
        commands = {s: {0: [Record(i, c.target.encode(), head + write_command_body(c), {})
                            for i, c in enumerate(found)]} for s, found in self.commands.items()}
        events = {s: {0: [Record(0, d.target.encode(), data, {"ce_id": str(d.event_id(i)), "ce_type": kind,
                                                              "ce_sequence": f"{d.event_version(i):020d}"})
                          for d in found if not isinstance(d, bytes) for i, (kind, data) in enumerate(d.events)]}
                  for s, found in self.logs.items()}
        return World(logs, commands, events, dict(self.dead), copy.deepcopy(self.ledger), copy.deepcopy(self.orders),
                     copy.deepcopy(self.stock), h.read_history(self.facts))


class Steps:
    """What the saga of one order does."""

    def __init__(self, house, order_id, sku, quantity, key):
        self.house, self.order_id, self.sku, self.quantity, self.key = house, order_id, sku, quantity, key
        self.line = {"sku": sku, "order_id": str(order_id), "line": 0, "quantity": quantity}
        self.payment = str(some_id(f"{key}/payment"))

    def ask(self, cause, events, *wanted):
        """The saga reacts to `cause` and sends commands: [(service, name)]; (decision, commands)."""
        targets = {"payment": self.payment, "inventory": self.sku, "order": str(self.order_id)}
        commands = [self.house.command(s, f"{s}.{n}.v1", targets[s], f"{self.key}/{n}", self.order_id, SYSTEM)
                    for s, n in wanted]
        service = next(s for s in SERVICES if any(d is cause for d in self.house.logs[s]))
        return self.house.react(service, cause, [(e, {"order_id": str(self.order_id)}) for e in events], commands)

    def do(self, saga_decision, index, events):
        c = saga_decision.commands[index]
        return self.house.decide(c, records.Input("fulfilment.log", 0, index, saga_decision.offset), events)

    def provider(self, name, event):
        c = self.house.command("payment", f"payment.{name}.v1", self.payment, f"{self.key}/{name}", self.order_id,
                               SYSTEM)
        return self.house.decide(c, self.house.send(c), [(event, {})])

    def authorize(self, placed):
        started = self.ask(placed, ["started"], ("payment", "request"))
        self.ask(self.do(started, 0, [("requested", {})]), [])
        authorized = self.provider("record_authorized", "authorized")
        self.reserve = self.ask(authorized, ["authorized"], ("inventory", "reserve"))

    def confirm(self):
        reserved = self.do(self.reserve, 0, [("reserved", self.line)])
        capture = self.ask(reserved, ["line_reserved", "capturing"], ("payment", "capture"))
        self.ask(self.do(capture, 0, [("capture_requested", {})]), [])
        captured = self.provider("record_captured", "captured")
        last = self.ask(captured, ["captured"], ("inventory", "commit"), ("order", "confirm"))
        committed, confirmed = self.do(last, 0, [("committed", self.line)]), self.do(last, 1, [("confirmed", {})])
        self.ask(committed, ["line_committed"])
        self.ask(confirmed, ["order_confirmed", "completed"])

    def run_out(self):
        held = self.house.stock[self.sku]["on_hand"]
        rejected = self.do(self.reserve, 0, [("rejected", self.line | {"on_hand": held})])
        release = self.ask(rejected, ["line_rejected", "compensation_started"], ("payment", "release"))
        self.ask(self.do(release, 0, [("void_requested", {})]), [])
        cancel = self.ask(self.provider("record_voided", "voided"), ["payment_released"], ("order", "cancel"))
        self.ask(self.do(cancel, 0, [("cancelled", {"reason": "out_of_stock"})]), ["cancelled", "ended"])


def house():
    """10 received, 4 sold, 60 asked for and not sold; a refusal, a repeat, a new owner, a record of the old one."""
    one = House()
    one.stock["lamp"] = {"on_hand": 6, "reserved": 0, "committed": 4, "received": 10, "adjusted": 0}
    one.receipt = one.receive("lamp", 10, "r1")
    one.sold = one.order("lamp", 4, "o1")
    one.refusal = one.refuse("lamp", "a1")
    late = copy.copy(one.logs["inventory"][-1])
    one.take_over("inventory")
    late.offset, late.number, late.command_id = len(one.logs["inventory"]), late.number + 1, some_id("late")
    one.logs["inventory"].append(late)  # void: the epoch is over
    one.unsold = one.order("lamp", 60, "o2", good=False)
    number, c, d = one.receipt
    again = copy.copy(c)
    again.attempt = uuid.uuid4()
    repeat = one.decide(again, one.send(again), replayed=True, first_offset=d.offset, version=d.version)
    one.acknowledge(number, repeat)
    one.product = one.add_product("lamp", "p1")
    read_all(one)
    return one


def amounts(on_hand, committed=0):
    return {"on_hand": on_hand, "reserved": 0, "committed": committed, "received": on_hand + committed, "adjusted": 0}


def read_all(one):
    """By one client, each after its own command; stock once more when something was sold."""
    (stock, _, received), (order, _, placed), (product, _, added) = one.receipt, one.sold, one.product
    one.told(stock, h.UNREAD, client=1, service="inventory", id="lamp", position="inventory:0:0", why="503")
    one.read(stock, received, 1, amounts(10))
    one.read(stock, received, 3, amounts(6, 4))
    one.read(order, placed, 1, {"status": "pending", "reason": None}, etag='"1.2"')
    one.read(order, placed, 2, {"status": "confirmed", "reason": None}, etag='"2.5"')
    one.read(product, added, 1, {"status": "active", "price": EURO})


# ---- the faults ----

FAULTS = []  # (what it is done to, the fault): its docstring says what must be found


def in_the_house(fault):
    FAULTS.append((House, fault))
    return fault


def in_the_world(fault):
    FAULTS.append((World, fault))
    return fault


def clean(_):
    """nothing"""


@in_the_house
def an_acknowledged_command_is_not_in_the_log(one):
    """lost: which no valid decision accepts"""
    number = one.operation("receipt", "inventory", "/v1/inventory/lamp/receipts", {"quantity": 1}, "gone")
    one.told(number, h.OK, status=201, replayed=False, position="inventory:0:0",
             answer={"id": "lamp", "version": 9, "command_id": str(some_id("gone"))})


@in_the_house
def only_a_void_record_accepts_it(one):
    """lost: which no valid decision accepts"""
    _, c, d = one.receive("lamp", 1, "r9")
    d.epoch -= 1
    one.versions["inventory", c.target] -= 1


@in_the_house
def a_number_is_left_out(one):
    """violation: inputs of inventory.commands are not decided"""
    one.number["inventory"] += 1
    one.receive("lamp", 1, "r9")


@in_the_house
def a_202_has_no_record(one):
    """lost: answered 202"""
    number = one.operation("receipt", "inventory", "/v1/inventory/lamp/receipts", {"quantity": 1}, "gone")
    one.told(number, h.ACCEPTED, position="inventory:0:99", answer={"command_id": str(some_id("gone"))})


@in_the_house
def a_202_is_denied_later(one):
    """lost: accepted, then unknown"""
    one.told(one.receipt[0], h.DENIED, status=404, why="/v1/commands/x")


@in_the_house
def a_refusal_is_not_in_the_log(one):
    """lost: refused as price-changed"""
    one.told(one.refusal[0], h.REFUSED, status=409, problem="price-changed", position="inventory:0:1", replayed=False)


@in_the_house
def one_input_is_decided_twice(one):
    """doubled: is decided again"""
    _, c, d = one.receipt
    c = copy.copy(c)
    one.decide(c, d.input, commands_next=d.commands_next, command_id=some_id("other"))


@in_the_house
def a_repeat_takes_effect_again(one):
    """doubled: is accepted 2 times"""
    _, c, _ = one.receipt
    one.decide(c, one.send(c), [("received", {"sku": "lamp", "quantity": 10})])


@in_the_house
def one_key_makes_two_orders(one):
    """doubled: one key, several answers"""
    one.acknowledge(one.sold[0], one.unsold[2], command_id=str(one.sold[1].id))


@in_the_house
def two_keys_are_one_command(one):
    """violation: are one command"""
    one.acknowledge(one.operation("receipt", "inventory", "/", {}, "other"), one.receipt[2])


@in_the_house
def an_order_is_charged_twice(one):
    """doubled: is charged 2 times"""
    one.ledger.append(one.ledger[0] | {"id": "ch-again"})


@in_the_house
def a_cancelled_order_is_charged(one):
    """violation: but the charge is"""
    one.ledger[1] |= {"status": "authorized", "voided": False}


@in_the_house
def a_refund_is_too_small(one):
    """violation: but the charge is"""
    one.ledger[1] |= {"status": "partially_refunded", "voided": False, "captured": 6000, "refunded": 5999}


@in_the_house
def a_confirmed_order_is_not_charged(one):
    """violation: but the charge is None"""
    del one.ledger[0]


@in_the_house
def a_charge_belongs_to_nobody(one):
    """violation: which is no order"""
    one.ledger.append(one.ledger[0] | {"reference": "nobody"})


@in_the_house
def more_is_sold_than_there_is(one):
    """violation: less than nothing"""
    one.order("lamp", 7, "o9")


@in_the_house
def goods_stay_reserved(one):
    """violation: reserved for line"""
    one.decide(one.command("inventory", "x", "lamp", "x"), one.send(one.command("inventory", "x", "lamp", "x")),
               [("reserved", {"sku": "lamp", "order_id": one.orders[1]["id"], "line": 0, "quantity": 1})])


@in_the_house
def a_rejection_is_a_lie(one):
    """violation: rejected with 6 on hand"""
    one.stock["lamp"]["on_hand"] = 6
    one.order("lamp", 5, "o9", good=False)


@in_the_house
def a_version_is_left_out(one):
    """violation: after version"""
    one.receive("lamp", 1, "r9")[2].version += 1


@in_the_house
def a_refusal_has_events(one):
    """violation: has effects, but is not accepted"""
    one.refusal[2].events = [("inventory.received.v1", b'{"sku":"lamp","quantity":1}')]


@in_the_house
def a_replay_names_another_decision(one):
    """violation: which is not its first decision"""
    one.logs["inventory"][-1].first_offset += 1


@in_the_house
def a_command_is_left_undecided(one):
    """violation: inputs of order.commands are not decided"""
    one.send(one.command("order", "order.ship.v1", one.orders[0]["id"], "ship"))


@in_the_house
def commands_are_decided_out_of_order(one):
    """violation: out of its order"""
    first, second = (one.command("inventory", "x", "lamp", n) for n in "xy")
    one.send(first)
    one.decide(second, one.send(second))
    one.decide(first, records.Input("inventory.commands", 0, 0, len(one.commands["inventory"]) - 2))


@in_the_house
def the_sagas_command_is_forgotten(one):
    """violation: inputs of fulfilment.log are not decided"""
    forgotten = one.command("order", "order.ship.v1", one.orders[0]["id"], "z", roles=SYSTEM)
    one.logs["fulfilment"][-1].commands = [forgotten]


@in_the_house
def the_saga_misses_a_decision(one):
    """violation: inputs of order.log are not decided"""
    c = one.command("order", "order.ship.v1", one.orders[0]["id"], "z", uuid.UUID(one.orders[0]["id"]))
    one.decide(c, one.send(c))


@in_the_house
def a_decision_is_about_another_command(one):
    """violation: is not about the command"""
    one.receive("lamp", 1, "r9")[2].target = "other"


@in_the_house
def a_position_lies(one):
    """violation: commands_next"""
    one.receive("lamp", 1, "r9")[2].commands_next += 1


@in_the_house
def a_record_is_torn(one):
    """violation: bytes wanted"""
    one.logs["product"].append(write_decision(one.receipt[2])[:-3])


@in_the_house
def an_order_never_ends(one):
    """violation: is not at rest"""
    one.logs["fulfilment"][-1].events = []


@in_the_house
def an_order_needs_an_operator(one):
    """violation: needs attention"""
    one.logs["fulfilment"][-1].events.append(("fulfilment.compensation_failed.v1", b"{}"))


@in_the_house
def an_order_has_other_items(one):
    """violation: wanted"""
    one.facts[2]["body"] = {"items": [{"sku": "lamp", "quantity": 5}]}


@in_the_house
def nobody_knows_in_the_end(one):
    """violation: nobody could say"""
    one.operation("receipt", "inventory", "/v1/inventory/lamp/receipts", {"quantity": 1}, "open")


@in_the_house
def nobody_asked_for_it(one):
    """violation: that no client knows"""
    c = one.command("inventory", "inventory.receive.v1", "lamp", "stranger")
    one.decide(c, one.send(c))


@in_the_house
def another_body_is_taken(one):
    """violation: another body under a used key"""
    one.acknowledge(one.operation("receipt", "inventory", "/", {}, "r1", reuses=one.receipt[0]), one.receipt[2])


@in_the_house
def somebody_gave_up_on_a_command(one):
    """violation: deadletters holds"""
    one.dead = {"order": 1}


# ---- faults of what is read, and of the order in which answers came ----

@in_the_house
def a_read_knows_nothing_of_an_own_write(one):
    """violation: version 0, older than 1, which was there"""
    one.read(one.product[0], one.product[2], 0, {}, status=404, etag=None, client=2)


@in_the_house
def a_read_is_older_than_the_own_write(one):
    """violation: version 1, older than 5, which was there"""
    d = one.receive("lamp", 1, "r9")[2]
    one.read(one.receipt[0], d, 1, amounts(10), client=2)


@in_the_house
def a_read_goes_back(one):
    """violation: goes back to"""
    one.read(one.sold[0], one.sold[2], 1, {"status": "pending", "reason": None}, etag='"1.5"')


@in_the_house
def a_fulfilment_goes_back(one):
    """violation: goes back to (2, 4)"""
    one.read(one.sold[0], one.sold[2], 2, {"status": "confirmed", "reason": None}, etag='"2.4"')


@in_the_house
def a_fulfilment_comes_from_nowhere(one):
    """violation: never had the version 99"""
    one.read(one.sold[0], one.sold[2], 2, {"status": "confirmed", "reason": None}, etag='"2.99"')


@in_the_house
def a_version_comes_from_nowhere(one):
    """violation: in the log it is None"""
    one.read(one.sold[0], one.sold[2], 3, {"status": "shipped", "reason": None})


@in_the_house
def a_status_belongs_to_another_version(one):
    """violation: version 2 shows"""
    one.read(one.sold[0], one.sold[2], 2, {"status": "pending", "reason": None}, etag='"2.5"')


@in_the_house
def stock_never_was_so(one):
    """violation: version 3 shows"""
    one.read(one.receipt[0], one.receipt[2], 3, amounts(6, 3))


@in_the_house
def a_price_never_was_so(one):
    """violation: version 1 shows"""
    one.read(one.product[0], one.product[2], 1, {"status": "active", "price": EURO | {"amount": 99}})


@in_the_house
def a_tag_is_of_another_version(one):
    """violation: ETag"""
    one.read(one.receipt[0], one.receipt[2], 3, amounts(6, 4), etag='"2"')


@in_the_house
def a_read_is_not_understood(one):
    """violation: answered 400"""
    one.read(one.receipt[0], one.receipt[2], 0, {}, status=400, etag=None)


def overtaken(one, first_is_told):
    """Two receipts: what the second client sent after the first was answered is decided before it."""
    number = one.operation("receipt", "inventory", "/", {}, "r8")
    first, second = (one.command("inventory", "inventory.receive.v1", "lamp", key) for key in ("r8", "r9"))
    later, earlier = (one.decide(c, one.send(c), [("received", {"sku": "lamp", "quantity": 1})])
                      for c in (second, first))
    first_is_told(number, earlier)
    one.acknowledge(one.operation("receipt", "inventory", "/", {}, "r9"), later)


@in_the_house
def an_answered_command_is_overtaken(one):
    """violation: before it was sent"""
    overtaken(one, one.acknowledge)


@in_the_house
def an_accepted_command_is_overtaken(one):
    """violation: before it was sent"""
    def accepted(number, d):
        answer = {"command_id": str(d.command_id)}
        one.told(number, h.ACCEPTED, position=f"inventory:0:{d.input.offset}", answer=answer)
        one.told(number, h.DECIDED, answer=answer | {"status": "accepted",
                                                     "outcome": {"id": d.target, "version": d.version}})
    overtaken(one, accepted)


# ---- faults of those who follow the log ----

@in_the_world
def event_lost(world):
    """violation: 1 missing"""
    del world.events["order"][0][1]


@in_the_world
def event_doubled(world):
    """violation: 1 twice"""
    world.events["order"][0].append(world.events["order"][0][0])


@in_the_world
def event_invented(world):
    """violation: 1 of no valid decision"""
    world.events["order"][0].append(Record(0, b"x", b"{}", {"ce_id": "x"}))


@in_the_world
def events_swapped(world):
    """violation: not in the order"""
    world.events["order"][0].reverse()


@in_the_world
def event_changed(world):
    """violation: is not event"""
    world.events["order"][0][0].value = b"{}"


@in_the_world
def offset_missing(world):
    """violation: a hole"""
    for record in world.logs["product"][0]:
        record.offset += 1


@in_the_world
def order_unseen(world):
    """violation: in the log only"""
    del world.orders[0]


@in_the_world
def order_seen_otherwise(world):
    """violation: read model"""
    world.orders[0]["status"] = "pending"


@in_the_world
def stock_seen_otherwise(world):
    """violation: read model"""
    world.stock["lamp"]["on_hand"] += 1


def findings_of(kind, fault):
    one = house()
    if kind is House:
        fault(one)
    world = one.world()
    if kind is World:
        fault(world)
    return check(world)[0].all()


def main():
    failed = 0
    for kind, fault in [(House, clean), *FAULTS]:
        found = findings_of(kind, fault)
        wanted, _, words = fault.__doc__.partition(": ")
        good = not found if fault is clean else any(f.startswith(wanted) and words in f for f in found)
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'}  {fault.__name__}")
        for line in () if good else found or ["nothing found"]:
            print(f"      {line}")
    print(f"{len(FAULTS)} planted faults, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
