"""Who is missed for too long must be found; who comes back in time must not."""
import sys

from times import REPLACE_LIMIT_S, Loss, absences_of, complaints_of, lines_of, restarts_of

PARTITIONS = ("order.log[0]", "order.log[1]")


def loss(whom, started, ends, who=None, folded=1000):
    """Killed at 100 s; all else in seconds after that."""
    one = Loss(whom, 100, set(PARTITIONS), 100 + started, 100 + started + 0.1)
    for partition, end in zip(PARTITIONS, ends):
        one.take(partition, who or whom, 100 + end, folded)
    return one


BACK, AWAY = loss("a", 0.1, (0.5, 0.6)), loss("a", REPLACE_LIMIT_S, (6.5, 6.9), "b")
SLOW = loss("a", 0.1, (1.5, 4.2))
LONG_LOG, DOUBLED = (loss("a", 0.1, (1, s), folded=60000) for s in (2.6, 5.3))
CASES = (  # losses, harms, words of a complaint
    ((BACK, AWAY), (), None),
    ((BACK, LONG_LOG, AWAY), (), None),
    ((BACK, BACK, SLOW, AWAY), (), None),
    ((BACK, SLOW, SLOW, AWAY), (), "restarts took longer"),
    ((DOUBLED, AWAY), (), "restarts took longer"),
    ((SLOW, BACK, AWAY), ((101, 102, "kafka"),), "1 restarts and 0 replacements"),
    ((SLOW, BACK, AWAY), ((100.1, 103, "a"),), None),
    ((BACK,), (), "0 replacements"),
    ((BACK, loss("a", REPLACE_LIMIT_S, (6.5,), "b")), (), "others had 1 of its 2 partitions"),
    ((BACK, loss("a", REPLACE_LIMIT_S, (10.5, 10.9), "a")), (), "others had 0 of its 2 partitions"),
)


def main():
    failed = 0
    for n, (found, harms, words) in enumerate(CASES):
        measured = restarts_of(found, harms), absences_of(found, harms)
        told = list(complaints_of(*measured))
        good = any(words in line for line in told) if words else not told and len(list(lines_of(*measured))) == 2
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'}  {n}: {told}")
    print(f"{len(CASES)} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
