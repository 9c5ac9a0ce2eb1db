"""Puts load on a NATS server at a steady rate, as a child process: asked for in two lines of JSON.

The frames are made before the first is sent, and written to the socket as they are. What a busy server does
not take in time is sent late; when it was due is told.
"""

from __future__ import annotations

import gc
import socket
import sys
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec

from lineshaft.app.bench.telemetry.load import Load, Shape, births, make_load

__all__: list[str] = []

_EVERY_S = 0.001
_PAUSE_S = 1.0  # after births, so that they are taken when data begin


class _Server:
    """A connection that answers the server's pings meanwhile."""

    def __init__(self, url: str, user: str, password: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((str(address.hostname), address.port or 4222))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        about = {"verbose": False, "pedantic": False, "user": user, "pass": password, "name": "load"}
        self._socket.sendall(b"CONNECT %s\r\n" % msgspec.json.encode(about))
        self._writing = threading.Lock()
        self._ponged = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def write(self, frames: bytes | memoryview) -> None:
        with self._writing:
            self._socket.sendall(frames)

    def settle(self) -> None:
        """Returns when the server has taken all that was written."""
        self._ponged.clear()
        self.write(b"PING\r\n")
        self._ponged.wait()

    def _listen(self) -> None:
        for line in self._socket.makefile("rb"):
            if line.startswith(b"PING"):
                self.write(b"PONG\r\n")
            elif line.startswith(b"PONG"):
                self._ponged.set()
            elif line.startswith(b"-ERR"):
                print(f"the load is refused: {line.decode().strip()}", file=sys.stderr)


def _send(server: _Server, load: Load, rate: float) -> float:
    """Returns when the first message was sent, s since 1970."""
    size = max(round(rate * _EVERY_S), 1)
    chunks = load.chunks(size)
    server.settle()
    begun_at = time.time()
    for number, chunk in enumerate(chunks, start=1):  # each when its last message is due
        wait_s = begun_at + number * size / rate - time.time()
        if wait_s > 0:
            time.sleep(wait_s)
        server.write(chunk)
    server.settle()
    return begun_at


class _Asked(msgspec.Struct):
    """send: the load that was made; else one is made"""

    send: bool = False
    url: str = ""
    user: str = ""
    password: str = ""
    prefix: str = ""
    shape: Shape = Shape.SINGLE
    rate: float = 0.0
    seconds: float = 0.0
    from_ms: int = 0


def _serve() -> None:
    gc.disable()
    server: _Server | None = None
    made, load, before = _Asked(), Load(b"", [], []), 0
    while line := sys.stdin.readline():
        asked = msgspec.json.decode(line, type=_Asked)
        answer: dict[str, Any] = {}
        if not asked.send:
            made = asked
            load = make_load(made.shape, made.prefix, made.rate, made.seconds, made.from_ms, before=before)
            server = server or _Server(made.url, made.user, made.password)
        elif server is not None:
            if made.shape is Shape.SPARKPLUG and not before:
                server.write(births(made.prefix, made.from_ms - 1))
                time.sleep(_PAUSE_S)
            before += len(load.ends)
            answer = {"begun_at": _send(server, load, made.rate), "breaches": load.breaches}
        print(msgspec.json.encode(answer).decode(), flush=True)


if __name__ == "__main__":
    _serve()
