"""The network of one actor: a TCP proxy that knows Kafka's frames. Requests of a kind can be held back and let go later
(so that they reach the broker after their sender has given them up), arrive twice, or lose their answer together with
the connection. One broker on 127.0.0.1."""
import pathlib
import socket
import struct
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from network import FIND_COORDINATOR, METADATA, PRODUCE, address  # noqa: E402


def read_exactly(connection, size):
    parts = []
    while size:
        part = connection.recv(size)
        if not part:
            raise ConnectionError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_frame(connection):
    head = read_exactly(connection, 4)
    return head + read_exactly(connection, struct.unpack(">i", head)[0])


class Link:
    """A connection of the client, and the one to the broker that belongs to it."""

    def __init__(self, client, broker):
        self.client, self.broker = client, broker
        self.kinds = {}  # correlation id -> kind of request
        self.twice, self.loses = set(), set()  # correlation ids
        self.held = 0

    def close(self):
        for one in (self.client, self.broker):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Wire:
    def __init__(self, broker_port):
        self.broker_port = broker_port
        self.lock = threading.Lock()
        self.holding = set()
        self.held = []  # (kind, link, frame)
        self.loses_next, self.doubles_next = 0, 0  # produce requests
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            try:
                broker = socket.create_connection(("127.0.0.1", self.broker_port))
            except OSError:  # it is down
                client.close()
                continue
            link = Link(client, broker)
            for one in (client, broker):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for run in (self.up, self.down):
                threading.Thread(target=run, args=(link,), daemon=True).start()

    # ---- what a script does ----

    def hold(self, kind):
        with self.lock:
            self.holding.add(kind)

    def release(self, kind):
        with self.lock:
            self.holding.discard(kind)
            free = [one for one in self.held if one[0] == kind]
            self.held = [one for one in self.held if one[0] != kind]
            for _, link, frame in free:
                link.held -= 1
                try:
                    link.broker.sendall(frame)
                except OSError:  # the broker has died meanwhile
                    pass

    def held_of(self, kind):
        with self.lock:
            return sum(one[0] == kind for one in self.held)

    def lose_answer(self):
        with self.lock:
            self.loses_next += 1

    def double(self):
        with self.lock:
            self.doubles_next += 1

    # ---- the two directions ----

    def pass_on(self, link, frame):
        kind, _, correlation = struct.unpack(">hhi", frame[4:12])
        with self.lock:
            link.kinds[correlation] = kind
            if kind in self.holding:
                self.held.append((kind, link, frame))
                link.held += 1
                return
            if kind == PRODUCE and self.doubles_next:
                self.doubles_next -= 1
                link.twice.add(correlation)
                frame += frame
            elif kind == PRODUCE and self.loses_next:
                self.loses_next -= 1
                link.loses.add(correlation)
        link.broker.sendall(frame)

    def up(self, link):
        try:
            while True:
                self.pass_on(link, read_frame(link.client))
        except OSError:
            with self.lock:
                if link.held == 0:  # else what is held must still find its way
                    link.close()

    def down(self, link):
        try:
            while True:
                frame = read_frame(link.broker)
                correlation = struct.unpack(">i", frame[4:8])[0]
                with self.lock:
                    if correlation in link.loses:
                        raise ConnectionError
                    if correlation in link.twice:  # the second answer is for nobody
                        link.twice.discard(correlation)
                        continue
                    kind = link.kinds.pop(correlation, None)
                if kind in (METADATA, FIND_COORDINATOR):
                    frame = frame.replace(address(self.broker_port), address(self.port))
                link.client.sendall(frame)
        except OSError:
            link.close()
