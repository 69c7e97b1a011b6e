"""Who may do what: every route of the table, asked by every role, for what is the asker's own and for what is somebody
else's. The expectation is made from `foldlog routes --json`; a route this file has no request for fails.
usage: matrix.py FOLDLOG"""
import json
import sys

from system import System, check, equal, finish, wait_until

ROLES = {"customer": ["customer"], "merchant": ["merchant"], "admin": ["admin"]}
ALLOWED = (200, 201, 202, 204, 409)  # 409: allowed, but the thing is not in the state for it
NEW_PASSWORD = {"current_password": "wrong", "new_password": "another password"}


class Shop:
    """What each asker owns, and what belongs to others."""

    def __init__(self, foldlog):
        self.foldlog = foldlog
        self.people = {role: foldlog.person(role, roles) for role, roles in ROLES.items()}
        self.other_customer = foldlog.person("other")
        self.other_merchant = foldlog.person("rival", ["customer", "merchant"])
        self.sku, self.other_sku = self.product(self.people["merchant"]), self.product(self.other_merchant)
        self.order, self.other_order = self.place(self.people["customer"]), self.place(self.other_customer)
        self.payment, self.other_payment = self.payment_of(self.order), self.payment_of(self.other_order)
        self.command, self.other_command = (o["command_id"] for o in (self.order, self.other_order))

    def product(self, merchant):
        sku = f"matrix-{merchant.id[:13]}"
        f = self.foldlog
        f.done(f.call_as(merchant, "POST", "/v1/products", {"sku": sku, "name": "x",
                                                           "price": {"amount": 100, "currency": "EUR"}}))
        f.done(f.call_as(merchant, "POST", f"/v1/inventory/{sku}/receipts", {"quantity": 100}))
        return sku

    def place(self, customer, sku=None):
        f = self.foldlog
        made = f.done(f.call_as(customer, "POST", "/v1/orders", f.order_body((sku or self.sku, 1))))
        wait_until("the order rests", lambda: f.call_as(customer, "GET", f"/v1/orders/{made['id']}").get("phase") ==
                   "done", 30)
        return made

    def payment_of(self, order):
        return wait_until("payment", lambda: self.foldlog.call_as(
            self.foldlog.boss, "GET", f"/v1/payments?order_id={order['id']}")["items"], 10)[0]["id"]


def requests(shop, asker, role, own):
    """{(method, template): (path, body)} for what is the asker's own, or somebody else's. Of what somebody owns, a third
    member says whether this role can own it."""
    f = shop.foldlog
    customer, merchant = role == "customer", role == "merchant"
    order = shop.order["id"] if own else shop.other_order["id"]
    sku = shop.sku if own else shop.other_sku
    # What others may not ship: an order without anything of theirs.
    shipped = shop.order["id"] if own else shop.foreign_to_merchant["id"]
    user = asker if own else shop.other_customer
    payment = shop.payment if own else shop.other_payment
    command = shop.command if own else shop.other_command
    price, place = {"amount": 100, "currency": "EUR"}, f.order_body((shop.sku, 1))
    new_sku = f"new-{role}-{own}-{f.run}"
    new = f"new-{role}-{own}-{f.run}@example.org"
    return {
        ("GET", "/.well-known/jwks.json"): ("/.well-known/jwks.json", None),
        ("POST", "/oauth2/token"): ("/oauth2/token", {"grant_type": "x"}),
        ("GET", "/v1/commands/{id}"): (f"/v1/commands/{command}", None, customer),
        ("GET", "/v1/inventory"): ("/v1/inventory", None),
        ("GET", "/v1/inventory/{sku}"): (f"/v1/inventory/{sku}", None, merchant),
        ("GET", "/v1/inventory/{sku}/movements"): (f"/v1/inventory/{sku}/movements", None, merchant),
        ("POST", "/v1/inventory/{sku}/adjustments"): (f"/v1/inventory/{sku}/adjustments",
                                                      {"quantity_change": 1, "reason": "found"}, merchant),
        ("POST", "/v1/inventory/{sku}/receipts"): (f"/v1/inventory/{sku}/receipts", {"quantity": 1}, merchant),
        ("GET", "/v1/orders"): ("/v1/orders", None),
        ("POST", "/v1/orders"): ("/v1/orders", place),
        ("GET", "/v1/orders/{id}"): (f"/v1/orders/{order}", None, customer),
        ("GET", "/v1/orders/{id}/timeline"): (f"/v1/orders/{order}/timeline", None, customer),
        ("POST", "/v1/orders/{id}/cancellation"): (f"/v1/orders/{order}/cancellation", {}, customer),
        ("POST", "/v1/orders/{id}/shipments"): (f"/v1/orders/{shipped}/shipments",
                                                {"carrier": "x", "tracking": "y"}, merchant),
        ("POST", "/v1/orders/{id}/deliveries"): (f"/v1/orders/{shipped}/deliveries", {}, merchant),
        ("GET", "/v1/payments"): (f"/v1/payments?order_id={order}", None),
        ("GET", "/v1/payments/{id}"): (f"/v1/payments/{payment}", None, customer),
        ("GET", "/v1/products"): ("/v1/products", None),
        ("POST", "/v1/products"): ("/v1/products", {"sku": new_sku, "name": "x", "price": price}),
        ("GET", "/v1/products/{sku}"): (f"/v1/products/{sku}", None),
        ("PUT", "/v1/products/{sku}/price"): (f"/v1/products/{sku}/price", price, merchant),
        ("PUT", "/v1/products/{sku}/status"): (f"/v1/products/{sku}/status", {"status": "active"}, merchant),
        ("POST", "/v1/sessions"): ("/v1/sessions", {"email": "nobody@example.org", "password": "x"}),
        ("DELETE", "/v1/sessions/current"): ("/v1/sessions/current", None),
        ("GET", "/v1/users"): (f"/v1/users?email={new}", None),
        ("POST", "/v1/users"): ("/v1/users", {"email": new, "password": "a password", "name": "x"}),
        ("GET", "/v1/users/{id}"): (f"/v1/users/{user.id}", None, True),
        ("PATCH", "/v1/users/{id}"): (f"/v1/users/{user.id}", {"name": "x"}, True),
        ("PUT", "/v1/users/{id}/password"): (f"/v1/users/{user.id}/password",
                                             NEW_PASSWORD | {"current_password": asker.password}, True),
        ("PUT", "/v1/users/{id}/roles"): (f"/v1/users/{user.id}/roles", {"roles": ROLES.get(role, ["customer"])}),
        ("PUT", "/v1/users/{id}/status"): (f"/v1/users/{user.id}/status", {"status": "active"}),
        ("DELETE", "/v1/users/{id}"): (f"/v1/users/{user.id}", None, True),
    }


