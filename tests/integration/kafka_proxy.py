"""A TCP proxy that knows Kafka's frames: it can hold back single requests of one kind and let them go later, so that
they reach the broker after the client has given them up. One broker on 127.0.0.1."""
import socket
import struct
import threading

PRODUCE, METADATA, FIND_COORDINATOR, END_TXN = 0, 3, 10, 26
NAMES_BROKERS = (METADATA, FIND_COORDINATOR)


def address(port):
    return b"127.0.0.1" + struct.pack(">i", port)


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


class Proxy:
    def __init__(self, broker_port):
        self.broker_port = broker_port
        self.lock = threading.Lock()
        self.to_hold = {}  # api key -> how many
        self.held = []  # (api key, upstream, frame)
        self.seen = {}  # api key -> how many answers
        self.open = threading.Event()  # while it is cleared nothing passes, either way
        self.open.set()
        self.watched = {}  # upstream -> {correlation id: api key}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            upstream = socket.create_connection(("127.0.0.1", self.broker_port))
            for one in (client, upstream):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.watched[upstream] = {}
            for run in (self.up, self.down):
                threading.Thread(target=run, args=(client, upstream), daemon=True).start()

    def hold(self, api_key):
        with self.lock:
            self.to_hold[api_key] = self.to_hold.get(api_key, 0) + 1

    def release(self):
        """Lets go what is held; returns how many."""
        with self.lock:
            held, self.held = self.held, []
        for _, upstream, frame in held:
            upstream.sendall(frame)
        return len(held)

    def answers(self, api_key):
        with self.lock:
            return self.seen.get(api_key, 0)

    def keep_back(self, upstream, frame):
        api_key, _, correlation = struct.unpack(">hhi", frame[4:12])
        with self.lock:
            self.watched[upstream][correlation] = api_key
            if self.to_hold.get(api_key, 0) == 0:
                return False
            self.to_hold[api_key] -= 1
            self.held.append((api_key, upstream, frame))
            return True

    def up(self, client, upstream):
        holding = False
        try:
            while True:
                frame = read_frame(client)
                if self.keep_back(upstream, frame):
                    holding = True
                else:
                    self.open.wait()
                    upstream.sendall(frame)
        except OSError:
            if not holding:  # else what is held must still find its way
                upstream.close()

    def down(self, client, upstream):
        try:
            while True:
                frame = read_frame(upstream)
                correlation = struct.unpack(">i", frame[4:8])[0]
                with self.lock:
                    api_key = self.watched[upstream].pop(correlation, None)
                    self.seen[api_key] = self.seen.get(api_key, 0) + 1
                if api_key in NAMES_BROKERS:
                    frame = frame.replace(address(self.broker_port), address(self.port))
                self.open.wait()
                client.sendall(frame)
        except OSError:
            client.close()
