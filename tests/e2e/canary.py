"""Names and addresses that are looked for everywhere they must not be: in topics, tables, the write-ahead log, snapshots, logs; and
after erasure in every answer. Each search must find something it may find, or it proves nothing.
usage: canary.py FOLDLOG"""
import base64
import glob
import os
import re
import subprocess
import sys
import uuid

from system import FOLLOWS_S, System, agrees, check, equal, finish, services, wait_until

WORD = uuid.uuid4().hex[:12]
PERSON = {"email": f"canary{WORD}@example.org", "name": f"Canary {WORD} Quux", "password": f"secret-{WORD}-password"}
ADDRESS = {"name": f"Addressee {WORD}", "line1": f"{WORD} Hidden Lane", "line2": f"Door {WORD}",
           "city": f"Town{WORD}", "postal_code": f"P{WORD}", "country": "GB"}
RENAMED, NEW_PASSWORD = f"Renamed {WORD}", f"changed-{WORD}-password"


def traces():
    """WORD as it may stand in bytes: plain, in capitals, in hex, in UTF-16, and in base64 at each alignment."""
    plain = WORD.encode()
    found = {plain, plain.upper(), plain.hex().encode(), WORD.encode("utf-16-le")}
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + plain)
        found |= {text[2 + shift:-4], text[2 + shift:-4].translate(bytes.maketrans(b"+/", b"-_"))}
    return found


TRACES = traces()


def clean(place, data, control):
    """Nothing personal in there, but this is."""
    check(f"{place}: the search finds what may be found", control.encode() in data, f"{len(data)} bytes")
    hits = [t for t in TRACES if t in data]
    where = data.find(hits[0]) if hits else 0
    check(f"{place}: nothing personal", not hits, data[max(0, where - 80):where + 40] if hits else "")


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, **more).stdout


# ---- places ----

def topics(named):
    listed = run("kcat", "-L", "-b", named["KAFKA"]).decode()
    names = re.findall(r'topic "([a-z_.]+)" with', listed)
    ours = [n for n in names if not n.startswith("__")]
    data = b"".join(run("kcat", "-C", "-e", "-q", "-b", named["KAFKA"], "-t", n, "-o", "beginning",
                        "-f", "%t %k %h %s\n", "-X", "isolation.level=read_uncommitted") for n in ours)
    return ours, data


def psql(named, sql, database="postgres"):
    return run("psql", "-X", "-A", "-t", "-q", named["PG"].replace("dbname=postgres", f"dbname={database}"),
               "-c", sql).decode().strip()


def tables(named):
    fields = dict(f.split("=", 1) for f in named["PG"].split())
    return run("pg_dumpall", "-h", fields["host"], "-p", fields["port"], "-U", fields["user"])


def write_ahead_log(named):
    psql(named, "CHECKPOINT")
    folder = os.path.join(psql(named, "SHOW data_directory"), "pg_wal")
    parts = []
    for name in os.listdir(folder):
        if re.fullmatch("[0-9A-F]{24}", name):
            with open(os.path.join(folder, name), "rb") as file:
                parts.append(file.read())
    return b"".join(parts)


def server_log(named):
    """PostgreSQL's own: whatever its standard error is."""
    with open(os.path.join(psql(named, "SHOW data_directory"), "postmaster.pid")) as file:
        target = os.readlink(f"/proc/{file.readline().strip()}/fd/2")
    with open(target, "rb") as file:
        return file.read()


def snapshots(foldlog):
    found = b""
    for path in sorted(glob.glob(f"{foldlog.snapshots}/*.snapshot")):
        with open(path, "rb") as file:
            found += file.read()
    return found


def own_log(foldlog):
    with open(f"{foldlog.name}.log", "rb") as file:
        return file.read()


# ---- the life of a canary ----

