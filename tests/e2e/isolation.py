"""One thing is down, the others go on: a Foldlog of one process per service and role, of which each, and each thing it
depends on, is taken away in turn. Prints what was tried against what was down. usage: isolation.py FOLDLOG"""
import http.client
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlparse

from relay import Relay, StandsStill, listener_of
from system import Client, System, check, equal, finish, free_port, services, wait_until

SERVICES = ("product", "inventory", "order", "payment", "user")
DATABASES = (*SERVICES, "fulfilment", "vault")
STEP_S = 45
DOWN_S = 1  # at least; no row is down for as long as a step may take
PROVIDER_S = 30  # but this nearly
BROKER_S = 8  # longer than a session in a group
SAGA_S = 12
ANSWER_S = 12  # no call hangs
PATIENCE_S = 60
SHOPPERS = 6
# Of /metrics, when the test has failed.
TOLD = re.compile(r"^foldlog_((?:partitions|depositions|projection_lag|projections_halted|effect|sagas)\S* (?!0$)\S+)$", re.M)


def parts():
    """{name: flags} of every process but the gateway."""
    found = {f"{role} {s}": [f"--roles={role}", f"--services={s}"]
             for s in SERVICES for role in ("api", "commands", "projections", "publisher")}
    found |= {f"{role} fulfilment": [f"--roles={role}", "--services=fulfilment"] for role in ("projections", "publisher")}
    return found | {"effects payment": ["--roles=effects", "--services=payment"],
                    "saga": ["--roles=saga", "--services=fulfilment"]}


