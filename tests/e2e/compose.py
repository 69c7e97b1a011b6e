"""docker-compose.yml and the Dockerfile: linted, and then executed. There is no Docker here, so the command, the
environment and the health check of every service are run as plain processes, and an order goes through all of them.
usage: compose.py FOLDLOG"""
import glob
import json
import os
import shutil
import re
import subprocess
import sys
import tempfile

TOOLS = os.environ.get("FOLDLOG_TEST_PYTHON")  # with what tools/dev/requirements.txt names
if TOOLS and os.path.dirname(os.path.dirname(TOOLS)) != sys.prefix:
    os.execv(TOOLS, [TOOLS, *sys.argv])
import yaml

from system import (SECRETS, Client, Person, System, agrees, check, equal, finish, free_port, services, stock_complaint,
                    wait_until, watched)

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PROVIDED = {"kafka", "postgres", "payment-sandbox"}  # by ./dev test
ENTRYPOINT = ["foldlog"]  # of the Dockerfile


def linted():
    for tool, *arguments in (["hadolint", "Dockerfile"],
                             ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]):
        done = subprocess.run([sys.executable, "-c", RUNNER, tool, *arguments], cwd=ROOT, text=True,
                              capture_output=True)
        equal(f"{tool} finds nothing wrong", (done.returncode, done.stdout if done.returncode else ""), (0, ""))


# Console scripts name the place where their environment was made; their entry points do not.
RUNNER = """
import importlib.metadata, os, sys
name = sys.argv[1]
script = [e for e in importlib.metadata.entry_points(group="console_scripts") if e.name == name]
sys.argv = sys.argv[1:]
if script:
    sys.exit(script[0].load()())
os.execv(os.path.join(os.path.dirname(sys.executable), name), sys.argv)
"""


class Composed:
    """The services of the file that are ours, as processes: host names become ports of this machine."""

    def __init__(self, binary):
        with open(os.path.join(ROOT, "docker-compose.yml"), encoding="utf-8") as file:
            self.file = yaml.safe_load(file)["services"]
        self.binary, self.named = binary, services()
        self.ours = {n: s for n, s in self.file.items() if n not in PROVIDED}
        self.ports = {n: (free_port(), free_port()) for n in self.ours}
        self.keys = tempfile.mkdtemp(prefix="foldlog-keys-")
        self.run = os.urandom(4).hex()
        watched.add(f"compose-{self.run}")
        self.processes = {}

    def here(self, text):
        """A string of the file as it must be on this machine."""
        sandbox = self.named["SANDBOX"]
        text = text.replace("kafka:9092", self.named["KAFKA"]).replace("http://payment-sandbox:8090", sandbox)
        text = text.replace("/run/foldlog", self.keys).replace("/run/pg", f"{self.keys}/pg")
        text = text.replace("/var/lib/foldlog", self.keys).replace("0.0.0.0", "127.0.0.1")
        text = text.replace("/usr/local/share/foldlog", os.path.join(ROOT, "deploy"))
        if text == "host=postgres":
            text = " ".join(part for part in self.named["PG"].split() if part.startswith(("host=", "port=")))
        return re.sub(r"http://([a-z-]+):8080", lambda m: f"http://127.0.0.1:{self.ports[m.group(1)][0]}", text)

    def environment(self, name):
        port, admin = self.ports[name]
        given = {k: self.here(str(v)) for k, v in (self.ours[name].get("environment") or {}).items()}
        if "FOLDLOG_INSTANCE" in given:
            given["FOLDLOG_INSTANCE"] += f"-{self.run}"
        if "FOLDLOG_SNAPSHOTS" in given:  # a volume each, and soon something in it
            given["FOLDLOG_SNAPSHOTS"] += f"-{name}"
            given["FOLDLOG_SNAPSHOT_RECORDS"] = "1"
        path = os.pathsep.join([os.path.dirname(self.binary), os.environ["PATH"]])
        kept = {k: v for k, v in os.environ.items() if not k.startswith("FOLDLOG_")}
        return kept | given | {"PATH": path, "FOLDLOG_PORT": str(port), "FOLDLOG_ADMIN_PORT": str(admin)}

    def command(self, name):
        service = self.ours[name]
        return [self.here(a) for a in service.get("entrypoint", ENTRYPOINT) + service.get("command", [])]

    def once(self, name):
        done = subprocess.run(self.command(name), env=self.environment(name), text=True, capture_output=True, timeout=120)
        equal(f"{name} ends with 0", (done.returncode, done.stderr if done.returncode else ""), (0, ""))

    def start(self, name):
        with open(f"compose-{self.run}-{name}.log", "a", encoding="utf-8") as log:
            self.processes[name] = subprocess.Popen(self.command(name), env=self.environment(name), stdout=log, stderr=log)

    def healthy(self, name):
        if self.processes[name].poll() is not None:
            raise SystemExit(f"FAIL  {name} ended with {self.processes[name].returncode}, see compose-{self.run}-{name}.log")
        test = self.ours[name]["healthcheck"]["test"]
        assert test[0] == "CMD", test
        return subprocess.run(test[1:], env=self.environment(name), capture_output=True).returncode == 0

    def stop(self):
        for process in self.processes.values():
            process.terminate()
        codes = {n: p.wait(30) for n, p in self.processes.items()}
        equal("SIGTERM ends all of them with 0", {n: c for n, c in codes.items() if c}, {})
        shutil.rmtree(self.keys)


