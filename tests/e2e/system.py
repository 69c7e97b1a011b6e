"""A whole Foldlog as its users meet it: the binary on real Kafka, PostgreSQL and the payment sandbox, driven over
HTTP only. FOLDLOG_TEST_KAFKA, FOLDLOG_TEST_PG and FOLDLOG_TEST_SANDBOX name the services; without them a test is
skipped (77). Used as

    with System(sys.argv[1]) as foldlog:
        answer = foldlog.post("/v1/products", {...})
"""
import glob
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from ports import free_port  # noqa: E402

READY_S = 60
STOP_S = 10
SNAPSHOT_RECORDS = 20  # few, so that starts begin from them
CALL_S = 30

failures = 0


def check(name, good, detail=""):
    """One line per check; the script ends with `finish()`."""
    global failures
    if good:
        print(f"ok    {name}", flush=True)
    else:
        failures += 1
        print(f"FAIL  {name}{': ' if detail != '' else ''}{detail}", flush=True)
    return good


def equal(name, got, wanted):
    return check(name, got == wanted, f"got {got!r}, wanted {wanted!r}")


def said(prefix):
    """{file: lines} of all logs that begin so, without librdkafka's own words."""
    found = {}
    for path in sorted(glob.glob(f"{glob.escape(prefix)}*.log")):
        with open(path, encoding="utf-8", errors="replace") as file:
            found[path] = [line for line in file if '"kafka_says"' not in line]
    return found


watched = set()  # prefixes of logs


def nothing_halted():
    """What stands still holds up only those who wait for it, and may be nobody."""
    for prefix in sorted(watched):
        equal("nothing has halted", [line for lines in said(prefix).values() for line in lines if '_halted","' in line], [])


def finish():
    nothing_halted()
    print(f"{failures} failed" if failures else "all good")
    sys.exit(1 if failures else 0)


def wait_until(what, condition, seconds):
    """Polls; the condition's first true value, or SystemExit with `what`, a text or what makes one."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise SystemExit(f"FAIL  not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(0.02)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.raw = body
        kind = headers.get("content-type", "")
        self.json = json.loads(body) if body and "json" in kind else None

    def __getitem__(self, name):
        return self.json[name]

    def get(self, name, fallback=None):
        return (self.json or {}).get(name, fallback)

    def code(self):
        """The stable end of a problem's type."""
        return (self.get("type") or "").rsplit("/", 1)[-1].rsplit(":", 1)[-1]

    def pointers(self):
        return sorted(e.get("pointer", "") for e in self.get("errors", []))

    def __repr__(self):
        return f"<{self.status} {self.raw[:300]!r}>"


# The servers of a test run are shared, and what is in the vault with them: so are the secrets.
SECRETS = {"FOLDLOG_SECRET": "fingerprints of tests, 32 characters", "FOLDLOG_MASTER_KEY": "5a" * 32,
           "FOLDLOG_EMAIL_SECRET": "addresses of tests, 32 characters at least"}
LINES_TOLD = 6
FOLLOWS_S = 10  # a read model
TOKEN_S = 480  # an access token is used for so long; it lives ten minutes


class Client:
    """One kept connection per thread. authorize(method, path): the Authorization of a call that brings none."""

    def __init__(self, port, authorize=lambda method, path: None):
        self.port = port
        self.local = threading.local()
        self.authorize = authorize

    def call(self, method, path, body=None, key=None, headers=None, raw=None):
        sent = dict(headers or {})
        if "Authorization" not in sent:
            sent["Authorization"] = self.authorize(method, path)
        sent = {k: v for k, v in sent.items() if v is not None}
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        if key:
            sent["Idempotency-Key"] = key
        for last in (False, True):
            connection = getattr(self.local, "connection", None)
            fresh = connection is None
            if fresh:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALL_S)
                self.local.connection = connection
            try:
                connection.request(method, path, data, sent)
                got = connection.getresponse()
                answer = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
                if got.will_close:
                    self.forget()
                return answer
            except (OSError, http.client.HTTPException):
                self.forget()
                if fresh or last or not (key or method == "GET"):  # a kept line may have been closed meanwhile
                    raise

    def forget(self):
        connection = getattr(self.local, "connection", None)
        if connection:
            connection.close()
        self.local.connection = None