class Apart(System):
    """The process of System is the gateway; all others are started before it."""

    def __init__(self, binary):
        super().__init__(binary, payment_call_ms=1000, step_ms=STEP_S * 1000)
        self.parts = parts()
        self.ports = {name: (free_port(), free_port()) for name in self.parts}
        self.processes = {}
        named = services()
        pg_port = int(re.search(r"port=(\d+)", named["PG"]).group(1))
        provider = urlparse(named["SANDBOX"])
        self.server = Relay(("127.0.0.1", pg_port))
        self.databases = {s: Relay(("127.0.0.1", self.server.port)) for s in DATABASES}
        self.provider = Relay((provider.hostname, provider.port))
        self.broker = StandsStill(listener_of(int(named["KAFKA"].rsplit(":", 1)[1])))
        self.environment["FOLDLOG_PG"] = re.sub(r"port=\d+", f"port={self.server.port}", named["PG"])
        self.environment["FOLDLOG_PAYMENT_URL"] = f"http://127.0.0.1:{self.provider.port}"
        for s in SERVICES:
            self.environment[f"FOLDLOG_{s.upper()}_API"] = f"http://127.0.0.1:{self.ports[f'api {s}'][0]}"

    def start_part(self, name):
        port, admin = self.ports[name]
        label = f"{self.name}-{name.replace(' ', '-')}"
        environment = self.environment | {"FOLDLOG_PORT": str(port), "FOLDLOG_ADMIN_PORT": str(admin),
                                          "FOLDLOG_INSTANCE": label}
        with open(f"{label}.log", "a") as log:
            self.processes[name] = subprocess.Popen([self.binary, "run", *self.parts[name]], env=environment,
                                                    stdout=log, stderr=log)

    def part_ready(self, name):
        if self.processes[name].poll() is not None:
            raise SystemExit(f"FAIL  {name} ended with {self.processes[name].returncode}")
        try:
            return Client(self.ports[name][1]).call("GET", "/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def await_parts(self):
        for name in self.parts:
            wait_until(f"{name} ready", lambda n=name: self.part_ready(n), PATIENCE_S)

    def reach_databases(self):
        """Each by a way of its own, as its role, which `migrate` has made by now."""
        ours = self.environment["FOLDLOG_PG"]
        for s, way in self.databases.items():
            own = {"port": way.port, "user": f"foldlog_{s}", "dbname": f"foldlog_{s}"}
            self.environment[f"FOLDLOG_{s.upper()}_PG"] = " ".join(
                [word for word in ours.split() if word.split("=")[0] not in own] + [f"{k}={v}" for k, v in own.items()])

    def start(self):
        self.reach_databases()
        try:
            for name in self.parts:
                self.start_part(name)
            self.await_parts()
        except BaseException:  # what was not entered is not left
            for process in self.processes.values():
                process.kill()
                process.wait()
            raise
        self.environment["FOLDLOG_ROLES"] = "gateway"
        super().start()

    def tell_state(self):
        super().tell_state()
        for name, (_, admin) in self.ports.items():
            try:
                told = " ".join(TOLD.findall(Client(admin).call("GET", "/metrics").raw.decode()))
            except (OSError, http.client.HTTPException) as problem:
                told = repr(problem)
            print(f"---- {name}: {told}", flush=True)

    def __exit__(self, kind, value, trace):
        self.broker.up()
        super().__exit__(kind, value, trace)
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for name, process in self.processes.items():
            try:
                code = process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                code = "killed"
            if code != 0:
                check(f"{name}: SIGTERM ends it with 0", kind, code)


class Parts:
    """Processes that are killed, and started again in their seats."""

    def __init__(self, foldlog, *names):
        self.foldlog, self.names = foldlog, names

    def down(self):
        for name in self.names:
            self.foldlog.processes[name].kill()
        for name in self.names:
            self.foldlog.processes[name].wait()

    def up(self):
        for name in self.names:
            self.foldlog.start_part(name)

    def is_ready(self):
        return all(self.foldlog.part_ready(name) for name in self.names)


# ---- what is tried -----------------------------------------------------------------------------------------------

class Shop:
    """What a row tries; each word of WORDS is a column."""

    WORDS = ("log in", "browse", "see order", "see stock", "see payment", "receive", "add product", "order")

    def __init__(self, foldlog):
        self.foldlog = foldlog
        self.lamp = foldlog.product(10000, 900, "lamp")
        self.old = foldlog.order((self.lamp, 1))
        foldlog.settled(self.old, PATIENCE_S)
        self.taken = []  # (path, body, key) of what must be decided in the end
        self.soon = {"Prefer": "wait=1"}

    def command(self, path, body):
        key = self.foldlog.key()
        answer = self.foldlog.post(path, body, key, **self.soon)
        self.taken.append((path, body, key))
        return answer

    def whole(self):
        """True when every question is answered."""
        calls = self.calls()
        return all(calls[word]().status in (200, 201) for word in self.WORDS[:5])

    def calls(self):
        f = self.foldlog
        return {
            "log in": lambda: f.anonymous("POST", "/v1/sessions", {"email": f.buyer.email, "password": f.buyer.password}),
            "browse": lambda: f.get(f"/v1/products?q={self.lamp}&limit=1"),
            "see order": lambda: f.get(f"/v1/orders/{self.old}"),
            "see stock": lambda: f.get(f"/v1/inventory/{self.lamp}"),
            "see payment": lambda: f.get(f"/v1/payments?order_id={self.old}"),
            "receive": lambda: self.command(f"/v1/inventory/{self.lamp}/receipts", {"quantity": 1}),
            "add product": lambda: self.command(
                "/v1/products", {"sku": f"new-{f.key()}", "name": "new", "price": {"amount": 1, "currency": "EUR"}}),
            "order": lambda: self.command("/v1/orders", f.order_body((self.lamp, 1))),
        }

    def try_all(self):
        """{word: (answer, seconds)}, all at once."""
        def timed(call):
            began = time.monotonic()
            return call(), time.monotonic() - began
        with ThreadPoolExecutor(len(self.WORDS)) as pool:
            waiting = {word: pool.submit(timed, call) for word, call in self.calls().items()}
            return {word: future.result() for word, future in waiting.items()}


def is_later(answer):
    return answer.status == 503 and "retry-after" in answer.headers


def complaint(word, answer, seconds, may_be_later):
    if seconds > ANSWER_S:
        return f"answered after {seconds:.1f} s"
    if is_later(answer) and may_be_later:
        return None
    if word in ("receive", "add product", "order"):
        return None if answer.status in (201, 200, 202) else repr(answer)
    return None if answer.status in (200, 201) else repr(answer)


def cell(answer):
    return "ok" if answer.status in (200, 201) else str(answer.status)


# Which calls may be told to come later (503 and Retry-After) while this is down. All others go on. Nobody logs in with
# a password before it is certain that it has not been changed: that is known from the end of user.log.
LATER = {
    "api user": {"log in"},
    "api product": {"browse", "add product"},
    "api inventory": {"see stock", "receive"},
    "api order": {"see order", "order"},
    "api payment": {"see payment"},
    "service user": {"log in"},
    "service product": {"browse", "add product"},
    "service inventory": {"see stock", "receive"},
    "service order": {"see order", "order"},
    "service payment": {"see payment"},
    "database user": {"log in"},
    "database vault": {"log in"},
    "database product": {"browse"},
    "database inventory": {"see stock"},
    "database order": {"see order"},
    "database payment": {"see payment"},
    "PostgreSQL": {"log in", "browse", "see order", "see stock", "see payment"},
    "Kafka": {"log in", "receive", "add product", "order"},
    "projections user": {"log in"},
}


# Without these no order is made.
STOPS_ORDERS = {"commands inventory", "commands payment", "service inventory", "service payment", "effects payment", "saga",
                "payment provider"}


class Matrix:
    def __init__(self):
        self.lines = []

    def row(self, name, cells, pending, seconds):
        self.lines.append([name, *cells, pending, f"{seconds:.1f} s"])

    def print(self):
        head = ["down", *Shop.WORDS, "meanwhile", "all made after"]
        widths = [max(len(line[i]) for line in [head, *self.lines]) for i in range(len(head))]
        for line in [head, *self.lines]:
            print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip(), flush=True)


