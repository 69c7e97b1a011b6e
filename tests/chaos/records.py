"""The bytes of Foldlog's records, read by their description in docs/protocol.md and by nothing of the product's code;
and topics, read through kcat."""
import json
import re
import struct
import subprocess
import uuid
from dataclasses import dataclass, field

COMMAND_MAGIC, LOG_MAGIC = 0xC1, 0xD1
COMMAND_FORMAT, LOG_FORMAT = 1, 2
TAKEOVER, DECISION = 1, 2
ACCEPTED, REFUSED, POSITION = 1, 2, 3
NIL = uuid.UUID(int=0)
READ_S = 120


class Torn(ValueError):
    """Bytes that are not what the description says."""


class Reader:
    """Little-endian fields one after another."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        if length > len(self.data) - self.at:
            raise Torn(f"{length} bytes wanted at {self.at} of {len(self.data)}")
        self.at += length
        return self.data[self.at - length:self.at]

    def fields(self, layout):
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def one(self, layout):
        return self.fields(layout)[0]

    def uuid(self):
        return uuid.UUID(bytes=bytes(self.take(16)))

    def bytes(self):
        return bytes(self.take(self.one("I")))

    def text(self):
        try:
            return self.bytes().decode()
        except UnicodeDecodeError as e:
            raise Torn(str(e)) from e

    def close(self):
        if self.at != len(self.data):
            raise Torn(f"{len(self.data) - self.at} bytes left over")


@dataclass(frozen=True)
class Input:
    topic: str
    partition: int
    index: int
    offset: int
    print: int = 0

    def __str__(self):
        return f"{self.topic}[{self.partition}]@{self.offset}.{self.index}"


@dataclass
class Command:
    id: uuid.UUID
    attempt: uuid.UUID
    saga: uuid.UUID
    cause: uuid.UUID
    actor: uuid.UUID
    roles: int
    fingerprint: int
    sent_at: int
    expected_version: int
    service: str
    target: str
    type: str
    traceparent: str
    data: bytes


@dataclass
class Takeover:
    offset: int
    commands_next: int
    nonce: uuid.UUID
    instance: str


@dataclass
class Decision:
    offset: int
    epoch: int
    number: int
    commands_next: int
    follows: int  # the print of the last valid decision before it
    input: Input
    command_id: uuid.UUID
    attempt: uuid.UUID
    saga: uuid.UUID
    cause: uuid.UUID
    actor: uuid.UUID
    roles: int
    fingerprint: int
    at: int
    outcome: int
    replayed: bool
    first_offset: int
    problem: str
    detail: str
    pointer: str
    target: str
    version: int
    type: str
    traceparent: str
    events: list = field(default_factory=list)  # (type, JSON bytes)
    commands: list = field(default_factory=list)
    positions: list = field(default_factory=list)
    print: int = 0  # of its own bytes

    def event_id(self, i):
        return uuid.uuid5(self.command_id, str(i))

    def event_version(self, i):
        return self.version - len(self.events) + 1 + i


def read_input(r):
    topic = r.text()
    return Input(topic, *r.fields("iiqQ"))


def read_command_body(r):
    ids = [r.uuid() for _ in range(4)]
    return Command(*ids, r.uuid(), *r.fields("BQqq"), r.text(), r.text(), r.text(), r.text(), r.bytes())


def read_command(data):
    """A record of S.commands."""
    r = Reader(data)
    if r.fields("BB") != (COMMAND_MAGIC, COMMAND_FORMAT):
        raise Torn("not a command")
    command = read_command_body(r)
    r.close()
    return command


def print_of(data):
    """Tells a record from any other."""
    total = len(data)
    for (word,) in struct.iter_unpack("<Q", data + bytes(-len(data) % 8)):
        total = (total ^ word) * 0x9FB21C651E98DF25 & (1 << 64) - 1
        total ^= total >> 32
    return total if total not in (0, (1 << 64) - 1) else 1


def read_log_record(offset, data):
    """A record of S.log: a Takeover or a Decision."""
    r = Reader(data)
    magic, form, kind, epoch, number, commands_next, follows = r.fields("BBBqQqQ")
    if (magic, form) != (LOG_MAGIC, LOG_FORMAT) or kind not in (TAKEOVER, DECISION):
        raise Torn("not a record of a log")
    if kind == TAKEOVER:
        record = Takeover(offset, commands_next, r.uuid(), r.text())
        r.one("q")
    else:
        record = read_decision(r, offset, epoch, number, commands_next, follows)
        record.print = print_of(data)
    r.close()
    return record


def read_decision(r, offset, epoch, number, commands_next, follows):
    source = read_input(r)
    ids = [r.uuid() for _ in range(4)]
    actor, roles, fingerprint, at = r.uuid(), *r.fields("BQq")
    outcome, flags, first_offset = r.fields("BBq")
    if outcome not in (ACCEPTED, REFUSED, POSITION) or flags > 1:
        raise Torn(f"outcome {outcome}, flags {flags}")
    words = [r.text() for _ in range(4)]
    return Decision(offset, epoch, number, commands_next, follows, source, *ids, actor, roles, fingerprint, at, outcome,
                    flags == 1, first_offset, *words, r.one("q"), r.text(), r.text(),
                    [(r.text(), r.bytes()) for _ in range(r.one("H"))],
                    [read_command_body(r) for _ in range(r.one("H"))],
                    [read_input(r) for _ in range(r.one("H"))])


def write_text(text):
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<I", len(data)) + data


def write_takeover(nonce, instance, at_us, commands_next=0):
    """The bytes of a TAKEOVER: the nemesis announces itself with them."""
    mark = struct.pack("<BBBqQqQ", LOG_MAGIC, LOG_FORMAT, TAKEOVER, -1, 0, commands_next, 0)
    return mark + nonce.bytes + write_text(instance) + struct.pack("<q", at_us)


def murmur2(key):
    """As Kafka's Java client computes it."""
    m, word = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for (k,) in struct.iter_unpack("<I", key[:whole]):
        k = k * m & word
        k = (k ^ k >> 24) * m & word
        h = (h * m & word) ^ k
    rest = key[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & word
    h = (h ^ h >> 13) * m & word
    return h ^ h >> 15


def partition_of(key, partitions):
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


# ---- topics ----

@dataclass
class Record:
    offset: int
    key: bytes
    value: bytes
    headers: dict


def split_stream(data):
    """{partition: [Record]} of what kcat wrote as RECORD_FORMAT."""
    found, at = {}, 0
    while at < len(data):
        line = data.index(b"\n", at)
        partition, offset, key_len, value_len = (int(word) for word in data[at:line].split())
        key_end = line + 1 + max(key_len, 0)  # -1: there is none
        value_end = key_end + max(value_len, 0)
        end = data.index(b"\x1e\n", value_end)
        found.setdefault(partition, []).append(Record(offset, data[line + 1:key_end], data[key_end:value_end],
                                                      split_headers(data[value_end:end])))
        at = end + 2
    return found


def split_headers(data):
    """name=value,…: no header of a Foldlog event holds a comma."""
    pairs = [pair.partition(b"=") for pair in data.split(b",") if pair]
    return {name.decode(): value.decode() for name, _, value in pairs}


RECORD_FORMAT = "%p %o %K %S\n%k%s%h\x1e\n"


def read_topic(brokers, topic):
    """All of it, up to its end as of now, as any read_committed consumer sees it; {} when it is empty."""
    done = subprocess.run(
        ["kcat", "-C", "-b", brokers, "-t", topic, "-o", "beginning", "-e", "-q",
         "-X", "isolation.level=read_committed", "-X", "check.crcs=true", "-f", RECORD_FORMAT],
        capture_output=True, timeout=READ_S, check=False)
    if done.returncode != 0:
        raise OSError(f"kcat {topic}: {done.stderr.decode(errors='replace')[-500:]}")
    return split_stream(done.stdout)


def ends_of(brokers, topic):
    """{partition: offset after its last record}."""
    asked = [word for p in range(partitions_of(brokers, topic)) for word in ("-t", f"{topic}:{p}:-1")]
    done = subprocess.run(["kcat", "-Q", "-b", brokers, *asked], capture_output=True, timeout=30, check=True)
    found = (re.fullmatch(r"\S+ \[(\d+)\] offset (\d+)", line) for line in done.stdout.decode().splitlines())
    return {int(line[1]): int(line[2]) for line in found}


def read_last(brokers, topic, partition, end, count):
    """So many records before `end`, of a log that may grow meanwhile."""
    first = max(0, end - count)
    done = subprocess.run(
        ["kcat", "-C", "-b", brokers, "-t", topic, "-p", str(partition), "-o", str(first), "-c", str(end - first), "-q",
         "-X", "check.crcs=true", "-f", RECORD_FORMAT], capture_output=True, timeout=30, check=True)
    return split_stream(done.stdout)[partition]


def partitions_of(brokers, topic):
    done = subprocess.run(["kcat", "-L", "-b", brokers, "-t", topic, "-J"], capture_output=True, timeout=30, check=True)
    return len(json.loads(done.stdout)["topics"][0]["partitions"])


def append_bytes(brokers, topic, partition, path, key=None):
    """One record, the bytes of a file; raises when nobody took it."""
    subprocess.run(["kcat", "-P", "-b", brokers, "-t", topic, "-p", str(partition), "-X", "acks=all",
                    "-X", "message.timeout.ms=10000", *(["-k", key] if key else []), path],
                   capture_output=True, timeout=30, check=True)
