"""What goes wrong, and when: a schedule that a seed decides. Who is hurt and which requests are hit is taken in turn,
not drawn, so that a run can promise all of them."""
import math
import random
from dataclasses import dataclass

from network import DUPLICATE, HOLD, LOSE_ANSWER, LOSE_REQUEST

BACKENDS = ("kafka", "postgres", "sandbox")
LOGS = ("order", "payment", "inventory", "fulfilment", "product")
DOWN_S = (0.1, 1, 3, 8)  # how long a killed one stays away; the last is beyond the session
HELD_S = (0.4, 3, 9, 25)  # the last is beyond the time limit of an append
PROMISING_MINUTES = 3  # a shorter run does its share, and promises nothing
ROUND_MINUTES = 5  # once every kind of process and of request, and again for each so many minutes

# Kafka's ApiKeys (https://kafka.apache.org/protocol#protocol_api_keys). LeaveGroup, 13, is never sent: static members
# do not leave.
PRODUCE, FETCH, FIND_COORDINATOR, JOIN, HEARTBEAT, SYNC, INIT_PRODUCER = 0, 1, 10, 11, 12, 14, 22
ADD_PARTITIONS, ADD_OFFSETS, END, COMMIT_OFFSETS = 24, 25, 26, 28
NAMES = {PRODUCE: "Produce", FETCH: "Fetch", FIND_COORDINATOR: "FindCoordinator", JOIN: "JoinGroup",
         HEARTBEAT: "Heartbeat", SYNC: "SyncGroup", INIT_PRODUCER: "InitProducerId",
         ADD_PARTITIONS: "AddPartitionsToTxn", ADD_OFFSETS: "AddOffsetsToTxn", END: "EndTxn",
         COMMIT_OFFSETS: "TxnOffsetCommit"}
OF_STARTS = (FIND_COORDINATOR, JOIN, SYNC, INIT_PRODUCER)  # seen when a process starts, hardly else
OF_PUBLISHERS = (ADD_PARTITIONS, ADD_OFFSETS, END, COMMIT_OFFSETS)
OWNERS = ("commands", "saga")
ROLES_OF = {PRODUCE: ("commands", "saga", "api", "publisher"), FETCH: ("commands", "saga", "projections", "publisher"),
            HEARTBEAT: OWNERS, **{k: (*OWNERS, "publisher") for k in OF_STARTS},
            **{k: ("publisher",) for k in OF_PUBLISHERS}}
NEVER_SILENT = (JOIN,)  # its connection is broken instead: librdkafka waits five minutes for the answer, see "Not yet"
MANNERS = (HOLD, LOSE_ANSWER, LOSE_REQUEST)  # what may happen to any request


@dataclass(frozen=True)
class Step:
    what: str  # a method of Nemesis
    whom: str
    detail: tuple = ()
    room: float = 1  # time until the next step, as a share
    at: float = 0  # seconds from the start


@dataclass(frozen=True)
class Promise:
    """At least so often, counted over all of `whom`."""
    what: str
    whom: tuple
    least: int

    def __str__(self):
        return f"{self.what} {self.whom[0] if len(self.whom) == 1 else f'of {len(self.whom)} kinds'}"