def decided(foldlog, path, body, key):
    answer = foldlog.post(path, body, key)
    return answer if answer.status in (200, 201) else None


def make_good(foldlog, shop, name):
    """Everything that was asked for is decided, once, and every order is made."""
    began = time.monotonic()
    wait_until(f"{name}: everything answers again", shop.whole, PATIENCE_S)
    for path, body, key in shop.taken:
        answer = wait_until(f"{name}: {path} decided", lambda: decided(foldlog, path, body, key), PATIENCE_S)
        if path == "/v1/orders":
            status = foldlog.settled(answer["id"], PATIENCE_S)["status"]
            check(f"{name}: the order is confirmed afterwards", status == "confirmed", status)
    shop.taken = []
    return time.monotonic() - began


def meanwhile(foldlog, order):
    """It must not be given up: it is pending, or already made."""
    try:
        seen = foldlog.get(f"/v1/orders/{order}")
    except OSError as problem:
        return str(problem)
    if seen.status != 200:
        return "-"
    return seen["status"] if seen["status"] in ("pending", "confirmed") else f"WRONG {seen['status']}"


def take_away(foldlog, shop, matrix, name, thing, at_least_s=DOWN_S):
    before = foldlog.order((shop.lamp, 1))
    thing.down()
    began = time.monotonic()
    tried = shop.try_all()
    time.sleep(max(0, at_least_s - (time.monotonic() - began)))
    pending = meanwhile(foldlog, before)
    placed = tried["order"][0]
    waits = meanwhile(foldlog, placed["id"]) if name in STOPS_ORDERS and placed.status == 201 else None
    thing.up()
    if name in STOPS_ORDERS:
        check(f"{name} down: an order placed meanwhile waits", waits == "pending", (waits, placed))
    if isinstance(thing, Parts):
        wait_until(f"{name} ready again", thing.is_ready, PATIENCE_S)
    may = LATER.get(name, set())
    wrong = {w: c for w, (a, s) in tried.items() if (c := complaint(w, a, s, w in may))}
    check(f"{name} down: {', '.join(sorted(may)) or 'nothing'} may wait, the rest goes on", not wrong, wrong)
    check(f"{name} down: no order is given up", not pending.startswith("WRONG"), pending)
    seconds = make_good(foldlog, shop, name)
    status = foldlog.settled(before, PATIENCE_S)["status"]
    check(f"{name}: the order from before is confirmed", status == "confirmed", status)
    matrix.row(name, [cell(tried[w][0]) for w in Shop.WORDS], pending, seconds)


