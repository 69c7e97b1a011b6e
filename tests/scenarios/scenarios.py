"""The scenarios on a real broker: starts one, and is the stage's hands: runs the owners as processes of their own, each
behind a network of its own, and kills, pauses and holds what the program says, line by line.
usage: scenarios.py PROGRAM [WORD_OF_A_NAME]"""
import json
import os
import pathlib
import signal
import subprocess
import sys

from broker import Broker
from wire import PRODUCE, Wire

PROGRAM = sys.argv[1]
FOLDER = pathlib.Path("scenarios")


class Stage:
    def __init__(self):
        self.broker = Broker(FOLDER)
        self.broker.start()
        self.wires = {}
        self.actors = {}
        self.began = {}  # actor -> where its lines of this scenario begin

    def wire(self, who):
        if who not in self.wires:
            self.wires[who] = Wire(self.broker.port)
        return self.wires[who]

    def log_of(self, who):
        return FOLDER / f"{who}.log"

    # ---- what the program may ask ----

    def begin(self, name):
        self.wires.clear()
        self.began = {who: self.log_of(who).stat().st_size for who in "ABST" if self.log_of(who).exists()}

    def start(self, who, *more):
        address = f"127.0.0.1:{self.wire(who).port}"
        process = subprocess.Popen([PROGRAM, "act", address, who, *more], stdout=subprocess.PIPE, text=True,
                                   stderr=open(self.log_of(who), "a"))
        if process.stdout.readline() != "listens\n":
            raise SystemExit(f"{who} does not start, see {self.log_of(who)}")
        self.actors[who] = process

    def stop(self, who):
        process = self.actors.pop(who)
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        if process.wait(timeout=40) != 0:
            raise SystemExit(f"{who} ended with {process.returncode}")

    def kill(self, who):
        process = self.actors.pop(who)
        process.kill()
        process.wait()

    def pause(self, who):
        self.actors[who].send_signal(signal.SIGSTOP)

    def resume(self, who):
        self.actors[who].send_signal(signal.SIGCONT)

    def hold(self, who, kind):
        self.wire(who).hold(int(kind))

    def release(self, who, kind):
        self.wire(who).release(int(kind))

    def lose_answer(self, who):
        self.wire(who).lose_answer()

    def double(self, who):
        self.wire(who).double()

    def held(self, who):
        return self.wire(who).held_of(PRODUCE)

    def port(self, who):
        return self.wire(who).port

    def down(self):
        self.broker.kill()

    def cut(self, topic, partition, records):
        self.broker.cut(topic, int(partition), int(records))

    def up(self):
        self.broker.start()

    def halt(self, who, number):
        """topic partition reason, of its halt of this number; nothing when there is none."""
        if not self.log_of(who).exists():
            return ""
        with open(self.log_of(who)) as lines:
            lines.seek(self.began.get(who, 0))
            facts = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}\n")]
        halts = [f"{f['topic']} {f['partition']} {f['why']}" for f in facts if f["fact"] == "partition_halted"]
        return halts[int(number)] if int(number) < len(halts) else ""

    def end(self):
        for who in list(self.actors):
            self.kill(who)
        if self.broker.process.poll() is None:
            self.broker.kill()


def main():
    if not os.environ.get("FOLDLOG_TEST_KAFKA"):
        print("FOLDLOG_TEST_KAFKA is not set")
        return 77
    stage = Stage()
    play = [PROGRAM, "play", f"127.0.0.1:{stage.broker.port}", *sys.argv[2:3]]
    try:
        with subprocess.Popen(play, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            for line in program.stdout:
                verb, *arguments = line.split()
                answer = getattr(stage, verb)(*arguments)
                program.stdin.write(f"{'' if answer is None else answer}\n")
                program.stdin.flush()
        return program.returncode
    finally:
        stage.end()


if __name__ == "__main__":
    sys.exit(main())
