#!/usr/bin/env python3
"""A network that can be made to fail: proxies between a client and a server on 127.0.0.1. Cut off, nothing moves and
nobody is told; later the connections go on where they were, or are broken. A link to a Kafka broker knows the
requests: it can hold one back, lose it or its answer, or deliver it twice.

As a program it opens and harms links as it is told, one JSON object per line: {"do": METHOD, "link": NAME, ...}."""
import errno
import heapq
import json
import os
import select
import socket
import struct
import sys
import threading
import time
from collections import deque

from ports import free_port

METADATA, FIND_COORDINATOR = 3, 10
PRODUCE, END_TXN = 0, 26
HOLD, LOSE_REQUEST, LOSE_ANSWER, DUPLICATE = "hold", "lose_request", "lose_answer", "duplicate"
SWALLOW = "swallow"  # the answer of a duplicate
RECV_BYTES = 256 * 1024
FULL_BYTES = 1024 * 1024  # nothing more is read while so much waits to be sent
READ, WRITE = select.EPOLLIN, select.EPOLLOUT


def address(port):
    return b"127.0.0.1" + struct.pack(">i", port)


class Rule:
    """What happens to the next `times` requests of one kind. Silent: instead of being broken, the connection falls
    silent for ever. Containing: only those with these bytes."""

    def __init__(self, what, api_key, times, silent, containing):
        self.what, self.api_key, self.times, self.silent = what, api_key, times, silent
        self.containing = containing


class Way:
    """One direction of a line."""

    def __init__(self, source, sink):
        self.source, self.sink = source, sink
        self.inbox, self.outbox = bytearray(), bytearray()
        self.stalled = False  # nothing more is taken from the inbox: a request is held


