"""What goes wrong, and when: a schedule that a seed decides, and the hands that carry it out."""
import math
import random
import threading
import time
import uuid
from dataclasses import dataclass

import records
from network import DUPLICATE, HOLD, LOSE_ANSWER, LOSE_REQUEST

BACKENDS = ("kafka", "postgres", "sandbox")
LOGS = ("order", "payment", "inventory", "fulfilment", "product")
DOWN_S = (0.1, 1, 3, 8)  # how long a killed one stays away; the last is beyond the session
REPLACED_S = 8  # killed and missed: others have its partitions by then
PAUSE_S = CUT_S = 9  # beyond the session of 6 s
HELD_S = (0.4, 3, 9, 25)  # the last is beyond the time limit of an append
SILENT_S = 60  # a client of Kafka finds out by then that nobody answers any more
SHORT_S = 6  # without memory, or with a full disk
HIT_S = 5  # a request of the kind wanted comes within
ECHOES = 8
SETTLED_S = 4  # so long after the end of a harm its effects may be felt

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
OFTEN = (PRODUCE, FETCH, HEARTBEAT)
ROLES_OF = {PRODUCE: ("commands", "saga", "api", "publisher"), FETCH: ("commands", "saga", "projections", "publisher"),
            HEARTBEAT: ("commands", "saga"), **{k: ("commands", "saga", "publisher") for k in OF_STARTS},
            **{k: ("publisher",) for k in OF_PUBLISHERS}}


@dataclass(frozen=True)
class Step:
    what: str  # a method of Nemesis
    whom: str
    detail: tuple = ()
    room: float = 1  # time until the next step, as a share
    at: float = 0  # seconds from the start


@dataclass(frozen=True)
class Promise:
    """The least that a run of so many minutes does."""
    kills: int
    pauses: int  # of Foldlogs
    faults: int  # of the network

    @staticmethod
    def of(minutes):
        return Promise(math.ceil(3.3 * minutes), max(1, round(minutes / 2)), math.ceil(1.2 * minutes))


# ---- the schedule ----

def a_kill(chance, victim):
    return Step("kill", victim, (chance.choice(DOWN_S),))


def a_fault(chance, what, crew):
    """`what`: cut, or what may happen to a single request."""
    if what == "cut":
        return Step("cut", chance.choice(crew.machines()),
                    (chance.choice(("kafka", "kafka", "postgres", "sandbox")), chance.random() < 0.5))
    keys = (PRODUCE,) if what == DUPLICATE else OFTEN + OF_STARTS + OF_PUBLISHERS
    key = chance.choice(chance.choice((OFTEN, OF_STARTS, OF_PUBLISHERS))) if len(keys) > 1 else PRODUCE
    victims = crew.playing(ROLES_OF[key])
    more = (chance.choice(HELD_S),) if what == HOLD else (chance.random() < 0.3,)
    return Step("fault", chance.choice(victims), (what, key, *more))


