"""Clients of the shop, as right clients are: what was not answered is sent again under its key, to whichever instance,
until an answer comes."""
import http.client
import json
import random
import threading
import time
import uuid

import history as h
from reads import Reader

CALL_S = 8  # a paused instance answers nobody
PAUSE_S = 0.4  # between two operations of a client, on average
CLERK_PAUSE_S = 0.1
CONTENT = {"Content-Type": "application/json"}


class Answer:
    def __init__(self, instance, got, body):
        self.instance, self.status = instance, got.status
        self.headers = {k.lower(): v for k, v in got.getheaders()}
        self.json = json.loads(body) if body else {}

    def code(self):
        return str(self.json.get("type", "")).rsplit("/", 1)[-1]


class Lines:
    """One kept connection to each instance; only for one thread."""

    def __init__(self, ports):
        self.ports, self.open = ports, {}

    def call(self, instance, method, path, body=None, headers=None, timeout=CALL_S):
        """Raises OSError or HTTPException when no whole answer came."""
        line = self.open.pop(instance, None)
        if line is None:
            line = http.client.HTTPConnection("127.0.0.1", self.ports[instance], timeout=timeout)
        data = None if body is None else json.dumps(body).encode()
        line.request(method, path, data, (CONTENT if data else {}) | (headers or {}))
        got = line.getresponse()
        answer = Answer(instance, got, got.read())
        if not got.will_close:
            self.open[instance] = line
        return answer

    def close(self):
        for line in self.open.values():
            line.close()


class Shop:
    """What all clients know, and when they are to stop."""

    def __init__(self, ports, history, seed):
        self.ports, self.history, self.seed = ports, history, seed
        self.instances = list(ports)
        self.stop = threading.Event()  # begin nothing new
        self.give_up_at = None  # set when all is healed: an answer must come by then
        self.lock = threading.Lock()
        self.skus, self.orders = [], []
        self.discontinued = None
        self.run = uuid.uuid4().hex[:8]

    def may_go_on(self):
        return self.give_up_at is None or time.monotonic() < self.give_up_at


