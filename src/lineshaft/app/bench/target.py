"""The planning system of the bench, as a child process: takes notices over HTTP and counts them by their key.

It keeps nobody from posting twice. On each line of its standard input it says where it is and what it
counted. It reads just enough of HTTP/1.1 to be a server that is not what limits.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast
from urllib.parse import parse_qs, urlsplit

import msgspec

__all__: list[str] = []

_HEAD_END = b"\r\n\r\n"


class _Notices:
    """first: the number of the first notice under each key."""

    def __init__(self) -> None:
        self.posts = 0
        self.first: dict[str, str] = {}

    def answer(self, method: str, address: str, headers: dict[str, str], body: bytes) -> bytes:
        if method == "GET":
            asked = parse_qs(urlsplit(address).query).get("externalRef", [""])
            number = self.first.get(asked[0])
            return _answer(b"200 OK", {"notices": [{"noticeId": number}] if number else []})
        notice = msgspec.json.decode(body)
        self.posts += 1
        number = f"CN-{self.posts}"
        self.first.setdefault(headers["idempotency-key"], number)
        return _answer(b"201 Created", {"noticeId": number, "reference": notice["reference"]})


class _Connection(asyncio.Protocol):
    """Requests one after the other; each has a Content-Length or no body."""

    def __init__(self, notices: _Notices) -> None:
        self._notices = notices
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None  # noqa: S101 - made before it receives
        self._unread += data
        while (head_ends := self._unread.find(_HEAD_END)) >= 0:
            first, *lines = self._unread[:head_ends].decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            begins = head_ends + len(_HEAD_END)
            ends = begins + int(headers.get("content-length", "0"))
            if len(self._unread) < ends:
                return
            body, self._unread = self._unread[begins:ends], self._unread[ends:]
            method, address, _ = first.split(" ")
            self._transport.write(self._notices.answer(method, address, headers, body))


def _answer(status: bytes, document: dict[str, object]) -> bytes:
    body = msgspec.json.encode(document)
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (
        status,
        len(body),
    )
    return head + body


async def _serve() -> None:
    notices = _Notices()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(notices), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    while await asyncio.to_thread(sys.stdin.readline):
        said = {"url": f"http://{host}:{port}", "posts": notices.posts, "keys": len(notices.first)}
        print(msgspec.json.encode(said).decode(), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
