"""Users and sessions: registering, logging in, going on, logging out, being disabled and being forgotten.
usage: identity.py FOLDLOG"""
import base64
import concurrent.futures
import json
import os
import stat
import sys
import time
import urllib.parse
import uuid

from system import FOLLOWS_S, System, agrees, check, equal, finish, patiently, wait_until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def part(token, n):
    text = token.split(".")[n]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def log_in(foldlog, email, password):
    return patiently(lambda: foldlog.anonymous("POST", "/v1/sessions", {"email": email, "password": password}))


def refresh(foldlog, token):
    form = urllib.parse.urlencode({"grant_type": "refresh_token", "refresh_token": token}).encode()
    return patiently(lambda: foldlog.anonymous("POST", "/oauth2/token", headers=FORM, raw=form))


def with_token(foldlog, token, method, path, body=None, **headers):
    key = None if method == "GET" else foldlog.key()
    return foldlog.client.call(method, path, body, key, {"Authorization": f"Bearer {token}"} | headers)


def status(foldlog, token, person):
    return with_token(foldlog, token, "GET", f"/v1/users/{person.id}").status


def registering(foldlog):
    email, key = f"Eve-{foldlog.run}@Example.org", foldlog.key()
    body = {"email": email, "password": "correct horse", "name": "Eve"}
    made = foldlog.anonymous("POST", "/v1/users", body, key)
    equal("registering answers 201", made.status, 201)
    equal("with the user's address", made.headers.get("location"), f"/v1/users/{made['id']}")
    again = foldlog.anonymous("POST", "/v1/users", body, key)
    equal("a repeat gets the same answer", (again.status, again.raw, again.headers.get("idempotent-replayed")),
          (201, made.raw, "true"))
    other = foldlog.anonymous("POST", "/v1/users", body | {"name": "Mallory"}, key)
    equal("the same key with another body: 422", (other.status, other.code()), (422, "idempotency-key-reused"))
    taken = foldlog.anonymous("POST", "/v1/users", body | {"email": email.lower()}, foldlog.key())
    equal("an address is taken, in any case: 409", (taken.status, taken.code()), (409, "already-exists"))
    for name, change, pointer in (("a password of 7", {"password": "1234567"}, "/password"),
                                  ("a password of 129", {"password": "x" * 129}, "/password"),
                                  ("no name", {"name": ""}, "/name"), ("a name of 201", {"name": "x" * 201}, "/name"),
                                  ("no address", {"email": "nobody"}, "/email")):
        answer = foldlog.anonymous("POST", "/v1/users", body | change, foldlog.key())
        equal(f"{name}: 422 and where", (answer.status, answer.pointers()), (422, [pointer]))
    extra = foldlog.anonymous("POST", "/v1/users", body | {"email": "x@example.org", "roles": ["admin"]}, foldlog.key())
    equal("nobody asks for roles: 422", (extra.status, extra.pointers()), (422, ["/roles"]))


def registering_later(foldlog):
    email, password = f"later-{foldlog.run}@example.org", "correct horse"
    answer = foldlog.anonymous("POST", "/v1/users", {"email": email, "password": password, "name": "Later"}, foldlog.key(),
                               {"Prefer": "respond-async"})
    equal("registering with respond-async: 202", answer.status, 202)
    where = answer.headers["location"]
    late = agrees(lambda: None if log_in(foldlog, email, password).status == 201 else "no log-in")
    check("then who registered may log in", not late, late)
    token = log_in(foldlog, email, password)["access_token"]
    told = []
    pending = agrees(lambda: told.append(with_token(foldlog, token, "GET", where)) or
                     (None if told[-1].status == 200 and told[-1]["status"] == "accepted" else told[-1]))
    check("and look the command up", not pending, pending)
    equal("which tells their id", told[-1]["outcome"]["id"], part(token, 1)["sub"])
    equal("nobody else may", foldlog.call_as(foldlog.buyer, "GET", where).status, 404)