# ---- a saga that stands still ------------------------------------------------------------------------------------

def shop_for(foldlog, shop, seconds):
    """Seconds that each command took, and the orders made; SHOPPERS at once."""
    took, orders, wrong, lock = [], [], [], threading.Lock()
    end = time.monotonic() + seconds

    def shopper(n):
        while time.monotonic() < end:
            began = time.monotonic()
            if n % 2:
                answer = foldlog.post("/v1/orders", foldlog.order_body((shop.lamp, 1)))
            else:
                answer = foldlog.post(f"/v1/inventory/{shop.lamp}/receipts", {"quantity": 1})
            with lock:
                took.append(time.monotonic() - began)
                if answer.status not in (200, 201):
                    wrong.append(answer)
                elif n % 2:
                    orders.append(answer["id"])
            time.sleep(0.02)

    with ThreadPoolExecutor(SHOPPERS) as pool:
        list(pool.map(shopper, range(SHOPPERS)))
    return sorted(took), orders, wrong


def p99(sorted_values):
    return sorted_values[int(len(sorted_values) * 0.99)]


def a_saga_that_stands_still(foldlog, shop):
    still = StandsStill(foldlog.processes["saga"].pid)
    shop_for(foldlog, shop, 3)  # whatever is slow only the first time
    before, first, wrong_before = shop_for(foldlog, shop, 4)
    still.down()
    try:
        during, second, wrong_during = shop_for(foldlog, shop, SAGA_S)
        last = second[-1]
        waiting = wait_until(f"order {last} in the read model", lambda: foldlog.see(last), PATIENCE_S)["status"]
    finally:
        still.up()
    print(f"      saga stopped for {SAGA_S} s: p99 of commands {p99(before) * 1000:.1f} ms before ({len(before)}), "
          f"{p99(during) * 1000:.1f} ms during ({len(during)})", flush=True)
    check("a saga that stands still holds up no command", p99(during) < 3 * p99(before) + 0.05)
    check("all of them are decided", not wrong_before and not wrong_during, (wrong_before + wrong_during)[:3])
    equal("its orders wait", waiting, "pending")
    ended = {foldlog.settled(order, PATIENCE_S)["status"] for order in first + second}
    equal("and all are made when it goes on", ended, {"confirmed"})


def read_models_agree(foldlog):
    done = foldlog.verb("projections", "verify")
    check("read models equal a fold of the logs", done.returncode == 0, done.stdout + done.stderr)


with Apart(sys.argv[1]) as foldlog:
    shop, matrix = Shop(foldlog), Matrix()
    a_saga_that_stands_still(foldlog, shop)  # first, so that "before" is before any outage
    for name in foldlog.parts:
        take_away(foldlog, shop, matrix, name, Parts(foldlog, name))
    for service in SERVICES:
        whole = [name for name in foldlog.parts if name.endswith(f" {service}")]
        take_away(foldlog, shop, matrix, f"service {service}", Parts(foldlog, *whole))
    for service, way in foldlog.databases.items():
        take_away(foldlog, shop, matrix, f"database {service}", way, 3)
    take_away(foldlog, shop, matrix, "payment provider", foldlog.provider, PROVIDER_S)
    take_away(foldlog, shop, matrix, "PostgreSQL", foldlog.server, 3)
    take_away(foldlog, shop, matrix, "Kafka", foldlog.broker, BROKER_S)
    read_models_agree(foldlog)
    matrix.print()
finish()
