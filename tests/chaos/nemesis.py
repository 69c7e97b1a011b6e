"""The hands that carry out a schedule, and the count of what they did."""
import glob
import os
import random
import shutil
import threading
import time
import uuid
from collections import Counter
from dataclasses import replace
from itertools import zip_longest

import records
from network import DUPLICATE, HOLD
from schedule import BACKENDS, MANNERS, NAMES, OF_STARTS, ROLES_OF, promises
from times import REPLACE_LIMIT_S

REPLACED_S = REPLACE_LIMIT_S  # killed and missed: others have its partitions by then
PAUSE_S = CUT_S = 9  # beyond the session
SILENT_S = 60  # a client of Kafka finds out by then that nobody answers any more
SHORT_S = 6  # without memory, or with a full disk
HIT_S = 5  # a request of the kind wanted comes within
START_HIT_S = 10  # the same, when its process has to start first
ECHOES = 8
SETTLED_S = 4  # so long after the end of a harm its effects may be felt
OWNERS = ("commands", "saga")
SPOILING = ("keep", "keep", "remove", "cut", "flip", "old", "old")  # what becomes of a snapshot
AGAIN = 3  # so often a fault that hit nothing is tried again, when all else is done


def spoil_file(path, how, chance):
    if how == "remove":
        os.remove(path)
    elif how == "cut":
        os.truncate(path, chance.randrange(os.path.getsize(path)))
    elif how == "flip":
        with open(path, "r+b") as file:
            at = chance.randrange(os.path.getsize(path))
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1 << chance.randrange(8)]))
    elif os.path.exists(f"{path}.old"):
        shutil.copy(f"{path}.old", path)
    else:
        shutil.copy(path, f"{path}.old")  # for the next time