def two_at_once(foldlog):
    email = f"twins-{foldlog.run}@example.org"

    def register(n):
        body = {"email": email if n % 2 else email.upper(), "password": f"password {n}", "name": f"Twin {n}"}
        return foldlog.anonymous("POST", "/v1/users", body, foldlog.key()).status
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(register, range(8)))
    equal("of eight who register one address at once, one does", answers, [201] + [409] * 7)


def logging_in(foldlog):
    ada = foldlog.person("ada")
    good = log_in(foldlog, ada.email.upper(), ada.password)
    equal("logging in gives tokens", (good.status, sorted(good.json)),
          (201, ["access_token", "expires_in", "refresh_token", "token_type"]))
    equal("for ten minutes", (good["expires_in"], good["token_type"]), (600, "Bearer"))
    equal("which nobody stores", good.headers.get("cache-control"), "no-store")
    claims = part(good["access_token"], 1)
    equal("the token says who and how long", (claims["sub"], claims["exp"] - claims["iat"]), (ada.id, 600))
    check("and nothing personal", ada.email not in json.dumps(claims) and "Ada" not in json.dumps(claims), claims)
    wrong = log_in(foldlog, ada.email, "not her password")
    nobody = log_in(foldlog, f"nobody-{foldlog.run}@example.org", ada.password)
    equal("a wrong password: 401", (wrong.status, bool(wrong.headers.get("www-authenticate"))), (401, True))
    equal("a wrong address looks the same", (nobody.status, nobody["detail"]), (401, wrong["detail"]))
    keys = foldlog.anonymous("GET", "/.well-known/jwks.json").json["keys"]
    check("its key is published", part(good["access_token"], 0)["kid"] in [k["kid"] for k in keys], keys)
    check("without its private part", all("d" not in k for k in keys), keys)


def tokens(foldlog):
    ada = foldlog.person("ada")
    good = log_in(foldlog, ada.email, ada.password)["access_token"]
    path = f"/v1/users/{ada.id}"
    header, payload, signature = good.split(".")
    bad = {"nothing": None, "another scheme": f"Basic {good}", "no scheme": good, "an empty token": "Bearer ",
           "rubbish": "Bearer rubbish", "a space more": f"Bearer  {good}", "a changed signature":
           f"Bearer {header}.{payload}.{'A' * len(signature)}", "no signature": f"Bearer {header}.{payload}.",
           "no algorithm": "Bearer " + base64.urlsafe_b64encode(b'{"alg":"none"}').decode() + f".{payload}.",
           "two tokens": f"Bearer {good}, Bearer {good}", "3 KiB": "Bearer " + "A" * 3000}
    for name, value in bad.items():
        answer = foldlog.client.call("GET", path, headers={"Authorization": value})
        challenge = answer.headers.get("www-authenticate", "")
        equal(f"{name}: 401 with a challenge", (answer.status, challenge.startswith("Bearer")), (401, True))
    equal("the scheme in any case: 200", foldlog.client.call("GET", path, headers={
        "Authorization": f"bEARER {good}"}).status, 200)
    equal("nobody reads a public page worse for a bad token",
          foldlog.client.call("GET", "/v1/products", headers={"Authorization": "Bearer rubbish"}).status, 200)


def going_on(foldlog):
    ada = foldlog.person("ada")
    first = log_in(foldlog, ada.email, ada.password)
    second = refresh(foldlog, first["refresh_token"])
    equal("a refresh token gives new ones", second.status, 200)
    equal("which are good", status(foldlog, second["access_token"], ada), 200)
    equal("the first access token still is", status(foldlog, first["access_token"], ada), 200)
    reused = refresh(foldlog, first["refresh_token"])
    equal("the old refresh token: 400 invalid_grant", (reused.status, reused["error"]), (400, "invalid_grant"))
    equal("and the session has ended", refresh(foldlog, second["refresh_token"]).status, 400)
    equal("with its tokens", [status(foldlog, t["access_token"], ada) for t in (first, second)], [401, 401])
    third = log_in(foldlog, ada.email, ada.password)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [a.status for a in pool.map(lambda _: refresh(foldlog, third["refresh_token"]), range(4))]
    check("of four at once one at most is served", answers.count(200) <= 1, answers)
    equal("and then the session has ended", status(foldlog, third["access_token"], ada), 401)
    equal("rubbish: 400", refresh(foldlog, "rubbish").status, 400)
    other = foldlog.anonymous("POST", "/oauth2/token", headers=FORM, raw=b"grant_type=password&username=x&password=y")
    equal("another grant: 400", (other.status, other["error"]), (400, "unsupported_grant_type"))


