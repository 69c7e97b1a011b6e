#!/usr/bin/env python3
"""broken_schemas.py SCHEMAC COMPILER [COUNT [SEED]]: schemas broken at random. schemac refuses each at a place in the file, or
writes C that compiles without a warning."""
import collections
import copy
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VALUES = [None, True, False, 1, -1, 1.5, "x", "", "#/$defs/size", "#/$defs/none", [], {}, "object", "array", "string", ["a-b", "a_b"],
          ["a"], "^[a", "^a{2,1}$", "^a*$", "uuid", 10**18, "command", {"type": "boolean"}, {"type": "integer", "x-personal": True}]
KEYWORDS = ["minimum", "maxLength", "items", "$ref", "pattern", "oneOf", "const", "enum", "x-message", "x-personal", "type",
            "format", "required", "properties", "description", "title", "int", "has_note", "sample.made.v2"]


def spots(x, path=()):
    if path:
        yield path
    for k in x if isinstance(x, dict) else range(len(x)) if isinstance(x, list) else ():
        yield from spots(x[k], path + (k,))


def break_one(schema):
    path = random.choice([p for p in spots(schema) if p[0] == "$defs"])
    node = schema
    for k in path[:-1]:
        node = node[k]
    op, at = random.random(), path[-1]
    if op < .3:
        del node[at]
    elif op < .6:
        node[at] = copy.deepcopy(random.choice(VALUES))
    elif isinstance(node, dict) and op < .9:
        node[random.choice(KEYWORDS)] = copy.deepcopy(random.choice(VALUES))
    elif isinstance(node, dict):
        node[random.choice(KEYWORDS)] = copy.deepcopy(node[at])


def compiles(compiler, work, sources):
    done = subprocess.run([compiler, "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-fsyntax-only", "-I", ROOT,
                           "-I", work, *sources], capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[:2000])
    return done.returncode == 0


def main():
    schemac, compiler = sys.argv[1:3]
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    random.seed(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    with open(os.path.join(ROOT, "tests/schemas/sample.json")) as f:
        sound = json.load(f)
    tally, reasons, written, failed = collections.Counter(), collections.Counter(), [], False
    with tempfile.TemporaryDirectory() as work:
        os.mkdir(f"{work}/schemas")
        for i in range(count):
            schema = copy.deepcopy(sound)
            for _ in range(random.choice([1, 1, 2])):
                break_one(schema)
            folder = f"{work}/{i}"
            os.makedirs(f"{folder}/schemas")
            path = f"{folder}/sample.json"
            with open(path, "w") as f:
                json.dump(schema, f)
            done = subprocess.run([schemac, path, f"{folder}/schemas"], capture_output=True, text=True)
            if done.returncode == 0:
                tally["written"] += 1
                written.append(folder)
            elif done.returncode == 1 and done.stderr.startswith(path + ":/") and done.stderr.count("\n") == 1:
                tally["refused"] += 1
                reasons[done.stderr.split(": ", 1)[1].strip()] += 1
            else:
                failed = True
                print(f"fell over ({done.returncode}) on {json.dumps(schema)}\n{done.stderr[:1000]}")
        for folder in written:
            if not compiles(compiler, folder, [f"{folder}/schemas/sample.c"]):
                failed = True
                with open(f"{folder}/sample.json") as f:
                    print("does not compile:", f.read())
    print(f"{tally['refused']} refused for {len(reasons)} reasons, {tally['written']} written and compiled")
    if failed or len(reasons) < 15 or tally["written"] < count / 20:
        sys.exit(1)


main()
