"""One Foldlog in four processes, as containers would run it: a gateway, two groups of services, a saga.
usage: split.py FOLDLOG"""
import http.client
import json
import os
import subprocess
import sys
import time

from system import Client, System, agrees, check, equal, finish, free_port, stock_complaint, wait_until

SERVICES = {"product": "catalogue", "inventory": "catalogue", "order": "sales", "payment": "sales", "user": "sales",
            "fulfilment": "saga"}


class Split(System):
    """The process of System is the gateway; the others are started before it."""

    ROLES = {
        "catalogue": ["--roles=api,commands,projections,publisher", "--services=product,inventory"],
        "sales": ["--roles=api,commands,projections,effects,publisher", "--services=order,payment,user"],
        "saga": ["--roles=api,saga,projections,publisher", "--services=fulfilment"],
    }

    def __init__(self, binary):
        super().__init__(binary, log_level="debug")
        self.ports = {name: (free_port(), free_port()) for name in self.ROLES}
        self.others = {}
        for service, name in SERVICES.items():
            self.environment[f"FOLDLOG_{service.upper()}_API"] = f"http://127.0.0.1:{self.ports[name][0]}"

    def start_other(self, name):
        port, admin = self.ports[name]
        environment = self.environment | {"FOLDLOG_PORT": str(port), "FOLDLOG_ADMIN_PORT": str(admin),
                                          "FOLDLOG_INSTANCE": f"{self.name}-{name}"}
        with open(f"{self.name}-{name}.log", "a") as log:
            self.others[name] = subprocess.Popen([self.binary, "run", *self.ROLES[name]],
                                                 env=environment, stdout=log, stderr=log)

    def other_ready(self, name):
        if self.others[name].poll() is not None:
            raise SystemExit(f"FAIL  {name} ended with {self.others[name].returncode}, see {self.name}-{name}.log")
        try:
            return Client(self.ports[name][1]).call("GET", "/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def start(self):
        for name in self.ROLES:
            self.start_other(name)
        for name in self.ROLES:
            wait_until(f"{name} ready", lambda n=name: self.other_ready(n), 60)
        self.environment["FOLDLOG_ROLES"] = "gateway"
        super().start()

    def __exit__(self, kind, value, trace):
        super().__exit__(kind, value, trace)
        for name, process in self.others.items():
            process.terminate()
        for name, process in self.others.items():
            code = process.wait(20)
            check(f"{name}: SIGTERM ends it with 0", code == 0 or kind, code)


def through_the_gateway(foldlog):
    lamp = foldlog.product(5, 4900)
    body, key = foldlog.order_body((lamp, 2)), foldlog.key()
    made = foldlog.done(foldlog.post("/v1/orders", body, key))
    equal("an order through the gateway is created", made.status, 201)
    equal("Location names it", made.headers.get("location"), f"/v1/orders/{made['id']}")
    check("with position and tag", made.headers.get("foldlog-position") and made.headers.get("etag"), made.headers)
    again = foldlog.post("/v1/orders", body, key)
    equal("a repeat gets the same answer", (again.status, again.raw, again.headers.get("idempotent-replayed")),
          (201, made.raw, "true"))
    equal("and ends confirmed", foldlog.settled(made["id"])["status"], "confirmed")
    equal("stock tells the same", agrees(lambda: stock_complaint(foldlog, lamp, committed=2)), None)
    check("its timeline is whole", foldlog.happened(made["id"], "fulfilment.completed.v1"))
    page = foldlog.done(foldlog.get(f"/v1/products?q={lamp}&limit=1"))
    equal("parameters are handed on", [p["sku"] for p in page["items"]], [lamp])
    wrong = foldlog.post("/v1/orders", foldlog.order_body((lamp, 0)))
    equal("problems come back as they are", (wrong.status, wrong.pointers()), (422, ["/items/0/quantity"]))
    later = foldlog.post("/v1/orders", body, Prefer="respond-async")
    equal("Prefer is handed on", (later.status, later.headers.get("preference-applied")), (202, "respond-async"))
    seen = foldlog.get(f"/v1/products/{lamp}", Foldlog_Min_Position=made.headers["foldlog-position"])
    equal("so is a position", seen.status, 200)
    return lamp


FOLLOWED = {  # what each process tells of an order whose payment has to be asked for twice
    "": {("debug", "answered")},
    "catalogue": {("debug", "decides"), ("debug", "published")},
    "sales": {("debug", "answered"), ("debug", "decides"), ("debug", "effect_calls"), ("info", "effect_retries"),
              ("debug", "effect_answered"), ("debug", "folded"), ("debug", "published")},
    "saga": {("debug", "decides"), ("debug", "folded"), ("debug", "published")},
}


def lines_of(foldlog, name, trace):
    with open(f"{foldlog.name}{'-' if name else ''}{name}.log", encoding="utf-8") as log:
        return [line for line in map(json.loads, log) if line.get("trace_id") == trace]


def commands_are_found(foldlog, lamp):
    """Whose a command is, its id does not say: the services are asked one after the other."""
    price = foldlog.done(foldlog.put(f"/v1/products/{lamp}/price", {"amount": 5000, "currency": "EUR"}))
    order = foldlog.done(foldlog.post("/v1/orders", foldlog.order_body((lamp, 1))))
    for made, who in ((price, foldlog.boss), (order, foldlog.buyer)):
        path, position = f"/v1/commands/{made['command_id']}", made.headers["foldlog-position"]
        service = position.split(":")[0]
        wanted = (200, "accepted", position)
        for asked in (path, f"{path}?at={position}"):
            def wrong(target=asked, person=who, right=wanted):
                got = foldlog.call_as(person, "GET", target)
                got = (got.status, got.get("status"), got.get("position"))
                return None if got == right else got
            left = agrees(wrong)
            check(f"a command of {service} is found{' by its position' if '?' in asked else ''}", not left, left)
        other = foldlog.call_as(foldlog.buyer if who is foldlog.boss else foldlog.boss, "GET", path)
        equal(f"that of {service} by whoever may see it", other.status, 404 if who is foldlog.boss else 200)
    nobody = "00000000-0000-4000-8000-00000000000"
    equal("nobody's: 404", foldlog.get(f"/v1/commands/{nobody}1").status, 404)
    for at in ("x", "nobody:0:0", "order:0", "order:99:0"):
        equal(f"?at={at}: 400", foldlog.get(f"/v1/commands/{nobody}2?at={at}").status, 400)
    equal("one that is still to come is pending", foldlog.get(f"/v1/commands/{nobody}3?at=product:0:999999999")["status"],
          "pending")


def a_trace_is_followed(foldlog):
    lamp, trace = foldlog.product(1), os.urandom(16).hex()
    made = foldlog.done(foldlog.post("/v1/orders", foldlog.order_body((lamp, 1), method="error:1"),
                                     traceparent=f"00-{trace}-{os.urandom(8).hex()}-01"))
    equal("an order with a trace is made", foldlog.settled(made["id"])["status"], "confirmed")
    for name, wanted in FOLLOWED.items():
        def missing(process=name, facts=wanted):
            return facts - {(line["level"], line["fact"]) for line in lines_of(foldlog, process, trace)}
        left = agrees(missing)
        check(f"its trace is in the log lines of {name or 'the gateway'}", not left, left)
    routes = {line["route"] for line in lines_of(foldlog, "", trace)}
    equal("and of this request alone", routes, {"/v1/orders"})


def services_believe_gateways_only(foldlog, lamp):
    direct = Client(foldlog.ports["catalogue"][0])
    equal("a service's port without a principal: 401", direct.call("GET", f"/v1/products/{lamp}").status, 401)
    forged = f"{int(time.time()) + 20}.7.{'.'.join(3 * ['00000000-0000-4000-8000-000000000001'])}.{'0' * 64}"
    equal("with a forged one: 401",
          direct.call("GET", f"/v1/products/{lamp}", headers={"Foldlog-Principal": forged}).status, 401)


def a_service_that_is_away(foldlog, lamp):
    foldlog.others["catalogue"].kill()
    foldlog.others["catalogue"].wait()
    away = foldlog.get(f"/v1/products/{lamp}")
    equal("what is away: 503 and when to come back", (away.status, away.code(), bool(away.headers.get("retry-after"))),
          (503, "unavailable", True))
    order = foldlog.done(foldlog.post("/v1/orders", foldlog.order_body((lamp, 1))))
    equal("orders are still taken", order.status, 201)
    foldlog.start_other("catalogue")
    wait_until("catalogue ready", lambda: foldlog.other_ready("catalogue"), 60)
    equal("and made when it is back", foldlog.settled(order["id"], 60)["status"], "confirmed")


with Split(sys.argv[1]) as foldlog:
    lamp = through_the_gateway(foldlog)
    commands_are_found(foldlog, foldlog.product(5, 4900))
    a_trace_is_followed(foldlog)
    services_believe_gateways_only(foldlog, lamp)
    a_service_that_is_away(foldlog, lamp)
finish()
