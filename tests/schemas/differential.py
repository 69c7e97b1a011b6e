#!/usr/bin/env python3
"""differential.py JUDGE [MESSAGES [SEED]]: generated C against python3-jsonschema, over every object of every schema.

Messages are made from the schemas, most then broken in one to three places. Both must agree on whether a message is valid and
on the places of its faults; what the decoder took, the encoder must give back.
"""
import collections
import copy
import datetime
import json
import os
import random
import re
import subprocess
import sys
import warnings
from re import _constants as regex
from re import _parser as regex_parser

from jsonschema import Draft202012Validator, FormatChecker

warnings.simplefilter("ignore", DeprecationWarning)
from jsonschema import RefResolver  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILES = ["schemas/" + n for n in ("common.json", "fulfilment.json", "inventory.json", "order.json", "payment.json",
                                  "product.json", "provider.json")] + ["tests/schemas/sample.json"]
FAULTS_MAX = 8
TEXTS = ["", "x", "EUR", "GB", "late", "a b", "é", "😀", "\u2028", "\t\"\\/", "\u0001", "x" * 64, "x" * 65, "é" * 200, "😀" * 201,
         "0F8FAD5B-D9CB-469F-A165-70867728950E", "0f8fad5bd9cb469fa16570867728950e", "0f8fad5b-d9cb-469f-a165-70867728950",
         "2026-11-22", "2026-02-30T00:00:00Z", "2026-11-22T04:49:27.25+05:30", "a@b", "a@", ".a@b", "null", "1", "-x", "_"]
VALUES = [None, True, False, 0, 1, -1, 1.5, 10**4, 10**4 + 1, 10**12, 10**12 + 1, 2**63 - 1, -2**63, [], {}, [1], [None, {}],
          {"a": {"b": [None]}}, {"amount": 1, "currency": "EUR"}, *TEXTS]

checker = FormatChecker(formats=())


@checker.checks("uuid")
def is_uuid(x):
    return not isinstance(x, str) or re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", x) is not None


@checker.checks("email")
def is_email(x):
    word = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+"
    label = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
    return not isinstance(x, str) or re.fullmatch(rf"(?=[^@]{{1,64}}@){word}(\.{word})*@{label}(\.{label})*", x) is not None


@checker.checks("date-time")
def is_instant(x):
    if not isinstance(x, str):
        return True
    m = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(\.[0-9]+)?([Zz]|[+-]\d\d:\d\d)", x, re.ASCII)
    if not m:
        return False
    try:
        datetime.datetime.strptime(f"{m[1]} {m[2]}", "%Y-%m-%d %H:%M:%S")
        return m[4] in "Zz" or (m[4][1:3] < "24" and m[4][4:6] < "60")
    except ValueError:
        return False


