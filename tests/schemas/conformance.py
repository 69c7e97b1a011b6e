#!/usr/bin/env python3
"""conformance.py SCHEMAC CORE_LIBRARY COMPILER [FLAG...]: the JSON Schema test suite against generated C.

A group's schema is tried as it stands. Where schemac refuses it for want of types, a typed form is tried: schemas without
"type" get the one that their keywords or their instances call for. python3-jsonschema judges each instance by both schemas,
and a test only counts when the typed form leaves its verdict as it was. What schemac still refuses is outside the subset.
Debian's suite ends at draft 7; where it says `definitions`, 2020-12 says `$defs`. For the rest of the subset they agree.
"""
import collections
import copy
import glob
import json
import os
import subprocess
import sys
import tempfile

from jsonschema import Draft202012Validator, FormatChecker

SUITE = os.environ.get("JSON_SCHEMA_TEST_SUITE", "/usr/share/json-schema-test-suite/tests")
DRAFT = "https://json-schema.org/draft/2020-12/schema"
KEYWORDS = ("type properties required additionalProperties enum const minimum maximum minLength maxLength pattern items "
            "minItems maxItems ref definitions defs").split()
FORMATS = ("uuid", "date-time", "email")
PASS_MIN = 85  # of the suite in Debian 12; fewer means that the test lost its grip
CALLS = {"properties": "object", "required": "object", "additionalProperties": "object", "items": "array",
         "minItems": "array", "maxItems": "array", "minLength": "string", "maxLength": "string", "pattern": "string",
         "format": "string", "minimum": "integer", "maximum": "integer"}


def kind(x):
    if isinstance(x, bool):
        return "boolean"
    if isinstance(x, float):
        return "integer" if x == int(x) else "number"
    return {int: "integer", str: "string", list: "array", dict: "object", type(None): "null"}[type(x)]


def called_for(schema, samples):
    if "const" in schema:
        return kind(schema["const"])
    if schema.get("enum"):
        return kind(schema["enum"][0])
    for keyword in schema:
        if keyword in CALLS:
            return CALLS[keyword]
    seen = collections.Counter(kind(x) for x in samples if kind(x) not in ("null", "number"))
    return seen.most_common(1)[0][0] if seen else "integer"


def typed(schema, samples):
    if schema is True:
        schema = {}
    if not isinstance(schema, dict) or "$ref" in schema:
        return schema
    s = {k: v for k, v in schema.items() if k not in ("$schema", "$id", "$defs", "$comment")}
    s.setdefault("type", called_for(s, samples))
    if s["type"] == "object":
        properties = dict(s.get("properties", {}))
        for name in s.get("required", []):
            properties.setdefault(name, True)
        if properties:
            s["properties"] = {name: typed(p, [x[name] for x in samples if isinstance(x, dict) and name in x])
                               for name, p in properties.items()}
    if s["type"] == "array":
        s["items"] = typed(s.get("items", True), [y for x in samples if isinstance(x, list) for y in x])
    return s


def modern(x):
    """`definitions` as 2020-12 names them."""
    if isinstance(x, list):
        return [modern(y) for y in x]
    if not isinstance(x, dict):
        return x
    return {("$defs" if k == "definitions" else k):
            (v.replace("#/definitions/", "#/$defs/") if k == "$ref" and isinstance(v, str) else modern(v))
            for k, v in x.items()}


def wrapped(schema):
    defs = {}
    if isinstance(schema, dict):
        defs = schema.get("$defs", {})
        schema = {k: v for k, v in schema.items() if k not in ("$schema", "$id", "$defs")}
    root = {"type": "object", "properties": {"v": schema}, "required": ["v"], "additionalProperties": False}
    return {"$schema": DRAFT, "$defs": {**defs, "root": root}}


def verdict(schema, x):
    try:
        return Draft202012Validator(schema, format_checker=FormatChecker()).is_valid(x)
    except Exception:
        return None


def holds(x, what):
    if what(x):
        return True
    inner = list(x.values()) + list(x) if isinstance(x, dict) else x if isinstance(x, list) else []
    return any(holds(y, what) for y in inner)


# Where we differ on purpose. Each refuses what the suite accepts.
DEVIATIONS = {
    "1.0 is no integer": lambda x: holds(x, lambda y: isinstance(y, float) and y == int(y)),
    "\\u0000 is refused": lambda x: holds(x, lambda y: isinstance(y, str) and "\0" in y),
    "quoted local part or address literal of an e-mail address":
        lambda x: isinstance(x, str) and "@" in x and ('"' in x or "[" in x),
}


def suite_files():
    newest = f"{SUITE}/draft2020-12"
    root = newest if os.path.isdir(newest) else f"{SUITE}/draft7"
    if not os.path.isdir(root):
        print(f"skipped: no JSON Schema test suite in {SUITE}; Debian has it as json-schema-test-suite")
        sys.exit(77)
    found = [(k, f"{root}/{k}.json") for k in KEYWORDS] + [(f"format {f}", f"{root}/optional/format/{f}.json") for f in FORMATS]
    return [(k, path) for k, path in found if os.path.exists(path)]


