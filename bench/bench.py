#!/usr/bin/env python3
"""./dev bench [orders|commands|identity|restarts|codec]... [--json]: each figure beside its limit, taken in the same run.

Expects the services of ./dev (FOLDLOG_TEST_KAFKA, FOLDLOG_TEST_PG, FOLDLOG_TEST_SANDBOX) and the release build.
"""
import atexit
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(ROOT, "tests", "support"))
from ports import free_port  # noqa: E402

BUILD = os.path.join(ROOT, "build", "release")
FOLDLOG = os.path.join(BUILD, "app", "foldlog")
BARE = os.path.join(BUILD, "bench", "foldlog_bare")  # there, who brings no token has no identity at all
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
POLL_SECONDS = 0.002
QUIET_SECONDS = 0.1
WARM_SECONDS = 2 * SECONDS
SKUS = 100
PARTITION_SKUS = 12  # enough that every partition has one
RESTARTS, REPLACEMENTS = 40, 4
SESSION_S = 6
SNAPSHOT_LOOK_S = 5
PAIRS = 21  # of a load without identity and one with it
PAIR_SECONDS = SECONDS / 4
TICK = 1e6 / os.sysconf("SC_CLK_TCK")  # microseconds
SECRETS = {"FOLDLOG_SECRET": "fingerprints of the benchmark, 32 characters", "FOLDLOG_MASTER_KEY": "5a" * 32,
           "FOLDLOG_EMAIL_SECRET": "addresses of the benchmark, 32 characters"}
# Kafka Streams with exactly-once, measured on a machine of this kind, not in this run.
STREAMS_EOS = {1: 260, 64: 6900, 256: 10700}


class System:
    """One `foldlog run` with the given roles; `apart`: a second one with these. more: further settings."""

    def __init__(self, roles, name, apart=None, binary=FOLDLOG, **more):
        self.binary = binary
        self.port = free_port()
        self.env = dict(os.environ, FOLDLOG_KAFKA=os.environ["FOLDLOG_TEST_KAFKA"], FOLDLOG_PG=os.environ["FOLDLOG_TEST_PG"],
                        FOLDLOG_PAYMENT_URL=os.environ["FOLDLOG_TEST_SANDBOX"], FOLDLOG_DEV="true",
                        FOLDLOG_PORT=str(self.port), FOLDLOG_ADMIN_PORT=str(free_port()), FOLDLOG_INSTANCE="bench",
                        FOLDLOG_ADMIN_FILE=os.path.join(os.environ.get("FOLDLOG_RUN", "."), "bench-admin.json"), **SECRETS, **more)
        for verb in (["topics", "apply"], ["migrate"]):
            subprocess.run([FOLDLOG, *verb], env=self.env, check=True, stdout=subprocess.DEVNULL)
        self.log = open(os.path.join(os.environ.get("FOLDLOG_RUN", "."), f"bench-{name}.log"), "w")
        self.apart_env = dict(self.env, FOLDLOG_INSTANCE="bench-apart", FOLDLOG_PORT=str(free_port()),
                              FOLDLOG_ADMIN_PORT=str(free_port()))
        self.apart = apart and self.spawn(apart, self.apart_env)
        self.process = self.spawn(roles, self.env)
        if self.apart:
            self.await_ready(self.apart, self.apart_env)
        self.await_ready(self.process, self.env)
        subprocess.run([FOLDLOG, "admin"], env=self.env, check=True, stdout=subprocess.DEVNULL)
        with open(self.env["FOLDLOG_ADMIN_FILE"]) as file:
            admin = json.load(file)
        status, grant = Client(self.port).call("POST", "/v1/sessions", admin)
        assert status == 201, (status, grant)
        self.token = grant["access_token"]

    def spawn(self, roles, env):
        process = subprocess.Popen([self.binary, "run", f"--roles={roles}"], env=env, stderr=self.log, stdout=self.log)
        atexit.register(process.kill)  # also when a step of the benchmark fails
        return process

    def await_ready(self, process, env):
        until = time.time() + 60
        while time.time() < until:
            try:
                c = http.client.HTTPConnection("127.0.0.1", int(env["FOLDLOG_ADMIN_PORT"]), timeout=2)
                c.request("GET", "/readyz")
                if c.getresponse().status == 200:
                    return
            except OSError:
                pass
            if process.poll() is not None:
                sys.exit(f"foldlog ended with {process.returncode}: see {self.log.name}")
            time.sleep(0.05)
        sys.exit("foldlog did not become ready")

    def rss_mb(self):
        text = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024

    def cpu_us(self):
        """Of the processors, so far."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK

    def load(self, connections, prefix, seconds=SECONDS, known=True):
        """known: with the administrator's token; else with none."""
        token = [self.token] if known else []
        return run_json(f"{BUILD}/bench/load_http", self.port, connections, seconds, prefix, SKUS, *token)

    def stop(self):
        for process in filter(None, (self.process, self.apart)):
            process.send_signal(signal.SIGTERM)
            process.wait(15)