def logging_out(foldlog):
    ada = foldlog.person("ada")
    phone, desk = (log_in(foldlog, ada.email, ada.password) for _ in range(2))
    equal("logging out: 204", with_token(foldlog, phone["access_token"], "DELETE", "/v1/sessions/current").status, 204)
    equal("that session has ended", (status(foldlog, phone["access_token"], ada),
                                     refresh(foldlog, phone["refresh_token"]).status), (401, 400))
    equal("the other has not", (status(foldlog, desk["access_token"], ada),
                                refresh(foldlog, desk["refresh_token"]).status), (200, 200))


def changing_the_password(foldlog):
    ada = foldlog.person("ada")
    here, there = (log_in(foldlog, ada.email, ada.password) for _ in range(2))
    path, body = f"/v1/users/{ada.id}/password", {"current_password": ada.password, "new_password": "a new password"}
    bearer = {"Authorization": f"Bearer {here['access_token']}"}
    wrong = foldlog.client.call("PUT", path, body | {"current_password": "guessed"}, foldlog.key(), bearer)
    equal("without the current password: 403", wrong.status, 403)
    missing = foldlog.client.call("PUT", path, {"new_password": "a new password"}, foldlog.key(), bearer)
    equal("or none at all: 422", (missing.status, missing.pointers()), (422, ["/current_password"]))
    key = foldlog.key()
    done = foldlog.client.call("PUT", path, body, key, bearer)
    equal("with it: 200", done.status, 200)
    again = foldlog.client.call("PUT", path, body, key, bearer)
    equal("repeated: the same answer", (again.status, again.raw), (200, done.raw))
    equal("who changed it goes on", (status(foldlog, here["access_token"], ada),
                                     refresh(foldlog, here["refresh_token"]).status), (200, 200))
    equal("the others do not", (status(foldlog, there["access_token"], ada),
                                refresh(foldlog, there["refresh_token"]).status), (401, 400))
    equal("the old one opens nothing", log_in(foldlog, ada.email, ada.password).status, 401)
    equal("the new one does", log_in(foldlog, ada.email, "a new password").status, 201)


def roles_and_status(foldlog):
    mill = foldlog.person("mill")
    grant = log_in(foldlog, mill.email, mill.password)
    product = {"sku": f"own-{foldlog.run}", "name": "x", "price": {"amount": 1, "currency": "EUR"}}
    equal("a customer sells nothing: 403",
          with_token(foldlog, grant["access_token"], "POST", "/v1/products", product).status, 403)
    foldlog.done(foldlog.put(f"/v1/users/{mill.id}/roles", {"roles": ["customer", "merchant"]}))
    equal("a token does not outlive its roles", status(foldlog, grant["access_token"], mill), 401)
    grant = foldlog.done(refresh(foldlog, grant["refresh_token"]))
    equal("the next one has the new", with_token(foldlog, grant["access_token"], "POST", "/v1/products",
                                                product).status, 201)
    stale = log_in(foldlog, mill.email, mill.password)
    foldlog.done(foldlog.put(f"/v1/users/{mill.id}/roles", {"roles": ["customer"]}))
    fresh = foldlog.done(refresh(foldlog, stale["refresh_token"]))
    foldlog.done(with_token(foldlog, fresh["access_token"], "PUT", f"/v1/users/{mill.id}/password",
                            {"current_password": mill.password, "new_password": "spares this session"}))
    mill.password = "spares this session"
    equal("a session that a new password spares gets no old token back",
          [status(foldlog, t["access_token"], mill) for t in (stale, fresh)], [401, 200])
    grant = log_in(foldlog, mill.email, mill.password)
    foldlog.done(foldlog.put(f"/v1/users/{mill.id}/status", {"status": "disabled"}))
    equal("who is disabled is out at once", (status(foldlog, grant["access_token"], mill),
                                             refresh(foldlog, grant["refresh_token"]).status), (401, 400))
    equal("and does not come in: 403", log_in(foldlog, mill.email, mill.password).status, 403)
    equal("with a wrong password: 401", log_in(foldlog, mill.email, "guessed password").status, 401)
    foldlog.done(foldlog.put(f"/v1/users/{mill.id}/status", {"status": "active"}))
    equal("until that is over", log_in(foldlog, mill.email, mill.password).status, 201)