def dependencies(composed):
    """In the order that depends_on asks for."""
    done, order = set(PROVIDED), []
    while len(order) < len(composed.ours):
        ready = [n for n, s in composed.ours.items() if n not in done and set(s.get("depends_on", {})) <= done]
        if not ready:
            raise SystemExit(f"FAIL  depends_on has a circle among {set(composed.ours) - done}")
        order += ready
        done |= set(ready)
    return order


def share_keys(composed):
    """What was made is well-formed; but the vault of these servers is under the keys of the other stories."""
    for name in ("secret", "email-secret", "master-key"):
        path = os.path.join(composed.keys, name)
        with open(path, encoding="ascii") as file:
            check(f"{name}: 64 hex digits", re.fullmatch("[0-9a-f]{64}\n", file.read()))
        with open(path, "w", encoding="utf-8") as file:
            file.write(SECRETS["FOLDLOG_" + name.upper().replace("-", "_")])


def run_all(composed):
    order = dependencies(composed)
    lasting = [n for n in order if "healthcheck" in composed.ours[n]]
    for name in order:
        if name in lasting:
            composed.start(name)
        else:
            composed.once(name)
        if name == "keys":
            share_keys(composed)
    for name in lasting:
        wait_until(f"{name} healthy", lambda n=name: composed.healthy(n), 120)
    check(f"{len(lasting)} services are healthy by their own checks", True)


def one_role_each(composed):
    seen = {}
    for name, service in composed.ours.items():
        flags = [a for a in service.get("command", []) if a.startswith(("--roles=", "--services="))]
        if flags:
            seen.setdefault(tuple(flags), []).append(name)
    equal("one container per service and role", [n for n in seen.values() if len(n) > 1], [])
    names = [s["environment"]["FOLDLOG_INSTANCE"] for s in composed.ours.values() if "FOLDLOG_INSTANCE" in s.get("environment", {})]
    equal("each with an instance name of its own", len(set(names)), len([n for n in composed.ours if "healthcheck" in composed.ours[n]]))


SERVICES = ("user", "product", "inventory", "order", "payment", "fulfilment")


def mounted(service):
    """Which folders of /run/pg a container sees."""
    volumes = [v.split(":")[1] for v in service.get("volumes", [])]
    return {v.removeprefix("/run/pg/") for v in volumes if v.startswith("/run/pg/")}


