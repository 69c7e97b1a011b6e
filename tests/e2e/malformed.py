"""Hundreds of requests that no client should send: each is refused with a problem, none reaches a topic.
usage: malformed.py FOLDLOG"""
import copy
import json
import re
import socket
import subprocess
import sys

from system import System, check, equal, finish

TOPICS = ["product.commands", "inventory.commands", "order.commands", "payment.commands"]


def ends(foldlog):
    """How many records the command topics hold."""
    out = subprocess.run(["kcat", "-b", foldlog.environment["FOLDLOG_KAFKA"], "-Q"] + sum(
        (["-t", f"{t}:{p}:-1"] for t in TOPICS for p in range(4)), []), capture_output=True, text=True, check=True).stdout
    return sorted(out.splitlines())


def paths_of(value, at=()):
    yield at
    if isinstance(value, dict):
        for k, v in value.items():
            yield from paths_of(v, at + (k,))
    elif isinstance(value, list):
        for i, v in enumerate(value):
            yield from paths_of(v, at + (i,))


def changed(body, path, value):
    if not path:
        return value
    body = copy.deepcopy(body)
    at = body
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return body


def without(body, path):
    body = copy.deepcopy(body)
    at = body
    for step in path[:-1]:
        at = at[step]
    del at[path[-1]]
    return body


WRONG = [None, True, 1.5, -1, 10**30, "", "x" * 5000, [], {}, [[]], {"a": 1}]
OPTIONAL = {("merchant_id",), ("shipping_address", "line2"), ("shipping_address", "postal_code"), ("expected_total",),
            ("reason",)}


def wrong_bodies(body, fits):
    """Every value of a good body replaced by everything it may not be, left out, and joined by a stranger."""
    for path in paths_of(body):
        for value in WRONG:
            if not fits(path, value):
                yield changed(body, path, value)
        if path and path not in OPTIONAL and isinstance(path[-1], str):
            yield without(body, path)
    yield body | {"stranger": 1}


def order_fits(path, value):
    text = isinstance(value, str) and value != ""
    name = path[-1] if path else None
    return (name == "payment_method" and text and len(value) <= 64) or (value == [] and False)


def bodies(foldlog, sku):
    product = {"sku": f"bad-{foldlog.run}", "name": "x", "price": {"amount": 1, "currency": "EUR"}}
    order = foldlog.order_body((sku, 1))
    price = {"amount": 5, "currency": "EUR"}
    yield from (("POST", "/v1/products", json.dumps(b)) for b in wrong_bodies(product, lambda p, v: p == ("name",) and v == "x"))
    yield from (("POST", "/v1/orders", json.dumps(b)) for b in wrong_bodies(order, order_fits))
    yield from (("PUT", f"/v1/products/{sku}/price", json.dumps(b)) for b in wrong_bodies(price, lambda p, v: False))
    yield from (("POST", f"/v1/inventory/{sku}/receipts", json.dumps(b))
                for b in wrong_bodies({"quantity": 1}, lambda p, v: False))
    yield from (("POST", f"/v1/inventory/{sku}/adjustments", json.dumps(b))
                for b in wrong_bodies({"quantity_change": 1, "reason": "x"}, lambda p, v: p == ("quantity_change",) and v == -1))
    good = json.dumps(order)
    for raw in (b"", b" ", b"null", b"[]", b"{", b"}", b"{}}", b"{,}", b'{"items"}', b'{"items":}', b"\xff\xfe",
                b"\xef\xbb\xbf" + good.encode(), good.encode() + b"x", good.encode()[:-1], b"[" * 64, b"{" * 64,
                b'{"a":' * 17 + b"1" + b"}" * 17, good.replace('"ok"', '"o\\u0000k"').encode(),
                good.replace('"ok"', '"o\\ud800k"').encode(), good.replace('"ok"', '"o\nk"').encode(),
                good.replace('"ok"', "'ok'").encode(), good.replace('"ok"', '"\\x41"').encode(),
                good.replace('{"items"', '{"items":[],"items"', 1).encode(), good.encode("utf-16"),
                good.replace('"quantity": 1', '"quantity": 01').encode(), good.replace('"quantity": 1', '"quantity": 1e0').encode(),
                good.replace('"quantity": 1', '"quantity": NaN').encode(), b"<order/>", b"a=b&c=d",
                good.replace('"ok"', '"\xc0\xaf"').encode("latin-1"), b"0" * 65537):
        yield "POST", "/v1/orders", raw