def profile(foldlog):
    ada = foldlog.person("ada", name="Ada")
    seen = foldlog.call_as(ada, "GET", f"/v1/users/{ada.id}").json
    equal("users see themselves", (seen["email"], seen["name"], seen["roles"], seen["status"], seen["version"]),
          (ada.email, "Ada", ["customer"], "active", 1))
    equal("and change their name", foldlog.call_as(ada, "PATCH", f"/v1/users/{ada.id}", {"name": "Ada L."}).status, 200)
    complaint = agrees(lambda: None if foldlog.call_as(ada, "GET", f"/v1/users/{ada.id}")["name"] == "Ada L." else "old")
    check("which is seen", not complaint, complaint)
    found = foldlog.get(f"/v1/users?email={urllib.parse.quote(ada.email.upper())}")["items"]
    equal("administrators find them by address", [(u["id"], u["name"]) for u in found], [(ada.id, "Ada L.")])
    equal("or find nobody", foldlog.get("/v1/users?email=none@example.org")["items"], [])


def the_longest(foldlog):
    """What takes the most bytes, sealed or not: control characters in JSON, and four bytes of UTF-8 each."""
    lamp = foldlog.product(5)
    for word in ("\x01", "\U0001F600"):
        ada = foldlog.person("long", name=word * 200)
        address = {"name": word * 200, "line1": word * 200, "line2": word * 200, "city": word * 100,
                   "postal_code": word * 20, "country": "GB"}
        body = foldlog.order_body((lamp, 1)) | {"shipping_address": address}
        order_id = foldlog.done(foldlog.call_as(ada, "POST", "/v1/orders", body))["id"]
        complaint = agrees(lambda i=order_id, a=address, who=ada: None if foldlog.call_as(
            who, "GET", f"/v1/orders/{i}").get("shipping_address") == a else "another address")
        check("the longest address comes back as it was", not complaint, complaint)
        equal("and the longest name", foldlog.call_as(ada, "GET", f"/v1/users/{ada.id}")["name"], word * 200)


def erased(foldlog, ada, order_id):
    def complaint():
        seen = foldlog.get(f"/v1/users/{ada.id}")
        row = (seen["status"], seen["email"], seen["name"])
        return None if row == ("erased", None, None) else row
    equal("the row stays and says so", agrees(complaint), None)
    order = foldlog.call_as(foldlog.boss, "GET", f"/v1/orders/{order_id}")
    equal("orders stay, without their address", (order.status, order["customer_id"], order["shipping_address"]),
          (200, ada.id, None))
    equal("nobody finds the address", foldlog.get(f"/v1/users?email={ada.email}")["items"], [])
    equal("nobody logs in", log_in(foldlog, ada.email, ada.password).status, 401)


