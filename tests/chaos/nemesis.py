"""What goes wrong, and when: a schedule that a seed decides, and the hands that carry it out."""
import random
import threading
import time
import uuid
from dataclasses import dataclass

import records

KILLS_A_MINUTE = 4
VICTIMS = ("foldlog-a", "foldlog-b", "kafka", "postgres")  # each at least once where there is room
MORE_VICTIMS = ("foldlog-a", "foldlog-b", "foldlog-a", "foldlog-b", "kafka", "postgres", "sandbox")
DOWN_S = (0.1, 1, 3, 8)  # how long a killed one stays away; the last is beyond the session
ECHOES = 8
PAUSE_EVERY_S = 180
PAUSE_S = 9  # beyond the session of 6 s
LOGS = ("order", "payment", "inventory", "fulfilment", "product")


@dataclass(frozen=True)
class Step:
    at: float  # seconds from the start
    what: str  # kill, pause, takeover, echo
    whom: str
    down: float = 0.0


def plan(seconds, seed):
    """[Step]: about four kills a minute, one pause of an instance, every three minutes one of what it
    needs, one foreign TAKEOVER, one echo of a former owner; evenly spread, with chance."""
    chance = random.Random(f"{seed}/nemesis")
    kills = max(2, round(seconds / 60 * KILLS_A_MINUTE))
    victims = list(VICTIMS * 2 + ("sandbox",))[:kills]
    victims += [chance.choice(MORE_VICTIMS) for _ in range(kills - len(victims))]
    steps = [("kill", v) for v in victims]
    steps += [("pause", chance.choice(("foldlog-a", "foldlog-b"))), ("takeover", chance.choice(LOGS)),
              ("echo", chance.choice(LOGS))]
    steps += [("pause", chance.choice(("kafka", "postgres", "sandbox"))) for _ in range(int(seconds // PAUSE_EVERY_S))]
    chance.shuffle(steps)
    width = (seconds - 10) / len(steps)
    return [Step(5 + width * i + chance.uniform(0, width * 0.8), what, whom, chance.choice(DOWN_S))
            for i, (what, whom) in enumerate(steps)]


class Nemesis:
    """`tell` prints a line about each step."""

    def __init__(self, processes, brokers, run, tell):
        self.processes, self.brokers, self.run, self.tell = processes, brokers, run, tell
        self.kills = self.pauses = self.faults = 0
        self.back = []  # timers that start killed ones again

    def carry_out(self, steps, over):
        """Until the last step, or until `over` is set."""
        began = time.monotonic()
        for step in steps:
            if over.wait(max(0, began + step.at - time.monotonic())):
                return
            self.tell(f"{time.monotonic() - began:6.1f} s  {step.what} {step.whom}")
            getattr(self, step.what)(step)

    def kill(self, step):
        victim = self.processes[step.whom]
        self.restore_now(victim)
        victim.kill()
        self.kills += 1
        self.later(step.down, victim, victim.start)

    def later(self, seconds, victim, action):
        timer = threading.Timer(seconds, action)
        timer.victim = victim
        timer.start()
        self.back.append(timer)

    def restore_now(self, victim):
        """It may still be away from the last time: it comes back first."""
        for timer in [t for t in self.back if t.victim is victim]:
            timer.join()
            self.back.remove(timer)

    def pause(self, step):
        victim = self.processes[step.whom]
        self.restore_now(victim)
        victim.pause()
        self.pauses += 1
        self.later(PAUSE_S, victim, victim.resume)

    def takeover(self, step):
        """Somebody nobody knows announces himself in a log that is being written, and does nothing more."""
        topic, nonce = f"{step.whom}.log", uuid.uuid4()
        self.await_broker()
        partition = nonce.int % records.partitions_of(self.brokers, topic)
        self.append(topic, partition, records.write_takeover(nonce, "somebody else", int(time.time() * 1e6)))
        self.tell(f"          foreign TAKEOVER in {topic}[{partition}]")
        self.faults += 1

    def echo(self, step):
        """The last decisions of a log are written there once more, as by an owner who does not know that he no longer
        is one."""
        topic = f"{step.whom}.log"
        self.await_broker()
        found = records.read_topic(self.brokers, topic)
        partition = max(found, key=lambda p: len(found[p]))
        for record in found[partition][-ECHOES:]:
            if record.key:
                self.append(topic, partition, record.value, record.key.decode())
        self.tell(f"          the last decisions of {topic}[{partition}] once more")
        self.faults += 1

    def await_broker(self):
        self.restore_now(self.processes["kafka"])
        self.processes["kafka"].wait_ready(60)

    def append(self, topic, partition, data, key=None):
        path = f"{self.run}/foreign.bin"
        with open(path, "wb") as f:
            f.write(data)
        records.append_bytes(self.brokers, topic, partition, path, key)

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