class Nemesis:
    """`tell` prints a line about each step."""

    def __init__(self, crew, brokers, run, seed, tell):
        self.crew, self.processes, self.brokers, self.run, self.tell = crew, crew.processes, brokers, run, tell
        self.done = Counter()  # (what, whom)
        self.missed = []  # faults that hit nothing
        self.back = []  # timers that bring back what was hurt
        self.harms = []  # [from, to] by the wall clock, whom: all that was done to anybody
        self.chance = random.Random(seed)
        self.began = 0

    def carry_out(self, steps, over):
        """Until the last step, or until `over` is set."""
        self.began = time.monotonic()
        for step in steps:
            if over.wait(max(0, self.began + step.at - time.monotonic())):
                return
            self.take(step)
        for _ in range(AGAIN):
            again, self.missed = self.missed, []
            for step in again:
                self.calm()
                self.take(step)

    def take(self, step):
        self.say(f"{step.what} {step.whom} {' '.join(str(d) for d in step.detail)}")
        getattr(self, step.what)(step)

    def total(self, *whats):
        return sum(n for (what, _), n in self.done.items() if what in whats)

    def say(self, text):
        self.tell(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def harm(self, whom, seconds):
        """Written down, for whoever wants to know what a measurement was disturbed by."""
        self.harms.append((time.time(), time.time() + seconds + SETTLED_S, whom))

    def later(self, seconds, whom, action):
        """`whom`: a process, or the links that it is about."""
        timer = threading.Timer(seconds, action)
        timer.whom, timer.links = whom, whom if isinstance(whom, tuple) else ()
        timer.start()
        self.back.append(timer)

    def restore_now(self, whom):
        """It may still be hurt from the last time: it comes back first."""
        for timer in [t for t in self.back if t.whom == whom]:
            timer.join()
            self.back.remove(timer)

    # ---- processes ----

    def kill_for(self, whom, seconds, spoil=True):
        self.restore_now(whom)
        victim = self.processes[whom]
        self.harm(whom, seconds)
        victim.kill()
        if spoil and whom in self.crew.playing(OWNERS):
            self.spoil(self.crew.snapshots_of(whom))
        self.done["kill", whom] += 1
        self.later(seconds, whom, victim.start)

    def spoil(self, folder):
        """Of what it remembers something is broken, gone, or as old as at another time."""
        for path in sorted(glob.glob(f"{folder}/*.snapshot")):
            how = self.chance.choice(SPOILING)
            if how == "keep":
                continue
            try:
                spoil_file(path, how, self.chance)
            except (OSError, ValueError, IndexError):
                continue  # it was replaced meanwhile, or is empty
            self.done["spoil", how] += 1

    def kill(self, step):
        self.kill_for(step.whom, step.detail[0])

    def calm(self):
        """All is well for the moment."""
        for link in self.crew.all_links():
            link.call("mend")
        self.heal()
        self.crew.await_ready()

    def undisturbed(self, whom, seconds):
        """Nothing else goes wrong until it serves again: so the times mean something."""
        self.calm()
        self.harms = [(begin, min(end, time.time()), who) for begin, end, who in self.harms]
        time.sleep(SETTLED_S / 2)
        self.kill_for(whom, seconds, spoil=False)
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
        self.done["pause", step.whom] += 1
        self.later(PAUSE_S, step.whom, victim.resume)

    def starve(self, step):
        """No byte more of memory than it has. Who does not end by himself is killed."""
        self.restore_now(step.whom)
        victim = self.processes[step.whom]
        self.harm(step.whom, SHORT_S)
        victim.doomed = True
        victim.limit("as", victim.address_space())
        code = victim.ends_within(SHORT_S)
        self.done["starve", step.whom] += 1
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
        self.done["full", step.whom] += 1
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
        self.done["cut", backend] += 1
        self.later(CUT_S, links, lambda: [link.call("heal", broken=broken) for link in links])

    def fault(self, step):
        """To one request, when it comes. Some come from publishers that are active, some when a process starts."""
        what, key, more = step.detail
        starts = key in OF_STARTS
        tries = [step.whom] + [v for v in self.crew.playing(ROLES_OF[key]) if v != step.whom and not starts]
        for whom in tries:
            self.reach_broker(whom)
            link = self.crew.link(whom, "kafka")
            hits = link.call("forget")
            link.call("fault", what=what, api_key=key, silent=what != HOLD and more)
            if starts:
                self.kill_for(whom, 0.1)
            if self.await_hit(link, hits, START_HIT_S if starts else HIT_S):
                self.hit(link, whom, step)
                return
        self.say(f"no {NAMES[key]} came")
        self.missed.append(replace(step, whom=self.after(step.whom, ROLES_OF[key])))

    def after(self, whom, roles):
        """The next one, in turn: who has nothing to own or to publish just now sends less than others."""
        players = self.crew.playing(roles)
        return players[(players.index(whom) + 1) % len(players)]

    def reach_broker(self, whom):
        """Who has lost sight of the broker sends it nothing that could be hit."""
        self.await_broker()
        self.restore_now(whom)
        for links in [t.links for t in self.back if self.crew.link(whom, "kafka") in t.links]:
            self.restore_now(links)

    def await_hit(self, link, hits, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if link.call("hit_so_far") > hits:
                return True
            time.sleep(0.05)
        return link.call("forget") > hits

    def hit(self, link, whom, step):
        what, key, more = step.detail
        self.done["hit", NAMES[key]] += 1
        self.done[what, NAMES[key]] += 1
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
        self.done["takeover", step.whom] += 1

    def echo(self, step):
        """The last decisions of a log are written there once more, as by an owner who does not know that he no longer
        is one."""
        topic = f"{step.whom}.log"
        self.await_broker()
        ends = records.ends_of(self.brokers, topic)
        partition = max(ends, key=ends.get)
        last = records.read_last(self.brokers, topic, partition, ends[partition], ECHOES) if ends[partition] else []
        self.harm("all", 0)
        decisions = [r for r in last if r.key]
        for record in decisions:
            self.append(topic, partition, record.value, record.key.decode())
        self.say(f"the last {len(decisions)} decisions of {topic}[{partition}] once more")
        self.done["echo", step.whom] += bool(decisions)

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
        had = [(p, sum(self.done[p.what, w] for w in p.whom)) for p in promises(minutes, self.crew)]
        return [f"{p}: only {n} of {p.least} promised" for p, n in had if n < p.least]

    def table(self):
        """[line]: what happened to whom, and how often; each kind of process and of request has its row."""
        kinds = [("killed", w, self.done["kill", w]) for w in (*self.crew.foldlogs(), *BACKENDS)]
        keys = [("hit", n, self.done["hit", n]) for n in NAMES.values()]
        others = [("requests", m, self.total(m)) for m in (*MANNERS, DUPLICATE)]
        others += [("cut off", w, self.done["cut", w]) for w in BACKENDS]
        others += [("paused", w, self.done["pause", w]) for w in BACKENDS]
        others += [("Foldlogs", w, sum(self.done[w, p] for p in self.crew.foldlogs())) for w in ("pause", "starve")]
        others += [("disk full", w, self.done["full", w]) for w in ("kafka", "postgres")]
        others += [("logs", w, self.total(w)) for w in ("takeover", "echo")]
        others += [("snapshots", w, self.done["spoil", w]) for w in ("remove", "cut", "flip", "old")]
        rows = zip_longest(kinds, keys, others, fillvalue=("", "", ""))
        return ["  ".join(f"{what:<9} {whom:<22}{n:>3}" for what, whom, n in row).rstrip() for row in rows]
