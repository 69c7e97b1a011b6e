"""A process that is cut off from Kafka does not hear of revocations: after half a minute it believes no token any more,
and says so, until it knows again. usage: cut_off.py FOLDLOG"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import network  # noqa: E402
from system import System, check, equal, finish, services, wait_until

LIMIT_S = 30  # REVOCATION_SILENCE_MS
PULSE_S = 5


def silence(foldlog):
    page = foldlog.admin.call("GET", "/metrics").raw.decode()
    return float(re.search(r"^foldlog_revocations_silence_seconds (\S+)$", page, re.M).group(1))


def readiness(foldlog):
    return foldlog.admin.call("GET", "/readyz").status


def me(foldlog):
    return foldlog.call_as(foldlog.buyer, "GET", f"/v1/users/{foldlog.buyer.id}")


def cut_off(foldlog, proxy):
    equal("as long as it hears, a token is believed", me(foldlog).status, 200)
    check("and it hears every few seconds", silence(foldlog) < PULSE_S + 3, silence(foldlog))
    began = time.monotonic()
    proxy.cut()
    time.sleep(LIMIT_S / 2)
    equal("a short silence changes nothing", me(foldlog).status, 200)
    refused = wait_until("no token is believed", lambda: (a := me(foldlog)).status != 200 and a, LIMIT_S)
    took = time.monotonic() - began
    check("after half a minute no token is believed", LIMIT_S - PULSE_S - 3 <= took <= LIMIT_S + 2, took)
    equal("which is a problem of ours: 503, and when to come back",
          (refused.status, refused.code(), refused.headers.get("content-type"), bool(refused.headers.get("retry-after"))),
          (503, "unavailable", "application/problem+json", True))
    wait_until("not ready", lambda: readiness(foldlog) == 503, 5)
    check("a metric tells for how long", silence(foldlog) >= LIMIT_S, silence(foldlog))
    equal("what anybody may read is still answered", foldlog.anonymous("GET", "/v1/products?limit=1").status, 200)


def back_again(foldlog, proxy):
    proxy.heal()
    wait_until("a token is believed again", lambda: me(foldlog).status == 200, 30)
    wait_until("ready again", lambda: readiness(foldlog) == 200, 60)
    wait_until("it hears every few seconds", lambda: silence(foldlog) < PULSE_S, 10)


proxy = network.KafkaLink(int(services()["KAFKA"].rsplit(":", 1)[1]))
with System(sys.argv[1], kafka=f"127.0.0.1:{proxy.port}") as foldlog:
    cut_off(foldlog, proxy)
    back_again(foldlog, proxy)
finish()
