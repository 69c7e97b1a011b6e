"""Buyers who send each order again, under the same key, until somebody takes it: over kills and restarts."""
import http.client
import threading
import time

METHODS = ("ok", "ok", "ok", "slow:100", "error:1", "declined", "duplicate-response")


class Crowd:
    def __init__(self, foldlog, skus, word="order"):
        """word: part of the keys, another for each crowd of a Foldlog."""
        self.foldlog, self.skus, self.word = foldlog, skus, word
        self.taken = {}  # order number -> set of ids it was answered with
        self.lock = threading.Lock()

    def body(self, n):
        lines = [(self.skus[n % len(self.skus)], 1 + n % 2), (self.skus[(n + 1) % len(self.skus)], 1)]
        return self.foldlog.order_body(*lines, method=METHODS[n % len(METHODS)])

    def buy(self, n):
        key, end = f"{self.foldlog.run}-{self.word}-{n}", time.monotonic() + 120
        while time.monotonic() < end:
            try:
                answer = self.foldlog.post("/v1/orders", self.body(n), key)
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            if answer.status == 201:
                with self.lock:
                    self.taken.setdefault(n, set()).add(answer["id"])
                return
            if answer.status not in (202, 503):
                raise SystemExit(f"FAIL  order {n}: {answer!r}")
            time.sleep(0.05)

    def wait_for(self, count, buyers):
        """Until so many orders are taken; a buyer's failure ends it."""
        while len(self.taken) < count:
            for buyer in buyers:
                if buyer.done():
                    buyer.result()
            time.sleep(0.005)
