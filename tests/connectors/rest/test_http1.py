"""What comes over a connection, byte by byte, and what the client makes of it."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator

import httptools
import pytest

from lineshaft.connectors.rest import http1
from lineshaft.connectors.rest.http1 import (
    Answer,
    Connections,
    LostAnswer,
    Progress,
    TooLong,
    Unsendable,
    request_head,
)
from tests.certificates import Authority
from tests.waiting import until

LIMIT = 1000
DONE = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"
NOT_ENCODED = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"
CLOSE = b""


class Wire:
    """A server that answers each request head with the next list of pieces; CLOSE ends a connection."""

    def __init__(self) -> None:
        self.answers: list[list[bytes]] = []
        self.heads: list[bytes] = []
        self.opened = 0
        self.asked = asyncio.Event()
        self.closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                self.asked.set()
                for piece in self.answers.pop(0) if self.answers else []:
                    if piece == CLOSE:
                        return
                    writer.write(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.closed.set()


@pytest.fixture
async def wire() -> AsyncIterator[tuple[Wire, Connections]]:
    served = Wire()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connections = Connections("127.0.0.1", port, None, limit=4, max_answer_bytes=LIMIT)
    yield served, connections
    connections.close()
    server.close()


async def ask(connections: Connections) -> Answer:
    async with asyncio.timeout(60):
        return await connections.exchange(request_head("GET", "/", {"Host": "h"}), Progress())


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        ([DONE], 201, b"{}"),
        ([bytes([each]) for each in DONE], 201, b"{}"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n"],
            200,
            b"[1]",
        ),
        ([b"HTTP/1.1 200 OK\r\n\r\n", b"until ", b"the end", CLOSE], 200, b"until the end"),
        ([b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1"], 200, b"1"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", DONE], 201, b"{}"),
        ([b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + DONE], 201, b"{}"),
        ([b"HTTP/1.1 409 Conflict\r\nContent-Length: 9\r\n\r\n{", CLOSE], 409, b""),
        ([b"HTTP/1.1 503 Busy\r\nRetry-After: 3\r\nContent-Length: 9\r\n\r\n", CLOSE], 503, b""),
    ],
)
async def test_an_answer(wire, sent: list[bytes], status: int, body: bytes) -> None:
    served, connections = wire
    served.answers = [sent]
    answer = await ask(connections)
    assert (answer.status, answer.body) == (status, body)
    assert "link" not in answer.headers


async def test_a_packed_answer_is_unpacked(wire) -> None:
    served, connections = wire
    packed = gzip.compress(b"[" + b"1," * 100 + b"1]")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    served.answers = [[head, packed[:10], packed[10:]]]
    assert (await ask(connections)).body == b"[" + b"1," * 100 + b"1]"


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        ([CLOSE], LostAnswer),
        ([b"HTTP/1.1 200 OK\r\nContent-Len", CLOSE], LostAnswer),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", CLOSE], LostAnswer),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", CLOSE], LostAnswer),
        ([b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], LostAnswer),
        (
            [b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", CLOSE],
            LostAnswer,
        ),
        ([NOT_ENCODED], LostAnswer),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000], TooLong),
        ([b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000], TooLong),
    ],
)
async def test_no_answer(wire, sent: list[bytes], fault: type[Exception]) -> None:
    served, connections = wire
    served.answers = [sent]
    with pytest.raises(fault):
        await ask(connections)
    served.answers = [[DONE]]
    assert (await ask(connections)).status == 201
    assert served.opened == 2


async def test_a_small_packet_that_unpacks_to_a_large_body_is_not_unpacked(wire) -> None:
    served, connections = wire
    packed = gzip.compress(b"x" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    served.answers = [[head, packed]]
    with pytest.raises(TooLong):
        await ask(connections)


async def test_a_connection_is_kept(wire) -> None:
    served, connections = wire
    for _ in range(3):
        served.answers = [[DONE]]
        await ask(connections)
    assert (served.opened, len(served.heads)) == (1, 3)


@pytest.mark.parametrize(
    "last",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        DONE + DONE,
    ],
)
async def test_a_connection_after_which_nothing_can_be_asked_is_not_kept(wire, last: bytes) -> None:
    served, connections = wire
    served.answers = [[last]]
    first = await ask(connections)
    await served.closed.wait()
    served.answers = [[DONE]]
    second = await ask(connections)
    assert first.headers is not second.headers
    assert served.opened == 2


async def test_a_connection_that_was_closed_while_idle_is_not_used(wire) -> None:
    served, connections = wire
    served.answers = [[DONE, CLOSE]]
    await ask(connections)
    await served.closed.wait()
    await until(lambda: not any(idle.is_open for idle in connections._idle))  # the end is carried over
    served.answers = [[DONE]]
    assert (await ask(connections)).status == 201


async def test_an_idle_connection_is_closed(wire, monkeypatch) -> None:
    monkeypatch.setattr(http1, "KEEPALIVE_S", 0.01)
    served, connections = wire
    served.answers = [[DONE]]
    await ask(connections)
    async with asyncio.timeout(60):
        await served.closed.wait()


async def test_no_more_connections_than_allowed(wire) -> None:
    served, connections = wire
    served.answers = [[DONE]] * 20
    await asyncio.gather(*(ask(connections) for _ in range(20)))
    assert served.opened <= 4


async def test_cancelling_closes_the_connection(wire) -> None:
    served, connections = wire
    progress = Progress()
    asked = asyncio.create_task(connections.exchange(request_head("GET", "/", {}), progress))
    await served.asked.wait()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await served.closed.wait()
    assert progress.connected


async def test_a_certificate_that_is_not_trusted_is_found_before_anything_is_sent(wire, tmp_path) -> None:
    served, _ = wire
    progress, theirs = Progress(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(*Authority(tmp_path).issue("server", server=True))
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=theirs)
    port = server.sockets[0].getsockname()[1]
    ours = ssl.create_default_context()
    connections = Connections("127.0.0.1", port, ours, limit=1, max_answer_bytes=LIMIT)
    with pytest.raises(ssl.SSLCertVerificationError):
        async with asyncio.timeout(60):
            await connections.exchange(b"GET / HTTP/1.1\r\n\r\n", progress)
    server.close()
    assert not progress.connected
    assert served.heads == []


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/a b", {}),
        ("/a\r\nX: y", {}),
        ("/", {"X": "a\r\nY: b"}),
        ("/", {"X": "a\nb"}),
        ("/", {"X\r": "a"}),
        ("/", {"X": "a\0"}),
    ],
)
def test_nothing_can_be_slipped_into_a_request(target: str, headers: dict[str, str]) -> None:
    with pytest.raises(Unsendable):
        request_head("GET", target, headers)


def test_a_request_head() -> None:
    head = request_head("POST", "/a?b=c", {"Host": "h:1", "X": "grün"})
    assert head == "POST /a?b=c HTTP/1.1\r\nHost: h:1\r\nX: grün\r\n\r\n".encode()


def test_all_that_the_parser_raises_has_a_base_that_is_caught() -> None:
    raised = [member for member in vars(httptools).values() if isinstance(member, type)]
    errors = {member for member in raised if issubclass(member, Exception)}
    caught = (httptools.HttpParserError, httptools.HttpParserUpgrade)
    assert errors
    assert {each for each in errors if not issubclass(each, caught)} == set()
