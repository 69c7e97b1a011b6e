"""Ports of this machine for the servers that a test starts."""
import os
import socket

# Below the ports that the system gives to outgoing connections (32768 and up), which come and go. Each process begins
# at another place, and gives no port twice.
FIRST, COUNT, STRIDE = 20000, 12000, 128
_given = 0


def _is_free(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_ports(count=1):
    """The first of so many free ports in a row."""
    global _given
    while _given < COUNT:
        first = FIRST + (os.getpid() * STRIDE + _given) % COUNT
        _given += count
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    raise SystemExit(f"no free port left from {FIRST} on")


def free_port():
    return free_ports(1)
