#!/usr/bin/env python3
"""What the network of the tests does to connections, against a server that answers each request with its number."""
import socket
import struct
import sys
import threading
import time

import network

PRODUCE, FETCH = network.PRODUCE, 1
WAIT_S = 0.3  # in which nothing comes
PATIENCE_S = 10  # until something does
failed = 0


def equal(what, got, wanted):
    global failed
    failed += got != wanted
    print(f"{'ok  ' if got == wanted else 'FAIL'}  {what}" + ("" if got == wanted else f": {got}, wanted {wanted}"))


def read_frame(sock):
    """(api key or None, number); None at the end."""
    try:
        size = struct.unpack(">i", sock.recv(4, socket.MSG_WAITALL))[0]
        body = sock.recv(size, socket.MSG_WAITALL)
    except (OSError, struct.error):
        return None
    return struct.unpack(">hhi", body[:8])[::2] if size > 4 else struct.unpack(">i", body)


class Server:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.got = []
        self.slow_s = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            line, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(line,), daemon=True).start()

    def serve(self, line):
        while frame := read_frame(line):
            self.got.append(frame)
            time.sleep(self.slow_s)
            try:
                line.sendall(struct.pack(">ii", 4, frame[1]))
            except OSError:
                return
        line.close()


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))

    def ask(self, key, number):
        self.sock.sendall(struct.pack(">ihhi", 8, key, 0, number))

    def hear(self, seconds=PATIENCE_S):
        """The number answered; None: nothing; "broken": the connection is."""
        self.sock.settimeout(seconds)
        try:
            head = self.sock.recv(4, socket.MSG_WAITALL)
            return struct.unpack(">i", self.sock.recv(4, socket.MSG_WAITALL))[0] if head else "broken"
        except TimeoutError:
            return None
        except OSError:
            return "broken"

    def call(self, key, number, seconds=PATIENCE_S):
        try:
            self.ask(key, number)
        except OSError:
            return "broken"
        return self.hear(seconds)


SERVER, NETWORK = Server(), network.Network()
LINK = NETWORK.open("kafka", SERVER.port, True)


def tell(method, **arguments):
    return NETWORK.call("kafka", method, **arguments)


def fresh():
    SERVER.got.clear()
    return Client(LINK.port)


def arrived():
    time.sleep(WAIT_S)
    return [number for _, number in SERVER.got]


def held_and_late():
    client = fresh()
    tell("fault", what=network.HOLD, api_key=PRODUCE)
    equal("another kind of request passes", client.call(FETCH, 1), 1)
    equal("the one that is held is not answered", client.call(PRODUCE, 2, WAIT_S), None)
    equal("nor is what follows it", client.call(FETCH, 3, WAIT_S), None)
    equal("nothing of it has arrived", arrived(), [1])
    equal("one is let go", tell("release"), 1)
    equal("it is answered, in order", (client.hear(), client.hear()), (2, 3))
    tell("fault", what=network.HOLD, api_key=PRODUCE)
    client.ask(PRODUCE, 4)
    time.sleep(WAIT_S)
    client.sock.close()
    equal("let go after its client is gone", tell("release"), 1)
    equal("it still arrives", arrived(), [1, 2, 3, 4])


def lost():
    client = fresh()
    tell("fault", what=network.LOSE_REQUEST, api_key=PRODUCE)
    equal("a request that is lost breaks the connection", client.call(PRODUCE, 1), "broken")
    equal("and does not arrive", arrived(), [])
    client = fresh()
    tell("fault", what=network.LOSE_ANSWER, api_key=PRODUCE)
    equal("so does a lost answer", client.call(PRODUCE, 2), "broken")
    equal("though the request arrived", arrived(), [2])
    client = fresh()
    tell("fault", what=network.LOSE_ANSWER, api_key=PRODUCE, silent=True)
    equal("or it falls silent", (client.call(PRODUCE, 3, WAIT_S), client.call(FETCH, 4, WAIT_S)), (None, None))
    tell("mend")
    equal("until it is mended by breaking it", client.hear(), "broken")
    client, SERVER.slow_s = fresh(), WAIT_S
    tell("fault", what=network.LOSE_ANSWER, api_key=PRODUCE, silent=True)
    client.ask(PRODUCE, 5)
    time.sleep(WAIT_S / 3)
    tell("mend")
    equal("mended before it could be lost, an answer comes", client.hear(), 5)
    SERVER.slow_s = 0


def twice():
    client = fresh()
    tell("fault", what=network.DUPLICATE, api_key=PRODUCE)
    equal("a request that is doubled is answered once",
          (client.call(PRODUCE, 1), client.call(PRODUCE, 2), client.hear(WAIT_S)), (1, 2, None))
    equal("and arrives twice", arrived(), [1, 1, 2])


def cut_off():
    client = fresh()
    tell("cut")
    equal("cut off: silence", client.call(PRODUCE, 1, WAIT_S), None)
    equal("also for who is new", Client(LINK.port).call(PRODUCE, 9, WAIT_S), None)
    tell("heal", broken=False)
    equal("healed, it goes on where it was", client.hear(), 1)
    tell("cut")
    client.ask(PRODUCE, 2)
    tell("heal", broken=True)
    equal("or is broken", client.hear(), "broken")
    equal("and what was on the way is gone", 2 in arrived(), False)


def gone():
    client = fresh()
    equal("before", client.call(PRODUCE, 1), 1)
    tell("leave")
    equal("gone: who was connected is cut short", client.call(PRODUCE, 2), "broken")
    try:
        equal("and nobody else is let in", Client(LINK.port).call(PRODUCE, 9), "refused")
    except ConnectionRefusedError:
        equal("and nobody else is let in", "refused", "refused")
    tell("come_back")
    equal("back, on the same port", fresh().call(PRODUCE, 3), 3)


for story in (held_and_late, lost, twice, cut_off, gone):
    story()
sys.exit(1 if failed else 0)