def steps_of(minutes, crew, chance):
    """[Step], in no order: somewhat more than is promised."""
    promise = Promise.of(minutes)
    owners = crew.playing(("commands", "saga"))
    rounds = max(1, int(minutes // 3))
    alone = [Step("replace", v, room=2) for v in chance.sample(owners * rounds, min(len(owners) * rounds, 2 * rounds))]
    alone += [Step("restart", chance.choice(owners), room=0.7) for _ in range(2 * rounds)]
    kinds = list(crew.foldlogs() + BACKENDS)
    kills = max(0, promise.kills + round(minutes) - len(alone))
    chance.shuffle(kinds)
    victims = kinds[:kills] + [chance.choice(list(crew.foldlogs()) * 2 + kinds) for _ in range(kills - len(kinds))]
    steps = alone + [a_kill(chance, v) for v in victims]
    steps += [Step("pause", chance.choice(crew.foldlogs())) for _ in range(promise.pauses)]
    steps += [Step("pause", chance.choice(BACKENDS)) for _ in range(int(minutes // 3))]
    steps += [Step(what, chance.choice(LOGS)) for what in ("takeover", "echo") for _ in range(rounds)]
    steps += [Step("starve", chance.choice(crew.foldlogs())) for _ in range(rounds)]
    steps += [Step("full", full) for full in chance.sample(("kafka", "postgres") * rounds, rounds)]
    what = ["cut", HOLD, LOSE_ANSWER, DUPLICATE, LOSE_REQUEST]
    faults = promise.faults + max(1, round(minutes / 2))
    what += [chance.choice(("cut", HOLD, HOLD, LOSE_ANSWER, LOSE_REQUEST, DUPLICATE)) for _ in range(faults - len(what))]
    return steps + [a_fault(chance, w, crew) for w in what[:faults]]


def plan(minutes, seed, crew):
    """[Step], in the order of their times."""
    chance = random.Random(f"{seed}/nemesis")
    steps = steps_of(minutes, crew, chance)
    chance.shuffle(steps)
    width = (60 * minutes - 10) / sum(s.room for s in steps)
    at, placed = 5, []
    for s in steps:
        placed.append(Step(s.what, s.whom, s.detail, s.room, at + chance.uniform(0, width * 0.5)))
        at += width * s.room
    return placed


# ---- the hands ----

class Nemesis:
    """`tell` prints a line about each step."""

    def __init__(self, crew, brokers, run, tell):
        self.crew, self.processes, self.brokers, self.run, self.tell = crew, crew.processes, brokers, run, tell
        self.kills = self.pauses = self.faults = self.others = 0
        self.pauses_of_foldlogs = 0
        self.back = []  # timers that bring back what was hurt
        self.harms = []  # [from, to] by the wall clock, whom: all that was done to anybody
        self.began = 0

    def carry_out(self, steps, over):
        """Until the last step, or until `over` is set."""
        self.began = time.monotonic()
        for step in steps:
            if over.wait(max(0, self.began + step.at - time.monotonic())):
                return
            self.say(f"{step.what} {step.whom} {' '.join(str(d) for d in step.detail)}")
            getattr(self, step.what)(step)

    def say(self, text):
        self.tell(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def harm(self, whom, seconds):
        """Written down, for whoever wants to know what a measurement was disturbed by."""
        self.harms.append((time.time(), time.time() + seconds + SETTLED_S, whom))

    def later(self, seconds, whom, action):
        timer = threading.Timer(seconds, action)
        timer.whom = whom
        timer.start()
        self.back.append(timer)

    def restore_now(self, whom):
        """It may still be hurt from the last time: it comes back first."""
        for timer in [t for t in self.back if t.whom == whom]:
            timer.join()
            self.back.remove(timer)

    # ---- processes ----

    def kill_for(self, whom, seconds):
        self.restore_now(whom)
        victim = self.processes[whom]
        self.harm(whom, seconds)
        victim.kill()
        self.kills += 1
        self.later(seconds, whom, victim.start)

    def kill(self, step):
        self.kill_for(step.whom, step.detail[0])

    def undisturbed(self, whom, seconds):
        """Nothing else goes wrong until it serves again: so the times mean something."""
        for link in self.crew.all_links():
            link.call("mend")
        self.heal()
        self.crew.await_ready()
        self.harms = [(begin, min(end, time.time()), who) for begin, end, who in self.harms]
        time.sleep(SETTLED_S / 2)
        self.kill_for(whom, seconds)
        self.heal()
        self.processes[whom].wait_ready(30)

    def restart(self, step):
        self.undisturbed(step.whom, 0.1)

    def replace(self, step):
        self.undisturbed(step.whom, REPLACED_S)

    def pause(self, step):
        self.restore_now(step.whom)
        victim = self.processes[step.whom]
        self.harm(step.whom, PAUSE_S)
        victim.pause()
        self.pauses += 1
        self.pauses_of_foldlogs += step.whom not in BACKENDS
        self.later(PAUSE_S, step.whom, victim.resume)

    def starve(self, step):
        """No byte more of memory than it has. Who does not end by himself is killed."""
        self.restore_now(step.whom)
        victim = self.processes[step.whom]
        self.harm(step.whom, SHORT_S)
        victim.doomed = True
        victim.limit("as", victim.address_space())
        code = victim.ends_within(SHORT_S)
        self.others += 1
        self.say(f"{step.whom} " + ("went on without memory" if code is None else f"ended with {code}"))
        if code is None:
            self.kill_for(step.whom, 0.1)

    def full(self, step):
        """Its disk takes nothing more; after a while there is room again."""
        self.restore_now(step.whom)
        victim = self.processes[step.whom]
        self.harm(step.whom, SHORT_S)
        victim.doomed = True
        victim.limit("fsize", 0)
        code = victim.ends_within(SHORT_S)
        self.others += 1
        self.say(f"{step.whom} " + ("went on with a full disk" if code is None else f"ended with {code}"))
        if code is None:
            victim.limit("fsize", "unlimited")
            victim.doomed = False

    # ---- the network ----

    def cut(self, step):
        """A machine sees one of its backends no more: nothing comes and nobody says so."""
        backend, broken = step.detail
        links = self.crew.links(step.whom, backend)
        self.restore_now(links)
        for link in links:
            self.harm(link.process, CUT_S)
            link.call("cut")
        self.faults += 1
        self.later(CUT_S, links, lambda: [link.call("heal", broken=broken) for link in links])

    def fault(self, step):
        """To one request, when it comes. Some come from publishers that are active, some when a process starts."""
        what, key, more = step.detail
        tries = [step.whom] + [v for v in self.crew.playing(ROLES_OF[key]) if v != step.whom]
        for whom in tries if key not in OF_STARTS else tries[:1]:
            link = self.crew.link(whom, "kafka")
            hits = link.call("forget")
            link.call("fault", what=what, api_key=key, silent=what != HOLD and more)
            if key in OF_STARTS:
                self.kill_for(whom, 0.1)
            if self.await_hit(link, hits):
                self.hit(link, whom, step)
                return
        self.say(f"no {NAMES[key]} came")

    def await_hit(self, link, hits):
        end = time.monotonic() + HIT_S
        while time.monotonic() < end:
            if link.call("hit_so_far") > hits:
                return True
            time.sleep(0.05)
        return link.call("forget") > hits

    def hit(self, link, whom, step):
        what, key, more = step.detail
        self.faults += 1
        self.harm(whom, more if what == HOLD else SILENT_S * more)
        if what == HOLD:
            link.call("release", after=more)
        self.say(f"{NAMES[key]} of {whom}: {what}")

    # ---- foreign records ----

    def takeover(self, step):
        """Somebody nobody knows announces himself in a log that is being written, and does nothing more."""
        topic, nonce = f"{step.whom}.log", uuid.uuid4()
        self.await_broker()
        partition = nonce.int % records.partitions_of(self.brokers, topic)
        self.harm("all", 0)
        self.append(topic, partition, records.write_takeover(nonce, "somebody else", int(time.time() * 1e6)))
        self.say(f"foreign TAKEOVER in {topic}[{partition}]")
        self.others += 1

    def echo(self, step):
        """The last decisions of a log are written there once more, as by an owner who does not know that he no longer
        is one."""
        topic = f"{step.whom}.log"
        self.await_broker()
        ends = records.ends_of(self.brokers, topic)
        partition = max(ends, key=ends.get)
        last = records.read_last(self.brokers, topic, partition, ends[partition], ECHOES) if ends[partition] else []
        self.harm("all", 0)
        for record in last:
            if record.key:
                self.append(topic, partition, record.value, record.key.decode())
        self.say(f"the last decisions of {topic}[{partition}] once more")
        self.others += 1

    def await_broker(self):
        self.restore_now("kafka")
        self.processes["kafka"].wait_ready(60)

    def append(self, topic, partition, data, key=None):
        path = f"{self.run}/foreign.bin"
        with open(path, "wb") as f:
            f.write(data)
        records.append_bytes(self.brokers, topic, partition, path, key)

    # ---- the end ----

    def heal(self):
        """Everything that was hurt is back."""
        for timer in self.back:
            timer.join()
        self.back = []

    def give_up(self):
        """Nothing is brought back any more."""
        for timer in self.back:
            timer.cancel()
            timer.join()

    def broken_promises(self, minutes):
        """What was promised and did not happen, in words."""
        promise = Promise.of(minutes)
        had = {"kills": self.kills, "pauses": self.pauses_of_foldlogs, "faults": self.faults}
        return [f"only {had[n]} {n} of {getattr(promise, n)} promised" for n in had if had[n] < getattr(promise, n)]