def erasing(foldlog):
    lamp, ada = foldlog.product(5), foldlog.person("ada", name="Ada")
    body = foldlog.order_body((lamp, 1))
    order_id = foldlog.done(foldlog.call_as(ada, "POST", "/v1/orders", body))["id"]
    complaint = agrees(lambda: None if foldlog.call_as(ada, "GET", f"/v1/orders/{order_id}").get("shipping_address") ==
                       body["shipping_address"] else "no address")
    check("a customer sees where the order goes", not complaint, complaint)
    token = ada.bearer()
    equal("erasing oneself: 200", foldlog.call_as(ada, "DELETE", f"/v1/users/{ada.id}").status, 200)
    gone = foldlog.client.call("GET", f"/v1/users/{ada.id}", headers={"Authorization": token})
    equal("the session is over", gone.status, 401)
    erased(foldlog, ada, order_id)
    equal("once more changes nothing", foldlog.client.call("DELETE", f"/v1/users/{ada.id}", key=foldlog.key()).status, 200)
    again = foldlog.anonymous("POST", "/v1/users", {"email": ada.email, "password": "another life", "name": "Eva"},
                              foldlog.key())
    check("the address may register again, as somebody else", again.status == 201 and again["id"] != ada.id, again)
    seen = foldlog.get(f"/v1/users/{ada.id}")
    equal("who was erased stays so", (seen["status"], seen["name"]), ("erased", None))


def erasing_by_the_operator(foldlog):
    lamp, ada = foldlog.product(5), foldlog.person("ada", name="Ada")
    order_id = foldlog.done(foldlog.call_as(ada, "POST", "/v1/orders", foldlog.order_body((lamp, 1))))["id"]
    wait_until("the order is seen", lambda: foldlog.call_as(ada, "GET", f"/v1/orders/{order_id}").status == 200, 10)
    equal("foldlog erase wants to be sure: 2", foldlog.verb("erase", ada.id).returncode, 2)
    dry = json.loads(foldlog.must("erase", ada.id, "--dry-run", "--json"))
    equal("--dry-run only tells", (dry["erased"], dry["orders"]), (False, 1))
    equal("and does nothing", foldlog.call_as(ada, "GET", f"/v1/users/{ada.id}").status, 200)
    done = json.loads(foldlog.must("erase", ada.id, "--yes", "--json"))
    equal("foldlog erase reports", (done["erased"], done["key_destroyed"], done["orders"]), (True, True, 1))
    complaint = agrees(lambda: None if foldlog.call_as(foldlog.boss, "GET", f"/v1/orders/{order_id}")["shipping_address"]
                       is None else "still readable", 3)
    check("running processes forget the key", not complaint, complaint)
    erased(foldlog, ada, order_id)
    equal("somebody unknown: 3", foldlog.verb("erase", str(uuid.uuid4()), "--yes").returncode, 3)


def over_a_restart(foldlog):
    ada = foldlog.person("ada")
    good, ended = (log_in(foldlog, ada.email, ada.password) for _ in range(2))
    foldlog.done(with_token(foldlog, ended["access_token"], "DELETE", "/v1/sessions/current"))
    foldlog.kill()
    foldlog.start()
    equal("tokens outlive a kill", status(foldlog, good["access_token"], ada), 200)
    equal("and so do revocations", status(foldlog, ended["access_token"], ada), 401)
    equal("refresh tokens too", refresh(foldlog, good["refresh_token"]).status, 200)


def keys_not_read_yet(foldlog):
    """A process that cannot reach the vault since it started does not know the keys: it can judge no token."""
    ada = foldlog.person("ada")
    token = log_in(foldlog, ada.email, ada.password)["access_token"]
    foldlog.stop_well()
    foldlog.environment["FOLDLOG_VAULT_PG"] = "host=127.0.0.1 port=1 user=foldlog_vault dbname=foldlog_vault"
    foldlog.launch()
    def answered():
        try:
            return foldlog.anonymous("GET", "/v1/products?limit=1").status == 200
        except OSError:
            return False
    wait_until("it answers", answered, 30)
    answer = foldlog.anonymous("GET", f"/v1/users/{ada.id}", headers={"Authorization": f"Bearer {token}"})
    equal("a good token is not refused while the keys are not known", (answer.status, answer.code()), (503, "unavailable"))
    foldlog.stop_well()
    del foldlog.environment["FOLDLOG_VAULT_PG"]
    foldlog.start()
    equal("and believed when they are", status(foldlog, token, ada), 200)