class Client:
    def __init__(self, port, token=None):
        self.token = token
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.keys = 0

    def call(self, method, path, body=None, **more):
        self.keys += 1
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{os.getpid()}-{time.time_ns()}-{self.keys}"} | more
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")


def stock_the_shop(system, prefix):
    client = Client(system.port, system.token)
    for i in range(SKUS):
        status, answer = client.call("POST", "/v1/products", {"sku": f"{prefix}{i}", "name": f"Product {i}",
                                                             "price": {"amount": 1250, "currency": "EUR"}})
        assert status == 201, (status, answer)
        until = time.time() + 10
        while time.time() < until:
            status, answer = client.call("POST", f"/v1/inventory/{prefix}{i}/receipts", {"quantity": 1000000})
            if status == 201:
                break
        assert status == 201, (status, answer)


def run_json(*command):
    return json.loads(subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout)


def confirm_one(client, sku, limit):
    """Milliseconds from the POST of an order to the GET that shows it confirmed."""
    began = time.perf_counter()
    status, answer = client.call("POST", "/v1/orders", {
        "items": [{"sku": sku, "quantity": 1}], "payment_method": "ok",
        "shipping_address": {"name": "Ada", "line1": "1 Street", "city": "London", "country": "GB"}})
    assert status == 201, (status, answer)
    while True:
        status, order = client.call("GET", f"/v1/orders/{answer['id']}")
        if status == 200 and order["status"] == "confirmed":
            return (time.perf_counter() - began) * 1000
        assert time.perf_counter() - began < limit, (status, order)
        time.sleep(POLL_SECONDS)


def settle(system, prefix):
    """Until what the load left behind is done: then an order that comes last is confirmed at once."""
    client = Client(system.port, system.token)
    while confirm_one(client, f"{prefix}0", 300) > 500:
        pass


def order_to_confirmed(system, prefix, count=60):
    """One at a time; the next when the last is over."""
    client, took = Client(system.port, system.token), []
    for i in range(count):
        took.append(confirm_one(client, f"{prefix}{i % SKUS}", 20))
        time.sleep(QUIET_SECONDS)
    return took


def raw_limit(connections, seconds=SECONDS):
    return run_json(f"{BUILD}/bench/load_raw", os.environ["FOLDLOG_TEST_KAFKA"], "bench.a", "bench.b", 4, connections, seconds,
                    650, 750)


def warm_up(system, prefix):
    """A broker that has just started compiles for half a minute, on the same cores."""
    raw_limit(256, WARM_SECONDS)
    system.load(64, prefix, WARM_SECONDS)


def add_measure(measures, name, value, unit, limit=None, peers=None):
    measures.append({"name": name, "value": round(value, 3), "unit": unit, "limit": limit and round(limit, 3),
                     "ratio_to_limit": limit and round(value / limit, 3), "peers": peers or {}})


def bench_commands():
    """The way of a command, first with its read models on the same cores, then while they stand still."""
    measures = []
    prefix = f"b{time.time_ns() % 10**10}-"
    path = System("gateway,api,commands", "path", apart="projections")
    stock_the_shop(path, prefix)
    warm_up(path, prefix)
    for connections in (1, 64, 256):
        measure_path(measures, path, prefix, connections)
    add_measure(measures, "RSS of api + commands after the load", path.rss_mb(), "MB")
    path.stop()
    return measures + bench_identity()


def bench_identity():
    """The way of a command with a token and a sealed address against the same process without either, in turns."""
    measures = []
    prefix = f"i{time.time_ns() % 10**10}-"
    bare = System("gateway,api,commands", "identity", apart="projections", binary=BARE, FOLDLOG_INSECURE_DEV="true")
    stock_the_shop(bare, prefix)
    warm_up(bare, prefix)
    bare.apart.send_signal(signal.SIGSTOP)
    for connections in (64, 256):
        measure_identity(measures, bare, prefix, connections)
    bare.apart.send_signal(signal.SIGCONT)
    bare.stop()
    return measures


