"""What the clients did and were told, one JSON line per fact, in the order in which it became known."""
import json
import threading
import time

INVOKED, OK, ACCEPTED, REFUSED, UNKNOWN, DECIDED, DENIED = (
    "invoked", "ok", "accepted", "refused", "unknown", "decided", "denied")
READ, UNREAD = "read", "unread"  # of what the operation wrote, at once or later


def tells_of_effect(what, fact):
    return what == OK or (what == DECIDED and fact["answer"]["status"] == "accepted")


class History:
    def __init__(self, path):
        self.file = open(path, "w", encoding="utf-8", buffering=1)
        self.lock = threading.Lock()
        self.count = 0
        self.accepted = set()  # operations that took effect, as their client was told

    def operation(self, kind, service, method, path, body, key, more=None):
        """A number for something that a client wants done; its tries all carry the same key."""
        with self.lock:
            self.count += 1
            number = self.count
        self.add(number, "operation", kind=kind, service=service, method=method, path=path, body=body, key=key,
                 **(more or {}))
        return number

    def add(self, number, what, **more):
        line = json.dumps({"op": number, "what": what, "at": time.time(), **more})
        with self.lock:
            self.file.write(line + "\n")
            if tells_of_effect(what, more):
                self.accepted.add(number)

    def close(self):
        self.file.close()


class Operation:
    """One operation, with everything that its tries were told."""

    def __init__(self, line):
        self.number, self.kind, self.service = line["op"], line["kind"], line["service"]
        self.began = line["n"]
        self.method, self.path, self.body, self.key = line["method"], line["path"], line["body"], line["key"]
        self.reuses = line.get("reuses")  # the operation whose key it sends with another body
        self.facts = []

    def told(self, what):
        return [f for f in self.facts if f["what"] == what]

    def took_effect(self):
        return any(tells_of_effect(f["what"], f) for f in self.facts)

    def resolved(self):
        return bool(self.told(OK) or self.told(REFUSED) or self.told(DECIDED))

    def command_ids(self):
        return {f["answer"]["command_id"] for f in self.told(OK) + self.told(ACCEPTED)}

    def __str__(self):
        return f"operation {self.number} ({self.kind} {self.path}, key {self.key})"


def read_history(lines):
    """[Operation]; each fact with its number in the order in which all became known."""
    operations = {}
    for n, line in enumerate(lines):
        fact = {**(json.loads(line) if isinstance(line, str) else line), "n": n}
        if fact["what"] == "operation":
            operations[fact["op"]] = Operation(fact)
        else:
            operations[fact["op"]].facts.append(fact)
    return list(operations.values())
