#!/usr/bin/env python3
"""./dev bench [commands|codec] [--json]: each figure beside its limit, taken in the same run.

Expects the services of ./dev (FOLDLOG_TEST_KAFKA, FOLDLOG_TEST_PG, FOLDLOG_TEST_SANDBOX) and the release build.
"""
import atexit
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build", "release")
FOLDLOG = os.path.join(BUILD, "app", "foldlog")
SECONDS = float(os.environ.get("BENCH_SECONDS", "4"))
SKUS = 100
# Kafka Streams with exactly-once, measured on a machine of this kind, not in this run.
SECRETS = {"FOLDLOG_SECRET": "fingerprints of the benchmark, 32 characters", "FOLDLOG_MASTER_KEY": "5a" * 32,
           "FOLDLOG_EMAIL_SECRET": "addresses of the benchmark, 32 characters"}
STREAMS_EOS = {1: 260, 64: 6900, 256: 10700}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class System:
    """One `foldlog run` with the given roles."""

    def __init__(self, roles, name):
        self.port, self.admin = free_port(), free_port()
        self.env = dict(os.environ, FOLDLOG_KAFKA=os.environ["FOLDLOG_TEST_KAFKA"], FOLDLOG_PG=os.environ["FOLDLOG_TEST_PG"],
                        FOLDLOG_PAYMENT_URL=os.environ["FOLDLOG_TEST_SANDBOX"], FOLDLOG_DEV="true",
                        FOLDLOG_PORT=str(self.port), FOLDLOG_ADMIN_PORT=str(self.admin), FOLDLOG_INSTANCE="bench",
                        FOLDLOG_ADMIN_FILE=os.path.join(os.environ.get("FOLDLOG_RUN", "."), "bench-admin.json"), **SECRETS)
        for verb in (["topics", "apply"], ["migrate"]):
            subprocess.run([FOLDLOG, *verb], env=self.env, check=True, stdout=subprocess.DEVNULL)
        self.log = open(os.path.join(os.environ.get("FOLDLOG_RUN", "."), f"bench-{name}.log"), "w")
        self.process = subprocess.Popen([FOLDLOG, "run", f"--roles={roles}"], env=self.env,
                                        stderr=self.log, stdout=self.log)
        atexit.register(self.process.kill)  # also when a step of the benchmark fails
        self.await_ready()
        subprocess.run([FOLDLOG, "admin"], env=self.env, check=True, stdout=subprocess.DEVNULL)
        with open(self.env["FOLDLOG_ADMIN_FILE"]) as file:
            admin = json.load(file)
        status, grant = Client(self.port).call("POST", "/v1/sessions", admin)
        assert status == 201, (status, grant)
        self.token = grant["access_token"]

    def await_ready(self):
        until = time.time() + 60
        while time.time() < until:
            try:
                c = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=2)
                c.request("GET", "/readyz")
                if c.getresponse().status == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                sys.exit(f"foldlog ended with {self.process.returncode}: see {self.log.name}")
            time.sleep(0.05)
        sys.exit("foldlog did not become ready")

    def rss_mb(self):
        text = open(f"/proc/{self.process.pid}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


class Client:
    def __init__(self, port, token=None):
        self.token = token
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.keys = 0

    def call(self, method, path, body=None):
        self.keys += 1
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"{os.getpid()}-{time.time_ns()}-{self.keys}"}
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


def order_to_confirmed(system, prefix, count=30):
    client, took = Client(system.port, system.token), []
    for i in range(count):
        began = time.perf_counter()
        status, answer = client.call("POST", "/v1/orders", {
            "items": [{"sku": f"{prefix}{i % SKUS}", "quantity": 1}], "payment_method": "ok",
            "shipping_address": {"name": "Ada", "line1": "1 Street", "city": "London", "country": "GB"}})
        assert status == 201, (status, answer)
        while True:
            status, order = client.call("GET", f"/v1/orders/{answer['id']}")
            if status == 200 and order["status"] == "confirmed":
                break
            assert time.perf_counter() - began < 20, (status, order)
            time.sleep(0.001)
        took.append((time.perf_counter() - began) * 1000)
    return took


