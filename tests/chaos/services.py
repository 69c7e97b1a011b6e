"""The processes of a run: a broker, a PostgreSQL, a payment sandbox and Foldlogs; each can be killed, paused and
started again in place. What runs is also written down as pid files, so that ./dev can stop what this program could
not."""
import http.client
import os
import resource
import signal
import socket
import subprocess
import threading
import time

STOP_S = 20
GONE_S = 15


def start_time(pid):
    """In clock ticks since boot; None: it is gone, or a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def run_as(pid):
    """As whom it runs, for subprocess.run; None: it is gone."""
    try:
        with open(f"/proc/{pid}/status") as f:
            ids = {line[:3]: int(line.split()[1]) for line in f if line.startswith(("Uid:", "Gid:"))}
    except OSError:
        return None
    return {} if ids["Uid"] == os.getuid() else {"user": ids["Uid"], "group": ids["Gid"]}


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [(int(c), start_time(c)) for c in f.read().split()]
    except OSError:
        return []


class Process:
    """`ready` says whether it serves; None: nobody asks."""

    def __init__(self, run, name, command, environment=None, ready=None, stop_signal=signal.SIGTERM, cwd=None):
        self.run, self.name, self.command, self.environment = run, name, command, environment
        self.is_ready = ready or (lambda: True)
        self.stop_signal, self.cwd = stop_signal, cwd
        self.lock = threading.RLock()
        self.process = None
        self.paused = False
        self.wanted = False
        self.started_at = None
        self.doomed = False  # it may end by itself, or what it lacks was taken from it
        self.deaths = []  # (seconds lived, exit code) that nobody here caused
        self.history = []  # (wall clock, "kill" or "start")

    def start(self):
        with self.lock, open(f"{self.run}/{self.name}.log", "ab") as log:
            self.history.append((time.time(), "start"))
            self.process = subprocess.Popen(self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True, cwd=self.cwd)
            self.wanted, self.doomed, self.started_at = True, False, time.monotonic()
            with open(f"{self.run}/{self.name}.pid", "w") as f:
                f.write(f"{self.process.pid} {start_time(self.process.pid)}\n")

    def wait_ready(self, seconds):
        """True when it serves in time."""
        end = time.monotonic() + seconds
        while not self.is_ready():
            if time.monotonic() > end:
                return False
            self.revive()
            time.sleep(0.1)
        return True

    def revive(self):
        """What ended although nobody asked it to is remembered, and started again as a supervisor would."""
        with self.lock:
            if not self.wanted or self.process is None or self.process.poll() is None:
                return
            self.history.append((time.time(), "kill"))
            if not self.doomed:
                self.deaths.append((time.monotonic() - self.started_at, self.process.returncode))
            self.start()

    def kill(self):
        """kill -9. Its children leave by themselves, or are helped after a while."""
        with self.lock:
            self.wanted = False
            children = children_of(self.process.pid)
            self.history.append((time.time(), "kill"))
            self.process.kill()
            self.process.wait()
        end = time.monotonic() + GONE_S
        for pid, born in children:
            while start_time(pid) == born is not None and time.monotonic() < end:
                time.sleep(0.02)
            if start_time(pid) == born is not None:
                os.kill(pid, signal.SIGKILL)

    def pause(self):
        """With its children: the sessions of a PostgreSQL are processes."""
        self.paused = True
        self.signal_all(signal.SIGSTOP)

    def resume(self):
        self.signal_all(signal.SIGCONT)
        self.paused = False

    def limit(self, what, size):
        """No more of a resource (an option of prlimit) than `size` for it and its children, whoever they run as."""
        for pid, born in [(self.process.pid, start_time(self.process.pid)), *children_of(self.process.pid)]:
            who = run_as(pid)
            if who is None:
                continue  # it has just ended
            done = subprocess.run(["prlimit", f"--pid={pid}", f"--{what}={size}:"], capture_output=True, text=True,
                                  check=False, **who)
            if done.returncode != 0 and start_time(pid) == born is not None:
                raise OSError(done.stderr)

    def address_space(self):
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[0]) * resource.getpagesize()

    def ends_within(self, seconds):
        """Its exit code, when it ends by itself; None."""
        process, end = self.process, time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        return process.returncode

    def signal_all(self, number):
        self.process.send_signal(number)
        for pid, born in children_of(self.process.pid):
            if start_time(pid) == born is not None:
                os.kill(pid, number)

    def stop(self):
        """In order; (seconds, exit code), killed when it takes too long. None: it did not run."""
        with self.lock:
            self.wanted = False
            if self.process is None or self.process.poll() is not None:
                return None
            if self.paused:
                self.resume()
            began = time.monotonic()
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            os.unlink(f"{self.run}/{self.name}.pid")
            return time.monotonic() - began, self.process.returncode


def listens(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def postgres_answers(command, port):
    """command: what runs the server; what asks it lies beside it."""
    server = next(word for word in command if word.endswith("/postgres"))
    done = subprocess.run([f"{os.path.dirname(server)}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)],
                          capture_output=True, timeout=10, check=False)
    return done.returncode == 0


def broker_answers(brokers):
    done = subprocess.run(["kcat", "-L", "-b", brokers, "-m", "2"], capture_output=True, timeout=10, check=False)
    return done.returncode == 0 and b"broker 1 at" in done.stdout


def command_of(path):
    """An argument list, as ./dev wrote it: each argument ends with NUL."""
    with open(path, "rb") as f:
        return [part.decode() for part in f.read().split(b"\0")[:-1]]


def http_get(port, path):
    """(status, text); OSError when there is no answer."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", path)
        got = line.getresponse()
        return got.status, got.read().decode(errors="replace")
    except http.client.HTTPException as e:
        raise OSError(str(e)) from e
    finally:
        line.close()