def keys_change(binary):
    """Each key signs for 6 s and is shown 4 s before: within three rotations nothing may fail."""
    with System(binary, key_rotation_s=6, key_ahead_s=4) as foldlog:
        ada = foldlog.person("ada")
        grant = log_in(foldlog, ada.email, ada.password)
        first, shown, used, unseen = grant["access_token"], {}, [], []
        end = time.monotonic() + 20
        while time.monotonic() < end:
            keys = [k["kid"] for k in foldlog.anonymous("GET", "/.well-known/jwks.json").json["keys"]]
            seen_at = time.monotonic() if shown else 0  # those of the first look have been shown before
            for kid in keys:
                shown.setdefault(kid, seen_at)
            grant = foldlog.done(refresh(foldlog, grant["refresh_token"]))
            kid = part(grant["access_token"], 0)["kid"]
            if kid not in used:
                used.append(kid)
                unseen += [kid] if time.monotonic() - shown.get(kid, time.monotonic()) < 2 else []
            if status(foldlog, grant["access_token"], ada) != 200 or status(foldlog, first, ada) != 200:
                unseen.append(f"a good token of {kid} was refused")
            time.sleep(0.2)
        check("keys change", len(used) >= 3, used)
        check("each was shown before it signed, and no token was refused", not unseen, unseen)


def the_administrator(foldlog):
    file = foldlog.environment["FOLDLOG_ADMIN_FILE"]
    os.unlink(file)
    foldlog.must("admin")
    equal("foldlog admin writes a file for its owner only", stat.S_IMODE(os.stat(file).st_mode), 0o600)
    with open(file) as text:
        admin = json.load(text)
    grant = log_in(foldlog, admin["email"], admin["password"])
    equal("by which one logs in", grant.status, 201)
    equal("as administrator and merchant", part(grant["access_token"], 1)["roles"], 7)
    foldlog.must("admin")
    equal("a second call changes nothing", foldlog.done(refresh(foldlog, grant["refresh_token"])).status, 200)
    squatter = f"squatter-{foldlog.run}@example.org"
    body = {"email": squatter, "password": "password of a squatter", "name": "Squatter"}
    foldlog.done(foldlog.anonymous("POST", "/v1/users", body, foldlog.key()))
    wait_until("the squatter is seen", lambda: foldlog.get(f"/v1/users?email={squatter}")["items"], FOLLOWS_S)
    with open(file, "w") as text:
        json.dump({"email": squatter, "password": "password of an administrator"}, text)
    done = foldlog.verb("admin")
    equal("who has registered the administrator's address is not made one", (done.returncode, "no administrator" in done.stderr),
          (4, True))
    equal("and keeps their own password", log_in(foldlog, squatter, "password of a squatter").status, 201)


def without_secrets(foldlog):
    for name in ("FOLDLOG_SECRET", "FOLDLOG_EMAIL_SECRET", "FOLDLOG_MASTER_KEY"):
        kept = foldlog.environment.pop(name)
        done = foldlog.verb("run")
        check(f"without {name} it does not start, and says why", done.returncode == 1 and
              name.removeprefix("FOLDLOG_").lower().replace("_", "-") in done.stderr, (done.returncode, done.stderr))
        foldlog.environment[name] = kept
    done = foldlog.verb("run", "--insecure-dev", "--bind=0.0.0.0")
    check("--insecure-dev only on loopback", done.returncode == 1 and "loopback" in done.stderr, done.stderr)


with System(sys.argv[1]) as foldlog:
    for story in (registering, registering_later, two_at_once, logging_in, tokens, going_on, logging_out, changing_the_password,
                  roles_and_status, profile, the_longest, erasing, erasing_by_the_operator, over_a_restart,
                  keys_not_read_yet, the_administrator,
                  without_secrets):
        story(foldlog)
keys_change(sys.argv[1])
finish()
