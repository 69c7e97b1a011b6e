"""How long a killed one's partitions were without an owner: from what the Foldlogs' own logs say of their takeovers."""
import json
import math
from dataclasses import dataclass, field
from datetime import datetime

RESTART_S = 0.5  # wanted, beside the start of the process
REPLACE_S = 6.5  # wanted: the session and half a second
SESSION_S = 6
REPLACE_MARGIN_S = 4  # to share the partitions out and to fold them; 3 s have been seen, with the longest logs
REPLACE_LIMIT_S = SESSION_S + REPLACE_MARGIN_S
# Of the median of restarts, from the process's start. What is not in snapshots is folded. Two cores under all
# of the load needed up to 1.1 s, with 70,000 records to fold 1.9 s: what doubles the fold of long logs is above it.
# What doubles a start on short logs is for `./dev bench restarts`, where nothing else runs.
RESTART_LIMIT_S, FOLD_LIMIT_S = 2, 25e-6  # and for each record


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
                at = datetime.fromisoformat(line["at"].replace("Z", "+00:00")).timestamp()
                found.append((at, line["fact"], line))
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
    folded: int = 0  # records that were read of those logs

    def complete(self):
        return bool(self.partitions) and set(self.taken) == self.partitions

    def end(self):
        return max(when for _, when in self.taken.values())

    def in_place(self):
        return self.complete() and all(who == self.whom for who, _ in self.taken.values())

    def replaced(self):
        return self.complete() and all(who != self.whom for who, _ in self.taken.values())

    def take(self, partition, who, when, length):
        if partition in self.partitions and partition not in self.taken:
            self.taken[partition] = who, when
            self.folded += length


def restart_limit(loss):
    return RESTART_LIMIT_S + loss.folded * FOLD_LIMIT_S


def losses(logs, history):
    """[Loss]. logs: {process: path}; history: {process: [(when, "kill" or "start")]}."""
    news = [(at, fact, process, f"{line.get('topic')}[{line.get('partition')}]", int(line.get("epoch", 0)) - int(line.get("from", 0)))
            for process, path in logs.items() for at, fact, line in facts_of(path, ("took_over", "started"))]
    news += [(at, what, process, None, 0) for process in logs for at, what in history[process]]
    holder, found, latest = {}, [], {}
    for at, what, process, partition, epoch in sorted(news, key=lambda n: n[0]):
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
                other.take(partition, process, at, epoch)
    return found


def undisturbed(loss, until, harms):
    return not any(begin < until and end > loss.at and not (whom == loss.whom and abs(begin - loss.at) < 1)
                   for begin, end, whom in harms)


def percentile(values, share):
    values = sorted(values)
    return values[max(0, math.ceil(share * len(values)) - 1)]


def spread(values):
    return f"p50 {percentile(values, 0.5):.2f} s, p99 {percentile(values, 0.99):.2f} s"


def restarts_of(found, harms):
    """Who came back at once and kept its partitions."""
    return [x for x in found if x.in_place() and x.started and x.serves and undisturbed(x, x.end(), harms)]


def absences_of(found, harms):
    """Who stayed away for so long that others had to have its partitions."""
    return [x for x in found if x.partitions and x.started and x.started - x.at >= REPLACE_LIMIT_S
            and undisturbed(x, x.started, harms)]


def lines_of(restarts, absences):
    """For people."""
    if restarts:
        yield (f"killed and started again, its partitions decide again: {len(restarts)} measured, from the kill "
               f"{spread([x.end() - x.at for x in restarts])}; from the process's start "
               f"{spread([x.end() - x.started for x in restarts])}, wanted {RESTART_S:g} s; "
               f"it listens {spread([x.serves - x.started for x in restarts])}; "
               f"{max(x.folded for x in restarts)} records folded at most")
    replaced = [x.end() - x.at for x in absences if x.replaced()]
    if replaced:
        yield (f"killed and replaced, others have all its partitions: {len(replaced)} measured, from the kill "
               f"{spread(replaced)}, wanted {REPLACE_S:g} s, at most {REPLACE_LIMIT_S:g} s")


def complaints_of(restarts, absences):
    if not restarts or not absences:
        yield f"times: {len(restarts)} restarts and {len(absences)} replacements were measured"
    for x in absences:
        if not x.replaced():
            yield (f"times: {x.whom} was away for {x.started - x.at:.1f} s, and by then others had "
                   f"{sum(when < x.started for _, when in x.taken.values())} of its {len(x.partitions)} partitions")
    if restarts and percentile([(x.end() - x.started) / restart_limit(x) for x in restarts], 0.5) > 1:
        yield "times: restarts took longer than is allowed at the median: " + ", ".join(
            f"{x.whom} {x.end() - x.started:.2f} of {restart_limit(x):.2f} s" for x in restarts)


def summary(logs, history, harms):
    """(lines for people, complaints)"""
    found = losses(logs, history)
    measured = restarts_of(found, harms), absences_of(found, harms)
    return list(lines_of(*measured)), list(complaints_of(*measured))
