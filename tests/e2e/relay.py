"""A dependency that can be taken away: a port of its own before somebody else's, and a process that stands still."""
import os
import signal
import socket
import threading

from system import free_port


class Relay:
    """Hands bytes on between a port of its own and target, a (host, port). While it is down, connections are refused,
    and those that there were are cut."""

    def __init__(self, target):
        self.target = target
        self.lock = threading.Lock()
        self.ends = set()
        self.listener = None
        self.port = free_port()
        self.up()

    def up(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(128)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def down(self):
        cut(self.listener)
        with self.lock:
            ends, self.ends = self.ends, set()
        for end in ends:
            cut(end)

    def accept(self, listener):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.join, args=(listener, near), daemon=True).start()

    def join(self, listener, near):
        try:
            far = socket.create_connection(self.target)
        except OSError:
            cut(near)
            return
        with self.lock:
            late = listener is not self.listener or listener.fileno() < 0
            if not late:
                self.ends |= {near, far}
        if late:  # it went down meanwhile
            cut(near), cut(far)
            return
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.pump, args=(far, near), daemon=True).start()
        self.pump(near, far)

    def pump(self, source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            cut(end)
            with self.lock:
                self.ends.discard(end)


def cut(end):
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()


def listener_of(port):
    """The process that listens on this port of 127.0.0.1 (or of all addresses)."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            for fields in (line.split() for line in list(lines)[1:]):
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if any(os.readlink(f"/proc/{pid}/fd/{fd}") in inodes for fd in os.listdir(f"/proc/{pid}/fd")):
                return int(pid)
        except OSError:
            continue
    raise SystemExit(f"FAIL  nobody listens on port {port}")


class StandsStill:
    """A process that is stopped and goes on; after an error here it goes on in any case."""

    def __init__(self, pid):
        self.pid = pid

    def down(self):
        os.kill(self.pid, signal.SIGSTOP)

    def up(self):
        os.kill(self.pid, signal.SIGCONT)