# Routes after which the asker or what was asked for is another: asked last, in this order.
LAST = [("PUT", "/v1/users/{id}/password"), ("PUT", "/v1/users/{id}/roles"), ("PUT", "/v1/users/{id}/status"),
        ("DELETE", "/v1/sessions/current"), ("DELETE", "/v1/users/{id}")]


def expected(route, role, mine):
    """Statuses that are right, by the table and by ownership alone. mine: None where nobody owns anything."""
    if "anyone" in route["roles"]:
        return None  # whatever it is, it is no matter of roles
    if role == "nobody":
        return (401,)
    if role not in route["roles"].split(","):
        return (403,)
    return ALLOWED if role == "admin" or mine is not False else (404,)


def ask(shop, role, asker, own, routes):
    foldlog, wrong, asked = shop.foldlog, [], 0
    table = {(r["method"], r["path"]): r for r in routes}
    wanted = requests(shop, asker or shop.people["customer"], role, own)
    order = [k for k in table if k not in LAST] + [k for k in LAST if k in table]
    for key in order:
        if key not in wanted:
            wrong.append(f"{key}: the matrix has no request for this route")
            continue
        path, body, *owns = wanted[key]
        right = expected(table[key], role, own and owns[0] if owns else None)
        if asker and role != "nobody":
            asker.tokens = None  # what was asked before may have ended the session
        bearer = asker.bearer() if asker and role != "nobody" else None
        answer = foldlog.client.call(key[0], path, body, None if key[0] == "GET" else foldlog.key(),
                                     {"Authorization": bearer})
        asked += 1
        if right is None:
            good = answer.status not in (403, 404, 405, 500) and (answer.status != 401 or key[1] == "/v1/sessions")
        else:
            good = answer.status in right
        if key == ("GET", "/v1/payments") and role == "customer" and not own:
            good = good and answer["items"] == []
        if key == ("PUT", "/v1/users/{id}/password") and answer.status == 200 and own:
            asker.password = NEW_PASSWORD["new_password"]
        if not good:
            wrong.append(f"{key} {path}: {answer.status} {answer.code()}, wanted {right}")
    check(f"{role}, {'own' if own else 'foreign'}: {asked} routes answer as the table says", not wrong, wrong)
    return asked


with System(sys.argv[1]) as foldlog:
    routes = json.loads(foldlog.must("routes", "--json"))
    check("no route is without roles", all(r["roles"] for r in routes), routes)
    shop = Shop(foldlog)
    shop.foreign_to_merchant = shop.place(shop.other_customer, shop.other_sku)
    asked = 0
    for role in ("nobody", "customer", "merchant", "admin"):
        for own in (False, True):  # their own last: that is erased
            asked += ask(shop, role, shop.people.get(role), own, routes)
    for filter_by in (shop.other_customer.id, shop.people["merchant"].id):
        answer = foldlog.call_as(foldlog.buyer, "GET", f"/v1/orders?customer_id={filter_by}")
        equal("nobody lists somebody else's orders: 404", answer.status, 404)
    equal("the matrix is whole", asked, 8 * len(routes))
finish()
