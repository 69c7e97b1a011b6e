"""A Kafka broker of one's own, which may be killed, and whose logs may lose their ends as after a power failure."""
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parent.parent / "support"))
from ports import free_ports  # noqa: E402

ROOT = pathlib.Path(__file__).parent.parent.parent
# What ./dev would run, with its state in another folder.
COMMAND = """set -euo pipefail
ROOT=$PWD
for part in common packages kafka; do source tools/dev/$part.sh; done
ensure_jars >&2
kafka_prepare
kafka_command"""


class Broker:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder).resolve()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.port = free_ports(2)  # the second is the controller's
        environment = {**os.environ, "FOLDLOG_RUN": str(self.folder), "FOLDLOG_KAFKA_PORT": str(self.port)}
        said = subprocess.run(["bash", "-c", COMMAND], cwd=ROOT, env=environment, check=True, capture_output=True)
        self.argv = said.stdout.decode().split("\0")[:-1]
        self.process = None

    def start(self):
        log = open(self.folder / "broker.log", "a")
        self.process = subprocess.Popen(self.argv, cwd=ROOT, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while not self.answers():
            if time.monotonic() > end or self.process.poll() is not None:
                raise SystemExit(f"the broker does not start, see {self.folder}/broker.log")
            time.sleep(0.1)

    def answers(self):
        said = subprocess.run(["kcat", "-L", "-b", f"127.0.0.1:{self.port}", "-m", "2"], capture_output=True)
        return b"broker 1 at" in said.stdout

    def kill(self):
        self.process.kill()
        self.process.wait()

    def cut(self, topic, partition, records):
        """The last records of a partition did not reach the disk. What Kafka derives from the log goes too: it makes it
        anew when it finds that it was not shut down in good order."""
        folder = self.folder / "kafka" / "data" / f"{topic}-{partition}"
        segment = folder / f"{0:020}.log"
        batches = list(batches_of(segment.read_bytes()))
        while records > 0:
            at, count = batches.pop()
            records -= count
        if records < 0:
            raise SystemExit("a batch holds more records than are to be cut")
        os.truncate(segment, at)
        for derived in (*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")):
            derived.unlink()


def batches_of(data):
    """(position, records) of each record batch (KIP-98)."""
    at = 0
    while at + 27 <= len(data):
        _, length = struct.unpack(">qi", data[at:at + 12])
        if length <= 0:
            return
        yield at, struct.unpack(">i", data[at + 23:at + 27])[0] + 1
        at += 12 + length