class Line:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, link, client, server):
        self.link, self.client, self.server = link, client, server
        self.up, self.down = Way(client, server), Way(server, client)
        self.connected = False
        self.gone = set()  # of client and server: who has closed
        self.silent = False  # what comes is thrown away
        self.asked = deque()  # (api key, rule) of each request that is not answered yet
        self.interest = {client: None, server: None}

    # ---- what the sockets are watched for ----

    def wanted(self, sock):
        """None: nothing at all, not even its end."""
        if self.link.is_cut:
            return None
        reads, writes = (self.up, self.down) if sock is self.client else (self.down, self.up)
        mask = 0
        if sock in self.gone:
            return None
        if not reads.stalled and len(reads.outbox) < FULL_BYTES and self.connected:
            mask |= READ
        if writes.outbox or (sock is self.server and not self.connected):
            mask |= WRITE
        return mask or None

    def watch(self):
        for sock in (self.client, self.server):
            wanted, had = self.wanted(sock), self.interest[sock]
            if wanted == had:
                continue
            epoll = self.link.network.epoll
            if had is None:
                epoll.register(sock.fileno(), wanted)
            elif wanted is None:
                epoll.unregister(sock.fileno())
            else:
                epoll.modify(sock.fileno(), wanted)
            self.interest[sock] = wanted

    # ---- bytes ----

    def on_event(self, sock, mask):
        if not self.connected and sock is self.server:
            if self.server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.close(True)
                return
            self.connected = True
        way = self.up if sock is self.client else self.down
        if mask & ~WRITE and not way.stalled:
            self.receive(way)
        if mask & WRITE and not self.closed():
            self.send(self.down if sock is self.client else self.up)
        self.settle()

    def receive(self, way):
        try:
            data = way.source.recv(RECV_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.gone.add(way.source)
        elif not self.silent:
            way.inbox += data
            self.advance(way)

    def advance(self, way):
        if self.link.kafka:
            self.take_frames(way)
        else:
            way.outbox += way.inbox
            way.inbox.clear()
        if not self.closed():
            self.send(way)

    def send(self, way):
        if not way.outbox or not self.connected:
            return
        try:
            sent = way.sink.send(way.outbox)
        except BlockingIOError:
            return
        except OSError:
            self.gone.add(way.sink)
            way.outbox.clear()
            return
        del way.outbox[:sent]

    def settle(self):
        """Closes what has come to its end. What a client that is gone has asked still reaches the server, which is
        not hung up on before it has answered."""
        if self.closed():
            return
        under_way = self.up.stalled or self.up.outbox or (self.asked and not self.silent)
        if self.server in self.gone and not self.down.outbox or self.client in self.gone and not under_way:
            self.close(False)
        else:
            self.watch()

    def closed(self):
        return self.client is None

    def close(self, broken):
        """Broken: the client learns it at once, and what is on the way is gone."""
        if self.closed():
            return
        for sock in (self.client, self.server):
            if self.interest[sock] is not None:
                self.link.network.epoll.unregister(sock.fileno())
            self.link.network.sockets.pop(sock.fileno(), None)
            if broken:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        self.link.lines.discard(self)
        self.client = self.server = None

    # ---- Kafka's frames ----

    def take_frames(self, way):
        at, inbox = 0, way.inbox
        take = self.request if way is self.up else self.answer
        while not way.stalled and not self.silent and len(inbox) - at >= 8:
            end = at + 4 + int.from_bytes(inbox[at:at + 4], "big")
            if len(inbox) < end:
                break
            if not take(way, bytes(inbox[at:end])):
                break
            at = end
        if self.closed():
            return
        if self.silent:
            way.inbox.clear()
        else:
            del inbox[:at]

    def request(self, way, frame):
        """False: it stays where it is."""
        api_key = int.from_bytes(frame[4:6], "big")
        self.link.requested[api_key] = self.link.requested.get(api_key, 0) + 1
        rule = self.link.rule_for(api_key, frame)
        what = rule.what if rule else None
        if what == HOLD:
            way.stalled = True
            self.link.held.append(self)
            return False
        if what == LOSE_REQUEST:
            self.fail(rule)
            return False
        way.outbox += frame
        self.asked.append((api_key, LOSE_ANSWER if what == LOSE_ANSWER else None, rule))
        if what == DUPLICATE:
            way.outbox += frame
            self.asked.append((api_key, SWALLOW, None))
        return True

    def answer(self, way, frame):
        api_key, what, rule = self.asked.popleft()
        if what == LOSE_ANSWER:
            self.fail(rule)
            return False
        if what == SWALLOW:
            self.link.swallowed += 1
            return True
        self.link.seen[api_key] = self.link.seen.get(api_key, 0) + 1
        if api_key in (METADATA, FIND_COORDINATOR):
            frame = frame.replace(address(self.link.server_port), address(self.link.port))
        way.outbox += frame
        return True

    def spare_answers(self):
        """Of what was to be lost, and has not come yet."""
        self.asked = deque((key, None if what == LOSE_ANSWER else what, rule) for key, what, rule in self.asked)

    def fail(self, rule):
        if rule.silent:
            self.silent = True
        else:
            self.close(True)

    def let_go(self):
        """What was held goes on, also when nobody waits for its answer any more."""
        if self.closed():
            return
        self.up.stalled = False
        self.link.network.guarded(self, self.take_held)

    def take_held(self):
        frame_end = 4 + int.from_bytes(self.up.inbox[:4], "big")
        frame = bytes(self.up.inbox[:frame_end])
        del self.up.inbox[:frame_end]
        self.up.outbox += frame
        self.asked.append((int.from_bytes(frame[4:6], "big"), None, None))
        self.advance(self.up)
        self.settle()


class Link:
    """Listens on `port` and connects to a server for each client."""

    def __init__(self, network, server_port, kafka):
        self.network, self.server_port, self.kafka = network, server_port, kafka
        self.lines = set()
        self.rules = []
        self.held = []  # lines of which a request is held
        self.seen = {}  # api key -> how many answers
        self.requested = {}  # api key -> how many requests
        self.hits = self.swallowed = 0
        self.is_cut = False
        self.port = free_port()
        self.listen()

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.listener.setblocking(False)
        self.network.listeners[self.listener.fileno()] = self
        self.network.epoll.register(self.listener.fileno(), READ)

    def accept(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        server = socket.socket()
        for one in (client, server):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = Line(self, client, server)
        if server.connect_ex(("127.0.0.1", self.server_port)) not in (0, errno.EINPROGRESS):
            client.close()
            server.close()
            return
        self.lines.add(line)
        self.network.sockets[client.fileno()] = self.network.sockets[server.fileno()] = line
        line.watch()

    def rule_for(self, api_key, frame):
        """The one that is hit now."""
        for rule in self.rules:
            if rule.api_key == api_key and rule.containing in frame:
                self.hits += 1
                rule.times -= 1
                if rule.times == 0:
                    self.rules.remove(rule)
                return rule
        return None

    # ---- for everyone: the network's lock is held ----

    def fault(self, what, api_key, times=1, silent=False, containing=b""):
        self.rules.append(Rule(what, api_key, times, silent, containing))

    def forget(self):
        """No rule any more; how many requests were hit so far."""
        self.rules.clear()
        return self.hits

    def hit_so_far(self):
        return self.hits

    def release(self):
        """Lets go what is held; returns how many."""
        held, self.held = self.held, []
        for line in held:
            line.let_go()
        return len(held)

    def mend(self):
        """What is held goes on, answers under way arrive; connections that fell silent are broken, so that their
        clients make new ones."""
        self.rules.clear()
        for line in self.lines:
            line.spare_answers()
        for line in [one for one in self.lines if one.silent]:
            line.close(True)
        return self.release()

    def silence(self):
        """No connection of now is heard of again; new ones work."""
        for line in self.lines:
            line.silent = True

    def cut(self):
        if self.is_cut:
            return
        self.is_cut = True
        self.network.epoll.unregister(self.listener.fileno())
        for line in self.lines:
            line.watch()

    def heal(self, broken):
        """Broken: the connections of before are reset, with all that was on the way; else they go on."""
        if not self.is_cut:
            return
        self.is_cut = False
        self.network.epoll.register(self.listener.fileno(), READ)
        for line in list(self.lines):
            if broken:
                line.close(True)
            else:
                line.watch()


    def leave(self):
        """As a server that has ended: connections are reset, new ones are refused."""
        self.network.epoll.unregister(self.listener.fileno())
        del self.network.listeners[self.listener.fileno()]
        self.listener.close()
        for line in list(self.lines):
            line.close(True)

    def come_back(self):
        self.listen()


class Network:
    """One thread moves all bytes; the methods may be called from any other."""

    def __init__(self):
        self.lock = threading.RLock()
        self.epoll = select.epoll()
        self.sockets = {}  # file descriptor -> Line
        self.listeners = {}
        self.links = {}
        self.timers = []  # (when, number, call)
        self.count = 0
        self.wake, wake = socket.socketpair()
        self.wake_fd = wake.fileno()
        self.woken = wake
        self.epoll.register(self.wake_fd, READ)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            with self.lock:
                wait = max(0, self.timers[0][0] - time.monotonic()) if self.timers else -1
            found = self.epoll.poll(wait)
            with self.lock:
                self.due()
                for fd, mask in found:
                    self.on_event(fd, mask)

    def due(self):
        while self.timers and self.timers[0][0] <= time.monotonic():
            heapq.heappop(self.timers)[2]()

    def on_event(self, fd, mask):
        if fd == self.wake_fd:
            self.woken.recv(4096)
        elif fd in self.listeners:
            self.listeners[fd].accept()
        elif line := self.sockets.get(fd):
            sock = line.client if line.client.fileno() == fd else line.server
            self.guarded(line, lambda: line.on_event(sock, mask))

    def guarded(self, line, call):
        """A connection that breaks in a way nobody thought of breaks alone, and is told of."""
        try:
            call()
        except OSError as e:
            print(f"network: {e}", file=sys.stderr, flush=True)
            line.close(True)

    def after(self, seconds, call):
        with self.lock:
            self.count += 1
            heapq.heappush(self.timers, (time.monotonic() + seconds, self.count, call))
        self.wake.send(b"x")

    def open(self, name, server_port, kafka=False):
        with self.lock:
            self.links[name] = Link(self, server_port, kafka)
            return self.links[name]

    def call(self, link, method, **arguments):
        with self.lock:
            result = getattr(self.links[link], method)(**arguments)
        self.wake.send(b"x")
        return result


class KafkaLink:
    """A broker on 127.0.0.1 behind a network of its own; what a test wants of it."""

    def __init__(self, broker_port):
        self.network = Network()
        self.link = self.network.open("kafka", broker_port, True)
        self.port = self.link.port

    def hold(self, api_key, containing=b""):
        self.network.call("kafka", "fault", what=HOLD, api_key=api_key, containing=containing)

    def release(self):
        return self.network.call("kafka", "release")

    def silence(self):
        self.network.call("kafka", "silence")

    def cut(self):
        self.network.call("kafka", "cut")

    def heal(self):
        self.network.call("kafka", "heal", broken=False)

    def held(self):
        return len(self.link.held)

    def leave(self):
        self.network.call("kafka", "leave")

    def come_back(self):
        self.network.call("kafka", "come_back")

    def answers(self, api_key):
        return self.link.seen.get(api_key, 0)

    def requests(self, api_key):
        return self.link.requested.get(api_key, 0)


class Remote:
    """A network in a process of its own, so that its thread does not wait for those of a test."""

    def __init__(self, start):
        """start(command): a subprocess.Popen with pipes."""
        self.process = start([sys.executable, os.path.abspath(__file__)])
        self.lock = threading.Lock()

    def ask(self, **what):
        with self.lock:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())

    def open(self, link, server_port, kafka=False):
        """The port to connect to."""
        return self.ask(do="open", link=link, server_port=server_port, kafka=kafka)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def obey(network, line):
    what = json.loads(line)
    method, link, after = what.pop("do"), what.pop("link"), what.pop("after", None)
    if method == "open":
        return network.open(link, **what).port
    if after is not None:
        network.after(after, lambda: network.call(link, method, **what))
        return None
    return network.call(link, method, **what)


def main():
    network = Network()
    for line in sys.stdin:
        print(json.dumps(obey(network, line)), flush=True)


if __name__ == "__main__":
    main()
