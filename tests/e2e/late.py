"""Calls to the payment provider that arrive when nobody waits for them any more: their process gave them up, or it died,
and another has given back what they were about. usage: late.py FOLDLOG"""
import http.client
import http.server
import re
import sys
import threading
import urllib.parse

from system import System, equal, finish, wait_until

CALL_MS, GIVE_UP_MS = 300, 4000


class Letterbox(http.server.ThreadingHTTPServer):
    """Before the provider. Calls whose path matches `kept` are kept and not answered, until deliver()."""
    daemon_threads = True

    def __init__(self, target):
        super().__init__(("127.0.0.1", 0), Caller)
        self.target, self.kept, self.letters = target, None, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def hand_on(self, method, path, key, body):
        line = http.client.HTTPConnection("127.0.0.1", self.target, timeout=10)
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        line.request(method, path, body, headers)
        answer = line.getresponse()
        answer = answer.status, answer.read()
        line.close()
        return answer

    def deliver(self):
        """All that was kept, in its order; how each was answered."""
        letters, self.letters = self.letters, []
        return [self.hand_on(*letter)[0] for letter in letters]


class Caller(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_any(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        letter = self.command, self.path, self.headers.get("idempotency-key"), body
        box, kept = self.server, self.server.kept
        if self.command == "POST" and kept and re.fullmatch(kept, self.path):
            box.letters.append(letter)
            self.rfile.read()  # until the caller goes
            self.close_connection = True
            return
        status, answer = box.hand_on(*letter)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_any

    def log_message(self, *_):
        pass


def charges(order_id):
    return [(c["status"], c["captured"], c["refunded"], c["voided"]) for c in foldlog.ledger().get(order_id, [])]


def cancelled(name, order_id, reason, wanted):
    order = foldlog.settled(order_id)
    equal(f"{name}: cancelled", (order["status"], order["phase"], order["reason"]), ("cancelled", "done", reason))
    equal(f"{name}: all is given back", charges(order_id), [wanted])


def arrives(name, order_id, statuses, wanted):
    """Whatever was kept back changes nothing."""
    answered = set(box.deliver())
    equal(f"{name}: how it is answered", answered, statuses)
    equal(f"{name}: nothing has moved", charges(order_id), [wanted])


def late_charge(name, meanwhile):
    """The provider never heard of it when it was asked. A charge that nobody knows would never be voided."""
    box.kept = "/charges"
    order_id = foldlog.order((sku, 2))
    meanwhile()
    foldlog.happened(order_id, "payment.void_requested.v1", 30)
    box.kept = None
    voided = ("voided", 0, 0, True)
    cancelled(name, order_id, "payment_failed", voided)
    arrives(name, order_id, {200}, voided)


def dies():
    wait_until("a charge on its way", lambda: box.letters, 10)
    foldlog.kill()
    foldlog.start()
    foldlog.client.forget()


def late_capture():
    """What is voided cannot be captured."""
    box.kept = "/charges/[^/]+/capture"
    order_id = foldlog.order((sku, 2))
    voided = ("voided", 0, 0, True)
    cancelled("a late capture", order_id, "payment_failed", voided)
    box.kept = None
    arrives("a late capture", order_id, {409}, voided)


def late_refund():
    """It is sent again under its key, and is the same refund."""
    order_id = foldlog.order((sku, 2))
    equal("a late refund: confirmed first", foldlog.settled(order_id)["status"], "confirmed")
    box.kept = "/charges/[^/]+/refund"
    foldlog.done(foldlog.cancel(order_id))
    wait_until("a refund on its way", lambda: box.letters, 10)
    box.kept = None
    foldlog.happened(order_id, "fulfilment.ended.v1")
    refunded = ("refunded", 2000, 2000, False)
    cancelled("a late refund", order_id, "customer_request", refunded)
    arrives("a late refund", order_id, {200}, refunded)


with System(sys.argv[1], payment_call_ms=CALL_MS, payment_give_up_ms=GIVE_UP_MS) as foldlog:
    box = Letterbox(foldlog.sandbox_port)
    sku = foldlog.product(20)
    foldlog.stop_well()
    foldlog.environment["FOLDLOG_PAYMENT_URL"] = f"http://127.0.0.1:{box.server_port}"
    foldlog.start()
    foldlog.client.forget()
    late_charge("a late charge", lambda: None)
    late_charge("a dead process's charge", dies)
    late_capture()
    late_refund()
finish()