def ways_are_separate(composed):
    """Nobody holds the way into another service's database, and only setup the administrator's."""
    for name, service in composed.ours.items():
        if name in ("keys", "setup"):
            continue
        given = {k.removeprefix("FOLDLOG_").removesuffix("_PG_FILE").lower()
                 for k in service.get("environment", {}) if k.endswith("PG_FILE")}
        equal(f"{name}: is told of what it has mounted", given, mounted(service))
        serves = name.rsplit("-", 1)[0]
        allowed = {serves, "vault"} if name.endswith(("-api", "-projections")) else {"vault", "user"}
        check(f"{name}: no way into another's database", given <= allowed and
              (not given or not name.endswith(("-commands", "-saga", "-publisher", "-effects"))), given)


def volumes(service):
    """Where which volume is."""
    return {v.split(":")[1]: v.split(":")[0] for v in service.get("volumes", [])}


def owners(composed):
    return [n for n in composed.ours if n.endswith(("-commands", "-saga"))]


def snapshots_have_a_place(composed):
    """Each who owns partitions keeps them in a volume that nobody else has."""
    told = {n: s["environment"]["FOLDLOG_SNAPSHOTS"] for n, s in composed.ours.items()
            if "FOLDLOG_SNAPSHOTS" in s.get("environment", {})}
    equal("whoever owns partitions keeps snapshots, and nobody else", sorted(told), sorted(owners(composed)))
    used = [volumes(composed.ours[n]).get(folder) for n, folder in told.items()]
    check("each in a volume of its own", None not in used and len(set(used)) == len(used), used)


def snapshots_are_kept(composed):
    for name in owners(composed):
        folder = composed.environment(name)["FOLDLOG_SNAPSHOTS"]
        wait_until(f"{name} has written a snapshot", lambda f=folder: glob.glob(f"{f}/*.snapshot"), 60)
        modes = {oct(os.stat(path).st_mode & 0o777) for path in glob.glob(f"{folder}/*.snapshot")}
        equal(f"{name}: nobody else reads them", (oct(os.stat(folder).st_mode & 0o777), modes), ("0o700", {"0o600"}))


def ways_in(composed):
    found = {}
    for name in (*SERVICES, "vault"):
        with open(os.path.join(composed.keys, "pg", name, "conninfo"), encoding="ascii") as file:
            found[name] = file.read().strip()
    return found