def measure_identity(measures, bare, prefix, connections):
    """Each pair in the other order than the one before. The ratio is the median of the pairs' ratios."""
    took, cost = {False: [], True: []}, {False: [], True: []}
    for pair in range(PAIRS):
        for known in (pair % 2 == 1, pair % 2 == 0):
            began = bare.cpu_us()
            mine = bare.load(connections, prefix, PAIR_SECONDS, known)
            warn_of_refusals(mine, connections, " with identity" if known else " without identity")
            took[known].append(mine["per_second"])
            cost[known].append((bare.cpu_us() - began) / mine["answers"])
    for name, unit, found in (("commands/s", "1/s", took), ("processor time per command", "us", cost)):
        low, ratio, high = statistics.quantiles((k / w for k, w in zip(found[True], found[False])), n=4)
        add_measure(measures, f"{name} at {connections}, with identity", statistics.median(found[True]), unit,
                    peers={"without": round(statistics.median(found[False]), 1), "ratio": round(ratio, 3),
                           "quartiles": f"{low:.2f} to {high:.2f}"})


def warn_of_refusals(load, connections, note):
    bad = {k: v for k, v in load["status"].items() if k != "201"}
    if bad:
        print(f"bench: {connections} connections{note}: answers other than 201: {bad}", file=sys.stderr)


def measure_path(measures, path, prefix, connections):
    with_models = path.load(connections, prefix)
    path.apart.send_signal(signal.SIGSTOP)
    raw = raw_limit(connections)
    alone = path.load(connections, prefix)
    path.apart.send_signal(signal.SIGCONT)
    for mine, note in ((alone, ""), (with_models, ", with read models")):
        warn_of_refusals(mine, connections, note)
        add_measure(measures, f"commands/s at {connections}{note}", mine["per_second"], "1/s", raw["per_second"],
                    {} if note else {"kafka-streams-eos (another run)": STREAMS_EOS[connections]})
        add_measure(measures, f"p50 at {connections}{note}", mine["p50_ms"], "ms", raw["p50_ms"])
        add_measure(measures, f"p99 at {connections}{note}", mine["p99_ms"], "ms", raw["p99_ms"])


def bench_orders():
    """On a fresh log. Idle: the broker is warm, and nothing else is under way."""
    measures = []
    prefix = f"o{time.time_ns() % 10**10}-"
    whole = System("gateway,api,commands,projections,saga,effects,publisher", "orders")
    stock_the_shop(whole, prefix)
    warm_up(whole, prefix)
    mine = whole.load(64, prefix)
    add_measure(measures, "whole system, commands/s at 64", mine["per_second"], "1/s")
    add_measure(measures, "whole system, p50 at 64", mine["p50_ms"], "ms")
    add_measure(measures, "RSS of everything under load", whole.rss_mb(), "MB")
    settle(whole, prefix)
    took = order_to_confirmed(whole, prefix)
    add_measure(measures, "order to CONFIRMED, idle, p50", statistics.median(took), "ms")
    add_measure(measures, "order to CONFIRMED, idle, max", max(took), "ms")
    whole.stop()
    return measures


def decided_everywhere(system, prefix):
    """Until a command has been decided in every partition of a service."""
    def one(i):
        key, until = {"Idempotency-Key": f"r{time.time_ns()}-{i}"}, time.time() + 60
        while time.time() < until:
            try:
                client = Client(system.port, system.token)
                while time.time() < until:
                    status, _ = client.call("POST", f"/v1/inventory/{prefix}{i}/receipts", {"quantity": 1}, Prefer="wait=10", **key)
                    if status in (200, 201):
                        return
                    time.sleep(POLL_SECONDS)
            except (OSError, http.client.HTTPException):
                time.sleep(POLL_SECONDS)
        sys.exit(f"bench: {prefix}{i} was not decided in a minute")

    with ThreadPoolExecutor(PARTITION_SKUS) as pool:
        list(pool.map(one, range(PARTITION_SKUS)))


def kill_and(system, prefix, again):
    """Seconds from the kill of the owners to a decision in every partition."""
    decided_everywhere(system, prefix)
    began = time.perf_counter()
    again()
    decided_everywhere(system, prefix)
    return time.perf_counter() - began