def bench_commands():
    measures = []
    prefix = f"b{time.time_ns() % 10**10}-"
    kafka = os.environ["FOLDLOG_TEST_KAFKA"]

    def add(name, value, unit, limit=None, peers=None):
        measures.append({"name": name, "value": round(value, 3), "unit": unit, "limit": limit and round(limit, 3),
                         "ratio_to_limit": limit and round(value / limit, 3), "peers": peers or {}})

    path = System("gateway,api,commands,projections", "path")
    stock_the_shop(path, prefix)
    for connections in (1, 64, 256):
        mine = run_json(f"{BUILD}/bench/load_http", path.port, connections, SECONDS, prefix, SKUS, path.token)
        raw = run_json(f"{BUILD}/bench/load_raw", kafka, "bench.a", "bench.b", 4, connections, SECONDS, 650, 750)
        bad = {k: v for k, v in mine["status"].items() if k != "201"}
        if bad:
            print(f"bench: {connections} connections: answers other than 201: {bad}", file=sys.stderr)
        add(f"commands/s at {connections}", mine["per_second"], "1/s", raw["per_second"],
            {"kafka-streams-eos (another run)": STREAMS_EOS[connections]})
        add(f"p50 at {connections}", mine["p50_ms"], "ms", raw["p50_ms"])
        add(f"p99 at {connections}", mine["p99_ms"], "ms", raw["p99_ms"])
    add("RSS of api + commands + projections after the load", path.rss_mb(), "MB")
    path.stop()
    whole = System("gateway,api,commands,projections,saga,effects,publisher", "whole")
    add("RSS of everything, just started", whole.rss_mb(), "MB")
    whole.stop()
    return measures


def bench_orders():
    """On a fresh log, so that nothing else is under way."""
    prefix = f"o{time.time_ns() % 10**10}-"
    whole = System("gateway,api,commands,projections,saga,effects,publisher", "orders")
    stock_the_shop(whole, prefix)
    took = order_to_confirmed(whole, prefix)
    measures = [{"name": "order to CONFIRMED, idle, p50", "value": round(statistics.median(took), 1), "unit": "ms"},
                {"name": "order to CONFIRMED, idle, max", "value": round(max(took), 1), "unit": "ms"}]
    mine = run_json(f"{BUILD}/bench/load_http", whole.port, 64, SECONDS, prefix, SKUS, whole.token)
    measures.append({"name": "whole system, commands/s at 64", "value": mine["per_second"], "unit": "1/s"})
    measures.append({"name": "whole system, p50 at 64", "value": mine["p50_ms"], "unit": "ms"})
    measures.append({"name": "RSS of everything under load", "value": round(whole.rss_mb(), 1), "unit": "MB"})
    whole.stop()
    return measures


def bench_codec():
    return run_json(f"{BUILD}/bench/bench_codec")["measures"]


BENCHES = {"orders": bench_orders, "commands": bench_commands, "codec": bench_codec}


def main():
    names = [a for a in sys.argv[1:] if not a.startswith("--")] or list(BENCHES)
    measures = []
    for name in names:
        if name not in BENCHES:
            sys.exit(f"bench: there is no benchmark \"{name}\": {', '.join(BENCHES)}")
        measures += BENCHES[name]()
    if "--json" in sys.argv:
        print(json.dumps({"measures": measures}))
        return
    for m in measures:
        limit = f"  limit {m['limit']:>10}  ratio {m['ratio_to_limit']}" if m.get("limit") else ""
        peers = "  ".join(f"{k} {v}" for k, v in m.get("peers", {}).items())
        print(f"{m['name']:<52} {m['value']:>10} {m['unit']:<4}{limit}  {peers}")


if __name__ == "__main__":
    main()
