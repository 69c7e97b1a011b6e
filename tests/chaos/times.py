"""How long a killed one's partitions were without an owner: from what the Foldlogs' own logs say of their takeovers."""
import json
import math
from dataclasses import dataclass, field
from datetime import datetime

RESTART_S = 0.5  # wanted, beside the start of the process
REPLACE_S = 6.5  # wanted: the session and half a second


def facts_of(path, names):
    """[(at, fact, line)] of a log; lines cut short by a kill are left out."""
    found = []
    with open(path, encoding="utf-8", errors="replace") as f:
        for text in f:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if line.get("fact") in names:
                found.append((datetime.fromisoformat(line["at"].replace("Z", "+00:00")).timestamp(), line["fact"], line))
    return found


@dataclass
class Loss:
    """A killed owner, and who had its partitions afterwards."""
    whom: str
    at: float
    partitions: set
    started: float = None  # its process, again
    serves: float = None  # that process said that it has started
    taken: dict = field(default_factory=dict)  # partition -> (who, when), the first after the kill

    def complete(self):
        return bool(self.partitions) and set(self.taken) == self.partitions

    def end(self):
        return max(when for _, when in self.taken.values())

    def in_place(self):
        return self.complete() and all(who == self.whom for who, _ in self.taken.values())

    def replaced(self):
        return self.complete() and all(who != self.whom for who, _ in self.taken.values())


def losses(logs, history):
    """[Loss]. logs: {process: path}; history: {process: [(when, "kill" or "start")]}."""
    news = [(at, fact, process, f"{line.get('topic')}[{line.get('partition')}]")
            for process, path in logs.items() for at, fact, line in facts_of(path, ("took_over", "started"))]
    news += [(at, what, process, None) for process in logs for at, what in history[process]]
    holder, found, latest = {}, [], {}
    for at, what, process, partition in sorted(news, key=lambda n: n[0]):
        loss = latest.get(process)
        if what == "kill":
            loss = latest[process] = Loss(process, at, {p for p, who in holder.items() if who == process})
            found.append(loss)
        elif what == "start" and loss and loss.started is None:
            loss.started = at
        elif what == "started" and loss and loss.started and loss.serves is None:
            loss.serves = at
        elif what == "took_over":
            holder[partition] = process
            for other in latest.values():
                if partition in other.partitions:
                    other.taken.setdefault(partition, (process, at))
    return found


def undisturbed(loss, harms):
    return not any(begin < loss.end() and end > loss.at and not (whom == loss.whom and abs(begin - loss.at) < 1)
                   for begin, end, whom in harms)


def percentile(values, share):
    values = sorted(values)
    return values[max(0, math.ceil(share * len(values)) - 1)]


def line_of(what, values, wanted):
    if not values:
        return f"{what}: not measured"
    return (f"{what}: {len(values)} measured, p50 {percentile(values, 0.5):.2f} s, p99 {percentile(values, 0.99):.2f} s, "
            f"wanted {wanted:g} s")


def summary(logs, history, harms):
    """Lines for people."""
    alone = [x for x in losses(logs, history) if x.complete() and undisturbed(x, harms)]
    in_place = [x for x in alone if x.in_place() and x.started and x.serves]
    lines = [line_of("killed and started again, its partitions decide again, from the process's start",
                     [x.end() - x.started for x in in_place], RESTART_S)]
    if in_place:
        lines[0] += f"; of these p50 {percentile([x.serves - x.started for x in in_place], 0.5):.2f} s until it listens"
    return lines + [line_of("killed and replaced, others have all its partitions, from the kill",
                            [x.end() - x.at for x in alone if x.replaced()], REPLACE_S)]
