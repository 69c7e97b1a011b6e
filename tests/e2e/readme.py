"""What README.md says to type under "Try it", typed. usage: readme.py FOLDLOG"""
import json
import os
import re
import subprocess
import sys

from system import System, check, equal, finish, wait_until

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")


def blocks():
    with open(README, encoding="utf-8") as file:
        section = re.search(r"^## Try it$(.*?)^## ", file.read(), re.M | re.S).group(1)
    return re.findall(r"^```sh\n(.*?)^```$", section, re.M | re.S)


def here(foldlog, text):
    """The same on this machine's ports, by people and for a product that this run alone has."""
    text = text.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{foldlog.port}")
    text = text.replace("127.0.0.1:9092", foldlog.environment["FOLDLOG_KAFKA"])
    text = text.replace(".run/admin.json", foldlog.environment["FOLDLOG_ADMIN_FILE"])
    return re.sub(r"\blamp\b", f"lamp-{foldlog.run}", text).replace("ada@example.org", f"ada-{foldlog.run}@example.org")


def typed(text):
    return subprocess.run(["bash", "-euo", "pipefail", "-c", text], text=True, capture_output=True, timeout=60)


with System(sys.argv[1]) as foldlog:
    first, wire = (here(foldlog, b) for b in blocks())
    done = typed(first + "\nprintf '\\n%s\\n%s\\n' \"$customer\" \"$id\"\n")
    equal("what stands there runs", (done.returncode, done.stderr if done.returncode else ""), (0, ""))
    statuses = re.findall(r"HTTP/1.1 (\d+)", done.stdout)
    equal("product, receipt, user and order are made", statuses, ["201"] * 4)
    bearer, order_id = done.stdout.splitlines()[-2:]
    token = bearer.removeprefix("Authorization: ")
    wait_until("the order confirmed", lambda: foldlog.get(f"/v1/orders/{order_id}", Authorization=token).get("status")
               == "confirmed", 20)
    events = wait_until("its events there for anybody",
                        lambda: (out := typed(wire).stdout).count(f"ce_subject={order_id}") == 2 and out, 20)
    check("a line of JSON each", [json.loads(line) for line in events.splitlines() if line.startswith("{")])
finish()