def services():
    names = ("FOLDLOG_TEST_KAFKA", "FOLDLOG_TEST_PG", "FOLDLOG_TEST_SANDBOX")
    if any(not os.environ.get(n) for n in names):
        print(f"skipped: {', '.join(names)} are not set")
        sys.exit(77)
    return {n.rsplit("_", 1)[-1]: os.environ[n] for n in names}


def patiently(call, seconds=15):
    """Its answer; while that is 503, asks again, as Retry-After says: after a crash the read models wait for a lease."""
    end = time.monotonic() + seconds
    while True:
        answer = call()
        if answer.status != 503 or time.monotonic() > end:
            return answer
        time.sleep(0.2)


class Person:
    """Somebody who is registered; logs in when a token is needed, and goes on by refreshing it."""

    def __init__(self, foldlog, email, password, user_id=None):
        self.foldlog, self.email, self.password, self.id = foldlog, email, password, user_id
        self.tokens, self.since = None, 0
        self.lock = threading.Lock()

    def log_in(self):
        body = {"email": self.email, "password": self.password}
        answer = patiently(lambda: self.foldlog.anonymous("POST", "/v1/sessions", body))
        self.tokens, self.since = self.foldlog.done(answer).json, time.monotonic()

    def refresh(self):
        form = urllib.parse.urlencode({"grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]})
        answer = patiently(lambda: self.foldlog.anonymous(
            "POST", "/oauth2/token", raw=form.encode(), headers={"Content-Type": "application/x-www-form-urlencoded"}))
        self.tokens, self.since = self.foldlog.done(answer).json, time.monotonic()

    def bearer(self):
        with self.lock:
            if not self.tokens:
                self.log_in()
            elif time.monotonic() - self.since > TOKEN_S:
                self.refresh()
            return "Bearer " + self.tokens["access_token"]


class System:
    """settings: more flags, such as payment_call_ms=300. `boss` is an administrator and merchant, `buyer` a customer:
    orders and payments are the buyer's business, everything else the boss's."""

    def __init__(self, binary, name=None, **settings):
        named = services()
        self.binary = binary
        self.run = uuid.uuid4().hex[:8]
        self.name = name or f"{os.path.splitext(os.path.basename(sys.argv[0]))[0]}-{self.run}"
        watched.add(self.name)
        self.snapshots = os.path.abspath(f"{self.name}-snapshots")
        self.port, self.admin_port = free_port(), free_port()
        self.sandbox_port = urllib.parse.urlparse(named["SANDBOX"]).port
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("FOLDLOG_")}
        self.environment |= {
            "FOLDLOG_KAFKA": named["KAFKA"], "FOLDLOG_PG": named["PG"], "FOLDLOG_PAYMENT_URL": named["SANDBOX"],
            "FOLDLOG_PORT": str(self.port), "FOLDLOG_ADMIN_PORT": str(self.admin_port), "FOLDLOG_DEV": "true",
            "FOLDLOG_SNAPSHOTS": self.snapshots, "FOLDLOG_SNAPSHOT_RECORDS": str(SNAPSHOT_RECORDS),
            "FOLDLOG_INSTANCE": self.name, "FOLDLOG_ADMIN_FILE": f"{self.name}-admin.json",
        } | SECRETS
        self.environment |= {f"FOLDLOG_{k.upper()}": str(v) for k, v in settings.items()}
        self.client, self.admin = Client(self.port, self.authorize), Client(self.admin_port)
        self.sandbox = Client(self.sandbox_port)
        self.process = None
        self.keys = 0
        self.boss = Person(self, f"boss-{self.run}@foldlog.example", f"password of {self.run}")
        self.buyer = None

    # ---- the process ----

    def verb(self, *arguments, **more):
        return subprocess.run([self.binary, *arguments], env=self.environment, text=True, capture_output=True,
                              timeout=120, **more)

    def must(self, *arguments):
        done = self.verb(*arguments)
        if done.returncode != 0:
            raise SystemExit(f"FAIL  foldlog {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def is_ready(self):
        if self.process.poll() is not None:
            raise SystemExit(f"FAIL  foldlog run ended with {self.process.returncode}, see {self.name}.log")
        try:
            return self.admin.call("GET", "/readyz").status == 200
        except OSError:
            return False

    def launch(self):
        """Without waiting for it."""
        with open(f"{self.name}.log", "a") as log:
            self.process = subprocess.Popen([self.binary, "run"], env=self.environment, stdout=log,
                                            stderr=log)

    def start(self):
        self.launch()
        wait_until("ready", self.is_ready, READY_S)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self):
        """By SIGTERM; (seconds, exit code), killed after twice the time it has."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(2 * STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.process = None
        return time.monotonic() - began, code

    def stop_well(self):
        seconds, code = self.stop()
        check("SIGTERM ends it in time with 0", seconds < STOP_S and code == 0, f"{seconds:.1f} s, exit code {code}")

    def __enter__(self):
        self.must("topics", "apply")
        self.must("migrate")
        try:
            self.start()
            self.enrol()
        except BaseException:  # what was not entered is not left
            if self.process:
                self.kill()
            raise
        return self

    def enrol(self):
        file = self.environment["FOLDLOG_ADMIN_FILE"]
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump({"email": self.boss.email, "password": self.boss.password}, out)
        self.must("admin")
        self.buyer = self.person("buyer")

    def tell_state(self):
        """For whoever reads why a test failed."""
        for path, lines in said(self.name).items():
            print(f"---- {path}\n{''.join(lines[-LINES_TOLD:])}", end="", flush=True)

    def __exit__(self, kind, value, trace):
        if kind:
            self.tell_state()
        if self.process and kind:
            self.process.kill()
            self.process.wait()
        elif self.process:
            self.stop_well()

    # ---- people ----

    def person(self, word, roles=None, name="Ada Lovelace"):
        """Registers somebody new."""
        made = Person(self, f"{word}-{uuid.uuid4().hex[:10]}@example.org", f"password of {word}")
        answer = self.anonymous("POST", "/v1/users", {"email": made.email, "password": made.password, "name": name},
                                self.key())
        made.id = self.done(answer)["id"]
        if roles:
            self.done(self.put(f"/v1/users/{made.id}/roles", {"roles": roles}))
        return made

    def authorize(self, method, path):
        """Who makes a call that does not say who."""
        buys = path.startswith(("/v1/orders", "/v1/payments")) and not path.endswith(("/shipments", "/deliveries"))
        return (self.buyer if buys else self.boss).bearer()

    def anonymous(self, method, path, body=None, key=None, headers=None, raw=None):
        return self.client.call(method, path, body, key, {"Authorization": None} | (headers or {}), raw)

    def call_as(self, person, method, path, body=None, key=None, **headers):
        sent = {k.replace("_", "-"): v for k, v in headers.items()}
        return self.client.call(method, path, body, key or (None if method == "GET" else self.key()),
                                {"Authorization": person.bearer()} | sent)

    # ---- HTTP ----

    def key(self):
        self.keys += 1
        return f"{self.run}-{self.keys}-{uuid.uuid4().hex[:6]}"

    def get(self, path, **headers):
        return self.client.call("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(self, path, body=None, key=None, **headers):
        return self.client.call("POST", path, {} if body is None else body, key or self.key(),
                                {k.replace("_", "-"): v for k, v in headers.items()})

    def put(self, path, body, key=None, **headers):
        return self.client.call("PUT", path, body, key or self.key(),
                                {k.replace("_", "-"): v for k, v in headers.items()})

    def done(self, answer):
        """The answer of something that must have worked."""
        if answer.status // 100 != 2:
            raise SystemExit(f"FAIL  {answer!r}")
        return answer

    # ---- a shop ----

    def product(self, stock=0, price=1000, word="sku"):
        sku = f"{word}-{self.run}-{uuid.uuid4().hex[:6]}"
        self.done(self.post("/v1/products", {"sku": sku, "name": word, "price": {"amount": price, "currency": "EUR"}}))
        if stock:
            self.done(self.post(f"/v1/inventory/{sku}/receipts", {"quantity": stock}))
        return sku

    def order_body(self, *lines, method="ok", **more):
        """lines: (sku, quantity)."""
        return {"items": [{"sku": s, "quantity": q} for s, q in lines], "payment_method": method,
                "shipping_address": {"name": "Ada", "line1": "1 Main Street", "city": "London", "country": "GB"}} | more

    def order(self, *lines, method="ok"):
        """Its id."""
        return self.done(self.post("/v1/orders", self.order_body(*lines, method=method)))["id"]

    def cancel(self, order_id, reason="changed my mind"):
        return self.post(f"/v1/orders/{order_id}/cancellation", {"reason": reason})

    def see(self, order_id):
        """The order as the read model has it; None when it does not have it yet."""
        answer = self.get(f"/v1/orders/{order_id}")
        return answer.json if answer.status == 200 else None

    def settled(self, order_id, seconds=30):
        """The order at rest: confirmed, cancelled, or waiting for an operator."""
        def rest():
            seen = self.see(order_id)
            # Status and phase come from two logs, of which one may be a moment ahead.
            ended = seen and seen["phase"] == "done" and seen["status"] not in ("pending", "cancelling")
            return seen if ended or (seen and seen["phase"] == "needs_attention") else None

        def so_far():
            try:
                done = self.verb("trace", order_id)
                told = done.stdout + done.stderr
            except subprocess.TimeoutExpired:
                told = "no answer"
            return f"order {order_id} at rest: {self.see(order_id)}, in the logs:\n{told}"
        return wait_until(so_far, rest, seconds)

    def stock(self, sku):
        """Of a product whose addition may have been answered before the read model knew of it."""
        def known():
            answer = self.get(f"/v1/inventory/{sku}")
            return answer if answer.status != 404 else None
        return self.done(wait_until(f"{sku} in the read model", known, FOLLOWS_S)).json

    def payment(self, order_id):
        items = self.done(self.get(f"/v1/payments?order_id={order_id}"))["items"]
        return items[0] if len(items) == 1 else None

    def timeline(self, order_id):
        answer = self.get(f"/v1/orders/{order_id}/timeline")
        return answer["items"] if answer.status == 200 else []

    def happened(self, order_id, event, seconds=20):
        """Waits for an event of the timeline."""
        return wait_until(f"{event} of {order_id}",
                          lambda: [e for e in self.timeline(order_id) if e["type"] == event], seconds)

    # ---- the provider's own account ----

    def ledger(self):
        """{order_id: [charge, ...]}"""
        found = {}
        for charge in self.done(self.sandbox.call("GET", "/ledger"))["charges"]:
            found.setdefault(charge["reference"], []).append(charge)
        return found


def agrees(probe, seconds=FOLLOWS_S):
    """Read models follow the log: the last complaint that is left when the time is over; None: it agrees."""
    end = time.monotonic() + seconds
    while True:
        complaint = probe()
        if not complaint or time.monotonic() > end:
            return complaint
        time.sleep(0.05)


def stock_complaint(foldlog, sku, **wanted):
    got = foldlog.stock(sku)
    if got["received"] + got["adjusted"] != got["on_hand"] + got["reserved"] + got["committed"]:
        return f"{sku} does not balance: {got}"
    wrong = {k: got[k] for k, v in wanted.items() if got[k] != v}
    return f"{sku}: {wrong}, wanted {wanted}" if wrong else None


def money_complaint(order, charges):
    """What the provider did for an order at rest: one charge at most; kept if and only if it is confirmed."""
    total = order["total"]["amount"]
    if len(charges) > 1:
        return f"{len(charges)} charges"
    charge = charges[0] if charges else None
    if order["status"] in ("confirmed", "shipped", "delivered"):
        good = charge and charge["captured"] == total and charge["refunded"] == 0 and not charge["voided"]
        return None if good else f"{order['status']} of {total}, but {charge}"
    if order["status"] == "cancelled" and charge:
        held = charge["status"] != "declined" and not charge["voided"] and charge["captured"] != charge["refunded"]
        kept = charge["status"] == "authorized"
        return f"cancelled, but {charge}" if held or kept else None
    return None if order["status"] == "cancelled" else f"not at rest: {order['status']} {order['phase']}"


def check_accounts(foldlog, order_ids, skus, name="the accounts"):
    """Orders, payments, stock and the provider's ledger say the same of all these orders, at rest. skus: {sku:
    units it began with}. Returns {status: count}."""
    orders = [foldlog.settled(o) for o in order_ids]
    ledger = foldlog.ledger()
    wrong = [f"{o['id']}: {c}" for o in orders if (c := money_complaint(o, ledger.get(o["id"], [])))]
    check(f"{name}: the ledger has one charge per order, kept only for what is confirmed", not wrong, wrong[:5])
    sold = dict.fromkeys(skus, 0)
    counts = {}
    for o in orders:
        counts[o["status"]] = counts.get(o["status"], 0) + 1
        for line in o["items"] if o["status"] == "confirmed" else []:
            sold[line["sku"]] = sold.get(line["sku"], 0) + line["quantity"]
    for sku, began in skus.items():
        complaint = agrees(lambda s=sku, b=began: stock_complaint(
            foldlog, s, reserved=0, committed=sold[s], on_hand=b - sold[s], received=b))
        check(f"{name}: the stock of {sku} is what the confirmed orders leave", not complaint, complaint)
    return counts