def live(foldlog):
    """All a customer may do, good and bad. Ids of what is left of it."""
    lamp = foldlog.product(20)
    made = foldlog.done(foldlog.anonymous("POST", "/v1/users", PERSON, foldlog.key()))
    taken = foldlog.anonymous("POST", "/v1/users", PERSON, foldlog.key())
    equal("registered, and again refused", (made.status, taken.status), (201, 409))
    ada = foldlog.person("unused")
    ada.email, ada.password, ada.id, ada.tokens = PERSON["email"], PERSON["password"], made["id"], None
    foldlog.anonymous("POST", "/v1/sessions", {"email": PERSON["email"], "password": f"wrong {WORD}"})
    body = foldlog.order_body((lamp, 1)) | {"shipping_address": ADDRESS}
    orders = [foldlog.done(foldlog.call_as(ada, "POST", "/v1/orders", body))["id"] for _ in range(2)]
    foldlog.done(foldlog.call_as(ada, "POST", "/v1/orders", body, Prefer="respond-async"))
    for wrong in (body | {"items": []}, body | {"shipping_address": ADDRESS | {"country": "XX"}},
                  body | {"items": [{"sku": f"none-{lamp}", "quantity": 1}]}):
        equal("a bad order is refused", foldlog.call_as(ada, "POST", "/v1/orders", wrong).status, 422)
    foldlog.done(foldlog.call_as(ada, "POST", f"/v1/orders/{orders[1]}/cancellation", {}))
    foldlog.done(foldlog.call_as(ada, "PATCH", f"/v1/users/{ada.id}", {"name": RENAMED}))
    foldlog.done(foldlog.call_as(ada, "PUT", f"/v1/users/{ada.id}/password",
                                 {"current_password": PERSON["password"], "new_password": NEW_PASSWORD}))
    foldlog.get(f"/v1/users?email={PERSON['email']}")
    complaint = agrees(lambda: None if foldlog.call_as(ada, "GET", f"/v1/orders/{orders[0]}").get("phase") == "done"
                       else "not done")
    check("the order is made", not complaint, complaint)
    return ada, lamp, orders


def readable(foldlog, ada, orders):
    seen = foldlog.get(f"/v1/users/{ada.id}")
    order = foldlog.call_as(ada, "GET", f"/v1/orders/{orders[0]}")
    equal("before erasure it is all there for who may see it",
          (seen["email"], seen["name"], order["shipping_address"]), (PERSON["email"], RENAMED, ADDRESS))


def answers(foldlog, ada, orders):
    """Whatever can be asked about them, by an administrator."""
    paths = [f"/v1/users/{ada.id}", f"/v1/users?email={PERSON['email']}", f"/v1/orders?customer_id={ada.id}"]
    for order_id in orders:
        paths += [f"/v1/orders/{order_id}", f"/v1/orders/{order_id}/timeline", f"/v1/payments?order_id={order_id}"]
    got = []

    def told():
        """A read model that has just been swapped may need a moment: 503 until then."""
        got[:] = [foldlog.call_as(foldlog.boss, "GET", p) for p in paths]
        return None if all(a.status != 503 for a in got) else "503"
    agrees(told, 5)
    equal("after erasure what was bought is still told", [a.status for a in got], [200] * len(paths))
    return b"".join(a.raw for a in got)


def places(foldlog, named, lamp, ada, orders):
    names, data = topics(named)
    check("every topic is searched", {"user.commands", "user.log", "user.events", "order.log", "platform.revocations"}
          <= set(names), names)
    clean("topics", data, lamp)
    clean("tables of all databases", tables(named), ada.id)
    clean("write-ahead log", write_ahead_log(named), lamp)
    clean("Foldlog's log", own_log(foldlog), '"fact":"started"')
    def held():
        data = snapshots(foldlog)
        return all(w in data for w in (uuid.UUID(ada.id).bytes, orders[0].encode(), lamp.encode())) and data
    clean("snapshots", wait_until("snapshots of person, order and product", held, FOLLOWS_S), lamp)
    clean("PostgreSQL's log", server_log(named), "database system is ready")


named = services()
with System(sys.argv[1], snapshot_records=1) as foldlog:
    check("the traces would be found", all(t in b"x" + t + b"x" for t in TRACES) and
          any(t in base64.b64encode(f"name {WORD} name".encode()) for t in TRACES))
    ada, lamp, orders = live(foldlog)
    readable(foldlog, ada, orders)
    places(foldlog, named, lamp, ada, orders)
    equal("the vault has a key", psql(named, f"SELECT sealed IS NOT NULL FROM subject_key WHERE subject = '{ada.id}'",
                                      "foldlog_vault"), "t")
    foldlog.done(foldlog.call_as(ada, "DELETE", f"/v1/users/{ada.id}"))
    clean("answers", answers(foldlog, ada, orders), ada.id)
    equal("the vault has a tombstone", psql(named, "SELECT sealed IS NULL AND erased_at IS NOT NULL FROM subject_key"
                                            f" WHERE subject = '{ada.id}'", "foldlog_vault"), "t")
    foldlog.kill()
    foldlog.start()
    clean("answers after a restart", answers(foldlog, ada, orders), ada.id)
    foldlog.must("projections", "rebuild", "users", "--yes")
    clean("answers after a rebuild from the log", answers(foldlog, ada, orders), ada.id)
    places(foldlog, named, lamp, ada, orders)
finish()