class Groups:
    def __init__(self, schemac, work):
        self.schemac, self.work = schemac, work
        self.used, self.refused, self.tally = [], collections.Counter(), collections.defaultdict(collections.Counter)

    def compile(self, name, schema):
        path = f"{self.work}/{name}.json"
        with open(path, "w") as f:
            json.dump(wrapped(schema), f)
        done = subprocess.run([self.schemac, "--lax", path, f"{self.work}/schemas"], capture_output=True, text=True)
        if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stderr.startswith(path)):
            sys.exit(f"schemac fell over on {json.dumps(schema)}:\n{done.stderr}")
        return done.returncode == 0, done.stderr.strip()

    def add(self, keyword, group):
        name, schema = f"t{len(self.used)}", modern(group["schema"])
        ok, why = self.compile(name, schema)
        tests = group["tests"]
        if not ok:
            rewrite = typed(copy.deepcopy(schema), [t["data"] for t in tests])
            if isinstance(schema, dict) and "$defs" in schema and isinstance(rewrite, dict):
                rewrite["$defs"] = {k: typed(v, []) for k, v in schema["$defs"].items()}
            ok, why = self.compile(name, rewrite)
            # The judge knows formats less well than the suite.
            tests = [t for t in tests if (keyword.startswith("format") and isinstance(t["data"], str)) or
                     verdict(rewrite, t["data"]) is t["valid"]]
            self.tally[keyword]["typed form judged otherwise"] += len(group["tests"]) - len(tests)
        if ok:
            self.used.append((keyword, name, group, tests))
        else:
            self.refused[why.split(": ", 1)[-1]] += len(group["tests"])


def literal(data):
    return '"' + "".join("\\%03o" % c for c in data) + '"'


def run(groups, work, library, compiler):
    with open(f"{work}/driver.c", "w") as f:
        f.write('#include <stdio.h>\n')
        for _, name, _, _ in groups.used:
            f.write(f'#include "schemas/{name}.c"\n')
        f.write("static const struct { const struct json_shape *shape; const char *at; size_t len; } tests[] = {\n")
        for _, name, _, tests in groups.used:
            for t in tests:
                data = json.dumps({"v": t["data"]}, ensure_ascii=False).encode("utf-8", "surrogatepass")
                f.write(f"{{&{name}_root_shape, {literal(data)}, {len(data)}}},\n")
        f.write("""};
static char memory[65536] __attribute__((aligned(16))), value[65536] __attribute__((aligned(16)));
int main(void)
{
    struct json_report r;
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        struct arena a = {memory, 0, sizeof memory};
        bool ok = json_decode(tests[i].shape, (struct text){tests[i].at, tests[i].len}, &a, value, &r);
        printf("%d %s\\n", ok, ok ? "" : r.faults[0].detail);
    }
}
""")
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    subprocess.run([*compiler, "-std=gnu17", "-I", work, "-I", root, f"{work}/driver.c", library, "-luuid", "-o", f"{work}/driver"],
                   check=True)
    done = subprocess.run([f"{work}/driver"], capture_output=True, check=True)
    return iter(done.stdout.decode(errors="replace").splitlines())


def judge(groups, answers):
    for keyword, _, group, tests in groups.used:
        for t in tests:
            ok, _, detail = next(answers).partition(" ")
            tally = groups.tally[keyword]
            if (ok == "1") == t["valid"]:
                tally["pass"] += 1
                continue
            reason = next((name for name, same in DEVIATIONS.items() if t["valid"] and same(t["data"])), None)
            tally["deviation: " + reason if reason else "FAIL"] += 1
            if not reason:
                print(f"FAIL {keyword} | {group['description']} | {t['description']} | {json.dumps(t['data'])[:80]} "
                      f"should be {'valid' if t['valid'] else 'invalid'}: {detail}")


def main():
    schemac, library, *compiler = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        os.mkdir(f"{work}/schemas")
        groups = Groups(schemac, work)
        for keyword, path in suite_files():
            with open(path) as f:
                for group in json.load(f):
                    groups.add(keyword, group)
        judge(groups, run(groups, work, library, compiler))
    total = collections.Counter()
    for keyword, counts in groups.tally.items():
        total.update(counts)
        print(f"{keyword:22}", ", ".join(f"{n} {what}" for what, n in sorted(counts.items()) if n))
    print("in all:", ", ".join(f"{n} {what}" for what, n in total.most_common() if n))
    print("outside the subset, refused by schemac (tests):")
    for why, n in groups.refused.most_common():
        print(f"  {n:3} {why}")
    if total["FAIL"] or total["pass"] < PASS_MIN:
        sys.exit(f"conformance: {total['FAIL']} fail, {total['pass']} pass of at least {PASS_MIN}")


main()