class Client:
    pause_s = PAUSE_S
    wants = {"order": 70, "receipt": 7, "adjustment": 4, "price": 4, "product": 1, "cancel": 4, "ship": 10}  # how often
    receipt_end = 60
    reads = 0.3  # of what it writes

    def __init__(self, shop, number):
        self.shop, self.number = shop, number
        self.chance = random.Random(f"{shop.seed}/client/{number}")
        self.lines = Lines(shop.ports)
        self.reader = Reader(shop, number, self.lines, self.chance, self.reads)
        self.keys = 0

    # ---- one operation ----

    def key(self):
        self.keys += 1
        return f"{self.shop.run}-{self.number}-{self.keys}"

    def do(self, kind, service, method, path, body, asynchronous=False, key=None, reuses=None):
        """Until it is answered; the id of what was accepted, or None."""
        key = key or self.key()
        op = self.shop.history.operation(kind, service, method, path, body, key, {"reuses": reuses} if reuses else None)
        answer = self.insist(op, method, path, body, key, asynchronous)
        found = answer.json.get("id") if answer and answer.status // 100 == 2 else None
        if answer and answer.status == 202:
            found = self.follow(op, answer)
        if found and not reuses:
            self.reader.wrote(op, service, found, answer)
        if found and not reuses and self.chance.random() < (0.5 if asynchronous else 0.06):
            self.insist(op, method, path, body, key)  # the first answer again
        if found and kind in ("receipt", "cancellation") and not reuses and self.chance.random() < 0.05:
            other = {"quantity": body["quantity"] + 1} if kind == "receipt" else {"reason": "another"}
            self.do(kind, service, method, path, other, key=key, reuses=op)
        return found

    def insist(self, op, method, path, body, key, asynchronous=False):
        """An answer that says what became of it; asynchronous: or that it will be decided."""
        headers = {"Idempotency-Key": key} | ({"Prefer": "respond-async"} if asynchronous else {})
        while self.shop.may_go_on():
            answer = self.try_once(op, self.chance.choice(self.shop.instances), method, path, body, headers)
            if answer and answer.status < 500 and (answer.status != 202 or asynchronous):
                return answer
            time.sleep(self.chance.uniform(0.05, 0.5))
        return None

    def try_once(self, op, instance, method, path, body, headers):
        """None: nobody knows what became of it."""
        add = self.shop.history.add
        add(op, h.INVOKED, instance=instance)
        try:
            answer = self.lines.call(instance, method, path, body, headers)
        except (OSError, http.client.HTTPException) as e:
            add(op, h.UNKNOWN, why=f"{type(e).__name__}: {e}")
            return None
        position, replayed = answer.headers.get("foldlog-position"), "idempotent-replayed" in answer.headers
        if answer.status == 202:
            add(op, h.ACCEPTED, answer=answer.json, position=position)
        elif answer.status // 100 == 2:
            add(op, h.OK, status=answer.status, answer=answer.json, position=position, replayed=replayed)
        elif answer.status >= 500:
            add(op, h.UNKNOWN, why=f"{answer.status} {answer.code()}")
        else:
            add(op, h.REFUSED, status=answer.status, problem=answer.code(), position=position, replayed=replayed)
        return answer

    def follow(self, op, answer):
        """What became of an accepted command, asked of any instance; the id of what was accepted, or None."""
        while self.shop.may_go_on():
            try:
                got = self.lines.call(self.chance.choice(self.shop.instances), "GET", answer.headers["location"])
            except (OSError, http.client.HTTPException):
                got = None
            if got and got.status == 200 and got.json.get("status") in ("accepted", "refused"):
                self.shop.history.add(op, h.DECIDED, answer=got.json)
                return got.json["outcome"].get("id")
            if got and got.status not in (200, 503):
                self.shop.history.add(op, h.DENIED, status=got.status, why=answer.headers["location"])
                return None
            time.sleep(self.chance.uniform(0.05, 0.3))
        return None

    # ---- what they want ----

    def product(self, stock, price):
        sku = f"p{self.shop.run}-{self.key().rsplit('-', 1)[-1]}-{self.number}"
        self.do("product", "product", "POST", "/v1/products",
                {"sku": sku, "name": f"Product {sku}", "price": {"amount": price, "currency": "EUR"}})
        if stock:
            self.receipt(sku, stock)
        return sku

    def receipt(self, sku, quantity):
        self.do("receipt", "inventory", "POST", f"/v1/inventory/{sku}/receipts", {"quantity": quantity},
                self.chance.random() < 0.3)

    def adjustment(self, sku):
        change = self.chance.choice([-400, -30, -3, -2, 1, 2, 5])
        self.do("adjustment", "inventory", "POST", f"/v1/inventory/{sku}/adjustments",
                {"quantity_change": change, "reason": "counted anew"})

    def price(self, sku):
        self.do("price", "product", "PUT", f"/v1/products/{sku}/price",
                {"amount": self.chance.randrange(100, 9000), "currency": "EUR"})

    def method(self):
        c = self.chance
        return c.choices(
            ["ok", "declined", f"slow:{c.randrange(100, 1500)}", f"error:{c.randrange(1, 4)}", "timeout-after-charge",
             "duplicate-response", "capture-declined", f"refund-error:{c.randrange(1, 3)}"],
            [46, 8, 9, 9, 4, 9, 5, 10])[0]

    def order(self):
        c = self.chance
        skus = c.sample(self.shop.skus, c.choice([1, 1, 2, 3]))
        if self.shop.discontinued and c.random() < 0.02:
            skus.append(self.shop.discontinued)
        method = self.method()
        body = {"items": [{"sku": s, "quantity": c.choice([1, 1, 2, 3, 12])} for s in skus], "payment_method": method,
                "shipping_address": {"name": "Ada", "line1": "1 Main Street", "city": "London", "country": "GB"}}
        if c.random() < 0.03:
            body["expected_total"] = {"amount": 1, "currency": "EUR"}
        order_id = self.do("order", "order", "POST", "/v1/orders", body, c.random() < 0.15)
        if not order_id:
            return
        with self.shop.lock:
            self.shop.orders.append(order_id)
        if c.random() < (0.7 if method.startswith("refund") else 0.15):
            time.sleep(c.choice([0, c.uniform(0, 0.3), c.uniform(0.3, 2)]))
            self.cancel(order_id)

    def cancel(self, order_id):
        self.do("cancellation", "order", "POST", f"/v1/orders/{order_id}/cancellation", {"reason": "changed my mind"},
                self.chance.random() < 0.2)

    def ship(self, order_id):
        shipped = self.do("shipment", "order", "POST", f"/v1/orders/{order_id}/shipments",
                          {"carrier": "Post", "tracking": "T1"})
        if shipped and self.chance.random() < 0.5:
            self.do("delivery", "order", "POST", f"/v1/orders/{order_id}/deliveries", {})

    def older_order(self):
        with self.shop.lock:
            return self.chance.choice(self.shop.orders) if self.shop.orders else None

    def next(self):
        c = self.chance
        what = c.choices(list(self.wants), self.wants.values())[0]
        sku, older = c.choice(self.shop.skus), self.older_order()
        if what == "order":
            self.order()
        elif what == "receipt":
            self.receipt(sku, c.randrange(1, self.receipt_end))
        elif what == "adjustment":
            self.adjustment(sku)
        elif what == "price":
            self.price(sku)
        elif what == "product":
            sku = self.product(c.randrange(0, 30), c.randrange(100, 5000))
            with self.shop.lock:
                self.shop.skus.append(sku)
        elif what == "cancel" and older:
            self.cancel(older)
        elif older:
            self.ship(older)

    def live(self):
        while not self.shop.stop.is_set():
            self.next()
            self.reader.sometimes()
            self.shop.stop.wait(self.chance.expovariate(1 / self.pause_s))
        self.lines.close()


class Clerk(Client):
    """Counts, books and prices; no orders, so many commands with little behind them."""
    pause_s = CLERK_PAUSE_S
    wants = {"receipt": 5, "adjustment": 2, "price": 3}
    reads = 0.03
    receipt_end = 6  # or nothing would ever be out of stock


def open_shop(shop, plenty):
    """The products, before anything goes wrong; most of them enough for `plenty` orders."""
    client = Client(shop, "s")
    shop.skus = [client.product(stock, 500 + 100 * n)
                 for n, stock in enumerate([plenty] * 5 + [plenty // 4, 300, 120, 60, 40])]
    shop.discontinued = client.product(50, 700)
    client.do("status", "product", "PUT", f"/v1/products/{shop.discontinued}/status", {"status": "discontinued"})
    client.lines.close()


def send_clients(shop, shoppers, clerks, on_failure):
    """[Thread]: they end some time after shop.stop is set."""
    def live(number):
        try:
            (Client if number < shoppers else Clerk)(shop, number).live()
        except Exception as e:  # a client that dies silently would make the load look fine
            on_failure(f"client {number}: {type(e).__name__}: {e}")
    threads = [threading.Thread(target=live, args=(n,), daemon=True) for n in range(shoppers + clerks)]
    for thread in threads:
        thread.start()
    return threads
