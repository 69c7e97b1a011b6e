"""What clients read: what they have just written, by the position that the answer gave them, as a rule from the
instance that they did not write to; and the same again later."""
import http.client
import time

import history as h

PATHS = {"order": "/v1/orders/{}", "inventory": "/v1/inventory/{}", "product": "/v1/products/{}"}
SHOWN = {"order": ("status", "reason"), "inventory": ("on_hand", "reserved", "committed", "received", "adjusted"),
         "product": ("status", "price")}
REMEMBERED = 16
TRIES = 3
WAIT = "wait=2"
ELSEWHERE = 0.8  # how often the first try goes to another instance than was written to


class Reader:
    """Of one client. `share`: how many of its writes it reads at once."""

    def __init__(self, shop, number, lines, chance, share):
        self.shop, self.number, self.lines, self.chance, self.share = shop, number, lines, chance, share
        self.written = {}  # (service, id) -> (operation, position, who answered), the latest last

    def wrote(self, op, service, target, answer):
        _, before, _ = self.written.pop((service, target), (None, "::-1", None))
        position = max(before, answer.headers["foldlog-position"], key=offset_of)
        self.written[service, target] = op, position, answer.instance
        if len(self.written) > REMEMBERED:
            del self.written[next(iter(self.written))]
        if self.chance.random() < self.share:
            elsewhere = self.chance.random() < ELSEWHERE
            self.read(service, target, answer.instance if elsewhere else None)

    def sometimes(self):
        """What was written a while ago; others may have changed it since."""
        if self.written and self.chance.random() < self.share / 2:
            self.read(*self.chance.choice(list(self.written)))

    def read(self, service, target, avoid=None):
        """The one to avoid is avoided once. What nobody answers is written down as unread."""
        op, position, wrote_to = self.written[service, target]
        asked = {"client": self.number, "service": service, "id": target, "position": position, "wrote_to": wrote_to}
        why = ""
        for _ in range(TRIES):
            instance = self.chance.choice([i for i in self.shop.instances if i != avoid])
            answer, why = self.ask(instance, service, target, position)
            if answer:
                self.shop.history.add(op, h.READ, instance=instance, status=answer.status,
                                      etag=answer.headers.get("etag"), **asked, **shown(service, answer.json))
                return
            avoid = None
            time.sleep(self.chance.uniform(0.05, 0.5))
        self.shop.history.add(op, h.UNREAD, why=why, **asked)

    def ask(self, instance, service, target, position):
        """(answer or None, why there is none)"""
        try:
            answer = self.lines.call(instance, "GET", PATHS[service].format(target),
                                     headers={"Foldlog-Min-Position": position, "Prefer": WAIT})
        except (OSError, http.client.HTTPException) as e:
            return None, type(e).__name__
        return (answer, None) if answer.status < 500 else (None, f"{answer.status} {answer.code()}")


def offset_of(position):
    return int(position.rsplit(":", 1)[1])


def shown(service, body):
    """What the log must say too."""
    return {"version": body.get("version", 0), "seen": {name: body.get(name) for name in SHOWN[service]}}