class Schemas:
    def __init__(self):
        self.documents = {}
        for path in FILES:
            with open(os.path.join(ROOT, path)) as f:
                document = json.load(f)
            self.documents[document["$id"]] = document
        self.objects = {}  # name -> (document id, definition)
        for uri, document in self.documents.items():
            service = os.path.basename(uri)[:-len(".json")]
            for name, schema in document["$defs"].items():
                if schema.get("type") == "object":
                    self.objects[name if "x-message" in schema else f"{service}_{name}"] = (uri, name)
        self.validators = {name: self.validator(*place) for name, place in self.objects.items()}

    def validator(self, uri, name):
        resolver = RefResolver(uri, self.documents[uri], store=self.documents)
        return Draft202012Validator({"$ref": f"{uri}#/$defs/{name}"}, resolver=resolver, format_checker=checker)

    def follow(self, uri, schema):
        while "$ref" in schema:
            file, _, name = schema["$ref"].partition("#/$defs/")
            uri = os.path.dirname(uri) + "/" + file if file else uri
            schema = self.documents[uri]["$defs"][name]
        return uri, schema

    def make(self, uri, schema):
        """A valid value, at its bounds more often than between them."""
        uri, schema = self.follow(uri, schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return random.choice(schema["enum"])
        return getattr(self, "make_" + schema["type"])(uri, schema)

    def make_object(self, uri, schema):
        required = schema.get("required", [])
        often = random.random()
        x = {name: self.make(uri, p) for name, p in schema.get("properties", {}).items()
             if name in required or random.random() < often}
        if random.random() < .3:
            items = list(x.items())
            random.shuffle(items)
            x = dict(items)
        if schema.get("additionalProperties", True) and random.random() < .3:
            x["unknown"] = random.choice(VALUES)
        return x

    def make_array(self, uri, schema):
        least, most = schema.get("minItems", 0), schema["maxItems"]
        count = random.choice([least, min(least + 1, most), min(least + 2, most), most if random.random() < .1 else least])
        return [self.make(uri, schema["items"]) for _ in range(count)]

    def make_boolean(self, _uri, _schema):
        return random.random() < .5

    def make_integer(self, _uri, schema):
        least, most = schema.get("minimum", -2**63), schema.get("maximum", 2**63 - 1)
        return random.choice([least, most, random.randint(least, most), min(max(random.randint(-9, 99), least), most)])

    def make_string(self, _uri, schema):
        if "pattern" in schema:
            return "".join(from_pattern(regex_parser.parse(schema["pattern"])))
        if "format" in schema:
            return {"uuid": self.make_uuid, "date-time": self.make_instant, "email": self.make_email}[schema["format"]]()
        least, most = schema.get("minLength", 0), schema["maxLength"]
        count = random.choice([least, most, random.randint(least, most)])
        return "".join(random.choices("abc xyz\"\\/\n\té€😀\u0001\u007f", k=count))

    def make_uuid(self):
        text = "%08x-%04x-%04x-%04x-%012x" % tuple(random.getrandbits(n) for n in (32, 16, 16, 16, 48))
        return text.upper() if random.random() < .2 else text

    def make_instant(self):
        at = datetime.datetime(1, 1, 1) + datetime.timedelta(seconds=random.randint(86400, 315_000_000_000))
        return (f"{at.year:04}-{at:%m-%d}{random.choice('Tt')}{at:%H:%M:%S}{random.choice(['', '.5', '.123456', '.9999999'])}"
                f"{random.choice(['Z', 'z', '+00:00', '-05:30', '+23:59'])}")

    def make_email(self):
        return random.choice(["a@b", "ada@example.com", "a.b+c@x-y.example", "!#$%&'*+-/=?^_`{|}~@b"])


def from_pattern(parsed):
    for op, arg in parsed:
        if op == regex.LITERAL:
            yield chr(arg)
        elif op == regex.IN:
            what, value = random.choice(arg)
            yield chr(value) if what == regex.LITERAL else chr(random.randint(*value))
        elif op == regex.MAX_REPEAT:
            least, most, inner = arg
            for _ in range(random.choice([least, most, random.randint(least, most)])):
                yield from from_pattern(inner)
        elif op != regex.AT:
            sys.exit(f"differential: cannot make a text of {parsed}")


def spots(x, path=()):
    yield path
    for k in x if isinstance(x, dict) else range(len(x)) if isinstance(x, list) else ():
        yield from spots(x[k], path + (k,))


def mutate(x):
    path = random.choice(list(spots(x)))
    if not path:
        if isinstance(x, dict) and random.random() < .9:
            return {**x, random.choice(["extra", "a/b", "~", "", "é"]): random.choice(VALUES)}
        return random.choice(VALUES)
    node = x
    for k in path[:-1]:
        node = node[k]
    at, op = path[-1], random.random()
    if op < .3:
        del node[at]
    elif op < .7 or isinstance(node[at], (bool, dict, type(None))):
        node[at] = copy.deepcopy(random.choice(VALUES))
    elif isinstance(node[at], str):
        cut = random.randint(0, len(node[at]))
        node[at] = node[at][:cut] + random.choice(["", "-", "x", "é", ".", " "]) + node[at][cut + random.randint(0, 1):]
    elif isinstance(node[at], list):
        node[at] = node[at] * random.choice([0, 2, 51]) + random.choice([[], [random.choice(VALUES)]])
    else:
        node[at] = max(-2**63, min(2**63 - 1, int(node[at]) + random.choice([-1, 1, 10**4, -10**4, 10**13])))
    return x


def pointer(path):
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in path)


