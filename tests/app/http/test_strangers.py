"""A node on a hostile network: each attack gets a clean refusal or a closed connection, and it goes on."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import pytest

from lineshaft.app.web_protocol import HEAD_S
from tests.app.http.running import HttpNode
from tests.waiting import PATIENCE_S

HIDDEN = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""A second request, which must not come out of the body of the first."""


def raw(node: HttpNode, sent: bytes) -> bytes:
    """All that comes back until the node closes the connection, which it is asked to do."""
    got = b""
    with socket.create_connection(("127.0.0.1", node.port), timeout=PATIENCE_S) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        with suppress(ConnectionError):
            while part := connection.recv(65536):
                got += part
    return got


def statuses(got: bytes) -> list[int]:
    return [int(each) for each in re.findall(rb"^HTTP/1\.1 ([0-9]{3}) ", got, flags=re.MULTILINE)]


def head(node: HttpNode, line: str, *more: str) -> bytes:
    """With the key of an administrator: nothing is kept from getting further by being unknown."""
    lines = [line, "Host: localhost", "Connection: close", f"Authorization: Bearer {node.keys['admin']}"]
    return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode("latin-1")


def post(node: HttpNode, body: bytes, **headers: str) -> tuple[int, str]:
    """Status and code of what is answered to an event."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    sent = {"Content-Type": "application/cloudevents+json"} | node.key("admin")
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST", "/api/events", body, sent)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told.get("code", "")


@pytest.fixture(autouse=True)
def goes_on(node: HttpNode) -> object:
    """After each attack the same process answers, in no more memory than an attack may take."""
    process = psutil.Process(node.product.pid)
    before = process.memory_info().rss
    yield
    assert statuses(raw(node, head(node, "GET /api/v1/orders HTTP/1.1"))) == [200]
    assert process.memory_info().rss - before < 64 * 2**20
    assert "Traceback" not in node.product.log_path.read_text()


FRAMING = {
    "length and chunks": ("Content-Length: 5", "Transfer-Encoding: chunked"),
    "chunks and length": ("Transfer-Encoding: chunked", "Content-Length: 5"),
    "two lengths": ("Content-Length: 2", "Content-Length: 40"),
    "the same length twice": ("Content-Length: 5", "Content-Length: 5"),
    "a list of lengths": ("Content-Length: 5, 5",),
    "a signed length": ("Content-Length: +5",),
    "a negative length": ("Content-Length: -5",),
    "a length beyond every integer": ("Content-Length: 99999999999999999999999",),
    "a coding that is none": ("Transfer-Encoding: xchunked",),
    "chunks inside another coding": ("Transfer-Encoding: chunked, identity",),
    "a blank before the colon": ("Transfer-Encoding : chunked",),
    "two codings": ("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    "a folded line": ("X-A: a", " Content-Length: 5"),
    "a bare CR": ("X-A: a\rContent-Length: 5",),
    "a null byte": ("X-A: a\0b",),
}


@pytest.mark.parametrize("headers", FRAMING.values(), ids=FRAMING)
def test_framing_that_two_servers_could_read_differently(node: HttpNode, headers: tuple[str, ...]) -> None:
    sent = head(node, "POST /api/events HTTP/1.1", "Content-Type: application/json", *headers)
    got = raw(node, sent + b"0\r\n\r\n" + HIDDEN)
    assert statuses(got) == [400]
    assert b"application/problem+json" in got


@pytest.mark.parametrize(
    "name", ["Host: evil.example", "Authorization: Bearer x", "Content-Type: text/plain"]
)
def test_what_may_be_said_once(node: HttpNode, name: str) -> None:
    sent = head(node, "GET /api/v1/orders HTTP/1.1", "Content-Type: application/json", name)
    assert statuses(raw(node, sent)) == [400]


LINES = {
    "CONNECT evil.example:80 HTTP/1.1": 400,
    "FOO /health HTTP/1.1": 400,
    "PRI * HTTP/2.0": 400,
    "GET /hea\0lth HTTP/1.1": 400,
    "GET /api/v1/orders/a\xff\xfe/status HTTP/1.1": 400,
    "GET /api/v1/orders/a%ff%fe/status HTTP/1.1": 400,
    "GET /api/v1/orders/a%00b/status HTTP/1.1": 400,
    "GET /api/v1/orders/a%0d%0aX-A:%20b/status HTTP/1.1": 400,
    "GET /api/v1/orders?state=%ff HTTP/1.1": 400,
    "GET /api/v1/orders?state=a%00b HTTP/1.1": 400,
    "GET /api/v1/orders?state=a&state=b HTTP/1.1": 400,
    "GET /api/v1/orders?limit=1e9 HTTP/1.1": 422,
    f"GET /api/v1/orders?state={'a' * 60_000} HTTP/1.1": 422,
    f"GET /api/v1/orders?{'a=b&' * 15_000} HTTP/1.1": 400,
    f"GET /{'a' * 1_000_000} HTTP/1.1": 431,
    "GET /static/../../lineshaft.yaml HTTP/1.1": 404,
    "GET /static/..%2f..%2flineshaft.yaml HTTP/1.1": 404,
    "OPTIONS * HTTP/1.1": 404,
    "OPTIONS /api/v1/orders HTTP/1.1": 405,
    "TRACE /health HTTP/1.1": 405,
    "DELETE /api/v1/orders HTTP/1.1": 405,
}


@pytest.mark.parametrize(("line", "status"), LINES.items(), ids=lambda each: str(each)[:50])
def test_request_lines(node: HttpNode, line: str, status: int) -> None:
    assert statuses(raw(node, head(node, line))) == [status]


def test_another_name_of_this_machine(node: HttpNode) -> None:
    """A web site that points a name of its own here learns nothing."""
    for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example"):
        assert statuses(
            raw(node, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        ) == [421]


def test_no_websocket_is_opened(node: HttpNode) -> None:
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    sent = head(
        node,
        "GET /health HTTP/1.1",
        "Connection: close, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    )
    assert statuses(raw(node, sent)) == [200]


@pytest.mark.parametrize("count", [101, 20_000])
def test_more_headers_than_anybody_needs(node: HttpNode, count: int) -> None:
    got = raw(node, head(node, "GET /health HTTP/1.1", *(f"X-{number}: a" for number in range(count))))
    assert statuses(got) == [431]


def test_a_head_without_end(node: HttpNode) -> None:
    """It is refused while it comes, not kept: this one would be 200 MB."""
    sent = 0
    with socket.create_connection(("127.0.0.1", node.port), timeout=60) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        with suppress(ConnectionError):
            while sent < 200:
                connection.sendall(b"X-A: aaaaaaaaaaaaaaaaaaaaaaa\r\n" * 36_000)
                sent += 1
    assert sent < 20


def test_who_never_comes_to_an_end_is_left(node: HttpNode) -> None:
    """All at once: nothing sent, a head that drips, a body that drips, and one that nobody reads."""
    starts = [
        b"",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ",
        head(node, "POST /api/events HTTP/1.1", "Content-Type: application/json", "Content-Length: 9999"),
        b"POST /api/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\n",
    ]
    with ThreadPoolExecutor() as threads:
        took = list(threads.map(lambda start: _drip(node, start), starts))
    (_, nothing), (_, in_head), (_, in_body), (_, unread) = took
    assert (statuses(nothing), statuses(in_head)) == ([], [])
    assert statuses(in_body) == [408]
    assert statuses(unread) == [401]
    assert max(seconds for seconds, _ in took) < HEAD_S + 60


def _drip(node: HttpNode, start: bytes) -> tuple[float, bytes]:
    """A byte each fifth of a second, if there is a start, until the node has had enough."""
    began, got = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", node.port)) as connection:
        connection.settimeout(0.2)
        connection.sendall(start)
        while time.monotonic() < began + HEAD_S + 60:
            try:
                part = connection.recv(65536)
                if not part:
                    break
                got += part
            except TimeoutError:
                with suppress(ConnectionError):
                    connection.sendall(b"a" if start else b"")
            except ConnectionError:
                break
    return time.monotonic() - began, got


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_of_100_mib(node: HttpNode, known: bool, announced: bool) -> None:
    """A key gets 413; who has none is refused before anything is read."""
    said = f"Content-Length: {100 * 2**20}" if announced else "Transfer-Encoding: chunked"
    line = "POST /api/events HTTP/1.1"
    start = (
        head(node, line, "Content-Type: application/json", said)
        if known
        else f"{line}\r\nHost: localhost\r\nConnection: close\r\n{said}\r\n\r\n".encode()
    )
    part = b"a" * 2**20 if announced else b"100000\r\n" + b"a" * 2**20 + b"\r\n"
    got, sent = b"", 0
    with socket.create_connection(("127.0.0.1", node.port), timeout=60) as connection:
        connection.sendall(start)
        with suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(part)
                sent += 1
        with suppress(ConnectionError):
            got = connection.recv(65536)
    assert sent < 50
    assert not got or statuses(got) == [413 if known else 401]


EVENT = b'{"specversion":"1.0","id":"1","type":"x","source":"/a","data":%s}'
BODIES = {
    "nested 100,000 deep": (EVENT % (b"[" * 100_000 + b"]" * 100_000), 400),
    "nested 500,000 objects deep": (b'{"a":' * 100_000, 400),
    "a member twice": (EVENT % b'{"a":1,"a":2}', 400),
    "an attribute twice": (b'{"id":"1",' + EVENT[1:] % b"{}", 400),
    "a number of a million digits": (EVENT % (b"1" * 1_000_000), 400),
    "a number beyond every float": (EVENT % b"1e999999999", 400),
    "no number": (EVENT % b"NaN", 400),
    "no UTF-8": (EVENT % b'"\xff\xfe"', 400),
    "half a surrogate": (EVENT % b'"\\ud800"', 400),
    "UTF-16": ('{"a":1}'.encode("utf-16"), 400),
    "a null byte": (EVENT % b'"\0"', 400),
    "members without end": (b"{" + b",".join(b'"%d":1' % each for each in range(90_000)) + b"}", 400),
    "nothing": (b"", 400),
    "a megabyte and a bit": (b" " * (2**20 + 1), 413),
}


@pytest.mark.parametrize(("body", "status"), BODIES.values(), ids=BODIES)
def test_bodies(node: HttpNode, body: bytes, status: int) -> None:
    assert post(node, body)[0] == status


@pytest.mark.parametrize("layers", [1, 2])
def test_a_compressed_bomb(node: HttpNode, layers: int) -> None:
    body = b"[" + b" " * 50 * 2**20 + b"]" if layers == 1 else gzip.compress(b" " * 2**20)
    assert post(node, gzip.compress(body), Content_Encoding="gzip")[0] == (413 if layers == 1 else 400)


def test_codings_that_are_not_read(node: HttpNode) -> None:
    assert post(node, b"{}", Content_Encoding="br") == (415, "unknown_encoding")
    assert post(node, b"{}", Content_Encoding="gzip, gzip") == (415, "unknown_encoding")
    assert post(node, b"no gzip", Content_Encoding="gzip") == (400, "unsound_body")


def test_xml_is_read_nowhere(node: HttpNode) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'
    assert post(node, bomb, Content_Type="application/xml") == (415, "media_type_not_read")


def test_hundreds_of_connections_that_say_nothing(node: HttpNode) -> None:
    idle = [socket.create_connection(("127.0.0.1", node.port)) for _ in range(400)]
    try:
        assert statuses(raw(node, head(node, "GET /api/v1/orders HTTP/1.1"))) == [200]
    finally:
        for each in idle:
            each.close()