def threes_of(minutes):
    return max(1, int(minutes // 3))


def rounds_of(minutes):
    return max(1, int(minutes // ROUND_MINUTES))


def pauses_of(minutes):
    return max(1, round(minutes / 2))


def kills_of(minutes):
    return math.ceil(4.3 * minutes)


def cuts_of(minutes):
    return max(1, round(minutes * 0.7))


def promises(minutes, crew):
    """[Promise]: the least that a run of so many minutes does."""
    if minutes < PROMISING_MINUTES:
        return []
    rounds, threes, foldlogs = rounds_of(minutes), threes_of(minutes), crew.foldlogs()
    kinds = (*foldlogs, *BACKENDS)
    return [*(Promise("kill", (k,), rounds) for k in kinds), Promise("kill", kinds, kills_of(minutes)),
            *(Promise("hit", (n,), rounds) for n in NAMES.values()),
            *(Promise(manner, tuple(NAMES.values()), rounds) for manner in (*MANNERS, DUPLICATE)),
            Promise("cut", BACKENDS, cuts_of(minutes)),
            Promise("pause", foldlogs, pauses_of(minutes)), Promise("pause", BACKENDS, threes),
            Promise("starve", foldlogs, threes), Promise("full", BACKENDS, threes),
            Promise("takeover", LOGS, threes), Promise("echo", LOGS, threes)]


class Turns:
    """Each as often as any other, in an order that chance decides anew for each round."""

    def __init__(self, chance, items):
        self.chance, self.items, self.left = chance, list(items), []

    def next(self):
        if not self.left:
            self.left = self.chance.sample(self.items, len(self.items))
        return self.left.pop()

    def take(self, count):
        return [self.next() for _ in range(count)]


class Faults:
    """What happens to single requests."""

    def __init__(self, crew, chance):
        self.chance = chance
        self.manners, self.held = Turns(chance, MANNERS), Turns(chance, HELD_S)
        self.victims = {roles: Turns(chance, crew.playing(roles)) for roles in set(ROLES_OF.values())}

    def step(self, manner, key):
        more = self.held.next() if manner == HOLD else key not in NEVER_SILENT and self.chance.random() < 0.3
        return Step("fault", self.victims[ROLES_OF[key]].next(), (manner, key, more))

    def round(self):
        return [*(self.step(self.manners.next(), key) for key in NAMES), self.step(DUPLICATE, PRODUCE)]


def kills(minutes, crew, chance, others):
    """[Step]; `others` are killed by steps of another kind. Whom nobody else kills comes first."""
    hardly = [p for p in crew.foldlogs() if p not in crew.playing(ROLES_OF[JOIN])] + list(BACKENDS)
    down = Turns(chance, DOWN_S)
    victims = Turns(chance, hardly).take(len(hardly) * rounds_of(minutes))
    victims += Turns(chance, (*crew.foldlogs(), *BACKENDS)).take(max(0, kills_of(minutes) - others - len(victims)))
    return [Step("kill", v, (down.next(),)) for v in victims]


def cuts(minutes, crew, chance):
    machines, backends = Turns(chance, crew.machines()), Turns(chance, ("kafka", "kafka", "postgres", "sandbox"))
    return [Step("cut", machines.next(), (backends.next(), chance.random() < 0.5)) for _ in range(cuts_of(minutes))]


def steps_of(minutes, crew, chance):
    """[Step], in no order: what is promised, when every fault hits."""
    threes, foldlogs = threes_of(minutes), Turns(chance, crew.foldlogs())
    owners, faults, logs = Turns(chance, crew.playing(OWNERS)), Faults(crew, chance), Turns(chance, LOGS)
    steps = [Step("replace", v, room=3) for v in owners.take(2 * threes)]
    steps += [Step("restart", v, room=1.5) for v in owners.take(2 * threes)]
    for _ in range(rounds_of(minutes)):
        steps += faults.round()
    others = 4 * threes + len(OF_STARTS) * rounds_of(minutes)
    steps += kills(minutes, crew, chance, others) + cuts(minutes, crew, chance)
    steps += [Step("pause", v) for v in foldlogs.take(pauses_of(minutes))]
    steps += [Step("pause", v) for v in Turns(chance, BACKENDS).take(threes)]
    steps += [Step(what, logs.next()) for what in ("takeover", "echo") for _ in range(threes)]
    steps += [Step("starve", v) for v in foldlogs.take(threes)]
    return steps + [Step("full", v) for v in Turns(chance, ("kafka", "postgres")).take(threes)]


def plan(minutes, seed, crew):
    """[Step], in the order of their times."""
    chance = random.Random(f"{seed}/nemesis")
    steps = steps_of(minutes, crew, chance)
    chance.shuffle(steps)
    steps = steps[:math.ceil(len(steps) * min(1, minutes / PROMISING_MINUTES))]
    width = (60 * minutes - 10) / sum(s.room for s in steps)
    at, placed = 5, []
    for s in steps:
        placed.append(Step(s.what, s.whom, s.detail, s.room, at + chance.uniform(0, width * 0.5)))
        at += width * s.room
    return placed