def theirs(validator, x):
    """{pointer: keywords} of what python3-jsonschema finds; missing and unknown properties stand at their own place."""
    found = collections.defaultdict(set)
    errors = list(validator.iter_errors(x))
    long = [(list(e.absolute_path), e.validator_value) for e in errors if e.validator == "maxItems"]
    for e in errors:
        path = list(e.absolute_path)
        if any(path[:len(at)] == at and len(path) > len(at) and path[len(at)] >= most for at, most in long):
            continue  # the decoder steps over items that are too many
        names = [()]
        if e.validator == "required":
            names = [(n,) for n in e.validator_value if n not in e.instance]
        elif e.validator == "additionalProperties":
            names = [(n,) for n in e.instance if n not in e.schema["properties"]]
        for name in names:
            found[pointer((*path, *name))].add(e.validator)
    return found


SAME = {"const": {"enum", "minimum", "maximum"}, "enum": {"type"}}  # a const is told as what it became; a list has a type


def differs(want, answer):
    if answer.startswith("1"):
        return bool(want)
    got = [tuple(f.rsplit(" ", 1)) for f in answer.split("\t")[1:]]
    for place, keyword in got:
        told = want.get(place, set())
        if keyword not in told and not any(keyword in SAME.get(k, ()) for k in told):
            return True
    return len(got) < FAULTS_MAX and {place for place, _ in got} != set(want)


def came_back(schemas, uri, schema, x, y):
    """Whether y is x as the encoder writes it."""
    uri, schema = schemas.follow(uri, schema)
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        return set(y) == set(x) & set(properties) and all(came_back(schemas, uri, properties[k], x[k], y[k]) for k in y)
    if schema.get("type") == "array":
        return len(x) == len(y) and all(came_back(schemas, uri, schema["items"], a, b) for a, b in zip(x, y))
    if schema.get("format") == "uuid":
        return y == x.lower()
    if schema.get("format") == "date-time":
        return same_instant(x, y)
    return type(x) is type(y) and x == y


def same_instant(x, y):
    def read(text):
        m = re.fullmatch(r"(.{10}).(.{8})(?:\.(\d+))?(.*)", text)
        at = datetime.datetime.strptime(f"{m[1]} {m[2]}", "%Y-%m-%d %H:%M:%S")
        offset = 0 if m[4] in "Zz" else int(m[4][0] + "1") * (int(m[4][1:3]) * 60 + int(m[4][4:6]))
        return at - datetime.timedelta(minutes=offset), (m[3] or "").ljust(6, "0")[:6]
    return read(x) == read(y)


def main():
    judge = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    random.seed(seed)
    schemas, names, cases = Schemas(), [], []
    for i in range(count):
        if not names:
            names = list(schemas.objects)
        name = names.pop()
        uri, definition = schemas.objects[name]
        x = schemas.make(uri, {"$ref": "#/$defs/" + definition})
        for _ in range(random.choice([0, 0, 1, 1, 1, 2, 3])):
            x = mutate(x)
        cases.append((name, x))
    lines = "".join(f"{name}\t{json.dumps(x, ensure_ascii=random.random() < .5)}\n" for name, x in cases)
    done = subprocess.run([judge], input=lines.encode(), stdout=subprocess.PIPE)
    answers = done.stdout.decode().split("\n")[:-1]
    if done.returncode or len(answers) != count:
        sys.exit(f"differential: the judge ended with {done.returncode} after {len(answers)} of {count} messages")
    tally = collections.Counter()
    for (name, x), answer in zip(cases, answers):
        want = theirs(schemas.validators[name], x)
        tally["invalid" if want else "valid"] += 1
        uri, definition = schemas.objects[name]
        wrong = differs(want, answer)
        if not wrong and not want:
            wrong = not came_back(schemas, uri, {"$ref": "#/$defs/" + definition}, x, json.loads(answer[2:]))
        if wrong:
            tally["differ"] += 1
            if tally["differ"] <= 5:
                print(f"DIFFER {name} {json.dumps(x)[:400]}\n  python3-jsonschema: {dict(want)}\n  ours: {answer[:400]}")
    print(f"seed {seed}: {count} messages of {len(schemas.objects)} objects: {tally['valid']} valid, {tally['invalid']} invalid, "
          f"{tally['differ']} differ")
    if tally["differ"] or min(tally["valid"], tally["invalid"]) < count / 4:
        sys.exit("differential: they differ, or the messages are too much alike")


main()
