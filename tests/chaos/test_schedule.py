"""Every seed's plan holds what a run promises, when every fault hits; and a promise that is not kept is told."""
import os
import sys
from collections import Counter

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from crew import BACKENDS, MACHINES, ROLES  # noqa: E402
from nemesis import Nemesis  # noqa: E402
from schedule import NAMES, OF_STARTS, plan, promises  # noqa: E402

SEEDS = 300
MINUTES = (3, 5, 10, 30)


class Crew:
    """Names only."""
    processes = {}
    roles = {MACHINES[0]: ROLES, **{f"{MACHINES[1]}-{r}": (r,) for r in ROLES}}

    def foldlogs(self):
        return tuple(self.roles)

    def machines(self):
        return MACHINES

    def playing(self, roles):
        return [p for p, mine in self.roles.items() if set(mine) & set(roles)]


def done_by(steps):
    """What Nemesis would count."""
    done = Counter()
    for s in steps:
        if s.what == "fault":
            manner, key, _ = s.detail
            done["hit", NAMES[key]] += 1
            done[manner, NAMES[key]] += 1
            done["kill", s.whom] += key in OF_STARTS
        elif s.what == "cut":
            done["cut", s.detail[0]] += 1
        else:
            done["kill" if s.what in ("restart", "replace") else s.what, s.whom] += 1
    return done


def hands_that_did(done):
    hands = Nemesis(Crew(), "", "", 1, print)
    hands.done = done
    return hands


def check_plans():
    for minutes in MINUTES:
        for seed in range(SEEDS):
            steps = plan(minutes, seed, Crew())
            yield minutes, seed, hands_that_did(done_by(steps)).broken_promises(minutes)
            late = [s for s in steps if s.at > 60 * minutes]
            yield minutes, seed, [f"{s} is too late" for s in late]


def check_promises():
    """Whatever one of them counts is left undone: it must be found."""
    done = done_by(plan(3, 1, Crew()))
    for promise in promises(3, Crew()):
        less = Counter({k: n for k, n in done.items() if k[0] != promise.what or k[1] not in promise.whom})
        if not any(line.startswith(f"{promise}:") for line in hands_that_did(less).broken_promises(3)):
            yield f"{promise} was not missed"
    table, names = "\n".join(hands_that_did(done).table()), (*Crew.roles, *BACKENDS, *NAMES.values())
    yield from (f"{name} is not in the table" for name in names if name not in table)


def main():
    found = [f"{minutes} minutes, seed {seed}: {line}" for minutes, seed, lines in check_plans() for line in lines]
    found += check_promises()
    print("\n".join(found[:20]) or f"{len(MINUTES) * SEEDS} plans hold what is promised")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
