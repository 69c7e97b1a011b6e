#!/usr/bin/env python3
"""What stands in the documents and in a table of the code is the same: settings, problems, routes; and links lead
somewhere. usage: documents_are_true.py, from the root"""
import glob
import os
import re
import sys

findings = []


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def rows(path, first):
    """Table rows whose first cell matches, as lists of cells without back-ticks."""
    found = {}
    for line in read(path).splitlines():
        cells = [c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and re.fullmatch(first, cells[0]):
            found[cells[0].strip("`")] = [c.strip("`") for c in cells[1:]]
    return found


def compare(what, coded, documented):
    for name in sorted(coded.keys() | documented.keys()):
        if coded.get(name) != documented.get(name):
            findings.append(f"{what} {name}: the code has {coded.get(name)}, the document {documented.get(name)}")


def settings():
    pattern = r'^ *X\(\w+, +"([^"]+)", +"([^"]*)", +(\w+), +"((?:[^"\\]|\\.)*)"\)'
    text = re.sub(r"\\\n *", " ", read("app/settings.h"))
    text = text.replace(" X(", "\nX(")
    coded = {f"--{flag}": [fallback or "none", help.replace('\\"', '"')]
             for flag, fallback, _, help in re.findall(pattern, text, re.M)}
    compare("setting", coded, rows("docs/operations.md", r"`--[a-z-]+`"))


def problems():
    pattern = r'X\(\w+, *"([^"]+)", *(\d+), *(true|false), *"([^"]+)"\)'
    coded = {code: [status, "yes" if final == "true" else "no", title]
             for code, status, final, title in re.findall(pattern, read("core/problem.h")) if code != "about:blank"}
    compare("problem", coded, {k: v[:3] for k, v in rows("docs/http.md", r"`[a-z-]+`").items() if len(v) >= 3})


def routes():
    coded = set()
    for path in glob.glob("api/*.c"):
        coded |= {f"{m} {p}" for m, p in re.findall(r'\{"(GET|POST|PUT|PATCH|DELETE)",\s*"([^"]+)"', read(path))}
    documented = set(re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) [^`?]+)", read("docs/http.md"), re.M))
    for route in sorted(coded ^ documented):
        findings.append(f"route {route}: only in {'the code' if route in coded else 'docs/http.md'}")


def links():
    for path in glob.glob("*.md") + glob.glob("docs/**/*.md", recursive=True) + glob.glob("*/README.md"):
        text = read(path)
        if "FILL" in text:
            findings.append(f"{path}: something is still to be filled in")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if not re.match(r"[a-z]+:", target) and not os.path.exists(os.path.join(os.path.dirname(path), target)):
                findings.append(f"{path}: {target} is not there")


for check in (settings, problems, routes, links):
    check()
print("\n".join(findings) or "the documents are true")
sys.exit(1 if findings else 0)