def heads(foldlog, sku):
    """(headers, method, path) with a good body."""
    good = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    for kind in ("text/plain", "application/xml", "application/json; charset=latin-1", "multipart/form-data", "json", ""):
        yield good | {"Content-Type": kind}, "POST", "/v1/orders"
    for key in ("", " ", "k" * 256, "a b", "\x7f", "\xe9"):
        yield good | {"Idempotency-Key": key}, "POST", "/v1/orders"
    for tag in ("1", '"x"', "W/\"1\"", '"-1"', '"1" "2"', '""', "x" * 100):
        yield good | {"If-Match": tag}, "PUT", f"/v1/products/{sku}/price"
    for position in ("x", "order", "order:", "order:1", "order:1:", "order:-1:5", "order:1:x", "order:1:2:3", ":1:2",
                     "order:64:1", "order:1:" + "9" * 30, ",".join(["order:1:1"] * 17)):
        yield good | {"Foldlog-Min-Position": position}, "POST", "/v1/orders"
    for method, path in (("POST", "/v1"), ("POST", "/v1/order"), ("POST", "/v1/orders/"), ("POST", "//v1/orders"),
                         ("POST", "/v1/orders/%00"), ("POST", "/v1/orders/%zz/cancellation"), ("PATCH", "/v1/orders"),
                         ("DELETE", "/v1/products"), ("PUT", "/v1/orders"), ("POST", "/v2/orders"),
                         ("POST", "/v1/orders/not-a-uuid/cancellation"), ("PUT", "/v1/products/bad sku/price".replace(" ", "%20")),
                         ("PUT", "/v1/products/-x/price"), ("POST", "/v1/inventory/" + "x" * 65 + "/receipts")):
        yield good, method, path


RAW = [
    b"GET\r\n\r\n", b"GET /v1/products\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"FOO /v1/orders HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length : 2\r\n\r\n{}",
    b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n{}",
    b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2x\r\n\r\n{}",
    b"POST http://x/v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/orders\x00x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/orders HTTP/9.9\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/orders HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
]


def raw_answer(foldlog, data):
    with socket.create_connection(("127.0.0.1", foldlog.port), timeout=20) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        got = b""
        while chunk := s.recv(65536):
            got += chunk
    return got


def is_refusal(answer):
    return 400 <= answer.status < 500 and is_problem(answer.headers.get("content-type"), answer.json, answer.status)


def is_problem(kind, body, status):
    return kind == "application/problem+json" and body["status"] == status and body["title"] and body["detail"] and \
        body["instance"].startswith("/") and re.fullmatch("[0-9a-f]{32}", body["trace_id"])


HEAD = b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: a\r\n"
# Refused before it is known what they ask for, and told as well as all others: (request, status).
EARLY = [
    (HEAD + b"Idempotency-Key: b\r\nContent-Length: 2\r\n\r\n{}", 400),
    (HEAD + b"content-type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 400),
    (HEAD + b'If-Match: "1"\r\nIf-Match: "2"\r\nContent-Length: 2\r\n\r\n{}', 400),
    (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (HEAD + b"Content-Length: 70000\r\n\r\n", 413),
    (HEAD + b"X: y\r\n" * 70 + b"Content-Length: 2\r\n\r\n{}", 431),
    (HEAD + b"X: " + b"y" * 9000 + b"\r\nContent-Length: 2\r\n\r\n{}", 431),
    (HEAD + b"X: " + b"y" * 16000 + b"\r\nContent-Length: 2\r\n\r\n{}", 431),
    (b"GET /v1/orders?status=" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
]


def is_early_refusal(got, status):
    head, _, body = got.partition(b"\r\n\r\n")
    kind = re.search(rb"\r\ncontent-type: ([^\r]*)", head, re.I)
    return head.startswith(b"HTTP/1.1 %d " % status) and kind and is_problem(kind[1].decode(), json.loads(body), status)


with System(sys.argv[1]) as foldlog:
    sku = foldlog.product(5)
    before, tried, taken = ends(foldlog), 0, []
    for method, path, body in bodies(foldlog, sku):
        raw = body if isinstance(body, bytes) else body.encode()
        answer = foldlog.client.call(method, path, key=foldlog.key(), raw=raw)
        tried += 1
        if not is_refusal(answer):
            taken.append((method, path, raw[:200], answer.status))
    check(f"{tried} bad bodies: each a problem of 4xx", not taken and tried >= 200, taken[:5])
    tried, taken = 0, []
    for headers, method, path in heads(foldlog, sku):
        try:
            answer = foldlog.client.call(method, path, headers=headers, raw=json.dumps(foldlog.order_body((sku, 1))).encode())
        except ValueError:  # Python itself will not send it
            continue
        tried += 1
        if not is_refusal(answer):
            taken.append((headers, method, path, answer.status, answer.raw[:200]))
    check(f"{tried} bad heads: each a problem of 4xx", not taken and tried >= 30, taken[:5])
    wrong = [(r, a[:60]) for r in RAW if (a := raw_answer(foldlog, r)) and not a.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4", b"HTTP/1.1 505"))]
    check(f"{len(RAW)} requests that are none: refused or cut off", not wrong, wrong)
    wrong = [(r[:200], got[:300]) for r, status in EARLY if not is_early_refusal(got := raw_answer(foldlog, r), status)]
    check(f"{len(EARLY)} requests refused early: problems like all others", not wrong, wrong)
    equal("nothing of it reached a topic", ends(foldlog), before)
finish()
