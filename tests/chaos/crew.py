"""Everybody who takes part in a run: the broker, PostgreSQL, the payment sandbox and two Foldlogs that share the
partitions, each behind a network of its own. The second is a process for each role, so that each can be missed
alone."""
import signal
import subprocess
import time

import services
from network import Remote
from ports import free_port

MACHINES = ("foldlog-a", "foldlog-b")
ROLES = ("gateway", "api", "commands", "saga", "effects", "projections", "publisher")
BACKENDS = ("kafka", "postgres", "sandbox")
SERVICES = ("product", "inventory", "order", "payment", "user")
READY_S = 90
SNAPSHOT_RECORDS = 200


class Link:
    """What a Foldlog process sees of one backend."""

    def __init__(self, remote, process, backend, server_port):
        self.remote, self.process, self.name = remote, process, f"{process} {backend}"
        self.backend = backend
        self.port = remote.open(self.name, server_port, backend == "kafka")

    def call(self, method, **arguments):
        return self.remote.ask(do=method, link=self.name, **arguments)


class Crew:
    """`named`: KAFKA, PG, PG_PORT, SANDBOX_PORT, FOLDLOG, SANDBOX of the environment, without their prefix."""

    def __init__(self, run, named, environment):
        self.run, self.named, self.environment = run, named, environment
        self.backend_ports = {"kafka": int(named["KAFKA"].rsplit(":", 1)[1]), "postgres": int(named["PG_PORT"]),
                              "sandbox": int(named["SANDBOX_PORT"])}
        self.processes = self.backends()
        self.members = {MACHINES[0]: {MACHINES[0]: ROLES},
                        MACHINES[1]: {f"{MACHINES[1]}-{r}": (r,) for r in ROLES}}
        self.roles = {p: r for members in self.members.values() for p, r in members.items()}
        self.port_of = {p: free_port() for p in self.roles}
        self.admin_ports = {p: free_port() for p in self.roles}
        doors = {m: next(p for p, roles in members.items() if "gateway" in roles)
                 for m, members in self.members.items()}
        self.ports = {m: self.port_of[p] for m, p in doors.items()}  # where clients go
        self.networks = {m: Remote(self.open_network) for m in MACHINES}
        self.link_of = {(p, b): Link(self.networks[m], p, b, self.backend_ports[b])
                        for m in MACHINES for p in self.members[m] for b in BACKENDS}
        for process in self.roles:
            self.processes[process] = services.Process(
                run, process, [named["FOLDLOG"], "run", "--insecure-dev"], self.environment_of(process),
                lambda p=process: self.is_ready(p))

    def backends(self):
        kafka, postgres = (services.command_of(f"{self.run}/{n}.argv") for n in ("kafka", "postgres"))
        ports, make = self.backend_ports, services.Process
        return {
            "kafka": make(self.run, "kafka", kafka, ready=lambda: services.broker_answers(self.named["KAFKA"])),
            "postgres": make(self.run, "postgres", postgres, stop_signal=signal.SIGINT, cwd="/",
                             ready=lambda: services.postgres_answers(postgres, ports["postgres"])),
            "sandbox": make(self.run, "sandbox", [self.named["SANDBOX"], "--port", str(ports["sandbox"]),
                                                  "--data", f"{self.run}/sandbox.ledger"],
                            ready=lambda: services.listens(ports["sandbox"])),
        }

    def open_network(self, command):
        with open(f"{self.run}/network.log", "a") as log:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                                    start_new_session=True)

    def environment_of(self, process):
        """What it knows of the world lies behind its links."""
        kafka, postgres, sandbox = (self.link_of[process, b].port for b in BACKENDS)
        mine = self.environment | {
            "FOLDLOG_INSTANCE": process, "FOLDLOG_PORT": str(self.port_of[process]),
            "FOLDLOG_ADMIN_PORT": str(self.admin_ports[process]), "FOLDLOG_ROLES": ",".join(self.roles[process]),
            "FOLDLOG_SNAPSHOTS": self.snapshots_of(process), "FOLDLOG_SNAPSHOT_RECORDS": str(SNAPSHOT_RECORDS),
            "FOLDLOG_KAFKA": f"127.0.0.1:{kafka}", "FOLDLOG_PAYMENT_URL": f"http://127.0.0.1:{sandbox}",
            "FOLDLOG_PG": self.named["PG"].replace(f"port={self.named['PG_PORT']}", f"port={postgres}")}
        if self.roles[process] == ("gateway",):
            api = f"http://127.0.0.1:{self.port_of[f'{MACHINES[1]}-api']}"
            mine |= {f"FOLDLOG_{s.upper()}_API": api for s in SERVICES}
        return mine

    # ---- who is who ----

    def snapshots_of(self, process):
        """The folder, which the processes of a machine share."""
        machine = next(m for m, members in self.members.items() if process in members)
        return f"{self.run}/snapshots-{machine}"

    def machines(self):
        return MACHINES

    def foldlogs(self):
        return tuple(self.roles)

    def playing(self, roles):
        """The processes that play one of these."""
        return [p for p, mine in self.roles.items() if set(mine) & set(roles)]

    def links(self, machine, backend):
        return tuple(self.link_of[p, backend] for p in self.members[machine])

    def link(self, process, backend):
        return self.link_of[process, backend]

    def all_links(self):
        return self.link_of.values()

    # ---- starting, stopping ----

    def is_ready(self, process):
        try:
            return services.http_get(self.admin_ports[process], "/readyz?verbose")[0] == 200
        except OSError:
            return False

    def start(self, names):
        """SystemExit when one does not become ready."""
        for name in names:
            self.processes[name].start()
        for name in names:
            if not self.processes[name].wait_ready(READY_S):
                raise SystemExit(f"{name} did not become ready within {READY_S} s, see {self.run}/{name}.log")

    def await_ready(self):
        """[name]: who did not come in time."""
        end = time.monotonic() + READY_S
        return [n for n, p in self.processes.items() if not p.wait_ready(max(1, end - time.monotonic()))]

    def why(self, process):
        """What one that is not ready says of itself."""
        try:
            return services.http_get(self.admin_ports[process], "/readyz?verbose")[1] if process in self.roles else ""
        except OSError as e:
            return str(e)

    def stop_foldlogs(self):
        """[(name, seconds, exit code)]; the door first, as an orchestrator drains it."""
        found = []
        for name in self.foldlogs():
            ended = self.processes[name].stop()
            if ended:
                found.append((name, *ended))
        return found

    def stop(self):
        for name in (*self.foldlogs(), "sandbox", "postgres", "kafka"):
            self.processes[name].stop()
        for network in self.networks.values():
            network.close()