def restart_apart(system, roles):
    system.apart.kill()
    system.apart.wait()
    system.apart = system.spawn(roles, system.apart_env)


def restart_all(system, roles):
    system.process.kill()
    system.process.wait()
    system.process = system.spawn(roles, system.env)


def metric(env, name):
    c = http.client.HTTPConnection("127.0.0.1", int(env["FOLDLOG_ADMIN_PORT"]), timeout=2)
    c.request("GET", "/metrics")
    return sum(float(line.split()[-1]) for line in c.getresponse().read().decode().splitlines() if line.startswith(name + "{"))


def restarts_from_snapshots(measures, prefix):
    """The same logs, of which the owners fold only what is in no snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        system = System("gateway,api,projections,saga,effects,publisher", "restarts-snapshots", apart="commands",
                        FOLDLOG_SNAPSHOTS=folder, FOLDLOG_SNAPSHOT_RECORDS="100")
        written = -1
        while written != (now := metric(system.apart_env, "foldlog_snapshots_written_total")) or now == 0:
            written = now
            time.sleep(2 * SNAPSHOT_LOOK_S)
        took = [kill_and(system, prefix, lambda: restart_apart(system, "commands")) for _ in range(RESTARTS)]
        system.stop()
    add_measure(measures, "owners with snapshots killed and started again, p50", statistics.median(took), "s")
    add_measure(measures, "owners with snapshots killed and started again, max", max(took), "s")


def bench_restarts():
    """kill -9: started again under its name at once; then never, so that another must notice."""
    measures = []
    prefix = f"r{time.time_ns() % 10**10}-"
    system = System("gateway,api,projections,saga,effects,publisher", "restarts", apart="commands")
    stock_the_shop(system, prefix)
    took = [kill_and(system, prefix, lambda: restart_apart(system, "commands")) for _ in range(RESTARTS)]
    add_measure(measures, "owners killed and started again, p50", statistics.median(took), "s")
    add_measure(measures, "owners killed and started again, max", max(took), "s")
    took = []
    for _ in range(REPLACEMENTS):
        env = dict(system.apart_env, FOLDLOG_INSTANCE="bench-other", FOLDLOG_ADMIN_PORT=str(free_port()))
        other = system.spawn("commands", env)
        system.await_ready(other, env)
        time.sleep(2 * SESSION_S)
        took.append(kill_and(system, prefix, system.apart.kill))
        system.apart.wait()
        other.send_signal(signal.SIGTERM)
        other.wait(15)
        restart_apart(system, "commands")
    add_measure(measures, "owners killed, another takes over, max", max(took), "s", SESSION_S)
    system.stop()
    restarts_from_snapshots(measures, prefix)
    every = "gateway,api,commands,projections,saga,effects,publisher"
    system = System(every, "restarts-whole")
    took = [kill_and(system, prefix, lambda: restart_all(system, every)) for _ in range(RESTARTS)]
    add_measure(measures, "a process with all roles killed and started again, p50", statistics.median(took), "s")
    add_measure(measures, "a process with all roles killed and started again, max", max(took), "s")
    system.stop()
    return measures


def bench_codec():
    return run_json(f"{BUILD}/bench/bench_codec")["measures"]


# In this order: the first wants a fresh log, restarts one that is not long.
BENCHES = {"orders": bench_orders, "restarts": bench_restarts, "commands": bench_commands, "identity": bench_identity,
           "codec": bench_codec}
ALL = [name for name in BENCHES if name != "identity"]  # which is the end of commands


def show(measures):
    for m in measures:
        limit = f"  limit {m['limit']:>10}  ratio {m['ratio_to_limit']}" if m.get("limit") else ""
        peers = "  ".join(f"{k} {v}" for k, v in m.get("peers", {}).items())
        print(f"{m['name']:<52} {m['value']:>10} {m['unit']:<4}{limit}  {peers}", flush=True)


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("--")] or ALL
    measures = []
    for name in names:
        if name not in BENCHES:
            sys.exit(f"bench: there is no benchmark \"{name}\": {', '.join(BENCHES)}")
    for name in BENCHES:
        if name in names:
            found = BENCHES[name]()
            measures += found
            if "--json" not in sys.argv:
                show(found)
    if "--json" in sys.argv:
        print(json.dumps({"measures": measures}))


if __name__ == "__main__":
    main()