def ask(conninfo, sql):
    """(exit code, what was said)"""
    done = subprocess.run(["psql", "-XAtqc", sql, conninfo], text=True, capture_output=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def roles_are_refused(composed):
    """Each role gets into its own database and no other; each has a password of its own."""
    ways = ways_in(composed)
    for name, way in ways.items():
        equal(f"foldlog_{name} gets into its own database", ask(way, "SELECT current_user"), (0, f"foldlog_{name}"))
        for other in ways:
            if other == name:
                continue
            code, said = ask(f"{way} dbname=foldlog_{other}", "SELECT 1")
            if code == 0 or "permission denied for database" not in said:
                check(f"foldlog_{name} is refused on foldlog_{other}", False, said)
    check("no role gets into another's database", True)
    passwords = [re.search("password=([0-9a-f]{32})", way).group(1) for way in ways.values()]
    equal("each with a password of its own", len(set(passwords)), len(ways))
    kept = ask(composed.named["PG"], "SELECT count(DISTINCT rolpassword) FROM pg_authid"
                                     " WHERE rolname LIKE 'foldlog\\_%' AND rolpassword LIKE 'SCRAM-SHA-256%'")
    check("which PostgreSQL knows", kept[0] == 0 and int(kept[1]) >= len(ways), kept)


WRONG = "notthepassword"


def with_password(way, password):
    return re.sub(r"password=\S+", f"password={password}" if password else "", way)


def wrong_passwords_are_refused(composed):
    for name, way in ways_in(composed).items():
        for password, said in ((WRONG, "password authentication failed"), ("", "no password supplied")):
            code, heard = ask(with_password(way, password), "SELECT 1")
            check(f"foldlog_{name} is refused with {'a wrong' if password else 'no'} password",
                  code != 0 and said in heard, heard)


def wrong_way(composed):
    """order-projections, with a wrong password for its database."""
    given = composed.environment("order-projections")
    with open(given.pop("FOLDLOG_ORDER_PG_FILE"), encoding="ascii") as file:
        return given | {"FOLDLOG_ORDER_PG": with_password(file.read().strip(), WRONG),
                        "FOLDLOG_INSTANCE": f"wrong-{composed.run}", "FOLDLOG_PORT": str(free_port()),
                        "FOLDLOG_ADMIN_PORT": str(free_port())}


def names_the_cause(what, text):
    check(f"{what} names the service, the setting and the cause",
          all(word in text for word in ("order", "--order-pg", "password authentication failed")), text[-600:])
    check(f"{what} shows no password", WRONG not in text)


def wrong_password_is_told(composed):
    given = wrong_way(composed)
    done = subprocess.run([composed.binary, "doctor", "--json"], env=given, text=True, capture_output=True, timeout=60)
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    [found] = [f for f in findings if f["check"] == "database of order"]
    equal("doctor finds a wrong password", (done.returncode, found["good"]), (1, False))
    names_the_cause("doctor", found["note"])
    check("nor anywhere else", WRONG not in done.stdout + done.stderr)
    log = f"compose-{composed.run}-wrong.log"
    with open(log, "w", encoding="utf-8") as out:
        running = subprocess.Popen(composed.command("order-projections"), env=given, stdout=out, stderr=out)
    try:
        def told():
            with open(log, encoding="utf-8") as file:
                return next((line for line in file if "database_not_entered" in line), None)
        names_the_cause("run", wait_until("run tells of a wrong password", told, 30))
        with open(log, encoding="utf-8") as file:
            check("nor in any other line", WRONG not in file.read())
    finally:
        running.terminate()
        equal("which does not keep it from ending", running.wait(30), 0)


def nobody_is_administrator(composed):
    """Who is connected while all services run."""
    code, said = ask(composed.named["PG"], "SELECT DISTINCT usename || ' ' || datname FROM pg_stat_activity WHERE"
                                           " application_name NOT LIKE 'psql%' AND datname LIKE 'foldlog\\_%'")
    wrong = [line for line in said.splitlines() if len(set(line.split())) > 1]
    check("every connection is of a database's own role", code == 0 and said and not wrong, said)


linted()
composed = Composed(os.path.abspath(sys.argv[1]))
one_role_each(composed)
ways_are_separate(composed)
snapshots_have_a_place(composed)
try:
    run_all(composed)
    foldlog = System(composed.binary)
    foldlog.port = composed.ports["gateway"][0]
    foldlog.client = Client(foldlog.port, foldlog.authorize)
    with open(os.path.join(composed.keys, "admin.json"), encoding="utf-8") as file:
        admin = json.load(file)
    foldlog.boss = Person(foldlog, admin["email"], admin["password"])
    foldlog.buyer = foldlog.person("buyer")
    lamp = foldlog.product(5, 4900)
    order = foldlog.order((lamp, 2))
    equal("an order goes through all of them", foldlog.settled(order, 60)["status"], "confirmed")
    equal("stock tells the same", agrees(lambda: stock_complaint(foldlog, lamp, committed=2)), None)
    check("and its timeline, from fulfilment's database", foldlog.happened(order, "fulfilment.completed.v1"))
    snapshots_are_kept(composed)
    nobody_is_administrator(composed)
    roles_are_refused(composed)
    wrong_passwords_are_refused(composed)
    wrong_password_is_told(composed)
finally:
    composed.stop()
finish()
